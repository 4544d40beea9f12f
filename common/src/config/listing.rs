//! The effective config as TOML, for `--check`: every key with its value, and the line it was set on, if any. Parses back to the same.

use super::Source;
use std::collections::BTreeMap;

/// One section as it came out.
#[derive(Debug)]
pub(super) struct Section {
    /// Its name.
    pub name: &'static str,
    /// Whether it may come many times.
    pub many: bool,
    /// Its keys, sorted, after the check.
    pub keys: toml::Table,
    /// On which line the file sets a key.
    pub lines: BTreeMap<String, usize>,
}

/// All sections.
pub(super) fn print(source: &Source, sections: &[Section]) -> String {
    let path = source.path().display();
    let mut out = if source.exists() {
        format!("# {path}; a key without a line number is at its default\n")
    } else {
        format!("# all defaults: {path} does not exist\n")
    };
    for section in sections {
        let name = section.name;
        out.push_str(&if section.many {
            format!("\n[[{name}]]\n")
        } else {
            format!("\n[{name}]\n")
        });
        for (key, value) in &section.keys {
            let set = section.lines.get(key).map_or_else(String::new, |n| format!("  # line {n}"));
            out.push_str(&format!("{key} = {value}{set}\n"));
        }
    }
    out
}
