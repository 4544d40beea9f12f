//! Bytes that real Flumes 1.9.0, 1.10.1 and 1.11.0 took and gave.

use super::answer::{self, Answer, Handshake, Match};
use super::request::{self, Call};
use super::{Reader, put_bytes, put_long};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn event(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if !headers.is_empty() {
        put_long(&mut out, i64::try_from(headers.len()).unwrap());
    }
    for (key, value) in headers {
        put_bytes(&mut out, key.as_bytes());
        put_bytes(&mut out, value.as_bytes());
    }
    put_long(&mut out, 0);
    put_bytes(&mut out, body);
    out
}

fn written(serial: i32, handshake: bool, events: &[Vec<u8>]) -> Vec<u8> {
    let mut head = b"left from before".to_vec();
    let all = events.concat();
    let call = match events.len() {
        0 => Call::Ping,
        many => Call::Append { events: many, bytes: all.len() },
    };
    let tail = request::frame(&mut head, serial, handshake, call).unwrap();
    [&head, &all[..], tail].concat()
}

fn read(hex: &str) -> answer::Frame {
    let bytes = bytes(hex);
    let (frame, length) = answer::frame(&bytes).unwrap().unwrap();
    assert_eq!(length, bytes.len());
    for cut in 0..bytes.len() {
        assert_eq!(answer::frame(&bytes[..cut]), Ok(None), "cut at {cut}");
    }
    frame
}

const FIRST: &str = "
    00000001000000010000024130da54059df72d9584b867d5202e206902fa077b2270726f746f636f6c223a224176726f
    536f7572636550726f746f636f6c222c226e616d657370616365223a226f72672e6170616368652e666c756d652e736f
    757263652e6176726f222c227479706573223a5b7b2274797065223a22656e756d222c226e616d65223a225374617475
    73222c2273796d626f6c73223a5b224f4b222c224641494c4544222c22554e4b4e4f574e225d7d2c7b2274797065223a
    227265636f7264222c226e616d65223a224176726f466c756d654576656e74222c226669656c6473223a5b7b226e616d
    65223a2268656164657273222c2274797065223a7b2274797065223a226d6170222c2276616c756573223a2273747269
    6e67227d7d2c7b226e616d65223a22626f6479222c2274797065223a226279746573227d5d7d5d2c226d657373616765
    73223a7b22617070656e64223a7b2272657175657374223a5b7b226e616d65223a226576656e74222c2274797065223a
    224176726f466c756d654576656e74227d5d2c22726573706f6e7365223a22537461747573227d2c22617070656e6442
    61746368223a7b2272657175657374223a5b7b226e616d65223a226576656e7473222c2274797065223a7b2274797065
    223a226172726179222c226974656d73223a224176726f466c756d654576656e74227d7d5d2c22726573706f6e736522
    3a22537461747573227d7d7d86aadae2c45474c0fe93ffd0f2350a65000016617070656e644261746368020206617070
    0864656d6f000a68656c6c6f00";

#[test]
fn requests_have_exactly_these_bytes() {
    assert_eq!(request::PROTOCOL.len(), 509);
    let hello = event(&[("app", "demo")], b"hello");
    assert_eq!(written(1, true, std::slice::from_ref(&hello)), bytes(FIRST));
    assert_eq!(
        written(2, false, &[hello]),
        bytes(
            "0000000200000001000000200016617070656e6442617463680202066170700864656d6f000a68656c6c6f00"
        )
    );
    let two = [event(&[("app", "demo"), ("file", "a.log")], b"one"), event(&[], b"two\xff")];
    assert_eq!(
        written(4, false, &two),
        bytes(
            "00000004000000010000002f0016617070656e6442617463680404066170700864656d6f0866696c650a612e6c6f6700066f6e65000874776fff00"
        )
    );
    assert_eq!(written(3, false, &[]), bytes("0000000300000001000000020000"));
}

#[test]
fn a_frame_that_no_length_can_tell_is_refused() {
    let call = Call::Append { events: 1, bytes: 1 << 31 };
    assert!(request::frame(&mut Vec::new(), 1, false, call).is_err());
}

#[test]
fn answers_are_read() {
    let first = read("00000001 00000003 00000004 00000000 00000001 00 00000002 0000");
    assert_eq!((first.serial, first.begins), (1, true));
    let mut reader = Reader::new(&first.payload);
    assert_eq!(answer::shaken(&mut reader), Ok(Match::Both));
    assert_eq!(answer::answer(reader.rest()), Ok(Answer::Ok));
    // the same asked with a ping
    let shaken = read("00000001 00000001 00000004 00000000");
    assert_eq!(answer::handshake(&shaken), Ok(Handshake::Shaken(Match::Both)));

    for (last, wanted) in [("00", Answer::Ok), ("02", Answer::Failed), ("04", Answer::Unknown)] {
        let frame = read(&format!("00000002000000030000000000000001000000000200{last}"));
        assert_eq!((frame.serial, frame.begins), (2, false));
        assert_eq!(answer::answer(&frame.payload), Ok(wanted));
    }
    let pong = read("000000030000000100000000");
    assert!(pong.serial == 3 && answer::is_pong(&pong));
}

#[test]
fn an_exception_is_told_in_its_words() {
    let said = "org.apache.avro.AvroRuntimeException: No such remote message: nosuch";
    let payload = [&bytes("00 01 00 8801")[..], said.as_bytes()].concat();
    assert_eq!(answer::answer(&payload), Ok(Answer::Error(said.into())));
    // of the handshake itself: its buffer is empty
    let frame = answer::Frame { serial: 1, begins: false, payload };
    assert_eq!(answer::handshake(&frame), Ok(Handshake::Error(said.into())));
}

#[test]
fn a_server_with_another_text_tells_it() {
    for (first, matched) in [("02", Match::Client), ("04", Match::None)] {
        let payload = [
            &bytes(&format!("{first} 02 ec14"))[..],
            &[b'{'; 1_334],
            &bytes("02 86aadae2c45474c0fe93ffd0f2350a65 00"),
        ]
        .concat();
        assert_eq!(payload.len(), 1_356);
        let frame = answer::Frame { serial: 1, begins: true, payload };
        assert_eq!(answer::handshake(&frame), Ok(Handshake::Shaken(matched)));
    }
}
