//! The bytes of the specification, against both Flumes: written as they are, answered as they should be.

use e2e::flume::Flume;
use log_agent::ship::avro::request::{self, Call};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The bodies that are sent.
pub const BODIES: [&[u8]; 4] = [b"hello", b"hello", b"two\xff", b"hello"];
/// {app: demo} hello
const HELLO: &[u8] = b"\x02\x06app\x08demo\x00\x0ahello";

fn exchange(socket: &mut TcpStream, request: &[u8], answer: usize) -> Vec<u8> {
    socket.write_all(request).unwrap();
    let mut bytes = vec![0; answer];
    socket.read_exact(&mut bytes).unwrap();
    bytes
}

fn append(serial: i32, handshake: bool, events: &[&[u8]]) -> Vec<u8> {
    let all = events.concat();
    let call = Call::Append { events: events.len(), bytes: all.len() };
    let mut head = Vec::new();
    let tail = request::frame(&mut head, serial, handshake, call).unwrap();
    [&head, &all[..], tail].concat()
}

/// Sends four events.
pub fn are_answered(flume: &Flume, version: &str) {
    let mut socket = TcpStream::connect(flume.address().unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // the handshake with a batch
    let first = exchange(&mut socket, &append(1, true, &[HELLO]), 27);
    assert_eq!(
        first, b"\0\0\0\x01\0\0\0\x03\0\0\0\x04\0\0\0\0\0\0\0\x01\0\0\0\0\x02\0\0",
        "{version}"
    );
    // the next ones without
    let ok = b"\0\0\0\x02\0\0\0\x03\0\0\0\0\0\0\0\x01\0\0\0\0\x02\0\0";
    let second = append(2, false, &[HELLO, b"\0\x08two\xff"]);
    assert_eq!(exchange(&mut socket, &second, 23), ok, "{version}");
    let mut ping = Vec::new();
    request::frame(&mut ping, 3, false, Call::Ping).unwrap();
    assert_eq!(exchange(&mut socket, &ping, 12), b"\0\0\0\x03\0\0\0\x01\0\0\0\0", "{version}");
    // an unknown message; the connection stays usable
    let unknown = b"\0\0\0\x05\0\0\0\x01\0\0\0\x08\0\x0cnosuch";
    let said = "org.apache.avro.AvroRuntimeException: No such remote message: nosuch";
    let error = exchange(&mut socket, unknown, 12 + 4 + 1 + 4 + 4 + said.len());
    assert!(
        error.ends_with(&[&b"\x01\0\x88\x01"[..], said.as_bytes()].concat()),
        "{version}: {error:?}"
    );
    assert_eq!(
        exchange(&mut socket, &append(-7, false, &[HELLO]), 23)[..4],
        (-7_i32).to_be_bytes()
    );
}
