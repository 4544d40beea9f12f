//! What `qae doctor` found: one line each, with what to do about it. Pure.

use super::{Ink, Paint};
use dadvisor::top::render::wide;
use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Works, but look at it.
    Less,
    /// Does not work.
    Bad,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at, one word.
    pub topic: &'static str,
    /// What was seen, and what to do.
    pub text: String,
}

impl Finding {
    /// One finding.
    pub fn new(severity: Severity, topic: &'static str, text: impl Into<String>) -> Self {
        Self { severity, topic, text: text.into() }
    }
}

/// Columns before the text: `warn  clusters  `.
const INDENT: usize = 16;

/// All of them, wrapped at a width, and the verdict.
pub fn report(findings: &[Finding], width: usize, paint: Paint) -> String {
    let mut out = String::new();
    for Finding { severity, topic, text } in findings {
        let word = match severity {
            Severity::Fine => paint.ink("ok  ", Ink::Good),
            Severity::Less => paint.ink("warn", Ink::Care),
            Severity::Bad => paint.ink("FAIL", Ink::Bad),
        };
        let text = paint.ink(&text.replace('\n', " "), Ink::Plain);
        out.push_str(&format!(
            "{word}  {topic:<8}  {}",
            wrapped(&text, width.saturating_sub(INDENT))
        ));
    }
    let count = |wanted| findings.iter().filter(|f| f.severity == wanted).count();
    out.push_str(&match (count(Severity::Bad), count(Severity::Less)) {
        (0, 0) => "\nall is well\n".to_owned(),
        (0, less) => format!("\nit works; {less} to look at\n"),
        (bad, _) => format!("\n{bad} of these must be cured first\n"),
    });
    out
}

/// Words in lines of at most `room` columns, later lines indented; longer words stand alone.
fn wrapped(text: &str, room: usize) -> String {
    let room = room.max(30);
    let mut out = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = wide(word);
        if used > 0 && used + 1 + length > room {
            out.push('\n');
            out.push_str(&" ".repeat(INDENT));
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_wrapped_beneath_itself_and_the_worst_decides() {
        let long = Finding::new(Severity::Less, "nodes", "word ".repeat(12) + "a\x1b[0m");
        let bad = Finding::new(Severity::Bad, "centre", "no answer");
        let printed = report(&[long.clone(), bad], 50, Paint(false));
        assert!(printed.starts_with("warn  nodes     word word"), "{printed}");
        assert!(printed.contains(&format!("\n{}word", " ".repeat(INDENT))), "{printed}");
        assert!(printed.contains("a\\u{1b}[0m"), "{printed}");
        assert!(printed.ends_with("FAIL  centre    no answer\n\n1 of these must be cured first\n"));
        assert!(report(&[long], 80, Paint(false)).ends_with("\nit works; 1 to look at\n"));
        assert_eq!(report(&[], 80, Paint(false)), "\nall is well\n");
    }
}
