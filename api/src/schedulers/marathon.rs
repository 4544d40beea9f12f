//! Marathon 0.8 to 1.11: its lists are the truth, its events tell what to look at again.
//!
//! ```text
//! one cluster: connect -- stream --> frames --> wire::Event --.
//!                 |                                           >-- ledger --> facts --> reconcile --> centre
//!                 '------ list --> wire::App, wire::Task -----'      |
//!                                       ^--- what is dirty <---------'
//! ```
//!
//! Nothing that Marathon sends is relied on beyond its lists: events may be lost, doubled, late or out of order.
//! Pure: [`wire`], [`frames`], [`ids`], [`ledger`], [`hosts`], [`pace`].

pub mod client;
pub mod frames;
pub mod hosts;
pub mod ids;
pub mod ledger;
pub mod pace;
pub mod translate;
pub mod wire;
