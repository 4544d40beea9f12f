//! CPU time, throttling and limits.
//!
//! v1: `cpuacct.usage` (ns), `cpuacct.stat` (ticks of 1/100 s), `cpu.stat` (ns), `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
//! v2: `cpu.stat` (µs), `cpu.max`. User and system time are scaled by the kernel and need not sum to the total.

use super::text::{Flaws, Single, flat, next_line, next_word, number, single};
use crate::sample::{Field, Figures, MAX_ROWS};

/// Nanoseconds in a tick: USER_HZ is 100 on every architecture Linux containers run on.
const TICK: u64 = 10_000_000;
const MICRO: u64 = 1_000;

/// v1 `cpuacct.usage`.
pub fn usage_v1(text: &[u8], out: &mut Figures) -> Flaws {
    match single(text) {
        Single::Value(nanos) => out.set(Field::CpuUsage, nanos),
        Single::Unlimited | Single::Wrong => return Flaws::wrong_if(true),
    }
    Flaws::NONE
}

/// v1 `cpuacct.stat`, and `cpu.stat` of v1 and v2: their keys do not collide, and each carries its unit.
pub fn stat(text: &[u8], out: &mut Figures) -> Flaws {
    let mut overflown = Flaws::NONE;
    let wanted = |key: &[u8]| {
        Some(match key {
            b"user" => (Field::CpuUser, TICK),
            b"system" => (Field::CpuSystem, TICK),
            b"usage_usec" => (Field::CpuUsage, MICRO),
            b"user_usec" => (Field::CpuUser, MICRO),
            b"system_usec" => (Field::CpuSystem, MICRO),
            b"nr_periods" => (Field::CpuPeriods, 1),
            b"nr_throttled" => (Field::CpuThrottledPeriods, 1),
            b"throttled_time" => (Field::CpuThrottled, 1),
            b"throttled_usec" => (Field::CpuThrottled, MICRO),
            b"nr_bursts" => (Field::CpuBursts, 1),
            b"burst_time" => (Field::CpuBurst, 1),
            b"burst_usec" => (Field::CpuBurst, MICRO),
            _ => return None,
        })
    };
    let mut flaws =
        flat(text, wanted, |(field, unit): (Field, u64), value| match value.checked_mul(unit) {
            Some(value) => out.set(field, value),
            None => overflown += Flaws::wrong_if(true),
        });
    flaws += overflown;
    flaws
}

/// v1 `cpuacct.usage_percpu`: nanoseconds of every possible CPU, on one line with a trailing blank. One wrong number makes the row of
/// all cores absent, since the position is the core.
pub fn per_core_v1(text: &[u8], out: &mut Vec<u64>) -> Flaws {
    out.clear();
    let Some((mut line, _)) = next_line(text) else { return Flaws::wrong_if(true) };
    let mut flaws = Flaws::NONE;
    while let Some((word, rest)) = next_word(line) {
        line = rest;
        let Some(nanos) = number(word) else {
            out.clear();
            return Flaws::wrong_if(true);
        };
        if out.len() < MAX_ROWS {
            out.push(nanos);
        } else {
            flaws.dropped += 1;
        }
    }
    flaws
}

/// A limit as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Thousandths of a core.
    Milli(u64),
    /// No limit at this level.
    Unlimited,
    /// Not readable.
    Wrong,
}

impl Quota {
    fn of(quota: u64, period: u64) -> Self {
        match quota.checked_mul(1000).and_then(|q| q.checked_div(period)) {
            // a quota is never nothing: the kernel's least is 1 ms a second
            Some(milli) => Self::Milli(milli.max(1)),
            None => Self::Wrong,
        }
    }
}

/// v1 `cpu.cfs_quota_us` (`-1`: none) and `cpu.cfs_period_us`.
pub fn quota_v1(quota: &[u8], period: Single) -> Quota {
    match (single(quota), period) {
        (Single::Unlimited, _) => Quota::Unlimited,
        (Single::Value(quota), Single::Value(period)) => Quota::of(quota, period),
        _ => Quota::Wrong,
    }
}

/// v2 `cpu.max`: `max 100000` or `50000 100000`.
pub fn quota_v2(text: &[u8]) -> Quota {
    let words = next_line(text).and_then(|(line, _)| next_word(line));
    let Some((quota, rest)) = words else { return Quota::Wrong };
    if quota == b"max" {
        return Quota::Unlimited;
    }
    let period = next_word(rest).and_then(|(word, _)| number(word));
    match (number(quota), period) {
        (Some(quota), Some(period)) => Quota::of(quota, period),
        _ => Quota::Wrong,
    }
}

