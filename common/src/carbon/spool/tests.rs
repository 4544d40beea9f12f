//! The spool on real directories: crashes, damage, the cap, a disk that refuses.

use super::*;
use crate::carbon::Settings;
use proptest::prelude::*;
use std::os::unix::fs::PermissionsExt;

fn settings(dir: &Path) -> Settings {
    Settings {
        replay_window: Duration::ZERO,
        ..Settings::new(vec!["127.0.0.1:1".into()], dir.to_owned())
    }
}

fn batch(timestamp: u64, points: u32) -> Batch {
    let line = |i| format!("qae.dc1.node.n1.metric{i:06} {i} {timestamp}\n");
    let lines = (0..points).map(line).collect::<String>().into_bytes();
    Batch { timestamp, points, refused: 0, lines }
}

/// Acknowledges everything and returns the lines in the order they came.
fn drain(spool: &Spool) -> String {
    let (mut all, mut lines) = (Vec::new(), Vec::new());
    while let Some((_, mut reader)) = spool.take().unwrap() {
        while reader.next(&mut lines).unwrap().is_some() {
            all.extend_from_slice(&lines);
        }
        spool.ledger().acked(Duration::ZERO, 0, reader.damaged.0, reader.damaged.1);
    }
    String::from_utf8(all).unwrap()
}

fn text(batches: &[Batch]) -> String {
    batches.iter().map(|b| std::str::from_utf8(&b.lines).unwrap()).collect()
}

#[test]
fn what_was_submitted_is_there_after_a_crash_and_what_was_settled_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let batches: Vec<Batch> = (1..=6).map(|t| batch(t * 10, 300)).collect();
    let spool = Spool::open(&settings(dir.path())).unwrap();
    batches[..2].iter().for_each(|b| spool.append(b));
    assert_eq!(drain(&spool), text(&batches[..2]));
    spool.save(true);
    batches[2..4].iter().for_each(|b| spool.append(b));
    // not closed in any way, but for its lock, as after kill -9
    drop(spool);
    let spool = Spool::open(&settings(dir.path())).unwrap();
    assert_eq!(spool.ledger().waiting_points(), 600);
    assert_eq!(spool.ledger().oldest(), Some(30));
    batches[4..].iter().for_each(|b| spool.append(b));
    assert_eq!(drain(&spool), text(&batches[2..]));
    spool.save(true);
    drop(spool);
    let spool = Spool::open(&settings(dir.path())).unwrap();
    assert_eq!(drain(&spool), "");
    assert_eq!(spool.ledger().counts, crate::carbon::ledger::Counts::default());
}

#[test]
fn a_number_is_never_used_twice() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(dir.path())).unwrap();
    spool.append(&batch(10, 300));
    drain(&spool);
    spool.save(true);
    drop(spool);
    // takes the settled segment away; only the position remembers that there was one
    drop(Spool::open(&settings(dir.path())).unwrap());
    assert_eq!(segment::list(dir.path()).unwrap(), []);
    Spool::open(&settings(dir.path())).unwrap().append(&batch(20, 10));
    assert_eq!(drain(&Spool::open(&settings(dir.path())).unwrap()), text(&[batch(20, 10)]));
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(dir.path())).unwrap();
    let refused = Spool::open(&settings(dir.path())).unwrap_err();
    assert!(matches!(refused, Error::InUse { .. }), "{refused}");
    drop(spool);
    Spool::open(&settings(dir.path())).unwrap();
    let below_a_file = dir.path().join("lock/spool");
    let refused = Spool::open(&settings(&below_a_file)).unwrap_err().to_string();
    assert!(refused.contains("lock/spool"), "{refused}");
}

#[test]
fn the_replay_window_is_sent_again_after_a_restart_and_before_it_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let window = Duration::from_secs(30);
    let settings = Settings { replay_window: window, ..settings(dir.path()) };
    let spool = Spool::open(&settings).unwrap();
    let batches: Vec<Batch> = (1..=4).map(|t| batch(t * 10, 10)).collect();
    for (batch, seconds) in batches.iter().zip([0, 10, 31, 35]) {
        spool.append(batch);
        spool.take().unwrap().unwrap();
        spool.ledger().acked(Duration::from_secs(seconds), 0, 0, 0);
    }
    spool.save(true);
    drop(spool);
    let spool = Spool::open(&settings).unwrap();
    assert_eq!(drain(&spool), text(&batches[1..]));
}

#[test]
fn at_the_cap_the_oldest_go_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let cap = 1 << 20;
    let settings = Settings { spool_max: cap, ..settings(dir.path()) };
    let spool = Spool::open(&settings).unwrap();
    let batches: Vec<Batch> = (1..=100).map(|t| batch(t * 10, 500)).collect();
    for batch in &batches {
        spool.append(batch);
        assert!(spool.ledger().disk_bytes() <= cap);
    }
    let on_disk: u64 = segment::list(dir.path()).unwrap().iter().map(|(_, size)| size).sum();
    assert_eq!(on_disk, spool.ledger().disk_bytes());
    let dropped = spool.ledger().counts.dropped_at_cap;
    let waiting = spool.ledger().waiting_points();
    assert_eq!(dropped + waiting, 50_000);
    assert!(dropped > 0 && waiting > 15_000, "{dropped} {waiting}");
    let kept = usize::try_from(waiting / 500).unwrap();
    assert_eq!(drain(&spool), text(&batches[100 - kept..]));
}

