//! Processes and threads: `pids.current`, `pids.max`, `pids.peak`, `pids.events`, `cgroup.procs`. The same files on v1 and v2.

use super::text::{Flaws, flat, next_line, number};
use crate::sample::{Field, Figures};

/// `pids.events`: forks that the limit refused.
pub fn events(text: &[u8], out: &mut Figures) -> Flaws {
    let wanted = |key: &[u8]| (key == b"max").then_some(());
    flat(text, wanted, |(), hits| out.set(Field::PidsLimitHits, hits))
}

/// `cgroup.procs`: gives each process to `each`. A process that a private pid namespace hides is 0.
pub fn processes(text: &[u8], mut each: impl FnMut(u32)) -> Flaws {
    let mut flaws = Flaws::NONE;
    let mut rest = text;
    while let Some((line, next)) = next_line(rest) {
        rest = next;
        match number(line).and_then(|pid| u32::try_from(pid).ok()) {
            Some(pid) => each(pid),
            None => flaws.wrong += 1,
        }
    }
    flaws += Flaws::wrong_if(!rest.is_empty());
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refused_forks() {
        let mut out = Figures::default();
        assert_eq!(events(b"max 4\n", &mut out), Flaws::NONE);
        assert_eq!(out.get(Field::PidsLimitHits), Some(4));
        assert_eq!(events(b"max\n", &mut out).wrong, 1);
    }

    fn all(text: &[u8]) -> (Vec<u32>, u32) {
        let mut pids = Vec::new();
        let flaws = processes(text, |pid| pids.push(pid));
        (pids, flaws.wrong)
    }

    #[test]
    fn process_lists() {
        assert_eq!(all(b"12\n0\n4194304\n"), (vec![12, 0, 4_194_304], 0));
        assert_eq!(all(b""), (vec![], 0));
        assert_eq!(all(b"12\nx\n99999999999\n7\n1"), (vec![12, 7], 3));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (pids, wrong) = all(&text);
            prop_assert!(pids.len() + wrong as usize <= text.len());
            let flaws = events(&text, &mut Figures::default());
            prop_assert!(text.ends_with(b"\n") || flaws.wrong > 0);
        }

        #[test]
        fn round_trips(pids in proptest::collection::vec(any::<u32>(), 0..50)) {
            let text: String = pids.iter().map(|pid| format!("{pid}\n")).collect();
            prop_assert_eq!(all(text.as_bytes()), (pids, 0));
        }
    }
}
