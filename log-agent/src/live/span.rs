//! A stretch of a file's bytes, as one frame: whole lines as far as they go, filtered. Pure.
//!
//! A line that does not fit the buffer is given in open parts, cut between characters; whether it is shown is decided by its first part.
//! What a frame stands for depends on the place and the bytes alone, so viewers at one place can share it. Of Docker's own log the texts in
//! its objects are shown, those of both streams as they came; one that Docker cut (at 16 KiB) is shown as several lines.

use super::filter::LineFilter;
use super::message::LinesFrame;
use crate::dockerlog::Decoder;
use crate::lines::{Lines, Part};
use crate::volume::Form;

/// Most bytes of one frame's text: as JSON six times as many at worst.
pub const CAP: usize = 32 * 1_024;

/// Where in a line a viewer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Within {
    /// The beginning of the line was told already.
    pub open: bool,
    /// It is shown.
    pub shown: bool,
}

/// What was made of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Bytes that are told or filtered out.
    pub bytes: usize,
    /// Where in a line the rest begins.
    pub within: Within,
    /// The first line that was put in goes on with the last one.
    pub continues: bool,
    /// The last line that was put in is not complete.
    pub open: bool,
}

/// How the end of the buffer is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// More may come: what has no end yet waits.
    Waits,
    /// It has waited long enough: an open part.
    Open,
    /// No more will come: the end of a line.
    Ends,
}

/// The text of a whole line of a file of this form.
pub fn text<'a>(form: Form, decoder: &'a mut Decoder, line: &'a [u8]) -> &'a [u8] {
    match form {
        Form::Plain => line,
        Form::DockerJson => decoder.decode(line).body,
    }
}

