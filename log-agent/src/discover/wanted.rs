//! Which names are read. Pure.

use crate::name::FileName;
use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// Include and exclude globs, compiled. A glob that does not compile admits nothing and is said at start; the config refuses it before.
#[derive(Debug)]
pub(crate) struct Wanted {
    include: GlobSet,
    exclude: GlobSet,
}

impl Wanted {
    pub(crate) fn new(include: &[String], exclude: &[String]) -> Self {
        Self { include: set(include), exclude: set(exclude) }
    }

    /// Whether a file of this name is read. A rotated name counts as the one it was made of: with `*.log` alone, a generation that was born
    /// and renamed to `app.log.1` while nobody looked would be lost.
    pub(crate) fn admits(&self, name: &FileName) -> bool {
        let path = name.path();
        if self.exclude.is_match(path) {
            return false;
        }
        self.include.is_match(path)
            || unrotated(name.bytes()).is_some_and(|stem| {
                FileName::new(stem).is_ok_and(|stem| self.include.is_match(stem.path()))
            })
    }
}

fn set(globs: &[String]) -> GlobSet {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        match compiled(glob) {
            Ok(glob) => {
                builder.add(glob);
            }
            Err(error) => {
                tracing::error!("the glob {glob:?} is left out: {error}");
            }
        }
    }
    builder.build().unwrap_or_else(|_| GlobSet::empty())
}

/// One glob; `*` stays within a directory.
pub(crate) fn compiled(glob: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(glob).literal_separator(true).build()
}

/// `app.log` of `app.log.1`, `app.log-20261130` or `app.log.2026-11-30_13`; None if the name has no such end.
fn unrotated(name: &[u8]) -> Option<&[u8]> {
    let digits = |b: &u8| b.is_ascii_digit() || b"-_:.T".contains(b);
    let kept = name.len() - name.iter().rev().take_while(|b| digits(b)).count();
    let end = &name[kept..];
    let cut = end.len() > 1 && b".-".contains(&end[0]) && end.iter().any(u8::is_ascii_digit);
    (cut && kept > 0 && name[kept - 1] != b'/').then(|| &name[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(include: &[&str], exclude: &[&str], name: &str) -> bool {
        let owned = |globs: &[&str]| globs.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>();
        Wanted::new(&owned(include), &owned(exclude)).admits(&FileName::new(name).unwrap())
    }

    #[test]
    fn globs_and_rotated_names() {
        for (include, name, admitted) in [
            ("**", "a/b/c", true),
            ("*.log", "app.log", true),
            ("*.log", "sub/app.log", false),
            ("**/*.log", "sub/app.log", true),
            ("*.log", "app.log.1", true),
            ("*.log", "app.log-20261130", true),
            ("*.log", "app.log.2026-11-30_13", true),
            ("*.log", "app.log.gz", false),
            ("*.log", "app.txt.1", false),
            ("*.log", "1", false),
            ("*.log", "d/.1", false),
        ] {
            assert_eq!(admits(&[include], &[], name), admitted, "{include} {name}");
        }
        assert!(!admits(&["**"], &["**/*.gz"], "app.log.1.gz"));
        assert!(!admits(&["**"], &["**/*.gz"], "a/app.gz"));
        let usual = crate::files::Settings::default();
        let usual = Wanted::new(&usual.include, &usual.exclude);
        for end in ["gz", "zst", "xz", "bz2", "lz4", "zip"] {
            let read = |name: String| usual.admits(&FileName::new(name).unwrap());
            assert!(!read(format!("app.log.1.{end}")) && !read(format!("d/app.{end}")), "{end}");
            assert!(read(end.to_owned()) && read(format!("app.{end}.log")), "{end}");
        }
        assert!(!admits(&["[", "*.log"], &[], "x"), "a broken glob admits nothing");
    }
}
