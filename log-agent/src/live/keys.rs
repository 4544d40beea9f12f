//! The public keys of tickets: asked from the centre now and then, and at once when a ticket names one that is not known yet; kept on
//! disk, so that links work while the centre is away.

use common::atomic_file;
use common::center;
use common::config::api::Api;
use common::logging::Episode;
use common::moment::Moment;
use common::ticket::{Keys, PublicKeys, Refusal, Ticket, verify};
use common::tls;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Between two questions, and while no key is known.
const EVERY: Duration = Duration::from_secs(300);
const EVERY_WITHOUT: Duration = Duration::from_secs(10);
/// Least time between two questions because of a ticket: a stranger's key id must not make us ask without end.
const LEAST: Duration = Duration::from_secs(5);
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most bytes of the kept file.
const MOST: u64 = 64 << 10;

/// The keys.
#[derive(Debug)]
pub struct Keyring {
    keys: RwLock<Arc<Keys>>,
    centre: Option<Centre>,
}

#[derive(Debug)]
struct Centre {
    api: Api,
    tls: Option<tls::Client>,
    path: PathBuf,
    /// When it was asked last, and how that went.
    asked: tokio::sync::Mutex<(Option<Instant>, Episode)>,
}

impl Keyring {
    /// These keys and no others.
    pub fn fixed(keys: Keys) -> Arc<Self> {
        Arc::new(Self { keys: RwLock::new(Arc::new(keys)), centre: None })
    }

    /// Those of the centre, at first as they were kept in `path`.
    pub fn start(
        api: Api,
        path: PathBuf,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Arc<Self>, tls::Error> {
        let tls = match api.url.tls() {
            true => Some(tls::Client::load(api.ca_file.as_deref())?),
            false => None,
        };
        let keys = kept(&path);
        let asked = tokio::sync::Mutex::new((None, Episode::new("the keys of tickets")));
        let centre = Some(Centre { api, tls, path, asked });
        let ring = Arc::new(Self { keys: RwLock::new(Arc::new(keys)), centre });
        let (asks, stop) = (ring.clone(), stop.clone());
        tasks.spawn(async move {
            stop.run_until_cancelled(asks.ask_for_ever()).await;
        });
        Ok(ring)
    }

    /// Reads a ticket; asks the centre if its key is not known.
    pub async fn verify(&self, text: &str) -> Result<Ticket, Refusal> {
        let first = verify(text, &self.keys(), Moment::now());
        match (&first, &self.centre) {
            (Err(Refusal::UnknownKey { .. }), Some(centre)) => {
                self.ask(centre, LEAST).await;
                verify(text, &self.keys(), Moment::now())
            }
            _ => first,
        }
    }

    /// How many keys are known.
    pub fn known(&self) -> usize {
        self.keys().len()
    }

    fn keys(&self) -> Arc<Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask_for_ever(&self) {
        let Some(centre) = &self.centre else { return };
        loop {
            self.ask(centre, Duration::ZERO).await;
            sleep(if self.keys().is_empty() { EVERY_WITHOUT } else { EVERY }).await;
        }
    }

    /// Asks, unless that was done within `least`.
    async fn ask(&self, centre: &Centre, least: Duration) {
        let mut asked = centre.asked.lock().await;
        if asked.0.is_some_and(|at| at.elapsed() < least) {
            return;
        }
        asked.0 = Some(Instant::now());
        let answer = center::keys(&centre.api, centre.tls.clone(), PATIENCE);
        // the client's own limit is for one step of several
        let answer = match timeout(PATIENCE * 2, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return asked.1.failed(&error),
            Err(_) => return asked.1.failed(&"the centre does not answer in time"),
        };
        match Keys::new(&answer.keys) {
            Ok(keys) => {
                asked.1.recovered();
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
            }
            Err(error) => return asked.1.failed(&error),
        }
        let (path, text) = (centre.path.clone(), serde_json::to_vec(&answer).unwrap_or_default());
        let written = tokio::task::spawn_blocking(move || atomic_file::write(&path, &text)).await;
        if let Ok(Err(error)) = written {
            asked.1.failed(&error);
        }
    }
}

/// The keys as they were kept; none if there is no such file or it cannot be used.
fn kept(path: &Path) -> Keys {
    use std::io::Read;
    let mut text = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut text));
    if read.is_err() {
        return Keys::default();
    }
    let keys = serde_json::from_slice::<PublicKeys>(&text).map_err(|error| error.to_string());
    let keys = keys.and_then(|keys| Keys::new(&keys.keys).map_err(|error| error.to_string()));
    keys.unwrap_or_else(|why| {
        tracing::warn!("{}: {why}: asking the centre for its keys", path.display());
        Keys::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::http::Url;
    use common::ticket::{Right, SigningKey, sign};

    fn ticket(key: &SigningKey) -> String {
        let now = Moment::now();
        let ticket = Ticket {
            id: "t".into(),
            user: "u".into(),
            instances: vec!["c/i".into()],
            files: "**".into(),
            rights: vec![Right::Read],
            issued: now,
            expires: now.after(Duration::from_secs(60)),
        };
        sign(&ticket, key)
    }

    #[tokio::test]
    async fn a_new_key_is_asked_for_once_and_kept() {
        let (old, new) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
        let stranger = SigningKey::from_seed(&[3; 32]);
        let dir = tempfile::tempdir().unwrap();
        let (path, token_file) = (dir.path().join("keys.json"), dir.path().join("token"));
        std::fs::write(&token_file, "qae_x\n").unwrap();
        std::fs::write(
            &path,
            serde_json::to_vec(&PublicKeys { keys: vec![old.public()] }).unwrap(),
        )
        .unwrap();
        let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let (count, keys) = (asked.clone(), PublicKeys { keys: vec![new.public(), old.public()] });
        let answer = move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let keys = keys.clone();
            async move { common::serve::json(&keys) }
        };
        let router = axum::Router::new().route("/v1/keys", axum::routing::get(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let api = Api { url, token_file, ca_file: None };
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let ring = Keyring::start(api, path.clone(), &tasks, &stop).unwrap();
        // what was kept is there at once
        assert!(ring.verify(&ticket(&old)).await.is_ok());
        assert!(ring.verify(&ticket(&new)).await.is_ok());
        for _ in 0..5 {
            let refused = ring.verify(&ticket(&stranger)).await.unwrap_err();
            assert!(matches!(refused, Refusal::UnknownKey { .. }));
        }
        assert!(asked.load(std::sync::atomic::Ordering::Relaxed) <= 2);
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        let kept = kept(&path);
        assert_eq!(kept.len(), 2);
    }

    #[test]
    fn a_damaged_copy_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");
        assert!(kept(&path).is_empty());
        for damaged in
            ["", "{", "{\"keys\":[{\"kid\":\"x\",\"alg\":\"Ed25519\",\"public_key\":\"y\"}]}"]
        {
            std::fs::write(&path, damaged).unwrap();
            assert!(kept(&path).is_empty());
        }
    }
}
