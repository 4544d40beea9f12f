//! Points in time: on the wire RFC 3339 (contracts.md: UTC with milliseconds), in memory Unix milliseconds. Pure but for [`Moment::now`].

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time by the wall clock, in whole milliseconds since 1970. In JSON `2020-01-13T15:20:20.917Z`; read with any offset and
/// any number of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime, example = "2026-01-13T15:20:20.917Z"))]
pub struct Moment(u64);

impl Moment {
    /// The last moment that has four digits for its year, so that all of them print.
    pub const LAST: Self = Self(253_402_300_799_999);

    /// Now, by this host's clock. A clock before 1970 reads as 1970.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// From Unix milliseconds; later ones than [`Self::LAST`] are cut to it.
    pub fn from_unix_ms(ms: u64) -> Self {
        Self(ms).min(Self::LAST)
    }

    /// From RFC 3339 text; None for what is none, and for times before 1970.
    pub fn parse(text: &str) -> Option<Self> {
        unix_ms(text).map(Self).filter(|m| *m <= Self::LAST)
    }

    /// Unix milliseconds.
    pub fn unix_ms(self) -> u64 {
        self.0
    }

    /// How long this is after `earlier`; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Later by so much.
    pub fn after(self, duration: Duration) -> Self {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::from_unix_ms(self.0.saturating_add(ms))
    }

    /// Earlier by so much.
    pub fn before(self, duration: Duration) -> Self {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(ms))
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let ms = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        Self::from_unix_ms(u64::try_from(ms).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_millis(self.0);
        write!(f, "{}", humantime::format_rfc3339_millis(time))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("not a time such as 2026-01-13T15:20:20.917Z"))
    }
}

/// Unix milliseconds of `2020-01-13T15:20:20.917604118Z`, offsets allowed. None for what is no time, and for times before 1970:
/// Docker writes year 1 for "never".
pub fn unix_ms(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (year, month, day) = (field(date, 0, 4)?, field(date, 5, 2)?, field(date, 8, 2)?);
    let (time, rest) = rest.split_at_checked(9)?;
    let (hour, minute, second) = (field(time, 1, 2)?, field(time, 4, 2)?, field(time, 7, 2)?);
    let marks = [date.as_bytes()[4], date.as_bytes()[7], time.as_bytes()[3], time.as_bytes()[6]];
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day);
    if marks != *b"--::" || !fits || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if !matches!(time.as_bytes()[0], b'T' | b't' | b' ') {
        return None;
    }
    let (millis, zone) = fraction(rest)?;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    u64::try_from((seconds - offset(zone)?) * 1_000 + millis).ok()
}

/// Digits at a place, as a number.
fn field(text: &str, at: usize, len: usize) -> Option<i64> {
    let digits = text.get(at..at + len)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Milliseconds of `.917604118`, and what follows.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(text) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let millis: String = digits.chars().chain("000".chars()).take(3).collect();
    (!digits.is_empty()).then_some((millis.parse().ok()?, rest))
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes() {
        b"Z" | b"z" => return Some(0),
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    Some(sign * (field(zone, 1, 2)? * 3_600 + field(zone, 4, 2)? * 60))
}

/// Days since 1970-01-01 of a date in the Gregorian calendar, years counted from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments() {
        for (text, wanted) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2020-01-13T15:20:20.917604118Z", Some(1_578_928_820_917)),
            ("2020-02-29T23:59:59.5Z", Some(1_583_020_799_500)),
            ("2020-01-13T16:20:20+01:00", Some(1_578_928_820_000)),
            ("2020-01-13T11:50:20-03:30", Some(1_578_928_820_000)),
            ("0001-01-01T00:00:00Z", None),
            ("", None),
            ("2020-13-01T00:00:00Z", None),
            ("2020-01-13T15:20:20.Z", None),
            ("2020-01-13T15:20:20", None),
            ("2020-01-1é", None),
        ] {
            assert_eq!(unix_ms(text), wanted, "{text}");
        }
    }

    #[test]
    fn in_json_and_back() {
        let moment = Moment::parse("2020-01-13T16:20:20.9+01:00").unwrap();
        assert_eq!(serde_json::to_string(&moment).unwrap(), "\"2020-01-13T15:20:20.900Z\"");
        assert!(serde_json::from_str::<Moment>("\"yesterday\"").is_err());
        assert_eq!(Moment::from_unix_ms(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    proptest! {
        #[test]
        fn every_moment_comes_back(ms in 0..=Moment::LAST.unix_ms()) {
            let moment = Moment::from_unix_ms(ms);
            prop_assert_eq!(Moment::parse(&moment.to_string()), Some(moment));
        }

        #[test]
        fn days_follow_each_other(day in 0i64..100_000) {
            // a walk by civil rules: the next day is either day+1, or the 1st of the next month
            let found = (1970..=2244).flat_map(|y| (1..=12).map(move |m| (y, m)))
                .take_while(|(y, m)| days(*y, *m, 1) <= day).last();
            let (y, m) = found.unwrap_or((1970, 1));
            let d = day - days(y, m, 1) + 1;
            prop_assert!((1..=31).contains(&d), "{y}-{m}-{d}");
            let text = format!("{y:04}-{m:02}-{d:02}T00:00:00Z");
            prop_assert_eq!(unix_ms(&text), u64::try_from(day * 86_400_000).ok());
        }

        #[test]
        fn no_text_breaks_it(text in ".{0,40}|[0-9:.TZ+-]{10,40}") {
            prop_assert!(unix_ms(&text).is_none_or(|ms| ms < 400_000_000_000_000));
        }
    }
}
