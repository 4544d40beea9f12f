use super::*;
use crate::ship::labels::LONGEST;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn labels() -> Labels {
    Labels::new("dc1", "host-17", "video/api", "video_api.1", "app.log")
}

fn line(offset: u64, body: &[u8]) -> Line<'_> {
    Line { offset, part: Part::Whole, timestamp_ms: 1_795_392_000_123, body }
}

#[test]
fn a_line_has_exactly_these_bytes() {
    let mut batch = Batch::new(Limits::default());
    let labels = Labels::new("d", "n", "a", "i", "f");
    assert!(batch.push(&labels, &line(64, b"hello")));
    let wanted = b"\x0e\x04dc\x02d\x08node\x02n\x06app\x02a\x10instance\x02i\x08file\x02f\
        \x12timestamp\x1a1795392000123\x0coffset\x0464\x00\x0ahello";
    assert_eq!(batch.all().bytes().escape_ascii().to_string(), wanted.escape_ascii().to_string());
    assert_eq!((batch.len(), batch.bytes()), (1, wanted.len()));
    batch.clear();
    assert!(batch.is_empty() && batch.all().is_empty() && batch.all().bytes().is_empty());
}

#[test]
fn only_pieces_of_a_cut_line_say_which() {
    let mut batch = Batch::new(Limits::default());
    for part in [Part::Whole, Part::First, Part::Middle, Part::Last] {
        assert!(batch.push(&labels(), &Line { part, ..line(0, b"x") }));
    }
    let parts: Vec<_> = batch.all().iter().map(|e| e.header("part")).collect();
    assert_eq!(parts, [None, Some("first"), Some("middle"), Some("last")]);
}

#[test]
fn it_is_full_by_lines_and_by_bytes_and_one_line_fits_always() {
    let mut batch = Batch::new(Limits { events: 2, bytes: 10_000 });
    assert!(batch.push(&labels(), &line(0, b"1")) && batch.push(&labels(), &line(2, b"2")));
    let before = batch.bytes();
    assert!(!batch.push(&labels(), &line(4, b"3")));
    assert_eq!((batch.len(), batch.bytes()), (2, before));
    batch.clear();
    let huge = vec![b'x'; 20_000];
    assert!(batch.push(&labels(), &line(0, &huge)));
    assert!(!batch.push(&labels(), &line(20_001, b"")));
    batch.clear();
    assert!(batch.bytes.capacity() < 20_000, "{}", batch.bytes.capacity());
    // other limits
    batch.set_limits(Limits { events: 0, bytes: usize::MAX });
    assert_eq!(batch.limits, Limits { events: 1, bytes: LARGEST });
}

#[test]
fn values_from_containers_are_bounded_and_stay_different() {
    let long = |last: &str| format!("{}{last}", "ä".repeat(600));
    let value = |instance: &str| {
        let mut batch = Batch::new(Limits::default());
        assert!(batch.push(&Labels::new("d", "n", "a", instance, "f"), &line(0, b"")));
        batch.all().iter().next().unwrap().header("instance").unwrap().to_owned()
    };
    let (one, two) = (value(&long("1")), value(&long("2")));
    assert!(one.len() <= LONGEST && one.starts_with("ääää") && one != two, "{one}");
    assert_eq!(value(&"x".repeat(LONGEST)), "x".repeat(LONGEST));
}

type Shown = (BTreeMap<String, String>, Vec<u8>);

fn shown(events: Events<'_>) -> Vec<Shown> {
    let headers = |e: &Event<'_>| e.headers().map(|(k, v)| (k.into(), v.into())).collect();
    events.iter().map(|e| (headers(&e), e.body.to_vec())).collect()
}

proptest! {
    /// What was pushed is read back, and the parts of a batch are the batch.
    #[test]
    fn what_goes_in_comes_out(
        lines in prop::collection::vec((any::<u64>(), any::<u64>(), 0..4u8, prop::collection::vec(any::<u8>(), 0..300)), 0..40),
        texts in prop::array::uniform5(".{0,40}"),
        cut in any::<prop::sample::Index>(),
    ) {
        let [dc, node, app, instance, file] = &texts;
        let labels = Labels::new(dc, node, app, instance, file);
        let mut batch = Batch::new(Limits::default());
        let mut wanted = Vec::new();
        for (offset, timestamp_ms, part, body) in &lines {
            let (part, word) = [(Part::Whole, None), (Part::First, Some("first")), (Part::Middle, Some("middle")), (Part::Last, Some("last"))][usize::from(*part)];
            let line = Line { offset: *offset, part, timestamp_ms: *timestamp_ms, body };
            prop_assert!(batch.push(&labels, &line));
            let mut headers: BTreeMap<String, String> =
                ["dc", "node", "app", "instance", "file"].iter().zip(&texts).map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
            headers.extend([("timestamp".into(), timestamp_ms.to_string()), ("offset".into(), offset.to_string())]);
            headers.extend(word.map(|w| ("part".to_owned(), w.to_owned())));
            wanted.push((headers, body.clone()));
        }
        prop_assert_eq!(&shown(batch.all()), &wanted);
        let at = cut.index(lines.len() + 1);
        let (first, second) = (batch.part(0..at), batch.part(at..usize::MAX));
        prop_assert_eq!((first.len(), second.len()), (at, lines.len() - at));
        prop_assert_eq!([first.bytes(), second.bytes()].concat(), batch.all().bytes());
        prop_assert_eq!([shown(first), shown(second)].concat(), wanted);
    }

    /// No limit is exceeded but by a single line.
    #[test]
    fn limits_hold(events in 1..20usize, bytes in 0..3_000usize, sizes in prop::collection::vec(0..800usize, 1..40)) {
        let mut batch = Batch::new(Limits { events, bytes });
        for size in sizes {
            let empty = batch.is_empty();
            let added = batch.push(&labels(), &line(0, &vec![0; size]));
            prop_assert!(added || !empty);
            prop_assert!(batch.len() <= events && (batch.len() == 1 || batch.bytes() <= bytes));
            if !added {
                batch.clear();
            }
        }
    }
}
