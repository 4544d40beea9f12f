//! Everything that is in a volume, without following or opening any file of it; bounded.

use super::rest::Listed;
use crate::beneath::{Kind, Refused, Root, Weight, is_settled};
use crate::files::Limits;
use crate::name::FileName;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What is in a volume.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Whatever is no directory.
    pub(super) files: Vec<(FileName, Weight)>,
    /// Directories, each after the one it is in.
    pub(super) directories: Vec<FileName>,
    /// Those that were listed, the volume's own first.
    pub(super) listed: Vec<Listed>,
    /// One of them changed so lately that it may change again without telling.
    pub(super) fresh: bool,
    /// Not everything was looked at: too much, or what could not be read. Never so because something vanished meanwhile.
    pub(super) partial: bool,
}

/// Looks at a volume, but for directories that are volumes of their own.
pub(super) fn walk(
    root: &Root,
    limits: &Limits,
    others: &HashSet<PathBuf>,
) -> Result<Contents, Refused> {
    let mut contents = Contents::default();
    directory(root, None, limits, others, &mut contents)?;
    let mut at = 0;
    while let Some(name) = contents.directories.get(at).cloned() {
        at += 1;
        match directory(root, Some(&name), limits, others, &mut contents) {
            Ok(()) | Err(Refused::Gone) => {}
            Err(_) => contents.partial = true,
        }
    }
    Ok(contents)
}

fn directory(
    root: &Root,
    name: Option<&FileName>,
    limits: &Limits,
    others: &HashSet<PathBuf>,
    contents: &mut Contents,
) -> Result<(), Refused> {
    let (held, begun) = (root.hold(name)?, SystemTime::now());
    let (ino, changed_ns) = held.ino_and_change()?;
    contents.listed.push(Listed { name: name.cloned(), ino, changed_ns });
    contents.fresh |= !is_settled(changed_ns, begun);
    let (entries, more) = held.entries(limits.entries)?;
    contents.partial |= more;
    for entry in entries {
        let path = match name {
            None => FileName::new(&entry.name[..]),
            Some(name) => name.join(&entry.name),
        };
        let Ok(path) = path else {
            contents.partial = true;
            continue;
        };
        if entry.kind == Kind::Directory {
            if others.contains(&root.path().join(path.path())) {
                continue;
            }
            match contents.directories.len() < limits.directories {
                true => contents.directories.push(path),
                false => contents.partial = true,
            }
            continue;
        }
        if contents.files.len() >= limits.entries {
            contents.partial = true;
            return Ok(());
        }
        match held.weigh(&entry.name) {
            Ok(weight) if weight.kind != Kind::Directory => contents.files.push((path, weight)),
            Ok(_) | Err(Refused::Gone) => {}
            Err(_) => contents.partial = true,
        }
    }
    Ok(())
}

/// What was removed of a tree.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Removes everything in a volume, as far as that goes in one turn: files, then the directories from the deepest up. True if nothing is
/// left.
pub(super) fn clear(
    root: &Root,
    contents: &Contents,
    removed: &mut Removed,
) -> Result<bool, Refused> {
    for (name, weight) in &contents.files {
        match root.remove(name, weight.dev, weight.ino) {
            Ok(()) => {
                removed.files += 1;
                removed.bytes = removed.bytes.saturating_add(weight.on_disk);
            }
            Err(Refused::Gone) => {}
            Err(refused) => return Err(refused),
        }
    }
    let mut empty = !contents.partial;
    for name in contents.directories.iter().rev() {
        match root.remove_dir(name) {
            Ok(gone) => empty &= gone,
            Err(Refused::Gone) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(empty)
}

/// Removes an empty directory two levels beneath `root`, and the one it is in if that is empty then. False if it is not empty.
pub(super) fn remove_place(root: &Path, place: &Path) -> Result<bool, Refused> {
    let top = Root::open(root)?;
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(place.as_os_str());
    let name = FileName::new(bytes).map_err(|_| Refused::Kind)?;
    match top.remove_dir(&name) {
        Ok(true) | Err(Refused::Gone) => {}
        other => return other,
    }
    if let Some(app) = name.parent() {
        match top.remove_dir(&app) {
            // other instances of the app may be there
            Ok(_) | Err(Refused::Gone) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(true)
}
