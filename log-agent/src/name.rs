//! The name of a log file: its path beneath the volume, in raw bytes, since a container may write any. Pure.
//!
//! For headers, JSON and URLs it is shown: letters and digits of any script, `._-/` and what is harmless beside them stay, every other
//! byte is `%` and two hex digits. What is shown reads back to the same bytes, so a viewer's word for a file can be taken apart again and
//! never names anything outside of the volume.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Longest name, in bytes.
pub const LONGEST: usize = 4_096;
/// How names of compressed files end.
pub const COMPRESSED: [&str; 6] = [".gz", ".zst", ".xz", ".bz2", ".lz4", ".zip"];
/// Most directories and the file itself.
pub const DEEPEST: usize = 16;
/// Longest part, the kernel's own limit.
const PART: usize = 255;

/// A path of plain parts: none empty, `.` or `..`, no NUL, never absolute.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName(Vec<u8>);

/// Why this names no file of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A part is empty, `.`, `..`, or has a NUL.
    #[error("it is not a path of plain names beneath the volume")]
    Part,
    /// Too many bytes.
    #[error("a name may have {LONGEST} bytes, each part {PART}")]
    Long,
    /// Too many directories.
    #[error("a file may be {DEEPEST} levels deep")]
    Deep,
    /// A `%` without two hex digits behind it.
    #[error("a % is not followed by two hex digits")]
    Escape,
}

impl FileName {
    /// From raw bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, NameError> {
        let bytes = bytes.into();
        if bytes.len() > LONGEST {
            return Err(NameError::Long);
        }
        for (depth, part) in bytes.split(|b| *b == b'/').enumerate() {
            if part.is_empty() || part == b"." || part == b".." || part.contains(&0) {
                return Err(NameError::Part);
            }
            if part.len() > PART {
                return Err(NameError::Long);
            }
            if depth >= DEEPEST {
                return Err(NameError::Deep);
            }
        }
        Ok(Self(bytes))
    }

    /// From the shown form.
    pub fn parse_shown(text: &str) -> Result<Self, NameError> {
        // three bytes may stand for one, and no more than that
        if text.len() > 3 * LONGEST {
            return Err(NameError::Long);
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            if *first != b'%' {
                bytes.push(*first);
                continue;
            }
            let (digits, after) = rest.split_at_checked(2).ok_or(NameError::Escape)?;
            let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
            match (digit(digits[0]), digit(digits[1])) {
                (Some(high), Some(low)) => bytes.push(high << 4 | low),
                _ => return Err(NameError::Escape),
            }
            rest = after;
        }
        Self::new(bytes)
    }

    /// A file or directory beneath this one.
    pub fn join(&self, part: &[u8]) -> Result<Self, NameError> {
        let mut bytes = self.0.clone();
        bytes.push(b'/');
        bytes.extend_from_slice(part);
        Self::new(bytes)
    }

    /// The raw bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a path, for system calls beneath the volume's directory.
    pub fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The directory it is in; None for the volume's own.
    pub fn parent(&self) -> Option<Self> {
        let slash = self.0.iter().rposition(|b| *b == b'/')?;
        Some(Self(self.0[..slash].to_vec()))
    }

    /// The last part.
    pub fn last(&self) -> &[u8] {
        self.0.rsplit(|b| *b == b'/').next().unwrap_or_default()
    }

    /// Its directories and itself.
    pub fn depth(&self) -> usize {
        1 + self.0.iter().filter(|b| **b == b'/').count()
    }

    /// The form for headers, JSON, URLs and logs.
    pub fn shown(&self) -> String {
        let mut out = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_alphanumeric() || "/._-+=@~,:".contains(c) {
                    out.push(c);
                } else {
                    escape(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            escape(&mut out, chunk.invalid());
        }
        out
    }

    /// Likewise, behind the name of its volume, where the instance has several.
    pub fn shown_within(&self, volume: &str) -> String {
        match Self::new(volume.trim_matches('/')) {
            Ok(volume) => format!("{}/{}", volume.shown(), self.shown()),
            Err(_) => self.shown(),
        }
    }
}

fn escape(out: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        out.push('%');
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileName({})", self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_names_are_shown_as_they_are() {
        for (bytes, shown) in [
            (&b"app.log"[..], "app.log"),
            (b"a/b-1/c_2.log.3", "a/b-1/c_2.log.3"),
            ("журнал.log".as_bytes(), "журнал.log"),
            (b"a b\n\x1b[31m%", "a%20b%0A%1B%5B31m%25"),
            (b"\xff\xfe", "%FF%FE"),
            ("\u{202e}gol".as_bytes(), "%E2%80%AEgol"),
        ] {
            assert_eq!(FileName::new(bytes).unwrap().shown(), shown);
        }
    }

    #[test]
    fn nothing_leads_out_of_the_volume() {
        for wrong in [
            "",
            "/",
            "/etc/shadow",
            "..",
            "a/../b",
            "a//b",
            "a/.",
            "%2e%2e/x",
            "a%2F%2e%2e",
            "a%00",
            "%",
            "%4",
            "%zz",
        ] {
            assert!(FileName::parse_shown(wrong).is_err(), "{wrong}");
        }
        assert_eq!(FileName::new("x".repeat(256)), Err(NameError::Long));
        assert_eq!(FileName::new(["d"; 17].join("/")), Err(NameError::Deep));
        let name = FileName::new("a/b/c.log").unwrap();
        assert_eq!(name.parent().unwrap().bytes(), b"a/b");
        assert_eq!((name.last(), name.depth()), (&b"c.log"[..], 3));
        assert!(name.join(b"..").is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(name) = FileName::new(bytes) {
                let shown = name.shown();
                prop_assert!(!shown.contains(char::is_control) && !shown.contains([' ', '"', '\\', '<', '#', '?', '&']));
                prop_assert_eq!(FileName::parse_shown(&shown), Ok(name));
            }
        }

        #[test]
        fn no_text_leads_out(text in ".{0,60}|[./%2eE0F]{0,30}") {
            if let Ok(name) = FileName::parse_shown(&text) {
                prop_assert!(name.bytes().split(|b| *b == b'/').all(|p| !p.is_empty() && p != b"." && p != b".."));
                prop_assert!(name.path().is_relative());
            }
        }
    }
}
