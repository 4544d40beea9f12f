//! Aligned columns, with colours where they are wanted. Pure.

use common::printable::printable;
use dadvisor::top::render::{cut, wide};

/// Blank between two columns.
const GAP: &str = "  ";
/// Widest cell: an id fits, a name made to flood a terminal does not.
const WIDEST: usize = 200;

/// What a cell tells by its colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ink {
    /// Nothing.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Care,
    /// Wrong.
    Bad,
    /// Less important.
    Dim,
}

/// Whether colours are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    /// Escapes the text and colours it.
    pub fn ink(self, text: &str, ink: Ink) -> String {
        let text = printable(text);
        let code = match ink {
            Ink::Plain => return text.into_owned(),
            Ink::Good => "32",
            Ink::Care => "33",
            Ink::Bad => "31",
            Ink::Dim => "2",
        };
        if self.0 && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.into_owned()
        }
    }
}

/// One cell, safe to print.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    ink: Ink,
    right: bool,
}

impl Cell {
    /// Any text; empty shows as `-`.
    pub fn new(text: impl AsRef<str>) -> Self {
        let safe = printable(text.as_ref());
        let text = if safe.is_empty() { "-".to_owned() } else { cut(&safe, WIDEST).into_owned() };
        Self { text, ..Self::default() }
    }

    /// Text that may be absent.
    pub fn maybe(text: Option<impl AsRef<str>>) -> Self {
        text.map_or_else(|| Self::new(""), Self::new)
    }

    /// A figure: stands at the right.
    pub fn figure(value: impl std::fmt::Display) -> Self {
        Self { right: true, ..Self::new(value.to_string()) }
    }

    /// In a colour.
    #[must_use]
    pub fn ink(mut self, ink: Ink) -> Self {
        self.ink = ink;
        self
    }
}

/// Lines of cells beneath a heading.
#[derive(Debug, Clone)]
pub struct Table {
    heads: Vec<&'static str>,
    lines: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty one.
    pub fn new<const N: usize>(heads: [&'static str; N]) -> Self {
        Self { heads: heads.to_vec(), lines: Vec::new() }
    }

    /// One more line, a cell for each heading.
    pub fn line<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.heads.len());
        self.lines.push(cells.into());
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// As text, each line with its newline.
    pub fn print(&self, paint: Paint) -> String {
        let widest = |column: usize| {
            let cells = self.lines.iter().filter_map(|l| l.get(column)).map(|c| wide(&c.text));
            cells.max().unwrap_or(0).max(wide(self.heads[column]))
        };
        let widths: Vec<usize> = (0..self.heads.len()).map(widest).collect();
        let right: Vec<bool> = (0..self.heads.len())
            .map(|column| {
                self.lines.first().is_some_and(|l| l.get(column).is_some_and(|c| c.right))
            })
            .collect();
        let heads: Vec<Cell> = self
            .heads
            .iter()
            .zip(right)
            .map(|(head, right)| Cell { text: (*head).to_owned(), ink: Ink::Dim, right })
            .collect();
        let mut out = String::new();
        for line in std::iter::once(&heads).chain(&self.lines) {
            out.push_str(&one(line, &widths, paint));
            out.push('\n');
        }
        out
    }
}

/// A line without blanks at its end.
fn one(cells: &[Cell], widths: &[usize], paint: Paint) -> String {
    let mut out = String::new();
    let mut owed = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let pad = " ".repeat(width.saturating_sub(wide(&cell.text)));
        let inked = paint.ink(&cell.text, cell.ink);
        out.push_str(&owed);
        if cell.right {
            out.push_str(&pad);
        }
        out.push_str(&inked);
        owed = if cell.right { GAP.to_owned() } else { pad + GAP };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let mut table = Table::new(["APP", "N", "STATE"]);
        table.line([Cell::new("shop/web"), Cell::figure(2), Cell::new("ok").ink(Ink::Good)]);
        table.line([Cell::new("店"), Cell::figure(10), Cell::maybe(None::<&str>)]);
        assert_eq!(
            table.print(Paint(false)),
            "APP        N  STATE\nshop/web   2  ok\n店        10  -\n"
        );
        assert!(table.print(Paint(true)).contains("\u{1b}[32mok\u{1b}[0m\n"));
    }

    #[test]
    fn what_acts_on_a_terminal_is_shown_instead() {
        let mut table = Table::new(["APP"]);
        table.line([Cell::new("a\x1b[2J\nb\u{202e}")]);
        assert_eq!(table.print(Paint(true)).lines().count(), 2);
        assert!(table.print(Paint(true)).contains("a\\u{1b}[2J\\u{a}b\\u{202e}"));
    }

    proptest! {
        #[test]
        fn any_text_stays_in_its_line(texts in proptest::collection::vec(any::<String>(), 1..6)) {
            let mut table = Table::new(["A", "B"]);
            for text in &texts {
                table.line([Cell::new(text), Cell::new("end")]);
            }
            let printed = table.print(Paint(false));
            let ends: Vec<_> = printed.lines().skip(1).map(wide).collect();
            prop_assert_eq!(ends.len(), texts.len());
            // every line ends with the same word in the same column
            prop_assert!(ends.windows(2).all(|w| w[0] == w[1]), "{}", printed);
        }
    }
}
