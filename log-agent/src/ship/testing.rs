//! A peer that speaks Flume's wire, for tests: it plays every answer a Flume can give.

mod double;
mod talk;

pub use double::{Double, Play, Shake, Stored};

use super::avro::{Malformed, Reader};
use std::io::{self, Read};

/// The beginning of a request's frame; None at the end of the connection.
fn read_serial(from: &mut impl Read) -> io::Result<Option<i32>> {
    let mut word = [0; 4];
    match from.read_exact(&mut word) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(|()| Some(i32::from_be_bytes(word))),
    }
}

/// The rest of it: its buffers, joined.
fn read_payload(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut word = [0; 4];
    from.read_exact(&mut word)?;
    let mut payload = Vec::new();
    for _ in 0..u32::from_be_bytes(word).min(64) {
        from.read_exact(&mut word)?;
        let length = u64::from(u32::from_be_bytes(word)).min(64 << 20);
        from.take(length).read_to_end(&mut payload)?;
    }
    Ok(payload)
}

/// Passes over the handshake; whether the protocol's text came with it.
fn shaken(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
    const TEXT: usize = 1 << 20;
    reader.take(16)?;
    let text = reader.choice(2)? == 1;
    if text {
        reader.bytes(TEXT)?;
    }
    reader.take(16)?;
    reader.choice(2)?;
    Ok(text)
}

/// A frame with these buffers.
fn framed(serial: i32, buffers: &[&[u8]]) -> Vec<u8> {
    let mut out = serial.to_be_bytes().to_vec();
    let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    out.extend(word(buffers.len()));
    for buffer in buffers {
        out.extend(word(buffer.len()));
        out.extend(*buffer);
    }
    out
}
