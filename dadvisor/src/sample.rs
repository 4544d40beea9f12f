//! A sample: the raw figures of one container at one tick, and the one list of what they are called.
//!
//! Raw counters come first, rates are made later from two samples ([`crate::rate`]). A sample is flat (an array and a bit per
//! [`Field`]), so that copying, comparing, storing the last hour and printing are loops over one table, and a new figure is one line
//! here plus the line of the collector that reads it. What comes in several (devices, interfaces, cores) is kept in [`Rows`].
//! "Absent" is a clear bit, never a zero.

use common::metric::Value;

/// How a raw figure is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// As it is.
    Whole,
    /// Nanoseconds, printed in seconds.
    Nanos,
    /// Microseconds, printed in seconds.
    Micros,
    /// Thousandths, printed in units.
    Milli,
}

macro_rules! fields {
    ($($variant:ident $name:literal $unit:ident $doc:literal,)+) => {
        /// One raw figure of a container. The text beside each is its metric name, contracts.md section 8.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Field {
            $(#[doc = $doc] $variant,)+
        }

        impl Field {
            /// Every field, in the order they are sent.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The metric's name below its instance.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// How it is printed.
            pub const fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit,)+ }
            }

            /// What it means, for the metrics list and `# HELP`.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $doc,)+ }
            }
        }
    };
}

fields! {
    CpuUsage "cpu.usage_seconds_total" Nanos "CPU time used.",
    CpuUser "cpu.user_seconds_total" Nanos "CPU time in user mode; scaled by the kernel, need not sum to the total.",
    CpuSystem "cpu.system_seconds_total" Nanos "CPU time in kernel mode.",
    CpuPeriods "cpu.periods_total" Whole "Quota periods that have passed.",
    CpuThrottledPeriods "cpu.throttled_periods_total" Whole "Quota periods in which the container was throttled.",
    CpuThrottled "cpu.throttled_seconds_total" Nanos "Time the container's threads were throttled.",
    CpuBursts "cpu.bursts_total" Whole "Quota periods with a burst.",
    CpuBurst "cpu.burst_seconds_total" Nanos "Time used above quota in bursts.",
    CpuLimit "cpu.limit_cores" Milli "Effective CPU limit: the least of quota (own and ancestors') and cpuset; absent when none.",
    CpuShares "cpu.shares" Whole "Relative weight under contention (cpu.shares on v1).",
    CpuWeight "cpu.weight" Whole "Relative weight under contention (cpu.weight on v2).",
    MemoryUsage "memory.usage_bytes" Whole "Memory charged, page cache and kernel memory included.",
    MemoryWorkingSet "memory.working_set_bytes" Whole "Usage less inactive file cache.",
    MemoryRss "memory.rss_bytes" Whole "Anonymous memory (total_rss on v1, anon on v2).",
    MemoryCache "memory.cache_bytes" Whole "Page cache (total_cache on v1, file on v2).",
    MemoryMapped "memory.mapped_bytes" Whole "Mapped file pages.",
    MemoryShmem "memory.shmem_bytes" Whole "Shared memory and tmpfs.",
    MemoryDirty "memory.dirty_bytes" Whole "File pages waiting to be written.",
    MemoryWriteback "memory.writeback_bytes" Whole "File pages being written.",
    MemorySlab "memory.slab_bytes" Whole "Kernel slab (v2).",
    MemorySock "memory.sock_bytes" Whole "Network buffers (v2).",
    MemorySwap "memory.swap_bytes" Whole "Swap used, memory excluded.",
    MemoryLimit "memory.limit_bytes" Whole "Effective memory limit; absent when none.",
    MemorySwapLimit "memory.swap_limit_bytes" Whole "Swap limit, memory excluded; absent when none.",
    MemoryPeak "memory.peak_bytes" Whole "Highest usage since start.",
    MemoryLimitHits "memory.limit_hits_total" Whole "Times usage hit a limit (failcnt on v1, high+max events on v2).",
    MemoryFaults "memory.page_faults_total" Whole "Page faults.",
    MemoryMajorFaults "memory.major_page_faults_total" Whole "Page faults that needed disk.",
    OomKills "memory.oom_kills_total" Whole "Processes killed by the out-of-memory killer in this container.",
    IoReadBytes "io.read_bytes_total" Whole "Bytes read from whole disks.",
    IoWriteBytes "io.write_bytes_total" Whole "Bytes written to whole disks.",
    IoReads "io.reads_total" Whole "Reads from whole disks.",
    IoWrites "io.writes_total" Whole "Writes to whole disks.",
    PidsCurrent "pids.current" Whole "Processes and threads.",
    PidsLimit "pids.limit" Whole "Most processes and threads allowed; absent when none.",
    PidsPeak "pids.peak" Whole "Most processes and threads seen at once.",
    PidsLimitHits "pids.limit_hits_total" Whole "Forks refused by the limit.",
    Processes "pids.processes" Whole "Processes, threads not counted apart.",
    OpenFiles "pids.open_files" Whole "Descriptors open in all processes (Linux 6.2 and later).",
    PressureCpuSome "pressure.cpu.some_seconds_total" Micros "Time at least one task waited for CPU.",
    PressureCpuFull "pressure.cpu.full_seconds_total" Micros "Time all tasks waited for CPU.",
    PressureMemorySome "pressure.memory.some_seconds_total" Micros "Time at least one task waited for memory.",
    PressureMemoryFull "pressure.memory.full_seconds_total" Micros "Time all tasks waited for memory.",
    PressureIoSome "pressure.io.some_seconds_total" Micros "Time at least one task waited for IO.",
    PressureIoFull "pressure.io.full_seconds_total" Micros "Time all tasks waited for IO.",
    PressureIrqFull "pressure.irq.full_seconds_total" Micros "Time all tasks waited for interrupts.",
    NetRxBytes "net.rx_bytes_total" Whole "Bytes received, all interfaces but lo.",
    NetRxPackets "net.rx_packets_total" Whole "Packets received.",
    NetRxErrors "net.rx_errors_total" Whole "Receive errors.",
    NetRxDropped "net.rx_dropped_total" Whole "Received packets dropped.",
    NetTxBytes "net.tx_bytes_total" Whole "Bytes sent, all interfaces but lo.",
    NetTxPackets "net.tx_packets_total" Whole "Packets sent.",
    NetTxErrors "net.tx_errors_total" Whole "Send errors.",
    NetTxDropped "net.tx_dropped_total" Whole "Packets to send dropped.",
    TcpEstablished "tcp.established" Whole "TCP connections established or in close-wait (CurrEstab).",
    TcpRetransmits "tcp.retransmits_total" Whole "TCP segments sent again.",
    TcpResets "tcp.resets_total" Whole "TCP connections reset (EstabResets).",
    TcpSockets "tcp.sockets" Whole "TCP sockets in use.",
    TcpTimeWait "tcp.time_wait" Whole "TCP sockets in time-wait.",
    UdpSockets "udp.sockets" Whole "UDP sockets in use.",
    TcpStateEstablished "tcp.states.established" Whole "TCP sockets by state (opt-in tcp_states).",
    TcpStateSynSent "tcp.states.syn_sent" Whole "TCP sockets by state.",
    TcpStateSynRecv "tcp.states.syn_recv" Whole "TCP sockets by state.",
    TcpStateFinWait1 "tcp.states.fin_wait1" Whole "TCP sockets by state.",
    TcpStateFinWait2 "tcp.states.fin_wait2" Whole "TCP sockets by state.",
    TcpStateTimeWait "tcp.states.time_wait" Whole "TCP sockets by state.",
    TcpStateClose "tcp.states.close" Whole "TCP sockets by state.",
    TcpStateCloseWait "tcp.states.close_wait" Whole "TCP sockets by state.",
    TcpStateLastAck "tcp.states.last_ack" Whole "TCP sockets by state.",
    TcpStateListen "tcp.states.listen" Whole "TCP sockets by state.",
    TcpStateClosing "tcp.states.closing" Whole "TCP sockets by state.",
    DiskWritableBytes "disk.writable_bytes" Whole "Size of the writable layer (opt-in disk_usage).",
    DiskWritableInodes "disk.writable_inodes" Whole "Files in the writable layer.",
    DiskLogBytes "disk.log_volumes_bytes" Whole "Size of the log volumes.",
    Uptime "uptime_seconds" Whole "Seconds since the container started.",
    Restarts "restarts_total" Whole "Restarts by the engine's restart policy.",
}

