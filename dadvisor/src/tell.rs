//! What `systemctl status` shows: ready after the first pass, then one line that changes only when it says something new.

use crate::board::Board;
use common::carbon::{Carbon, State};
use common::systemd::Systemd;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Until stopped.
pub async fn systemd(
    board: Arc<Board>,
    carbon: Carbon,
    mut passed: watch::Receiver<u64>,
    stop: CancellationToken,
) {
    let mut systemd = Systemd::default();
    let mut ready = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            changed = passed.changed() => if changed.is_err() { break },
        }
        if !ready {
            systemd.ready();
            ready = true;
        }
        systemd.status(&line(&board, &carbon));
    }
    systemd.status("stopping: sending what waits");
}

fn line(board: &Board, carbon: &Carbon) -> String {
    let containers = board.stats().containers;
    let status = carbon.status();
    let graphite = match status.state {
        State::Off => "no Graphite".to_owned(),
        _ if status.sending.failing_since_ms.is_none() => "Graphite takes everything".to_owned(),
        _ => format!(
            "Graphite away, metrics wait on disk ({})",
            status.sending.last_error.unwrap_or_default()
        ),
    };
    format!("{containers} containers; {graphite}")
}
