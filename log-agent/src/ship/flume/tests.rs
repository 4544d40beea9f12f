use super::stream::inflate;
use super::*;
use crate::lines::Part;
use crate::ship::batch::{Batch, Limits, Line};
use crate::ship::labels::Labels;
use crate::ship::sink::Failures;
use crate::ship::testing::{Double, Play, Shake};
use flate2::Decompress;
use proptest::prelude::*;
use std::io::Write;

const SOON: Duration = Duration::from_millis(300);

fn times() -> Times {
    Times {
        connect: Duration::from_secs(2),
        answer: SOON,
        ping: Duration::from_secs(30),
        prefer: (Duration::from_secs(60), SOON),
    }
}

fn flume(hosts: &[&str], times: Times) -> Flume {
    let hosts = hosts.iter().map(|h| (*h).to_owned()).collect();
    Flume::new(Settings { hosts, form: Form::Plain, times })
}

fn batch(bodies: &[String]) -> Batch {
    let labels = Labels::new("dc1", "host-17", "shop", "shop.1", "app.log");
    let mut batch = Batch::new(Limits { events: 100_000, bytes: 16 << 20 });
    for (n, body) in bodies.iter().enumerate() {
        let line = Line {
            offset: n as u64 * 10,
            part: Part::Whole,
            timestamp_ms: 1_795_392_000_123,
            body: body.as_bytes(),
        };
        assert!(batch.push(&labels, &line));
    }
    batch
}

fn lines(many: usize) -> Vec<String> {
    (0..many).map(|n| format!("line {n}")).collect()
}

fn bodies(double: &Double) -> Vec<String> {
    double.stored().into_iter().map(|s| String::from_utf8(s.body).unwrap()).collect()
}

#[test]
fn events_arrive_as_they_are() {
    for deflate in [false, true] {
        let double = if deflate { Double::start_deflating() } else { Double::start() }.unwrap();
        let form = if deflate { Form::Deflate { level: 6 } } else { Form::Plain };
        let hosts = vec![double.address()];
        let mut flume = Flume::new(Settings { hosts, form, times: times() });
        let (first, second) =
            (batch(&lines(1_000)), batch(&["\u{1b}[31m red".into(), String::new()]));
        flume.send(&first.all()).unwrap();
        flume.send(&second.all()).unwrap();
        flume.send(&second.part(0..0)).unwrap();
        assert_eq!(
            bodies(&double),
            [lines(1_000), vec!["\u{1b}[31m red".into(), String::new()]].concat()
        );
        let headers = [
            ("app", "shop"),
            ("dc", "dc1"),
            ("file", "app.log"),
            ("instance", "shop.1"),
            ("node", "host-17"),
            ("offset", "10"),
            ("timestamp", "1795392000123"),
        ];
        let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(double.stored()[1].headers, headers);
        assert_eq!((double.connections(), double.asked()), (1, vec![1_000, 2]));
        let status = flume.status();
        assert_eq!((status.works, status.batches, status.events), (true, 2, 1_002));
        assert_eq!(status.bytes, (first.bytes() + second.bytes()) as u64);
        assert_eq!((status.failures, status.last_failure), (Failures::default(), None));
    }
}

