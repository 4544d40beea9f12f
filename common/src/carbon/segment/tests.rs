//! Segments written, then damaged in every way a crash or a disk could, then read.

use super::*;
use proptest::prelude::*;

fn written(dir: &Path, batches: &[(u64, Vec<u8>)]) -> u64 {
    let mut appender = Appender::create(dir, 1).unwrap();
    for (timestamp, lines) in batches {
        appender.append(&records(*timestamp, lines)).unwrap();
    }
    appender.end()
}

fn read_all(source: Source, end: u64) -> (Vec<u8>, u64) {
    let mut reader = Reader::new(source, 0, end);
    let (mut lines, mut buffer) = (Vec::new(), Vec::new());
    while reader.next(&mut buffer).unwrap().is_some() {
        lines.extend_from_slice(&buffer);
    }
    (lines, reader.damaged.1)
}

fn batch(timestamp: u64, points: usize) -> (u64, Vec<u8>) {
    let line = |i| format!("qae.dc1.node.n1.metric{i:06} {i} {timestamp}\n");
    (timestamp, (0..points).map(line).collect::<String>().into_bytes())
}

#[test]
fn a_large_batch_is_one_chunk_and_small_ones_share_one() {
    let dir = tempfile::tempdir().unwrap();
    let large = batch(10, 30_000);
    let end =
        written(dir.path(), &[large.clone(), batch(20, 100), batch(30, 100), batch(40, 9_850)]);
    let source = Source::open(dir.path(), 1).unwrap();
    let Measured::Chunk { to, points, timestamp, following } = source.measure(0, end).unwrap()
    else {
        panic!("no chunk")
    };
    assert_eq!((points, timestamp, following), (30_000, 10, Some(20)));
    let second = source.measure(to, end).unwrap();
    // the last batch has two records: one still fits, the other does not
    let Measured::Chunk { points, timestamp: 20, following: Some(40), .. } = second else {
        panic!("{second:?}")
    };
    assert!((200..=10_000).contains(&points), "{points}");
    let (lines, damaged) = read_all(Source::open(dir.path(), 1).unwrap(), to);
    assert!(lines == large.1 && damaged == 0);
}

#[test]
fn a_segment_is_never_written_over_and_is_listed_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let end = written(dir.path(), &[batch(10, 5)]);
    assert!(Appender::create(dir.path(), 1).is_err());
    fs::write(dir.path().join("position"), b"").unwrap();
    fs::write(dir.path().join("1.segment"), b"").unwrap();
    Appender::create(dir.path(), 0xa0).unwrap();
    assert_eq!(list(dir.path()).unwrap(), [(1, end), (0xa0, 0)]);
}

#[test]
fn a_cut_tail_ends_the_scan_at_the_last_good_record() {
    let dir = tempfile::tempdir().unwrap();
    let batches = [batch(10, 5), batch(20, 5), batch(30, 5)];
    let end = written(dir.path(), &batches);
    let whole = scan(&Source::open(dir.path(), 1).unwrap(), 0, end).unwrap();
    assert_eq!(whole, Scan { end, points: 15, first: Some(10), torn: false });
    let third = end / 3;
    for cut in 2 * third + 1..end {
        File::options().write(true).open(path(dir.path(), 1)).unwrap().set_len(cut).unwrap();
        let source = Source::open(dir.path(), 1).unwrap();
        let scanned = scan(&source, 0, cut).unwrap();
        assert_eq!(scanned, Scan { end: 2 * third, points: 10, first: Some(10), torn: true });
        // what was told is longer than what is there: no panic, the same records
        assert_eq!(read_all(source, end).0, [&batches[0].1[..], &batches[1].1].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// One damaged range: every record it does not touch is still read, in order, and nothing else.
    #[test]
    fn damage_costs_only_the_records_it_touches(
        sizes in prop::collection::vec(1_usize..30, 1..20),
        start in any::<prop::sample::Index>(),
        junk in prop::collection::vec(any::<u8>(), 1..400),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let batches: Vec<_> = sizes.iter().zip(1..).map(|(n, ts)| batch(ts, *n)).collect();
        let end = written(dir.path(), &batches);
        let mut bytes = fs::read(path(dir.path(), 1)).unwrap();
        let start = start.index(bytes.len());
        let range = start..bytes.len().min(start + junk.len());
        bytes[range.clone()].copy_from_slice(&junk[..range.len()]);
        let (mut untouched, mut at) = (Vec::new(), 0);
        for (_, lines) in &batches {
            let record = at..at + HEADER + lines.len();
            at = record.end;
            if record.end <= range.start || record.start >= range.end {
                untouched.extend_from_slice(lines);
            }
        }
        let (lines, _) = read_all(Source::Memory(Arc::new(bytes)), end);
        // junk may by chance be what stood there; then more is read, never something else
        if lines != untouched {
            prop_assert!(range.len() < 6, "{range:?}");
        }
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..500), beyond in 0_u64..50) {
        let end = bytes.len() as u64 + beyond;
        let source = Source::Memory(Arc::new(bytes));
        scan(&source, 0, end).unwrap();
        source.measure(0, end).unwrap();
        read_all(source, end);
    }
}