/// Puts the lines of `bytes` (at most [`CAP`]) that fit into the frame.
pub fn take(
    frame: &mut LinesFrame,
    (form, bytes): (Form, &[u8]),
    within: Within,
    filter: &LineFilter,
    rest: Rest,
) -> Taken {
    let mut taken = Taken { bytes: 0, within, continues: false, open: false };
    let mut lines = Lines::cut(bytes, within.open, CAP - 1);
    let mut decoder = Decoder::new();
    let mut put = |piece: crate::lines::Piece| {
        let mut text = &bytes[piece.start..piece.end];
        let (begins, ends) = match piece.part {
            Part::Whole => (true, true),
            Part::First => (true, false),
            Part::Middle => (false, false),
            Part::Last => (false, true),
        };
        if begins && ends {
            text = self::text(form, &mut decoder, text);
        }
        if begins {
            taken.within.shown = filter.shows(text);
        }
        if taken.within.shown {
            taken.continues |= frame.is_empty() && !begins;
            frame.push(text);
            taken.open = !ends;
        }
        taken.within.open = !ends;
        taken.bytes = piece.next;
    };
    for piece in lines.by_ref() {
        put(piece);
    }
    if rest != Rest::Waits {
        if let Some(piece) = lines.rest(rest == Rest::Ends) {
            put(piece);
        }
    }
    if !taken.within.open {
        taken.within.shown = false;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::super::message::{self, Span};
    use super::*;
    use common::api_types::live::{Filter, Frame, Of, Told};
    use common::moment::Moment;
    use proptest::prelude::*;

    fn filter(grep: &str) -> LineFilter {
        LineFilter::new(Filter { grep: grep.into(), invert: false, case: true }).unwrap()
    }

    /// Reads a file as a viewer does, `steps` bytes being there at a time, and puts the lines together as a client does.
    fn view(file: &[u8], grep: &str, steps: &[usize], open: bool) -> Vec<String> {
        let filter = filter(grep);
        let of = Of { source: String::new(), file: String::new(), generation: 0 };
        let (mut at, mut there, mut within) = (0usize, 0usize, Within::default());
        let mut steps = steps.iter().cycle();
        let mut shown: Vec<String> = Vec::new();
        loop {
            let ended = there == file.len();
            there = (there + steps.next().unwrap()).min(file.len());
            let bytes = &file[at..there.min(at + CAP)];
            let rest = match (ended, open) {
                (true, _) if there <= at + CAP => Rest::Ends,
                (_, true) if bytes.len() < CAP => Rest::Open,
                _ => Rest::Waits,
            };
            let mut frame = LinesFrame::new(&of, message::Form::Json, 0);
            let taken = take(&mut frame, (Form::Plain, bytes), within, &filter, rest);
            let span = Span {
                offset: at as u64,
                next: (at + taken.bytes) as u64,
                time: Moment::from_unix_ms(0),
                continues: taken.continues,
                open: taken.open,
            };
            let frame = serde_json::from_slice::<Told>(frame.finish(&span).bytes()).unwrap();
            let Frame::Lines { lines, continues, .. } = frame.frame else { panic!() };
            for (n, line) in lines.into_iter().enumerate() {
                match shown.last_mut() {
                    Some(last) if n == 0 && continues => last.push_str(&line),
                    _ => shown.push(line),
                }
            }
            assert!(ended || taken.bytes > 0 || bytes.len() < CAP, "it gets on");
            (at, within) = (at + taken.bytes, taken.within);
            if ended && at == file.len() {
                return shown;
            }
        }
    }

    #[test]
    fn a_line_longer_than_the_buffer_is_whole_at_the_viewer() {
        let long = "\u{e4}".repeat(CAP * 2);
        let file = format!("a\n{long}\nb\n");
        let view = view(file.as_bytes(), "", &[usize::MAX / 2], false);
        assert_eq!(view, ["a", &long, "b"]);
    }

    #[test]
    fn of_docker_s_log_the_texts_are_shown() {
        let file =
            br#"{"log":"\u001b[31mred \u00e4\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}
{"log":"oops\n","stream":"stderr","time":"2026-01-01T00:00:00Z"}
no object
"#;
        let of = Of { source: String::new(), file: String::new(), generation: 0 };
        let mut frame = LinesFrame::new(&of, message::Form::Raw, 0);
        let bytes = (Form::DockerJson, &file[..]);
        let taken = take(&mut frame, bytes, Within::default(), &filter("red|o"), Rest::Waits);
        assert_eq!(taken.bytes, file.len());
        let span = Span {
            offset: 0,
            next: 1,
            time: Moment::from_unix_ms(0),
            continues: false,
            open: false,
        };
        let text = frame.finish(&span);
        assert_eq!(text.bytes(), "\u{1b}[31mred \u{e4}\noops\nno object\n".as_bytes());
    }

    #[test]
    fn the_first_part_decides() {
        let file = format!("yes{}\nno{}\nyes\n", "x".repeat(CAP * 2), "yes".repeat(CAP));
        let view = view(file.as_bytes(), "^yes", &[10_000], false);
        assert_eq!(view, [&format!("yes{}", "x".repeat(CAP * 2)), "yes"]);
    }

    proptest! {
        #[test]
        fn no_line_is_lost_or_told_twice(
            lines in prop::collection::vec("[ab\u{e4}\u{20ac}]{0,12}", 0..30),
            ended in any::<bool>(),
            open in any::<bool>(),
            steps in prop::collection::vec(1usize..40, 1..8),
        ) {
            let mut file = lines.join("\n");
            if ended && !lines.is_empty() { file.push('\n'); }
            let mut wanted: Vec<&str> = file.split('\n').collect();
            if wanted.last() == Some(&"") { wanted.pop(); }
            prop_assert_eq!(view(file.as_bytes(), "", &steps, false), wanted.clone());
            // open parts may cut characters apart, which only the bytes could mend
            let ascii = file.replace(['\u{e4}', '\u{20ac}'], "c");
            let plain: Vec<String> = wanted.iter().map(|l| l.replace(['\u{e4}', '\u{20ac}'], "c")).collect();
            prop_assert_eq!(view(ascii.as_bytes(), "", &steps, open), plain);
            wanted.retain(|line| line.contains('a'));
            prop_assert_eq!(view(file.as_bytes(), "a", &steps, false), wanted);
        }
    }
}
