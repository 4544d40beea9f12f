//! The slow tier: what changes only when somebody changes it (`docker update`), and what is too dear for every pass.

use super::{Group, Kernel};
use crate::collect::cpu::{Quota, cpu_list, quota_v1, quota_v2};
use crate::collect::text::{Flaws, Single, single};
use crate::collect::{memory, pids};
use crate::kernel::hierarchy::Tree;
use crate::kernel::process::PidPath;
use crate::kernel::read::Reader;
use crate::kernel::read::files::{Climb, cause_of};
use crate::kernel::read::stats::{Cause, Family};
use crate::kernel::read::table::File;
use crate::kernel::read::walk::walk;
use crate::sample::{Field, Figures};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, statat};
use std::ops::ControlFlow;

impl Group {
    /// Reads the slow figures anew, or those that can have changed. They are kept in the group, and overlaid on every sample.
    pub(super) fn limits(&mut self, kernel: &mut Kernel) {
        let mut out = Figures::default();
        if self.quiet.spares() {
            for field in BY_RUNNING {
                out.put(field, self.carried.get(field));
            }
        }
        let families = kernel.families;
        if families.cpu {
            self.cpu_limits(kernel, &mut out);
        }
        if families.memory {
            self.memory_limits(kernel, &mut out);
        }
        if families.pids {
            self.pids_limits(kernel, &mut out);
            if !self.quiet.spares() {
                self.processes(kernel, &mut out);
            }
        }
        self.carried = out;
    }

    /// A whole small file as a value.
    fn one(&mut self, kernel: &mut Kernel, file: File) -> Option<Single> {
        let value = single(self.files.read(&mut kernel.reader, file)?);
        self.files.note(&mut kernel.reader, file, Flaws::wrong_if(value == Single::Wrong));
        Some(value)
    }

    fn set_one(&mut self, kernel: &mut Kernel, file: File, field: Field, out: &mut Figures) {
        if let Some(Single::Value(value)) = self.one(kernel, file) {
            out.set(field, value);
        }
    }

    /// A peak: only a container that runs rises above it.
    fn peak(&mut self, kernel: &mut Kernel, file: File, field: Field, out: &mut Figures) {
        if self.quiet.spares() {
            kernel.reader.stats.spare(1);
        } else {
            self.set_one(kernel, file, field, out);
        }
    }

    /// The least of the quotas (own and ancestors') and the CPUs of the cpuset, if that is less than the host has.
    fn cpu_limits(&mut self, kernel: &mut Kernel, out: &mut Figures) {
        let (weight_file, weight, set, tree) = if kernel.is_v2() {
            (File::CpuWeight, Field::CpuWeight, File::CpusetEffectiveV2, Tree::Unified)
        } else {
            (File::CpuShares, Field::CpuShares, File::CpusetEffectiveV1, Tree::Cpu)
        };
        self.set_one(kernel, weight_file, weight, out);
        let mut limit = self.own_quota(kernel);
        let mut level = self.files.climb(tree);
        while let Some(ancestor) = level {
            limit = least(limit, ancestor_quota(kernel, &ancestor));
            level = ancestor.up();
        }
        let mut cpus = self.cpus(kernel, set);
        if cpus.is_none() && !kernel.is_v2() {
            // before 3.17 there is no effective list
            cpus = self.cpus(kernel, File::CpusetCpusV1);
        }
        limit = least(limit, cpus.and_then(|cpus| cpus.checked_mul(1000)));
        let host = kernel.cores.map_or(u64::MAX, |cores| cores.saturating_mul(1000));
        out.set_some(Field::CpuLimit, limit.filter(|limit| *limit < host));
    }

    fn own_quota(&mut self, kernel: &mut Kernel) -> Option<u64> {
        if kernel.is_v2() {
            let quota = quota_v2(self.files.read(&mut kernel.reader, File::CpuMax)?);
            self.files.note(
                &mut kernel.reader,
                File::CpuMax,
                Flaws::wrong_if(quota == Quota::Wrong),
            );
            return milli(quota);
        }
        let period = self.one(kernel, File::CfsPeriod)?;
        let quota = quota_v1(self.files.read(&mut kernel.reader, File::CfsQuota)?, period);
        self.files.note(&mut kernel.reader, File::CfsQuota, Flaws::wrong_if(quota == Quota::Wrong));
        milli(quota)
    }

    fn cpus(&mut self, kernel: &mut Kernel, file: File) -> Option<u64> {
        let text = self.files.read(&mut kernel.reader, file)?;
        let empty = text == b"\n";
        let cpus = cpu_list(text);
        self.files.note(&mut kernel.reader, file, Flaws::wrong_if(cpus.is_none() && !empty));
        cpus
    }

