//! `/proc/vmstat`: processes killed for want of memory, page faults, swapping.

use super::source::{Error, needed};
use super::{Emit, Roots};
use common::metric::{Name, Value};

/// Names in the file, and what they are called here. `oom_kill` is there since Linux 4.13.
const FIELDS: [(&str, &str); 5] = [
    ("oom_kill", "memory.oom_kills_total"),
    ("pgfault", "memory.page_faults_total"),
    ("pgmajfault", "memory.major_page_faults_total"),
    ("pswpin", "swap.in_pages_total"),
    ("pswpout", "swap.out_pages_total"),
];

/// In the order of [`FIELDS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vm([Option<u64>; FIELDS.len()]);

pub(super) fn read(roots: &Roots) -> Result<Option<Vm>, Error> {
    needed(roots.proc.join("vmstat"), parse)
}

pub(super) fn parse(text: &str) -> Result<Vm, String> {
    let mut found = [None; FIELDS.len()];
    for line in text.lines() {
        let Some((name, value)) = line.split_once(' ') else { continue };
        if let Some(at) = FIELDS.iter().position(|(field, _)| *field == name) {
            let value = value.trim().parse().map_err(|_| format!("{name} is not a number"))?;
            found[at] = Some(value);
        }
    }
    Ok(Vm(found))
}

pub(super) fn emit(now: &Vm, emit: &mut Emit<'_>) {
    for ((_, name), value) in FIELDS.into_iter().zip(now.0) {
        if let Some(value) = value {
            emit(Name::from(name), Value::Int(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn picks_by_whole_name() {
        let vm = parse("nr_free_pages 5\npgfault 12\noom_kill 3\noom_kill_other 9\n").unwrap();
        assert_eq!(vm, Vm([Some(3), Some(12), None, None, None]));
        assert_eq!(parse("oom_kill -1\n"), Err("oom_kill is not a number".to_owned()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "((oom_kill|pgfault|\\PC{0,6}) \\PC{0,22}\n){0,8}") {
            drop(parse(&text));
        }
    }
}
