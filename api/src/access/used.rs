//! When each token was last used: noted in memory on every request, written at most once a minute. Pure.

use common::moment::Moment;
use std::collections::HashMap;
use std::time::Duration;

/// How old what is written may be.
const MINUTE: Duration = Duration::from_secs(60);

/// Uses of tokens by their id.
#[derive(Debug, Default)]
pub struct Used {
    tokens: HashMap<String, Use>,
}

#[derive(Debug, Clone, Copy)]
struct Use {
    last: Moment,
    written: Option<Moment>,
}

impl Used {
    /// A token was used.
    pub fn touch(&mut self, id: &str, now: Moment) {
        match self.tokens.get_mut(id) {
            Some(used) => used.last = used.last.max(now),
            None => {
                self.tokens.insert(id.to_owned(), Use { last: now, written: None });
            }
        }
    }

    /// When a token was last used since this process began.
    pub fn last(&self, id: &str) -> Option<Moment> {
        self.tokens.get(id).map(|used| used.last)
    }

    /// Tokens whose last use is to be written now, at most so many.
    pub fn due(&self, now: Moment, most: usize) -> Vec<String> {
        let due = |used: &Use| match used.written {
            None => true,
            Some(written) => used.last > written && now.since(written) >= MINUTE,
        };
        self.tokens
            .iter()
            .filter(|(_, used)| due(used))
            .map(|(id, _)| id.clone())
            .take(most)
            .collect()
    }

    /// These were written as used up to `at`.
    pub fn written(&mut self, ids: &[String], at: Moment) {
        for id in ids {
            if let Some(used) = self.tokens.get_mut(id) {
                used.written = Some(at);
            }
        }
    }

    /// Forgets tokens that are no more.
    pub fn keep(&mut self, there: impl Fn(&str) -> bool) {
        self.tokens.retain(|id, _| there(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_written_at_most_once_a_minute() {
        let at = |seconds: u64| Moment::from_unix_ms(seconds * 1_000);
        let mut used = Used::default();
        let mut writes = 0;
        for second in 0..600 {
            used.touch("a", at(second));
            let due = used.due(at(second), 10);
            writes += due.len();
            used.written(&due, at(second));
        }
        assert_eq!(writes, 10);
        assert_eq!(used.last("a"), Some(at(599)));
        assert!(used.due(at(2_000), 10).len() == 1, "the last minute");
        used.written(&["a".to_owned()], at(2_000));
        assert!(used.due(at(9_000), 10).is_empty(), "not used again");
        for n in 0..20 {
            used.touch(&n.to_string(), at(1));
        }
        assert_eq!(used.due(at(1), 7).len(), 7);
        used.keep(|id| id == "a");
        assert_eq!(used.tokens.len(), 1);
    }
}
