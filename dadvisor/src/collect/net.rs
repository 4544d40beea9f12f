//! Network figures of one namespace: `net/dev`, `net/sockstat`, `net/sockstat6`, `net/snmp`, and on request `net/tcp`, `net/tcp6`.

use super::text::{Flaws, next_line, next_word, number};
use crate::sample::{Field, Figures};

/// Longest interface name, in bytes (IFNAMSIZ less the zero).
pub const MAX_INTERFACE: usize = 15;

/// Reads `net/dev` and gives each interface but `lo` with its counters in the order of [`crate::sample::INTERFACE_METRICS`].
pub fn dev(text: &[u8], mut each: impl FnMut(&[u8], [u64; 8])) -> Flaws {
    let mut flaws = Flaws::NONE;
    let mut rest = text;
    // two lines of headings
    for _ in 0..2 {
        let Some((_, next)) = next_line(rest) else { return Flaws::wrong_if(true) };
        rest = next;
    }
    while let Some((line, next)) = next_line(rest) {
        rest = next;
        match interface(line) {
            Some((b"lo", _)) => {}
            Some((name, counters)) => each(name, counters),
            None => flaws.wrong += 1,
        }
    }
    flaws += Flaws::wrong_if(!rest.is_empty());
    flaws
}

/// `  eth0: 362709161 11509 ...`: receive bytes, packets, errs, drop, fifo, frame, compressed, multicast, then transmit likewise.
fn interface(line: &[u8]) -> Option<(&[u8], [u64; 8])> {
    let colon = line.iter().position(|b| *b == b':')?;
    let (name, _) = next_word(&line[..colon])?;
    if name.len() > MAX_INTERFACE {
        return None;
    }
    let mut counters = [0; 8];
    let mut rest = &line[colon + 1..];
    for at in 0..12 {
        let (word, tail) = next_word(rest)?;
        rest = tail;
        match at {
            0..4 => counters[at] = number(word)?,
            8..12 => counters[at - 4] = number(word)?,
            _ => {}
        }
    }
    Some((name, counters))
}

/// Reads `net/sockstat`, then `net/sockstat6`, into the same figures: the first counts IPv4 sockets only, so that a program listening
/// on IPv6 (most JVMs) is found in the second alone. `orphan`, `alloc` and `mem` count the whole host and are left.
pub fn sockstat(text: &[u8], out: &mut Figures) -> Flaws {
    let mut flaws = Flaws::NONE;
    let mut rest = text;
    while let Some((line, next)) = next_line(rest) {
        rest = next;
        let Some((protocol, mut pairs)) = next_word(line) else { continue };
        let (inuse, tw, second) = match protocol {
            b"TCP:" => (Field::TcpSockets, Some(Field::TcpTimeWait), false),
            b"TCP6:" => (Field::TcpSockets, None, true),
            b"UDP:" => (Field::UdpSockets, None, false),
            b"UDP6:" => (Field::UdpSockets, None, true),
            _ => continue,
        };
        while let Some((key, tail)) = next_word(pairs) {
            let (value, tail) = next_word(tail).unwrap_or((b"", b""));
            pairs = tail;
            let field = match key {
                b"inuse" => Some(inuse),
                b"tw" => tw,
                _ => None,
            };
            let Some(field) = field else { continue };
            match number(value) {
                // half of a sum would be a lie: what IPv4 left absent stays so
                Some(value) if !second || out.get(field).is_some() => out.add(field, value),
                Some(_) => {}
                None => {
                    out.unset(field);
                    flaws.wrong += 1;
                }
            }
        }
    }
    flaws += Flaws::wrong_if(!rest.is_empty());
    flaws
}

/// Reads the `Tcp:` pair of lines of `net/snmp`: names, then values, by name.
pub fn snmp(text: &[u8], out: &mut Figures) -> Flaws {
    let mut rest = text;
    let mut names: Option<&[u8]> = None;
    while let Some((line, next)) = next_line(rest) {
        rest = next;
        let Some(line) = line.strip_prefix(b"Tcp:") else { continue };
        let Some(names) = names else {
            names = Some(line);
            continue;
        };
        return tcp_pair(names, line, out);
    }
    Flaws::wrong_if(true)
}

fn tcp_pair(mut names: &[u8], mut values: &[u8], out: &mut Figures) -> Flaws {
    let mut flaws = Flaws::NONE;
    while let Some((name, tail)) = next_word(names) {
        names = tail;
        let (value, tail) = next_word(values).unwrap_or((b"", b""));
        values = tail;
        let field = match name {
            b"CurrEstab" => Field::TcpEstablished,
            b"RetransSegs" => Field::TcpRetransmits,
            b"EstabResets" => Field::TcpResets,
            _ => continue,
        };
        match number(value) {
            Some(value) => out.set(field, value),
            None => flaws.wrong += 1,
        }
    }
    flaws
}

/// The kernel's numbers of TCP states, 1 to 11.
const STATES: [Field; 11] = [
    Field::TcpStateEstablished,
    Field::TcpStateSynSent,
    Field::TcpStateSynRecv,
    Field::TcpStateFinWait1,
    Field::TcpStateFinWait2,
    Field::TcpStateTimeWait,
    Field::TcpStateClose,
    Field::TcpStateCloseWait,
    Field::TcpStateLastAck,
    Field::TcpStateListen,
    Field::TcpStateClosing,
];

/// Counts the states in `net/tcp` and `net/tcp6`, fed in pieces of any size since these files have no bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TcpStates {
    counts: [u64; 11],
    wrong: u32,
    /// Word of the line we are in, from 0; the state is word 3.
    word: u8,
    in_word: bool,
    /// Digits of the state so far, and how many.
    state: (u32, u8),
    heading: bool,
}

impl TcpStates {
    /// Before each of the two files.
    pub fn begin(&mut self) {
        (self.word, self.in_word, self.state, self.heading) = (0, false, (0, 0), true);
    }

    /// The next piece of the file.
    pub fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            match byte {
                b'\n' => self.end_line(),
                b' ' => {
                    if self.in_word {
                        self.word = self.word.saturating_add(1);
                    }
                    self.in_word = false;
                }
                _ => {
                    self.in_word = true;
                    if self.word == 3 && !self.heading {
                        let digit = char::from(*byte).to_digit(16).unwrap_or(0x100);
                        self.state = (
                            self.state.0.saturating_mul(16).saturating_add(digit),
                            self.state.1.saturating_add(1),
                        );
                    }
                }
            }
        }
    }

    fn end_line(&mut self) {
        if !self.heading {
            let index = self.state.0.checked_sub(1).and_then(|i| usize::try_from(i).ok());
            // TCP_NEW_SYN_RECV (12) is a connection being made, as state 3 is
            let index = index.map(|i| if i == 11 { 2 } else { i });
            match index.and_then(|i| self.counts.get_mut(i)) {
                Some(count) if self.state.1 == 2 => *count += 1,
                _ => self.wrong = self.wrong.saturating_add(1),
            }
        }
        (self.word, self.in_word, self.state, self.heading) = (0, false, (0, 0), false);
    }

    /// The counts, after both files. A line left open was cut.
    pub fn finish(&self, out: &mut Figures) -> Flaws {
        for (field, count) in STATES.iter().zip(self.counts) {
            out.set(*field, count);
        }
        Flaws {
            wrong: self.wrong.saturating_add(u32::from(self.in_word || self.word > 0)),
            dropped: 0,
        }
    }
}

#[cfg(test)]
mod tests;
