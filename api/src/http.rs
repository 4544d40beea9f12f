//! What the centre answers over HTTP: every path is in [`routes`], every resource in a file of its own. A handler takes what it needs from
//! the request with the extractors of [`extract`] and [`caller`], answers from [`state::Api`], and refuses with [`problem::Refused`].

mod access;
mod apps;
mod audit;
mod caller;
mod charts;
mod clusters;
mod events;
mod extract;
mod figures;
mod instances;
mod keys;
mod list;
mod logs;
mod me;
mod nodes;
mod openapi;
mod own;
mod page;
mod problem;
mod render;
mod reports;
mod routes;
mod sessions;
mod snapshot;
pub mod state;
mod tickets;
mod tokens;
mod topics;
mod when;

pub use own::LONGEST_PAUSE;
pub use routes::router;
