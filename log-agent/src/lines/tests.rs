use super::*;
use proptest::prelude::*;

/// The same by splitting, with the whole content at hand.
fn naive(content: &[u8], longest: usize) -> (Vec<(Vec<u8>, Part)>, usize) {
    let mut out = Vec::new();
    let mut used = 0;
    for line in content.split_inclusive(|b| *b == b'\n') {
        let ended = line.ends_with(b"\n");
        let mut rest = if ended { &line[..line.len() - 1] } else { line };
        let mut first = true;
        while rest.len() > longest {
            let cut = naive_cut(rest, longest);
            out.push((rest[..cut].to_vec(), if first { Part::First } else { Part::Middle }));
            used += cut;
            rest = &rest[cut..];
            first = false;
        }
        if ended {
            out.push((rest.to_vec(), if first { Part::Whole } else { Part::Last }));
            used += rest.len() + 1;
        }
    }
    (out, used)
}

/// The last place at or before `longest` that is not inside of a well-formed character begun within the last three bytes.
fn naive_cut(bytes: &[u8], longest: usize) -> usize {
    for cut in (longest.saturating_sub(3)..longest).rev() {
        let lead = bytes[cut];
        let len = match lead {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        let continues = bytes[cut + 1..longest].iter().all(|b| (0x80..0xc0).contains(b));
        if len > 1 && continues {
            return if cut + len > longest { cut } else { longest };
        }
    }
    longest
}

/// As a shipper reads: in reads of the given sizes, keeping what waits.
fn read_in(content: &[u8], sizes: &[usize], longest: usize) -> (Vec<(Vec<u8>, Part)>, usize) {
    let (mut out, mut offset, mut within, mut end) = (Vec::new(), 0, false, 0);
    let mut sizes = sizes.iter().cycle();
    loop {
        let mut lines = Lines::cut(&content[offset..end], within, longest);
        for piece in lines.by_ref() {
            out.push((content[offset + piece.start..offset + piece.end].to_vec(), piece.part));
        }
        offset += lines.at();
        within = lines.within();
        if end == content.len() {
            return (out, offset);
        }
        end = content.len().min(end + sizes.next().unwrap());
    }
}

#[test]
fn lines_are_cut_where_they_end() {
    let bytes = b"one\n\r\n\ntwo\r\nrest";
    let mut lines = Lines::new(bytes, false);
    let given: Vec<_> = lines.by_ref().map(|p| (&bytes[p.start..p.end], p.part)).collect();
    let whole: [&[u8]; 4] = [b"one", b"\r", b"", b"two\r"];
    assert_eq!(given, whole.map(|line| (line, Part::Whole)));
    assert_eq!((lines.at(), lines.within()), (12, false));
    let rest = lines.rest(false).unwrap();
    assert_eq!((&bytes[rest.start..rest.end], rest.part), (&b"rest"[..], Part::First));
    assert!(lines.within() && lines.rest(true).is_none());
    // what comes later is its end
    let piece = Lines::new(b"\nx", true).next().unwrap();
    assert_eq!((piece.start, piece.end, piece.next, piece.part), (0, 0, 1, Part::Last));
}

#[test]
fn an_endless_line_comes_in_parts() {
    let mut bytes = vec![b'x'; 3 * LONGEST];
    let parts: Vec<_> = Lines::new(&bytes, false).map(|p| (p.end - p.start, p.part)).collect();
    // the third waits: it may be the end of the line
    assert_eq!(parts, [(LONGEST, Part::First), (LONGEST, Part::Middle)]);
    bytes.push(b'\n');
    let last = Lines::new(&bytes, false).last().unwrap();
    assert_eq!((last.end - last.start, last.part), (LONGEST, Part::Last));
    // exactly the longest is whole
    let whole = Lines::new(&bytes[2 * LONGEST..], false).next().unwrap();
    assert_eq!((whole.end, whole.part), (LONGEST, Part::Whole));
}

#[test]
fn no_character_is_cut() {
    let bytes = "aaé€🦀".repeat(3).into_bytes();
    for longest in 4..12 {
        for piece in Lines::cut(&bytes, false, longest) {
            assert!(std::str::from_utf8(&bytes[piece.start..piece.end]).is_ok(), "{longest}");
        }
    }
}

proptest! {
    /// However the bytes are read, the pieces are those of the whole content, and together they are the content.
    #[test]
    fn reads_do_not_matter(
        content in prop::collection::vec(prop_oneof![4 => any::<u8>(), 3 => Just(b'\n'), 3 => Just(0xe2), 3 => Just(0x82), 9 => Just(b'a')], 0..400),
        sizes in prop::collection::vec(1usize..50, 1..8),
        longest in 4usize..40,
    ) {
        let expected = naive(&content, longest);
        let got = read_in(&content, &sizes, longest);
        prop_assert_eq!(&got, &expected);
        let mut together = Vec::new();
        for (bytes, part) in &got.0 {
            together.extend_from_slice(bytes);
            prop_assert!(bytes.len() <= longest);
            if matches!(part, Part::Whole | Part::Last) {
                together.push(b'\n');
            }
        }
        prop_assert_eq!(&together[..], &content[..got.1]);
    }
}
