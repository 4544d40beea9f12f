//! What a peer answers that should be a Flume, and lines as they go to one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use log_agent::lines::Lines;
use log_agent::ship::avro::answer::{self, Answer, Frame, Handshake};
use log_agent::ship::batch::{Batch, Limits, Line};
use log_agent::ship::labels::Labels;

fn read(frame: &Frame) {
    if answer::answer(&frame.payload) == Ok(Answer::Ok) {
        assert!(frame.payload.ends_with(&[0, 0]));
    }
    if let Ok(Handshake::Error(said)) = answer::handshake(frame) {
        // each byte may become a replacement of three
        assert!(!frame.begins && said.len() <= 3 * frame.payload.len());
    }
}

fuzz_target!(|data: &[u8]| {
    // a frame is read or refused, and not before it is all there
    if let Ok(Some((frame, length))) = answer::frame(data) {
        assert!(length <= data.len() && frame.payload.len() < length);
        assert_eq!(answer::frame(&data[..length - 1]), Ok(None));
        read(&frame);
    }
    for begins in [false, true] {
        read(&Frame { serial: 1, begins, payload: data.to_vec() });
    }

    // lines of any bytes from a file of any name are read back as they were
    let [file, instance, text] = fuzz::pieces(data);
    let [file, instance] = [file, instance].map(String::from_utf8_lossy);
    let labels = Labels::new("dc1", "host-17", "shop", &instance, &file);
    let mut batch = Batch::new(Limits::default());
    let mut lines = Lines::cut(text, false, 64);
    let mut wanted = Vec::new();
    while let Some(piece) = lines.next().or_else(|| lines.rest(false)) {
        let body = &text[piece.start..piece.end];
        let line = Line { offset: piece.start as u64, part: piece.part, timestamp_ms: 1, body };
        if !batch.push(&labels, &line) {
            break;
        }
        wanted.push((piece.start.to_string(), body));
    }
    let offset = |e: &log_agent::ship::batch::Event<'_>| e.header("offset").map(str::to_owned);
    let got: Vec<_> =
        batch.all().iter().map(|e| (offset(&e).unwrap_or_default(), e.body)).collect();
    assert_eq!(got, wanted);
});
