//! What a directory of a volume holds, by raw name and kind; bounded.

use super::{Refused, Root};
use crate::name::FileName;
use rustix::fs::{AtFlags, Dir, FileType};
use std::ffi::CStr;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, FIFO, device or socket: never opened.
    Other(&'static str),
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the directory, raw.
    pub name: Vec<u8>,
    /// What it is, as the directory says.
    pub kind: Kind,
    /// Its inode.
    pub ino: u64,
}

impl Root {
    /// Lists a directory, None for the volume's own; more than `most` entries are refused.
    pub fn list(&self, name: Option<&FileName>, most: usize) -> Result<Vec<Entry>, Refused> {
        let dir = self.directory(name)?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&dir).map_err(Refused::of)? {
            let entry = entry.map_err(Refused::of)?;
            let bytes = entry.file_name().to_bytes();
            if bytes == b"." || bytes == b".." {
                continue;
            }
            if entries.len() == most {
                return Err(Refused::TooMany(most));
            }
            let found = match entry.file_type() {
                FileType::Unknown => asked(&dir, entry.file_name()),
                told => told,
            };
            entries.push(Entry { name: bytes.to_vec(), kind: kind(found), ino: entry.ino() });
        }
        Ok(entries)
    }
}

/// Some file systems do not keep the kind in the directory.
fn asked(dir: impl rustix::fd::AsFd, name: &CStr) -> FileType {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |s| FileType::from_raw_mode(s.st_mode))
}

fn kind(found: FileType) -> Kind {
    match found {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Other("symlink"),
        FileType::Fifo => Kind::Other("fifo"),
        FileType::Socket => Kind::Other("socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Kind::Other("device"),
        FileType::Unknown => Kind::Other("unknown"),
    }
}
