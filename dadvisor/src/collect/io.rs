//! Block IO by device.
//!
//! v2: `io.stat`. v1: one of four families of files, chosen by content (see [`Family`]). Both give (major, minor) and up to four
//! counters; names and what may be summed are `kernel/devices`' business.

use super::text::{Flaws, next_line, next_word, number};

/// A block device's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceId {
    /// Driver.
    pub major: u32,
    /// Unit.
    pub minor: u32,
}

/// Counters of one device, in the order of [`crate::sample::DEVICE_METRICS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceIo {
    /// Which device.
    pub device: DeviceId,
    /// Bytes read, bytes written, reads, writes.
    pub counters: [u64; 4],
}

/// Most devices read of one text.
pub const MAX_DEVICES: usize = 256;

/// `8:16`.
fn device(word: &[u8]) -> Option<DeviceId> {
    let colon = word.iter().position(|b| *b == b':')?;
    let part = |digits| number(digits).and_then(|n| u32::try_from(n).ok());
    Some(DeviceId { major: part(&word[..colon])?, minor: part(&word[colon + 1..])? })
}

/// The row of a device, made when it is new. None, and counted, when there are too many.
fn row<'a>(
    rows: &'a mut Vec<DeviceIo>,
    device: DeviceId,
    flaws: &mut Flaws,
) -> Option<&'a mut DeviceIo> {
    let at = match rows.iter().position(|row| row.device == device) {
        Some(at) => at,
        None if rows.len() == MAX_DEVICES => {
            flaws.dropped += 1;
            return None;
        }
        None => {
            rows.push(DeviceIo { device, counters: [0; 4] });
            rows.len() - 1
        }
    };
    rows.get_mut(at)
}

/// v2 `io.stat`: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=7`. A device may have no counters, and some kernels
/// print such devices before another on the same line. A wrong number takes its device's row with it.
pub fn stat_v2(text: &[u8], rows: &mut Vec<DeviceIo>) -> Flaws {
    rows.clear();
    let mut flaws = Flaws::NONE;
    let mut rest = text;
    while let Some((mut line, next)) = next_line(rest) {
        rest = next;
        let mut current = None;
        let mut counters = [None; 4];
        let mut bad = false;
        while let Some((word, tail)) = next_word(line) {
            line = tail;
            let Some(equals) = word.iter().position(|b| *b == b'=') else {
                current = device(word);
                bad |= current.is_none();
                continue;
            };
            let at = match &word[..equals] {
                b"rbytes" => 0,
                b"wbytes" => 1,
                b"rios" => 2,
                b"wios" => 3,
                _ => continue,
            };
            counters[at] = number(&word[equals + 1..]);
            bad |= counters[at].is_none();
        }
        match current {
            _ if bad => flaws.wrong += 1,
            Some(device) if counters.iter().any(Option::is_some) => {
                if let Some(row) = row(rows, device, &mut flaws) {
                    row.counters = counters.map(|counter| counter.unwrap_or(0));
                }
            }
            _ => {}
        }
    }
    flaws += Flaws::wrong_if(!rest.is_empty());
    flaws
}

/// Which half of a v1 family a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// `*io_service_bytes*`: makes the rows.
    Bytes,
    /// `*io_serviced*`: fills them in. Unless it is without flaws, their second half is not to be used.
    Operations,
}

/// v1 `blkio.*`: `8:0 Read 4096`, `8:0 Write 0`, ..., `8:0 Total 4096`, `Total 4096`.
pub fn blkio_v1(text: &[u8], counted: Counted, rows: &mut Vec<DeviceIo>) -> Flaws {
    let first = match counted {
        Counted::Bytes => {
            rows.clear();
            0
        }
        Counted::Operations => 2,
    };
    let mut flaws = Flaws::wrong_if(text.is_empty());
    // lines of one device follow each other
    let mut spoiled = None;
    let mut rest = text;
    while let Some((line, next)) = next_line(rest) {
        rest = next;
        let Some((word, line)) = next_word(line) else { continue };
        let Some(device) = device(word) else {
            flaws.wrong += u32::from(word != b"Total");
            continue;
        };
        let at = match next_word(line) {
            _ if spoiled == Some(device) => None,
            Some((b"Read", line)) => Some((first, line)),
            Some((b"Write", line)) => Some((first + 1, line)),
            _ => None,
        };
        let Some((at, value)) = at else { continue };
        match (next_word(value).and_then(|(word, _)| number(word)), counted) {
            (Some(value), Counted::Bytes) => {
                if let Some(row) = row(rows, device, &mut flaws) {
                    row.counters[at] = value;
                }
            }
            // a device without bytes was refused there
            (Some(value), Counted::Operations) => {
                if let Some(row) = rows.iter_mut().find(|row| row.device == device) {
                    row.counters[at] = value;
                }
            }
            (None, _) => {
                flaws.wrong += 1;
                spoiled = Some(device);
                // half a row would look like a counter that fell
                if counted == Counted::Bytes {
                    rows.retain(|row| row.device != device);
                }
            }
        }
    }
    flaws += Flaws::wrong_if(!rest.is_empty());
    flaws
}

/// Whether a v1 text has a line of a device: "Total 0" alone means that this family counts nothing here.
pub fn has_device(text: &[u8]) -> bool {
    next_line(text).and_then(|(line, _)| device(next_word(line)?.0)).is_some()
}

/// The v1 families. Which exist depends on kernel and scheduler; the BFQ files exist even where no disk uses BFQ and then hold only
/// `Total 0`, so a family is chosen by content, first of this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `blkio.bfq.*_recursive`.
    Bfq,
    /// `blkio.*_recursive`, kernels before 5.0.
    Cfq,
    /// `blkio.throttle.*_recursive`.
    ThrottleRecursive,
    /// `blkio.throttle.*`: misses child cgroups.
    Throttle,
}

impl Family {
    /// In the order of preference.
    pub const ALL: [Self; 4] = [Self::Bfq, Self::Cfq, Self::ThrottleRecursive, Self::Throttle];
}

#[cfg(test)]
mod tests;