/// How many CPUs a list names (`0-3,8`): cpuset files and `/sys/devices/system/cpu/online`. None if it names none or is unreadable.
pub fn cpu_list(text: &[u8]) -> Option<u64> {
    let (line, _) = next_line(text)?;
    let mut count = 0u64;
    for range in line.split(|b| *b == b',') {
        let mut ends = range.splitn(2, |b| *b == b'-');
        let first = number(ends.next()?)?;
        let last = ends.next().map_or(Some(first), number)?;
        count = count.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn figures(text: &[u8]) -> (Vec<(Field, u64)>, u32) {
        let mut out = Figures::default();
        let flaws = stat(text, &mut out);
        (out.iter().collect(), flaws.wrong)
    }

    #[test]
    fn v1_files() {
        let (got, wrong) = figures(b"user 18370\nsystem 10533\n");
        assert_eq!(
            (wrong, &got[..]),
            (0, &[(Field::CpuUser, 183_700_000_000), (Field::CpuSystem, 105_330_000_000)][..])
        );
        let (got, _) = figures(
            b"nr_periods 10\nnr_throttled 3\nthrottled_time 1500\nnr_bursts 1\nburst_time 9\n",
        );
        assert_eq!(
            got,
            [
                (Field::CpuPeriods, 10),
                (Field::CpuThrottledPeriods, 3),
                (Field::CpuThrottled, 1500),
                (Field::CpuBursts, 1),
                (Field::CpuBurst, 9),
            ]
        );
        let mut out = Figures::default();
        assert_eq!(usage_v1(b"281781179000\n", &mut out), Flaws::NONE);
        assert_eq!(out.get(Field::CpuUsage), Some(281_781_179_000));
        assert_eq!(usage_v1(b"2817", &mut Figures::default()).wrong, 1);
    }

    #[test]
    fn v2_file_with_and_without_the_controller() {
        let text = b"usage_usec 281781179\nuser_usec 179088956\nsystem_usec 102692222\nnice_usec 0\ncore_sched.force_idle_usec 0\n\
            nr_periods 4\nnr_throttled 2\nthrottled_usec 70\nnr_bursts 0\nburst_usec 0\n";
        let (got, wrong) = figures(text);
        assert_eq!((got.len(), wrong), (8, 0));
        assert_eq!(got[0], (Field::CpuUsage, 281_781_179_000));
        assert_eq!(got[5], (Field::CpuThrottled, 70_000));
        let (got, _) = figures(b"usage_usec 1\nuser_usec 1\nsystem_usec 0\n");
        assert_eq!(got.len(), 3);
    }

    #[test]
    fn a_wrong_number_costs_its_figure_only() {
        let (got, wrong) =
            figures(b"usage_usec abc\nuser_usec 9223372036854775807\nsystem_usec 5\n");
        assert_eq!((&got[..], wrong), (&[(Field::CpuSystem, 5000)][..], 2));
    }

    #[test]
    fn cores() {
        let mut cores = vec![7];
        assert_eq!(per_core_v1(b"10 20 30 \n", &mut cores), Flaws::NONE);
        assert_eq!(cores, [10, 20, 30]);
        assert_eq!(per_core_v1(b"10 x 30 \n", &mut cores).wrong, 1);
        assert!(cores.is_empty());
        let many = "5 ".repeat(MAX_ROWS + 3) + "\n";
        assert_eq!(per_core_v1(many.as_bytes(), &mut cores).dropped, 3);
        assert_eq!(cores.len(), MAX_ROWS);
        assert_eq!(per_core_v1(b"10 20", &mut cores).wrong, 1);
    }

    #[test]
    fn quotas() {
        let period = Single::Value(100_000);
        assert_eq!(quota_v1(b"50000\n", period), Quota::Milli(500));
        assert_eq!(quota_v1(b"-1\n", period), Quota::Unlimited);
        assert_eq!(quota_v1(b"5\n", Single::Value(0)), Quota::Wrong);
        assert_eq!(quota_v1(b"5\n", Single::Wrong), Quota::Wrong);
        assert_eq!(quota_v2(b"150000 100000\n"), Quota::Milli(1500));
        assert_eq!(quota_v2(b"max 100000\n"), Quota::Unlimited);
        assert_eq!(quota_v2(b"1 1000000\n"), Quota::Milli(1));
        for bad in [&b""[..], b"50000\n", b"x 1\n", b"1 0\n", b"9223372036854775807 1\n"] {
            assert_eq!(quota_v2(bad), Quota::Wrong);
        }
    }

    #[test]
    fn lists() {
        assert_eq!(cpu_list(b"0-3,8\n"), Some(5));
        assert_eq!(cpu_list(b"0\n"), Some(1));
        for bad in [
            &b""[..],
            b"\n",
            b"3-1\n",
            b"0-",
            b"a\n",
            b"0-9223372036854775807,0-9223372036854775807\n",
        ] {
            assert_eq!(cpu_list(bad), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (got, _) = figures(&text);
            prop_assert!(got.len() <= 8);
            let mut cores = Vec::new();
            let flaws = per_core_v1(&text, &mut cores);
            prop_assert!(flaws.wrong == 0 || cores.is_empty());
            if let Quota::Milli(milli) = quota_v2(&text) {
                prop_assert!(milli > 0);
            }
            prop_assert!(cpu_list(&text) != Some(0));
        }

        #[test]
        fn stat_round_trips(usage in 0u64..1 << 50, periods in 0u64..1 << 50, unknown in "[a-z_]{3,20}") {
            prop_assume!(unknown != "user" && unknown != "system");
            let text = format!("usage_usec {usage}\nx{unknown} 4\nnr_periods {periods}\n");
            let (got, wrong) = figures(text.as_bytes());
            prop_assert_eq!(got, vec![(Field::CpuUsage, usage * 1000), (Field::CpuPeriods, periods)]);
            prop_assert_eq!(wrong, 0);
        }

        #[test]
        fn cores_round_trip(cores in proptest::collection::vec(0u64..1 << 60, 1..MAX_ROWS)) {
            let text = cores.iter().map(|c| format!("{c} ")).collect::<String>() + "\n";
            let mut got = Vec::new();
            prop_assert_eq!(per_core_v1(text.as_bytes(), &mut got), Flaws::NONE);
            prop_assert_eq!(got, cores);
        }
    }
}
