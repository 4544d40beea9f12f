//! `log-agent check`.
use crate::config::Config;

/// x
pub async fn run(_config: &Config) -> anyhow::Result<()> {
    Ok(())
}
