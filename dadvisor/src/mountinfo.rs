//! `/proc/PID/mountinfo`: text to mounts (proc(5)). Pure. Not procfs-core's, which leaves the octal escapes in and refuses the whole
//! file for one odd line.

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
    pub root: String,
    /// Where it is mounted, absolute.
    pub point: String,
    /// `ext4`, `overlay`.
    pub fs_type: String,
    /// `/dev/sda1`, `pool/dataset`, or anything.
    pub source: String,
    /// Options of the file system, as they stand, escapes included.
    pub super_options: String,
}

impl Mount {
    /// The value of an option of the file system (`upperdir`).
    pub fn option(&self, name: &str) -> Option<String> {
        let value = |option: &str| option.strip_prefix(name)?.strip_prefix('=').map(unescape);
        // overlayfs writes a comma within a path as `\,`
        split_options(&self.super_options).find_map(value)
    }
}

/// Every mount of the file in its order, and how many lines could not be read.
pub fn parse(text: &str) -> (Vec<Mount>, usize) {
    let mut mounts = Vec::new();
    let mut refused = 0;
    for line in text.lines() {
        match parse_line(line) {
            Some(mount) => mounts.push(mount),
            None => refused += 1,
        }
    }
    (mounts, refused)
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`; the fields before the `-` vary in number.
fn parse_line(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ');
    let id = left.next()?.parse().ok()?;
    let parent = left.next()?.parse().ok()?;
    let (major, minor) = left.next()?.split_once(':')?;
    let root = unescape(left.next()?);
    let point = unescape(left.next()?);
    // source may be empty, so split by single blanks
    let mut right = right.splitn(3, ' ');
    Some(Mount {
        id,
        parent,
        device: (major.parse().ok()?, minor.parse().ok()?),
        root,
        point,
        fs_type: right.next()?.to_owned(),
        source: unescape(right.next()?),
        super_options: right.next().unwrap_or_default().to_owned(),
    })
}

/// Options are separated by commas; a comma inside a value is written `\,`.
fn split_options(options: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    options.split(move |c| {
        let separates = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        separates
    })
}

/// `\040` is a blank (the kernel writes blank, tab, newline, `#` and backslash so); `\,` and `\:` are overlayfs's own.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let octal = bytes.get(at + 1..at + 4).filter(|_| byte == b'\\').and_then(octal);
        match octal {
            Some(decoded) => {
                out.push(decoded);
                at += 4;
            }
            None if byte == b'\\' && matches!(bytes.get(at + 1), Some(b',' | b':')) => at += 1,
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    let digit = |b: u8| (b'0'..=b'7').contains(&b).then(|| u32::from(b - b'0'));
    let value = digits.iter().try_fold(0, |value, b| Some(value * 8 + digit(*b)?))?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_escapes_and_optional_fields() {
        let text = "27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n\
                    broken line\n\
                    40 27 0:55 / /mnt/a\\040b\\134c rw - nfs4 host:/x\\040y rw,vers=4\n\
                    41 27 0:56 /sub /t rw - tmpfs  rw\n";
        let (mounts, refused) = parse(text);
        assert_eq!(refused, 1);
        assert_eq!(mounts[0].device, (254, 0));
        assert_eq!((mounts[0].point.as_str(), mounts[0].source.as_str()), ("/", "/dev/vda"));
        assert_eq!(mounts[1].point, "/mnt/a b\\c");
        assert_eq!((mounts[2].root.as_str(), mounts[2].source.as_str()), ("/sub", ""));
    }

    #[test]
    fn options_with_commas_and_colons() {
        let line = "1 2 0:40 / / rw - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/d/x\\,y\\040z/diff,workdir=/w";
        let mount = parse_line(line).unwrap();
        assert_eq!(mount.option("upperdir").as_deref(), Some("/d/x,y z/diff"));
        assert_eq!(mount.option("workdir").as_deref(), Some("/w"));
        assert_eq!(mount.option("upper"), None);
        assert_eq!(mount.option("rw"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([0-9]{0,9} [0-9]{0,9} [0-9]{0,4}:[0-9]{0,4} \\PC{0,9} \\PC{0,9} rw - \\PC{0,20}\n|\\PC{0,30}\n){0,6}") {
            for mount in parse(&text).0 {
                drop(mount.option("upperdir"));
            }
        }

        #[test]
        fn what_the_kernel_escapes_comes_back(path in "/[a-zé \t\n#\\\\]{0,20}") {
            let kernel: String = path.chars().map(|c| match c {
                ' ' | '\t' | '\n' | '#' | '\\' => format!("\\{:03o}", u32::from(c)),
                c => c.to_string(),
            }).collect();
            prop_assert_eq!(unescape(&kernel), path);
        }
    }
}
