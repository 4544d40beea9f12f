//! The agents' one client of the centre.

pub mod replica;
pub mod sse;
