//! The one config file of a host, `/etc/qae/qae.toml`, read by every daemon.
//!
//! Promise: whatever is wrong is refused with file, line, key and value, all faults of a file at once, and an unknown key with the
//! known one nearest to it. Each daemon brings the sections it reads ([`Section`]); those of the other daemons are accepted unread,
//! any other name is refused as misspelt. What is typed (the file's shape, serde) and what it means (the checked shape) are two
//! structs. Without a file every key has its default; a file that was asked for by name must be there.

pub mod api;
mod fault;
pub mod graphite;
pub mod listing;
pub mod node;
mod overrides;
pub mod text;
pub mod tls;

pub use api::Api;
pub use fault::{Error, Fault, nearest};
pub use graphite::Graphite;
pub use node::Node;
pub use tls::Certificate;

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// Where the file is unless another one is named.
pub const DEFAULT_PATH: &str = "/etc/qae/qae.toml";

/// Every section a file may have. A daemon reads its own and leaves the rest to theirs.
pub const SECTIONS: [&str; 8] =
    ["node", "api", "graphite", "dadvisor", "log-agent", "nginx-agent", "server", "cluster"];

/// Largest file read, in bytes: a config of this size is some other file.
const MAX_BYTES: u64 = 1024 * 1024;

/// Most sections of one name.
const MOST_SECTIONS: usize = 1000;

/// A section as it is typed. Its `Default` holds every key (no `Option` that would print nothing), so that the default, printed, is
/// also the list of known keys. Needs `#[serde(default)]`; unknown keys are refused here, with their line, not by serde.
pub trait Section: Default + Serialize + DeserializeOwned {
    /// What stands between the brackets.
    const NAME: &'static str;

    /// What the section means.
    type Checked;

    /// Checks what types cannot, tells `at` what is wrong, and fills in what the host knows better (the hostname). A value is made
    /// in any case; [`Reader::finish`] does not hand it out if there were faults.
    fn check(&mut self, at: &mut At<'_>) -> Self::Checked;
}

/// The section being checked: takes the faults of its keys.
#[derive(Debug)]
pub struct At<'a> {
    section: &'static str,
    text: &'a str,
    table: Option<&'a DeTable<'a>>,
    faults: &'a mut Vec<Fault>,
}

impl At<'_> {
    /// Reports a key's value as wrong. `why` ends with what to write instead.
    pub fn fault(&mut self, key: &str, why: impl Into<String>) {
        let found = self.table.and_then(|t| t.get(key));
        self.faults.push(Fault::Value {
            line: found.map_or(0, |v| line(self.text, v.span().start)),
            section: self.section.to_owned(),
            key: key.to_owned(),
            value: found.map_or_else(String::new, |v| quote(self.text, v)),
            why: why.into(),
        });
    }
}

/// The text of a config file, or the absence of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    text: Option<String>,
    overrides: Vec<overrides::Override>,
}

