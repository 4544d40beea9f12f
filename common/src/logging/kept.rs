//! Log lines that wait while the terminal shows something else.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Most lines that wait; older ones are dropped and counted.
const MOST: usize = 1000;

/// Keeps lines until [`Kept::release`].
#[derive(Debug, Default)]
pub struct Kept(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    released: bool,
    dropped: u64,
    lines: VecDeque<String>,
}

impl Kept {
    /// Keeps a line, or gives it back to be printed at once.
    pub(super) fn take(&self, line: String) -> Option<String> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.released {
            return Some(line);
        }
        if state.lines.len() == MOST {
            state.lines.pop_front();
            state.dropped += 1;
        }
        state.lines.push_back(line);
        None
    }

    /// Everything kept, to be printed; later lines are not kept any more.
    pub fn release(&self) -> String {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.released = true;
        let mut out: String = state.lines.drain(..).collect();
        let dropped = std::mem::take(&mut state.dropped);
        if dropped > 0 {
            out.insert_str(0, &format!("({dropped} older log lines were not kept)\n"));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_and_the_oldest_go_first() {
        let kept = Kept::default();
        for n in 0..=MOST {
            assert_eq!(kept.take(format!("{n}\n")), None);
        }
        let out = kept.release();
        assert!(out.starts_with("(1 older log lines were not kept)\n1\n2\n"));
        assert!(out.ends_with("1000\n"));
        assert_eq!(kept.take("x\n".into()), Some("x\n".into()));
        assert_eq!(kept.release(), "");
    }
}
