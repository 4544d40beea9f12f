//! What the centre answers over HTTP: every path is in [`routes`], every resource in a file of its own. A handler takes what it needs from
//! the request with the extractors of [`extract`] and [`caller`], answers from [`state::Api`], and refuses with [`problem::Refused`].

mod apps;
mod caller;
mod charts;
mod clusters;
mod events;
mod extract;
mod figures;
mod instances;
mod list;
mod nodes;
mod openapi;
mod own;
mod page;
mod problem;
mod render;
mod reports;
mod routes;
mod snapshot;
pub mod state;
mod topics;
mod when;

pub use own::LONGEST_PAUSE;
pub use routes::router;
