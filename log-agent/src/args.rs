//! The command line.

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};

/// Every line of the log volumes: live in the browser, and shipped until it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "log-agent", version, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Without a command: runs the daemon in the foreground. SIGHUP reads the config file again, SIGTERM ends it. Exit codes: \
    0 fine, 64 bad config or command line, 69 something needed is not there, 70 a bug."
)]
pub struct Args {
    /// What to do; nothing: run the daemon.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Config file [default: /etc/qae/qae.toml, where there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the config file, print what it comes to, and exit.
    #[arg(long)]
    pub check: bool,
}

/// What else the program does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Check this host: rights, limits, Docker, the sink, Graphite, the centre, and what to do about what is missing.
    Check {
        /// Config file [default: /etc/qae/qae.toml, where there is one].
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

impl Args {
    /// The config file named, wherever it was named.
    pub fn config(&self) -> Option<&Path> {
        match &self.command {
            None => self.config.as_deref(),
            Some(Command::Check { config }) => config.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_and_the_check() {
        let parse = |line: &str| Args::try_parse_from(line.split(' ')).unwrap();
        let daemon = parse("log-agent --config /a --check");
        assert_eq!((daemon.config(), daemon.check), (Some(Path::new("/a")), true));
        assert_eq!(parse("log-agent check --config /b").config(), Some(Path::new("/b")));
        let wrong = Args::try_parse_from(["log-agent", "--check", "check"]);
        assert_eq!(wrong.unwrap_err().kind(), clap::error::ErrorKind::ArgumentConflict);
    }
}
