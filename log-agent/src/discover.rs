//! Finds the files of the volumes and notices what becomes of them.

use crate::files::{Known, Shared};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Wakes the following thread.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?))
    }

    pub(crate) fn ring(&self) {
        // it can only fail when it is ringing already
        drop(rustix::io::write(&self.0, &1u64.to_ne_bytes()));
    }
}

/// Starts the thread.
pub(crate) fn start(shared: Arc<Shared>, known: Vec<Known>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("follow".into()).spawn(move || drop((shared, known)))
}
