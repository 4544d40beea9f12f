//! Is this the file we know? Pure.
//!
//! A name says nothing (rotation), an inode number is used again, a length lies after a truncation, and the instances of one app begin with
//! the same banner. So a file is known by its device, inode and time of birth, by a hash of its first bytes, and by a hash of the last bytes
//! consumed: whoever resumes at an offset proves first that what lies before it is what was read. Files count from their first byte.

use xxhash_rust::xxh3::xxh3_64;

/// Most bytes in either hash.
pub const HASHED: usize = 1_024;

/// The first bytes of a file: at most [`HASHED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    /// How many.
    pub len: u16,
    /// Their hash.
    pub hash: u64,
}

impl Head {
    /// Of no bytes: it fits every file.
    pub const EMPTY: Self = Self { len: 0, hash: 0 };

    /// Of the first bytes of a file; what is more than [`HASHED`] does not count.
    pub fn of(first: &[u8]) -> Self {
        let first = &first[..first.len().min(HASHED)];
        match u16::try_from(first.len()) {
            Ok(len) if len > 0 => Self { len, hash: xxh3_64(first) },
            _ => Self::EMPTY,
        }
    }

    /// Whether a file that begins with `first` begins with these bytes.
    pub fn begins(self, first: &[u8]) -> bool {
        first.get(..usize::from(self.len)).is_some_and(|first| Self::of(first) == self)
    }
}

/// What a file is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Device. It may have another number after a restart of the machine.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// When the inode was made, where the file system keeps that.
    pub birth: Option<(i64, u32)>,
    /// Its first bytes, as many as there were.
    pub head: Head,
}

/// How far a file was consumed, and what lies before that place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Bytes consumed.
    pub offset: u64,
    /// Hash of the last of them, [`Mark::behind`] many.
    pub tail: u64,
}

impl Mark {
    /// The beginning of a file.
    pub const START: Self = Self { offset: 0, tail: 0 };

    /// At `offset`, where `before` ends with the bytes right before it, at least [`behind`](Self::behind) of them.
    pub fn at(offset: u64, before: &[u8]) -> Self {
        let behind = behind(offset).min(before.len());
        if behind == 0 {
            return Self { offset, tail: 0 };
        }
        Self { offset, tail: xxh3_64(&before[before.len() - behind..]) }
    }

    /// How many bytes before it are hashed.
    pub fn behind(self) -> usize {
        behind(self.offset)
    }

    /// Whether nothing but NUL bytes lies before it: a hole that may be filled yet.
    pub fn is_nul(self) -> bool {
        self.offset > 0 && Self::at(self.offset, &[0; HASHED]) == self
    }

    /// Whether `before`, exactly the hashed bytes as they are now, are those that were consumed.
    pub fn follows(self, before: &[u8]) -> bool {
        before.len() == self.behind() && Self::at(self.offset, before) == self
    }
}

/// How many bytes before an offset are hashed.
pub fn behind(offset: u64) -> usize {
    usize::try_from(offset).map_or(HASHED, |offset| offset.min(HASHED))
}

/// A file as it is found now.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// When its inode was made.
    pub birth: Option<(i64, u32)>,
    /// Its first bytes, at most [`HASHED`].
    pub head: &'a [u8],
    /// The bytes before the mark, as many as there are.
    pub before: &'a [u8],
}

/// What a found file is to one that is known under the same inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same: go on at the mark.
    Same,
    /// The same inode, shorter than what was consumed: begin again.
    Truncated,
    /// The same inode, other bytes: begin again.
    Rewritten,
    /// Another file that got the inode of a deleted one: begin.
    Reused,
}

