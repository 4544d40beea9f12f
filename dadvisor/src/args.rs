//! The command line.

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Every container's CPU, memory, disk and network, from the kernel into Graphite.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "dadvisor", version, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Without a command: runs the daemon in the foreground. Exit codes: 0 fine, 64 bad config or command line, \
    69 something needed is not there, 70 a bug."
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
    /// Show the live view while running, if stdout is a terminal.
    #[arg(long, conflicts_with = "check")]
    pub top: bool,
}

/// What else the program does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Show the containers of a running dadvisor, live.
    Top(Top),
    /// Check this host: mounts, rights, Docker, carbon, and what to do about what is missing.
    Check {
        /// Config file [default: /etc/qae/qae.toml, where there is one].
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// `dadvisor top`.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct Top {
    /// Print the table once and exit; so does a stdout that is no terminal.
    #[arg(long)]
    pub once: bool,
    /// Print the containers once as JSON, as the API's `items`.
    #[arg(long)]
    pub json: bool,
    /// Order of the lines.
    #[arg(long, value_enum, default_value_t)]
    pub sort: Sort,
    /// Address of the dadvisor to ask [default: `listen` of the config file].
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Config file [default: /etc/qae/qae.toml, where there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What lines are ordered by: figures largest first, names from A to Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// CPU percent.
    #[default]
    Cpu,
    /// Working set.
    Memory,
    /// Bytes received and sent per second.
    Net,
    /// Bytes read and written per second.
    Io,
    /// App, then instance.
    Name,
}

impl Args {
    /// The config file named, wherever it was named.
    pub fn config(&self) -> Option<&std::path::Path> {
        match &self.command {
            None => self.config.as_deref(),
            Some(Command::Top(top)) => top.config.as_deref(),
            Some(Command::Check { config }) => config.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parse(line: &str) -> Result<Args, clap::error::ErrorKind> {
        Args::try_parse_from(line.split(' ')).map_err(|e| e.kind())
    }

    #[test]
    fn the_daemon_the_view_and_the_check() {
        let daemon = parse("dadvisor --config /a --top").unwrap();
        assert_eq!(
            (daemon.config(), daemon.top, daemon.check),
            (Some(Path::new("/a")), true, false)
        );
        assert!(parse("dadvisor --check").unwrap().check);
        let top =
            parse("dadvisor top --once --json --sort memory --url http://a:1 --config /b").unwrap();
        assert_eq!(top.config(), Some(Path::new("/b")));
        let Some(Command::Top(top)) = top.command else { panic!("{top:?}") };
        assert_eq!(
            (top.once, top.json, top.sort, top.url.as_deref()),
            (true, true, Sort::Memory, Some("http://a:1"))
        );
        assert!(matches!(
            parse("dadvisor check").unwrap().command,
            Some(Command::Check { config: None })
        ));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        use clap::error::ErrorKind::*;
        assert_eq!(parse("dadvisor --chek").unwrap_err(), UnknownArgument);
        assert_eq!(parse("dadvisor --check --top").unwrap_err(), ArgumentConflict);
        assert_eq!(parse("dadvisor --check top").unwrap_err(), ArgumentConflict);
        assert_eq!(parse("dadvisor top --sort size").unwrap_err(), InvalidValue);
        assert_eq!(parse("dadvisor --version").unwrap_err(), DisplayVersion);
    }
}
