//! Once groups are open, reading them allocates nothing: neither on ordinary passes nor on slow ones, held or not, on v1, v2, hybrid.

mod fixture;

use common::container::Network;
use dadvisor::kernel::{Families, Group, Kernel, Reading};
use dadvisor::sample::Sample;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn the_steady_state_allocates_nothing() {
    let families = Families { cpu_per_core: true, tcp_states: true, ..Families::default() };
    for (tree, hold) in [("v1", false), ("v1", true), ("v2", false), ("v2", true), ("hybrid", true)]
    {
        let roots = fixture::roots(&fixture::tree(tree));
        let mut kernel = Kernel::open(roots, families, hold).unwrap();
        let containers = [
            fixture::container("a1", Some(100), Network::Own),
            fixture::container("b2", Some(200), Network::Own),
        ];
        let mut groups: Vec<Group> =
            containers.iter().map(|c| Group::open(&mut kernel, c).unwrap()).collect();
        let mut samples = vec![Sample::default(); groups.len()];
        let mut pass = |slow| {
            for (group, sample) in groups.iter_mut().zip(&mut samples) {
                assert_eq!(group.read(&mut kernel, slow, sample), Reading::Ok);
            }
        };
        pass(true);
        pass(false);
        // The counters are the whole process's: the test harness has a thread of its own, and a busy machine makes a read slow enough
        // to be logged once. What the passes themselves allocate would show in every attempt.
        let attempts: Vec<_> = (0..5)
            .map(|_| {
                let region = Region::new(ALLOCATOR);
                for round in 0..20 {
                    pass(round % 6 == 0);
                }
                let change = region.change();
                (change.allocations, change.reallocations)
            })
            .collect();
        assert!(attempts.contains(&(0, 0)), "{tree}, hold {hold}: {attempts:?}");
    }
}
