//! What a log-agent's frames become, for fuzz targets; see [`crate::fuzzing`].

use super::frame::{peek, tagged};
use super::places::Places;
use common::moment::Moment;

/// Frames of one connection as a viewer gets them, and the parameters of the next connection.
pub fn relayed(frames: &[&str], instance: &str, expires: Moment) -> (Vec<String>, String) {
    let (mut passed, mut places) = (Vec::new(), Places::default());
    for frame in frames {
        let Ok(peek) = peek(frame) else { continue };
        let Some(text) = tagged(frame, &peek, instance, expires) else { continue };
        passed.push(text);
        places.told(&peek);
    }
    (passed, places.parameters())
}
