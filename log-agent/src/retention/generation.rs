//! Which files are older generations of a log, by their names. Pure.
//!
//! The follower knows a file that was renamed while it looked. Names tell the rest: `app.log.1`, `app.log-20261130` and
//! `app.2026-11-29.log`, compressed or not, are older ones of `app.log` where that exists too; and of files that are written under the
//! day's date from the start all but the last date are older. A name that merely has a number in it (`worker-1.log`) says nothing.

use crate::name::COMPRESSED;
use std::collections::{HashMap, HashSet};

/// Digits of a date: year, month, day.
const DATE: usize = 8;

/// A name taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Apart {
    /// Without what tells generations apart: `app.log`.
    stem: Vec<u8>,
    /// The digits of what does.
    digits: Vec<u8>,
    /// They are behind everything else, where a number is enough.
    last: bool,
}

/// For each name (a path beneath the volume) whether it is an older generation.
pub fn older(names: &[&[u8]]) -> Vec<bool> {
    let all: HashSet<&[u8]> = names.iter().copied().collect();
    let apart: Vec<Option<Apart>> = names.iter().map(|name| take_apart(name)).collect();
    let mut latest: HashMap<&[u8], &[u8]> = HashMap::new();
    for apart in apart.iter().flatten().filter(|a| is_date(&a.digits)) {
        let last = latest.entry(&apart.stem).or_insert(&apart.digits);
        *last = (*last).max(&apart.digits);
    }
    let older = |apart: &Apart| {
        let dated = is_date(&apart.digits);
        let named_after = (apart.last || dated) && all.contains(&apart.stem[..]);
        // 2026-11-29 and 2026-11-29.1 are of one day
        let day = |digits: &[u8]| digits[..DATE.min(digits.len())].to_vec();
        let passed =
            dated && latest.get(&apart.stem[..]).is_some_and(|last| day(last) > day(&apart.digits));
        named_after || passed
    };
    apart.iter().map(|apart| apart.as_ref().is_some_and(older)).collect()
}

fn take_apart(name: &[u8]) -> Option<Apart> {
    let packed = COMPRESSED.iter().find_map(|end| name.strip_suffix(end.as_bytes()));
    let name = packed.unwrap_or(name);
    let last = name.iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
    if let Some((kept, digits)) = behind(name, last) {
        return Some(Apart { stem: kept.to_vec(), digits, last: true });
    }
    let dot = last + name[last..].iter().rposition(|b| *b == b'.')?;
    let (front, extension) = name.split_at(dot);
    let (kept, digits) = behind(front, last)?;
    Some(Apart { stem: [kept, extension].concat(), digits, last: false })
}

/// Whether digits begin with a day: what is merely a long number (a job's, a process's) says nothing about time.
fn is_date(digits: &[u8]) -> bool {
    let number = |from: usize, to: usize| {
        std::str::from_utf8(digits.get(from..to)?).ok()?.parse::<u32>().ok()
    };
    match (number(0, 4), number(4, 6), number(6, DATE)) {
        (Some(year), Some(month), Some(day)) => {
            (1990..=2199).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
        }
        _ => false,
    }
}

/// What a name begins with before a last part such as `.1`, `-20261130` or `.2026-11-29_13`, and the digits in that part. `from`: where
/// the name begins in the path.
fn behind(name: &[u8], from: usize) -> Option<(&[u8], Vec<u8>)> {
    let part = |b: &&u8| b.is_ascii_digit() || b"-_:.T".contains(b);
    let kept = name.len() - name.iter().rev().take_while(part).count();
    let end = name.get(kept..)?;
    let digits: Vec<u8> = end.iter().copied().filter(u8::is_ascii_digit).collect();
    let cut = matches!(end.first(), Some(b'.' | b'-' | b'_')) && !digits.is_empty();
    (cut && kept > from).then(|| (&name[..kept], digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(names: &[&str]) -> Vec<String> {
        let bytes: Vec<&[u8]> = names.iter().map(|n| n.as_bytes()).collect();
        let of = older(&bytes);
        names.iter().zip(of).filter(|(_, o)| *o).map(|(n, _)| (*n).to_owned()).collect()
    }

    #[test]
    fn generations_of_every_usual_form() {
        let names = [
            "app.log",
            "app.log.1",
            "app.log.2.gz",
            "app.log-20261130",
            "app.2026-11-29.log",
            "app-2026-11-29.0.log.zst",
            "app.log.3.lz4",
            "app.log-20261128.zip",
            "other.log.1",
            "worker-1.log",
            "worker.log",
            "d/app.log.1",
        ];
        assert_eq!(found(&names), names[1..8]);
    }

    #[test]
    fn of_dated_files_all_but_the_last_day() {
        let names = [
            "a-2026-11-28.log",
            "a-2026-11-29.log",
            "a-2026-11-29.1.log",
            "b-2026-11-28.log",
            "trace.20261130",
            "trace.20261129",
            "x/2026-11-28",
            "x/2026-11-29",
        ];
        assert_eq!(found(&names), ["a-2026-11-28.log", "trace.20261129"]);
        assert!(found(&["job-10000001.log", "job-10000002.log"]).is_empty());
        assert!(found(&["w-1.log", "w-2.log", "w-20.log", ".1", "1", "d/.1"]).is_empty());
    }

    proptest! {
        /// Names alone never condemn the only file of a kind, nor the whole of a directory.
        #[test]
        fn something_always_stays(names in prop::collection::hash_set("(d/)?[ab][.-]?(2026-11-2[0-9])?(\\.log)?[.-]?[0-9]{0,2}(\\.gz)?", 1..8)) {
            let names: Vec<&[u8]> = names.iter().map(|n| n.as_bytes()).collect();
            prop_assert!(older(&names).contains(&false), "{:?}", names);
        }

        #[test]
        fn no_bytes_break_it(names in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..6)) {
            let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(older(&names).len(), names.len());
        }
    }
}
