//! `dadvisor check`: what this host has and lacks, one screen, each line with what to do about it.
//!
//! Each part looks at one thing and tells [`Finding`]s; what is asked over the network is asked at the same time, each with a limit.

mod neighbours;
mod place;
mod report;

pub use report::report;

use crate::config::Config;
use crate::kernel::Kernel;
use crate::kernel::diagnose::{Finding, Severity};
use std::io::{self, IsTerminal, Write};

/// Prints everything found. An error if something stands in the way of the job.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let found = findings(config).await;
    let terminal = io::stdout().is_terminal();
    let size = terminal.then(crossterm::terminal::size).and_then(Result::ok);
    let width = size.map_or(100, |(columns, _)| usize::from(columns));
    io::stdout().write_all(report(&found, width, terminal).as_bytes())?;
    let bad = found.iter().filter(|f| f.severity == Severity::Bad).count();
    anyhow::ensure!(bad == 0, "{bad} of these must be cured first");
    Ok(())
}

/// Everything found, in the order it is shown.
pub async fn findings(config: &Config) -> Vec<Finding> {
    let own = &config.dadvisor;
    // the kernel's part reads a few files; nothing here waits on anything else
    let mut found = match Kernel::open(own.roots(), own.kernel_families(), false) {
        Ok(kernel) => kernel.diagnose(),
        Err(e) => vec![finding(Severity::Bad, "cgroups", e.to_string())],
    };
    found.extend(place::rights());
    let (docker, mesos, carbon, center, listen) = tokio::join!(
        neighbours::docker(config),
        neighbours::mesos(config),
        neighbours::carbon(config),
        neighbours::center(config),
        place::listen(config),
    );
    found.extend([docker, mesos]);
    found.extend(carbon);
    found.push(center);
    found.push(place::state(&config.state_dir(), config.graphite.spool_max));
    found.extend(place::certificate(config));
    found.push(listen);
    found
}

fn finding(severity: Severity, topic: &'static str, text: impl Into<String>) -> Finding {
    Finding { severity, topic, text: text.into() }
}

#[cfg(test)]
mod tests;
