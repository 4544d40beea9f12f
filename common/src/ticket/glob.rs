//! Does a path fit a glob? `*` and `?` stand for anything within a segment, a segment `**` for any number of segments. Pure.
//!
//! Asked for each file of a list, so nothing is compiled, and time is bounded by the product of the two lengths.

/// Whether the path fits. A path that is absolute or has `.`, `..` or empty segments fits nothing.
pub(super) fn matches(glob: &str, path: &str) -> bool {
    let plain = |part: &&str| !matches!(*part, "" | "." | "..");
    if !path.split('/').all(|part| plain(&part)) {
        return false;
    }
    let globs: Vec<&str> = glob.split('/').collect();
    let parts: Vec<&str> = path.split('/').collect();
    stars(&globs, &parts, |glob| *glob == "**", |glob, part| segment(glob, part))
}

fn segment(glob: &str, part: &str) -> bool {
    let glob: Vec<char> = glob.chars().collect();
    let part: Vec<char> = part.chars().collect();
    stars(&glob, &part, |c| *c == '*', |glob, c| *glob == '?' || glob == c)
}

/// Matches items one by one, a star taking any number of them. When it does not go on, only the latest star has to take more: whatever an
/// earlier one could do better, the latest can too.
fn stars<P, T>(
    pattern: &[P],
    items: &[T],
    star: impl Fn(&P) -> bool,
    fits: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut i) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while i < items.len() {
        match pattern.get(p) {
            Some(wanted) if star(wanted) => {
                back = Some((p + 1, i));
                p += 1;
            }
            Some(wanted) if fits(wanted, &items[i]) => (p, i) = (p + 1, i + 1),
            _ => match &mut back {
                Some((after, taken)) => {
                    *taken += 1;
                    (p, i) = (*after, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(star)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_and_globs() {
        for (glob, path, fits) in [
            ("**", "a.log", true),
            ("**", "a/b/c.log", true),
            ("*", "a.log", true),
            ("*", "a/b", false),
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("app/**/x?.log", "app/x1.log", true),
            ("app/**/x?.log", "app/a/b/x1.log", true),
            ("app/**/x?.log", "app/a/b/x12.log", false),
            ("**", "../etc/passwd", false),
            ("**", "/etc/passwd", false),
            ("**", "a//b", false),
            ("**", "a/./b", false),
            ("**", "", false),
            ("", "a", false),
            ("a/*b*c", "a/xbxbxc", true),
            ("**/b/**/b/**", "a/b/c/b", true),
            ("é?", "éü", true),
        ] {
            assert_eq!(matches(glob, path), fits, "{glob} {path}");
        }
    }

    /// The definition, slow.
    fn model<P: Copy, T: Copy>(p: &[P], i: &[T], s: fn(P) -> bool, f: fn(P, T) -> bool) -> bool {
        match p.split_first() {
            None => i.is_empty(),
            Some((first, rest)) if s(*first) => {
                model(rest, i, s, f) || (!i.is_empty() && model(p, &i[1..], s, f))
            }
            Some((first, rest)) => match i.split_first() {
                Some((item, others)) => f(*first, *item) && model(rest, others, s, f),
                None => false,
            },
        }
    }

    proptest! {
        #[test]
        fn as_defined(glob in "[ab*?/]{0,12}", path in "[ab]{1,4}(/[ab]{1,4}){0,3}") {
            let globs: Vec<&str> = glob.split('/').collect();
            let parts: Vec<&str> = path.split('/').collect();
            let wanted = model(&globs, &parts, |g| g == "**", |g, p| {
                let (g, p): (Vec<char>, Vec<char>) = (g.chars().collect(), p.chars().collect());
                model(&g, &p, |c| c == '*', |g, c| g == '?' || g == c)
            });
            prop_assert_eq!(matches(&glob, &path), wanted);
        }

        #[test]
        fn any_text_is_borne(glob in ".{0,60}", path in ".{0,60}") {
            let fits = matches(&glob, &path);
            prop_assert!(!fits || !path.starts_with('/'));
        }
    }
}
