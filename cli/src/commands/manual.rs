//! `qae completion`, `qae man`.

use super::{note, print};
use crate::args::Args;
use crate::error::Error;
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::Path;

pub fn completion(shell: Shell) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "qae", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// One page for the command and one for each command beneath it.
pub fn pages(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(Error::file("make", dir))?;
    clap_mangen::generate_to(Args::command(), dir).map_err(Error::file("write to", dir))?;
    note(&format!("manual pages written to {}", dir.display()));
    Ok(())
}
