//! `/proc/PID/mountinfo`: bytes to mounts (proc(5)). Pure. Not procfs-core's, which leaves the octal escapes in and refuses the whole
//! file for one odd line. Paths are bytes, as the kernel gives them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// One mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its id in this file.
    pub id: u32,
    /// Id of the mount it sits on.
    pub parent: u32,
    /// `major:minor` of the file system, as `st_dev` shows it.
    pub device: (u32, u32),
    /// Which directory of the file system is mounted; `/` but for bind mounts.
    pub root: PathBuf,
    /// Where it is mounted, absolute.
    pub point: PathBuf,
    /// `ext4`, `overlay`.
    pub fs_type: String,
    /// `/dev/sda1`, `pool/dataset`, or anything; foreign bytes replaced.
    pub source: String,
    /// Options of the file system, as they stand, escapes included.
    super_options: Vec<u8>,
}

impl Mount {
    /// The value of an option of the file system (`upperdir`).
    pub fn option(&self, name: &str) -> Option<OsString> {
        self.options().find_map(|option| {
            let value = option.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(OsString::from_vec(unescape(value)))
        })
    }

    /// The options of the file system. A comma inside a value is written `\,` (overlayfs does).
    pub fn options(&self) -> impl Iterator<Item = &[u8]> {
        let mut escaped = false;
        self.super_options.split(move |byte| {
            let separates = *byte == b',' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            separates
        })
    }
}

/// Every mount of the file in its order, and how many lines could not be read.
pub fn parse(text: &[u8]) -> (Vec<Mount>, usize) {
    let mut mounts = Vec::new();
    let mut refused = 0;
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match parse_line(line) {
            Some(mount) => mounts.push(mount),
            None => refused += 1,
        }
    }
    (mounts, refused)
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`; the fields before the `-` vary in number.
fn parse_line(line: &[u8]) -> Option<Mount> {
    const BEFORE_TYPE: &[u8] = b" - ";
    let blank = |byte: &u8| *byte == b' ';
    let dash = line.windows(BEFORE_TYPE.len()).position(|three| three == BEFORE_TYPE)?;
    let mut words = line[..dash].split(blank);
    let id = decimal(words.next()?)?;
    let parent = decimal(words.next()?)?;
    let mut device = words.next()?.splitn(2, |byte| *byte == b':');
    let device = (decimal(device.next()?)?, decimal(device.next()?)?);
    let root = path(words.next()?);
    let point = path(words.next()?);
    // a source may be empty, so split at single blanks
    let mut words = line[dash + BEFORE_TYPE.len()..].splitn(3, blank);
    let text = |word: &[u8]| String::from_utf8_lossy(&unescape(word)).into_owned();
    Some(Mount {
        id,
        parent,
        device,
        root,
        point,
        fs_type: text(words.next()?),
        source: text(words.next()?),
        super_options: words.next().unwrap_or_default().to_vec(),
    })
}

fn decimal(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn path(word: &[u8]) -> PathBuf {
    OsString::from_vec(unescape(word)).into()
}

/// `\040` is a blank (the kernel writes blank, tab, newline, `#` and backslash so); `\,` and `\:` are overlayfs's own.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..3).filter(|_| *first == b'\\').and_then(octal);
        rest = match (code, tail.first()) {
            (Some(_), _) => &tail[3..],
            (None, Some(b',' | b':')) if *first == b'\\' => {
                rest = tail;
                continue;
            }
            _ => tail,
        };
        out.push(code.unwrap_or(*first));
    }
    out
}

fn octal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0u8, |value, digit| {
        let digit = digit.checked_sub(b'0').filter(|d| *d < 8)?;
        value.checked_mul(8)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    #[test]
    fn fields_escapes_and_optional_fields() {
        let text = "27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n\
                    broken line\n\
                    40 27 0:55 / /mnt/a\\040b\\134c rw - nfs4 host:/x\\040y rw,vers=4\n\
                    41 27 0:56 /sub /t rw - tmpfs  rw\n";
        let (mounts, refused) = parse(text.as_bytes());
        assert_eq!(refused, 1);
        assert_eq!(mounts[0].device, (254, 0));
        assert_eq!((&*mounts[0].point, &*mounts[0].source), (Path::new("/"), "/dev/vda"));
        assert_eq!(mounts[1].point, Path::new("/mnt/a b\\c"));
        assert_eq!(unescape(b"a\\134\\0\\777\\"), b"a\\\\0\\777\\");
        assert_eq!((&*mounts[2].root, &*mounts[2].source), (Path::new("/sub"), ""));
    }

    #[test]
    fn options_with_commas_and_colons() {
        let line = "1 2 0:40 / / rw - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/d/x\\,y\\040z/diff,workdir=/w";
        let mount = parse_line(line.as_bytes()).unwrap();
        assert_eq!(mount.option("upperdir"), Some("/d/x,y z/diff".into()));
        assert_eq!(mount.option("workdir"), Some("/w".into()));
        assert_eq!(mount.option("upper"), None);
        assert_eq!(mount.option("rw"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([0-9]{0,9} [0-9]{0,9} [0-9]{0,4}:[0-9]{0,4} \\PC{0,9} \\PC{0,9} rw - \\PC{0,20}\n|\\PC{0,30}\n){0,6}") {
            for mount in parse(text.as_bytes()).0 {
                drop(mount.option("upperdir"));
            }
        }

        #[test]
        fn what_the_kernel_escapes_comes_back(path in "/[a-zé \t\n#\\\\]{0,20}") {
            let kernel: String = path.chars().map(|c| match c {
                ' ' | '\t' | '\n' | '#' | '\\' => format!("\\{:03o}", u32::from(c)),
                c => c.to_string(),
            }).collect();
            prop_assert_eq!(unescape(kernel.as_bytes()), path.as_bytes());
        }
    }
}
