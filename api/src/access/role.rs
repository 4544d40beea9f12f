//! What a token may do, in four steps. Pure.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A token's role. Each may what the ones before it may, except that [`Role::Node`] stands apart: an agent is no person, so it is
/// below everything a person may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The agents of one node: report as that node, read `node:<own>` and `upstreams`.
    Node,
    /// Reads what its apps are doing, their logs included.
    Viewer,
    /// Changes how its apps run.
    Operator,
    /// Tokens, sign-ins, signing keys, the audit log; all apps, and any node's report.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Node, Self::Viewer, Self::Operator, Self::Admin];

    /// As in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// From its name in JSON.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_an_order_and_names() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(Role::named(role.name()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
        assert_eq!(Role::named("Admin"), None);
    }
}
