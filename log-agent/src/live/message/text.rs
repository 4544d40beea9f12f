//! Lines for terminals. What a container writes must not move a cursor, set a title, fill a clipboard or turn text round when somebody
//! reads it with `curl`: only colours (`ESC [ numbers m`) and tabs pass, everything else that acts is shown. Pure.

use common::api_types::live::Frame;
use common::printable::{Colours, printable, shown};

/// Writes a line so that it acts on no terminal; bytes that are no text are shown as `<FF>`.
pub(super) fn plain(out: &mut Vec<u8>, line: &[u8]) {
    let mut text = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("<{byte:02X}>"));
        }
    }
    let mut said = String::with_capacity(text.len());
    shown(&mut said, &text, Colours::Kept);
    out.extend_from_slice(said.as_bytes());
}

/// What is said between the lines; None for what needs no words.
pub(super) fn note(frame: &Frame) -> Option<String> {
    frame.note().map(|said| format!("[{}]\n", printable(&said)))
}
