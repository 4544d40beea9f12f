//! What a [`Double`](super::Double) answers, request by request.

use super::double::{Play, Shake, Shared, Stored};
use super::{framed, read_payload, read_serial};
use crate::ship::avro::request::SERVER_HASH;
use crate::ship::avro::{Malformed, Reader, put_bytes};
use crate::ship::batch::Event;
use std::io::{self, Read, Write};
use std::sync::PoisonError;

pub(super) fn talk(mut from: impl Read, mut to: impl Write, shared: &Shared) -> io::Result<()> {
    let mut shaken = false;
    loop {
        let Some(serial) = read_serial(&mut from)? else { return Ok(()) };
        let within = shared.state().closes_within(shaken);
        if let Some(bytes) = within {
            return from.read_exact(&mut vec![0; bytes]);
        }
        let payload = read_payload(&mut from)?;
        let mut reader = Reader::new(&payload);
        let mut buffers = Vec::new();
        if !shaken {
            let played = shake(&mut reader, &shared.state().shake).map_err(invalid)?;
            match played {
                Shaken::Answer(answer) => buffers.push(answer),
                Shaken::Last(bytes) => return send(&mut to, &bytes),
                Shaken::LastAnswer(last) => {
                    let last: Vec<&[u8]> = last.iter().map(Vec::as_slice).collect();
                    send(&mut to, &framed(serial, &last))?;
                    continue;
                }
                Shaken::Silence => return wait(shared),
            }
        } else {
            buffers.push(Vec::new());
        }
        let first = !std::mem::replace(&mut shaken, true);
        let serial = match call(&mut reader, shared).map_err(invalid)? {
            Done::Ping => {
                shared.state().pings += usize::from(!first);
                serial
            }
            Done::Answer(answer) => {
                buffers.extend([vec![0], answer]);
                serial
            }
            Done::Other(answer) => {
                buffers.extend([vec![0], answer]);
                serial.wrapping_add(7)
            }
            Done::Last(bytes) => return send(&mut to, &bytes),
            Done::Silence => return wait(shared),
        };
        let buffers: Vec<&[u8]> = buffers.iter().map(Vec::as_slice).collect();
        send(&mut to, &framed(serial, &buffers))?;
    }
}

fn send(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

fn wait(shared: &Shared) -> io::Result<()> {
    let mut state = shared.state();
    while !state.stopped {
        state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    Ok(())
}

fn invalid(error: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

enum Shaken {
    Answer(Vec<u8>),
    LastAnswer(Vec<Vec<u8>>),
    Last(Vec<u8>),
    Silence,
}

fn shake(reader: &mut Reader<'_>, shake: &Shake) -> Result<Shaken, Malformed> {
    super::shaken(reader)?;
    let with_text = |first: u8| {
        let mut out = vec![first, 2];
        put_bytes(&mut out, b"{\"protocol\":\"Another\"}");
        out.push(2);
        out.extend(SERVER_HASH);
        out.push(0);
        out
    };
    Ok(match shake {
        Shake::Both => Shaken::Answer(vec![0; 4]),
        Shake::Client => Shaken::Answer(with_text(2)),
        Shake::None => Shaken::LastAnswer(vec![with_text(4)]),
        Shake::Error(said) => Shaken::LastAnswer(vec![Vec::new(), vec![0], exception(said)]),
        Shake::Silence => Shaken::Silence,
        Shake::Close => Shaken::Last(Vec::new()),
        Shake::Garble(bytes) => Shaken::Last(bytes.clone()),
    })
}

fn exception(said: &str) -> Vec<u8> {
    let mut out = vec![1, 0];
    put_bytes(&mut out, said.as_bytes());
    out
}

enum Done {
    Ping,
    Answer(Vec<u8>),
    /// To another request.
    Other(Vec<u8>),
    Last(Vec<u8>),
    Silence,
}

fn call(reader: &mut Reader<'_>, shared: &Shared) -> Result<Done, Malformed> {
    reader.skip_map()?;
    let name = reader.bytes(64)?;
    if name.is_empty() {
        return Ok(Done::Ping);
    }
    if name != b"appendBatch" {
        let name = String::from_utf8_lossy(name);
        return Ok(Done::Answer(exception(&format!("No such remote message: {name}"))));
    }
    let events = events(reader)?;
    let mut state = shared.state();
    state.asked.push(events.len());
    if state.most.is_some_and(|most| events.len() > most) {
        return Ok(Done::Answer(vec![0, 2]));
    }
    let usual = state.usual.clone().unwrap_or(Play::Take);
    let play = state.plays.pop_front().unwrap_or(usual);
    if matches!(play, Play::Take | Play::TakeAndClose) {
        state.stored.extend(events);
    }
    Ok(match play {
        Play::Take => Done::Answer(vec![0, 0]),
        Play::Fail => Done::Answer(vec![0, 2]),
        Play::Unknown => Done::Answer(vec![0, 4]),
        Play::Error(said) => Done::Answer(exception(&said)),
        Play::Silence => Done::Silence,
        Play::TakeAndClose | Play::Close | Play::CloseWithin(_) => Done::Last(Vec::new()),
        Play::Serial => Done::Other(vec![0, 0]),
        Play::Garble(bytes) => Done::Last(bytes),
    })
}

fn events(reader: &mut Reader<'_>) -> Result<Vec<Stored>, Malformed> {
    let mut events = Vec::new();
    loop {
        let many = reader.block()?;
        if many == 0 {
            return Ok(events);
        }
        for _ in 0..many {
            let event = Event::read(reader)?;
            let headers = event.headers().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            events.push(Stored { headers, body: event.body.to_vec() });
        }
    }
}
