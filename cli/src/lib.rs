//! `qae`: everything from a terminal, and `qae up`, which runs the whole product on one machine.
//!
//! ```text
//! args --> place (which centre, which token) --> client --> commands/* --> render/* --> stdout
//! ```
//!
//! What a person reads goes to stdout as tables; `--json` prints what the centre answered; progress and errors go to stderr. The exit
//! code tells a script what happened ([`error`]).

pub mod args;
pub mod client;
pub mod commands;
pub mod error;
pub mod place;
pub mod render;
