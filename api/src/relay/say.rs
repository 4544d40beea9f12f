//! What a viewer said, as every reader has to repeat it to its log-agent. Pure.

use common::api_types::live::{Ask, Filter};

/// The sum of what was said: a reader that was away for a while says what is still of use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Say {
    /// The filter in force.
    pub filter: Filter,
    /// How often it was changed, and with how many lines to start again.
    filters: u64,
    lines: Option<u32>,
    /// Nothing is wanted now.
    pub paused: bool,
    /// Of the last `resume`.
    at_end: bool,
}

impl Say {
    /// As a stream begins.
    pub fn new(filter: Filter) -> Self {
        Self { filter, ..Self::default() }
    }

    /// What an agent knows that was asked with the filter in force.
    pub fn begun(&self) -> Self {
        Self { paused: false, ..self.clone() }
    }

    /// The viewer said this.
    pub fn hear(&mut self, ask: Ask) {
        match ask {
            // whoever is here is let in already
            Ask::Ticket { .. } => {}
            Ask::Pause {} => self.paused = true,
            Ask::Resume { at_end } => (self.paused, self.at_end) = (false, at_end),
            Ask::Filter { grep, invert, case, lines } => {
                self.filter = Filter { grep, invert, case };
                self.lines = lines;
                self.filters += 1;
            }
        }
    }

    /// What is to be said to an agent that has heard everything up to `before`.
    pub fn since(&self, before: &Self) -> Vec<Ask> {
        let mut asks = Vec::new();
        if self.filters != before.filters {
            let Filter { grep, invert, case } = self.filter.clone();
            asks.push(Ask::Filter { grep, invert, case, lines: self.lines });
        }
        if self.paused != before.paused {
            asks.push(if self.paused {
                Ask::Pause {}
            } else {
                Ask::Resume { at_end: self.at_end }
            });
        }
        asks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_hears_what_is_new_and_still_of_use() {
        let filter = Filter { grep: "a".into(), invert: false, case: true };
        let mut say = Say::new(filter.clone());
        let begun = say.clone();
        assert_eq!(say.since(&begun), []);
        say.hear(Ask::Pause {});
        let paused = say.clone();
        assert_eq!(say.since(&begun), [Ask::Pause {}]);
        say.hear(Ask::Resume { at_end: true });
        assert_eq!(say.since(&paused), [Ask::Resume { at_end: true }]);
        assert_eq!(say.since(&begun), [], "it never heard of the pause");
        let other = Ask::Filter { grep: "b".into(), invert: true, case: false, lines: Some(5) };
        say.hear(other.clone());
        say.hear(Ask::Ticket { ticket: "x".into() });
        assert_eq!(say.since(&begun), [other]);
    }
}
