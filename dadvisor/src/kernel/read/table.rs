//! Every cgroup file that is read: its name, the tree it lies in, the family it belongs to, and whether it is hot (read on every pass,
//! worth holding open).

use super::stats::Family;
use crate::kernel::hierarchy::Tree;
use std::ffi::CStr;

macro_rules! files {
    ($($(#[$doc:meta])* $variant:ident $name:literal $tree:ident $family:ident $hot:literal,)+) => {
        /// A cgroup file. The same name on v1 and v2 is two files here: they differ in place and units.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum File {
            $($(#[$doc])* #[doc = concat!("`", stringify!($name), "`")] $variant,)+
        }

        impl File {
            /// Every file; the position is the bit in the masks of a group.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name.
            pub const fn name(self) -> &'static CStr {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The tree it lies in.
            pub const fn tree(self) -> Tree {
                match self { $(Self::$variant => Tree::$tree,)+ }
            }

            /// The family it is counted under.
            pub const fn family(self) -> Family {
                match self { $(Self::$variant => Family::$family,)+ }
            }

            /// Read on every pass.
            pub const fn is_hot(self) -> bool {
                match self { $(Self::$variant => $hot,)+ }
            }
        }
    };
}

files! {
    CpuacctUsage c"cpuacct.usage" Cpuacct Cpu true,
    CpuacctStat c"cpuacct.stat" Cpuacct Cpu true,
    CpuacctPercpu c"cpuacct.usage_percpu" Cpuacct Cpu true,
    CpuStatV1 c"cpu.stat" Cpu Cpu true,
    MemoryUsage c"memory.usage_in_bytes" Memory Memory true,
    MemoryStatV1 c"memory.stat" Memory Memory true,
    MemoryFailcnt c"memory.failcnt" Memory Memory true,
    MemoryOomControl c"memory.oom_control" Memory Oom true,
    BfqBytes c"blkio.bfq.io_service_bytes_recursive" Blkio Io true,
    BfqOps c"blkio.bfq.io_serviced_recursive" Blkio Io true,
    CfqBytes c"blkio.io_service_bytes_recursive" Blkio Io true,
    CfqOps c"blkio.io_serviced_recursive" Blkio Io true,
    ThrottleRecursiveBytes c"blkio.throttle.io_service_bytes_recursive" Blkio Io true,
    ThrottleRecursiveOps c"blkio.throttle.io_serviced_recursive" Blkio Io true,
    ThrottleBytes c"blkio.throttle.io_service_bytes" Blkio Io true,
    ThrottleOps c"blkio.throttle.io_serviced" Blkio Io true,
    PidsCurrentV1 c"pids.current" Pids Pids true,
    CpuStatV2 c"cpu.stat" Unified Cpu true,
    MemoryCurrent c"memory.current" Unified Memory true,
    MemoryStatV2 c"memory.stat" Unified Memory true,
    MemorySwapCurrent c"memory.swap.current" Unified Memory true,
    MemoryEvents c"memory.events" Unified Oom true,
    IoStat c"io.stat" Unified Io true,
    PidsCurrentV2 c"pids.current" Unified Pids true,
    CpuPressure c"cpu.pressure" Unified Pressure true,
    MemoryPressure c"memory.pressure" Unified Pressure true,
    IoPressure c"io.pressure" Unified Pressure true,
    IrqPressure c"irq.pressure" Unified Pressure true,
    CfsQuota c"cpu.cfs_quota_us" Cpu Limits false,
    CfsPeriod c"cpu.cfs_period_us" Cpu Limits false,
    CpuShares c"cpu.shares" Cpu Limits false,
    CpusetEffectiveV1 c"cpuset.effective_cpus" Cpuset Limits false,
    CpusetCpusV1 c"cpuset.cpus" Cpuset Limits false,
    MemoryMaxUsage c"memory.max_usage_in_bytes" Memory Limits false,
    PidsMaxV1 c"pids.max" Pids Limits false,
    PidsPeakV1 c"pids.peak" Pids Limits false,
    PidsEventsV1 c"pids.events" Pids Limits false,
    CpuMax c"cpu.max" Unified Limits false,
    CpuWeight c"cpu.weight" Unified Limits false,
    CpusetEffectiveV2 c"cpuset.cpus.effective" Unified Limits false,
    MemoryMax c"memory.max" Unified Limits false,
    MemorySwapMax c"memory.swap.max" Unified Limits false,
    MemoryPeak c"memory.peak" Unified Limits false,
    PidsMaxV2 c"pids.max" Unified Limits false,
    PidsPeakV2 c"pids.peak" Unified Limits false,
    PidsEventsV2 c"pids.events" Unified Limits false,
}

/// How many files there are.
pub const FILES: usize = File::ALL.len();
// one bit each in a u64
const _: () = assert!(FILES <= 64);
