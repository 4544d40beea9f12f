//! What Flume's Avro source answers: frame, handshake, result. Pure.
//!
//! The far side may be anything: a garbled frame, a false count or an endless string is an error, and no more than [`LONGEST`] bytes are
//! ever kept. Where the server cuts its answer into buffers means nothing, but for one thing: an answer to a handshake whose first buffer is
//! empty holds no handshake, because that failed.

use super::{Malformed, Reader};

/// Most buffers of a frame.
pub const BUFFERS: usize = 64;
/// Most bytes of an answer. A stock Flume sends 1,356 for a handshake and 2 for a batch; an error is a stack's first line.
pub const LONGEST: usize = 2 << 20;
/// Longest string in it.
const STRING: usize = 1 << 20;

/// A frame, its buffers joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which request it answers.
    pub serial: i32,
    /// Whether the first buffer has bytes.
    pub begins: bool,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Reads a frame at the beginning of `bytes`, and how long it was; None if it is not all there.
pub fn frame(bytes: &[u8]) -> Result<Option<(Frame, usize)>, Malformed> {
    let mut rest = bytes;
    let (Some(serial), Some(buffers)) = (word(&mut rest), word(&mut rest)) else { return Ok(None) };
    let buffers = bounded(buffers, BUFFERS)?;
    if buffers == 0 {
        // no server sends it, and none could take it
        return Err(Malformed::Length { limit: BUFFERS });
    }
    let mut parts = Vec::with_capacity(buffers);
    let mut total = 0;
    let mut whole = true;
    for _ in 0..buffers {
        let Some(length) = word(&mut rest) else { return Ok(None) };
        let length = bounded(length, LONGEST - total)?;
        total += length;
        // what is not there yet may still be told to be too long
        let (part, after) = rest.split_at(length.min(rest.len()));
        whole &= part.len() == length;
        rest = after;
        parts.push(part);
    }
    if !whole {
        return Ok(None);
    }
    let frame = Frame {
        serial,
        begins: parts.first().is_some_and(|first| !first.is_empty()),
        payload: parts.concat(),
    };
    Ok(Some((frame, bytes.len() - rest.len())))
}

fn word(rest: &mut &[u8]) -> Option<i32> {
    let (word, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(i32::from_be_bytes(*word))
}

fn bounded(length: i32, limit: usize) -> Result<usize, Malformed> {
    usize::try_from(length).ok().filter(|l| *l <= limit).ok_or(Malformed::Length { limit })
}

/// What the server made of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// Both texts are known: the call was executed.
    Both,
    /// The server's text is another than was guessed; the call was executed.
    Client,
    /// It wants the client's text, and executed nothing.
    None,
}

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The events are in the channel.
    Ok,
    /// They are not: it is full, or takes fewer in one transaction.
    Failed,
    /// No stock Flume says so.
    Unknown,
    /// The call failed; the words of the exception.
    Error(String),
}

/// The result of the first call of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handshake {
    /// It was understood this far.
    Shaken(Match),
    /// It failed; the words of the exception.
    Error(String),
}

/// Reads the answer to a handshake with a ping: nothing follows it.
pub fn handshake(frame: &Frame) -> Result<Handshake, Malformed> {
    if !frame.begins {
        return match answer(&frame.payload)? {
            Answer::Error(said) => Ok(Handshake::Error(said)),
            _ => Err(Malformed::Behind),
        };
    }
    let mut reader = Reader::new(&frame.payload);
    let matched = shaken(&mut reader)?;
    if reader.is_empty() { Ok(Handshake::Shaken(matched)) } else { Err(Malformed::Behind) }
}

/// Reads a handshake's answer; the call's follows, unless it is [`Match::None`].
pub fn shaken(reader: &mut Reader<'_>) -> Result<Match, Malformed> {
    let matched = match reader.choice(3)? {
        0 => Match::Both,
        1 => Match::Client,
        _ => Match::None,
    };
    if reader.choice(2)? == 1 {
        reader.bytes(STRING)?;
    }
    if reader.choice(2)? == 1 {
        reader.take(16)?;
    }
    if reader.choice(2)? == 1 {
        reader.skip_map()?;
    }
    Ok(matched)
}

/// Reads the answer to a call.
pub fn answer(payload: &[u8]) -> Result<Answer, Malformed> {
    let mut reader = Reader::new(payload);
    reader.skip_map()?;
    let answer = match reader.byte()? {
        // an enum's number, to the byte: nothing else shall pass for OK
        0 => match reader.byte()? {
            0 => Answer::Ok,
            2 => Answer::Failed,
            4 => Answer::Unknown,
            other => return Err(Malformed::Choice(i64::from(other))),
        },
        1 => {
            reader.choice(1)?;
            Answer::Error(String::from_utf8_lossy(reader.bytes(STRING)?).into_owned())
        }
        other => return Err(Malformed::Choice(i64::from(other))),
    };
    if reader.is_empty() { Ok(answer) } else { Err(Malformed::Behind) }
}

/// Whether a frame answers a ping on a connection that is shaken: with nothing.
pub fn is_pong(frame: &Frame) -> bool {
    frame.payload.is_empty()
}

#[cfg(test)]
mod tests;
