//! What `systemctl status` shows, and the pulse that feeds systemd's watchdog.

use crate::http::state::Api;
use common::systemd::Systemd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the daemon looks at itself.
const TURN: Duration = Duration::from_secs(1);
/// Turns from one status line to the next.
const SHOWN: u32 = 5;

/// Until stopped. The pulse beats while the world can be read: a lock that is never given back starves the watchdog.
pub async fn systemd(api: Arc<Api>, stop: CancellationToken) {
    let mut systemd = Systemd::default();
    systemd.ready();
    let mut turns = tokio::time::interval(TURN);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turn = 0;
    while stop.run_until_cancelled(turns.tick()).await.is_some() {
        let line = line(&api);
        api.pulse.beat();
        if turn % SHOWN == 0 {
            systemd.status(&line);
        }
        turn = turn.wrapping_add(1);
    }
    systemd.status("stopping: letting readers and writers go");
}

fn line(api: &Api) -> String {
    let (apps, instances, nodes) = api
        .centre
        .read(|world| (world.apps().count(), world.instances().count(), world.nodes().count()));
    let store = match api.centre.healthy() {
        Ok(()) => String::new(),
        Err(why) => format!("; {why}"),
    };
    let readers = api.bus.counts().readers.load(Ordering::Relaxed);
    format!("{apps} apps, {instances} instances, {nodes} nodes; {readers} readers{store}")
}