/// How many fields there are.
pub const FIELDS: usize = Field::ALL.len();
// the presence bits are one u128
const _: () = assert!(FIELDS <= 128);

/// The flat figures of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    present: u128,
    values: [u64; FIELDS],
}

impl Default for Figures {
    fn default() -> Self {
        Self { present: 0, values: [0; FIELDS] }
    }
}

impl Figures {
    /// The figure, if it was read.
    pub fn get(&self, field: Field) -> Option<u64> {
        (self.present >> (field as u8) & 1 == 1).then(|| self.values[field as usize])
    }

    /// Records a figure.
    pub fn set(&mut self, field: Field, value: u64) {
        self.present |= 1 << (field as u8);
        self.values[field as usize] = value;
    }

    /// Records a figure if there is one, else leaves the field as it is.
    pub fn set_some(&mut self, field: Field, value: Option<u64>) {
        if let Some(value) = value {
            self.set(field, value);
        }
    }

    /// Records a figure, or its absence.
    pub fn put(&mut self, field: Field, value: Option<u64>) {
        match value {
            Some(value) => self.set(field, value),
            None => self.unset(field),
        }
    }

    /// Records every figure that `other` has.
    pub fn overlay(&mut self, other: &Self) {
        let mut left = other.present;
        self.present |= left;
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            self.values[at] = other.values[at];
            left &= left - 1;
        }
    }

    /// Adds to a figure, which starts at 0.
    pub fn add(&mut self, field: Field, value: u64) {
        self.set(field, self.get(field).unwrap_or(0).saturating_add(value));
    }

    /// Makes a field absent.
    pub fn unset(&mut self, field: Field) {
        self.present &= !(1 << (field as u8));
        self.values[field as usize] = 0;
    }

    /// Every field that is present, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Field, u64)> + '_ {
        Field::ALL.iter().filter_map(|f| self.get(*f).map(|v| (*f, v)))
    }

    /// The figure in its unit.
    pub fn value(&self, field: Field) -> Option<Value> {
        self.get(field).map(|v| field.unit().value(v))
    }
}