impl Source {
    /// Reads the file: the named one, which must be there, or the default one, which need not.
    pub fn read(named: Option<&Path>) -> Result<Self, Error> {
        let path = named.unwrap_or(Path::new(DEFAULT_PATH)).to_owned();
        let mut bytes = Vec::new();
        let read = std::fs::File::open(&path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) if bytes.len() as u64 > MAX_BYTES => Err(Error::TooLarge { path }),
            Ok(_) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Self { text: Some(text), ..Self::none(path) }),
                Err(e) => {
                    let at = e.utf8_error().valid_up_to();
                    let before = &e.as_bytes()[..at];
                    Err(Error::NotText { path, line: 1 + newlines(before) })
                }
            },
            Err(e) if e.kind() == ErrorKind::NotFound && named.is_none() => Ok(Self::none(path)),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// A file's text from elsewhere, under the path it is to be called by.
    pub fn of(path: &Path, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::none(path.to_owned()) }
    }

    fn none(path: PathBuf) -> Self {
        Self { path, text: None, overrides: Vec::new() }
    }

    /// The path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// False if there is no file and everything is at its default.
    pub fn exists(&self) -> bool {
        self.text.is_some()
    }

    /// Parses the text and refuses misspelt sections.
    pub fn reader(&self) -> Result<Reader<'_>, Error> {
        let text = self.text.as_deref().unwrap_or("");
        let mut table = DeTable::parse(text)
            .map_err(|e| Error::Syntax {
                path: self.path.clone(),
                line: e.span().map_or(1, |s| line(text, s.start)),
                message: e.message().replace('\n', ", "),
            })?
            .into_inner();
        let faults = table
            .keys()
            .filter(|name| !SECTIONS.contains(&name.get_ref().as_ref()))
            .map(|name| Fault::UnknownSection {
                line: line(text, name.span().start),
                name: name.get_ref().to_string(),
                nearest: nearest(name.get_ref(), SECTIONS).map(str::to_owned),
            })
            .collect();
        overrides::lay(&self.overrides, &mut table);
        Ok(Reader { source: self, text, table, faults, listing: Vec::new() })
    }
}

/// Hands out the sections and gathers what is wrong with them.
#[derive(Debug)]
pub struct Reader<'a> {
    source: &'a Source,
    text: &'a str,
    table: DeTable<'a>,
    faults: Vec<Fault>,
    listing: Vec<listing::Section>,
}

impl Reader<'_> {
    /// Whether the file has this section, read here or not.
    pub fn mentions(&self, section: &str) -> bool {
        self.table.contains_key(section)
    }

    /// Reads one section; one that is not in the file is all defaults.
    pub fn section<S: Section>(&mut self) -> S::Checked {
        let found = self.table.get(S::NAME).map(Spanned::get_ref);
        let table = match found {
            None => None,
            Some(DeValue::Table(table)) => Some(table),
            Some(_) => {
                let line = self.line_of(S::NAME);
                self.faults.push(Fault::NotATable { line, name: S::NAME.to_owned() });
                None
            }
        };
        let (checked, listed) = one::<S>(self.text, table, &mut self.faults);
        self.listing.push(listed);
        checked
    }

    /// Reads one section if the file has it: for what is not there unless it is mentioned.
    pub fn optional<S: Section>(&mut self) -> Option<S::Checked> {
        self.mentions(S::NAME).then(|| self.section::<S>())
    }

    /// Reads a section that may come many times, `[[name]]`, in the file's order; none if it is not in the file.
    pub fn sections<S: Section>(&mut self) -> Vec<S::Checked> {
        let mut all = Vec::new();
        let found = self.table.get(S::NAME).map(Spanned::get_ref);
        let tables = match found {
            None => return all,
            Some(DeValue::Array(tables)) if tables.len() <= MOST_SECTIONS => tables,
            Some(DeValue::Array(_)) => {
                let line = self.line_of(S::NAME);
                self.faults.push(Fault::TooMany { line, name: S::NAME.to_owned() });
                return all;
            }
            Some(_) => {
                let line = self.line_of(S::NAME);
                self.faults.push(Fault::NotMany { line, name: S::NAME.to_owned() });
                return all;
            }
        };
        for table in tables.iter() {
            let DeValue::Table(keys) = table.get_ref() else {
                let line = line(self.text, table.span().start);
                self.faults.push(Fault::NotMany { line, name: S::NAME.to_owned() });
                continue;
            };
            let (checked, listed) = one::<S>(self.text, Some(keys), &mut self.faults);
            all.push(checked);
            self.listing.push(listing::Section { many: true, ..listed });
        }
        all
    }

    /// Reports a key as wrong for what other sections say, such as a name that two clusters have. `nth` counts from 0 among sections
    /// that come many times.
    pub fn fault<S: Section>(&mut self, nth: usize, key: &str, why: impl Into<String>) {
        let table = match self.table.get(S::NAME).map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => Some(table),
            Some(DeValue::Array(tables)) => match tables.get(nth).map(Spanned::get_ref) {
                Some(DeValue::Table(table)) => Some(table),
                _ => None,
            },
            _ => None,
        };
        At { section: S::NAME, text: self.text, table, faults: &mut self.faults }.fault(key, why);
    }

    fn line_of(&self, section: &str) -> usize {
        let at = self.table.get_key_value(section).map_or(0, |(name, _)| name.span().start);
        line(self.text, at)
    }

    /// What was made of the sections read, and the same as text for `--check`, unless something was wrong.
    pub fn finish<T>(mut self, checked: T) -> Result<(T, String), Error> {
        if self.faults.is_empty() {
            return Ok((checked, listing::print(self.source, &self.listing)));
        }
        self.faults.sort_by_key(Fault::line);
        Err(Error::Invalid { path: self.source.path.clone(), faults: self.faults })
    }
}

