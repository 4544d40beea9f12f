//! What a container writes, as viewers get it: however it is there and read, each line that fits comes whole, once and in order; and on a
//! terminal nothing of it acts but colours.
#![no_main]

use common::api_types::live::{Filter, Frame, Of, Told};
use common::moment::Moment;
use common::printable::acts;
use libfuzzer_sys::fuzz_target;
use log_agent::fuzzing::{CAP, Rest, Within, take};
use log_agent::live::filter::LineFilter;
use log_agent::live::message::{Encoded, Form, LinesFrame, Span};
use log_agent::volume;

/// More pieces of a file than this say nothing new.
const STEPS: usize = 32;

fuzz_target!(|data: &[u8]| {
    let [steps, grep, file] = fuzz::pieces(data);
    // a line longer than a frame is reached by repeating what is there
    let times = steps.first().map_or(1, |n| if *n > 250 { 20 } else { 1 });
    let file = file.repeat(times);
    let grep = String::from_utf8_lossy(grep).into_owned();
    let long = file.split(|b| *b == b'\n').any(|line| line.len() >= CAP - 4);
    let asked = Filter { grep: if long { String::new() } else { grep }, ..Filter::default() };
    let Ok(filter) = LineFilter::new(asked) else { return };

    let mut lines: Vec<&[u8]> = file.split(|b| *b == b'\n').collect();
    if lines.last() == Some(&&b""[..]) {
        lines.pop();
    }
    lines.retain(|line| filter.shows(line));
    let wanted: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
    // a line in parts is cut between characters, if it has any
    if !long || std::str::from_utf8(&file).is_ok() {
        assert_eq!(seen(&file, steps, &filter), wanted);
    }
    terminal(&file, &filter);
    // of Docker's own log there is another text, but of each line one
    let (frame, taken) = frame(
        Form::Json,
        volume::Form::DockerJson,
        &file[..file.len().min(CAP)],
        &filter,
        Within::default(),
        Rest::Ends,
    );
    assert!(taken.bytes > 0 || file.is_empty());
    drop(told(&frame));
});

fn frame(
    form: Form,
    of_file: volume::Form,
    bytes: &[u8],
    filter: &LineFilter,
    within: Within,
    rest: Rest,
) -> (Encoded, log_agent::fuzzing::Taken) {
    let of = Of { source: String::new(), file: String::new(), generation: 0 };
    let mut frame = LinesFrame::new(&of, form, bytes.len());
    let taken = take(&mut frame, (of_file, bytes), within, filter, rest);
    let time = Moment::from_unix_ms(0);
    let span = Span {
        offset: 0,
        next: taken.bytes as u64,
        time,
        continues: taken.continues,
        open: taken.open,
    };
    (frame.finish(&span), taken)
}

fn told(frame: &Encoded) -> (Vec<String>, bool) {
    let told: Told = serde_json::from_slice(frame.bytes()).expect("a frame");
    let Frame::Lines { lines, continues, replaced, .. } = told.frame else { panic!("no lines") };
    assert!(replaced.iter().all(|n| lines[*n as usize].contains('\u{fffd}')));
    (lines, continues)
}

/// Reads a file that is written in steps of so many bytes, and puts its lines together as a page does.
fn seen(file: &[u8], steps: &[u8], filter: &LineFilter) -> Vec<String> {
    let (mut at, mut there, mut within) = (0, 0, Within::default());
    let mut seen: Vec<String> = Vec::new();
    let mut steps = steps.iter().map(|n| usize::from(*n) + 1).take(STEPS);
    while at < file.len() {
        there = steps.next().map_or(file.len(), |step| (there + step).min(file.len()));
        let end = there.min(at + CAP);
        let rest = if end == file.len() { Rest::Ends } else { Rest::Waits };
        let (encoded, taken) =
            frame(Form::Json, volume::Form::Plain, &file[at..end], filter, within, rest);
        assert!(taken.bytes > 0 || end - at < CAP && end < file.len(), "it does not get on");
        let (lines, continues) = told(&encoded);
        for (n, line) in lines.into_iter().enumerate() {
            match seen.last_mut() {
                Some(last) if n == 0 && continues => last.push_str(&line),
                _ => seen.push(line),
            }
        }
        (at, within) = (at + taken.bytes, taken.within);
    }
    seen
}

fn terminal(file: &[u8], filter: &LineFilter) {
    let (shown, _) = frame(
        Form::Text,
        volume::Form::Plain,
        &file[..file.len().min(CAP)],
        filter,
        Within::default(),
        Rest::Ends,
    );
    let shown = std::str::from_utf8(shown.bytes()).expect("text");
    for line in shown.split('\n') {
        let without = line.replace("\x1b[", "");
        assert!(!without.contains(|c| acts(c) && c != '\t'), "{line:?}");
        assert!(without.len() == line.len() || line.ends_with("\x1b[0m"), "{line:?}");
    }
}