impl Unit {
    /// A raw figure in this unit.
    pub const fn value(self, raw: u64) -> Value {
        match self {
            Self::Whole => Value::Int(raw),
            Self::Nanos => Value::Nanos(raw),
            Self::Micros => Value::Micros(raw),
            Self::Milli => Value::Milli(raw),
        }
    }
}

/// A row's name, already a Graphite component, at most 64 bytes: copied without allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RowName {
    len: u8,
    bytes: [u8; 64],
}

impl RowName {
    /// Escapes a foreign name (device, interface). Names over 64 bytes after escaping do not exist for either; they would be cut.
    pub fn new(name: &str) -> Self {
        let escaped = common::ids::component(name);
        let cut = &escaped.as_bytes()[..escaped.len().min(64)];
        let mut bytes = [0; 64];
        bytes[..cut.len()].copy_from_slice(cut);
        Self { len: u8::try_from(cut.len()).unwrap_or(64), bytes }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        // only ASCII ever enters
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("")
    }
}

impl std::fmt::Debug for RowName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Counters of one block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRow {
    /// `sda`, `nvme0n1`, escaped.
    pub name: RowName,
    /// Bytes read, bytes written, reads, writes: [`DEVICE_METRICS`].
    pub counters: [u64; 4],
}

/// Names of [`DeviceRow::counters`], below `io.<device>`.
pub const DEVICE_METRICS: [&str; 4] =
    [".read_bytes_total", ".write_bytes_total", ".reads_total", ".writes_total"];

/// Counters of one network interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceRow {
    /// `eth0`, escaped.
    pub name: RowName,
    /// In the order of [`INTERFACE_METRICS`].
    pub counters: [u64; 8],
}

/// Names of [`InterfaceRow::counters`], below `net.<interface>`.
pub const INTERFACE_METRICS: [&str; 8] = [
    ".rx_bytes_total",
    ".rx_packets_total",
    ".rx_errors_total",
    ".rx_dropped_total",
    ".tx_bytes_total",
    ".tx_packets_total",
    ".tx_errors_total",
    ".tx_dropped_total",
];

/// Most devices, interfaces and cores kept of one container: a bound on what a container can make us send.
pub const MAX_ROWS: usize = 64;

/// Appends a row, with room for no more than it needs: most containers have one device and one interface, and there are many
/// containers. False if there are [`MAX_ROWS`] already.
pub fn add_row<T>(rows: &mut Vec<T>, row: T) -> bool {
    if rows.len() >= MAX_ROWS {
        return false;
    }
    if rows.len() == rows.capacity() {
        rows.reserve_exact(1);
    }
    rows.push(row);
    true
}

/// What comes in several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Block devices, partitions left out.
    pub devices: Vec<DeviceRow>,
    /// Network interfaces but `lo` that ever moved a packet.
    pub interfaces: Vec<InterfaceRow>,
    /// CPU nanoseconds by core (opt-in `cpu_per_core`, v1).
    pub cores: Vec<u64>,
}

/// The raw figures of one container at one tick.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// The flat ones.
    pub figures: Figures,
    /// The rest.
    pub rows: Rows,
}

impl Sample {
    /// Empties the sample and keeps its memory.
    pub fn clear(&mut self) {
        self.figures = Figures::default();
        self.rows.devices.clear();
        self.rows.interfaces.clear();
        self.rows.cores.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_fit_graphite() {
        let names: HashSet<_> = Field::ALL.iter().map(|f| f.name()).collect();
        assert_eq!(names.len(), FIELDS);
        for name in names {
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || b == b'_'
                    || b == b'.'),
                "{name}"
            );
        }
    }

    #[test]
    fn absent_is_not_zero() {
        let mut figures = Figures::default();
        assert_eq!(figures.get(Field::CpuUsage), None);
        figures.set(Field::CpuUsage, 0);
        assert_eq!(figures.get(Field::CpuUsage), Some(0));
        figures.add(Field::IoReads, 2);
        figures.add(Field::IoReads, u64::MAX);
        assert_eq!(figures.get(Field::IoReads), Some(u64::MAX));
        let mut other = Figures::default();
        other.put(Field::IoWrites, Some(7));
        other.put(Field::IoReads, None);
        other.overlay(&figures);
        assert_eq!(other.iter().count(), 3);
        assert_eq!(other.get(Field::IoReads), Some(u64::MAX));
        figures.unset(Field::CpuUsage);
        assert_eq!(figures.iter().map(|(f, _)| f).collect::<Vec<_>>(), [Field::IoReads]);
    }
}
