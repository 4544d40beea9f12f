//! `/proc/loadavg`: load, and how many processes and threads there are against the kernel's limits.
//!
//! Parsed here and not with procfs-core, which reads the averages as `f32` (0.42 becomes 0.41999998688697815) and takes `-1` and `nan`.

use super::source::{Error, needed, parsed};
use super::{Emit, Roots};
use common::metric::{Name, Value};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Load {
    averages: [f64; 3],
    /// Processes and threads that exist.
    pids: u64,
    /// The lower of `pid_max` and `threads-max`.
    limit: Option<u64>,
}

pub(super) fn read(roots: &Roots) -> Result<Option<Load>, Error> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| "not a number".to_owned());
    let pid_max = parsed(roots.proc.join("sys/kernel/pid_max"), number)?;
    let threads_max = parsed(roots.proc.join("sys/kernel/threads-max"), number)?;
    let limit = pid_max.into_iter().chain(threads_max).min();
    needed(roots.proc.join("loadavg"), |text| parse(text, limit))
}

/// `0.25 1.50 12.00 3/412 99182`: averages, runnable and all processes and threads, the last process id.
pub(super) fn parse(text: &str, limit: Option<u64>) -> Result<Load, String> {
    let mut words = text.split_ascii_whitespace();
    let mut average = || {
        let average: f64 = words.next()?.parse().ok()?;
        (average.is_finite() && average >= 0.0).then_some(average)
    };
    let averages = [average(), average(), average()];
    let pids = words.next().and_then(|counts| counts.split_once('/')?.1.parse().ok());
    match (averages, pids) {
        ([Some(one), Some(five), Some(fifteen)], Some(pids)) => {
            Ok(Load { averages: [one, five, fifteen], pids, limit })
        }
        _ => Err("not three averages and two counts".to_owned()),
    }
}

pub(super) fn emit(now: &Load, emit: &mut Emit<'_>) {
    for (name, average) in ["load.1m", "load.5m", "load.15m"].into_iter().zip(now.averages) {
        emit(Name::from(name), Value::Float(average));
    }
    emit(Name::from("pids.current"), Value::Int(now.pids));
    if let Some(limit) = now.limit {
        emit(Name::from("pids.limit"), Value::Int(limit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_five_fields() {
        let load = parse("0.25 1.50 12.00 3/412 99182\n", Some(32768)).unwrap();
        assert_eq!(load, Load { averages: [0.25, 1.5, 12.0], pids: 412, limit: Some(32768) });
        assert!(parse("", None).is_err());
        assert!(parse("0.25 1.50", None).is_err());
        assert_eq!(parse("0.42 0 1 1/2 3", None).unwrap().averages[0].to_string(), "0.42");
    }

    #[test]
    fn an_average_that_cannot_be_is_refused() {
        for text in ["0.07 0.19 -.24 3/105 27300\n", "nan 0 0 1/2 3\n", "0 inf 0 1/2 3\n"] {
            assert!(parse(text, None).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            drop(parse(&text, None));
        }
    }
}