    fn memory_limits(&mut self, kernel: &mut Kernel, out: &mut Figures) {
        if !kernel.is_v2() {
            // v1 has its effective limits in memory.stat
            for field in [Field::MemoryLimit, Field::MemorySwapLimit] {
                out.put(field, self.carried.get(field));
            }
            self.peak(kernel, File::MemoryMaxUsage, Field::MemoryPeak, out);
            return;
        }
        self.peak(kernel, File::MemoryPeak, Field::MemoryPeak, out);
        for (file, field) in
            [(File::MemoryMax, Field::MemoryLimit), (File::MemorySwapMax, Field::MemorySwapLimit)]
        {
            let mut limit = match self.one(kernel, file) {
                Some(Single::Value(limit)) => Some(limit),
                _ => None,
            };
            let mut level = self.files.climb(Tree::Unified);
            while let Some(ancestor) = level {
                if let Some(text) = ancestor.read(&mut kernel.reader, file) {
                    let flaws = memory::least(text, &mut limit);
                    self.files.note(&mut kernel.reader, file, flaws);
                }
                level = ancestor.up();
            }
            if field == Field::MemoryLimit {
                limit = memory::effective_limit(limit, kernel.memory);
            }
            out.set_some(field, limit);
        }
    }

    fn pids_limits(&mut self, kernel: &mut Kernel, out: &mut Figures) {
        let (max, peak, events) = if kernel.is_v2() {
            (File::PidsMaxV2, File::PidsPeakV2, File::PidsEventsV2)
        } else {
            (File::PidsMaxV1, File::PidsPeakV1, File::PidsEventsV1)
        };
        self.set_one(kernel, max, Field::PidsLimit, out);
        self.peak(kernel, peak, Field::PidsPeak, out);
        if self.quiet.spares() {
            kernel.reader.stats.spare(1);
        } else {
            self.figures(kernel, events, out, pids::events);
        }
    }

    /// Processes of the group and the cgroups beneath it, and the descriptors they have open. Absent rather than too low.
    fn processes(&mut self, kernel: &mut Kernel, out: &mut Figures) {
        let Some(dir) = self.files.fd(self.files.main()) else { return };
        let Kernel { reader, proc, .. } = kernel;
        let mut census = Census { proc: proc.as_fd(), whole: true, processes: 0, open_files: 0 };
        let all = walk(dir, &mut |dir| census.visit(reader, dir));
        if all && census.whole {
            out.set(Field::Processes, census.processes);
            if census.open_files > 0 && census.processes <= MOST_PROCESSES {
                out.set(Field::OpenFiles, census.open_files);
            }
        }
    }
}

/// Slow figures that a container which did not run cannot have changed.
const BY_RUNNING: [Field; 5] =
    [Field::MemoryPeak, Field::PidsPeak, Field::PidsLimitHits, Field::Processes, Field::OpenFiles];

/// Beyond so many processes, open files are not asked for.
const MOST_PROCESSES: u64 = 4096;

struct Census<'a> {
    proc: BorrowedFd<'a>,
    whole: bool,
    processes: u64,
    open_files: u64,
}

impl Census<'_> {
    fn visit(&mut self, reader: &mut Reader, dir: BorrowedFd<'_>) -> ControlFlow<()> {
        let len = match reader.to_end(dir, c"cgroup.procs", Family::Limits) {
            Ok(len) => len,
            Err(errno) => {
                // a child removed meanwhile has none; the processes of a threaded child are listed further up
                let none = [Cause::Gone, Cause::Absent, Cause::Unsupported];
                self.whole &= none.contains(&cause_of(errno));
                return ControlFlow::Continue(());
            }
        };
        let flaws = pids::processes(reader.text(len), |pid| {
            self.processes += 1;
            if pid != 0 && self.processes <= MOST_PROCESSES {
                // since 6.2 the size of this directory is its number of entries
                let size = statat(self.proc, PidPath::new(pid, "/fd").as_c_str(), AtFlags::empty());
                self.open_files +=
                    size.ok().and_then(|s| u64::try_from(s.st_size).ok()).unwrap_or(0);
            }
        });
        self.whole &= flaws == Flaws::NONE;
        ControlFlow::Continue(())
    }
}

fn milli(quota: Quota) -> Option<u64> {
    match quota {
        Quota::Milli(milli) => Some(milli),
        Quota::Unlimited | Quota::Wrong => None,
    }
}

fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn ancestor_quota(kernel: &mut Kernel, ancestor: &Climb) -> Option<u64> {
    if kernel.is_v2() {
        return milli(quota_v2(ancestor.read(&mut kernel.reader, File::CpuMax)?));
    }
    let period = single(ancestor.read(&mut kernel.reader, File::CfsPeriod)?);
    milli(quota_v1(ancestor.read(&mut kernel.reader, File::CfsQuota)?, period))
}
