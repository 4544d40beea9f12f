//! Memory: usage, what it consists of, limits.
//!
//! `memory.stat` is the largest file read on every pass: one pass over it, keys matched by name, because their order and set vary by
//! kernel. v1 has own-only keys that omit children; only its `total_*` keys are used.

use super::text::{Flaws, Single, flat, single};
use crate::sample::{Field, Figures};

/// What `memory.stat` says besides figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stat {
    /// Page cache that has not been used lately: usage less this is the working set.
    pub inactive_file: Option<u64>,
    /// v1: least memory limit of the container and its ancestors, as the kernel writes it (huge when none).
    pub limit: Option<u64>,
    /// v1: least limit of memory and swap together.
    pub memsw_limit: Option<u64>,
}

enum Key {
    Figure(Field),
    InactiveFile,
    Limit,
    MemswLimit,
}

/// v1 `memory.stat`.
pub fn stat_v1(text: &[u8], out: &mut Figures) -> (Stat, Flaws) {
    stat(text, out, |key| {
        if let Some(total) = key.strip_prefix(b"total_") {
            return Some(match total {
                b"cache" => Key::Figure(Field::MemoryCache),
                b"rss" => Key::Figure(Field::MemoryRss),
                b"shmem" => Key::Figure(Field::MemoryShmem),
                b"mapped_file" => Key::Figure(Field::MemoryMapped),
                b"dirty" => Key::Figure(Field::MemoryDirty),
                b"writeback" => Key::Figure(Field::MemoryWriteback),
                b"swap" => Key::Figure(Field::MemorySwap),
                b"pgfault" => Key::Figure(Field::MemoryFaults),
                b"pgmajfault" => Key::Figure(Field::MemoryMajorFaults),
                b"inactive_file" => Key::InactiveFile,
                _ => return None,
            });
        }
        match key {
            b"hierarchical_memory_limit" => Some(Key::Limit),
            b"hierarchical_memsw_limit" => Some(Key::MemswLimit),
            _ => None,
        }
    })
}

/// v2 `memory.stat`, always recursive.
pub fn stat_v2(text: &[u8], out: &mut Figures) -> (Stat, Flaws) {
    stat(text, out, |key| {
        Some(match key {
            b"anon" => Key::Figure(Field::MemoryRss),
            b"file" => Key::Figure(Field::MemoryCache),
            b"file_mapped" => Key::Figure(Field::MemoryMapped),
            b"shmem" => Key::Figure(Field::MemoryShmem),
            b"file_dirty" => Key::Figure(Field::MemoryDirty),
            b"file_writeback" => Key::Figure(Field::MemoryWriteback),
            b"slab" => Key::Figure(Field::MemorySlab),
            b"sock" => Key::Figure(Field::MemorySock),
            b"pgfault" => Key::Figure(Field::MemoryFaults),
            b"pgmajfault" => Key::Figure(Field::MemoryMajorFaults),
            b"inactive_file" => Key::InactiveFile,
            _ => return None,
        })
    })
}

fn stat(text: &[u8], out: &mut Figures, key: impl Fn(&[u8]) -> Option<Key>) -> (Stat, Flaws) {
    let mut stat = Stat::default();
    let flaws = flat(text, key, |key, value| match key {
        Key::Figure(field) => out.set(field, value),
        Key::InactiveFile => stat.inactive_file = Some(value),
        Key::Limit => stat.limit = Some(value),
        Key::MemswLimit => stat.memsw_limit = Some(value),
    });
    (stat, flaws)
}

/// A file with one number of bytes or events, as this figure: `memory.current`, `memory.usage_in_bytes`, `memory.failcnt`,
/// `memory.swap.current`, `memory.peak`, `memory.max_usage_in_bytes`.
pub fn value(text: &[u8], field: Field, out: &mut Figures) -> Flaws {
    match single(text) {
        Single::Value(value) => out.set(field, value),
        Single::Unlimited | Single::Wrong => return Flaws::wrong_if(true),
    }
    Flaws::NONE
}

/// A limit file (`memory.max`, `memory.swap.max`, `pids.max`), taken into the least of several levels.
pub fn least(text: &[u8], least: &mut Option<u64>) -> Flaws {
    match single(text) {
        Single::Value(limit) => *least = Some(least.map_or(limit, |had| had.min(limit))),
        Single::Unlimited => {}
        Single::Wrong => return Flaws::wrong_if(true),
    }
    Flaws::NONE
}

/// The limit that binds: none at or above the host's memory, where v1's "none" (9223372036854771712) lies too.
pub fn effective_limit(limit: Option<u64>, host_memory: Option<u64>) -> Option<u64> {
    limit.filter(|limit| *limit < host_memory.unwrap_or(NONE_V1))
}

/// v1: swap that may be used, from the limit of memory and swap together.
pub fn swap_limit_v1(stat: Stat) -> Option<u64> {
    let both = stat.memsw_limit.filter(|limit| *limit < NONE_V1)?;
    Some(both.saturating_sub(stat.limit.filter(|limit| *limit < NONE_V1)?))
}

/// Beyond this a v1 limit is none: the kernel writes `i64::MAX` rounded down to its page size.
const NONE_V1: u64 = 1 << 62;

