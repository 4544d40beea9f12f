//! A moment in a query, or the refusal that says how to write one. Pure.

use super::problem::Refused;
use crate::charts::range;
use common::moment::Moment;

/// `name` is the parameter's.
pub fn moment(name: &str, text: &str, now: Moment) -> Result<Moment, Refused> {
    range::moment(text, now).ok_or_else(|| {
        let how = "write 2026-01-13T15:20:20Z, Unix seconds, or -15m";
        Refused::bad_query(format!("{name}: not a time; {how}"))
    })
}
