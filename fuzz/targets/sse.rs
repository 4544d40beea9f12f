//! Server-Sent Events: however the stream is cut, what comes out is the same, and what is kept is bounded.
#![no_main]

use common::center::sse::{Item, Parser};
use libfuzzer_sys::fuzz_target;

/// Small, so that small inputs reach it.
const CAP: usize = 256;

fuzz_target!(|data: &[u8]| {
    let whole = items(data, data.len().max(1));
    for piece in [1, 2, 7] {
        assert_eq!(whole, items(data, piece), "in pieces of {piece}");
    }
    // what is printed as an event is read as that event
    for item in whole {
        let Item::Event(frame) = item else { continue };
        assert!(frame.data.len() <= CAP, "{} bytes", frame.data.len());
        if frame.data.contains('\r') || frame.data.len() + frame.id.len() + frame.event.len() > CAP / 4 {
            continue;
        }
        let lines: String = frame.data.split('\n').map(|line| format!("data: {line}\n")).collect();
        let text = format!("id: {}\nevent: {}\n{lines}\n", frame.id, frame.event);
        if text.len() <= CAP {
            assert_eq!(items(text.as_bytes(), 3), [Item::Event(frame)]);
        }
    }
});

fn items(data: &[u8], piece: usize) -> Vec<Item> {
    let (mut parser, mut out) = (Parser::new(CAP), Vec::new());
    for piece in data.chunks(piece) {
        parser.push(piece);
        out.extend(std::iter::from_fn(|| parser.next()));
        assert!(parser.held() <= CAP + 1, "{} bytes kept", parser.held());
    }
    out
}
