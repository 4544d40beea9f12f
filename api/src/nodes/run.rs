//! Which process of which machine an agent is, as it says. Pure.

/// `<host>.<start in Unix ms>.<random>`, in the order of their starts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    start: u64,
    text: String,
    host: usize,
}

/// Longest run, in bytes.
const LONGEST: usize = 128;

impl Run {
    /// Reads one; None for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if text.len() > LONGEST || !text.bytes().all(plain) {
            return None;
        }
        let mut parts = text.split('.');
        let (host, start, random) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = !host.is_empty() && !random.is_empty() && parts.next().is_none();
        whole.then_some(())?;
        Some(Self { start: start.parse().ok()?, text: text.to_owned(), host: host.len() })
    }

    /// Hash of the machine.
    pub fn host(&self) -> &str {
        &self.text[..self.host]
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_are_read_and_ordered() {
        let old = Run::parse("ab12.1000.zz").unwrap();
        assert_eq!((old.host(), old.as_str()), ("ab12", "ab12.1000.zz"));
        assert!(old < Run::parse("ab12.2000.aa").unwrap());
        for wrong in
            ["", "a", "a.1", ".1.r", "a..r", "a.x.r", "a.1.", "a.1.r.s", "a.1.r\n", "é.1.r"]
        {
            assert_eq!(Run::parse(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,20}|[a-z0-9.]{0,20}") {
            if let Some(run) = Run::parse(&text) {
                prop_assert!(text.starts_with(run.host()));
            }
        }
    }
}
