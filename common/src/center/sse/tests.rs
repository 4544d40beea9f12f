use super::*;
use proptest::prelude::*;

fn read(pieces: &[&[u8]], cap: usize) -> Vec<Item> {
    let mut parser = Parser::new(cap);
    let mut out = Vec::new();
    for piece in pieces {
        parser.push(piece);
        while let Some(item) = parser.next() {
            out.push(item);
        }
        assert!(parser.held() <= cap.max(1) + 1, "{} bytes held", parser.held());
    }
    out
}

fn event(id: &str, event: &str, data: &str) -> Item {
    Item::Event(Frame { id: id.into(), event: event.into(), data: data.into() })
}

#[test]
fn events_as_the_standard_reads_them() {
    let text = "\u{feff}retry: 1000\n\n: hello\nid: e:7\nevent: heartbeat\ndata: {\"a\":1}\n\n\
        data:one\r\ndata:  two\r\n\r\nid\ndata\n\nevent: lonely\n\ndata: x\revent: y\rfoo: bar\r\rdata: cut off";
    let wanted = [
        Item::Retry(Duration::from_secs(1)),
        event("e:7", "heartbeat", "{\"a\":1}"),
        event("e:7", "", "one\n two"),
        event("", "", ""),
        event("", "y", "x"),
    ];
    assert_eq!(read(&[text.as_bytes()], 1000), wanted);
    let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    assert_eq!(read(&bytes, 1000), wanted, "cut after every byte, inside CR LF and the mark too");
}

#[test]
fn marathons_dialect() {
    let text =
        "event: event_stream_attached\r\ndata: {}\r\n\r\n\r\n\r\nevent: x\r\ndata: 1\r\n\r\n";
    assert_eq!(
        read(&[text.as_bytes()], 100),
        [event("", "event_stream_attached", "{}"), event("", "x", "1")]
    );
}

#[test]
fn what_is_no_number_or_has_nul_is_passed_over() {
    let text = b"retry: 1s\nretry:\nretry: +5\nid: a\0b\ndata: \xff\n\n";
    assert_eq!(read(&[text], 100), [event("", "", "\u{fffd}")]);
}

#[test]
fn an_event_over_the_cap_is_said_and_the_next_one_is_whole() {
    let long = "x".repeat(50);
    let text = format!("data: {long}\ndata: more\n\ndata: ok\n\ndata: 1234567890\ndata: {long}");
    let mut bytes = text.into_bytes();
    let wanted = [Item::TooLarge, event("", "", "ok")];
    assert_eq!(read(&[&bytes], 20), wanted);
    assert_eq!(read(&bytes.chunks(7).collect::<Vec<_>>(), 20), wanted);
    bytes.extend_from_slice(b"\n\ndata: ok\n\n");
    assert_eq!(read(&[&bytes], 20)[2..], wanted);
}

#[test]
fn bytes_that_are_no_text_do_not_get_past_the_cap() {
    // as text each of them has three bytes
    let text = b"data: \xe4\xe4\xe4\xe4\n\ndata: ok\n\n";
    assert_eq!(read(&[text], 11), [Item::TooLarge, event("", "", "ok")]);
    let whole = event("", "", &"\u{fffd}".repeat(4));
    assert_eq!(read(&[text], 12), [whole, event("", "", "ok")]);
}

proptest! {
    #[test]
    fn the_cut_makes_no_difference(
        text in proptest::collection::vec(
            prop_oneof![
                Just("data: a"), Just("data"), Just("id: 1"), Just("event: e"), Just("retry: 5"), Just(":"), Just("\n"),
                Just("\r"), Just("\r\n"), Just("\n\n"), Just("é"), Just("data: 123456789012345678901234567890"),
            ], 0..40),
        at in proptest::collection::vec(0usize..400, 0..8),
        cap in 10usize..60,
    ) {
        let bytes = text.concat().into_bytes();
        let mut at: Vec<usize> = at.into_iter().map(|a| a.min(bytes.len())).collect();
        at.push(bytes.len());
        at.sort_unstable();
        let mut begin = 0;
        let pieces: Vec<&[u8]> = at.iter().map(|end| {
            let piece = &bytes[begin..*end];
            begin = *end;
            piece
        }).collect();
        prop_assert_eq!(read(&pieces, cap), read(&[&bytes], cap));
    }

    #[test]
    fn what_is_printed_is_read(frames in proptest::collection::vec(("[a-z]{0,5}", "[ -~é]{0,30}(\n[ -~]{0,10}){0,2}"), 0..10)) {
        let mut text = String::new();
        for (n, (name, data)) in frames.iter().enumerate() {
            text.push_str(&format!("id: {n}\nevent: {name}\n"));
            for line in data.split('\n') {
                text.push_str(&format!("data: {line}\n"));
            }
            text.push('\n');
        }
        let wanted: Vec<Item> = frames.iter().enumerate().map(|(n, (name, data))| event(&n.to_string(), name, data)).collect();
        prop_assert_eq!(read(&[text.as_bytes()], 1000), wanted);
    }

    #[test]
    fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes.chunks(9).collect::<Vec<_>>(), 64);
    }
}
