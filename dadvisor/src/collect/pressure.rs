//! Pressure stall information: `cpu.pressure`, `memory.pressure`, `io.pressure`, `irq.pressure` (v2, and the v2 half of a hybrid host).
//!
//! Only the `total` counters (µs): the averages can be made from them, not the other way round. `full` is missing for CPU on older
//! kernels, `some` for interrupts.

use super::text::{Flaws, next_line, next_word, number};

/// Which line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// At least one task waited.
    Some,
    /// All tasks waited.
    Full,
}

/// Reads one pressure file: `some avg10=0.00 avg60=0.00 avg300=0.00 total=18968015`.
pub fn pressure(text: &[u8], mut each: impl FnMut(Stall, u64)) -> Flaws {
    let mut flaws = Flaws::wrong_if(text.is_empty());
    let mut rest = text;
    while let Some((line, next)) = next_line(rest) {
        rest = next;
        let stall = match next_word(line) {
            Some((b"some", _)) => Stall::Some,
            Some((b"full", _)) => Stall::Full,
            _ => continue,
        };
        // total is the last of the line on every kernel so far, but is found by its name
        match total(line) {
            Some(total) => each(stall, total),
            None => flaws.wrong += 1,
        }
    }
    flaws += Flaws::wrong_if(!rest.is_empty());
    flaws
}

fn total(line: &[u8]) -> Option<u64> {
    let start = line.iter().rposition(|b| *b == b't')?;
    // "total=": its first t lies two before the second
    let word = line.get(start.checked_sub(2)?..)?.strip_prefix(b"total=")?;
    number(next_word(word)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> (Vec<(Stall, u64)>, u32) {
        let mut got = Vec::new();
        let flaws = pressure(text, |stall, total| got.push((stall, total)));
        (got, flaws.wrong)
    }

    #[test]
    fn both_lines_or_one() {
        let text = b"some avg10=0.01 avg60=0.39 avg300=0.51 total=18968015\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(read(text), (vec![(Stall::Some, 18_968_015), (Stall::Full, 7)], 0));
        assert_eq!(
            read(b"full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n"),
            (vec![(Stall::Full, 5)], 0)
        );
        assert_eq!(read(b"some total=3 avg10=0.00\nnew total=4\n"), (vec![(Stall::Some, 3)], 0));
    }

    #[test]
    fn wrong_and_cut() {
        assert_eq!(read(b""), (vec![], 1));
        assert_eq!(
            read(b"some avg10=0.01 total=x\nfull avg10=0.00 total=7\n"),
            (vec![(Stall::Full, 7)], 1)
        );
        assert_eq!(
            read(b"some avg10=0.01 total=4\nfull avg10=0.00 tot"),
            (vec![(Stall::Some, 4)], 1)
        );
        assert_eq!(read(b"some\n"), (vec![], 1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..200), tail in "(some|full)[ a-z0-9=.]{0,40}\n") {
            let (got, wrong) = read(&text);
            prop_assert!(got.len() + wrong as usize <= text.len() + 1);
            let (got, wrong) = read(tail.as_bytes());
            prop_assert_eq!(got.len() + wrong as usize, usize::from(tail.starts_with("some ") || tail.starts_with("full ") || tail.len() == 5));
        }

        #[test]
        fn round_trips(some in 0u64..1 << 60, full in 0u64..1 << 60, avg in 0u32..10_000) {
            let avg = format!("{}.{:02}", avg / 100, avg % 100);
            let text = format!("some avg10={avg} avg60={avg} avg300={avg} total={some}\nfull avg10={avg} avg60=0.00 avg300=0.00 total={full}\n");
            prop_assert_eq!(read(text.as_bytes()), (vec![(Stall::Some, some), (Stall::Full, full)], 0));
        }
    }
}
