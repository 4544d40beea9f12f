//! The command line.

use clap::{Args as Group, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

/// Apps, instances, nodes, events, logs and figures of a QAE centre; `qae up` runs the whole product on this machine.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "qae", version, subcommand_required = true, arg_required_else_help = true)]
#[command(
    after_help = "Where the centre is: --url and --token-file, else the nearest .qae directory upward from here (made by `qae up`), \
    else /etc/qae/qae.toml.\nExit codes: 0 fine, 1 not found or refused, 64 bad command line or config, 69 something needed is not \
    there, 70 a bug."
)]
pub struct Args {
    /// Where the centre is, and who asks.
    #[command(flatten)]
    pub place: Place,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where the centre is, and who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Group)]
pub struct Place {
    /// Address of the centre, such as http://127.0.0.1:7000
    #[arg(long, value_name = "URL", env = "QAE_URL", global = true)]
    pub url: Option<String>,
    /// File that holds the token
    #[arg(long, value_name = "FILE", env = "QAE_TOKEN_FILE", global = true, value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    /// PEM file with the authorities that may vouch for an https centre, instead of this host's
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
}

/// What the program does.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Run the whole product on this machine, in the foreground
    Up(Up),
    /// List apps
    Apps {
        /// Only apps with this in their id
        filter: Option<String>,
        /// How it is printed.
        #[command(flatten)]
        shape: Shape,
    },
    /// Show one app and its instances
    App {
        /// Its id, such as shop/web
        app: String,
        /// How it is printed.
        #[command(flatten)]
        shape: Shape,
    },
    /// List instances
    Instances(Instances),
    /// List nodes and their agents
    Nodes {
        /// Delete this node, which will not come back: its agents are silent. What it alone spoke for ends
        #[arg(long, value_name = "NODE", conflicts_with = "json")]
        forget: Option<String>,
        /// How it is printed.
        #[command(flatten)]
        shape: Shape,
    },
    /// Show what happened, and follow what happens
    Events(Events),
    /// Show the logs of an instance, or of all instances of an app
    Logs(Logs),
    /// Show CPU and memory of instances, live
    Top(Top),
    /// Make, list, show and delete tokens
    Token {
        /// What to do with tokens
        #[command(subcommand)]
        job: TokenJob,
    },
    /// Make a ticket: a short-lived permission to read logs
    Ticket(Ticket),
    /// Make a one-time link that signs a browser in
    SignIn {
        /// How it is printed.
        #[command(flatten)]
        shape: Shape,
    },
    /// List who changed what
    Audit(Audit),
    /// Check the centre, this token, nodes, clusters and versions
    Doctor {
        /// How it is printed.
        #[command(flatten)]
        shape: Shape,
    },
    /// Print the completion script of a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    Man {
        /// Directory to write them into
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// How the answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Group)]
pub struct Shape {
    /// Print the centre's JSON, as one document
    #[arg(long)]
    pub json: bool,
}

/// `qae up`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Group)]
pub struct Up {
    /// Directory for the config, the token, the store and the spools
    #[arg(long, value_name = "DIR", default_value = ".qae", value_hint = ValueHint::DirPath)]
    pub state: PathBuf,
}

/// `qae instances`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Group)]
pub struct Instances {
    /// Only of this app
    #[arg(long)]
    pub app: Option<String>,
    /// Only on this node
    #[arg(long)]
    pub node: Option<String>,
    /// Only in this state
    #[arg(long, value_enum, default_value_t)]
    pub state: Which,
    /// How it is printed.
    #[command(flatten)]
    pub shape: Shape,
}

/// Which instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// All that have not ended
    #[default]
    Live,
    /// Ended, within the last 7 days
    Ended,
    /// Both
    All,
    /// Accepted, not started
    Staging,
    /// Being started
    Starting,
    /// Running
    Running,
    /// Told to stop
    Stopping,
    /// Its node cannot be reached
    Unreachable,
}

impl Which {
    /// As in the API's query.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ended => "ended",
            Self::All => "all",
            Self::Staging => "staging",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Unreachable => "unreachable",
        }
    }
}

