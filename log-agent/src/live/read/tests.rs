use super::*;
use crate::live::testing::{Lab, filter, of};
use common::api_types::live::{Frame, Told};
use proptest::prelude::*;

/// Reads frames until nothing complete is left; the lines, and where it ended.
fn all(source: &Source, mut spot: Spot, grep: &str, until: u64) -> (Vec<String>, Spot) {
    let (of, filter) = (of(), filter(grep));
    let wish = Wish { of: &of, filter: &filter, form: Form::Json, rest: Rest::Waits, until };
    let mut lines = Vec::new();
    loop {
        match read(source, &spot, &wish).unwrap() {
            Read::Chunk(chunk) => {
                assert_eq!(chunk.before, spot);
                assert!(chunk.after.offset() > spot.offset());
                let told: Told = serde_json::from_slice(chunk.encoded.bytes()).unwrap();
                let Frame::Lines { lines: of_frame, offset, next, .. } = told.frame else {
                    panic!("no lines");
                };
                assert_eq!((offset, next), (spot.offset(), chunk.after.offset()));
                lines.extend(of_frame);
                spot = chunk.after;
            }
            Read::Dry { .. } => return (lines, spot),
            Read::Hole { after } => spot = after,
            Read::Restart => panic!("nothing was truncated"),
        }
    }
}

#[test]
fn the_last_lines_are_where_they_are_said_to_be() {
    let lab = Lab::new();
    let text: String = (0..20_000)
        .map(|n| format!("line {n}{}\n", if n % 100 == 0 { " rare" } else { "" }))
        .collect();
    lab.write("a.log", text.as_bytes());
    lab.append("a.log", b"not yet");
    let source = lab.source("a.log");
    let end = source.len();
    for (wanted, grep, first) in [
        (1, "", "line 19999"),
        (3, "", "line 19997"),
        (12_001, "", "line 7999"),
        (100_000, "", "line 0 rare"),
        (2, "rare", "line 19800 rare"),
        (200, "rare", "line 0 rare"),
        (5, "nothing like it", ""),
    ] {
        let found = last_lines(&source, end, wanted, u64::MAX, &filter(grep)).unwrap();
        let spot = at(&source, 0, found.offset).unwrap().unwrap();
        let (lines, spot) = all(&source, spot, grep, u64::MAX);
        assert_eq!(lines.first().map_or("", |l| l), first, "{wanted} {grep}");
        assert_eq!(u32::try_from(lines.len()).unwrap(), found.lines, "{wanted} {grep}");
        // the rest of a line waits
        assert_eq!(spot.offset(), text.len() as u64);
    }
    let none = last_lines(&source, end, 0, u64::MAX, &filter("")).unwrap();
    assert_eq!(none.offset, text.len() as u64);
    assert_eq!(count(&source, 0, end).unwrap(), Some(20_000));
    assert!(tail(&source, end).unwrap() >= end - TAIL);
}

#[test]
fn holes_are_skipped() {
    let lab = Lab::new();
    lab.write("a.log", b"one\n");
    lab.hole("a.log", 1 << 40);
    lab.append("a.log", b"two\n");
    let source = lab.source_of("a.log", (1 << 40) + 4);
    let (lines, spot) = all(&source, Spot::start(0), "", u64::MAX);
    assert_eq!(lines, ["one", "two"]);
    assert_eq!(spot.offset(), (1 << 40) + 4);
}

#[test]
fn what_is_rewritten_is_not_mixed() {
    let lab = Lab::new();
    lab.write("a.log", b"one\ntwo\n");
    let source = lab.source("a.log");
    let (_, spot) = all(&source, Spot::start(0), "", u64::MAX);
    lab.write("a.log", b"uno\ndos\ntres\n");
    let (of, filter) = (of(), filter(""));
    let wish =
        Wish { of: &of, filter: &filter, form: Form::Json, rest: Rest::Waits, until: u64::MAX };
    assert!(matches!(read(&source, &spot, &wish).unwrap(), Read::Restart));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn forwards_and_backwards_agree(
        lines in prop::collection::vec("[ab]{0,90}", 0..400),
        wanted in 0u32..500,
        long in prop::option::of(1usize..200_000),
        grep in prop::sample::select(vec!["", "a$", "^b"]),
    ) {
        let lab = Lab::new();
        let mut text = lines.join("\n") + "\n";
        if let Some(long) = long {
            text.push_str(&"a".repeat(long));
            text.push('\n');
        }
        lab.write("a.log", text.as_bytes());
        let source = lab.source("a.log");
        let filter = filter(grep);
        let found = last_lines(&source, source.len(), wanted, u64::MAX, &filter).unwrap();
        let from = usize::try_from(found.offset).unwrap();
        let shown = text[from..].lines().filter(|l| filter.shows(l.as_bytes())).count();
        let whole = text.lines().filter(|l| filter.shows(l.as_bytes())).count();
        prop_assert_eq!(shown, whole.min(usize::try_from(wanted).unwrap()));
        prop_assert!(from == 0 || text.as_bytes()[from - 1] == b'\n');
    }
}