#[test]
fn settled_segments_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&Settings { spool_max: 1 << 20, ..settings(dir.path()) }).unwrap();
    for t in 1..=200 {
        spool.append(&batch(t * 10, 500));
        drain(&spool);
        spool.save(false);
        assert!(segment::list(dir.path()).unwrap().len() <= 2);
    }
    assert_eq!(spool.ledger().counts.dropped_at_cap, 0);
}

#[test]
fn a_disk_that_refuses_costs_nothing_while_memory_lasts_and_order_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(dir.path())).unwrap();
    let batches: Vec<Batch> = (1..=9).map(|t| batch(t * 10, 3000)).collect();
    batches[..3].iter().for_each(|b| spool.append(b));
    // no new segment can be made (root may write anywhere, so a directory stands in the way)
    lock(&spool.writer).active = None;
    let next = lock(&spool.writer).id + 1;
    let obstacles: Vec<_> = (next..next + 9).map(|id| segment::path(dir.path(), id)).collect();
    obstacles.iter().for_each(|o| fs::create_dir(o).unwrap());
    batches[3..6].iter().for_each(|b| spool.append(b));
    assert!(spool.trouble().unwrap().contains("exists"));
    assert!(spool.ledger().memory_bytes() > 300_000);
    // what is in memory can be sent while the disk refuses
    let (chunk, mut reader) = spool.take().unwrap().unwrap();
    assert_eq!(chunk.timestamp, 10);
    let mut lines = Vec::new();
    assert_eq!(reader.next(&mut lines).unwrap(), Some(3000));
    spool.ledger().failed();
    obstacles.iter().for_each(|o| fs::remove_dir(o).unwrap());
    batches[6..].iter().for_each(|b| spool.append(b));
    assert_eq!((spool.trouble(), spool.ledger().memory_bytes()), (None, 0));
    drop(spool);
    let spool = Spool::open(&settings(dir.path())).unwrap();
    assert_eq!(drain(&spool), text(&batches));
}

#[test]
fn memory_is_bounded_and_what_it_drops_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(dir.path())).unwrap();
    fs::remove_dir_all(dir.path()).unwrap();
    let batches: Vec<Batch> = (1..=20).map(|t| batch(t * 10, 20_000)).collect();
    for batch in &batches {
        spool.append(batch);
        assert!(spool.ledger().memory_bytes() <= MEMORY);
    }
    let dropped = spool.ledger().counts.dropped_memory;
    let waiting = spool.ledger().waiting_points();
    assert_eq!(dropped + waiting, 400_000);
    assert!(waiting >= 120_000, "{waiting}");
    let kept = usize::try_from(waiting / 20_000).unwrap();
    assert!(drain(&spool) == text(&batches[20 - kept..]));
}

#[test]
fn a_segment_that_vanished_is_given_up_after_some_attempts() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(dir.path())).unwrap();
    spool.append(&batch(10, 100));
    fs::remove_file(segment::path(dir.path(), lock(&spool.writer).id)).unwrap();
    lock(&spool.writer).active = None;
    spool.append(&batch(20, 5));
    let told = spool.take().unwrap_err().to_string();
    assert!(told.contains(".segment"), "{told}");
    spool.take().unwrap_err();
    assert_eq!(drain(&spool), text(&[batch(20, 5)]));
    let counts = spool.ledger().counts;
    assert_eq!((counts.damaged, counts.damaged_records), (100, 1));
}

#[test]
fn a_damaged_position_only_sends_more() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(dir.path())).unwrap();
    let batches = [batch(10, 10), batch(20, 10)];
    spool.append(&batches[0]);
    drain(&spool);
    spool.append(&batches[1]);
    spool.save(true);
    drop(spool);
    fs::write(dir.path().join("position"), b"qae-spool 1 9 9 00000000\n").unwrap();
    let spool = Spool::open(&settings(dir.path())).unwrap();
    assert_eq!(drain(&spool), text(&batches));
    assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o700, 0o700);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Batches, crashes and damage at random: the spool always opens, and every record that was not touched is still sent.
    #[test]
    fn opens_whatever_happened(
        sizes in prop::collection::vec(1_u32..400, 1..12),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop::option::of(any::<u8>())), 0..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut expected = Vec::new();
        for (timestamp, points) in (1..).zip(sizes) {
            // a new process each time
            let spool = Spool::open(&settings(dir.path())).unwrap();
            spool.append(&batch(timestamp, points));
            expected.push((segment::path(dir.path(), timestamp), batch(timestamp, points)));
        }
        let mut touched = std::collections::BTreeSet::new();
        for (which, place, byte) in damage {
            let which = which.index(expected.len());
            let mut bytes = fs::read(&expected[which].0).unwrap();
            let place = place.index(bytes.len().max(1));
            match (byte, bytes.get_mut(place)) {
                (Some(byte), Some(there)) => *there ^= byte.max(1),
                _ => bytes.truncate(place),
            }
            fs::write(&expected[which].0, bytes).unwrap();
            touched.insert(which);
        }
        let good: Vec<Batch> = (0..expected.len())
            .filter(|at| !touched.contains(at))
            .map(|at| expected[at].1.clone())
            .collect();
        let spool = Spool::open(&settings(dir.path())).unwrap();
        let sent = drain(&spool);
        let counts = spool.ledger().counts;
        prop_assert_eq!(counts.submitted, counts.acknowledged + counts.damaged);
        // two flips may restore a byte, so more than the untouched may arrive, in order
        let mut rest = sent.as_str();
        for batch in good {
            let lines = std::str::from_utf8(&batch.lines).unwrap();
            let at = rest.find(lines);
            prop_assert!(at.is_some());
            rest = &rest[at.unwrap() + lines.len()..];
        }
    }
}
