//! Patterns of app ids: `*` stands for anything within a path segment, `**` as a whole segment for any number of segments, none too.
//! Everything else stands for itself. Matching takes time in proportion to pattern times id, whatever they are.

use common::ids::AppId;
use std::fmt;

/// Most patterns of one token.
const MOST: usize = 64;
/// Longest pattern, in bytes.
const LONGEST: usize = 1024;

/// A set of patterns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AppGlobs {
    all: bool,
    globs: Vec<String>,
}

/// This is no pattern of app ids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// Too many.
    #[error("{0} app patterns, at most {MOST} can be given: use wider ones such as video/**")]
    Many(usize),
    /// One that could match nothing.
    #[error(
        "\"{0}\" is no app pattern: an app id such as video/api, with * for anything within a segment and ** for any segments"
    )]
    Glob(String),
}

impl AppGlobs {
    /// All apps.
    pub fn all() -> Self {
        Self { all: true, globs: vec!["**".into()] }
    }

    /// Reads patterns; a leading slash, as Marathon writes ids, is left out. No pattern admits no app.
    pub fn parse(globs: &[String]) -> Result<Self, GlobError> {
        if globs.len() > MOST {
            return Err(GlobError::Many(globs.len()));
        }
        for glob in globs {
            let odd = |c: char| c.is_control() || c.is_whitespace() || c == ',';
            if glob.trim_start_matches('/').is_empty() || glob.len() > LONGEST || glob.contains(odd)
            {
                let shown = glob.chars().take(100).flat_map(char::escape_debug).collect();
                return Err(GlobError::Glob(shown));
            }
        }
        Ok(Self::of(globs.iter().cloned()))
    }

    pub(super) fn of(globs: impl Iterator<Item = String>) -> Self {
        let mut globs: Vec<_> =
            globs.map(|g| g.strip_prefix('/').map(str::to_owned).unwrap_or(g)).collect();
        globs.sort();
        globs.dedup();
        if globs.iter().any(|g| g == "**") { Self::all() } else { Self { all: false, globs } }
    }

    /// Whether it is every app.
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// Whether the app matches one of them.
    pub fn admits(&self, app: &AppId) -> bool {
        self.all || self.globs.iter().any(|glob| matches(glob, app.as_str()))
    }

    /// As given, sorted.
    pub fn globs(&self) -> &[String] {
        &self.globs
    }
}

impl fmt::Display for AppGlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.globs.join(","))
    }
}

fn matches(glob: &str, id: &str) -> bool {
    let glob: Vec<&str> = glob.split('/').collect();
    let id: Vec<&str> = id.split('/').collect();
    wild(&glob, &id, |g| *g == "**", |g, s| segment(g, s))
}

fn segment(glob: &str, text: &str) -> bool {
    wild(glob.as_bytes(), text.as_bytes(), |g| *g == b'*', |g, t| g == t)
}

/// Whether `glob` matches all of `text`, where an item of `glob` that is `any` matches any number of items. Only the last `any` is ever
/// tried again, one item further: what an earlier one could still take, the last one can take as well.
fn wild<T>(
    glob: &[T],
    text: &[T],
    any: impl Fn(&T) -> bool,
    same: impl Fn(&T, &T) -> bool,
) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some(item) if any(item) => {
                again = Some((g + 1, t));
                g += 1;
            }
            Some(item) if same(item, &text[t]) => {
                g += 1;
                t += 1;
            }
            _ => {
                let Some((after, from)) = again else { return false };
                again = Some((after, from + 1));
                g = after;
                t = from + 1;
            }
        }
    }
    glob[g..].iter().all(any)
}
