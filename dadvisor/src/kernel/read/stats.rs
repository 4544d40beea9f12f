//! What reading cost and what went wrong, by family and cause. Each pair is logged the first time it happens, with its place; the
//! counters tell the rest.

/// What was being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Family {
    /// CPU time and throttling.
    Cpu,
    /// Memory.
    Memory,
    /// Block IO.
    Io,
    /// Network.
    Net,
    /// Processes and threads.
    Pids,
    /// Pressure.
    Pressure,
    /// OOM kills.
    Oom,
    /// The slow tier: limits, weights, peaks.
    Limits,
    /// Finding cgroups, processes and devices.
    Find,
}

impl Family {
    /// Every family; the position is the index in [`ReadStats`].
    pub const ALL: [Self; 9] = [
        Self::Cpu,
        Self::Memory,
        Self::Io,
        Self::Net,
        Self::Pids,
        Self::Pressure,
        Self::Oom,
        Self::Limits,
        Self::Find,
    ];

    /// Its name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Io => "io",
            Self::Net => "net",
            Self::Pids => "pids",
            Self::Pressure => "pressure",
            Self::Oom => "oom",
            Self::Limits => "limits",
            Self::Find => "find",
        }
    }
}

/// Why something was not read, or not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cause {
    /// The kernel has no such file here.
    Absent,
    /// The cgroup or the process went away meanwhile.
    Gone,
    /// No right to read it.
    Denied,
    /// The kernel has the file but not the feature (pressure switched off).
    Unsupported,
    /// Any other error.
    Failed,
    /// A number that was none.
    Wrong,
    /// More rows than are kept.
    Dropped,
    /// A file longer than is read.
    Cut,
    /// Left out because it had been slow.
    Slow,
    /// Opened anew for each pass because the budget of descriptors is used up.
    Unheld,
}

impl Cause {
    /// Every cause; the position is the index in [`ReadStats`].
    pub const ALL: [Self; 10] = [
        Self::Absent,
        Self::Gone,
        Self::Denied,
        Self::Unsupported,
        Self::Failed,
        Self::Wrong,
        Self::Dropped,
        Self::Cut,
        Self::Slow,
        Self::Unheld,
    ];

    /// Its name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Gone => "gone",
            Self::Denied => "denied",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
            Self::Wrong => "wrong",
            Self::Dropped => "dropped",
            Self::Cut => "cut",
            Self::Slow => "slow",
            Self::Unheld => "unheld",
        }
    }

    /// Whether it belongs to the ordinary life of containers and kernels.
    const fn is_ordinary(self) -> bool {
        matches!(self, Self::Absent | Self::Gone | Self::Unsupported)
    }
}

/// Counters since start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadStats {
    files: [u64; Family::ALL.len()],
    nanos: [u64; Family::ALL.len()],
    causes: [[u64; Cause::ALL.len()]; Family::ALL.len()],
    spared: u64,
}

impl ReadStats {
    /// Files read.
    pub fn files(&self, family: Family) -> u64 {
        self.files[family as usize]
    }

    /// Nanoseconds spent reading and parsing.
    pub fn nanos(&self, family: Family) -> u64 {
        self.nanos[family as usize]
    }

    /// Times this went wrong in this family.
    pub fn causes(&self, family: Family, cause: Cause) -> u64 {
        self.causes[family as usize][cause as usize]
    }

    /// Times this went wrong in any family.
    pub fn total(&self, cause: Cause) -> u64 {
        self.causes.iter().map(|family| family[cause as usize]).sum()
    }

    /// Files that were not read because nothing in them can have changed.
    pub fn spared(&self) -> u64 {
        self.spared
    }

    pub(crate) fn spare(&mut self, files: u64) {
        self.spared += files;
    }

    pub(crate) fn file(&mut self, family: Family) {
        self.files[family as usize] += 1;
    }

    pub(crate) fn time(&mut self, family: Family, spent: std::time::Duration) {
        self.nanos[family as usize] += u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
    }

    /// Counts one; `what` is asked for only the first time, for the log.
    pub(crate) fn count(&mut self, family: Family, cause: Cause, what: impl FnOnce() -> String) {
        self.count_many(family, cause, 1, what);
    }

    /// Counts several; none is nothing.
    pub(crate) fn count_many(
        &mut self,
        family: Family,
        cause: Cause,
        times: u32,
        what: impl FnOnce() -> String,
    ) {
        if times == 0 {
            return;
        }
        let counter = &mut self.causes[family as usize][cause as usize];
        let first = *counter == 0;
        *counter += u64::from(times);
        if first {
            log_first(family, cause, &what());
        }
    }
}

#[cold]
fn log_first(family: Family, cause: Cause, what: &str) {
    let (family, cause_name) = (family.name(), cause.name());
    if cause.is_ordinary() {
        tracing::debug!(family, cause = cause_name, "{what} (logged once, then counted)");
    } else {
        tracing::warn!(family, cause = cause_name, "{what} (logged once, then counted)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_asked_for_once() {
        let mut stats = ReadStats::default();
        let mut asked = 0;
        for _ in 0..3 {
            stats.count(Family::Io, Cause::Wrong, || {
                asked += 1;
                String::new()
            });
        }
        stats.count_many(Family::Cpu, Cause::Wrong, 0, || unreachable!("nothing happened"));
        assert_eq!(
            (asked, stats.causes(Family::Io, Cause::Wrong), stats.total(Cause::Wrong)),
            (1, 3, 3)
        );
        assert_eq!(stats.total(Cause::Gone), 0);
    }

    #[test]
    fn positions_are_indices() {
        for (at, family) in Family::ALL.iter().enumerate() {
            assert_eq!(at, *family as usize);
        }
        for (at, cause) in Cause::ALL.iter().enumerate() {
            assert_eq!(at, *cause as usize);
        }
    }
}