/// `qae events`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Group)]
pub struct Events {
    /// Go on with what happens from now on, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Only of this app
    #[arg(long)]
    pub app: Option<String>,
    /// Only of this node
    #[arg(long)]
    pub node: Option<String>,
    /// Only of this type, such as instance_gone; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    pub kinds: Vec<String>,
    /// Only since then: a time, or a while ago such as 1h
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only until then
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub until: Option<String>,
    /// Most events from before now [default: 50, with --follow 10]
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub limit: Option<usize>,
    /// One JSON document; with --follow one event per line
    #[arg(long)]
    pub json: bool,
}

/// `qae logs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Group)]
pub struct Logs {
    /// An app, or an instance's id or key
    pub target: String,
    /// Which file of the log volume, or a glob such as '*.log' [default: every file]
    pub file: Option<String>,
    /// Go on with what is written from now on, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Lines from before now, of each file
    #[arg(short = 'n', long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub lines: u32,
    /// Only lines that fit this regular expression
    #[arg(short, long, value_name = "REGEX")]
    pub grep: Option<String>,
    /// Only lines that do not fit it
    #[arg(short = 'v', long, requires = "grep")]
    pub invert: bool,
    /// Small and capital letters are the same to it
    #[arg(short, long, requires = "grep")]
    pub ignore_case: bool,
    /// Of an app: those of the instances that ended lately, too
    #[arg(long)]
    pub ended: bool,
    /// List an instance's files instead
    #[arg(long, conflicts_with_all = ["follow", "file", "grep", "ended"])]
    pub files: bool,
    /// One JSON frame per line, as docs/live-logs.md tells; with --files the list
    #[arg(long)]
    pub json: bool,
}

/// `qae top`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Group)]
pub struct Top {
    /// Only this app
    pub app: Option<String>,
    /// Print the table once and exit; so does a stdout that is no terminal
    #[arg(long)]
    pub once: bool,
    /// Print the figures once as JSON
    #[arg(long)]
    pub json: bool,
    /// Order of the lines
    #[arg(long, value_enum, default_value_t)]
    pub sort: Sort,
}

/// What lines are ordered by: figures largest first, names from A to Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// CPU percent
    #[default]
    Cpu,
    /// Working set
    Memory,
    /// App, then instance
    Name,
}

/// `qae token`.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum TokenJob {
    /// Make a token and print it, this once
    Create(Create),
    /// List tokens
    List {
        /// How it is printed.
        #[command(flatten)]
        shape: Shape,
    },
    /// Show one token
    Show {
        /// Its name
        name: String,
        /// How it is printed.
        #[command(flatten)]
        shape: Shape,
    },
    /// Delete a token; what it is used for ends at once
    Delete {
        /// Its name
        name: String,
    },
}

/// `qae token create`.
#[derive(Debug, Clone, PartialEq, Eq, Group)]
pub struct Create {
    /// Its name
    pub name: String,
    /// What it may do
    #[arg(long, value_enum, default_value_t, conflicts_with = "node")]
    pub role: Role,
    /// Only for apps that match: `*` within a path segment, `**` any; may be repeated
    #[arg(long = "app", value_name = "GLOB", conflicts_with = "node")]
    pub apps: Vec<String>,
    /// For the agents of this node
    #[arg(long)]
    pub node: Option<String>,
    /// How long it lasts, such as 24h [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub expires: Option<Duration>,
    /// How it is printed.
    #[command(flatten)]
    pub shape: Shape,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Read
    #[default]
    Viewer,
    /// Read and operate apps
    Operator,
    /// Everything, tokens too
    Admin,
}

impl Role {
    /// As in the API's JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// `qae ticket`.
#[derive(Debug, Clone, PartialEq, Eq, Group)]
pub struct Ticket {
    /// An app, or an instance's id or key
    pub target: String,
    /// Which files, as a glob
    #[arg(long, value_name = "GLOB", default_value = "**")]
    pub file: String,
    /// How long it lasts
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    pub expires: Duration,
    /// Reading only, no downloads
    #[arg(long)]
    pub read_only: bool,
    /// How it is printed.
    #[command(flatten)]
    pub shape: Shape,
}

/// `qae audit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Group)]
pub struct Audit {
    /// Most lines
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    pub limit: usize,
    /// How it is printed.
    #[command(flatten)]
    pub shape: Shape,
}

#[cfg(test)]
mod tests;
