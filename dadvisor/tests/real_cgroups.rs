//! Groups against the kernel this runs on: real cgroups (v1 with or without the v2 half, or v2), real processes. Needs root.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops there")]

#[path = "real_cgroups/collector.rs"]
mod collector;
mod sandbox;

use common::container::Network;
use dadvisor::kernel::hierarchy::Mode;
use dadvisor::kernel::oom_watch::OomWatch;
use dadvisor::kernel::read::stats::{Cause, Family};
use dadvisor::kernel::{Families, Group, Kernel, NetView, Reading, Roots};
use dadvisor::sample::{Field, Sample};
use sandbox::{Sandbox, kernel, wait_for};
use std::os::fd::AsFd;

/// What a busy process of 20 MB looks like, with limits.
fn busy(hold: bool) {
    let mut kernel = kernel(hold);
    let mut sandbox = Sandbox::new();
    sandbox.limit_cpu(50_000);
    sandbox.limit_memory(64 << 20);
    sandbox.limit_pids(50);
    let pid = sandbox.spawn("x=$(head -c 20000000 /dev/zero | tr '\\0' x); while :; do :; done");
    let mut group = Group::open(&mut kernel, &sandbox.container(Some(pid))).unwrap();
    let mut sample = Sample::default();
    wait_for("20 MB, 300 ms of CPU and throttling", || {
        assert_eq!(group.read(&mut kernel, false, &mut sample), Reading::Ok);
        let get = |field| sample.figures.get(field).unwrap_or(0);
        get(Field::MemoryRss) > 20_000_000
            && get(Field::CpuUsage) > 300_000_000
            && get(Field::CpuThrottledPeriods) > 0
            // counted when the throttling ends
            && get(Field::CpuThrottled) > 0
            && get(Field::PidsCurrent) == 1
    });
    let get = |field: Field| sample.figures.get(field);
    assert_eq!(get(Field::CpuLimit), Some(500));
    assert_eq!(get(Field::MemoryLimit), Some(64 << 20));
    assert_eq!(get(Field::PidsLimit), Some(50));
    assert_eq!(get(Field::PidsCurrent), Some(1));
    assert_eq!(get(Field::OomKills), Some(0));
    assert!(get(Field::CpuPeriods) >= get(Field::CpuThrottledPeriods));
    assert!(get(Field::MemoryUsage) >= get(Field::MemoryWorkingSet));
    assert!(get(Field::MemoryWorkingSet) > Some(20_000_000));
    assert!(get(Field::MemoryFaults) > Some(1000));
    assert!(get(Field::MemoryPeak) > Some(0));
    assert!(get(Field::IoReadBytes).is_some());
    assert!(get(Field::Processes).is_some());
    assert_eq!(get(Field::PressureCpuSome).is_some(), kernel.mode() != Mode::V1);
    assert_eq!(group.net_view(), &NetView::Host);
    assert_eq!(get(Field::NetRxBytes), None);

    // limits change, and are seen on the next slow pass, not before
    sandbox.limit_cpu(-1);
    sandbox.limit_pids(60);
    assert_eq!(group.read(&mut kernel, false, &mut sample), Reading::Ok);
    assert_eq!(sample.figures.get(Field::PidsLimit), Some(50));
    assert_eq!(group.read(&mut kernel, true, &mut sample), Reading::Ok);
    assert_eq!(sample.figures.get(Field::PidsLimit), Some(60));
    assert_eq!(sample.figures.get(Field::CpuLimit), None);

    let stats = kernel.stats();
    for cause in
        [Cause::Denied, Cause::Failed, Cause::Wrong, Cause::Dropped, Cause::Cut, Cause::Unheld]
    {
        assert_eq!(stats.total(cause), 0, "{cause:?}");
    }
    assert!(stats.files(Family::Cpu) > 0 && stats.nanos(Family::Memory) > 0);

    sandbox.remove();
    assert_eq!(group.read(&mut kernel, false, &mut sample), Reading::Gone);
    assert_eq!(sample, Sample::default());

    // the same path again is another group
    sandbox.create();
    assert_eq!(group.read(&mut kernel, true, &mut sample), Reading::Gone);
    let again = Group::open(&mut kernel, &sandbox.container(None)).unwrap();
    assert_eq!(again.path(), group.path());
    assert_ne!(again.inode(), group.inode());
}

