//! Values laid over a file's, by a program that knows better: `qae up` keeps its state beneath itself and listens where there is room.
//! A fault of such a value has no line. Pure.

use super::Source;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where a value is in the text that is not from the text.
pub(super) const NOWHERE: usize = usize::MAX;

/// One value, text in all cases there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Override {
    section: &'static str,
    key: &'static str,
    value: String,
}

impl Source {
    /// The same with one value set, whatever the file says. For keys that are typed as text.
    #[must_use]
    pub fn with(
        mut self,
        section: &'static str,
        key: &'static str,
        value: impl Into<String>,
    ) -> Self {
        self.overrides.push(Override { section, key, value: value.into() });
        self
    }

    /// The same, with state kept beneath this directory, which is absolute.
    #[must_use]
    pub fn keeping_state_in(self, directory: impl Into<String>) -> Self {
        self.with("node", "state_dir", directory)
    }
}

/// Puts them into what was parsed.
pub(super) fn lay<'a>(overrides: &'a [Override], table: &mut DeTable<'a>) {
    for one in overrides {
        if !table.contains_key(one.section) {
            let empty = DeValue::Table(DeTable::new());
            table.insert(nowhere(one.section.into()), nowhere(empty));
        }
        // a section that is none is a fault of the file's, told when it is read
        let Some(section) = table.get_mut(one.section) else { continue };
        if let DeValue::Table(keys) = section.get_mut() {
            // an insert over an old key would keep the old key's place
            keys.remove(one.key);
            let value = DeValue::String(one.value.as_str().into());
            keys.insert(nowhere(one.key.into()), nowhere(value));
        }
    }
}

fn nowhere<T>(value: T) -> Spanned<T> {
    Spanned::new(NOWHERE..NOWHERE, value)
}
