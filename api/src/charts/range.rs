//! `since` and `until` of a question: Unix seconds, RFC 3339, or a time ago (`-15m`). Pure.

use common::moment::Moment;
use std::time::Duration;

/// Longest range answered.
pub const LONGEST: Duration = Duration::from_secs(400 * 86_400);
/// What is answered when nothing is asked.
pub const USUAL: Duration = Duration::from_secs(3_600);

/// From, exclusive, to, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The earlier end.
    pub since: Moment,
    /// The later end.
    pub until: Moment,
}

/// The question's times make no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Not a time.
    #[error("{key} is no time: give Unix seconds, RFC 3339, or a time ago such as -15m")]
    Time {
        /// The parameter.
        key: &'static str,
    },
    /// Nothing lies between them.
    #[error("since is not before until")]
    Empty,
    /// Too much lies between them.
    #[error("a range may be {} days long", LONGEST.as_secs() / 86_400)]
    TooLong,
}

impl Range {
    /// Reads what was asked; the last hour by default.
    pub fn of(since: Option<&str>, until: Option<&str>, now: Moment) -> Result<Self, RangeError> {
        let read = |key, text: Option<&str>| {
            text.map(|t| moment(t, now).ok_or(RangeError::Time { key })).transpose()
        };
        let until = read("until", until)?.unwrap_or(now);
        let since = read("since", since)?.unwrap_or(until.before(USUAL));
        if since >= until {
            return Err(RangeError::Empty);
        }
        if until.since(since) > LONGEST {
            return Err(RangeError::TooLong);
        }
        Ok(Self { since, until })
    }
}

/// One time; None if it is none.
pub fn moment(text: &str, now: Moment) -> Option<Moment> {
    if let Some(ago) = text.strip_prefix('-') {
        return humantime::parse_duration(ago).ok().map(|ago| now.before(ago));
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<u64>().ok()?.checked_mul(1_000).map(Moment::from_unix_ms);
    }
    // a + that nobody encoded reads as a blank in a query
    Moment::parse(&text.replace(' ', "+"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_of_a_time() {
        let now = Moment::from_unix_ms(1_700_000_000_000);
        let hour = |since, until| Range::of(since, until, now);
        assert_eq!(hour(None, None).unwrap().since, now.before(USUAL));
        assert_eq!(hour(Some("-15m"), None).unwrap().since, now.before(Duration::from_secs(900)));
        assert_eq!(hour(Some("1699999000"), None).unwrap().since.unix_ms(), 1_699_999_000_000);
        let day = hour(Some("2023-11-01T00:00:00Z"), Some("2023-11-02T00:00:00 00:00")).unwrap();
        assert_eq!(day.until.since(day.since), Duration::from_secs(86_400));
        assert_eq!(hour(Some("yesterday"), None), Err(RangeError::Time { key: "since" }));
        assert_eq!(hour(Some("-1h"), Some("-2h")), Err(RangeError::Empty));
        assert_eq!(hour(Some("0"), None), Err(RangeError::TooLong));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,30}|-?[0-9a-zA-Z:.]{0,30}") {
            if let Ok(range) = Range::of(Some(&text), None, Moment::from_unix_ms(1_700_000_000_000)) {
                prop_assert!(range.since < range.until);
            }
        }
    }
}
