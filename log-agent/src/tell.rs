//! What `systemctl status` shows, and the pulse that feeds systemd's watchdog: it beats while the thread that follows files looks round.

use crate::overview::Sources;
use common::carbon::State;
use common::systemd::{Pulse, Systemd};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often the daemon looks at itself: the thread that follows files looks round as often, if it lives.
const TURN: Duration = Duration::from_secs(5);

/// Until stopped.
pub async fn systemd(sources: Sources, pulse: Arc<Pulse>, stop: CancellationToken) {
    let mut systemd = Systemd::default();
    systemd.ready();
    let mut turns = interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rounds = None;
    while stop.run_until_cancelled(turns.tick()).await.is_some() {
        let now = sources.files.rounds();
        if rounds.replace(now) != Some(now) {
            pulse.beat();
        }
        systemd.status(&line(&sources));
    }
    systemd.status("stopping: letting viewers go, saving how far each file was shipped");
}

fn line(sources: &Sources) -> String {
    let figures = sources.files.figures();
    let files: usize = figures.iter().map(|volume| volume.files).sum();
    let graphite = match sources.carbon.status().state {
        State::Unreachable => "; Graphite is away, metrics wait on disk",
        _ => "",
    };
    let sink = match sources.shipper.as_ref().map(|shipper| shipper.sink()) {
        None => "no sink".to_owned(),
        Some(sink) if sink.works => format!("{} takes lines", sink.peer),
        Some(sink) => match sink.last_failure {
            None => format!("nothing sent to {} yet", sink.peer),
            Some(why) => format!("lines wait in their files ({why})"),
        },
    };
    let viewers = sources.live.figures().viewers;
    format!("{files} files in {} volumes; {sink}; {viewers} viewers{graphite}", figures.len())
}