/// Usage less inactive file cache, as `docker stats` shows it.
pub fn working_set(usage: Option<u64>, inactive_file: Option<u64>) -> Option<u64> {
    Some(usage?.saturating_sub(inactive_file?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V1: &[u8] = b"cache 9863168\nrss 10596352\nshmem 9068544\nswap 0\ninactive_file 12288\n\
        hierarchical_memory_limit 104857600\nhierarchical_memsw_limit 209715200\n\
        total_cache 360611840\ntotal_rss 113840128\ntotal_rss_huge 0\ntotal_shmem 9076736\ntotal_mapped_file 24055808\n\
        total_dirty 323584\ntotal_writeback 1\ntotal_workingset_refault_file 843818\ntotal_swap 2\ntotal_pgpgin 10086883\n\
        total_pgfault 11508310\ntotal_pgmajfault 2921\ntotal_inactive_anon 103043072\ntotal_inactive_file 229060608\n";

    #[test]
    fn v1_takes_the_totals() {
        let mut out = Figures::default();
        let (stat, flaws) = stat_v1(V1, &mut out);
        assert_eq!(flaws, Flaws::NONE);
        assert_eq!(stat.inactive_file, Some(229_060_608));
        assert_eq!((stat.limit, swap_limit_v1(stat)), (Some(104_857_600), Some(104_857_600)));
        let got: Vec<_> = out.iter().collect();
        assert_eq!(
            got,
            [
                (Field::MemoryRss, 113_840_128),
                (Field::MemoryCache, 360_611_840),
                (Field::MemoryMapped, 24_055_808),
                (Field::MemoryShmem, 9_076_736),
                (Field::MemoryDirty, 323_584),
                (Field::MemoryWriteback, 1),
                (Field::MemorySwap, 2),
                (Field::MemoryFaults, 11_508_310),
                (Field::MemoryMajorFaults, 2921),
            ]
        );
    }

    #[test]
    fn v2_in_any_order_with_unknown_keys() {
        let text = b"pgmajfault 3\nanon 100\nfile 200\nkernel 5\nslab 6\nsock 7\nshmem 8\nfile_mapped 9\nfile_dirty 10\nzswap 1\n\
            file_writeback 11\ninactive_file 150\nslab_reclaimable 4\nworkingset_refault_anon 0\npgfault 12\n";
        let mut out = Figures::default();
        let (stat, flaws) = stat_v2(text, &mut out);
        assert_eq!((flaws, stat.inactive_file, stat.limit), (Flaws::NONE, Some(150), None));
        assert_eq!(out.iter().count(), 10);
        assert_eq!(out.get(Field::MemorySlab), Some(6));
        assert_eq!(working_set(Some(180), stat.inactive_file), Some(30));
        assert_eq!(working_set(Some(100), stat.inactive_file), Some(0));
        assert_eq!(working_set(None, Some(1)), None);
    }

    #[test]
    fn wrong_negative_and_cut_numbers_are_absent() {
        let mut out = Figures::default();
        let (stat, flaws) =
            stat_v2(b"anon 18446744073709547520\nfile -1\nshmem 5\ninactive_file 1", &mut out);
        assert_eq!(out.iter().collect::<Vec<_>>(), [(Field::MemoryShmem, 5)]);
        assert_eq!((flaws.wrong, stat.inactive_file), (3, None));
        let (_, flaws) = stat_v1(b"", &mut out);
        assert_eq!(flaws.wrong, 1);
    }

    #[test]
    fn limits_that_do_not_bind_are_none() {
        assert_eq!(effective_limit(Some(9_223_372_036_854_771_712), Some(1 << 34)), None);
        assert_eq!(effective_limit(Some(9_223_372_036_854_771_712), None), None);
        assert_eq!(effective_limit(Some(1 << 34), Some(1 << 34)), None);
        assert_eq!(effective_limit(Some(1 << 20), Some(1 << 34)), Some(1 << 20));
        let stat = |limit, memsw| Stat {
            inactive_file: None,
            limit: Some(limit),
            memsw_limit: Some(memsw),
        };
        assert_eq!(swap_limit_v1(stat(1 << 20, 9_223_372_036_854_771_712)), None);
        assert_eq!(swap_limit_v1(stat(1 << 20, 1 << 20)), Some(0));
        let mut limit = None;
        assert_eq!(least(b"max\n", &mut limit), Flaws::NONE);
        assert_eq!(least(b"500\n", &mut limit), Flaws::NONE);
        assert_eq!(least(b"900\n", &mut limit), Flaws::NONE);
        assert_eq!(least(b"9x\n", &mut limit).wrong, 1);
        assert_eq!(limit, Some(500));
    }

    #[test]
    fn single_values() {
        let mut out = Figures::default();
        assert_eq!(value(b"4096\n", Field::MemoryUsage, &mut out), Flaws::NONE);
        assert_eq!(value(b"max\n", Field::MemoryPeak, &mut out).wrong, 1);
        assert_eq!(out.iter().collect::<Vec<_>>(), [(Field::MemoryUsage, 4096)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut out = Figures::default();
            let (_, flaws) = stat_v1(&text, &mut out);
            prop_assert!(text.ends_with(b"\n") || flaws.wrong > 0);
            let (_, flaws) = stat_v2(&text, &mut out);
            prop_assert!(text.ends_with(b"\n") || flaws.wrong > 0);
        }

        #[test]
        fn stat_round_trips(
            values in proptest::collection::vec(0u64..1 << 62, 3),
            order in Just([0usize, 1, 2, 3]).prop_shuffle(), unknown in "z[a-z_]{0,20}",
        ) {
            let lines = [
                format!("anon {}\n", values[0]), format!("pgfault {}\n", values[1]),
                format!("inactive_file {}\n", values[2]), format!("{unknown} 3\n"),
            ];
            let text: String = order.iter().map(|at| lines[*at].as_str()).collect();
            let mut out = Figures::default();
            let (stat, flaws) = stat_v2(text.as_bytes(), &mut out);
            prop_assert_eq!(flaws, Flaws::NONE);
            prop_assert_eq!(out.get(Field::MemoryRss), Some(values[0]));
            prop_assert_eq!(out.get(Field::MemoryFaults), Some(values[1]));
            prop_assert_eq!(stat.inactive_file, Some(values[2]));
        }
    }
}
