//! `qae-api`: the light centre. It knows every app, instance and node, tells everyone what changed without losing a change, and is
//! what people and scripts talk to.
//!
//! ```text
//! agents' reports --.
//!                    >-- observed --> reconcile --> changes --> centre: state and events in one transaction --> bus --> SSE readers
//! Marathon ---------'                     ^                        |
//!                                         '------- world <---------'   (in memory, at a cursor)
//! ```

pub mod access;
pub mod args;
pub mod bus;
pub mod centre;
pub mod change;
pub mod charts;
pub mod config;
pub mod figures;
mod http;
pub mod nodes;
pub mod reconcile;
pub mod schedulers;
pub mod scope;
pub mod snapshots;
pub mod store;
#[cfg(test)]
mod testing;
pub mod world;
