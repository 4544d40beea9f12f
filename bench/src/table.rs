//! A table for people: Markdown that also reads well in a terminal.

/// Rows under a head.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|h| (*h).to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table as text.
    pub fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |c: usize| {
            self.rows
                .iter()
                .filter_map(|r| r.get(c))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let line = |cells: &[String]| {
            let padded = widths
                .iter()
                .enumerate()
                .map(|(c, w)| format!("{:<w$}", cells.get(c).map_or("", String::as_str)));
            format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
        };
        let mut out = line(&self.rows[0]);
        out.push_str(&format!(
            "|{}|\n",
            widths.iter().map(|w| "-".repeat(w + 2)).collect::<Vec<_>>().join("|")
        ));
        for row in &self.rows[1..] {
            out.push_str(&line(row));
        }
        out
    }
}
