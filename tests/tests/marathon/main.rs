//! The built `qae-api` and a played Marathon: what is told while all is well, and what remains true with each fault that is known of Marathon.
//!
//! Run with `--test-threads=4` at most: they mostly wait, but some of it is measured.

mod events;
mod join;
mod leader;
mod life;
mod lists;
mod slow;
mod support;
mod versions;
