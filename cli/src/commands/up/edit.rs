//! Sets single values in a config file's text and leaves everything else, comments too, as its owner wrote it. Pure.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value could not be set without rewriting what somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot set `{key}` of [{section}]: write a line [{section}] with its keys beneath")]
pub struct Foreign {
    section: String,
    key: String,
}

/// The text with this value, a string, set. The same text if it was.
pub fn set(text: &str, section: &str, key: &str, value: &str) -> Result<String, Foreign> {
    let foreign = || Foreign { section: section.to_owned(), key: key.to_owned() };
    let typed = toml::Value::String(value.to_owned()).to_string();
    let table = DeTable::parse(text).map_err(|_| foreign())?.into_inner();
    let keys = table.get(section).map(Spanned::get_ref);
    let old = match keys {
        Some(DeValue::Table(keys)) => keys.get(key),
        Some(_) => return Err(foreign()),
        None => None,
    };
    let out = match old {
        Some(old) if old.get_ref().as_str() == Some(value) => return Ok(text.to_owned()),
        Some(old) => {
            let span = old.span();
            let (Some(before), Some(after)) = (text.get(..span.start), text.get(span.end..)) else {
                return Err(foreign());
            };
            format!("{before}{typed}{after}")
        }
        None => match heading(text, section) {
            Some(end) => format!("{}{key} = {typed}\n{}", &text[..end], &text[end..]),
            None => {
                let gap = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
                let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
                format!("{text}{end}{gap}[{section}]\n{key} = {typed}\n")
            }
        },
    };
    // whatever was written in a form not thought of here is left alone
    if reads(&out, section, key).as_deref() == Some(value) { Ok(out) } else { Err(foreign()) }
}

/// Right behind the line `[section]`.
fn heading(text: &str, section: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let bare = line.split('#').next().unwrap_or("").trim();
        let inside = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if inside.map(str::trim) == Some(section) && line.ends_with('\n') {
            return Some(at);
        }
    }
    None
}

fn reads(text: &str, section: &str, key: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    Some(table.get(section)?.get(key)?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_written_stays() {
        let text = "# mine\n[node] # here\nname = \"a\"  # so\n\n[api]\nurl = 'http://x' # there\n";
        let text = set(text, "api", "url", "http://y").unwrap();
        let text = set(&text, "node", "state_dir", "/s \"q\"").unwrap();
        let text = set(&text, "server", "listen", "127.0.0.1:1").unwrap();
        assert_eq!(
            text,
            "# mine\n[node] # here\nstate_dir = '/s \"q\"'\nname = \"a\"  # so\n\n[api]\nurl = \"http://y\" # there\n\n\
             [server]\nlisten = \"127.0.0.1:1\"\n"
        );
        assert_eq!(set(&text, "node", "name", "a").unwrap(), text);
        assert_eq!(set("", "a", "b", "c").unwrap(), "[a]\nb = \"c\"\n");
    }

    #[test]
    fn what_cannot_be_set_is_left_alone() {
        for text in ["api = 1\n", "node.name = 1\n[broken", "api.url.x = 1\n", "[[api]]\nx = 1\n"] {
            assert!(set(text, "api", "token_file", "b").is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_value_that_is_set_is_read_and_the_others_stay(
            value in any::<String>(), name in "[a-z]{1,5}", comment in "[a-z \\[\\]]{0,10}",
        ) {
            let text = format!("[node] # {comment}\nname = \"{name}\" # {comment}\n[api]\nurl = \"x\"\n");
            for (section, key) in [("node", "name"), ("node", "dc"), ("api", "url"), ("new", "key")] {
                let edited = set(&text, section, key, &value).unwrap();
                prop_assert_eq!(reads(&edited, section, key), Some(value.clone()));
                prop_assert_eq!(edited.matches(&format!("# {comment}")).count() >= 2, true);
                prop_assert_eq!(set(&edited, section, key, &value).unwrap(), edited);
            }
        }
    }
}
