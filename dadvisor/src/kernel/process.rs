//! A container's first process, held so that its number cannot silently become another's.
//!
//! The hold is an `O_PATH` descriptor on `/proc/PID`: it pins neither the process nor a namespace, and what is opened through it fails
//! once the process has ended (containers.md, network traps).

use crate::kernel::read::{PATH_DIR, open_dir};
use common::container::{Container, Source};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Most bytes read of `/proc/PID/cgroup`.
const MAX_CGROUP: u64 = 64 << 10;

/// A process of a container.
#[derive(Debug)]
pub struct Process(OwnedFd);

impl Process {
    /// Holds a process of the `/proc` that is open. Whose it is, is not looked at. No allocation.
    pub(crate) fn hold(proc: impl AsFd, pid: u32) -> Result<Self, Errno> {
        open_dir(proc, PidPath::new(pid, "").as_c_str()).map(Self)
    }

    /// Opens a process. `proc` is where the host's `/proc` is. If `id` is given, the process must be in a cgroup whose path has that
    /// name in it; otherwise the number is another process's by now: `ESRCH`.
    pub fn open(proc: &Path, pid: u32, id: Option<&str>) -> Result<Self, Errno> {
        let process = Self::hold(openat(CWD, proc, PATH_DIR, Mode::empty())?, pid)?;
        if let Some(id) = id {
            let cgroup = process.read(c"cgroup", MAX_CGROUP)?;
            if !String::from_utf8_lossy(&cgroup).contains(id) {
                return Err(Errno::SRCH);
            }
        }
        Ok(process)
    }

    /// One of its files. `EFBIG` if it has more than `max` bytes.
    pub fn read(&self, name: &CStr, max: u64) -> Result<Vec<u8>, Errno> {
        let file = openat(&self.0, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut bytes = Vec::new();
        let read = std::fs::File::from(file).take(max + 1).read_to_end(&mut bytes);
        read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        if bytes.len() as u64 > max { Err(Errno::FBIG) } else { Ok(bytes) }
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// `<pid><suffix>` as a path, on the stack.
pub(crate) struct PidPath([u8; 24]);

impl PidPath {
    /// The suffix must be short (`/fd`).
    pub(crate) fn new(pid: u32, suffix: &str) -> Self {
        let mut bytes = [0; 24];
        // ten digits and a short suffix: the last byte stays zero
        let written = write!(&mut bytes[..23], "{pid}{suffix}");
        debug_assert!(written.is_ok());
        Self(bytes)
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// What the path of a container's cgroup has in it: Docker's id; of a nested Mesos container (`parent.child`) the innermost. None for
/// a plain cgroup, whose id is a name of ours.
pub fn cgroup_name(container: &Container) -> Option<&str> {
    match container.source {
        Source::Docker => Some(&container.id),
        Source::Mesos => container.id.rsplit('.').next(),
        Source::Cgroup => None,
    }
}

/// The first process's root directory, where this program may look into it: the host's, even from inside a container. Else this
/// program's own.
pub fn host_root(proc: &Path) -> PathBuf {
    let root = proc.join("1/root");
    // "." behind the magic link: following it is what needs the right
    match openat(CWD, root.join("."), PATH_DIR, Mode::empty()) {
        Ok(_) => root,
        Err(_) => PathBuf::from("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_cgroup() {
        let proc = tempfile::tempdir().unwrap();
        std::fs::create_dir(proc.path().join("7")).unwrap();
        std::fs::write(proc.path().join("7/cgroup"), b"0::/docker/0a1b2c\xff\n").unwrap();
        let open = |pid, id| Process::open(proc.path(), pid, id).map(|_| ());
        assert_eq!(open(7, Some("0a1b2c")), Ok(()));
        assert_eq!(open(7, Some("ffff")), Err(Errno::SRCH));
        assert_eq!(open(7, None), Ok(()));
        assert_eq!(open(8, None), Err(Errno::NOENT));
        let process = Process::open(proc.path(), 7, None).unwrap();
        assert_eq!(process.read(c"cgroup", 4), Err(Errno::FBIG));
    }

    #[test]
    fn an_ended_process_is_gone_through_its_hold() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::open(Path::new("/proc"), child.id(), None).unwrap();
        assert!(process.read(c"cgroup", MAX_CGROUP).is_ok());
        child.kill().unwrap();
        child.wait().unwrap();
        let after = process.read(c"cgroup", MAX_CGROUP);
        assert!(matches!(after, Err(Errno::NOENT | Errno::SRCH)), "{after:?}");
    }

    #[test]
    fn pid_paths() {
        assert_eq!(PidPath::new(u32::MAX, "/fd").as_c_str(), c"4294967295/fd");
        assert_eq!(PidPath::new(1, "").as_c_str(), c"1");
    }
}
