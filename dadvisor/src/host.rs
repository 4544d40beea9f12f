//! The node itself: one figure list from `/proc` and `/sys`, in the words containers use (contracts.md section 8).
//!
//! A source is one kernel file or group of files with a file of its own here: `read` (the only IO), a pure `parse`, a pure `emit`.
//! [`Host::read`] reads every source once; [`Host::each`] prints the last reading as raw counters and ready-made rates.
//! What a source does not have is absent, never zero. A source that fails keeps its error to itself, and gives no figures until it
//! is read again. A counter that fell gives no rate. Roots are settings, so that a fixture tree or a host's `/proc` mounted into a
//! container can stand in for the real one.

mod cpu;
mod disks;
mod files;
mod filesystems;
pub(crate) mod fuzzing;
mod load;
mod memory;
mod net;
mod pressure;
mod source;
mod tcp;
mod uptime;
mod vm;

#[cfg(test)]
mod tests;

pub use source::Failures;

use common::metric::{Name, Value};
use source::Source;
use std::path::PathBuf;
use std::time::Instant;

/// Where the kernel's files are.
#[derive(Debug, Clone)]
struct Roots {
    proc: PathBuf,
    sys: PathBuf,
}

/// Takes one figure.
type Emit<'a> = dyn FnMut(Name<'_>, Value) + 'a;

/// The node's sources and their last two readings.
#[derive(Debug)]
pub struct Host {
    roots: Roots,
    load: Source<load::Load>,
    cpu: Source<cpu::Cpu>,
    memory: Source<memory::Memory>,
    vm: Source<vm::Vm>,
    disks: Source<disks::Disks>,
    filesystems: Source<filesystems::Filesystems>,
    mounts: filesystems::Mounts,
    net: Source<net::Net>,
    tcp: Source<tcp::Tcp>,
    pressure: Source<pressure::Pressures>,
    uptime: Source<uptime::Uptime>,
    files: Source<files::Files>,
}

impl Host {
    /// Reads nothing yet. `proc` and `sys` are where the host's `/proc` and `/sys` are mounted.
    pub fn open(proc: PathBuf, sys: PathBuf) -> Self {
        Self {
            roots: Roots { proc, sys },
            load: Source::new("load"),
            cpu: Source::new("cpu"),
            memory: Source::new("memory"),
            vm: Source::new("vm"),
            disks: Source::new("disks"),
            filesystems: Source::new("filesystems"),
            mounts: filesystems::Mounts::default(),
            net: Source::new("net"),
            tcp: Source::new("tcp"),
            pressure: Source::new("pressure"),
            uptime: Source::new("uptime"),
            files: Source::new("files"),
        }
    }

    /// Reads every source once. `now` must not go backwards between calls; rates are per second of it.
    pub fn read(&mut self, now: Instant) {
        let roots = &self.roots;
        self.load.take(now, load::read(roots));
        self.cpu.take(now, cpu::read(roots));
        self.memory.take(now, memory::read(roots));
        self.vm.take(now, vm::read(roots));
        self.disks.take(now, disks::read(roots));
        let (read, failed) = self.mounts.read(roots);
        self.filesystems.take_part(now, read, failed);
        self.net.take(now, net::read(roots));
        self.tcp.take(now, tcp::read(roots));
        let (read, failed) = pressure::read(roots);
        self.pressure.take_part(now, read, failed);
        self.uptime.take(now, uptime::read(roots));
        self.files.take(now, files::read(roots));
    }

    /// Every figure of the last reading, always in the same order. Names are below `<prefix>.<dc>.node.<node>`.
    pub fn each(&self, emit: &mut dyn FnMut(Name<'_>, Value)) {
        self.load.each(|now, _| load::emit(now, emit));
        self.cpu.each(|now, before| cpu::emit(now, before, emit));
        self.memory.each(|now, _| memory::emit(now, emit));
        self.vm.each(|now, _| vm::emit(now, emit));
        self.disks.each(|now, before| disks::emit(now, before, emit));
        self.filesystems.each(|now, _| filesystems::emit(now, emit));
        self.net.each(|now, before| net::emit(now, before, emit));
        self.tcp.each(|now, _| tcp::emit(now, emit));
        self.pressure.each(|now, _| pressure::emit(now, emit));
        self.uptime.each(|now, _| uptime::emit(now, emit));
        self.files.each(|now, _| files::emit(now, emit));
    }

    /// How often each source has failed and why it last did, in the order of [`Host::each`].
    pub fn errors(&self) -> [(&'static str, &Failures); 11] {
        [
            self.load.failures(),
            self.cpu.failures(),
            self.memory.failures(),
            self.vm.failures(),
            self.disks.failures(),
            self.filesystems.failures(),
            self.net.failures(),
            self.tcp.failures(),
            self.pressure.failures(),
            self.uptime.failures(),
            self.files.failures(),
        ]
    }
}
