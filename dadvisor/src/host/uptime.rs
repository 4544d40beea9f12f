//! `/proc/uptime`: time since boot.

use super::source::{Error, needed};
use super::{Emit, Roots};
use common::metric::{Name, Value};
use procfs_core::FromRead;

/// Seconds since boot, time asleep included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Uptime(f64);

pub(super) fn read(roots: &Roots) -> Result<Option<Uptime>, Error> {
    needed(roots.proc.join("uptime"), parse)
}

pub(super) fn parse(text: &str) -> Result<Uptime, String> {
    let uptime =
        procfs_core::Uptime::from_read(text.as_bytes()).map_err(|_| "not two numbers")?.uptime;
    if uptime.is_finite() && uptime >= 0.0 {
        Ok(Uptime(uptime))
    } else {
        Err("not a time".to_owned())
    }
}

pub(super) fn emit(now: &Uptime, emit: &mut Emit<'_>) {
    emit(Name::from("uptime_seconds"), Value::Float(now.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_number_counts() {
        assert_eq!(parse("1068.81 1855.30\n"), Ok(Uptime(1068.81)));
        assert!(parse("").is_err());
        assert!(parse("-5 1").is_err());
        assert!(parse("nan 1").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            drop(parse(&text));
        }
    }
}
