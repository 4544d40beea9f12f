//! Which lines a viewer sees: a regular expression matched in linear time, bounded in length and in compiled size, so that no pattern can
//! cost more than reading the lines does. Pure.

use common::api_types::live::Filter;
use regex::bytes::{Regex, RegexBuilder};

/// Longest pattern, in bytes.
pub const LONGEST: usize = 1_024;
/// Most bytes a compiled pattern may take, and again as many for its cache.
const COMPILED: usize = 1 << 20;
/// Deepest nesting.
const DEEPEST: u32 = 50;

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Too long.
    #[error("the regular expression has more than {LONGEST} bytes")]
    Long,
    /// Takes too much memory.
    #[error("the regular expression is too large when compiled; use smaller repetitions")]
    Large,
    /// It is none.
    #[error("the regular expression is wrong: {0}")]
    Wrong(String),
}

/// A filter, ready to use.
#[derive(Debug)]
pub struct LineFilter {
    asked: Filter,
    regex: Option<Regex>,
}

impl LineFilter {
    /// Compiles what was asked for.
    pub fn new(asked: Filter) -> Result<Self, FilterError> {
        if asked.grep.len() > LONGEST {
            return Err(FilterError::Long);
        }
        let regex = (!asked.grep.is_empty()).then(|| compile(&asked)).transpose()?;
        Ok(Self { asked, regex })
    }

    /// As it was asked for.
    pub fn asked(&self) -> &Filter {
        &self.asked
    }

    /// Whether every line is shown.
    pub fn is_open(&self) -> bool {
        self.regex.is_none() && !self.asked.invert
    }

    /// Whether a line, without its end, is shown.
    pub fn shows(&self, line: &[u8]) -> bool {
        // most writers on Windows and some protocols end lines with CR LF: `$` is before both
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.regex.as_ref().is_none_or(|regex| regex.is_match(line)) != self.asked.invert
    }
}

fn compile(asked: &Filter) -> Result<Regex, FilterError> {
    RegexBuilder::new(&asked.grep)
        .case_insensitive(!asked.case)
        .size_limit(COMPILED)
        .dfa_size_limit(COMPILED)
        .nest_limit(DEEPEST)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => FilterError::Large,
            // the last line says what is wrong, those before draw an arrow to it
            error => {
                let told = error.to_string();
                let last = told.lines().last().unwrap_or_default();
                FilterError::Wrong(last.trim_start_matches("error: ").to_owned())
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    fn filter(grep: &str, invert: bool, case: bool) -> LineFilter {
        LineFilter::new(Filter { grep: grep.into(), invert, case }).unwrap()
    }

    #[test]
    fn lines_that_fit() {
        for (grep, invert, case, line, shown) in [
            ("", false, true, &b"anything"[..], true),
            ("", true, true, b"anything", false),
            ("ERROR|WARN", false, true, b"an ERROR", true),
            ("error", false, true, b"an ERROR", false),
            ("error", false, false, b"an ERROR", true),
            ("error", true, false, b"an ERROR", false),
            ("^a.b$", false, true, b"axb\r", true),
            ("b", false, true, b"\xff\xfeb\xff", true),
            ("\u{e4}", false, false, "\u{c4}".as_bytes(), true),
        ] {
            assert_eq!(filter(grep, invert, case).shows(line), shown, "{grep} {line:?}");
        }
    }

    #[test]
    fn bombs_are_refused_or_harmless() {
        let made = |grep: String| LineFilter::new(Filter { grep, invert: false, case: true });
        assert_eq!(made("a".repeat(LONGEST + 1)).unwrap_err(), FilterError::Long);
        assert_eq!(made("((a{100}){100}){100}".into()).unwrap_err(), FilterError::Large);
        assert_eq!(made(r"(\w{50}){50}{50}".into()).unwrap_err(), FilterError::Large);
        for wrong in ["(", "[z-a]", r"(?<name", r"(a)\1", "(?=a)", &"(".repeat(1_000)] {
            let told = made(wrong.to_owned()).unwrap_err().to_string();
            assert!(told.lines().count() == 1 && told.len() < 200, "{told}");
        }
        // what ruins engines that try one way after the other
        let line = [b"a".repeat(60_000), b"!".to_vec()].concat();
        let begun = Instant::now();
        for evil in ["(a+)+$", "(a|aa)+$", "(.*a){20}b", "(a?){30}a{30}$"] {
            assert!(!filter(evil, false, true).shows(&line));
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    proptest! {
        #[test]
        fn any_pattern_is_borne(grep in ".{0,60}|[a-c(){}*+?|\\[\\]^$.\\\\0-9]{0,40}", line in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(filter) = LineFilter::new(Filter { grep: grep.clone(), invert: false, case: false }) {
                let other = LineFilter::new(Filter { grep, invert: true, case: false }).unwrap();
                prop_assert_ne!(filter.shows(&line), other.shows(&line));
            }
        }
    }
}
