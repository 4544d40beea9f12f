//! What is read on every pass, family by family, v1 and v2 side by side.

use super::{Group, Kernel};
use crate::collect::{cpu, memory, oom, pressure};
use crate::kernel::hierarchy::Tree;
use crate::kernel::read::stats::{Cause, Family};
use crate::kernel::read::table::File;
use crate::sample::{Field, Figures, Sample};
use std::time::Instant;

impl Group {
    /// First of all: how much CPU time was used decides what else is read. `all`: everything, whatever was used.
    pub(super) fn cpu(&mut self, kernel: &mut Kernel, all: bool, slow: bool, sample: &mut Sample) {
        let figures = &mut sample.figures;
        if kernel.is_v2() {
            self.figures(kernel, File::CpuStatV2, figures, cpu::stat);
            self.quiet.begin(figures, all, slow);
            return;
        }
        self.figures(kernel, File::CpuacctUsage, figures, cpu::usage_v1);
        self.quiet.begin(figures, all, slow);
        if self.quiet.stands_still(figures) {
            kernel.reader.stats.spare(2);
        } else {
            self.figures(kernel, File::CpuacctStat, figures, cpu::stat);
            self.figures(kernel, File::CpuStatV1, figures, cpu::stat);
        }
        if kernel.families.cpu_per_core {
            if let Some(text) = self.files.read(&mut kernel.reader, File::CpuacctPercpu) {
                let flaws = cpu::per_core_v1(text, &mut sample.rows.cores);
                self.files.note(&mut kernel.reader, File::CpuacctPercpu, flaws);
            }
        }
    }

    pub(super) fn memory(&mut self, kernel: &mut Kernel, now: Instant, out: &mut Figures) {
        let v2 = kernel.is_v2();
        let usage = if v2 { File::MemoryCurrent } else { File::MemoryUsage };
        self.figures(kernel, usage, out, |text, out| memory::value(text, Field::MemoryUsage, out));
        if v2 {
            let swap = |text: &[u8], out: &mut Figures| memory::value(text, Field::MemorySwap, out);
            self.figures(kernel, File::MemorySwapCurrent, out, swap);
        } else if self.quiet.stands_still(out) {
            kernel.reader.stats.spare(1);
        } else {
            let hits =
                |text: &[u8], out: &mut Figures| memory::value(text, Field::MemoryLimitHits, out);
            self.figures(kernel, File::MemoryFailcnt, out, hits);
        }
        if self.memory_stat.is_due(now) {
            self.memory_stat(kernel, out);
        } else {
            kernel.reader.stats.count(Family::Memory, Cause::Slow, || {
                format!("memory.stat of {} is slow: read less often", self.path().display())
            });
        }
    }

    fn memory_stat(&mut self, kernel: &mut Kernel, out: &mut Figures) {
        let v2 = kernel.is_v2();
        let file = if v2 { File::MemoryStatV2 } else { File::MemoryStatV1 };
        let start = Instant::now();
        let Some(text) = self.files.read(&mut kernel.reader, file) else { return };
        let (stat, flaws) =
            if v2 { memory::stat_v2(text, out) } else { memory::stat_v1(text, out) };
        self.files.note(&mut kernel.reader, file, flaws);
        let end = Instant::now();
        self.memory_stat.took(end.saturating_duration_since(start), end);
        let usage = out.get(Field::MemoryUsage);
        let working_set = memory::working_set(usage, stat.inactive_file);
        out.set_some(Field::MemoryWorkingSet, working_set);
        if !v2 {
            // the effective limits come with every memory.stat of v1, and are kept while it rests
            let limit = memory::effective_limit(stat.limit, kernel.memory);
            self.carried.put(Field::MemoryLimit, limit);
            self.carried.put(Field::MemorySwapLimit, memory::swap_limit_v1(stat));
        }
    }

    pub(super) fn oom(&mut self, kernel: &mut Kernel, out: &mut Figures) {
        if self.quiet.stands_still(out) {
            kernel.reader.stats.spare(1);
            return;
        }
        self.kills(kernel, out);
    }

    /// The counters of kills and, on v2, of limits that were hit.
    pub(super) fn kills(&mut self, kernel: &mut Kernel, out: &mut Figures) {
        if !kernel.is_v2() {
            if kernel.families.oom {
                self.figures(kernel, File::MemoryOomControl, out, oom::control_v1);
            }
            return;
        }
        let families = kernel.families;
        self.figures(kernel, File::MemoryEvents, out, |text, out| {
            let (events, flaws) = oom::events_v2(text);
            if families.oom {
                out.set_some(Field::OomKills, events.oom_kill);
            }
            if families.memory {
                out.set_some(Field::MemoryLimitHits, events.limit_hits());
            }
            flaws
        });
    }

    pub(super) fn pids(&mut self, kernel: &mut Kernel, out: &mut Figures) {
        if self.quiet.stands_still(out) {
            kernel.reader.stats.spare(1);
            return;
        }
        let file = if kernel.is_v2() { File::PidsCurrentV2 } else { File::PidsCurrentV1 };
        self.figures(kernel, file, out, |text, out| memory::value(text, Field::PidsCurrent, out));
    }

    pub(super) fn pressure(&mut self, kernel: &mut Kernel, out: &mut Figures) {
        if !self.files.has(Tree::Unified) {
            return;
        }
        let still = self.quiet.stands_still(out);
        for (file, some, full) in PRESSURE {
            if still && file != File::IoPressure {
                kernel.reader.stats.spare(1);
                continue;
            }
            self.figures(kernel, file, out, |text, out| {
                pressure::pressure(text, |stall, total| match (stall, some) {
                    (pressure::Stall::Full, _) => out.set(full, total),
                    (pressure::Stall::Some, Some(some)) => out.set(some, total),
                    (pressure::Stall::Some, None) => {}
                })
            });
        }
    }
}

const PRESSURE: [(File, Option<Field>, Field); 4] = [
    (File::CpuPressure, Some(Field::PressureCpuSome), Field::PressureCpuFull),
    (File::MemoryPressure, Some(Field::PressureMemorySome), Field::PressureMemoryFull),
    (File::IoPressure, Some(Field::PressureIoSome), Field::PressureIoFull),
    (File::IrqPressure, None, Field::PressureIrqFull),
];
