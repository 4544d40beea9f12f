use super::*;
use proptest::prelude::*;

/// What Docker writes for one piece, escaped as Go's encoder does.
fn object(text: &str, stream: Stream, more: &str) -> Vec<u8> {
    let mut line = String::from("{\"log\":\"");
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                line.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => line.push(c),
        }
    }
    line.push_str(&format!("\",\"stream\":\"{}\"{more}", stream.name()));
    line.push_str(",\"time\":\"2020-01-13T15:20:20.917604118Z\"}");
    line.into_bytes()
}

/// What was decoded and taken.
fn taken<'a>(decoder: &'a mut Decoder, line: &'a [u8]) -> Record<'a> {
    let step = decoder.decode(line).step;
    // found no room: decoded again it is the same
    assert_eq!(decoder.decode(line).step, step);
    let part = decoder.decode(line).part;
    decoder.took(step);
    Record { part, ..decoder.decode(line) }
}

#[test]
fn lines_as_docker_writes_them() {
    let mut decoder = Decoder::new();
    for (line, stream, body, part) in [
        (object("hello\n", Stream::Out, ""), Stream::Out, "hello", Part::Whole),
        (object("\n", Stream::Err, ""), Stream::Err, "", Part::Whole),
        (object("a <b>\t\"ü\\n\n", Stream::Out, ""), Stream::Out, "a <b>\t\"ü\\n", Part::Whole),
        (object("long", Stream::Out, ""), Stream::Out, "long", Part::First),
        (object("x\n", Stream::Err, ""), Stream::Err, "x", Part::Whole),
        (object("er", Stream::Out, ""), Stream::Out, "er", Part::Middle),
        (object("\\n", Stream::Out, ""), Stream::Out, "\\n", Part::Middle),
        (
            object("!\n", Stream::Out, ",\"attrs\":{\"a\":[1,{}],\"b\":\"}\"}"),
            Stream::Out,
            "!",
            Part::Last,
        ),
    ] {
        let record = taken(&mut decoder, &line);
        assert_eq!(String::from_utf8_lossy(record.body), body);
        assert_eq!((record.stream, record.part), (stream, part), "{body}");
        assert_eq!(record.time_ms, Some(1_578_928_820_917));
    }
    assert_eq!(decoder.unreadable(), 0);
}

#[test]
fn what_is_not_docker_s_is_given_as_it_is() {
    let mut decoder = Decoder::new();
    let wrong: [&[u8]; 12] = [
        b"",
        b"plain text",
        b"{}",
        b"{\"log\":\"x\"}",
        b"{\"stream\":\"stdout\"}",
        b"{\"log\":\"x\",\"stream\":\"stdin\"}",
        b"{\"log\":7,\"stream\":\"stdout\"}",
        b"{\"log\":\"x\\\",\"stream\":\"stdout\"}",
        b"{\"log\":\"x\",\"stream\":\"stdout\"",
        b"{\"log\":\"x\",\"stream\":\"stdout\"}}",
        b"{\"log\":\"x\",\"stream\":\"stdout\",}",
        b"\xff\xfe\0",
    ];
    for (n, line) in (1..).zip(wrong) {
        let record = taken(&mut decoder, line);
        assert_eq!((record.body, record.stream, record.part), (line, Stream::Out, Part::Whole));
        assert_eq!(decoder.unreadable(), n);
    }
    let deep = format!("{{\"a\":{}1,\"log\":\"\",\"stream\":\"stdout\"}}", "[".repeat(100_000));
    taken(&mut decoder, deep.as_bytes());
    assert_eq!(decoder.unreadable(), 13);
    // no time, or none that can be read, is no reason to refuse a line
    let line = br#" { "time" : "now", "stream":"stderr" , "log" : "\ud83d\ude00\ud83d\u00fc\udc00\q\u12\n" } "#;
    let record = taken(&mut decoder, line);
    assert_eq!(String::from_utf8_lossy(record.body), "😀\u{fffd}ü\u{fffd}\\q\\u12");
    assert_eq!((record.stream, record.time_ms, record.part), (Stream::Err, None, Part::Whole));
}

