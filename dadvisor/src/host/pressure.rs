//! `/proc/pressure/{cpu,memory,io,irq}`: time in which tasks waited. Only the `total` counter is used: averages can be made from it,
//! not the other way round.
//!
//! Parsed here because procfs-core panics on a line that is only `some`, and asks for a `full` line that older kernels do not have.

use super::source::{Error, parsed};
use super::{Emit, Roots};
use common::metric::{Name, Value};

const RESOURCES: [&str; 4] = ["cpu", "memory", "io", "irq"];

/// Microseconds of one resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pressure {
    some: Option<u64>,
    full: Option<u64>,
}

/// In the order of [`RESOURCES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pressures([Option<Pressure>; RESOURCES.len()]);

/// One resource that cannot be read does not hide the others.
pub(super) fn read(roots: &Roots) -> (Option<Pressures>, Option<Error>) {
    let mut found = Pressures([None; RESOURCES.len()]);
    let mut failed = None;
    for (resource, slot) in RESOURCES.into_iter().zip(&mut found.0) {
        match parsed(roots.proc.join("pressure").join(resource), parse) {
            Ok(pressure) => *slot = pressure,
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    (found.0.iter().any(Option::is_some).then_some(found), failed)
}

pub(super) fn parse(text: &str) -> Result<Pressure, String> {
    let mut pressure = Pressure::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let slot = match words.next() {
            Some("some") => &mut pressure.some,
            Some("full") => &mut pressure.full,
            _ => continue,
        };
        let total = words.find_map(|word| word.strip_prefix("total="));
        let total = total.and_then(|total| total.parse().ok());
        *slot = Some(total.ok_or_else(|| format!("no total in \"{line}\""))?);
    }
    Ok(pressure)
}

pub(super) fn emit(now: &Pressures, emit: &mut Emit<'_>) {
    for (resource, pressure) in RESOURCES.into_iter().zip(now.0) {
        let Some(pressure) = pressure else { continue };
        for (kind, total) in
            [(".some_seconds_total", pressure.some), (".full_seconds_total", pressure.full)]
        {
            if let Some(total) = total {
                emit(Name("pressure.", resource, kind), Value::Micros(total));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_totals_count() {
        let text = "some avg10=0.21 avg60=0.15 avg300=0.25 total=6231934\n\
                    full avg10=0.21 avg60=0.15 avg300=0.23 total=5664495\n";
        assert_eq!(parse(text), Ok(Pressure { some: Some(6_231_934), full: Some(5_664_495) }));
        let old = "some avg10=0.00 avg60=0.30 avg300=0.78 total=17\n";
        assert_eq!(parse(old), Ok(Pressure { some: Some(17), full: None }));
        assert_eq!(parse("some"), Err("no total in \"some\"".to_owned()));
        assert_eq!(parse(""), Ok(Pressure::default()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "((some|full|\\PC{0,4}) ?(total=)?\\PC{0,22}\n){0,4}") {
            drop(parse(&text));
        }
    }
}
