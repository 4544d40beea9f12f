//! What a viewer asks for, checked, and how it is asked of a log-agent. Pure.

use common::api_types::live::Filter;
use common::printable::{acts, printable};
use regex::RegexBuilder;
use std::fmt::Write as _;

/// Lines before the end, unless asked otherwise, and at most; without following more can be had.
const LINES: u32 = 200;
const LINES_MOST: u32 = 100_000;
/// Longest glob, in bytes.
const LONGEST_GLOB: usize = 1_024;
/// As the log-agents have it: what they would refuse is refused here, once.
const LONGEST_GREP: usize = 1_024;
const COMPILED: usize = 1 << 20;
const DEEPEST: u32 = 50;

/// As it is given.
#[derive(Debug, Default)]
pub struct Given {
    /// A name or a glob.
    pub file: Option<String>,
    /// Lines before the end.
    pub lines: Option<u32>,
    /// A regular expression.
    pub grep: Option<String>,
    /// The lines that do not fit.
    pub invert: Option<u8>,
    /// Capital letters are told apart.
    pub case: Option<u8>,
    /// What comes, too.
    pub follow: Option<u8>,
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which files; None for all.
    pub file: Option<String>,
    /// How many lines before the end, of each file.
    pub lines: u32,
    /// Which lines.
    pub filter: Filter,
    /// What comes, too.
    pub follow: bool,
}

impl Wanted {
    /// Checks; what is wrong is said in words, with the parameter's name.
    pub fn of(given: Given) -> Result<Self, String> {
        let file = given.file.filter(|file| !file.is_empty());
        if file.as_ref().is_some_and(|f| f.len() > LONGEST_GLOB || f.contains(acts)) {
            return Err(format!("file: must be at most {LONGEST_GLOB} bytes of plain text"));
        }
        let lines = given.lines.unwrap_or(LINES);
        if lines > LINES_MOST {
            return Err(format!("lines: at most {LINES_MOST}"));
        }
        let filter = Filter {
            grep: given.grep.unwrap_or_default(),
            invert: flag("invert", given.invert, false)?,
            case: flag("case", given.case, true)?,
        };
        check(&filter).map_err(|why| format!("grep: {why}"))?;
        Ok(Self { file, lines, filter, follow: flag("follow", given.follow, true)? })
    }
}

fn flag(name: &str, given: Option<u8>, usual: bool) -> Result<bool, String> {
    match given {
        None => Ok(usual),
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        Some(_) => Err(format!("{name}: must be 0 or 1")),
    }
}

/// Whether log-agents take this filter.
pub fn check(filter: &Filter) -> Result<(), String> {
    if filter.grep.len() > LONGEST_GREP {
        return Err(format!("the regular expression has more than {LONGEST_GREP} bytes"));
    }
    let built = RegexBuilder::new(&filter.grep)
        .size_limit(COMPILED)
        .dfa_size_limit(COMPILED)
        .nest_limit(DEEPEST)
        .build();
    match built {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(_)) => {
            Err("the regular expression is too large when compiled; use smaller repetitions".into())
        }
        Err(error) => {
            // the last line says what is wrong, those before draw an arrow to it
            let told = error.to_string();
            let last = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Err(format!("the regular expression is wrong: {}", printable(last)))
        }
    }
}

/// The filter as parameters, each with a `&` before it.
pub fn parameters(filter: &Filter) -> String {
    let mut out = String::new();
    if !filter.grep.is_empty() {
        // writing to a string does not fail
        write!(out, "&grep={}", encoded(&filter.grep)).ok();
    }
    if filter.invert {
        out.push_str("&invert=1");
    }
    if !filter.case {
        out.push_str("&case=0");
    }
    out
}

/// A text as one segment of a path, or a value of a query.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // writing to a string does not fail
            write!(out, "%{byte:02X}").ok();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: Given) -> Result<Wanted, String> {
        Wanted::of(given)
    }

    #[test]
    fn what_log_agents_would_refuse_is_refused_once() {
        let plain = of(Given::default()).unwrap();
        let filter = Filter { grep: String::new(), invert: false, case: true };
        assert_eq!(plain, Wanted { file: None, lines: 200, filter, follow: true });
        for (given, said) in [
            (Given { lines: Some(100_001), ..Given::default() }, "lines: at most"),
            (Given { follow: Some(2), ..Given::default() }, "follow: must be 0 or 1"),
            (
                Given { grep: Some("(".into()), ..Given::default() },
                "grep: the regular expression is wrong: unclosed group",
            ),
            (Given { grep: Some("(a{1000}){1000}".into()), ..Given::default() }, "too large"),
            (Given { grep: Some("a".repeat(1_025)), ..Given::default() }, "more than 1024"),
            (Given { file: Some("a\u{1b}".into()), ..Given::default() }, "file: must be"),
        ] {
            let refused = of(given).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }

    #[test]
    fn a_filter_as_parameters() {
        let filter = Filter { grep: "a&b c".into(), invert: true, case: false };
        assert_eq!(parameters(&filter), "&grep=a%26b%20c&invert=1&case=0");
        assert_eq!(parameters(&Filter { case: true, ..Filter::default() }), "");
    }
}
