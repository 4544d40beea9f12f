//! Metrics in the form carbon takes: `<path> <value> <unix seconds>\n`, one point a line.
//!
//! A [`Batch`] holds the points of one timestamp, already as lines; it is what travels to the spool and over the wire. Whatever carbon
//! would hang up on (graphite.md section 1: a non-finite value, a line that is too long, foreign bytes) never gets into a batch: it is
//! refused here and counted in [`Batch::refused`].

use crate::ids::{AppId, InstanceId, NodeName};

/// Longest line this product sends, newline included. Carbon closes the connection beyond 16384 bytes, file systems refuse paths
/// of 4096; a path this long is a mistake upstream, not a metric.
pub const MAX_LINE: usize = 1024;

/// One figure, printed without loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(u64),
    /// A whole number of nanoseconds, printed in seconds.
    Nanos(u64),
    /// A whole number of microseconds, printed in seconds.
    Micros(u64),
    /// A whole number of thousandths, printed in units.
    Milli(u64),
    /// A ratio or rate, printed with at most four decimals.
    Float(f64),
}

impl Value {
    /// The figure as a float, for JSON and charts. May be non-finite only for [`Value::Float`].
    #[expect(
        clippy::cast_precision_loss,
        reason = "a float is what was asked for; carbon stores f64 too"
    )]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(v) => v as f64,
            Self::Nanos(v) => v as f64 / 1e9,
            Self::Micros(v) => v as f64 / 1e6,
            Self::Milli(v) => v as f64 / 1e3,
            Self::Float(v) => v,
        }
    }

    /// Appends the figure in decimal. False, and nothing appended, if it is not finite.
    pub fn write(self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Int(v) => out.extend_from_slice(itoa::Buffer::new().format(v).as_bytes()),
            Self::Nanos(v) => {
                write_fraction(out, v / 1_000_000_000, v % 1_000_000_000, 100_000_000)
            }
            Self::Micros(v) => write_fraction(out, v / 1_000_000, v % 1_000_000, 100_000),
            Self::Milli(v) => write_fraction(out, v / 1_000, v % 1_000, 100),
            Self::Float(v) => return write_float(out, v),
        }
        true
    }
}

/// `whole`, then the digits of `rest` from `digit` (a power of ten) down, trailing zeros cut.
fn write_fraction(out: &mut Vec<u8>, whole: u64, mut rest: u64, mut digit: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    if rest == 0 {
        return;
    }
    out.push(b'.');
    while rest > 0 && digit > 0 {
        out.push(b'0' + u8::try_from(rest / digit % 10).unwrap_or(0));
        rest %= digit;
        digit /= 10;
    }
}

/// Four decimals; magnitudes too large for that are printed as whole numbers, or in the shortest exact form.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked in the line before"
)]
fn write_float(out: &mut Vec<u8>, v: f64) -> bool {
    if !v.is_finite() {
        return false;
    }
    let scaled = (v.abs() * 1e4).round();
    if scaled < 9e18 {
        let scaled = scaled as u64;
        if v < 0.0 && scaled > 0 {
            out.push(b'-');
        }
        write_fraction(out, scaled / 10_000, scaled % 10_000, 1_000);
    } else {
        out.extend_from_slice(format!("{v:e}").as_bytes());
    }
    true
}

/// A metric's name in three pieces, so that `io.<device>.read_bytes_total` needs no allocation.
/// The middle must be a Graphite component already ([`crate::ids::component`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a>(pub &'a str, pub &'a str, pub &'a str);

impl<'a> From<&'a str> for Name<'a> {
    fn from(name: &'a str) -> Self {
        Self(name, "", "")
    }
}

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}{}", self.0, self.1, self.2)
    }
}

/// How series are named: `[graphite] style`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `qae.dc1.app.shop_web.inst.abc.cpu.percent`
    Path,
    /// `cpu.percent;app=shop/web;dc=dc1;inst=abc`
    Tags,
}

/// Makes the constant part of a series' name, once per container.
#[derive(Debug, Clone)]
pub struct Namer {
    prefix: String,
    dc: String,
    style: Style,
}

/// What stands before and after the metric's own name in every line of one series family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Series {
    /// The whole name of a metric of this family, as carbon knows it.
    pub fn name(&self, metric: &str) -> String {
        let part = |bytes| String::from_utf8_lossy(bytes).into_owned();
        part(&self.head) + metric + &part(&self.tail)
    }
}

impl Namer {
    /// `prefix` may have dots; every component of it and `dc` are escaped where needed.
    pub fn new(prefix: &str, dc: &str, style: Style) -> Self {
        let prefix = prefix
            .split('.')
            .filter(|p| !p.is_empty())
            .map(crate::ids::component)
            .collect::<Vec<_>>()
            .join(".");
        Self { prefix, dc: dc.to_owned(), style }
    }

    /// `<prefix>.<dc>.app.<app>.inst.<instance>.`
    pub fn instance(&self, app: &AppId, instance: &InstanceId) -> Series {
        self.series(
            &format!("app.{}.inst.{}.", app.component(), instance.component()),
            &[("app", app.as_str()), ("dc", &self.dc), ("inst", instance.as_str())],
        )
    }

    /// `<prefix>.<dc>.app.<app>.all.`: what is counted per app, where `inst.*` cannot match it.
    pub fn app(&self, app: &AppId) -> Series {
        self.series(
            &format!("app.{}.all.", app.component()),
            &[("app", app.as_str()), ("dc", &self.dc), ("scope", "all")],
        )
    }

    /// `<prefix>.<dc>.node.<node>.`
    pub fn node(&self, node: &NodeName) -> Series {
        self.series(
            &format!("node.{}.", node.component()),
            &[("dc", &self.dc), ("node", node.as_str())],
        )
    }

