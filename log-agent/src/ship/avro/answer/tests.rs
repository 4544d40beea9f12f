use super::*;
use proptest::prelude::*;

fn framed(serial: i32, buffers: &[Vec<u8>]) -> Vec<u8> {
    let mut out = serial.to_be_bytes().to_vec();
    out.extend(i32::try_from(buffers.len()).unwrap().to_be_bytes());
    for buffer in buffers {
        out.extend(i32::try_from(buffer.len()).unwrap().to_be_bytes());
        out.extend(buffer);
    }
    out
}

#[test]
fn false_counts_are_refused_before_anything_is_kept() {
    let words = |words: &[i32]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<_>>();
    let refused = |bytes: &[u8]| matches!(frame(bytes), Err(Malformed::Length { .. }));
    assert!(refused(&words(&[1, 0])));
    assert!(refused(&words(&[1, -1])));
    assert!(refused(&words(&[1, 65])));
    assert!(refused(&words(&[1, 1, -1])));
    assert!(refused(&words(&[1, 1, (2 << 20) + 1])));
    let mut two = words(&[1, 2, 2 << 20]);
    two.resize(two.len() + (2 << 20), 0);
    two.extend(words(&[1]));
    assert!(refused(&two), "together too long");
    // "HTTP/1.1 400 Bad Request" taken as a frame
    assert!(refused(b"HTTP/1.1 400 Bad Request\r\n"));
}

#[test]
fn nothing_may_stand_behind_the_result() {
    assert_eq!(answer(&[0, 0, 0, 0]), Err(Malformed::Behind));
    assert_eq!(answer(&[0, 0]), Err(Malformed::Short));
    assert_eq!(answer(&[0, 2, 0]), Err(Malformed::Choice(2)));
    assert_eq!(answer(&[0, 0, 6]), Err(Malformed::Choice(6)));
    assert_eq!(
        answer(&[0, 0, 0x80, 0]),
        Err(Malformed::Choice(0x80)),
        "a nought that is written long"
    );
    let ok = Frame { serial: 1, begins: false, payload: vec![0, 0, 0] };
    assert!(handshake(&ok).is_err(), "a result in the place of a handshake");
}

proptest! {
    /// Where it is cut into buffers, and into reads, changes nothing.
    #[test]
    fn cuts_mean_nothing(
        serial in any::<i32>(),
        payload in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        more in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut at: Vec<usize> = cuts.iter().map(|c| c.index(payload.len() + 1)).collect();
        at.sort_unstable();
        at.push(payload.len());
        let mut from = 0;
        let buffers: Vec<_> = at.iter().map(|to| payload[std::mem::replace(&mut from, *to)..*to].to_vec()).collect();
        let bytes = framed(serial, &buffers);
        let wanted = Frame { serial, begins: !buffers[0].is_empty(), payload };
        prop_assert_eq!(frame(&[&bytes[..], &more].concat()), Ok(Some((wanted, bytes.len()))));
        for cut in 0..bytes.len() {
            prop_assert_eq!(frame(&bytes[..cut]), Ok(None));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(2), any::<u8>()], 0..120)) {
        if let Ok(Some((read, length))) = frame(&bytes) {
            prop_assert!(length <= bytes.len() && read.payload.len() < length);
            drop(handshake(&read));
        }
        let said = answer(&bytes);
        prop_assert!(said != Ok(Answer::Ok) || bytes.ends_with(&[0, 0]), "{said:?}");
        drop(handshake(&Frame { serial: 1, begins: true, payload: bytes }));
    }
}
