//! `/proc/loadavg`: load, and how many processes and threads there are against the kernel's limits.

use super::source::{Error, needed, parsed};
use super::{Emit, Roots};
use common::metric::{Name, Value};
use procfs_core::{FromRead, LoadAverage};

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

pub(super) fn parse(text: &str, limit: Option<u64>) -> Result<Load, String> {
    let load = LoadAverage::from_read(text.as_bytes())
        .map_err(|_| "not three averages, counts and a process id".to_owned())?;
    let averages = [load.one, load.five, load.fifteen].map(f64::from);
    Ok(Load { averages, pids: u64::from(load.max), limit })
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
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            drop(parse(&text, None));
        }
    }
}
