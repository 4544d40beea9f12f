//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// The centre: every app, instance and node, what changed, and who may see it.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "qae-api", version)]
#[command(
    after_help = "Runs the daemon in the foreground. SIGHUP reads the config file again, SIGTERM ends it. Exit codes: 0 fine, \
    64 bad config or command line, 69 something needed is not there, 70 a bug."
)]
pub struct Args {
    /// Config file [default: /etc/qae/qae.toml, where there is one].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Check the config file, print what it comes to, and exit.
    #[arg(long)]
    pub check: bool,
    /// Make a new admin token in place of the one named "admin", write it to <state_dir>/api/admin-token, and exit. Stop the daemon first.
    #[arg(long, conflicts_with = "check")]
    pub new_admin_token: bool,
}
