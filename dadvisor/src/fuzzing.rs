//! Doors for the fuzz targets in `fuzz/` to parsers that are private to their room. No part of the API: hidden from its documentation.
//! Always compiled, so that a change of a parser cannot leave its target behind.

pub use crate::host::fuzzing::{NODE_FILES, filesystems, node_file};
pub use crate::inapp::fuzzing::{page, target};
pub use crate::recent::fuzzing::damaged;