#[test]
fn only_docker_s_log_of_a_container() {
    let id = "a".repeat(64);
    for (name, is) in [
        (format!("{id}-json.log"), true),
        (format!("{id}-json.log.1"), true),
        (format!("{id}-json.log.12"), true),
        (format!("{id}-json.log.1.gz"), false),
        (format!("{id}-json.log."), false),
        (format!("x/{id}-json.log"), false),
        ("config.v2.json".to_owned(), false),
        ("hostconfig.json".to_owned(), false),
        ("-json.log".to_owned(), false),
    ] {
        assert_eq!(is_log(&FileName::new(name.as_str()).unwrap()), is, "{name}");
    }
}

fn streams() -> impl Strategy<Value = Stream> {
    prop_oneof![Just(Stream::Out), Just(Stream::Err)]
}

proptest! {
    /// What a container wrote comes out again, in pieces however Docker cut it, also when reading goes on at any line of the file.
    #[test]
    fn text_comes_back(
        pieces in prop::collection::vec((streams(), "[^\n]{0,20}", any::<bool>()), 1..20),
        restart in any::<prop::sample::Index>(),
    ) {
        let mut file = Vec::new();
        for (stream, text, ends) in &pieces {
            let text = if *ends { format!("{text}\n") } else { text.clone() };
            file.push(object(&text, *stream, ""));
        }
        let restart = restart.index(pieces.len());
        let mut decoder = Decoder::new();
        let mut within = [false; 2];
        for (n, ((stream, text, ends), line)) in pieces.iter().zip(&file).enumerate() {
            if n == restart {
                let before: Vec<u8> =
                    file[..n].iter().flat_map(|l| [l, &b"\n"[..]].concat()).collect();
                decoder = Decoder::resume(&before);
            }
            let record = taken(&mut decoder, line);
            prop_assert_eq!(record.body, text.as_bytes());
            prop_assert_eq!(record.stream, *stream);
            let began = std::mem::replace(&mut within[*stream as usize], !ends);
            let wanted = match (began, *ends) {
                (false, true) => Part::Whole,
                (false, false) => Part::First,
                (true, false) => Part::Middle,
                (true, true) => Part::Last,
            };
            prop_assert_eq!(record.part, wanted);
        }
        prop_assert_eq!(decoder.unreadable(), 0);
    }

    /// Whatever another writer of JSON makes of an object means the same.
    #[test]
    fn any_json_means_the_same(log in ".{0,40}", stream in streams(), key in ".{0,5}", number in any::<f64>()) {
        let line = serde_json::json!({"log": log, &key: [number, {&key: &log}], "stream": stream.name()});
        prop_assume!(key != "log" && key != "stream" && key != "time");
        let line = serde_json::to_vec(&line).unwrap();
        let mut decoder = Decoder::new();
        let record = taken(&mut decoder, &line);
        let (body, part) = match log.strip_suffix('\n') {
            Some(body) => (body, Part::Whole),
            None => (&log[..], Part::First),
        };
        prop_assert_eq!((record.body, record.part, record.stream), (body.as_bytes(), part, stream));
    }

    #[test]
    fn no_bytes_break_it(line in prop::collection::vec(any::<u8>(), 0..80), json in "[{}\\[\\]\",:\\\\u0-9a-f logstream]{0,80}") {
        let mut decoder = Decoder::resume(&line);
        for line in [&line[..], json.as_bytes()] {
            let before = decoder.unreadable();
            let record = taken(&mut decoder, line);
            let (len, body) = (line.len(), record.body.to_vec());
            prop_assert!(body.len() <= len);
            if decoder.unreadable() > before {
                prop_assert_eq!(&body[..], line);
            }
        }
    }
}
