//! Patterns for plain cgroups: `system.slice/*.service`. Pure.
//!
//! A pattern is matched component by component, so that only directories on the way are listed; `**` is refused, for it would list everything.

use globset::{GlobBuilder, GlobMatcher};

/// Most components of a pattern.
const MAX_PARTS: usize = 16;

/// Why a pattern is refused.
#[derive(Debug, thiserror::Error)]
pub enum GlobError {
    /// It has no component, too many, or one that goes up or anywhere.
    #[error("cgroup pattern {pattern:?}: {why}")]
    Shape {
        /// The pattern.
        pattern: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A component is no glob.
    #[error("cgroup pattern {pattern:?}: {cause}")]
    Syntax {
        /// The pattern.
        pattern: String,
        /// Where it fails.
        cause: globset::Error,
    },
}

/// Checked patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globs(Vec<Glob>);

/// One pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    parts: Vec<Part>,
}

/// One component of a pattern.
#[derive(Debug, Clone)]
pub(super) struct Part {
    text: String,
    /// None for a plain name.
    matcher: Option<GlobMatcher>,
}

/// What it matches follows from its text alone.
impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Part {}

impl Globs {
    /// True when nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks one more pattern, relative to the hierarchy's root.
    pub fn add(&mut self, pattern: &str) -> Result<(), GlobError> {
        self.0.push(Glob::new(pattern)?);
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Glob> {
        self.0.iter()
    }
}

impl Glob {
    fn new(pattern: &str) -> Result<Self, GlobError> {
        let wrong = |why| GlobError::Shape { pattern: pattern.to_owned(), why };
        let texts: Vec<&str> = pattern.split('/').filter(|t| !t.is_empty()).collect();
        match texts[..] {
            [] => return Err(wrong("it names nothing")),
            _ if texts.len() > MAX_PARTS => return Err(wrong("it is too deep")),
            _ if texts.iter().any(|t| matches!(*t, "." | ".." | "**")) => {
                return Err(wrong("`.`, `..` and `**` are not possible here"));
            }
            _ => {}
        }
        let part = |text: &str| {
            let special = text.contains(['*', '?', '[', ']', '{', '}', '\\']);
            let matcher = special.then(|| {
                let glob = GlobBuilder::new(text).literal_separator(true).build();
                glob.map(|g| g.compile_matcher())
            });
            let matcher = matcher.transpose();
            let matcher = matcher
                .map_err(|cause| GlobError::Syntax { pattern: pattern.to_owned(), cause })?;
            Ok(Part { text: text.to_owned(), matcher })
        };
        Ok(Self { parts: texts.into_iter().map(part).collect::<Result<_, _>>()? })
    }

    pub(super) fn part(&self, depth: usize) -> Option<&Part> {
        self.parts.get(depth)
    }

    pub(super) fn is_last(&self, depth: usize) -> bool {
        depth + 1 == self.parts.len()
    }

    /// Whether a cgroup that matches is meant: `init.scope`, mounts and slices (sums of others) only when the pattern names their kind.
    pub(super) fn wants(&self, name: &str) -> bool {
        let last = self.parts.last().map_or("", |part| &part.text);
        if name == "init.scope" {
            return last == name;
        }
        let kind = [".mount", ".slice"].into_iter().find(|kind| name.ends_with(kind));
        kind.is_none_or(|kind| last.ends_with(kind))
    }
}

impl Part {
    /// The name, when it is no pattern.
    pub(super) fn literal(&self) -> Option<&str> {
        self.matcher.is_none().then_some(self.text.as_str())
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.matcher.as_ref().map_or(self.text == name, |m| m.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(patterns: &[&str]) -> Result<Globs, GlobError> {
        let mut globs = Globs::default();
        patterns.iter().try_for_each(|pattern| globs.add(pattern))?;
        Ok(globs)
    }

    #[test]
    fn shapes() {
        assert!(globs(&["system.slice/*.service", "/a/b/", "*/x[0-9]"]).is_ok());
        for bad in ["", "/", "a/../b", "**", "a/**/b", "a/[", "a/{b"] {
            let error = globs(&[bad]).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
        assert!(globs(&[&"a/".repeat(17)]).is_err());
    }

    #[test]
    fn kinds_have_to_be_asked_for() {
        let wants = |pattern: &str, name: &str| globs(&[pattern]).unwrap().0[0].wants(name);
        assert!(wants("system.slice/*", "a.service") && wants("*", "box"));
        assert!(
            !wants("system.slice/*", "a.mount")
                && !wants("*", "user.slice")
                && !wants("*", "init.scope")
        );
        assert!(wants("*.slice", "user.slice") && wants("user.slice", "user.slice"));
        assert!(wants("init.scope", "init.scope") && !wants("*.scope", "init.scope"));
    }
}
