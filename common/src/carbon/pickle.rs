//! Carbon lines as frames of carbon's pickle protocol (port 2004 by habit).
//!
//! A frame is a big-endian `u32` length and a pickle of `[(path, (timestamp, value)), ...]`, protocol 2, no memo opcodes:
//!
//! ```text
//! 80 02  5d  28   { 58 u32le path   4a i32le seconds   47 f64be value   86 86 }*   65 2e
//! PROTO2 ]   MARK   BINUNICODE      BININT             BINFLOAT         TUPLE2 x2  APPENDS STOP
//! ```
//!
//! `BININT` ends in January 2038; later timestamps are sent as `BINFLOAT`, which carbon takes as well. A frame holds at most
//! [`FRAME_POINTS`] points; with lines of at most [`crate::metric::MAX_LINE`] bytes it stays far below the 1 MiB at which carbon
//! hangs up.

/// Most points in one frame.
pub(super) const FRAME_POINTS: u32 = 500;

/// Appends the frames of these lines to `out`. Returns how many lines were left out because they are none: not
/// `path value timestamp`, or not finite, or too long.
pub(super) fn encode(lines: &[u8], out: &mut Vec<u8>) -> u64 {
    let mut refused = 0;
    let mut frame: Option<(usize, u32)> = None;
    for line in lines.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let Some((path, value, timestamp)) = parse(line) else {
            refused += 1;
            continue;
        };
        let (start, points) = frame.take().unwrap_or_else(|| (open(out), 0));
        point(out, path, value, timestamp);
        if points + 1 == FRAME_POINTS {
            close(out, start);
        } else {
            frame = Some((start, points + 1));
        }
    }
    if let Some((start, _)) = frame {
        close(out, start);
    }
    refused
}

fn parse(line: &[u8]) -> Option<(&str, f64, u64)> {
    if line.len() > crate::metric::MAX_LINE {
        return None;
    }
    let mut fields = std::str::from_utf8(line).ok()?.split(' ');
    let (path, value, timestamp) = (fields.next()?, fields.next()?, fields.next()?);
    let value: f64 = value.parse().ok().filter(|v: &f64| v.is_finite())?;
    let whole = !path.is_empty() && fields.next().is_none();
    whole.then_some((path, value, timestamp.parse().ok()?))
}

fn open(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, 0x80, 2, b']', b'(']);
    start
}

fn point(out: &mut Vec<u8>, path: &str, value: f64, timestamp: u64) {
    out.push(b'X');
    // parse() let nothing through that is longer than a line
    out.extend_from_slice(&u32::try_from(path.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(path.as_bytes());
    if let Ok(seconds) = i32::try_from(timestamp) {
        out.push(b'J');
        out.extend_from_slice(&seconds.to_le_bytes());
    } else {
        out.push(b'G');
        out.extend_from_slice(&as_f64(timestamp).to_be_bytes());
    }
    out.push(b'G');
    out.extend_from_slice(&value.to_be_bytes());
    out.extend_from_slice(&[0x86, 0x86]);
}

#[expect(clippy::cast_precision_loss, reason = "seconds are exact up to 2^53")]
fn as_f64(seconds: u64) -> f64 {
    seconds as f64
}

fn close(out: &mut Vec<u8>, start: usize) {
    out.extend_from_slice(b"e.");
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The bytes carbon 1.1.10 was seen to accept.
    const GOLDEN: [u8; 36] = [
        0x00, 0x00, 0x00, 0x20, 0x80, 0x02, 0x5d, 0x28, 0x58, 0x05, 0x00, 0x00, 0x00, 0x71, 0x61,
        0x65, 0x2e, 0x61, 0x4a, 0x00, 0x82, 0x03, 0x6b, 0x47, 0x3f, 0xf8, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x86, 0x86, 0x65, 0x2e,
    ];

    #[test]
    fn one_point_is_the_golden_frame() {
        let mut out = Vec::new();
        assert_eq!(encode(b"qae.a 1.5 1795392000\n", &mut out), 0);
        assert_eq!(out, GOLDEN);
    }

    #[test]
    fn after_2038_the_timestamp_is_a_float() {
        let mut out = Vec::new();
        assert_eq!(encode(b"a 1 2147483648\n", &mut out), 0);
        let seconds = [&b"G"[..], &2_147_483_648.0_f64.to_be_bytes()].concat();
        assert!(out.windows(9).any(|w| w == seconds));
    }

    #[test]
    fn what_is_no_point_is_left_out_and_counted() {
        let mut out = Vec::new();
        let long = format!("{} 1 1\n", "x".repeat(2000));
        let lines = format!(
            "a 1\na nan 1\na 1e400 1\n 1 1\na 1 -1\na b 1\na 1 1 1\n{long}qae.a 1.5 1795392000\n"
        );
        assert_eq!(encode(lines.as_bytes(), &mut out), 8);
        assert_eq!(out, GOLDEN);
        assert_eq!(encode(b"\xff 1 1\n", &mut out), 1);
        assert_eq!(out, GOLDEN);
    }

    proptest! {
        #[test]
        fn frames_are_complete_and_small(points in 0_usize..2600, name in "[a-z.]{1,900}") {
            let lines: String = (0..points).map(|i| format!("{name} {i} 1795392000\n")).collect();
            let mut out = Vec::new();
            prop_assert_eq!(encode(lines.as_bytes(), &mut out), 0);
            let (mut rest, mut frames) = (&out[..], 0);
            while !rest.is_empty() {
                let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
                prop_assert!(length < 1 << 20);
                prop_assert!(rest[4..4 + length].ends_with(b"e."));
                rest = &rest[4 + length..];
                frames += 1;
            }
            prop_assert_eq!(frames, points.div_ceil(FRAME_POINTS as usize));
        }

        #[test]
        fn any_bytes_are_no_panic(lines in prop::collection::vec(any::<u8>(), 0..300)) {
            encode(&lines, &mut Vec::new());
        }
    }
}
