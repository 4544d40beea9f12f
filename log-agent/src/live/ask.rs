//! What a request asks for, checked: every parameter known, none twice. Pure.

use super::files::{Wanted, WantedError};
use super::filter::{FilterError, LineFilter};
use super::viewer::From;
use axum::http::StatusCode;
use common::api_types::live::Filter;
use common::serve::Problem;

/// Most lines to begin with.
const LINES: u32 = 100_000;
/// Lines to begin with, unless asked otherwise.
const USUAL: u32 = 200;
/// Longest query.
const LONGEST: usize = 64 << 10;

/// A query.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Takes one apart; only these parameters are known, and only those of `many` may come again.
    pub fn parse(text: Option<&str>, known: &[&str], many: &[&str]) -> Result<Self, Problem> {
        let text = text.unwrap_or_default();
        if text.len() > LONGEST {
            return Err(bad_query("the query is too long"));
        }
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if name == "ticket" {
                let detail = "a ticket in a query ends up in logs: send it as `Authorization: Bearer`, as a WebSocket subprotocol, or behind #";
                return Err(Problem::new(StatusCode::BAD_REQUEST, "ticket_in_query", detail));
            }
            if !known.contains(&&*name) && !many.contains(&&*name) {
                let name = common::printable::printable(&name);
                let all: Vec<_> = known.iter().chain(many).copied().collect();
                let detail =
                    format!("no parameter \"{name:.40}\" here; there are: {}", all.join(", "));
                return Err(bad_query(detail));
            }
            if !many.contains(&&*name) && query.get(&name).is_some() {
                return Err(bad_query(format!("`{name}` is given twice")));
            }
            query.0.push((name.into_owned(), value.into_owned()));
        }
        Ok(query)
    }

    /// One that may come once.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All of one that may come again.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.clone()).collect()
    }

    /// A number.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        // `parse` alone would take a leading `+`
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits => Ok(Some(number)),
            _ => Err(bad_query(format!("`{name}` must be a number"))),
        }
    }

    /// A switch: `1` or `0`, `true` or `false`.
    pub fn switch(&self, name: &str, usual: bool) -> Result<bool, Problem> {
        match self.get(name) {
            None => Ok(usual),
            Some("1" | "true") => Ok(true),
            Some("0" | "false") => Ok(false),
            Some(_) => Err(bad_query(format!("`{name}` must be 1 or 0"))),
        }
    }

    /// How many lines to begin with.
    pub fn lines(&self) -> Result<u32, Problem> {
        let lines = self.number("lines")?.unwrap_or(u64::from(USUAL));
        let lines = u32::try_from(lines).ok().filter(|lines| *lines <= LINES);
        lines.ok_or_else(|| bad_query(format!("`lines` must be 0 to {LINES}")))
    }

    /// Which files.
    pub fn wanted(&self) -> Result<Wanted, Problem> {
        Wanted::new(&self.all("file")).map_err(|error| match error {
            // a name that leads out of the volume names no file, like any other that is not there
            error @ (WantedError::Name(_) | WantedError::Glob) => {
                Problem::new(StatusCode::BAD_REQUEST, "bad_file", error.to_string())
            }
            error @ WantedError::Many => bad_query(error.to_string()),
        })
    }

    /// Which lines.
    pub fn filter(&self) -> Result<LineFilter, Problem> {
        let filter = Filter {
            grep: self.get("grep").unwrap_or_default().to_owned(),
            invert: self.switch("invert", false)?,
            case: self.switch("case", true)?,
        };
        LineFilter::new(filter).map_err(|error: FilterError| {
            Problem::new(StatusCode::BAD_REQUEST, "bad_filter", error.to_string())
        })
    }

    /// Where files go on.
    pub fn from(&self) -> Result<Vec<From>, Problem> {
        let places = self.all("from");
        let parsed: Option<Vec<From>> = places.iter().map(|text| place(text)).collect();
        parsed
            .filter(|all| all.len() <= super::viewer::FILES)
            .ok_or_else(|| bad_query("`from` must be SOURCE.GENERATION.OFFSET"))
    }
}

