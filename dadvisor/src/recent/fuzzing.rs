//! The decoder of the last hour for fuzz targets; see [`crate::fuzzing`].

use super::{Chunk, Recent};

/// What a memory whose chunks hold these bytes gives for a metric.
pub fn damaged(chunks: &[&[u8]], metric: &str, since: u64) -> Vec<(u64, f64)> {
    let chunk = |bytes: &&[u8]| Chunk { base: since, ticks: 1, bytes: bytes.to_vec() };
    let recent = Recent { chunks: chunks.iter().map(chunk).collect(), ..Recent::default() };
    recent.series(metric, since)
}
