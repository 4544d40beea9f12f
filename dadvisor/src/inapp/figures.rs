//! What one container's apps gave, within bounds. Pure.
//!
//! Names and values come from inside containers and are hostile: a name is made of escaped components, no longer than [`MAX_NAME`];
//! non-finite values, names already taken and whatever is beyond the cap are dropped and counted.

use common::ids::component;
use common::metric::Value;

/// Longest metric name below an instance, in bytes: with the longest app and instance it still fits a carbon line.
const MAX_NAME: usize = 400;

/// What was not taken, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// NaN and infinities.
    pub non_finite: u64,
    /// Series beyond the cap.
    pub over_cap: u64,
    /// Names that would be too long.
    pub too_long: u64,
    /// Names that another series had first.
    pub duplicate: u64,
    /// Histogram buckets and quantiles.
    pub buckets: u64,
    /// Lines that are not in the page's form.
    pub malformed: u64,
}

impl Dropped {
    /// Every cause with its count.
    pub fn by_cause(&self) -> [(&'static str, u64); 6] {
        [
            ("non_finite", self.non_finite),
            ("over_cap", self.over_cap),
            ("too_long", self.too_long),
            ("duplicate", self.duplicate),
            ("buckets", self.buckets),
            ("malformed", self.malformed),
        ]
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.non_finite += other.non_finite;
        self.over_cap += other.over_cap;
        self.too_long += other.too_long;
        self.duplicate += other.duplicate;
        self.buckets += other.buckets;
        self.malformed += other.malformed;
    }
}

/// Named figures of one container, at most `cap`.
#[derive(Debug)]
pub(super) struct Figures {
    pub list: Vec<(String, Value)>,
    pub dropped: Dropped,
    cap: usize,
}

impl Figures {
    pub fn new(cap: usize) -> Self {
        Self { list: Vec::new(), dropped: Dropped::default(), cap }
    }

    /// Takes a figure. The name is made of components and dots.
    pub fn push(&mut self, name: impl Into<String>, value: Value) {
        let name = name.into();
        if name.len() > MAX_NAME {
            self.dropped.too_long += 1;
        } else if !value.as_f64().is_finite() {
            self.dropped.non_finite += 1;
        } else if self.list.len() >= self.cap {
            self.dropped.over_cap += 1;
        } else if self.list.iter().any(|(taken, _)| *taken == name) {
            self.dropped.duplicate += 1;
        } else {
            self.list.push((name, value));
        }
    }

    /// Takes a figure that may be absent.
    pub fn push_some(&mut self, name: impl Into<String>, value: Option<Value>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }
}

/// `<head>.<foreign name><tail>`, the foreign name as one component.
pub(super) fn named(head: &str, foreign: &str, tail: &str) -> String {
    format!("{head}.{}{tail}", component(foreign))
}

/// A number as text: whole ones exactly, others with nine decimals where a float has them, since seconds are often small.
pub(super) fn number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse() {
        return Some(Value::Int(whole));
    }
    text.parse().ok().map(float)
}

/// A float as the value that prints best.
pub(super) fn float(v: f64) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked in the line before"
    )]
    if v >= 0.0 && v.fract() == 0.0 && v < 9e15 {
        Value::Int(v as u64)
    } else if v > 0.0 && v < 1e6 {
        Value::Nanos((v * 1e9).round() as u64)
    } else {
        Value::Float(v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(text: &str) -> String {
        let mut out = Vec::new();
        number(text).unwrap().write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_keep_what_they_have() {
        assert_eq!(printed("18446744073709551615"), "18446744073709551615");
        assert_eq!(printed("1.6e+09"), "1600000000");
        assert_eq!(printed("2.5e-05"), "0.000025");
        assert_eq!(printed("-3"), "-3");
        assert_eq!(printed("12345678.9"), "12345678.9");
        assert_eq!(number("0x10"), None);
        assert_eq!(number(""), None);
    }

    #[test]
    fn every_drop_has_its_cause() {
        let mut figures = Figures::new(2);
        figures.push("a", Value::Int(1));
        figures.push("a", Value::Int(2));
        figures.push("b", Value::Float(f64::NAN));
        figures.push("x".repeat(401), Value::Int(1));
        figures.push("c", Value::Int(3));
        figures.push("d", Value::Int(4));
        assert_eq!(
            figures.list,
            [("a".to_owned(), Value::Int(1)), ("c".to_owned(), Value::Int(3))]
        );
        let want =
            Dropped { non_finite: 1, over_cap: 1, too_long: 1, duplicate: 1, ..Dropped::default() };
        assert_eq!(figures.dropped, want);
    }

    proptest! {
        #[test]
        fn floats_stay_close(v in any::<f64>()) {
            prop_assume!(v.is_finite());
            prop_assert!((float(v).as_f64() - v).abs() <= 5e-10_f64.max(v.abs() * 1e-12));
        }
    }
}
