//! `log-agent check`: what this host has and lacks, one screen, each line with what to do about it. What is asked over the network is asked at
//! the same time.

use crate::config::{Config, Sink};
use common::check::{Finding, Severity, finding, neighbours, place, show};
use common::files;
use std::fs;
use std::path::Path;

/// Capabilities used, by their bit, and what is missing without them.
const USED: [(u32, &str, &str); 3] = [
    (2, "CAP_DAC_READ_SEARCH", "logs that other users keep for themselves"),
    (1, "CAP_DAC_OVERRIDE", "retention in other users' directories"),
    (3, "CAP_FOWNER", "retention in directories where only a file's owner may remove it"),
];
/// Descriptors below which a host with many files closes and opens them again and again.
const FEW: u64 = 10_000;
/// Directory watches below which large volumes are only looked at every few seconds.
const FEW_WATCHES: u64 = 8_192;
/// What the journal may take.
const JOURNAL: u64 = 64 << 20;

/// Prints everything found. An error if something stands in the way of the job.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let bad = show(&findings(config).await, "log-agent")?;
    anyhow::ensure!(bad == 0, "{bad} of these must be cured first");
    Ok(())
}

/// Everything found, in the order it is shown.
pub async fn findings(config: &Config) -> Vec<Finding> {
    let (own, node) = (&config.log_agent, &config.node);
    let mut found = place::rights(&USED);
    found.push(open_files(files::limit().hard));
    found.push(watches(Path::new("/proc/sys/fs/inotify/max_user_watches")));
    found.extend(own.volumes_root.as_deref().map(root));
    // with others to tell of volumes the engine is one of several
    let others =
        node.mesos_agent.is_some() || own.volumes_root.as_deref().is_some_and(Path::exists);
    let (docker, mesos, sink, carbon, center, listen) = tokio::join!(
        neighbours::docker(node, if others { Severity::Less } else { Severity::Bad }),
        neighbours::mesos(node),
        sink(own.sink.as_ref()),
        neighbours::carbon(&config.graphite, Severity::Less),
        neighbours::center(node, config.api.as_ref()),
        place::listen(own.listen, node, "log-agent", "log_agent"),
    );
    found.extend([docker, mesos]);
    found.extend(sink);
    found.extend(carbon);
    found.push(center);
    found.push(place::state(&config.state_dir(), config.graphite.spool_max + JOURNAL));
    found.extend(place::certificate(node));
    found.push(listen);
    found
}

/// Lines wait in their files while no sink takes them, so that one that is away is not the end.
async fn sink(sink: Option<&Sink>) -> Vec<Finding> {
    match sink {
        None => {
            let text = "none configured ([log-agent] flume = []): lines are shown, not shipped";
            vec![finding(Severity::Fine, "sink", text)]
        }
        Some(Sink::Flume(flume)) => {
            let cure = "start Flume there, or correct [log-agent] flume (meanwhile lines wait in their files)";
            neighbours::reached("flume", &flume.peers, Severity::Less, cure).await
        }
        Some(Sink::Dir(dir)) => vec![Finding { topic: "sink", ..place::state(dir, 1 << 30) }],
    }
}

fn open_files(hard: Option<u64>) -> Finding {
    match hard {
        Some(hard) if hard < FEW => {
            let text = format!(
                "{hard} open files at most: quiet files are closed and opened again; raise LimitNOFILE"
            );
            finding(Severity::Less, "files", text)
        }
        Some(hard) => finding(Severity::Fine, "files", format!("up to {hard} open files")),
        None => finding(Severity::Fine, "files", "any number of open files"),
    }
}

fn watches(path: &Path) -> Finding {
    let most = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    match most {
        Some(most) if most < FEW_WATCHES => {
            let text = format!(
                "{most} directories can be watched: others are looked at every 5 s; raise fs.inotify.max_user_watches"
            );
            finding(Severity::Less, "inotify", text)
        }
        Some(most) => {
            finding(Severity::Fine, "inotify", format!("{most} directories can be watched"))
        }
        None => finding(
            Severity::Less,
            "inotify",
            format!("{} does not tell how many directories can be watched", path.display()),
        ),
    }
}

/// One that is not there yet is made by the centre.
fn root(root: &Path) -> Finding {
    let shown = root.display();
    match fs::read_dir(root) {
        Ok(_) => finding(Severity::Fine, "volumes", format!("{shown} can be read")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => finding(
            Severity::Fine,
            "volumes",
            format!("{shown} is not there: volumes of Docker and Mesos only"),
        ),
        Err(e) => finding(
            Severity::Less,
            "volumes",
            format!(
                "{shown}: {e}; give this user the right to read it, or set volumes_root = \"\""
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_short_is_said() {
        assert_eq!(open_files(Some(1_024)).severity, Severity::Less);
        assert_eq!(open_files(None).severity, Severity::Fine);
        let dir = tempfile::tempdir().unwrap();
        let few = dir.path().join("few");
        fs::write(&few, "128\n").unwrap();
        assert_eq!(watches(&few).severity, Severity::Less);
        assert_eq!(watches(Path::new("/proc/none")).severity, Severity::Less);
        assert_eq!(root(&few).severity, Severity::Less);
        assert_eq!(root(&dir.path().join("none")).severity, Severity::Fine);
        assert_eq!(sink(None).await[0].severity, Severity::Fine);
        let blocked = sink(Some(&Sink::Dir(few.join("x")))).await;
        assert!(blocked[0].severity == Severity::Bad && blocked[0].topic == "sink");
    }
}
