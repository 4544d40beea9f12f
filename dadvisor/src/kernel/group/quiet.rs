//! What cannot have changed is not read.
//!
//! Most containers are idle most of the time. CPU time is charged at every switch of tasks, children included, so a container whose
//! CPU counter stands still has run nothing: it has not forked, was not throttled, hit no limit, and nobody in it was killed (a victim
//! runs to die). If besides no interface of its namespace moved a byte, `lo` included, its sockets are as they were. Such files are
//! spared and their last figures repeated, which halves the cost of an idle container. What others can change without it running (memory, by
//! reclaim; IO, by writeback; IO pressure, by a disk that hangs) is read every time. Tasks that wait for CPU or memory run in the end, and their
//! totals are then caught up. Slow passes over a container that does not run read what others can set, its limits; every fifth reads
//! everything, so that the rare timer that closes a socket in silence, or a kernel thread that charges on its behalf, is seen within
//! five minutes.

use crate::sample::{Field, Figures};

/// What a container that did not run cannot have changed.
const BY_RUNNING: [Field; 15] = [
    Field::CpuUser,
    Field::CpuSystem,
    Field::CpuPeriods,
    Field::CpuThrottledPeriods,
    Field::CpuThrottled,
    Field::CpuBursts,
    Field::CpuBurst,
    Field::MemoryLimitHits,
    Field::OomKills,
    Field::PidsCurrent,
    Field::PressureCpuSome,
    Field::PressureCpuFull,
    Field::PressureMemorySome,
    Field::PressureMemoryFull,
    Field::PressureIrqFull,
];

/// What cannot change without running or packets.
const BY_PACKETS: [Field; 6] = [
    Field::TcpEstablished,
    Field::TcpRetransmits,
    Field::TcpResets,
    Field::TcpSockets,
    Field::TcpTimeWait,
    Field::UdpSockets,
];

/// Of so many slow passes over a container that does not run, one reads everything.
const WHOLE_EVERY: u8 = 5;

/// The figures of the last reading.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    last: Figures,
    /// Slow passes since the last that read everything.
    slow: u8,
    /// Checksum of the last `net/dev`.
    interfaces: Option<u32>,
    /// This pass may spare files.
    spare: bool,
}

impl Quiet {
    /// `seed` spreads the slow passes that read everything over those of all containers.
    pub fn new(seed: u64) -> Self {
        let slow = u8::try_from(seed % u64::from(WHOLE_EVERY)).unwrap_or(0);
        Self { slow, ..Self::default() }
    }

    /// Begins a pass, with CPU time just read. `all`: spare nothing. `slow`: a slow pass, which spares nothing if the container ran.
    pub fn begin(&mut self, now: &Figures, all: bool, slow: bool) {
        let (before, now) = (self.last.get(Field::CpuUsage), now.get(Field::CpuUsage));
        self.spare = !all && now.is_some() && before == now;
        if slow && self.spare {
            self.slow += 1;
            self.spare = self.slow < WHOLE_EVERY;
            self.slow %= WHOLE_EVERY;
        }
    }

    /// Whether this pass may spare files.
    pub fn spares(&self) -> bool {
        self.spare
    }

    /// Whether the container has not run since the last pass; then its figures are repeated.
    pub fn stands_still(&self, out: &mut Figures) -> bool {
        if self.spare {
            repeat(&self.last, &BY_RUNNING, out);
        }
        self.spare
    }

    /// Whether no packet moved either, by the text of `net/dev`; then the sockets' figures are repeated. Sockets in time-wait go by
    /// themselves.
    pub fn is_silent(&mut self, net_dev: &[u8], out: &mut Figures) -> bool {
        let sum = Some(crc32fast::hash(net_dev));
        let same = std::mem::replace(&mut self.interfaces, sum) == sum;
        let silent = self.spare && same && self.last.get(Field::TcpTimeWait) == Some(0);
        if silent {
            repeat(&self.last, &BY_PACKETS, out);
        }
        silent
    }

    /// Ends a pass.
    pub fn end(&mut self, figures: &Figures) {
        self.last = *figures;
    }
}

fn repeat(last: &Figures, fields: &[Field], out: &mut Figures) {
    for field in fields {
        // what was read after all stays
        if out.get(*field).is_none() {
            out.set_some(*field, last.get(*field));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(usage: u64, pids: u64, time_wait: u64) -> Figures {
        let mut figures = Figures::default();
        figures.set(Field::CpuUsage, usage);
        figures.set(Field::PidsCurrent, pids);
        figures.set(Field::TcpTimeWait, time_wait);
        figures.set(Field::TcpSockets, 3);
        figures
    }

    /// One pass: (stood still, silent, what was repeated).
    fn pass(quiet: &mut Quiet, usage: u64, dev: &[u8], all: bool) -> (bool, bool, Figures) {
        let mut now = Figures::default();
        now.set(Field::CpuUsage, usage);
        quiet.begin(&now, all, false);
        let still = quiet.stands_still(&mut now);
        let silent = quiet.is_silent(dev, &mut now);
        (still, silent, now)
    }

    #[test]
    fn figures_are_repeated_only_while_nothing_runs() {
        let mut quiet = Quiet::default();
        assert!(!pass(&mut quiet, 5, b"eth0: 1", false).0, "nothing to repeat yet");
        quiet.end(&figures(5, 2, 0));
        let (still, silent, now) = pass(&mut quiet, 5, b"eth0: 1", false);
        assert!(still && silent);
        assert_eq!((now.get(Field::PidsCurrent), now.get(Field::TcpSockets)), (Some(2), Some(3)));
        assert_eq!(now.get(Field::CpuUser), None, "absent stays absent");
        assert!(!pass(&mut quiet, 6, b"eth0: 1", false).0, "it ran");
        assert!(!pass(&mut quiet, 5, b"eth0: 1", true).0, "asked for everything");
    }

    #[test]
    fn slow_passes_read_everything_of_what_ran_and_now_and_then_of_what_did_not() {
        let mut quiet = Quiet::default();
        let mut slow = |usage| {
            let now = figures(usage, 1, 0);
            quiet.begin(&now, false, true);
            quiet.end(&now);
            quiet.spares()
        };
        assert!(!slow(5), "it ran");
        assert_eq!([5; 6].map(&mut slow), [true, true, true, true, false, true]);
        assert!(!slow(6), "it ran");
        assert_eq!([6; 4].map(slow), [true, true, true, false], "those before count too");
        let spared = |seed| {
            let mut quiet = Quiet::new(seed);
            quiet.end(&figures(5, 1, 0));
            (0..5)
                .take_while(|_| {
                    quiet.begin(&figures(5, 1, 0), false, true);
                    quiet.spares()
                })
                .count()
        };
        assert_eq!([0, 1, 4, 5].map(spared), [4, 3, 0, 4]);
    }

    #[test]
    fn packets_and_dying_sockets_are_looked_at() {
        let mut quiet = Quiet::default();
        pass(&mut quiet, 5, b"eth0: 1", false);
        quiet.end(&figures(5, 2, 0));
        let (still, silent, _) = pass(&mut quiet, 5, b"eth0: 2", false);
        assert!(still && !silent, "a packet came");
        quiet.end(&figures(5, 2, 4));
        assert!(!pass(&mut quiet, 5, b"eth0: 2", false).1, "sockets in time-wait");
    }
}
