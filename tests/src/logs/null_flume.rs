//! A null peer that speaks Flume's wire (Avro over Netty's framing): acknowledges every batch at once and keeps nothing. Counts events, and
//! shows each body to whoever wants to see it.

use super::arrived::{Arrived, Eye};
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// No frame is longer.
const LONGEST: usize = 16 << 20;
/// The answer after the handshake: no metadata, no error, OK.
const OK: [u8; 19] = [0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0];
/// The first answer: a handshake that says BOTH before it.
const BOTH_OK: [u8; 23] = [0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0];
/// Answers of a ping, without and with the handshake.
const PING: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 0];
const BOTH_PING: [u8; 12] = [0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0];

/// Takes batches at `address` (port 0 for any) until the process ends or [`Arrived::close`]; the answer is where it listens.
pub fn listen(address: SocketAddr, arrived: &Arc<Arrived>, eye: Option<Eye>) -> Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    arrived.serve(listener, eye, take);
    Ok(address)
}

fn take(mut stream: TcpStream, arrived: &Arrived, eye: Option<&Eye>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut frame = Vec::new();
    let mut first = true;
    loop {
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        let number =
            |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = number(8) as usize;
        ensure!(
            number(4) == 1 && length <= LONGEST,
            "a frame of {} buffers, {length} bytes",
            number(4)
        );
        // not cleared: what is overwritten anyway needs no zeros
        if frame.len() < length {
            frame.resize(length, 0);
        }
        stream.read_exact(&mut frame[..length])?;
        let mut call = Avro(&frame[..length]);
        if first {
            call.handshake()?;
        }
        let events = call.batch(eye)?;
        arrived.count(events.unwrap_or(0));
        stream.write_all(&head[..4])?;
        stream.write_all(match (events, first) {
            (None, true) => &BOTH_PING,
            (None, false) => &PING,
            (Some(_), true) => &BOTH_OK,
            (Some(_), false) => &OK,
        })?;
        first = false;
    }
}

/// What is left of a request.
struct Avro<'a>(&'a [u8]);

impl<'a> Avro<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).context("a request that is cut")?;
        self.0 = rest;
        Ok(taken)
    }

    /// Zigzag of a base-128 varint.
    fn long(&mut self) -> Result<i64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let magnitude = i64::try_from(value >> 1)?;
                return Ok(if value & 1 == 0 { magnitude } else { !magnitude });
            }
        }
        anyhow::bail!("a number of more than 64 bits")
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.long()?)?;
        self.take(length)
    }

    fn handshake(&mut self) -> Result<()> {
        self.take(16)?;
        if self.long()? == 1 {
            self.bytes()?;
        }
        self.take(16)?;
        ensure!(self.long()? == 0, "metadata in a handshake");
        Ok(())
    }

    /// Events of the call's batch; None for a ping.
    fn batch(&mut self, eye: Option<&Eye>) -> Result<Option<u64>> {
        ensure!(self.long()? == 0, "metadata in a call");
        let name = self.bytes()?;
        if name.is_empty() {
            return Ok(None);
        }
        ensure!(name == b"appendBatch", "a call of {:?}", String::from_utf8_lossy(name));
        let count = u64::try_from(self.long()?)?;
        let Some(eye) = eye else { return Ok(Some(count)) };
        for _ in 0..count {
            // the header map: blocks of entries, an empty one at the end
            loop {
                let entries = self.long()?;
                if entries == 0 {
                    break;
                }
                for _ in 0..entries {
                    self.bytes()?;
                    self.bytes()?;
                }
            }
            eye.see(self.bytes()?);
        }
        ensure!(self.long()? == 0, "a batch of several blocks");
        Ok(Some(count))
    }
}
