//! The harness of the end-to-end tests: the built daemon, real Docker engines, a real Graphite. What it starts it stops, what it makes it
//! removes, also when a test fails. Nothing of the code under test is used here: the harness must not share its mistakes.

pub mod agent;
pub mod centre;
pub mod chromium;
pub mod clock;
pub mod command;
pub mod dadvisor;
pub mod daemon;
pub mod disk;
pub mod docker;
pub mod engine;
pub mod flume;
pub mod frames;
pub mod graphite;
pub mod home;
pub mod host;
pub mod http;
pub mod log_agent;
pub mod logs;
pub mod marathon;
pub mod pki;
pub mod postgres;
pub mod sse;
pub mod wait;
pub mod web;
