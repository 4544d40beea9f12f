//! Lines for terminals. What a container writes must not move a cursor, set a title, fill a clipboard or turn text round when somebody
//! reads it with `curl`: only colours (`ESC [ numbers m`) and tabs pass, everything else that acts is shown. Pure.

use common::api_types::live::Frame;
use common::printable::{acts, printable};
use memchr::memchr;

/// Longest colour sequence that passes, in bytes after `ESC [`.
const COLOUR: usize = 32;

/// Writes a line so that it acts on no terminal.
pub(super) fn plain(out: &mut Vec<u8>, line: &[u8]) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut coloured = false;
    for chunk in line.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find(|c| acts(c) && c != '\t') {
            out.extend_from_slice(&rest.as_bytes()[..at]);
            rest = &rest[at..];
            if let Some(len) = colour(rest.as_bytes()) {
                out.extend_from_slice(&rest.as_bytes()[..len]);
                rest = &rest[len..];
                coloured = true;
                continue;
            }
            let mut chars = rest.chars();
            if let Some(c) = chars.next() {
                show(out, c);
            }
            rest = chars.as_str();
        }
        out.extend_from_slice(rest.as_bytes());
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("<{byte:02X}>").as_bytes());
        }
    }
    if coloured {
        out.extend_from_slice(b"\x1b[0m");
    }
}

/// Length of a colour sequence at the beginning.
fn colour(text: &[u8]) -> Option<usize> {
    let inside = text.strip_prefix(b"\x1b[")?;
    let end = memchr(b'm', &inside[..inside.len().min(COLOUR)])?;
    let plain = inside[..end].iter().all(|b| b.is_ascii_digit() || matches!(b, b';' | b':'));
    plain.then_some(2 + end + 1)
}

fn show(out: &mut Vec<u8>, c: char) {
    match u8::try_from(c) {
        Ok(byte) if byte < 0x20 => out.extend_from_slice(&[b'^', byte + 0x40]),
        Ok(0x7f) => out.extend_from_slice(b"^?"),
        _ => out.extend_from_slice(format!("<U+{:04X}>", u32::from(c)).as_bytes()),
    }
}

/// What is said between the lines; None for what needs no words.
pub(super) fn note(frame: &Frame) -> Option<String> {
    let said = match frame {
        Frame::Gap { of, bytes, lines, why, .. } => {
            let lines = lines.map(|lines| format!("{lines} lines, ")).unwrap_or_default();
            let why = match why.as_str() {
                "slow" => "this reader is too slow",
                "hole" => "they are NUL bytes",
                "truncated" => "the file was truncated before they were read",
                "gone" => "the file is gone",
                _ => "they cannot be read",
            };
            format!("{}: left out {lines}{bytes} bytes: {why}", of.file)
        }
        Frame::Rotated { of, was } => format!("{was} is {} now", of.file),
        Frame::Truncated { of } => format!("{} was truncated", of.file),
        Frame::Deleted { of } => format!("{} was deleted", of.file),
        Frame::LeftOut { files } => format!("{files} more files fit, and are left out"),
        Frame::End { why, detail } if why != "instance_ended" => printable(detail).into_owned(),
        Frame::End { .. } => "the instance has ended".to_owned(),
        _ => return None,
    };
    Some(format!("[{said}]\n"))
}
