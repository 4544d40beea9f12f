//! What is written to Flume's Avro source: frame, handshake, call. Pure.
//!
//! A frame is `serial, 1, length, payload`, each number 4 bytes big endian. The payload is the handshake on the first request of a
//! connection and on no other, then the call. [`frame`] gives what stands before and behind the events, so that they are not copied.

use super::{put_bytes, put_length};

/// The protocol as this client hashes and sends it: what `appendBatch` needs and no more.
pub const PROTOCOL: &str = concat!(
    r#"{"protocol":"AvroSourceProtocol","namespace":"org.apache.flume.source.avro","types":["#,
    r#"{"type":"enum","name":"Status","symbols":["OK","FAILED","UNKNOWN"]},"#,
    r#"{"type":"record","name":"AvroFlumeEvent","fields":[{"name":"headers","type":{"type":"map","values":"string"}},"#,
    r#"{"name":"body","type":"bytes"}]}],"messages":{"#,
    r#""append":{"request":[{"name":"event","type":"AvroFlumeEvent"}],"response":"Status"},"#,
    r#""appendBatch":{"request":[{"name":"events","type":{"type":"array","items":"AvroFlumeEvent"}}],"response":"Status"}}}"#,
);
/// MD5 of [`PROTOCOL`]. A wrong one under a text would poison the server for every later client with that hash.
pub const CLIENT_HASH: [u8; 16] = 0x30da_5405_9df7_2d95_84b8_67d5_202e_2069_u128.to_be_bytes();
/// MD5 of Flume's own text, the same from 1.9.0 to 1.11.0: guessed right, the answer is 4 bytes instead of 1,356.
pub const SERVER_HASH: [u8; 16] = 0x86aa_dae2_c454_74c0_fe93_ffd0_f235_0a65_u128.to_be_bytes();

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Nothing: touches neither channel nor counters.
    Ping,
    /// Take so many events, encoded in so many bytes. At least one.
    Append {
        /// How many.
        events: usize,
        /// Their bytes.
        bytes: usize,
    },
}

/// The events are too long for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes are too many for a frame")]
pub struct TooLong(pub usize);

/// Behind the events: the end of the array.
pub const TAIL: &[u8] = &[0];

/// Writes what stands before the events into `head` and gives what stands behind.
pub fn frame(
    head: &mut Vec<u8>,
    serial: i32,
    handshake: bool,
    call: Call,
) -> Result<&'static [u8], TooLong> {
    head.clear();
    head.extend_from_slice(&serial.to_be_bytes());
    head.extend_from_slice(&1_i32.to_be_bytes());
    let length_at = head.len();
    head.extend_from_slice(&[0; 4]);
    let payload_at = head.len();
    if handshake {
        head.extend_from_slice(&CLIENT_HASH);
        put_length(head, 1);
        put_bytes(head, PROTOCOL.as_bytes());
        head.extend_from_slice(&SERVER_HASH);
        // no meta data
        put_length(head, 0);
    }
    // no meta data of the call
    put_length(head, 0);
    let (behind, tail) = match call {
        Call::Ping => {
            put_bytes(head, b"");
            (0, &[][..])
        }
        Call::Append { events, bytes } => {
            put_bytes(head, b"appendBatch");
            put_length(head, events);
            (bytes + TAIL.len(), TAIL)
        }
    };
    let length = head.len() - payload_at + behind;
    let length = i32::try_from(length).map_err(|_| TooLong(length))?;
    head[length_at..payload_at].copy_from_slice(&length.to_be_bytes());
    Ok(tail)
}
