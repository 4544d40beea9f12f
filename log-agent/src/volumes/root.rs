//! The directories the centre's own Docker engine makes for its instances: `<volumes_root>/<app>/<instance>`.
//!
//! Both names are plain directory names from which the ids can be read again, so that a directory says whose it is when nothing else knows
//! any more: letters, digits and `-_.@+=,:~` stay, every other byte is `%` and two hex digits (`shop/web` is `shop%2Fweb`), and so is a dot
//! in front.

use crate::volume::InstanceKey;
use common::ids::{AppId, InstanceId};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Longest name of a directory.
const LONGEST: usize = 255;
/// Most directories looked at.
const MOST: usize = 20_000;

/// Where an instance's directory is beneath the root; None if an id is empty or too long to be a directory's name.
pub fn place(instance: &InstanceKey) -> Option<PathBuf> {
    let app = encode(instance.app.as_str())?;
    Some(Path::new(&app).join(encode(instance.id.as_str())?))
}

/// Whose a directory beneath the root is, by its own name and its parent's; None if no id is written so.
pub(super) fn owner(app: &OsStr, instance: &OsStr) -> Option<InstanceKey> {
    Some(InstanceKey { app: AppId::new(decode(app)?), id: InstanceId::new(decode(instance)?) })
}

fn plain(byte: u8, at: usize) -> bool {
    byte.is_ascii_alphanumeric()
        || b"-_@+=,:~".contains(&byte)
        || byte >= 0x80
        || byte == b'.' && at > 0
}

fn encode(id: &str) -> Option<String> {
    let mut name = Vec::with_capacity(id.len());
    for (at, byte) in id.bytes().enumerate() {
        if plain(byte, at) {
            name.push(byte);
        } else {
            name.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    // what stays above 0x7f stays as a whole
    let name = String::from_utf8(name).ok()?;
    (1..=LONGEST).contains(&name.len()).then_some(name)
}

fn decode(name: &OsStr) -> Option<String> {
    let name = name.to_str()?;
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    let id = String::from_utf8(bytes).ok()?;
    // one id, one name
    (encode(&id).as_deref() == Some(name)).then_some(id)
}

/// What is beneath the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Instances' directories, sorted.
    pub(super) found: Vec<(InstanceKey, PathBuf)>,
    /// Directories whose names are no ids, and links and files where a directory should be.
    pub(super) foreign: u64,
    /// False if there are more than are looked at.
    pub(super) whole: bool,
}

/// Lists the root. One that is not there has no directories: the centre makes it.
pub(super) fn list(root: &Path) -> io::Result<Listing> {
    let mut listing = Listing { whole: true, ..Listing::default() };
    let mut left = MOST;
    for app in directories(root, &mut listing, &mut left)? {
        let instances = match directories(&app, &mut listing, &mut left) {
            Ok(instances) => instances,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for dir in instances {
            let names = (app.file_name(), dir.file_name());
            let owner = if let (Some(app), Some(id)) = names { owner(app, id) } else { None };
            match owner {
                Some(owner) => listing.found.push((owner, dir)),
                None => listing.foreign += 1,
            }
        }
    }
    listing.found.sort_unstable();
    Ok(listing)
}

fn directories(of: &Path, listing: &mut Listing, left: &mut usize) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(of) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if *left == 0 {
            listing.whole = false;
            break;
        }
        *left -= 1;
        // of the entry itself: a link is none
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        } else {
            listing.foreign += 1;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(app: &str, id: &str) -> InstanceKey {
        InstanceKey { app: AppId::new(app), id: InstanceId::new(id) }
    }

    #[test]
    fn ids_are_directories_and_back() {
        let at = |app, id| place(&key(app, id)).map(|p| p.display().to_string());
        assert_eq!(at("shop/web", "a.1"), Some("shop%2Fweb/a.1".into()));
        assert_eq!(at("..", "."), Some("%2E./%2E".into()));
        assert_eq!(at("журнал", "x y"), Some("журнал/x%20y".into()));
        assert_eq!(at("", "x"), None);
        assert_eq!(at(&"/".repeat(90), "x"), None);
        for wrong in ["", "%", "%2f", "%zz", "a%41", ".x", "%FF"] {
            assert_eq!(decode(OsStr::new(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_in_a_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("volumes");
        assert_eq!(list(&root).unwrap(), Listing { whole: true, ..Listing::default() });
        for path in ["shop%2Fweb/b", "shop%2Fweb/a", "x/y", "%/z", "x/.hidden"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("file"), "").unwrap();
        std::os::unix::fs::symlink("/etc", root.join("x/link")).unwrap();
        let listing = list(&root).unwrap();
        let found: Vec<_> = listing.found.iter().map(|(owner, _)| owner.clone()).collect();
        let mut wanted = [key("shop/web", "a"), key("shop/web", "b"), key("x", "y")];
        wanted.sort();
        assert_eq!(found, wanted);
        assert_eq!((listing.foreign, listing.whole), (4, true));
    }

    proptest! {
        #[test]
        fn every_id_comes_back(app in ".{1,40}", id in "[./%a-z]{1,20}") {
            let key = key(&app, &id);
            if let Some(place) = place(&key) {
                let parts: Vec<_> = place.components().map(|c| c.as_os_str().to_owned()).collect();
                prop_assert_eq!(parts.len(), 2);
                prop_assert_eq!(owner(&parts[0], &parts[1]), Some(key));
            }
        }
    }
}
