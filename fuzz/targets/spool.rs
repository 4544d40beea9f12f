//! The spool: records that were damaged on disk, the remembered position, and the pickle frames made of lines.
#![no_main]

use common::fuzzing::{pickle, position, position_text, read_segment, segment};
use libfuzzer_sys::fuzz_target;

/// The input is what befalls a good segment of two batches: pairs of (where, what) that overwrite a byte, then a cut.
fn damaged(good: &[u8], damage: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for change in damage.chunks_exact(3).take(64) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    let cut = damage.len() % 3;
    bytes.truncate(bytes.len() - if cut == 0 { 0 } else { bytes.len() / (2 + cut) });
    bytes
}

fuzz_target!(|data: &[u8]| {
    let [lines, damage] = fuzz::pieces(data);
    let (first, second) =
        (segment(1_795_392_000, lines), segment(1_795_392_010, b"qae.a 1 1795392010\n"));
    let good = [&first[..], &second].concat();
    let newlines = lines.iter().filter(|b| **b == b'\n').count() as u64 + 1;

    // what was written is what is read
    let read = read_segment(&good).expect("memory does not fail");
    assert_eq!(read.lines, [lines, b"qae.a 1 1795392010\n"].concat());
    assert_eq!((read.points, read.scanned_points, read.damaged), (newlines, newlines, (0, 0)));

    // damage loses what it hits, and nothing is made up
    let read = read_segment(&damaged(&good, damage)).expect("memory does not fail");
    assert!(read.points <= newlines && read.points + read.damaged.0 >= read.scanned_points);
    // a batch behind garbage is found
    let read = read_segment(&[data, &good].concat()).expect("memory does not fail");
    assert!(read.points >= newlines);
    drop(read_segment(data));

    if let Some((segment, offset)) = position(data) {
        assert_eq!(position(position_text(segment, offset).as_bytes()), Some((segment, offset)));
    }

    let (frames, refused) = pickle(lines);
    assert!(refused <= newlines);
    let mut rest = &frames[..];
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let (frame, next) = tail.split_at(u32::from_be_bytes(*length) as usize);
        assert!(frame.len() <= 1 << 20 && frame.starts_with(&[0x80, 2]) && frame.ends_with(b"."));
        rest = next;
    }
});
