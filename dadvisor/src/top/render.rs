//! The picture: three lines of header, one line per container, at most as wide as the terminal. Pure.

use super::human;
use super::row::Row;
use std::borrow::Cow;
use unicode_width::UnicodeWidthChar;

/// How a line is to be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// The names of the columns.
    Heading,
    /// Something to look at.
    Alarm,
    /// Less important.
    Dim,
}

/// One line of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Never wider than asked for.
    pub text: String,
    /// How it is drawn.
    pub tone: Tone,
}

impl Line {
    /// A line cut to a width.
    pub fn new(text: &str, width: usize, tone: Tone) -> Self {
        Self { text: cut(text, width).into_owned(), tone }
    }
}

struct Column {
    title: &'static str,
    /// Columns of a low rank go first when the terminal is narrow; 0 never goes.
    rank: u8,
    /// Usual width of its figures, so that columns do not jump from tick to tick.
    least: usize,
    left: bool,
    cell: fn(&Row) -> String,
}

const COLUMNS: [Column; 11] = [
    Column { title: "APP", rank: 0, least: 3, left: true, cell: |r| r.app.clone() },
    Column { title: "INSTANCE", rank: 8, least: 8, left: true, cell: |r| r.instance.clone() },
    Column {
        title: "CPU%",
        rank: 0,
        least: 5,
        left: false,
        cell: |r| shown(r.cpu, human::percent),
    },
    Column {
        title: "LIM%",
        rank: 5,
        least: 4,
        left: false,
        cell: |r| shown(r.cpu_limit, human::percent),
    },
    Column { title: "MEM/LIMIT", rank: 10, least: 9, left: false, cell: memory },
    Column { title: "NET RX/TX", rank: 7, least: 9, left: false, cell: |r| pair(&r.net) },
    Column { title: "IO R/W", rank: 6, least: 9, left: false, cell: |r| pair(&r.io) },
    Column {
        title: "PIDS",
        rank: 2,
        least: 4,
        left: false,
        cell: |r| shown(r.pids, |p| format!("{p:.0}")),
    },
    Column { title: "RST", rank: 1, least: 3, left: false, cell: |r| r.restarts.to_string() },
    Column { title: "STATE", rank: 4, least: 9, left: true, cell: |r| r.state.to_owned() },
    Column { title: "UPTIME", rank: 3, least: 6, left: false, cell: uptime },
];

/// Narrowest that names may get before a column goes.
const NAME_LEAST: usize = 12;
/// Blank between two columns.
const GAP: usize = 2;

fn shown(value: Option<f64>, print: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), print)
}

fn pair(pair: &[Option<f64>; 2]) -> String {
    match pair {
        [None, None] => "-".to_owned(),
        [a, b] => format!("{}/{}", shown(*a, human::bytes), shown(*b, human::bytes)),
    }
}

fn memory(row: &Row) -> String {
    match (row.memory, row.memory_limit) {
        (None, _) => "-".to_owned(),
        (Some(used), None) => format!("{}/-", human::bytes(used)),
        (Some(used), Some(limit)) => format!("{}/{}", human::bytes(used), human::bytes(limit)),
    }
}

fn uptime(row: &Row) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float to integer cast saturates, and no uptime is negative"
    )]
    shown(row.uptime, |seconds| human::time(seconds as u64))
}

/// The table: its heading, and `height` lines beneath, from `offset` on.
pub fn table(rows: &[Row], width: usize, height: usize, offset: usize) -> Vec<Line> {
    let visible = &rows[offset.min(rows.len())..rows.len().min(offset.saturating_add(height))];
    let cells: Vec<Vec<String>> =
        visible.iter().map(|row| COLUMNS.iter().map(|c| (c.cell)(row)).collect()).collect();
    let layout = layout(&cells, width);
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (index, cell) in cells.enumerate() {
            let Some(width) = layout[index] else { continue };
            if !text.is_empty() {
                text.push_str(&" ".repeat(GAP));
            }
            text.push_str(&fit(cell, width, COLUMNS[index].left));
        }
        text.trim_end().to_owned()
    };
    let heading = line(&mut COLUMNS.iter().map(|c| c.title));
    let mut out = vec![Line::new(&heading, width, Tone::Heading)];
    for (row, cells) in visible.iter().zip(&cells) {
        let tone = if row.alarming { Tone::Alarm } else { Tone::Plain };
        out.push(Line::new(&line(&mut cells.iter().map(String::as_str)), width, tone));
    }
    out
}

/// Width of each column; None where there is no room for it.
fn layout(cells: &[Vec<String>], width: usize) -> Vec<Option<usize>> {
    let mut widths: Vec<Option<usize>> = (0..COLUMNS.len())
        .map(|i| {
            let widest = cells.iter().map(|row| wide(&row[i])).max().unwrap_or(0);
            Some(widest.max(COLUMNS[i].least))
        })
        .collect();
    // names shrink first, then whole columns go, the least important before the others
    let needed = |widths: &[Option<usize>], names: usize| -> usize {
        let name = |i: usize, w: usize| if i < 2 { w.min(names) } else { w };
        let present = widths.iter().enumerate().filter_map(|(i, w)| Some(name(i, (*w)?)));
        present.map(|w| w + GAP).sum::<usize>().saturating_sub(GAP)
    };
    let mut by_rank: Vec<usize> = (0..COLUMNS.len()).filter(|i| COLUMNS[*i].rank > 0).collect();
    by_rank.sort_by_key(|i| COLUMNS[*i].rank);
    for index in by_rank {
        if needed(&widths, NAME_LEAST) <= width {
            break;
        }
        widths[index] = None;
    }
    // the instance gives way first: its two ends are kept, an app is known by all of its name
    for index in [1, 0] {
        let over = needed(&widths, usize::MAX).saturating_sub(width);
        widths[index] = widths[index].map(|w| w.saturating_sub(over).max(w.min(NAME_LEAST)));
    }
    widths
}

/// A cell in its width: cut in the middle, padded on its loose side.
fn fit(cell: &str, width: usize, left: bool) -> String {
    let text = cut_middle(cell, width);
    let pad = " ".repeat(width.saturating_sub(wide(&text)));
    if left { format!("{text}{pad}") } else { format!("{pad}{text}") }
}

/// The beginning, and `…` where something is missing.
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if wide(text) <= width {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", head(text, width.saturating_sub(1))).chars().take(width).collect())
}

/// Both ends, and `…` between: task ids differ at their ends.
fn cut_middle(text: &str, width: usize) -> Cow<'_, str> {
    if wide(text) <= width {
        return Cow::Borrowed(text);
    }
    let keep = width.saturating_sub(1);
    let tail: String = text.chars().rev().collect();
    let tail: String = head(&tail, keep / 2).chars().rev().collect();
    Cow::Owned(format!("{}…{tail}", head(text, keep - keep / 2)))
}

/// Columns a text takes in a terminal: the sum over its characters, which is what most terminals do.
pub fn wide(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// As many characters as fit into a width.
fn head(text: &str, width: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        used += c.width().unwrap_or(0);
        (used > width).then_some(at)
    });
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests;
