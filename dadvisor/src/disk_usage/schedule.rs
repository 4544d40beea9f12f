//! Whose turn it is. Pure: the clock is an argument.

use super::Target;
use std::time::{Duration, Instant};

/// What the thread does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// Walk this container.
    Walk(&'a Target),
    /// Wait so long, or until the targets change.
    Wait(Option<Duration>),
}

/// Containers never walked come first, in their order; then whoever waited longest, if its time has come.
pub(super) fn next(
    targets: &[Target],
    ended: impl Fn(&str) -> Option<Instant>,
    every: Duration,
    now: Instant,
) -> Next<'_> {
    // None sorts before every time
    let Some((first, ended)) =
        targets.iter().map(|target| (target, ended(&target.id))).min_by_key(|(_, ended)| *ended)
    else {
        return Next::Wait(None);
    };
    let waited = ended.map(|ended| now.saturating_duration_since(ended));
    match waited {
        Some(waited) if waited < every => Next::Wait(Some(every - waited)),
        _ => Next::Walk(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn new_ones_first_then_the_oldest_and_never_too_early() {
        let target =
            |id: &str| Target { id: id.to_owned(), pid: 1, cgroup: None, log_sources: Vec::new() };
        let targets = [target("a"), target("b"), target("c")];
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut ended = HashMap::new();
        let every = Duration::from_secs(300);
        let turn = |ended: &HashMap<&str, Instant>, now| match next(
            &targets,
            |id| ended.get(id).copied(),
            every,
            now,
        ) {
            Next::Walk(target) => target.id.clone(),
            Next::Wait(time) => format!("{time:?}"),
        };
        assert_eq!(next(&[], |_| None, every, start), Next::Wait(None));
        assert_eq!(turn(&ended, at(0)), "a");
        ended.insert("a", at(10));
        assert_eq!(turn(&ended, at(10)), "b");
        ended.extend([("b", at(5)), ("c", at(20))]);
        assert_eq!(turn(&ended, at(20)), "Some(285s)");
        assert_eq!(turn(&ended, at(305)), "b");
        ended.insert("b", at(306));
        assert_eq!(turn(&ended, at(310)), "a");
    }
}