#[test]
fn a_batch_above_the_capacity_is_halved_until_it_fits() {
    let double = Double::start().unwrap();
    double.limit(100);
    let mut flume = flume(&[&double.address()], times());
    let batch = batch(&lines(1_000));
    let (mut at, mut size) = (0, 1_000);
    while at < batch.len() {
        match flume.send(&batch.part(at..at + size)) {
            Ok(()) => at += size,
            Err(Failure::Full { .. }) => size /= 2,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(bodies(&double), lines(1_000));
    assert_eq!(
        (double.asked()[..5].to_vec(), double.connections()),
        (vec![1_000, 500, 250, 125, 62], 1)
    );
}

/// What a play comes to: kind, doubtful, words.
fn outcome(play: Play) -> (Failure, bool) {
    let double = Double::start().unwrap();
    let mut flume = flume(&[&double.address()], times());
    flume.send(&batch(&lines(1)).all()).unwrap();
    double.play([play]);
    let failure = flume.send(&batch(&lines(3)).all()).unwrap_err();
    assert!(failure.to_string().contains(&double.address()), "{failure}");
    assert!(!flume.status().works);
    assert_eq!(flume.status().last_failure, Some(failure.to_string()));
    let kept = double.stored().len() > 1;
    flume.send(&batch(&lines(3)).all()).unwrap();
    assert!(flume.status().works);
    (failure, kept)
}

#[test]
fn only_ok_acknowledges() {
    let garbage = |bytes: &[u8]| Play::Garble(bytes.to_vec());
    for play in [
        Play::TakeAndClose,
        Play::Silence,
        Play::Close,
        Play::Serial,
        garbage(b""),
        garbage(b"HTTP/1.1 500 \r\n\r\n"),
        garbage(&[0; 30]),
        garbage(&[0xff; 30]),
    ] {
        let (failure, kept) = outcome(play.clone());
        assert!(matches!(failure, Failure::Lost { doubtful: true, .. }), "{play:?}: {failure:?}");
        assert_eq!(kept, play == Play::TakeAndClose, "{play:?}");
    }
    for play in [Play::Fail, Play::Unknown] {
        assert!(matches!(outcome(play).0, Failure::Full { .. }));
    }
    let said = format!("java.lang.Oops\u{1b}[2J{}\n\tat line 2", "x".repeat(500));
    let (failure, _) = outcome(Play::Error(said));
    assert!(matches!(failure, Failure::Fault { .. }));
    let words = failure.to_string();
    assert!(words.contains("java.lang.Oops\\u{1b}[2Jxxx") && words.ends_with("xxx..."), "{words}");
    assert!(!words.contains("line 2"));
}

#[test]
fn what_was_not_sent_as_a_whole_cannot_be_there() {
    let double = Double::start().unwrap();
    let mut flume =
        flume(&[&double.address()], Times { answer: Duration::from_secs(9), ..times() });
    double.play([Play::CloseWithin(100)]);
    let batch = batch(&vec!["x".repeat(250_000); 60]);
    let failure = flume.send(&batch.all()).unwrap_err();
    assert!(matches!(failure, Failure::Lost { doubtful: false, .. }), "{failure:?}");
}

#[test]
fn a_peer_that_takes_nothing_more_is_given_up_in_time() {
    // accepts by its kernel alone
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let begin = Instant::now();
    let failure = flume(&[&address], times()).send(&batch(&lines(1)).all()).unwrap_err();
    assert!(matches!(failure, Failure::Lost { doubtful: false, .. }), "{failure:?}");
    assert!(begin.elapsed() < 3 * SOON, "{:?}", begin.elapsed());
}

#[test]
fn handshakes_are_judged() {
    let double = Double::start().unwrap();
    let lost = |f: &Failure| matches!(f, Failure::Lost { doubtful: false, .. });
    let refused = |f: &Failure| matches!(f, Failure::Refused { .. });
    type Judge = Box<dyn Fn(&Failure) -> bool>;
    let cases: [(Shake, Judge, &str); 9] = [
        (Shake::None, Box::new(refused), "does not accept the protocol"),
        (Shake::Error("org.Bad".into()), Box::new(refused), "org.Bad"),
        (Shake::Close, Box::new(lost), "without a word"),
        (Shake::Silence, Box::new(lost), "not in time"),
        (Shake::Garble(b"HTTP/1.1 400 Bad Request\r\n".into()), Box::new(refused), "no Flume"),
        (Shake::Garble(b"SSH-2.0-OpenSSH_9.2\r\n".into()), Box::new(refused), "no Flume"),
        (Shake::Garble(vec![0x78, 0x9c, 3, 0, 0, 0, 0, 1]), Box::new(refused), "flume_compression"),
        (Shake::Garble(vec![0x15, 3, 3, 0, 2, 2, 0x50]), Box::new(refused), "flume_tls"),
        (
            Shake::Garble(vec![0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0]),
            Box::new(lost),
            "request 9",
        ),
    ];
    for (shake, judge, words) in cases {
        double.shake(shake.clone());
        let mut flume = flume(&[&double.address()], times());
        let failure = flume.send(&batch(&lines(1)).all()).unwrap_err();
        assert!(judge(&failure) && failure.to_string().contains(words), "{shake:?}: {failure:?}");
    }
    assert!(double.stored().is_empty());
    double.shake(Shake::Client);
    let mut flume = flume(&[&double.address()], times());
    flume.send(&batch(&lines(1)).all()).unwrap();
    flume.send(&batch(&lines(1)).all()).unwrap();
    assert_eq!(double.stored().len(), 2);
}

#[test]
fn the_next_host_serves_and_the_first_comes_back() {
    let (first, second) = (Double::start().unwrap(), Double::start().unwrap());
    let often = Times { prefer: (Duration::ZERO, SOON), ..times() };
    let mut flume = flume(&[&first.address(), &second.address()], often);
    let one = batch(&lines(1));
    flume.send(&one.all()).unwrap();
    let address = first.end();
    // noticed before anything is sent
    flume.send(&one.all()).unwrap();
    flume.send(&one.all()).unwrap();
    assert_eq!((second.stored().len(), second.connections()), (2, 1));
    assert_eq!((flume.status().peer, flume.status().failovers), (second.address(), 1));
    let first = Double::start_at(&address).unwrap();
    flume.send(&one.all()).unwrap();
    flume.send(&one.all()).unwrap();
    assert_eq!((first.stored().len(), second.stored().len()), (2, 2));
    drop((first, second));
    let failure = flume.send(&one.all()).unwrap_err().to_string();
    assert!(failure.contains(&address) && failure.contains("; "), "{failure}");
}

#[test]
fn a_host_that_stays_full_is_left() {
    let (first, second) = (Double::start().unwrap(), Double::start().unwrap());
    first.usually(Play::Fail);
    let mut flume = flume(&[&first.address(), &second.address()], times());
    let one = batch(&lines(1));
    for _ in 0..3 {
        assert!(matches!(flume.send(&one.all()), Err(Failure::Full { .. })));
    }
    flume.send(&one.all()).unwrap();
    assert_eq!((first.asked().len(), second.stored().len()), (3, 1));
}

#[test]
fn nobody_listens() {
    let address = Double::start().unwrap().end();
    let mut none = flume(&[&address], times());
    let failure = none.send(&batch(&lines(1)).all()).unwrap_err();
    assert!(
        matches!(failure, Failure::Lost { doubtful: false, .. })
            && failure.to_string().contains(&address)
    );
    none.idle();
    // waits before it tries again while nothing is to be sent
    none.idle();
    assert!(none.status().failures.lost <= 3);
    let failure = flume(&[], times()).send(&batch(&lines(1)).all()).unwrap_err();
    assert!(matches!(failure, Failure::Refused { .. }), "{failure:?}");
}

#[test]
fn while_nothing_is_sent_it_pings() {
    let double = Double::start().unwrap();
    let mut flume = flume(&[&double.address()], Times { ping: Duration::ZERO, ..times() });
    flume.idle();
    assert!(flume.status().works, "connected before the first line");
    assert_eq!((double.connections(), double.pings()), (1, 0));
    flume.idle();
    flume.idle();
    assert_eq!(double.pings(), 2);
    // closed by the far side: noticed, and connected again, without a failure
    double.hang_up();
    flume.idle();
    flume.send(&batch(&lines(1)).all()).unwrap();
    assert_eq!((double.connections(), flume.status().failures), (2, Failures::default()));
    drop(double);
    flume.idle();
    assert_eq!((flume.status().works, flume.status().failures.lost), (false, 1));
}

#[test]
fn a_zlib_stream_without_end_is_cut_off() {
    let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![0; 50 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let mut into = Vec::new();
    assert!(inflate(&mut Decompress::new(true), &bomb, &mut into, 4 << 20).is_err());
    assert!(into.len() <= (4 << 20) + (64 << 10), "{}", into.len());
    assert!(inflate(&mut Decompress::new(true), b"HTTP/1.1", &mut Vec::new(), 9_999).is_err());
    // the answer of a real one, in two reads
    let packed = [
        0x78, 0x9c, 0x62, 0x60, 0x60, 0x60, 0x64, 0x60, 0x60, 0x60, 0x06, 0x62, 0x16, 0x06, 0x08,
        0x00, 0xf1, 0x19, 0x98, 0x18, 0x18, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff,
    ];
    let (mut unpack, mut into) = (Decompress::new(true), Vec::new());
    for part in packed.chunks(5) {
        inflate(&mut unpack, part, &mut into, 9_999).unwrap();
    }
    let wanted = [1u8, 3, 4, 0, 1, 2].map(u32::from).map(u32::to_be_bytes);
    let [serial, buffers, four, zero, one, two] = wanted;
    assert_eq!(into, [&serial[..], &buffers, &four, &zero, &one, &[0], &two, &[0, 0]].concat());
}

fn plays() -> impl Strategy<Value = Play> {
    prop_oneof![
        3 => Just(Play::Take), 1 => Just(Play::TakeAndClose), 1 => Just(Play::Fail), 1 => Just(Play::Unknown),
        1 => Just(Play::Close), 1 => Just(Play::Serial), 1 => (0..100usize).prop_map(Play::CloseWithin),
        1 => ".{0,20}".prop_map(Play::Error),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Play::Garble),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever the peer does, what was acknowledged is there, in order, and twice only what was in doubt.
    #[test]
    fn nothing_is_lost_and_nothing_out_of_order(script in prop::collection::vec(plays(), 0..30)) {
        let double = Double::start().unwrap();
        double.play(script);
        let mut flume = flume(&[&double.address()], times());
        let batch = batch(&lines(200));
        let (mut at, mut size, mut doubtful) = (0, 16, 0);
        while at < batch.len() {
            match flume.send(&batch.part(at..at + size)) {
                Ok(()) => at += size,
                Err(Failure::Full { .. }) => size = (size / 2).max(1),
                Err(Failure::Lost { doubtful: true, .. }) => doubtful += size,
                Err(Failure::Lost { .. } | Failure::Fault { .. }) => {}
                Err(refused) => prop_assert!(false, "{refused}"),
            }
        }
        let mut arrived = bodies(&double);
        prop_assert!(arrived.len() <= batch.len() + doubtful);
        let mut first = Vec::new();
        arrived.retain(|line| !first.contains(line) && { first.push(line.clone()); true });
        prop_assert_eq!(first, lines(200));
    }
}