/// Judges a found file by what is known of it.
pub fn judge(known: &Identity, mark: &Mark, seen: &Seen<'_>) -> Verdict {
    let born_apart = matches!((known.birth, seen.birth), (Some(then), Some(now)) if then != now);
    if born_apart {
        return Verdict::Reused;
    }
    let fits = known.head.begins(seen.head);
    if !fits && (known.birth.is_none() || seen.birth.is_none()) {
        // nobody can tell an inode used again from one rewritten: both begin at the first byte
        return Verdict::Reused;
    }
    if seen.before.len() < mark.behind() {
        return Verdict::Truncated;
    }
    if fits && mark.follows(seen.before) { Verdict::Same } else { Verdict::Rewritten }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file as judged: read back at a mark.
    fn seen(content: &[u8], birth: Option<(i64, u32)>, mark: Mark) -> Verdict {
        // what was known of `known_content` is compared with what is there now
        let at = usize::try_from(mark.offset).unwrap();
        let from = at - mark.behind();
        let before = content.get(from..at).unwrap_or_else(|| content.get(from..).unwrap_or(&[]));
        let known = KNOWN.with(|k| *k.borrow());
        judge(&known, &mark, &Seen { birth, head: &content[..content.len().min(HASHED)], before })
    }

    thread_local! {
        static KNOWN: std::cell::RefCell<Identity> =
            const { std::cell::RefCell::new(Identity { dev: 1, ino: 2, birth: None, head: Head::EMPTY }) };
    }

    fn know(content: &[u8], birth: Option<(i64, u32)>, consumed: usize) -> Mark {
        let known = Identity { dev: 1, ino: 2, birth, head: Head::of(content) };
        KNOWN.with(|k| *k.borrow_mut() = known);
        Mark::at(consumed as u64, &content[..consumed])
    }

    const BORN: Option<(i64, u32)> = Some((7, 1));

    #[test]
    fn equal_banners_do_not_make_equal_files() {
        let banner = "x".repeat(5_000);
        let first = format!("{banner}one\n");
        let mark = know(first.as_bytes(), BORN, first.len());
        assert_eq!(seen(first.as_bytes(), BORN, mark), Verdict::Same);
        assert_eq!(seen(format!("{banner}two\n").as_bytes(), BORN, mark), Verdict::Rewritten);
        assert_eq!(seen(first.as_bytes(), Some((8, 1)), mark), Verdict::Reused);
        assert_eq!(seen(banner.as_bytes(), BORN, mark), Verdict::Truncated);
        assert_eq!(seen(b"", BORN, mark), Verdict::Truncated);
    }

    #[test]
    fn a_file_counts_from_its_first_byte() {
        let mark = know(b"a", None, 1);
        assert_eq!(seen(b"ab", None, mark), Verdict::Same);
        assert_eq!(seen(b"b", None, mark), Verdict::Reused);
        assert_eq!(seen(b"", None, mark), Verdict::Reused);
        let empty = know(b"", BORN, 0);
        assert_eq!(seen(b"anything", BORN, empty), Verdict::Same);
    }

    #[test]
    fn marks_of_one_place_are_equal_however_much_was_at_hand() {
        let text = (0..3_000u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>();
        for at in [0usize, 1, 1_023, 1_024, 1_025, 9_000] {
            let whole = Mark::at(at as u64, &text[..at]);
            let least = Mark::at(at as u64, &text[at - whole.behind()..at]);
            assert_eq!(whole, least);
            assert!(whole.follows(&text[at - whole.behind()..at]));
        }
    }

    proptest! {
        /// Whatever was appended, a file is the same; whatever else became of the bytes we consumed, it is not.
        #[test]
        fn append_only_is_same_and_nothing_else(
            old in prop::collection::vec(0u8..4, 0..3_000),
            more in prop::collection::vec(0u8..4, 0..50),
            consumed in 0.0f64..=1.0,
            flip in any::<prop::sample::Index>(),
            born in any::<bool>(),
        ) {
            let birth = born.then_some((1, 2));
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small number")]
            let consumed = (old.len() as f64 * consumed) as usize;
            let mark = know(&old, birth, consumed);
            let grown = [&old[..], &more].concat();
            prop_assert_eq!(seen(&grown, birth, mark), Verdict::Same);
            // cut before the mark
            if consumed > 0 {
                let cut = flip.index(consumed);
                prop_assert_ne!(seen(&old[..cut], birth, mark), Verdict::Same);
                // one byte among the hashed ones is another
                let mut other = old.clone();
                let at = consumed - 1 - flip.index(mark.behind());
                other[at] ^= 0x40;
                prop_assert_ne!(seen(&other, birth, mark), Verdict::Same);
                // and an inode used again is found out whatever it holds
                prop_assert_eq!(seen(&grown, Some((9, 9)), mark), if born { Verdict::Reused } else { Verdict::Same });
            }
        }
    }
}
