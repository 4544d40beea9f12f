//! Doors for the fuzz targets in `fuzz/` to parsers that are private to their room. No part of the API: hidden from its documentation.
//! Always compiled, so that a change of a parser cannot leave its target behind.

pub use crate::relay::fuzzing::relayed;
