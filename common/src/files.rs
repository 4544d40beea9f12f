//! How many files and sockets this process may have open (`RLIMIT_NOFILE`).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// The limits in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// In force. None: no limit.
    pub soft: Option<u64>,
    /// As far as it may be raised. None: no limit.
    pub hard: Option<u64>,
}

/// Reads them.
pub fn limit() -> Limit {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    Limit { soft: current, hard: maximum }
}

/// Raises the soft limit to the hard one: to be called once at start.
pub fn raise() -> io::Result<Limit> {
    let Limit { hard, .. } = limit();
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })?;
    Ok(limit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let raised = raise().unwrap();
        assert_eq!(raised.soft, raised.hard);
        assert_eq!(limit(), raised);
    }
}
