//! What cannot have changed is not read.
//!
//! Most containers are idle most of the time. CPU time is charged at every switch of tasks, children included, so a container whose
//! CPU counter stands still has run nothing: it has not forked, was not throttled, hit no limit, and nobody in it was killed (a victim
//! runs to die). If besides no interface of its namespace moved a byte, `lo` included, its sockets are as they were. Such files are
//! spared and their last figures repeated, which halves the cost of an idle container. What others can change without it running (memory, by
//! reclaim; IO, by writeback; IO pressure, by a disk that hangs) is read every time. Tasks that wait for CPU or memory run in the end, and their
//! totals are then caught up. The slow pass reads everything, so that the rare timer that
//! closes a socket in silence, or a kernel thread that charges on its behalf, is seen within a minute.

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

/// The figures of the last reading.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    last: Figures,
    /// Checksum of the last `net/dev`.
    interfaces: Option<u32>,
    /// This pass may spare files.
    spare: bool,
}

impl Quiet {
    /// Begins a pass, with CPU time just read. `all`: spare nothing.
    pub fn begin(&mut self, now: &Figures, all: bool) {
        let (before, now) = (self.last.get(Field::CpuUsage), now.get(Field::CpuUsage));
        self.spare = !all && now.is_some() && before == now;
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
        quiet.begin(&now, all);
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
        assert!(!pass(&mut quiet, 5, b"eth0: 1", true).0, "a slow pass spares nothing");
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
