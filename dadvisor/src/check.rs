//! `dadvisor check`: what this host has and lacks, one screen, each line with what to do about it. What is asked over the network is asked at
//! the same time.

use crate::config::Config;
use crate::kernel::Kernel;
use common::check::{Finding, Severity, finding, neighbours, place, show};

/// Capabilities used, by their bit, and what is missing without them.
const USED: [(u32, &str, &str); 3] = [
    (19, "CAP_SYS_PTRACE", "network figures of containers"),
    (21, "CAP_SYS_ADMIN", "statistics from inside containers (qae.metrics and the like)"),
    (2, "CAP_DAC_READ_SEARCH", "disk_usage of other users' directories"),
];

/// Prints everything found. An error if something stands in the way of the job.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let bad = show(&findings(config).await, "dadvisor")?;
    anyhow::ensure!(bad == 0, "{bad} of these must be cured first");
    Ok(())
}

/// Everything found, in the order it is shown.
pub async fn findings(config: &Config) -> Vec<Finding> {
    let (own, node) = (&config.dadvisor, &config.node);
    // the kernel's part reads a few files; nothing here waits on anything else
    let mut found = match Kernel::open(own.roots(), own.kernel_families(), false) {
        Ok(kernel) => kernel.diagnose(),
        Err(e) => vec![finding(Severity::Bad, "cgroups", e.to_string())],
    };
    found.extend(place::rights(&USED));
    // with others to tell of containers the engine is one of several
    let others = node.mesos_agent.is_some() || !own.cgroups.is_empty();
    let (docker, mesos, carbon, center, listen) = tokio::join!(
        neighbours::docker(node, if others { Severity::Less } else { Severity::Bad }),
        neighbours::mesos(node),
        neighbours::carbon(&config.graphite, Severity::Bad),
        neighbours::center(node, config.api.as_ref()),
        place::listen(own.listen, node, "dadvisor", "dadvisor"),
    );
    found.extend([docker, mesos]);
    found.extend(carbon);
    found.push(center);
    found.push(place::state(&config.state_dir(), config.graphite.spool_max));
    found.extend(place::certificate(node));
    found.push(listen);
    found
}
