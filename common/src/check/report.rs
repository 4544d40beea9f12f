//! Findings as text. Pure.

use super::{Finding, Severity};
use crate::printable::printable;

/// Columns before the text: `warn  namespaces  `.
const INDENT: usize = 18;

/// One line per finding, wrapped at `width`; colours for a terminal. A summary at the end, unless something fails, which the command itself tells.
pub fn report(findings: &[Finding], daemon: &str, width: usize, colour: bool) -> String {
    let mut out = String::new();
    for Finding { severity, topic, text } in findings {
        let (word, ink) = match severity {
            Severity::Fine => ("ok  ", "\x1b[32m"),
            Severity::Less => ("warn", "\x1b[33m"),
            Severity::Bad => ("FAIL", "\x1b[31m"),
        };
        let (on, off) = if colour { (ink, "\x1b[0m") } else { ("", "") };
        out.push_str(&format!("{on}{word}{off}  {topic:<10}  "));
        let room = width.saturating_sub(INDENT).max(30);
        out.push_str(&wrapped(&printable(&text.replace('\n', " ")), room));
    }
    let count = |wanted| findings.iter().filter(|f| f.severity == wanted).count();
    let (bad, less) = (count(Severity::Bad), count(Severity::Less));
    out.push_str(&match (bad, less) {
        (0, 0) => "\nall is well\n".to_owned(),
        (0, less) => format!("\n{daemon} works here; {less} to look at\n"),
        _ => "\n".to_owned(),
    });
    out
}

/// Words in lines of at most `room`, later lines indented; longer words stand alone.
fn wrapped(text: &str, room: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            out.push('\n');
            out.push_str(&" ".repeat(INDENT));
            used = 0;
        }
        if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out.push('\n');
    out
}
