//! Two ways to resolve a path beneath a directory without following links: in one system call, or step by step.

use super::Refused;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::path::{Component, Path};
use std::sync::OnceLock;

/// Tries of an `openat2` that the kernel could not finish because something was renamed meanwhile.
const TRIES: usize = 16;

/// How paths are resolved on this kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `openat2`, Linux 5.6.
    AtOnce,
    /// `openat` with `O_NOFOLLOW` for every part.
    Stepwise,
}

const RULES: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

impl Way {
    /// `openat2` where it is there and allowed; found out once.
    pub(super) fn best() -> Self {
        static BEST: OnceLock<Way> = OnceLock::new();
        *BEST.get_or_init(|| {
            let (flags, here) = (OFlags::PATH | OFlags::CLOEXEC, rustix::fs::CWD);
            match rustix::fs::openat2(here, c".", flags, Mode::empty(), ResolveFlags::empty()) {
                Err(Errno::NOSYS | Errno::PERM) => {
                    tracing::warn!("this kernel has no openat2 (Linux 5.6), or a filter forbids it: files are opened step by step");
                    Self::Stepwise
                }
                _ => Self::AtOnce,
            }
        })
    }

    /// Opens `path` beneath `dir`.
    pub(super) fn open(
        self,
        dir: impl AsFd,
        path: &Path,
        flags: OFlags,
    ) -> Result<OwnedFd, Refused> {
        match self {
            Self::AtOnce => at_once(dir, path, flags),
            Self::Stepwise => stepwise(dir, path, flags),
        }
    }
}

impl Way {
    /// Opens a directory by its path on this host: other file systems on the way are allowed, links are not.
    pub(super) fn open_root(self, path: &Path, flags: OFlags) -> Result<OwnedFd, Refused> {
        match self {
            Self::AtOnce => {
                let rules = ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_MAGICLINKS);
                let opened =
                    rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), rules);
                match opened {
                    // a link as the last part says this too
                    Err(Errno::NOTDIR | Errno::AGAIN) => walk(path, flags),
                    opened => opened.map_err(Refused::of),
                }
            }
            Self::Stepwise => walk(path, flags),
        }
    }
}

fn at_once(dir: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Refused> {
    for _ in 0..TRIES {
        match rustix::fs::openat2(&dir, path, flags, Mode::empty(), RULES) {
            Err(Errno::AGAIN) => {}
            // a link as the last part says this too: step by step tells them apart
            Err(Errno::NOTDIR) => return stepwise(dir, path, flags),
            opened => return opened.map_err(Refused::of),
        }
    }
    Err(Refused::Replaced)
}

fn stepwise(dir: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Refused> {
    let dev = rustix::fs::fstat(&dir).map_err(Refused::of)?.st_dev;
    let mut at: Option<OwnedFd> = None;
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(part) = part else { return Err(Refused::OtherMount) };
        let flags = match parts.peek() {
            None => flags | OFlags::NOFOLLOW,
            Some(_) => OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        };
        let opened = match &at {
            None => rustix::fs::openat(&dir, part, flags, Mode::empty()),
            Some(at) => rustix::fs::openat(at, part, flags, Mode::empty()),
        };
        // a link where a directory is wanted says ENOTDIR here and ELOOP there
        let opened = opened.map_err(|e| match e {
            Errno::NOTDIR if is_link(at.as_ref(), &dir, part.as_ref()) => Refused::Symlink,
            e => Refused::of(e),
        })?;
        if rustix::fs::fstat(&opened).map_err(Refused::of)?.st_dev != dev {
            return Err(Refused::OtherMount);
        }
        at = Some(opened);
    }
    at.ok_or(Refused::Gone)
}

fn walk(path: &Path, flags: OFlags) -> Result<OwnedFd, Refused> {
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let start = if path.is_absolute() { c"/" } else { c"." };
    let mut at = rustix::fs::open(start, step, Mode::empty()).map_err(Refused::of)?;
    let mut parts = path.components().filter(|part| *part != Component::RootDir).peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(part) = part else { return Err(Refused::Gone) };
        let flags = if parts.peek().is_some() { step } else { flags | OFlags::NOFOLLOW };
        at = rustix::fs::openat(&at, part, flags, Mode::empty()).map_err(|e| match e {
            Errno::NOTDIR if is_link(None, &at, part.as_ref()) => Refused::Symlink,
            e => Refused::of(e),
        })?;
    }
    Ok(at)
}

fn is_link(at: Option<&OwnedFd>, dir: impl AsFd, part: &Path) -> bool {
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    let found = match at {
        Some(at) => rustix::fs::statat(at, part, flags),
        None => rustix::fs::statat(dir, part, flags),
    };
    found.is_ok_and(|s| {
        rustix::fs::FileType::from_raw_mode(s.st_mode) == rustix::fs::FileType::Symlink
    })
}