#[test]
fn a_busy_container_read_by_opening() {
    let _alone = sandbox::alone();
    busy(false);
}

#[test]
fn a_busy_container_read_from_held_files() {
    let _alone = sandbox::alone();
    busy(true);
}

#[test]
fn the_engine_may_be_wrong_about_the_process() {
    let _alone = sandbox::alone();
    let mut kernel = kernel(false);
    let mut sandbox = Sandbox::new();
    sandbox.spawn("exec sleep 1000");
    // our own pid is no process of the container: its cgroup is found by name, its process in cgroup.procs
    let mut group = Group::open(&mut kernel, &sandbox.container(Some(std::process::id()))).unwrap();
    let mut sample = Sample::default();
    assert_eq!(group.read(&mut kernel, true, &mut sample), Reading::Ok);
    assert_eq!(sample.figures.get(Field::PidsCurrent), Some(1));
    assert_eq!(group.net_view(), &NetView::Host);
    let mut unknown = sandbox.container(None);
    unknown.id = "f".repeat(64);
    let error = Group::open(&mut kernel, &unknown).unwrap_err().to_string();
    assert!(error.contains(&unknown.id) && error.contains("looked at"), "{error}");
}

#[test]
fn a_network_namespace_is_read_once_and_survives_its_process() {
    let _alone = sandbox::alone();
    let mut kernel = kernel(true);
    let (mut one, mut two) = (Sandbox::new(), Sandbox::new());
    let owner = one.spawn("exec unshare -n sleep 1000");
    wait_for("the namespace", || sandbox::netns(owner) != sandbox::netns(std::process::id()));
    let joined = two.spawn(&format!("exec nsenter -t {owner} -n sleep 1000"));
    wait_for("the join", || sandbox::netns(joined) == sandbox::netns(owner));
    let mut second = two.container(Some(joined));
    second.network = Network::Container(one.id().to_owned());
    let mut guest = Group::open(&mut kernel, &second).unwrap();
    let mut host = Group::open(&mut kernel, &one.container(Some(owner))).unwrap();
    let mut sample = Sample::default();
    // the guest leaves it to the owner for a pass; alone, it reads it; then the owner takes over
    assert_eq!(guest.read(&mut kernel, false, &mut sample), Reading::Ok);
    assert_eq!(guest.net_view(), &NetView::Unknown);
    assert_eq!(sample.figures.get(Field::NetRxBytes), None);
    assert_eq!(guest.read(&mut kernel, false, &mut sample), Reading::Ok);
    assert_eq!(guest.net_view(), &NetView::Own);
    assert_eq!(host.read(&mut kernel, false, &mut sample), Reading::Ok);
    assert_eq!(host.net_view(), &NetView::Own);
    assert!(sample.figures.get(Field::NetRxBytes).is_some());
    assert_eq!(sample.figures.get(Field::TcpEstablished), Some(0));
    assert_eq!(guest.read(&mut kernel, false, &mut sample), Reading::Ok);
    assert_eq!(guest.net_view(), &NetView::SharedWith(one.id().to_owned()));
    assert_eq!(sample.figures.get(Field::NetRxBytes), None);

    // the process that was found dies, another one lives on in the same group and namespace
    let heir = one.spawn(&format!("exec nsenter -t {owner} -n sleep 1000"));
    wait_for("the heir", || sandbox::netns(heir) == sandbox::netns(joined));
    one.kill(owner);
    assert_eq!(host.read(&mut kernel, false, &mut sample), Reading::Ok);
    assert_eq!(host.net_view(), &NetView::Own);
    assert!(sample.figures.get(Field::NetRxBytes).is_some());
    // nobody left
    one.kill(heir);
    assert_eq!(host.read(&mut kernel, false, &mut sample), Reading::Ok);
    assert_eq!(host.net_view(), &NetView::Unknown);
    drop(host);
    assert_eq!(guest.read(&mut kernel, false, &mut sample), Reading::Ok);
    assert_eq!(guest.net_view(), &NetView::Own);
}

