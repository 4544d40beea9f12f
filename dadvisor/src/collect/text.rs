//! How kernel text is cut: lines, words, numbers.
//!
//! Every kernel file read here ends each line with a newline, so a last line without one was cut (by the buffer's end or by an old
//! kernel's page) and may hold half a number: it is never used, and counted.

/// What was wrong in a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct Flaws {
    /// Figures left out because they were not numbers, or because the text was cut.
    pub wrong: u32,
    /// Rows left out because there were too many.
    pub dropped: u32,
}

impl Flaws {
    /// Nothing wrong.
    pub const NONE: Self = Self { wrong: 0, dropped: 0 };

    /// One wrong figure if `bad`.
    pub fn wrong_if(bad: bool) -> Self {
        Self { wrong: u32::from(bad), dropped: 0 }
    }
}

impl std::ops::AddAssign for Flaws {
    fn add_assign(&mut self, other: Self) {
        self.wrong += other.wrong;
        self.dropped += other.dropped;
    }
}

/// A decimal number. Above `i64::MAX` it is refused: kernel counters do not get there, but counters that fell below zero (an old
/// memcg fault) look like it.
pub fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut value = 0u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // 19 digits fit a u64
        value = value * 10 + u64::from(digit);
    }
    (value <= i64::MAX.unsigned_abs()).then_some(value)
}

/// What a file with one value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Single {
    /// A number.
    Value(u64),
    /// `max` (v2) or `-1` (v1): no limit.
    Unlimited,
    /// Neither, or cut.
    Wrong,
}

/// Reads a file with one value.
pub fn single(text: &[u8]) -> Single {
    match text.strip_suffix(b"\n") {
        Some(b"max" | b"-1") => Single::Unlimited,
        Some(digits) => number(digits).map_or(Single::Wrong, Single::Value),
        None => Single::Wrong,
    }
}

/// Cuts off the first line: (line without its newline, rest). None at the end, or before a cut line.
pub fn next_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|b| *b == b'\n')?;
    Some((&text[..end], &text[end + 1..]))
}

/// Cuts off the first word of a line: (word, rest). None when only blanks are left.
pub fn next_word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = |b: &u8| *b == b' ' || *b == b'\t';
    let start = line.iter().position(|b| !blank(b))?;
    let line = &line[start..];
    let end = line.iter().position(blank).unwrap_or(line.len());
    Some((&line[..end], &line[end..]))
}

/// Reads `key value` lines in one pass. `wanted` says by its key whether a value is of interest; only then is it parsed and given to
/// `each`. An empty text is a flaw: no such file is ever empty.
pub fn flat<K>(
    text: &[u8],
    wanted: impl Fn(&[u8]) -> Option<K>,
    mut each: impl FnMut(K, u64),
) -> Flaws {
    let mut flaws = Flaws::wrong_if(text.is_empty());
    let mut rest = text;
    while !rest.is_empty() {
        let key_end = rest.iter().position(|b| *b == b' ' || *b == b'\n').unwrap_or(rest.len());
        let (key, tail) = rest.split_at(key_end);
        let value = tail.strip_prefix(b" ").unwrap_or(tail);
        let Some((value, next)) = next_line(value) else {
            // cut: whatever it was
            flaws.wrong += 1;
            return flaws;
        };
        rest = next;
        if let Some(key) = wanted(key) {
            match number(value) {
                Some(value) => each(key, value),
                None => flaws.wrong += 1,
            }
        }
    }
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_strict() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"9223372036854771712"), Some(9_223_372_036_854_771_712));
        for bad in [&b""[..], b"-1", b"1 ", b"1x", b"18446744073709551615", b"99999999999999999999"]
        {
            assert_eq!(number(bad), None);
        }
    }

    #[test]
    fn one_value() {
        assert_eq!(single(b"42\n"), Single::Value(42));
        assert_eq!(single(b"max\n"), Single::Unlimited);
        assert_eq!(single(b"-1\n"), Single::Unlimited);
        for bad in [&b""[..], b"42", b"\n", b"4 2\n", b"max"] {
            assert_eq!(single(bad), Single::Wrong);
        }
    }

    fn collected(text: &[u8]) -> (Vec<(u8, u64)>, Flaws) {
        let mut got = Vec::new();
        let flaws = flat(text, |key| (key.len() == 1).then(|| key[0]), |k, v| got.push((k, v)));
        (got, flaws)
    }

    #[test]
    fn flat_files_keep_what_is_whole() {
        assert_eq!(collected(b"a 1\nlong 7\nb 2\n"), (vec![(b'a', 1), (b'b', 2)], Flaws::NONE));
        assert_eq!(collected(b"a x\nb 2\n"), (vec![(b'b', 2)], Flaws { wrong: 1, dropped: 0 }));
        assert_eq!(collected(b"a 1\nb 2"), (vec![(b'a', 1)], Flaws { wrong: 1, dropped: 0 }));
        assert_eq!(collected(b"a\nlong\nb 2\n"), (vec![(b'b', 2)], Flaws { wrong: 1, dropped: 0 }));
        assert_eq!(collected(b""), (vec![], Flaws { wrong: 1, dropped: 0 }));
        assert_eq!(collected(b"\n\na 1\n"), (vec![(b'a', 1)], Flaws::NONE));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (_, flaws) = collected(&text);
            prop_assert!(flaws.wrong as usize <= text.len() + 1);
            prop_assert!(matches!(single(&text), Single::Value(_) | Single::Unlimited | Single::Wrong));
            let mut line = &text[..];
            while let Some((word, rest)) = next_word(line) {
                prop_assert!(!word.is_empty());
                line = rest;
            }
        }

        #[test]
        fn numbers_round_trip(value in 0..=i64::MAX.unsigned_abs()) {
            prop_assert_eq!(number(value.to_string().as_bytes()), Some(value));
            prop_assert_eq!(single(format!("{value}\n").as_bytes()), Single::Value(value));
        }
    }
}
