//! What is beneath `volumes_root/<app>/<instance>`, looked at every few seconds.

use crate::volume::{Form, InstanceKey, Volume};
use common::ids::{AppId, InstanceId};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);

pub(crate) async fn run(
    root: PathBuf,
    list: watch::Sender<Arc<Vec<Volume>>>,
    stop: CancellationToken,
) {
    let mut turns = tokio::time::interval(LOOK);
    while stop.run_until_cancelled(turns.tick()).await.is_some() {
        let found = Arc::new(look(&root));
        list.send_if_modified(|before| std::mem::replace(before, found.clone()) != found);
    }
}

fn look(root: &Path) -> Vec<Volume> {
    let names = |dir: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    };
    let mut found = Vec::new();
    for app in names(root) {
        for id in names(&root.join(&app)) {
            let dir = root.join(&app).join(&id);
            let instance = InstanceKey { id: InstanceId::new(id), app: AppId::new(app.as_str()) };
            found.push(Volume {
                instance,
                dir,
                name: String::new(),
                ended_at: None,
                form: Form::Plain,
            });
        }
    }
    found.sort_by(|a, b| a.dir.cmp(&b.dir));
    found
}
