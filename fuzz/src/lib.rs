//! What every target holds true of what leaves this product: written apart from the code that makes it.

/// A Graphite path: components of `[A-Za-z0-9_-]`, each 1 to 200 bytes, each beginning with a letter or digit.
pub fn path(path: &str) {
    for part in path.split('.') {
        assert!((1..=200).contains(&part.len()), "a component of {} bytes in {path}", part.len());
        assert!(part.as_bytes()[0].is_ascii_alphanumeric(), "{part:?} in {path}");
        assert!(
            part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
            "{part:?} in {path}"
        );
    }
}

/// A line carbon takes as one point: at most 1,024 bytes, three fields, a finite number, whole seconds.
/// Gives the series' name.
pub fn line(line: &str) -> &str {
    assert!(line.len() < 1024, "{} bytes", line.len());
    let fields: Vec<&str> = line.split(' ').collect();
    let [name, value, timestamp] = fields[..] else { panic!("not three fields: {line:?}") };
    let value: f64 = value.parse().expect("a number");
    assert!(value.is_finite(), "{line}");
    timestamp.parse::<u64>().expect("whole seconds");
    name
}

/// Tags after a name: carbon refuses a whole batch of its index for one that is wrong.
pub fn tags(tags: &str) {
    for tag in tags.split(';') {
        let (key, value) = tag.split_once('=').expect("key=value");
        assert!(matches!(key, "app" | "dc" | "inst" | "scope" | "node"), "{key}");
        assert!(!value.is_empty() && !value.starts_with('~'), "{tag}");
        assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_/.:-".contains(&b)), "{tag}");
    }
}

/// The input as pieces, parted by NUL bytes, which no text from outside has to have.
pub fn pieces<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut pieces = [&[][..]; N];
    for (slot, piece) in pieces.iter_mut().zip(data.splitn(N, |b| *b == 0)) {
        *slot = piece;
    }
    pieces
}

/// The same as text, foreign bytes replaced, as the product reads text.
pub fn texts<const N: usize>(data: &[u8]) -> [String; N] {
    pieces(data).map(|piece: &[u8]| String::from_utf8_lossy(piece).into_owned())
}
