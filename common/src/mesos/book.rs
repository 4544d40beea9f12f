//! When the agent is asked again. Pure: the clock is an argument.

use super::Names;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Never asked more often.
const AT_MOST_EVERY: Duration = Duration::from_secs(10);
/// An id the agent does not know is asked for at growing intervals, up to this: it may be no container of this agent at all.
const AT_LEAST_EVERY: Duration = Duration::from_secs(300);

/// The last good names, and what is still unknown.
#[derive(Debug, Default)]
pub struct Book {
    names: Arc<Names>,
    asked: Option<Instant>,
    under_way: bool,
    /// Ids that an answer did not hold: when to ask for them again, and the interval that was waited.
    unknown: HashMap<String, (Instant, Duration)>,
}

impl Book {
    /// The last good names.
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// True if the agent is to be asked now, for these containers that are there. The asking is under way then until [`Book::answered`].
    pub fn due<'a>(&mut self, present: impl Iterator<Item = &'a str>, now: Instant) -> bool {
        let mut unknown = HashMap::new();
        let mut due = false;
        for id in present.filter(|id| self.names.get(id).is_none()) {
            let known = self.unknown.get(id).copied();
            due |= known.is_none_or(|(next, _)| next <= now);
            unknown.insert(id.to_owned(), known.unwrap_or((now, AT_MOST_EVERY)));
        }
        self.unknown = unknown;
        let early =
            self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < AT_MOST_EVERY);
        if !due || early || self.under_way {
            return false;
        }
        (self.asked, self.under_way) = (Some(now), true);
        true
    }

    /// Takes the answer; none when it failed, which keeps the names there are.
    pub fn answered(&mut self, names: Option<Names>, now: Instant) {
        self.under_way = false;
        let Some(names) = names else { return };
        self.names = Arc::new(names);
        for (next, pause) in self.unknown.values_mut().filter(|(next, _)| *next <= now) {
            *next = now + *pause;
            *pause = (*pause * 2).min(AT_LEAST_EVERY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "609007e6-75a0-4459-a177-658ce1c5118a";
    const B: &str = "709007e6-75a0-4459-a177-658ce1c5118a";

    fn names(ids: &[&str]) -> Names {
        let list: Vec<_> = ids
            .iter()
            .map(|id| serde_json::json!({"container_id": id, "executor_id": "x.1"}))
            .collect();
        let mut names = Names::default();
        names.add_containers(serde_json::to_string(&list).unwrap().as_bytes()).unwrap();
        names
    }

    fn due(book: &mut Book, ids: &[&str], now: Instant) -> bool {
        book.due(ids.iter().copied(), now)
    }

    #[test]
    fn asked_for_the_new_only_and_not_too_often() {
        let (mut book, t0) = (Book::default(), Instant::now());
        let at = |s| t0 + Duration::from_secs(s);
        assert!(!due(&mut book, &[], at(0)));
        assert!(due(&mut book, &[A], at(0)));
        assert!(!due(&mut book, &[A], at(60)), "one is under way");
        book.answered(Some(names(&[A])), at(60));
        assert!(!due(&mut book, &[A], at(100)));
        assert!(due(&mut book, &[A, B], at(100)));
        book.answered(None, at(105));
        assert!(book.names().get(A).is_some(), "a failure keeps the names");
        assert!(!due(&mut book, &[A, B], at(109)));
        assert!(due(&mut book, &[A, B], at(110)));
    }

    #[test]
    fn what_the_agent_does_not_know_is_asked_for_ever_more_rarely() {
        let (mut book, t0) = (Book::default(), Instant::now());
        let mut asked = Vec::new();
        for s in 0..2_000 {
            let now = t0 + Duration::from_secs(s);
            if due(&mut book, &[A], now) {
                asked.push(s);
                book.answered(Some(Names::default()), now);
            }
        }
        assert_eq!(asked, [0, 10, 30, 70, 150, 310, 610, 910, 1210, 1510, 1810]);
        // gone and come again: new
        assert!(!due(&mut book, &[], t0 + Duration::from_secs(2_000)));
        assert!(due(&mut book, &[A], t0 + Duration::from_secs(2_001)));
    }
}