    fn series(&self, path: &str, tags: &[(&str, &str)]) -> Series {
        match self.style {
            Style::Path => {
                let dot = if self.prefix.is_empty() { "" } else { "." };
                let head =
                    format!("{}{dot}{}.{path}", self.prefix, crate::ids::component(&self.dc));
                Series { head: head.into_bytes(), tail: Vec::new() }
            }
            Style::Tags => {
                let tail =
                    tags.iter().map(|(k, v)| format!(";{k}={}", tag_value(v))).collect::<String>();
                Series { head: Vec::new(), tail: tail.into_bytes() }
            }
        }
    }
}

/// A tag value carbon's index takes: `[A-Za-z0-9_/.:-]`, not empty; anything else is escaped with a hash like a component, since
/// one bad tag makes the index refuse its whole batch (graphite.md section 1).
fn tag_value(value: &str) -> String {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_/.:-".contains(&b);
    if !value.is_empty() && value.len() <= crate::ids::MAX_COMPONENT && value.bytes().all(allowed) {
        return value.to_owned();
    }
    crate::ids::component(value)
}

/// The points of one timestamp, as carbon lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Unix seconds of every point.
    pub timestamp: u64,
    /// How many points, which is how many lines.
    pub points: u32,
    /// Points refused because they were not finite or too long.
    pub refused: u32,
    /// The lines, each ended by `\n`.
    pub lines: Vec<u8>,
}

impl Batch {
    /// Empties the batch for a new timestamp and keeps its memory.
    pub fn restart(&mut self, timestamp: u64) {
        self.timestamp = timestamp;
        self.points = 0;
        self.refused = 0;
        self.lines.clear();
    }

    /// Appends one point, or counts it as refused.
    pub fn push(&mut self, series: &Series, name: Name<'_>, value: Value) {
        let start = self.lines.len();
        self.lines.extend_from_slice(&series.head);
        self.lines.extend_from_slice(name.0.as_bytes());
        self.lines.extend_from_slice(name.1.as_bytes());
        self.lines.extend_from_slice(name.2.as_bytes());
        self.lines.extend_from_slice(&series.tail);
        self.lines.push(b' ');
        let printed = value.write(&mut self.lines);
        self.lines.push(b' ');
        self.lines.extend_from_slice(itoa::Buffer::new().format(self.timestamp).as_bytes());
        self.lines.push(b'\n');
        if printed && self.lines.len() - start <= MAX_LINE {
            self.points += 1;
        } else {
            self.lines.truncate(start);
            self.refused += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(value: Value) -> String {
        let mut out = Vec::new();
        assert!(value.write(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_print_exactly() {
        assert_eq!(printed(Value::Int(u64::MAX)), "18446744073709551615");
        assert_eq!(printed(Value::Nanos(1_500_000_001)), "1.500000001");
        assert_eq!(printed(Value::Nanos(2_000_000_000)), "2");
        assert_eq!(printed(Value::Micros(50)), "0.00005");
        assert_eq!(printed(Value::Milli(2_500)), "2.5");
        assert_eq!(printed(Value::Float(49.87654)), "49.8765");
        assert_eq!(printed(Value::Float(-0.5)), "-0.5");
        assert_eq!(printed(Value::Float(-0.00001)), "0");
    }

    #[test]
    fn non_finite_and_overlong_points_are_refused_and_counted() {
        let series = Namer::new("qae", "dc1", Style::Path).node(&NodeName::new("n1"));
        let mut batch = Batch::default();
        batch.restart(1_795_392_000);
        batch.push(&series, Name::from("load.1m"), Value::Float(f64::NAN));
        batch.push(&series, Name::from("load.1m"), Value::Float(f64::INFINITY));
        batch.push(&series, Name("io.", &"x".repeat(2000), ".a"), Value::Int(1));
        batch.push(&series, Name::from("load.1m"), Value::Float(0.25));
        assert_eq!(batch.lines, b"qae.dc1.node.n1.load.1m 0.25 1795392000\n");
        assert_eq!((batch.points, batch.refused), (1, 3));
    }

    #[test]
    fn both_styles_name_the_same_thing() {
        let (app, inst) = (AppId::new("video/api"), InstanceId::new("video_api.instance-1._app.1"));
        let path = Namer::new("qae", "dc1", Style::Path).instance(&app, &inst);
        let head = String::from_utf8(path.head).unwrap();
        assert!(
            head.starts_with("qae.dc1.app.video_api.inst.video_api_instance-1__app_1-"),
            "{head}"
        );
        let tags = Namer::new("qae", "dc1", Style::Tags).instance(&app, &inst);
        assert_eq!(tags.tail, b";app=video/api;dc=dc1;inst=video_api.instance-1._app.1");
        let odd = Namer::new("qae", "dc 1;x", Style::Tags).app(&app);
        assert!(!String::from_utf8(odd.tail).unwrap().contains(' '));
    }

    proptest! {
        #[test]
        fn every_printed_value_is_a_number_close_to_the_figure(v in any::<f64>(), n in any::<u64>()) {
            let mut out = Vec::new();
            if Value::Float(v).write(&mut out) {
                let back: f64 = std::str::from_utf8(&out).unwrap().parse().unwrap();
                prop_assert!((back - v).abs() <= 0.000_051_f64.max(v.abs() * 1e-9));
            } else {
                prop_assert!(out.is_empty() && !v.is_finite());
            }
            for value in [Value::Nanos(n), Value::Micros(n), Value::Milli(n)] {
                let back: f64 = printed(value).parse().unwrap();
                prop_assert!((back - value.as_f64()).abs() <= back * 1e-15);
            }
        }
    }
}
