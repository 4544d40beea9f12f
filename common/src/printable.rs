//! Text from outside, made safe to show on a terminal and in a log line. Pure.

use std::borrow::Cow;

/// Longest colour sequence that passes, in bytes behind `ESC [`.
const COLOUR: usize = 32;

/// Whether a character would act on a terminal or reorder its neighbours instead of being seen: control characters, line separators,
/// and Unicode's invisible and bidirectional controls.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// The text with every such character escaped (`\u{1b}`).
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// What becomes of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// They pass, and end with the line.
    Kept,
    /// They are left out.
    Dropped,
}

/// Writes a line of a log so that it acts on no terminal: tabs and, if wanted, colours (`ESC [ numbers m`) pass, a CR at its end is left
/// out, and everything else that acts is shown: `^[`, `<U+202E>`.
pub fn shown(out: &mut String, line: &str, colours: Colours) {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut rest = line;
    let mut coloured = false;
    while let Some(at) = rest.find(|c| acts(c) && c != '\t') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(len) = colour(rest) {
            if colours == Colours::Kept {
                out.push_str(&rest[..len]);
                coloured = true;
            }
            rest = &rest[len..];
            continue;
        }
        let mut chars = rest.chars();
        match chars.next() {
            Some(c @ '\0'..='\u{1f}') => {
                out.push('^');
                out.extend(char::from_u32(u32::from(c) + 0x40));
            }
            Some('\u{7f}') => out.push_str("^?"),
            Some(c) => out.push_str(&format!("<U+{:04X}>", u32::from(c))),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    if coloured {
        out.push_str("\x1b[0m");
    }
}

/// Length of a colour sequence at the beginning.
fn colour(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("\x1b[")?;
    let end = inside.bytes().take(COLOUR).position(|b| b == b'm')?;
    let plain = inside[..end].bytes().all(|b| b.is_ascii_digit() || matches!(b, b';' | b':'));
    plain.then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_is_escaped_and_the_rest_stays() {
        assert_eq!(printable("video/api \u{4f60}\u{597d}"), "video/api \u{4f60}\u{597d}");
        assert_eq!(printable("a\x1b[2Jb\r\n\u{202e}"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{202e}");
    }

    #[test]
    fn a_line_of_a_log_moves_no_cursor() {
        let line = |text, colours| {
            let mut out = String::new();
            shown(&mut out, text, colours);
            out
        };
        for (text, kept, dropped) in [
            ("a\tb\r", "a\tb", "a\tb"),
            ("\x1b[1;31mred\x1b[0m x", "\x1b[1;31mred\x1b[0m x\x1b[0m", "red x"),
            ("\x1b[2J\x1b]52;c;eA==\x07", "^[[2J^[]52;c;eA==^G", "^[[2J^[]52;c;eA==^G"),
            ("\x1b[31", "^[[31", "^[[31"),
            ("a\u{202e}b\u{7f}\u{9b}", "a<U+202E>b^?<U+009B>", "a<U+202E>b^?<U+009B>"),
            ("a\rb\0", "a^Mb^@", "a^Mb^@"),
            ("\x1b[1é", "^[[1é", "^[[1é"),
        ] {
            assert_eq!(line(text, Colours::Kept), kept);
            assert_eq!(line(text, Colours::Dropped), dropped);
        }
    }

    proptest! {
        #[test]
        fn no_line_acts(text in any::<String>()) {
            let mut out = String::new();
            shown(&mut out, &text, Colours::Dropped);
            prop_assert!(!out.contains(|c| acts(c) && c != '\t'));
        }

        #[test]
        fn nothing_acting_is_left(text in any::<String>()) {
            prop_assert!(!printable(&text).contains(acts));
        }
    }
}
