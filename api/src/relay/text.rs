//! A merged stream for terminals: each line with its instance in front, and words in brackets for what is no line. Pure.

use common::api_types::live::{Frame, Told};
use common::printable::{Colours, printable, shown};

/// The text of a frame, with its line ends; empty if it has nothing to say to a terminal.
pub fn text(frame: &str, raw: bool) -> String {
    let Ok(told) = serde_json::from_str::<Told>(frame) else { return String::new() };
    let instance = told.instance.as_ref().map(|id| printable(id.as_str()).into_owned());
    let mut out = String::new();
    if let Frame::Lines { of, lines, .. } = &told.frame {
        let prefix = format!("{} {} | ", instance.unwrap_or_default(), printable(&of.file));
        for line in lines {
            out.push_str(&prefix);
            if raw {
                out.push_str(line);
            } else {
                shown(&mut out, line, Colours::Kept);
            }
            out.push('\n');
        }
        return out;
    }
    if let Some(said) = told.frame.note() {
        let prefix = instance.map_or_else(String::new, |id| format!("{id} "));
        out = format!("{prefix}[{}]\n", printable(&said));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_words() {
        let lines = r#"{"instance":"i1","type":"lines","source":"s","file":"a.log","generation":0,"offset":0,"next":9,
            "time":"1970-01-01T00:00:00.000Z","lines":["\u001b[31mred\u001b]0;x\u0007","two"]}"#;
        let safe = "i1 a.log | \u{1b}[31mred^[]0;x^G\u{1b}[0m\ni1 a.log | two\n";
        assert_eq!(text(lines, false), safe);
        assert!(text(lines, true).contains("\u{1b}]0;x\u{7}"));
        let away =
            r#"{"instance":"i1","type":"away","detail":"no log-agent\u001b[2J","retry_ms":1500}"#;
        assert_eq!(text(away, true), "i1 [no log-agent\\u{1b}[2J; tried again in 1.5 s]\n");
        for nothing in ["{", r#"{"type":"news"}"#, r#"{"type":"filter","grep":"x"}"#] {
            assert_eq!(text(nothing, false), "");
        }
    }
}
