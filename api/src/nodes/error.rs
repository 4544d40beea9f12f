//! Why a report is not taken.

use super::{MOST_AGENTS, MOST_NODES};
use crate::centre;
use crate::reconcile::MOST_CONTAINERS;

/// Nothing has changed by the report; what the agent is to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReportError {
    /// Send the whole report.
    #[error("no report with this digest is known: send the whole report")]
    DigestUnknown,
    /// Another machine, or a younger process of this one, reports under this name.
    #[error(
        "node {node} is already reported by {by}: give each host its own [node] name, and run each agent once"
    )]
    NodeClaimed {
        /// The name.
        node: String,
        /// Who has it.
        by: String,
    },
    /// The node's name cannot be one.
    #[error(
        "\"{0}\" is no name for a node: 1 to 255 characters without /, comma, spaces or control characters"
    )]
    Node(String),
    /// The agent's name cannot be one.
    #[error("\"{0}\" is no name for an agent: 1 to 32 lower-case letters, digits and hyphens")]
    Agent(String),
    /// The header `qae-run` is missing or malformed.
    #[error(
        "header qae-run: must be <host>.<start in Unix ms>.<random>, of letters, digits, _ and -"
    )]
    Run,
    /// The header `qae-digest` is missing or malformed.
    #[error(
        "header qae-digest: must be the digest of the report, at most 128 printable characters"
    )]
    Digest,
    /// The report is not what it should be.
    #[error("{field}: {why}")]
    Report {
        /// Where.
        field: &'static str,
        /// What is wrong.
        why: String,
    },
    /// More containers than one node can have.
    #[error("{0} containers: at most {MOST_CONTAINERS} of one node are taken")]
    Containers(usize),
    /// More nodes than the centre takes.
    #[error("there are {MOST_NODES} nodes already; names that are not used any more count too")]
    Nodes,
    /// More agents than a node has.
    #[error("node {0} has {MOST_AGENTS} agents already")]
    Agents(String),
    /// What the report changes could not be stored: it is to come again.
    #[error(transparent)]
    Centre(#[from] centre::Error),
    /// This process is ending.
    #[error("qae-api is stopping")]
    Stopping,
}

impl ReportError {
    /// For counts and programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DigestUnknown => "digest_unknown",
            Self::NodeClaimed { .. } => "node_claimed",
            Self::Node(_) => "bad_node",
            Self::Agent(_) => "bad_agent",
            Self::Run => "bad_run",
            Self::Digest => "bad_digest",
            Self::Report { .. } | Self::Containers(_) => "invalid_body",
            Self::Nodes | Self::Agents(_) => "too_many",
            Self::Centre(_) | Self::Stopping => "unavailable",
        }
    }
}
