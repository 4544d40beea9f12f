//! The journal of what was shipped: whatever its file holds, it opens and gives what is good of it; damage gives a state that was; and what
//! is written after that is read back. The first byte says how the rest is taken.
#![no_main]

use libfuzzer_sys::fuzz_target;
use log_agent::files::Known;
use log_agent::identity::{Head, Identity, Mark};
use log_agent::name::FileName;
use log_agent::ship::journal::{Journal, JournalError};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

type State = BTreeMap<(u64, u64), Known>;

fuzz_target!(|data: &[u8]| {
    let Some((how, rest)) = data.split_first() else { return };
    match how % 3 {
        0 => borne(rest),
        1 => borne(&sealed(rest)),
        _ => damaged(rest),
    }
});

/// In memory where that can be had: each input syncs several times.
fn place() -> TempDir {
    let shared = Path::new("/dev/shm");
    let made = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
    made.expect("a directory")
}

fn state(known: Vec<Known>) -> State {
    let count = known.len();
    let state: State = known.into_iter().map(|k| ((k.identity.dev, k.identity.ino), k)).collect();
    assert_eq!(state.len(), count, "a file is known twice");
    state
}

/// Opens a journal of these bytes, whatever they are.
fn opened(dir: &Path, bytes: &[u8]) -> Option<(Journal, State)> {
    fs::write(dir.join("journal"), bytes).expect("written");
    match Journal::open(dir) {
        Ok((journal, known)) => Some((journal, state(known))),
        Err(JournalError::Version { version, .. }) => {
            assert_ne!(version, 1);
            assert_eq!(fs::read(dir.join("journal")).expect("read"), bytes, "left as it was");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn borne(bytes: &[u8]) {
    let dir = place();
    let Some((journal, known)) = opened(dir.path(), bytes) else { return };
    let damaged = usize::try_from(journal.figures().damaged_bytes).expect("a length");
    // what is damaged counts for nothing
    if damaged > 0 {
        let other = place();
        let good = opened(other.path(), &bytes[..bytes.len() - damaged]);
        assert_eq!(good.expect("of this version").1, known);
    }
    goes_on(dir.path(), journal, known);
}

/// A new file, one that moved, one that was renamed and one that is gone: all of it is there after the next start.
fn goes_on(dir: &Path, journal: Journal, mut state: State) {
    let mut files = state.values().cloned();
    let (moved, renamed, gone) = (files.next(), files.next(), files.next());
    let new =
        known((0..).find(|ino| !state.contains_key(&(7, *ino))).expect("a free one"), 9, "new");
    let moved = moved.map(|k| Known { mark: Mark { offset: !k.mark.offset, tail: 5 }, ..k });
    let renamed = renamed.map(|k| Known { name: FileName::new("renamed").expect("a name"), ..k });
    let changed: Vec<Known> = [Some(new), moved, renamed].into_iter().flatten().collect();
    state.extend(changed.iter().map(|k| ((k.identity.dev, k.identity.ino), k.clone())));
    journal.record(changed);
    if let Some(gone) = gone {
        assert_eq!(journal.retain(|k| k.identity != gone.identity), 1);
        state.remove(&(gone.identity.dev, gone.identity.ino));
    }
    assert_eq!(journal.figures().failure, None);
    drop(journal);
    let (journal, known) = Journal::open(dir).expect("it opens again");
    assert_eq!(self::state(known), state);
    assert_eq!(journal.figures().damaged_bytes, 0);
}

/// What a process did, four bytes a step; then the damage that befell its file.
fn damaged(data: &[u8]) {
    let Some((damage, steps)) = data.split_first_chunk::<9>() else { return };
    let dir = place();
    let (journal, before) = Journal::open(dir.path()).expect("a new one");
    assert!(before.is_empty());
    let mut states = vec![State::new()];
    for step in steps.chunks_exact(4).take(48) {
        let mut state = states.last().cloned().unwrap_or_default();
        let file = known(
            u64::from(step[1] % 8),
            u64::from(step[2]) << (step[0] >> 2),
            if step[3] > 127 { "a.log.1" } else { "a.log" },
        );
        if step[0] % 4 == 3 {
            state.remove(&(7, file.identity.ino));
            journal.retain(|k| k.identity.ino != file.identity.ino);
        } else {
            state.insert((7, file.identity.ino), file.clone());
            journal.record([file]);
        }
        states.push(state);
    }
    drop(journal);
    let mut bytes = fs::read(dir.path().join("journal")).expect("read");
    let (journal, read) = opened(dir.path(), &bytes).expect("of this version");
    assert_eq!(states.last(), Some(&read));
    drop(journal);

    let at = |a: u8, b: u8, of: usize| usize::from(u16::from_le_bytes([a, b])) % of;
    // a burst of 32 bits, which a CRC-32 always finds
    let from = at(damage[0], damage[1], bytes.len());
    bytes[from..].iter_mut().zip(&damage[2..6]).for_each(|(byte, change)| *byte ^= change);
    let cut = at(damage[6], damage[7], bytes.len() + 1);
    match damage[8] % 3 {
        0 => {}
        1 => bytes.truncate(cut),
        // where the disk had not written yet
        _ => bytes[cut..].fill(0),
    }
    let Some((journal, read)) = opened(dir.path(), &bytes) else { return };
    assert!(states.contains(&read), "{read:?} never was");
    goes_on(dir.path(), journal, read);
}

fn known(ino: u64, offset: u64, name: &str) -> Known {
    let birth = (ino % 2 == 0).then_some((-3, 9));
    let identity = Identity { dev: 7, ino, birth, head: Head { len: 3, hash: !ino } };
    let mark = Mark { offset, tail: offset.wrapping_mul(31) };
    Known { identity, mark, name: FileName::new(name).expect("a name") }
}

/// A journal of these records, each a length and its content, with right sums: no fuzzer guesses a CRC.
fn sealed(mut records: &[u8]) -> Vec<u8> {
    let mut out = b"qae ship\x01\0\0\0".to_vec();
    out.extend_from_slice(&crc32(&out).to_le_bytes());
    while let Some((len, rest)) = records.split_first() {
        let (content, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        let summed = [&[*len, 0][..], content].concat();
        out.extend_from_slice(&crc32(&summed).to_le_bytes());
        out.extend_from_slice(&summed);
        records = rest;
    }
    out
}

/// CRC-32 (IEEE), written apart from what the product uses.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