fn place(text: &str) -> Option<From> {
    let mut parts = text.split('.');
    let (source, generation, offset) = (parts.next()?, parts.next()?, parts.next()?);
    let known = source.len() == 16 && source.bytes().all(|b| b.is_ascii_hexdigit());
    (known && parts.next().is_none()).then_some(())?;
    let (generation, offset) = (generation.parse().ok()?, offset.parse().ok()?);
    Some(From { source: source.to_owned(), generation, offset })
}

/// 400 `bad_query`.
pub fn bad_query(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail)
}

/// One range of a `Range` header, for a file of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it: no range, or one that is not understood.
    Whole,
    /// These bytes, the end not included.
    Bytes(u64, u64),
    /// None that are there.
    Nothing,
}

/// Reads a `Range` header (RFC 9110 section 14); several ranges are answered with the whole file, as it allows.
pub fn range(header: Option<&str>, len: u64) -> Part {
    let Some(spec) = header.and_then(|h| h.trim().strip_prefix("bytes=")) else {
        return Part::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // more than fits is more than there is
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let Some((first, last)) = spec.trim().split_once('-') else { return Part::Whole };
    let (from, to) = match (number(first), number(last), first, last) {
        (Some(from), Some(last), _, _) if last >= from => (from, last.saturating_add(1).min(len)),
        (Some(from), None, _, "") => (from, len),
        (None, Some(suffix), "", _) => (len.saturating_sub(suffix), len),
        _ => return Part::Whole,
    };
    if from < to { Part::Bytes(from, to) } else { Part::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_known_and_single() {
        let parse = |text| Query::parse(Some(text), &["lines", "follow"], &["file"]);
        let query = parse("file=a&file=b+c&lines=7&follow=1").unwrap();
        assert_eq!(query.all("file"), ["a", "b c"]);
        assert_eq!((query.lines().unwrap(), query.switch("follow", false).unwrap()), (7, true));
        for (wrong, code) in [
            ("x=1", "bad_query"),
            ("lines=1&lines=2", "bad_query"),
            ("ticket=qtk1.x", "ticket_in_query"),
        ] {
            assert_eq!(parse(wrong).unwrap_err().code, code);
        }
        for wrong in
            ["lines=-1", "lines=100001", "lines=", "lines=+1", "lines=99999999999999999999"]
        {
            assert!(parse(wrong).unwrap().lines().is_err(), "{wrong}");
        }
        assert!(parse("follow=2").unwrap().switch("follow", false).is_err());
    }

    #[test]
    fn places() {
        let from = From { source: "0123456789abcdef".into(), generation: 1, offset: 20 };
        assert_eq!(place("0123456789abcdef.1.20"), Some(from));
        for wrong in
            ["", "a.1.2", "0123456789abcdef.1", "0123456789abcdef.1.2.3", "0123456789abcdeg.1.2"]
        {
            assert_eq!(place(wrong), None);
        }
    }

    #[test]
    fn ranges() {
        for (header, part) in [
            (None, Part::Whole),
            (Some("bytes=0-"), Part::Bytes(0, 100)),
            (Some("bytes=10-19"), Part::Bytes(10, 20)),
            (Some("bytes=90-1000"), Part::Bytes(90, 100)),
            (Some("bytes=-5"), Part::Bytes(95, 100)),
            (Some("bytes=-500"), Part::Bytes(0, 100)),
            (Some("bytes=100-"), Part::Nothing),
            (Some("bytes=-0"), Part::Nothing),
            (Some("bytes=99999999999999999999999-"), Part::Nothing),
            (Some("bytes=5-4"), Part::Whole),
            (Some("bytes=0-1,3-4"), Part::Whole),
            (Some("lines=1-2"), Part::Whole),
            (Some("bytes=-"), Part::Whole),
        ] {
            assert_eq!(range(header, 100), part, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn a_part_is_of_the_file(header in "bytes=[0-9, -]{0,24}|.{0,20}", len in 0u64..1_000) {
            if let Part::Bytes(from, to) = range(Some(&header), len) {
                prop_assert!(from < to && to <= len);
            }
        }

        #[test]
        fn any_query_is_borne(text in ".{0,60}") {
            if let Ok(query) = Query::parse(Some(&text), &["lines"], &["file", "from"]) {
                drop((query.lines(), query.wanted(), query.filter(), query.from()));
            }
        }
    }
}