/// Reads and checks one section, and says how it is to be listed.
fn one<S: Section>(
    text: &str,
    table: Option<&DeTable<'_>>,
    faults: &mut Vec<Fault>,
) -> (S::Checked, listing::Section) {
    let mut lines = BTreeMap::new();
    let mut section = table.map_or_else(S::default, |t| typed(text, t, faults, &mut lines));
    let checked = section.check(&mut At { section: S::NAME, text, table, faults });
    (checked, listing::Section { name: S::NAME, many: false, keys: keys(&section), lines })
}

/// Refuses unknown keys and values of a wrong type, each key on its own so that all are reported; then reads what is left together.
fn typed<S: Section>(
    text: &str,
    table: &DeTable<'_>,
    faults: &mut Vec<Fault>,
    lines: &mut BTreeMap<String, usize>,
) -> S {
    let known = keys(&S::default());
    let mut good = DeTable::new();
    for (key, value) in table {
        let name = key.get_ref().to_string();
        let line = line(text, key.span().start);
        if !known.contains_key(&name) {
            faults.push(Fault::UnknownKey {
                line,
                section: S::NAME.to_owned(),
                nearest: nearest(&name, known.keys().map(String::as_str)).map(str::to_owned),
                key: name,
                known: known.keys().cloned().collect(),
            });
            continue;
        }
        let mut alone = DeTable::new();
        alone.insert(key.clone(), value.clone());
        match S::deserialize(Deserializer::from(Spanned::new(0..0, alone))) {
            Ok(_) => {
                good.insert(key.clone(), value.clone());
                if line > 0 {
                    lines.insert(name, line);
                }
            }
            Err(e) => faults.push(Fault::Value {
                line: e.span().map_or(line, |s| self::line(text, s.start)),
                section: S::NAME.to_owned(),
                key: name,
                value: quote(text, value),
                why: e.message().to_owned(),
            }),
        }
    }
    // each key was good alone, and keys do not depend on each other before `check`
    S::deserialize(Deserializer::from(Spanned::new(0..0, good))).unwrap_or_default()
}

/// The keys of a section and their values, as TOML.
fn keys<S: Section>(section: &S) -> toml::Table {
    toml::Table::try_from(section).unwrap_or_default()
}

/// Line of a byte offset, from 1; 0 for what is not from the text.
fn line(text: &str, offset: usize) -> usize {
    if offset == overrides::NOWHERE {
        return 0;
    }
    1 + newlines(&text.as_bytes()[..offset.min(text.len())])
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b == b'\n').count()
}

/// A value as it was typed, its first line, cut to a length that fits a message.
fn quote(text: &str, value: &Spanned<DeValue<'_>>) -> String {
    const WIDTH: usize = 60;
    let typed = text.get(value.span()).unwrap_or("");
    let first = typed.lines().next().unwrap_or("");
    let mut shown: String =
        first.chars().take(WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if shown.len() < typed.len() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests;
