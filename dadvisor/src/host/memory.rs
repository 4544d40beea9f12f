//! `/proc/meminfo`: memory and swap.
//!
//! Parsed here by name and not with procfs-core, which panics on a name with foreign bytes and on values beyond 2^54.

use super::source::{Error, needed};
use super::{Emit, Roots};
use common::metric::{Name, Value};

/// Names in the file, and what they are called here.
const FIELDS: [(&str, &str); 13] = [
    ("MemTotal", "memory.total_bytes"),
    ("MemAvailable", "memory.available_bytes"),
    ("MemFree", "memory.free_bytes"),
    ("Cached", "memory.cache_bytes"),
    ("Buffers", "memory.buffers_bytes"),
    ("Slab", "memory.slab_bytes"),
    ("AnonPages", "memory.rss_bytes"),
    ("Mapped", "memory.mapped_bytes"),
    ("Shmem", "memory.shmem_bytes"),
    ("Dirty", "memory.dirty_bytes"),
    ("Writeback", "memory.writeback_bytes"),
    ("SwapTotal", "swap.total_bytes"),
    ("SwapFree", "swap.free_bytes"),
];
const TOTAL: usize = 0;
const AVAILABLE: usize = 1;
const SWAP_TOTAL: usize = 11;
const SWAP_FREE: usize = 12;

/// Bytes, in the order of [`FIELDS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Memory([Option<u64>; FIELDS.len()]);

pub(super) fn read(roots: &Roots) -> Result<Option<Memory>, Error> {
    needed(roots.proc.join("meminfo"), parse)
}

pub(super) fn parse(text: &str) -> Result<Memory, String> {
    let mut found = [None; FIELDS.len()];
    for line in text.lines() {
        let Some((name, rest)) = line.split_once(':') else { continue };
        let Some(at) = FIELDS.iter().position(|(field, _)| *field == name) else { continue };
        let mut words = rest.split_ascii_whitespace();
        let kib = words.next().and_then(|word| word.parse::<u64>().ok());
        found[at] = match (kib, words.next()) {
            (Some(kib), Some("kB")) => kib.checked_mul(1024),
            _ => return Err(format!("{name} is not a number of kB")),
        };
    }
    if found[TOTAL].is_none() {
        return Err("MemTotal is missing".to_owned());
    }
    Ok(Memory(found))
}

pub(super) fn emit(now: &Memory, emit: &mut Emit<'_>) {
    for ((_, name), value) in FIELDS.into_iter().zip(now.0) {
        if let Some(value) = value {
            emit(Name::from(name), Value::Int(value));
        }
    }
    let used = |total: usize, left: usize| {
        let (total, left) = (now.0[total]?, now.0[left]?);
        Some((total.checked_sub(left)?, total))
    };
    if let Some((usage, total)) = used(TOTAL, AVAILABLE) {
        emit(Name::from("memory.usage_bytes"), Value::Int(usage));
        emit_percent("memory.percent", usage, total, emit);
    }
    if let Some((usage, total)) = used(SWAP_TOTAL, SWAP_FREE) {
        emit(Name::from("memory.swap_bytes"), Value::Int(usage));
        emit(Name::from("swap.usage_bytes"), Value::Int(usage));
        emit_percent("swap.percent", usage, total, emit);
    }
}

/// A share of nothing is no figure.
fn emit_percent(name: &str, part: u64, whole: u64, emit: &mut Emit<'_>) {
    if whole > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a percentage needs no 53 bits")]
        let percent = part as f64 * 100.0 / whole as f64;
        emit(Name::from(name), Value::Float(percent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn figures(text: &str) -> BTreeMap<String, f64> {
        let mut out = BTreeMap::new();
        emit(&parse(text).unwrap(), &mut |name, value| {
            assert!(out.insert(name.to_string(), value.as_f64()).is_none());
        });
        out
    }

    #[test]
    fn usage_is_what_is_not_available() {
        let got = figures(
            "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable:  750 kB\nHugePages_Total: 4\n\
             SwapTotal: 0 kB\nSwapFree: 0 kB\nNewThing: 5 kB\n",
        );
        assert_eq!(got["memory.usage_bytes"], 256_000.0);
        assert_eq!(got["memory.percent"], 25.0);
        assert_eq!(got["swap.usage_bytes"], 0.0);
        assert!(!got.contains_key("swap.percent"), "no swap, no share of it");
        assert!(!got.contains_key("memory.cache_bytes"), "absent is not zero");
    }

    #[test]
    fn old_kernels_without_available_have_no_usage() {
        let got = figures("MemTotal: 1000 kB\nMemFree: 100 kB\n");
        assert!(!got.contains_key("memory.usage_bytes"));
    }

    #[test]
    fn wrong_numbers_are_named() {
        assert_eq!(parse("MemTotal: x kB\n"), Err("MemTotal is not a number of kB".to_owned()));
        assert_eq!(parse(""), Err("MemTotal is missing".to_owned()));
        assert!(parse("MemTotal: 18446744073709551615 kB\n").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "((MemTotal|SwapFree|\\PC{0,6}):? {0,3}[0-9a-z]{0,25} ?(kB)?\n){0,8}") {
            drop(parse(&text));
        }
    }
}
