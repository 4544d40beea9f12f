//! What keys do to the view. Pure.

use crate::args::Sort;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What the person looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Order of the lines.
    pub sort: Sort,
    /// The other way round.
    pub reverse: bool,
    /// Only lines with this in app or instance.
    pub filter: String,
    /// The filter is being typed.
    pub typing: bool,
    /// First line shown.
    pub offset: usize,
}

/// The bottom line while nothing else is to be said.
pub const HELP: &str =
    "q quit  c cpu  m memory  n net  i io  a name  r reverse  / filter  arrows scroll";

/// Longest filter.
const FILTER_MOST: usize = 60;

/// What a key comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressed {
    /// End the view.
    Quit,
    /// The view is another one.
    Changed,
    /// No such key.
    Nothing,
}

impl View {
    /// Takes a key. `lines` there are, `page` of them are shown.
    pub fn press(&mut self, key: KeyEvent, lines: usize, page: usize) -> Pressed {
        if key.kind == KeyEventKind::Release {
            return Pressed::Nothing;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Pressed::Quit,
                KeyCode::Char('l') => Pressed::Changed,
                _ => Pressed::Nothing,
            };
        }
        let pressed = if self.typing { self.edit(key.code) } else { self.command(key.code, page) };
        self.keep_within(lines, page);
        pressed
    }

    /// Keeps a full page in view where there is one, after a change of lines or of the terminal.
    pub fn keep_within(&mut self, lines: usize, page: usize) {
        self.offset = self.offset.min(lines.saturating_sub(page));
    }

    fn edit(&mut self, code: KeyCode) -> Pressed {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(c) if self.filter.len() < FILTER_MOST => self.filter.push(c),
            _ => return Pressed::Nothing,
        }
        Pressed::Changed
    }

    fn command(&mut self, code: KeyCode, page: usize) -> Pressed {
        match code {
            KeyCode::Char('q') => return Pressed::Quit,
            KeyCode::Char('c') => self.sort_by(Sort::Cpu),
            KeyCode::Char('m') => self.sort_by(Sort::Memory),
            KeyCode::Char('n') => self.sort_by(Sort::Net),
            KeyCode::Char('i') => self.sort_by(Sort::Io),
            KeyCode::Char('a') => self.sort_by(Sort::Name),
            KeyCode::Char('r') => self.reverse = !self.reverse,
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Up | KeyCode::Char('k') => self.offset = self.offset.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.offset = self.offset.saturating_add(1),
            KeyCode::PageUp => self.offset = self.offset.saturating_sub(page),
            KeyCode::PageDown | KeyCode::Char(' ') => {
                self.offset = self.offset.saturating_add(page);
            }
            KeyCode::Home | KeyCode::Char('g') => self.offset = 0,
            KeyCode::End | KeyCode::Char('G') => self.offset = usize::MAX,
            _ => return Pressed::Nothing,
        }
        Pressed::Changed
    }

    fn sort_by(&mut self, sort: Sort) {
        self.sort = sort;
        self.reverse = false;
        self.offset = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn press(view: &mut View, code: KeyCode) -> Pressed {
        view.press(KeyEvent::new(code, KeyModifiers::NONE), 100, 20)
    }

    fn typed(view: &mut View, text: &str) {
        for c in text.chars() {
            press(view, KeyCode::Char(c));
        }
    }

    #[test]
    fn letters_sort_until_a_filter_is_typed() {
        let mut view = View::default();
        typed(&mut view, "mr");
        assert_eq!((view.sort, view.reverse), (Sort::Memory, true));
        typed(&mut view, "i");
        assert_eq!((view.sort, view.reverse), (Sort::Io, false));
        typed(&mut view, "/qa");
        assert_eq!((view.typing, view.filter.as_str(), view.sort), (true, "qa", Sort::Io));
        press(&mut view, KeyCode::Backspace);
        press(&mut view, KeyCode::Enter);
        assert_eq!((view.typing, view.filter.as_str()), (false, "q"));
        press(&mut view, KeyCode::Esc);
        assert_eq!(view.filter, "");
        assert_eq!(press(&mut view, KeyCode::Char('q')), Pressed::Quit);
        let stop = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.press(stop, 0, 0), Pressed::Quit);
    }

    #[test]
    fn scrolling_stays_within_the_lines() {
        let mut view = View::default();
        for (code, offset) in [
            (KeyCode::Up, 0),
            (KeyCode::PageDown, 20),
            (KeyCode::Down, 21),
            (KeyCode::End, 80),
            (KeyCode::Down, 80),
            (KeyCode::PageUp, 60),
            (KeyCode::Home, 0),
        ] {
            press(&mut view, code);
            assert_eq!(view.offset, offset, "{code:?}");
        }
        view.offset = 80;
        view.keep_within(10, 20);
        assert_eq!(view.offset, 0);
    }

    proptest! {
        #[test]
        fn no_keys_break_it(text in any::<String>(), lines in 0usize..50, page in 0usize..50) {
            let mut view = View::default();
            for c in text.chars() {
                view.press(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), lines, page);
                prop_assert!(view.offset <= lines && view.filter.len() < FILTER_MOST + 4);
            }
        }
    }
}
