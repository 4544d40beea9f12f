//! Avro's binary form, as much of it as Flume's source speaks: whole numbers, bytes, maps. Pure.
//!
//! What is read comes from the network: every length is checked against what is there, and nothing is allocated for a length that was
//! merely claimed.

pub mod answer;
pub mod request;

/// Longest number in bytes.
pub const LONGEST_LONG: usize = 10;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They end too early.
    #[error("it ends too early")]
    Short,
    /// A number of more than 64 bits.
    #[error("a number has more than 64 bits")]
    Long,
    /// A length below zero or above its limit.
    #[error("a length is below zero or above {limit}")]
    Length {
        /// The limit.
        limit: usize,
    },
    /// A choice there is none of.
    #[error("{0} is no choice there")]
    Choice(i64),
    /// Bytes behind what should be the end.
    #[error("there are bytes behind its end")]
    Behind,
}

/// Appends a number (int, long, enum, union index, count).
#[inline]
pub fn put_long(out: &mut Vec<u8>, number: i64) {
    let mut rest = zigzag(number);
    while rest > 0x7f {
        out.push(low(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low(rest));
}

/// Appends bytes or a string with its length before it.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a length; no slice is longer than an `i64` counts.
#[inline]
pub fn put_length(out: &mut Vec<u8>, length: usize) {
    put_long(out, i64::try_from(length).unwrap_or(i64::MAX));
}

#[inline]
fn low(number: u64) -> u8 {
    // the mask leaves what fits
    (number & 0x7f).to_le_bytes()[0]
}

#[inline]
fn zigzag(number: i64) -> u64 {
    u64::from_le_bytes(((number << 1) ^ (number >> 63)).to_le_bytes())
}

/// Reads on in bytes.
#[derive(Debug, Clone)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// From the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    /// A number.
    pub fn long(&mut self) -> Result<i64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..LONGEST_LONG).map(|n| 7 * n) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // the tenth byte has room for one bit
            if shift == 63 && bits > 1 {
                return Err(Malformed::Long);
            }
            number |= bits << shift;
            if byte < 0x80 {
                let half = i64::from_le_bytes((number >> 1).to_le_bytes());
                return Ok(if number & 1 == 0 { half } else { !half });
            }
        }
        Err(Malformed::Long)
    }

    /// As many bytes as a length says that may be `limit` at most.
    pub fn bytes(&mut self, limit: usize) -> Result<&'a [u8], Malformed> {
        let length = self.long()?;
        let length = usize::try_from(length).ok().filter(|l| *l <= limit);
        self.take(length.ok_or(Malformed::Length { limit })?)
    }

    /// That many bytes.
    pub fn take(&mut self, many: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(many).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The index of a union or the number of an enum, of so many.
    pub fn choice(&mut self, of: u8) -> Result<u8, Malformed> {
        let number = self.long()?;
        u8::try_from(number).ok().filter(|n| *n < of).ok_or(Malformed::Choice(number))
    }

    /// The number of entries of the next block of a map or an array; 0 is its end. A negative count stands before the block's length in
    /// bytes.
    pub fn block(&mut self) -> Result<u64, Malformed> {
        let count = self.long()?;
        if count < 0 {
            self.long()?;
        }
        Ok(count.unsigned_abs())
    }

    /// Passes over a map of strings or bytes.
    pub fn skip_map(&mut self) -> Result<(), Malformed> {
        loop {
            let entries = self.block()?;
            if entries == 0 {
                return Ok(());
            }
            for _ in 0..entries {
                // each takes at least two bytes, so that a false count ends where the bytes do
                self.bytes(usize::MAX)?;
                self.bytes(usize::MAX)?;
            }
        }
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
