//! `qae-api`: the light centre. It knows every app, instance and node, tells everyone what changed without losing a change, and is
//! what people and scripts talk to.
//!
//! ```text
//! agents' reports --.
//!                    >-- observed --> reconcile --> changes --> centre: state and events in one transaction --> bus --> SSE readers
//! Marathon ---------'                     ^                        |
//!                                         '------- world <---------'   (in memory, at a cursor)
//! ```

pub mod args;
pub mod change;
pub mod store;
pub mod config;
mod http;
pub mod reconcile;
pub mod charts;
pub mod world;
