//! Whatever became of the file, it gives what was good of it.

use super::record::{self, Entries};
use super::*;
use crate::identity::{Head, Identity, Mark};
use crate::name::FileName;
use proptest::prelude::*;

fn known(ino: u64, offset: u64, name: &str) -> Known {
    Known {
        identity: Identity {
            dev: 7,
            ino,
            birth: (ino % 2 == 0).then_some((-3, 9)),
            head: Head { len: 3, hash: ino ^ 0xabcd },
        },
        mark: Mark { offset, tail: offset.wrapping_mul(31) },
        name: FileName::new(name).unwrap(),
    }
}

fn sorted(mut known: Vec<Known>) -> Vec<Known> {
    known.sort_by_key(|k| k.identity.ino);
    known
}

fn of(entries: &Entries) -> Vec<Known> {
    sorted(entries.files.values().map(|e| e.known.clone()).collect())
}

/// What a process did to the journal.
#[derive(Debug, Clone)]
enum Did {
    Acknowledged { ino: u64, offset: u64, renamed: bool },
    Forgot { ino: u64 },
}

fn anything() -> impl Strategy<Value = Vec<Did>> {
    let acknowledged = (0u64..6, any::<u64>(), any::<bool>())
        .prop_map(|(ino, offset, renamed)| Did::Acknowledged { ino, offset, renamed });
    let did = prop_oneof![5 => acknowledged, 1 => (0u64..6).prop_map(|ino| Did::Forgot { ino })];
    prop::collection::vec(did, 0..40)
}

fn act(journal: &Journal, did: &Did) {
    match did {
        Did::Acknowledged { ino, offset, renamed } => {
            journal.record([known(*ino, *offset, if *renamed { "a.log.1" } else { "a.log" })]);
        }
        Did::Forgot { ino } => {
            journal.retain(|k| k.identity.ino != *ino);
        }
    }
}

/// The journal after each step, and its file at the end.
fn history(did: &[Did]) -> (Vec<Vec<Known>>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let (journal, before) = Journal::open(dir.path()).unwrap();
    assert!(before.is_empty());
    let mut states = vec![Vec::new()];
    for did in did {
        act(&journal, did);
        let bytes = fs::read(dir.path().join("journal")).unwrap();
        states.push(of(&record::read(&bytes).entries));
    }
    drop(journal);
    (states, fs::read(dir.path().join("journal")).unwrap())
}

fn reopened(bytes: &[u8]) -> (Vec<Known>, JournalFigures) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("journal"), bytes).unwrap();
    let (journal, known) = Journal::open(dir.path()).unwrap();
    let known = sorted(known);
    // and it goes on
    journal.record([super::tests::known(99, 1, "next")]);
    let figures = journal.figures();
    drop(journal);
    let (journal, after) = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.figures().damaged_bytes, 0);
    assert_eq!(after.len(), known.len() + 1);
    (known, figures)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// kill -9, a power cut or a full disk in the middle of any write: a state that was, and a later one the later it is cut.
    #[test]
    fn a_cut_anywhere_gives_a_state_that_was(did in anything(), cut in any::<prop::sample::Index>()) {
        let (states, bytes) = history(&did);
        prop_assert_eq!(&reopened(&bytes).0, states.last().unwrap());
        let cut = cut.index(bytes.len());
        let (known, figures) = reopened(&bytes[..cut]);
        prop_assert!(states.contains(&known), "{known:?}");
        prop_assert!(figures.damaged_bytes <= cut as u64);
        // zeros where the disk had not written yet
        let mut zeroed = bytes.clone();
        zeroed[cut..].fill(0);
        prop_assert!(states.contains(&reopened(&zeroed).0));
    }

    /// A flipped bit never gives a state that never was.
    #[test]
    fn a_flipped_bit_gives_a_state_that_was(
        did in anything(), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let (states, mut bytes) = history(&did);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(states.contains(&reopened(&bytes).0));
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), head in any::<bool>()) {
        let mut all = if head { record::header().to_vec() } else { Vec::new() };
        all.extend_from_slice(&bytes);
        record::read(&all);
    }
}

#[test]
fn a_long_log_is_replaced_by_a_short_one_and_a_crash_in_that_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (journal, _) = Journal::open(dir.path()).unwrap();
    let (mut offset, mut longest) = (0, 0);
    while journal.figures().compactions < 3 {
        offset += 1;
        journal.record((0..50).map(|ino| known(ino, offset, "a.log")));
        longest = longest.max(journal.figures().bytes);
    }
    assert!(longest <= SMALL as u64, "{longest}");
    assert!(fs::metadata(&path).unwrap().len() < 50 * 200);
    drop(journal);
    // what an unfinished replacement leaves
    fs::write(dir.path().join(".journal.tmp"), b"half").unwrap();
    let (_journal, known) = Journal::open(dir.path()).unwrap();
    assert!(known.len() == 50 && known.iter().all(|k| k.mark.offset == offset));
}

#[test]
fn a_later_version_and_a_second_process_are_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path()).unwrap();
    let told = Journal::open(dir.path()).unwrap_err().to_string();
    assert!(told.contains("another log-agent"), "{told}");
    drop(journal);
    let mut later = record::header();
    later[8] = 2;
    let crc = crc32fast::hash(&later[..12]);
    later[12..].copy_from_slice(&crc.to_le_bytes());
    fs::write(dir.path().join("journal"), later).unwrap();
    let told = Journal::open(dir.path()).unwrap_err().to_string();
    assert!(told.contains("version 2") && told.contains("/journal"), "{told}");
    assert_eq!(fs::read(dir.path().join("journal")).unwrap(), later, "left as it was");
}

#[test]
fn a_disk_that_takes_nothing_is_said_and_written_to_again_later() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path()).unwrap();
    journal.record([known(1, 10, "a.log")]);
    {
        let mut inner = journal.shared.inner();
        // a file that cannot be written
        inner.file = Some(Arc::new(File::open(dir.path().join("journal")).unwrap()));
    }
    journal.record([known(1, 20, "a.log")]);
    let figures = journal.figures();
    assert!(figures.failure.as_deref().is_some_and(|f| f.contains("append to")), "{figures:?}");
    // known all the same, and whole on the disk at the end
    drop(journal);
    let (journal, known) = Journal::open(dir.path()).unwrap();
    assert_eq!(known[0].mark.offset, 20);
    assert_eq!(journal.figures().failure, None);
}

#[test]
fn a_record_that_is_refused_changes_nothing() {
    let mut bytes = record::header().to_vec();
    record::whole(0, &known(1, 1, "a.log"), &mut bytes);
    let good = bytes.len();
    // a right sum, and a number after which there is none
    record::whole(u32::MAX, &known(2, 2, "b.log"), &mut bytes);
    let (known, figures) = reopened(&bytes);
    assert_eq!(figures.damaged_bytes, (bytes.len() - good) as u64);
    assert_eq!(known, [self::known(1, 1, "a.log")]);
}

#[test]
fn what_did_not_change_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path()).unwrap();
    journal.record([known(1, 10, "a.log")]);
    let bytes = journal.figures().bytes;
    journal.record([known(1, 10, "a.log")]);
    assert_eq!(journal.figures().bytes, bytes);
    journal.record([known(1, 11, "a.log")]);
    assert!(journal.figures().bytes - bytes < 32, "a step is short");
}
