//! A cgroup and those beneath it, within bounds.

use super::PATH_DIR;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{FileType, Mode, OFlags, RawDir, openat};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;

/// Levels of cgroups below a container that are looked at, and how many in all.
const DEEPEST: u32 = 6;
const MOST: u32 = 256;

/// Visits a cgroup and those beneath it, parents first, within bounds. False if there were more.
pub(crate) fn walk(
    dir: BorrowedFd<'_>,
    visit: &mut dyn FnMut(BorrowedFd<'_>) -> ControlFlow<()>,
) -> bool {
    let mut left = MOST;
    !matches!(descend(dir, DEEPEST, &mut left, visit), ControlFlow::Break(End::Bound))
}

enum End {
    Visitor,
    Bound,
}

fn descend(
    dir: BorrowedFd<'_>,
    depth: u32,
    left: &mut u32,
    visit: &mut dyn FnMut(BorrowedFd<'_>) -> ControlFlow<()>,
) -> ControlFlow<End> {
    *left = match left.checked_sub(1) {
        Some(left) => left,
        None => return ControlFlow::Break(End::Bound),
    };
    if visit(dir).is_break() {
        return ControlFlow::Break(End::Visitor);
    }
    let read = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(listing) = openat(dir, c".", read, Mode::empty()) else {
        return ControlFlow::Continue(());
    };
    let mut buffer = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(listing, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        if entry.file_type() != FileType::Directory || name == c"." || name == c".." {
            continue;
        }
        if depth == 0 {
            return ControlFlow::Break(End::Bound);
        }
        if let Ok(child) = openat(dir, name, PATH_DIR | OFlags::NOFOLLOW, Mode::empty()) {
            descend(child.as_fd(), depth - 1, left, visit)?;
        }
    }
    ControlFlow::Continue(())
}
