//! Prometheus text (version 0.0.4): families that are filled in any order and printed whole, HELP and TYPE once each. Pure.
//!
//! Samples are kept as values and printed piece by piece, since the text of a host with many containers is many times as large.

use crate::metric::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::vec;

/// Bytes of a piece of text, about.
pub const PIECE: usize = 32 << 10;

/// The `Content-Type` of what [`Exposition::pieces`] makes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a family's values do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They only rise, but for restarts.
    Counter,
    /// They rise and fall.
    Gauge,
}

impl Kind {
    /// The kind by this product's naming: what ends in `_total` is a counter.
    pub fn of(name: &str) -> Self {
        if name.ends_with("_total") { Self::Counter } else { Self::Gauge }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// The labels of a sample, escaped once and shared by many: `a="1",b="2"`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels(Arc<str>);

impl Labels {
    /// Label names must be `[a-zA-Z_][a-zA-Z0-9_]*`: they come from code. Values may be any text.
    pub fn new(pairs: &[(&str, &str)]) -> Self {
        let mut out = String::new();
        for (name, value) in pairs {
            append(&mut out, name, value);
        }
        Self(out.into())
    }

    /// The same and one more.
    #[must_use]
    pub fn and(&self, name: &str, value: &str) -> Self {
        let mut out = String::from(&*self.0);
        append(&mut out, name, value);
        Self(out.into())
    }
}

fn append(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(name);
    out.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[derive(Debug)]
struct Family {
    help: String,
    samples: Vec<(Labels, Value)>,
}

/// A text in the making.
#[derive(Debug, Default)]
pub struct Exposition {
    families: BTreeMap<String, Family>,
}

impl Exposition {
    /// Adds one sample to its family, which begins with its first. A value that is not finite is left out: absent, not `NaN`.
    pub fn add(&mut self, name: &str, help: &str, labels: &Labels, value: Value) {
        if !value.as_f64().is_finite() {
            return;
        }
        if let Some(family) = self.families.get_mut(name) {
            family.samples.push((labels.clone(), value));
            return;
        }
        let family = Family { help: help.to_owned(), samples: vec![(labels.clone(), value)] };
        self.families.insert(name.to_owned(), family);
    }

    /// The text in pieces that end with a line, each of some [`PIECE`] bytes, families sorted by name.
    pub fn pieces(self) -> impl Iterator<Item = Vec<u8>> {
        let mut families = self.families.into_iter();
        let mut under_way: Option<(String, vec::IntoIter<(Labels, Value)>)> = None;
        std::iter::from_fn(move || {
            let mut out = Vec::with_capacity(PIECE + PIECE / 8);
            while out.len() < PIECE {
                if let Some((name, samples)) = &mut under_way {
                    match samples.next() {
                        Some((labels, value)) => print(&mut out, name, &labels, value),
                        None => under_way = None,
                    }
                } else if let Some((name, Family { help, samples })) = families.next() {
                    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
                    let kind = Kind::of(&name).word();
                    let head = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
                    out.extend_from_slice(head.as_bytes());
                    under_way = Some((name, samples.into_iter()));
                } else {
                    break;
                }
            }
            (!out.is_empty()).then_some(out)
        })
    }

    /// The whole text: for those with little to say.
    pub fn finish(self) -> Vec<u8> {
        self.pieces().flatten().collect()
    }
}

fn print(out: &mut Vec<u8>, name: &str, labels: &Labels, value: Value) {
    out.extend_from_slice(name.as_bytes());
    if !labels.0.is_empty() {
        out.push(b'{');
        out.extend_from_slice(labels.0.as_bytes());
        out.push(b'}');
    }
    out.push(b' ');
    // finite: add() has seen to that
    value.write(out);
    out.push(b'\n');
}

/// A metric's dotted name below a prefix as a family's name: `cpu.percent` below `qae_container` is `qae_container_cpu_percent`.
/// Whatever Prometheus does not take becomes `_`.
pub fn family(prefix: &str, metric: &str) -> String {
    let mut out = String::with_capacity(prefix.len() + 1 + metric.len());
    out.push_str(prefix);
    out.push('_');
    out.extend(metric.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(exposition: Exposition) -> String {
        String::from_utf8(exposition.finish()).unwrap()
    }

    #[test]
    fn families_are_whole_whatever_the_order() {
        let mut out = Exposition::default();
        let (a, b) = (Labels::new(&[("app", "a")]), Labels::new(&[("app", "b"), ("dc", "d")]));
        out.add("x_total", "Times x.\nTwice.", &a, Value::Int(1));
        out.add("y", "How much y.", &Labels::default(), Value::Float(0.5));
        out.add("x_total", "Times x.\nTwice.", &b, Value::Nanos(1_500_000_000));
        out.add("y", "How much y.", &a, Value::Float(f64::NAN));
        out.add("z", "Never finite.", &a, Value::Float(f64::INFINITY));
        assert_eq!(
            text(out),
            "# HELP x_total Times x.\\nTwice.\n# TYPE x_total counter\nx_total{app=\"a\"} 1\n\
             x_total{app=\"b\",dc=\"d\"} 1.5\n# HELP y How much y.\n# TYPE y gauge\ny 0.5\n"
        );
        assert_eq!(family("qae_node", "load.1m"), "qae_node_load_1m");
    }

    #[test]
    fn pieces_end_with_a_line_and_are_the_text() {
        let mut out = Exposition::default();
        for n in 0..5_000 {
            let labels = Labels::new(&[("n", &n.to_string())]);
            for name in ["a_total", "b"] {
                out.add(name, "Much.", &labels, Value::Int(n));
            }
        }
        let pieces: Vec<Vec<u8>> = out.pieces().collect();
        assert!(pieces.len() > 3, "{}", pieces.len());
        for piece in &pieces {
            assert!(piece.ends_with(b"\n") && piece.len() < PIECE + 1_000, "{}", piece.len());
        }
        let text = String::from_utf8(pieces.concat()).unwrap();
        assert_eq!(text.lines().count(), 10_004);
        assert_eq!(text.lines().filter(|l| l.starts_with("b{")).count(), 5_000);
    }

    /// Reads a label value back as Prometheus' parser does.
    fn unescape(text: &str) -> String {
        let mut out = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match (c, c == '\\') {
                (_, true) => match chars.next() {
                    Some('n') => out.push('\n'),
                    Some(other) => out.push(other),
                    None => panic!("a lone backslash"),
                },
                (c, false) => out.push(c),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn any_label_value_survives_on_one_line(value in any::<String>()) {
            let mut out = Exposition::default();
            out.add("m", "h", &Labels::new(&[("l", &value)]), Value::Int(1));
            let text = text(out);
            prop_assert_eq!(text.matches('\n').count(), 3);
            let line = text.lines().last().map(str::to_owned);
            // str::lines also cuts a carriage return before the newline, of which there is none here
            let line = line.unwrap();
            let inner = line.strip_prefix("m{l=\"").and_then(|l| l.strip_suffix("\"} 1")).unwrap();
            prop_assert!(!inner.replace("\\\\", "").replace("\\\"", "").contains('"'));
            prop_assert_eq!(unescape(inner), value);
        }
    }
}
