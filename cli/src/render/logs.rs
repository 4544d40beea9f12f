//! Lines of logs, and lists of files. Pure.

use super::{Cell, Ink, Paint, Table, words};
use common::api_types::live::{Frame, LogFile, Told};
use common::moment::Moment;
use common::printable::{Colours, printable, shown};
use dadvisor::top::human;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Colours.
    pub paint: Paint,
    /// What would act on a terminal is shown; else lines go as they are.
    pub terminal: bool,
    /// Lines have their instance in front.
    pub instances: bool,
    /// Lines have their file in front.
    pub files: bool,
}

/// Colours of instances: those that are read on light and on dark ground.
const HUES: [&str; 6] = ["36", "33", "32", "35", "34", "31"];

/// The lines of a frame, with their ends; empty for any other frame.
pub fn lines(told: &Told, look: Look) -> String {
    let Frame::Lines { of, lines, .. } = &told.frame else { return String::new() };
    let instance = told.instance.as_ref().filter(|_| look.instances).map(|id| id.as_str());
    let prefix = prefix(instance, look.files.then_some(of.file.as_str()), look.paint);
    let mut out =
        String::with_capacity(lines.iter().map(|line| line.len() + prefix.len() + 1).sum());
    for line in lines {
        out.push_str(&prefix);
        if look.terminal {
            let colours = if look.paint.0 { Colours::Kept } else { Colours::Dropped };
            shown(&mut out, line, colours);
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// `a1 app.log | `, each instance in a colour of its own.
fn prefix(instance: Option<&str>, file: Option<&str>, paint: Paint) -> String {
    let name = match (instance, file) {
        (None, None) => return String::new(),
        (Some(instance), None) => instance.to_owned(),
        (None, Some(file)) => file.to_owned(),
        (Some(instance), Some(file)) => format!("{instance} {file}"),
    };
    let name = printable(&name);
    if !paint.0 {
        return format!("{name} | ");
    }
    let of = instance.or(file).unwrap_or_default();
    // any spread will do, as long as it is the same every time
    let sum = of.bytes().fold(7_usize, |sum, b| sum.wrapping_mul(31).wrapping_add(usize::from(b)));
    format!("\x1b[{}m{name} |\x1b[0m ", HUES[sum % HUES.len()])
}

/// One line per file.
pub fn files(files: &[LogFile], now: Moment, paint: Paint) -> String {
    let mut table = Table::new(["FILE", "SIZE", "CHANGED", "STATE"]);
    for file in files {
        let state = if file.ended { format!("{}, ended", file.state) } else { file.state.clone() };
        table.line([
            Cell::new(&file.file),
            Cell::figure(size(file.size)),
            Cell::figure(words::maybe_ago(file.modified, now)),
            Cell::new(state).ink(if file.state == "live" { Ink::Plain } else { Ink::Dim }),
        ]);
    }
    table.print(paint)
}

#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
fn size(bytes: u64) -> String {
    human::bytes(bytes as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::api_types::live::Of;
    use common::ids::InstanceId;

    fn told(line: &str) -> Told {
        let of = Of { source: "s".into(), file: "a.log".into(), generation: 0 };
        let frame = Frame::Lines {
            of,
            offset: 0,
            next: 1,
            time: Moment::from_unix_ms(0),
            lines: vec![line.to_owned(), "two".to_owned()],
            replaced: Vec::new(),
            continues: false,
            open: false,
        };
        Told { instance: Some(InstanceId::new("a1\u{1b}")), frame }
    }

    #[test]
    fn hostile_lines_are_made_visible_on_a_terminal_alone() {
        let line = "\u{1b}[31mred\u{1b}[2J";
        let look = Look { paint: Paint(false), terminal: false, instances: true, files: true };
        assert_eq!(
            lines(&told(line), look),
            "a1\\u{1b} a.log | \u{1b}[31mred\u{1b}[2J\na1\\u{1b} a.log | two\n"
        );
        let bare = Look { terminal: true, instances: false, files: false, ..look };
        assert_eq!(lines(&told(line), bare), "red^[[2J\ntwo\n");
        let coloured = lines(&told(line), Look { paint: Paint(true), instances: true, ..bare });
        assert!(coloured.contains("\u{1b}[31mred^[[2J\u{1b}[0m\n"), "{coloured:?}");
        assert!(coloured.starts_with("\u{1b}[3") && coloured.contains("a1\\u{1b} |\u{1b}[0m "));
    }

    #[test]
    fn files_are_a_table() {
        let file = LogFile {
            source: "s".into(),
            file: "a.log".into(),
            generation: 0,
            size: 2_048,
            state: "rotated".into(),
            modified: None,
            ended: true,
        };
        let text = files(&[file], Moment::from_unix_ms(0), Paint(false));
        assert!(text.contains("a.log") && text.contains("rotated, ended"), "{text}");
    }
}
