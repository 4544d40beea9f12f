//! Text from outside, made safe to show on a terminal and in a log line. Pure.

use std::borrow::Cow;

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_is_escaped_and_the_rest_stays() {
        assert_eq!(printable("video/api \u{4f60}\u{597d}"), "video/api \u{4f60}\u{597d}");
        assert_eq!(printable("a\x1b[2Jb\r\n\u{202e}"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{202e}");
    }

    proptest! {
        #[test]
        fn nothing_acting_is_left(text in any::<String>()) {
            prop_assert!(!printable(&text).contains(acts));
        }
    }
}
