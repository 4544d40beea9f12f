//! The floor: a bare loop that only opens, reads and closes the files a pass needs. Nothing is parsed, kept or sent.

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags, open, openat};
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The files of a default pass, per controller directory (v1). The count of operations is read only where the file of bytes has a
/// device line ([`trimmed`]).
pub const V1_FILES: [(&str, &[&str]); 5] = [
    ("cpuacct", &["cpuacct.usage", "cpuacct.stat"]),
    ("cpu", &["cpu.stat"]),
    ("memory", &["memory.usage_in_bytes", "memory.stat", "memory.failcnt", "memory.oom_control"]),
    (
        "blkio",
        &["blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"],
    ),
    ("pids", &["pids.current"]),
];
/// The files of a default pass on v2.
pub const V2_FILES: [&str; 9] = [
    "cpu.stat",
    "memory.current",
    "memory.stat",
    "memory.swap.current",
    "memory.events",
    "io.stat",
    "pids.current",
    "cpu.pressure",
    "memory.pressure",
];
/// The files of a process's network namespace, read to their end.
pub const NET_FILES: [&str; 3] = ["net/dev", "net/sockstat", "net/snmp"];

/// Leaves out the count of operations in a directory whose container did no IO.
pub fn trimmed(dir: &Path, files: &'static [&'static str]) -> &'static [&'static str] {
    match files {
        [bytes, _] if bytes.starts_with("blkio.") => {
            let text = std::fs::read_to_string(dir.join(bytes)).unwrap_or_default();
            if text.lines().count() > 1 { files } else { &files[..1] }
        }
        _ => files,
    }
}

/// How files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By absolute path; read until nothing is left; close. What a shell script or a simple collector does.
    Path,
    /// Beneath a held directory; one read; close. What dadvisor does.
    Beneath,
    /// Kept open; one pread.
    Held,
}

/// The directories and files of a set of containers, ready to read.
pub struct Floor {
    method: Method,
    paths: Vec<CString>,
    beneath: Vec<(OwnedFd, Vec<CString>)>,
    held: Vec<OwnedFd>,
    /// `/proc/PID` directories: opened beneath and read to the end, whatever the method, since these must never be kept open.
    net: Vec<OwnedFd>,
    net_files: Vec<CString>,
    buffer: Vec<u8>,
}

impl Floor {
    /// `groups`: per container the directories with the names to read; `pids`: whose namespaces to read.
    pub fn new(method: Method, groups: &[Vec<(PathBuf, &[&str])>], pids: &[u32]) -> Result<Self> {
        let mut floor = Self {
            method,
            paths: Vec::new(),
            beneath: Vec::new(),
            held: Vec::new(),
            net: Vec::new(),
            net_files: NET_FILES.iter().map(|f| CString::new(*f)).collect::<Result<_, _>>()?,
            buffer: vec![0; 65536],
        };
        for (dir, names) in groups.iter().flatten() {
            match method {
                Method::Path => {
                    for name in *names {
                        floor.paths.push(CString::new(dir.join(name).to_str().context("path")?)?);
                    }
                }
                Method::Beneath => {
                    let fd = open(
                        dir,
                        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                        Mode::empty(),
                    )?;
                    floor.beneath.push((
                        fd,
                        names.iter().map(|n| CString::new(*n)).collect::<Result<_, _>>()?,
                    ));
                }
                Method::Held => {
                    for name in *names {
                        floor.held.push(open(
                            dir.join(name),
                            OFlags::RDONLY | OFlags::CLOEXEC,
                            Mode::empty(),
                        )?);
                    }
                }
            }
        }
        for pid in pids {
            floor.net.push(open(
                format!("/proc/{pid}"),
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )?);
        }
        Ok(floor)
    }

    /// How many files one pass reads.
    pub fn files(&self) -> usize {
        let beneath: usize = self.beneath.iter().map(|(_, names)| names.len()).sum();
        self.paths.len() + beneath + self.held.len() + self.net.len() * self.net_files.len()
    }

    /// One pass over everything. Answers the bytes read, so that nothing is optimised away.
    pub fn pass(&mut self) -> Result<usize> {
        let mut bytes = 0;
        let read = OFlags::RDONLY | OFlags::CLOEXEC;
        match self.method {
            Method::Path => {
                for path in &self.paths {
                    let fd = open(path.as_c_str(), read, Mode::empty())?;
                    bytes += to_end(&fd, &mut self.buffer)?;
                }
            }
            Method::Beneath => {
                for (dir, names) in &self.beneath {
                    for name in names {
                        let fd = openat(dir, name.as_c_str(), read, Mode::empty())?;
                        bytes += rustix::io::read(&fd, &mut self.buffer[..])?;
                    }
                }
            }
            Method::Held => {
                for fd in &self.held {
                    bytes += rustix::io::pread(fd, &mut self.buffer[..], 0)?;
                }
            }
        }
        for dir in &self.net {
            for name in &self.net_files {
                let fd = openat(dir, name.as_c_str(), read, Mode::empty())?;
                bytes += to_end(&fd, &mut self.buffer)?;
            }
        }
        Ok(bytes)
    }
}

fn to_end(fd: &OwnedFd, buffer: &mut [u8]) -> Result<usize> {
    let mut bytes = 0;
    loop {
        match rustix::io::read(fd, &mut *buffer)? {
            0 => return Ok(bytes),
            n => bytes += n,
        }
    }
}
