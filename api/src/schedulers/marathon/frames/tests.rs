use super::*;
use proptest::prelude::*;

const NEW: &[u8] = include_bytes!("../../../../tests/fixtures/marathon/events_1_9.sse");
const OLD: &[u8] = include_bytes!("../../../../tests/fixtures/marathon/events_1_3.sse");

fn frames(pieces: &[&[u8]], longest: usize) -> Vec<Frame> {
    let (mut frames, mut out) = (Frames::new(longest), Vec::new());
    for piece in pieces {
        frames.push(piece, |frame| out.push(frame));
    }
    out
}

fn event(text: &str) -> Frame {
    Frame::Event(text.as_bytes().to_vec())
}

#[test]
fn whole_connections() {
    let events = frames(&[NEW], 1 << 20);
    assert_eq!(events.len(), NEW.windows(6).filter(|w| w == b"event:").count());
    for frame in events.iter().chain(&frames(&[OLD], 1 << 20)) {
        let Frame::Event(data) = frame else { panic!("{frame:?}") };
        crate::schedulers::marathon::wire::read_event(data).unwrap();
    }
}

#[test]
fn a_line_end_in_two_reads_is_one() {
    let pieces: [&[u8]; 6] = [b"data: a\r", b"\n", b"\r", b"\n\r", b"\n", b"data:b\r\n\r\n"];
    assert_eq!(frames(&pieces, 10), [event("a"), event("b")]);
    // no event line, LF alone, CR alone, two lines of data, a comment, fields of no use
    let odd: &[u8] =
        b"data: {}\n\n:c\rid: 1\rdata: 1\rdata: 2\r\rretry: 9\n\nevent: x\n\ndata\n\ndata:\n\n";
    assert_eq!(frames(&[odd], 10), [event("{}"), event("1\n2"), event("")]);
}

#[test]
fn what_is_too_large_is_dropped_whole_and_told() {
    let text: &[u8] = b"data: 0123456789\r\n\r\ndata: 01234567890\r\n\r\ndata: 0\r\ndata: 123456789\r\n\r\ndata: ok\r\n\r\n";
    let wanted = [event("0123456789"), Frame::TooLarge, Frame::TooLarge, event("ok")];
    assert_eq!(frames(&[text], 10), wanted);
    // an endless line costs no memory
    let mut endless = Frames::new(1000);
    for _ in 0..100 {
        endless.push(&[b'x'; 999], |frame| panic!("{frame:?}"));
    }
    assert!(endless.line.capacity() < 4096);
}

proptest! {
    #[test]
    fn cuts_do_not_matter(cuts in prop::collection::vec(0..NEW.len(), 0..40)) {
        let mut cuts = cuts;
        cuts.push(0);
        cuts.push(NEW.len());
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &NEW[w[0]..w[1]]).collect();
        prop_assert_eq!(frames(&pieces, 1 << 20), frames(&[NEW], 1 << 20));
    }

    #[test]
    fn any_bytes_in_any_pieces(
        bytes in prop::collection::vec(prop::sample::select(b"dat: a\r\n".to_vec()), 0..80),
        cut in 0usize..80,
        longest in 0usize..12,
    ) {
        let cut = cut.min(bytes.len());
        let whole = frames(&[&bytes], longest);
        prop_assert_eq!(&frames(&[&bytes[..cut], &bytes[cut..]], longest), &whole);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&frames(&single, longest), &whole);
        for frame in whole {
            if let Frame::Event(data) = frame {
                prop_assert!(data.len() <= longest);
            }
        }
    }
}