#[test]
fn an_oom_kill_is_seen_at_once() {
    let _alone = sandbox::alone();
    let mut kernel = kernel(false);
    let mut watch = OomWatch::new(&kernel).unwrap();
    let (mut sandbox, quiet) = (Sandbox::new(), Sandbox::new());
    sandbox.limit_memory(16 << 20);
    let mut group = Group::open(&mut kernel, &sandbox.container(None)).unwrap();
    let other = Group::open(&mut kernel, &quiet.container(None)).unwrap();
    watch.add(7, &group).unwrap();
    watch.add(8, &other).unwrap();
    assert_eq!(group.oom_kills(&mut kernel), Some(0));
    sandbox.spawn("x=$(head -c 100000000 /dev/zero | tr '\\0' x); exec sleep 1000");
    let mut told = Vec::new();
    let mut polled = false;
    wait_for("the kill", || {
        let mut fds =
            [rustix::event::PollFd::from_borrowed_fd(watch.as_fd(), rustix::event::PollFlags::IN)];
        let timeout = rustix::time::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        polled |= rustix::event::poll(&mut fds, Some(&timeout)).unwrap() > 0;
        watch.drain(|key| told.push(key)).unwrap();
        group.oom_kills(&mut kernel) >= Some(1)
    });
    wait_for("the news", || {
        watch.drain(|key| told.push(key)).unwrap();
        told.contains(&7)
    });
    assert!(polled && !told.contains(&8), "{told:?}");
    watch.remove(7);
    watch.remove(8);
    assert!(watch.is_empty());
}

#[test]
fn a_thousand_containers_leave_nothing_open() {
    let _alone = sandbox::alone();
    let mut kernel = kernel(true);
    let mut watch = OomWatch::new(&kernel).unwrap();
    let mut sandbox = Sandbox::new();
    let mut sample = Sample::default();
    let mut inodes = std::collections::HashSet::new();
    let (before, budget) = (sandbox::open_files(), kernel.budget_left());
    for cycle in 0..1000 {
        if cycle > 0 {
            sandbox.create();
        }
        let mut group = Group::open(&mut kernel, &sandbox.container(None)).unwrap();
        watch.add(cycle, &group).unwrap();
        assert_eq!(group.read(&mut kernel, false, &mut sample), Reading::Ok);
        inodes.insert(group.inode());
        sandbox.remove();
        assert_eq!(group.read(&mut kernel, false, &mut sample), Reading::Gone);
        watch.remove(cycle);
    }
    assert_eq!((sandbox::open_files(), kernel.budget_left()), (before, budget));
    assert_eq!(inodes.len(), 1000);
    sandbox.create();
}

#[test]
fn without_a_budget_it_is_slower_and_still_right() {
    let _alone = sandbox::alone();
    common::files::raise().unwrap();
    let mut sandbox = Sandbox::new();
    sandbox.spawn("exec sleep 1000");
    let mut kernel =
        Kernel::open(Roots::default(), Families::default(), true).unwrap().with_budget(2);
    let mut group = Group::open(&mut kernel, &sandbox.container(None)).unwrap();
    let mut sample = Sample::default();
    // two descriptors may be held, so two are; the rest is opened and closed
    assert_eq!(group.read(&mut kernel, false, &mut sample), Reading::Ok);
    assert_eq!(kernel.budget_left(), 0);
    let before = sandbox::open_files();
    for _ in 0..3 {
        assert_eq!(group.read(&mut kernel, false, &mut sample), Reading::Ok);
        assert_eq!(sample.figures.get(Field::PidsCurrent), Some(1));
        assert_eq!(group.net_view(), &NetView::Host);
    }
    assert_eq!(sandbox::open_files(), before);
    assert!(kernel.stats().total(Cause::Unheld) > 0);
    // recreated behind our back: not mistaken for the old one
    sandbox.remove();
    sandbox.create();
    assert_eq!(group.read(&mut kernel, false, &mut sample), Reading::Gone);
}

#[test]
fn this_host_can_be_diagnosed() {
    let kernel = kernel(false);
    let found = kernel.diagnose();
    assert!(found.iter().any(|f| f.topic == "cgroups"), "{found:?}");
    println!("{found:#?}");
}
