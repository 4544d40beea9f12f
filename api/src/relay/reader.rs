//! One instance of a stream: connected to its node's log-agent, again and again until the instance has ended and everything was told.

use super::asked::{encoded, parameters};
use super::frame::{Peek, peek, tagged};
use super::hub::{Ground, end};
use super::outlet::Gone;
use super::places::Places;
use super::{FRAME, Say, count};
use common::api_types::Instance;
use common::api_types::live::{Frame, PROTOCOL};
use common::backoff::{Backoff, random};
use common::http::{self, Socket, Url};
use common::logging::Episode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Log-agents ping every 20 s: two missed, and a little.
const SILENCE: Duration = Duration::from_secs(50);
/// How long an instance that left the world may still have something to tell.
const GRACE: Duration = Duration::from_secs(30);
/// Before an agent is asked again that ended a stream because of its ticket: none may make us ask without end.
const BREATH: Duration = Duration::from_millis(250);
/// On a new connection, of files that are new since.
const NEW_FILES: u32 = 1_000;
/// Frames that are none, in a row, before the connection is given up.
const NONSENSE: u32 = 10;

pub(super) struct Reader {
    ground: Arc<Ground>,
    instance: Arc<Instance>,
    /// It has left the world.
    over: CancellationToken,
    places: Places,
    failing: Episode,
}

/// Why a connection is no more.
enum Broken {
    /// The log is at its end, in the agent's words.
    Over(Frame),
    /// The agent ended it and is to be asked again at once.
    Again,
    /// It cannot be read now.
    Away(String),
    /// The agent does not know it.
    Absent(String),
    /// Nobody wants it.
    Gone,
}

impl From<Gone> for Broken {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl Reader {
    pub(super) fn new(
        ground: Arc<Ground>,
        instance: Arc<Instance>,
        over: CancellationToken,
    ) -> Self {
        let failing = Episode::new("relaying logs of an instance");
        Self { ground, instance, over, places: Places::default(), failing }
    }

    /// Until its end, which it hands back, or until the viewer is gone.
    pub(super) async fn run(mut self) -> Option<Frame> {
        let began =
            Frame::Began { key: self.instance.key.clone(), node: self.instance.node.clone() };
        if self.ground.tell(&self.instance, began).await.is_err() {
            return None;
        }
        let mut backoff = Backoff::default();
        let mut told = String::new();
        let mut last_chance = None;
        loop {
            let read = self.connection(&mut backoff, &mut told).await;
            let why = match read {
                Broken::Gone => return None,
                Broken::Over(frame) => return Some(frame),
                Broken::Again => {
                    sleep(BREATH).await;
                    continue;
                }
                Broken::Absent(why) => {
                    // over, and unknown there: its files are not kept any more
                    if self.over.is_cancelled() {
                        last_chance = Some(Instant::now());
                    }
                    why
                }
                Broken::Away(why) => why,
            };
            if self.over.is_cancelled() {
                let until = *last_chance.get_or_insert_with(|| Instant::now() + GRACE);
                if Instant::now() >= until {
                    let detail =
                        format!("the instance has ended, and its log-agent cannot be read: {why}");
                    return Some(end("gone", &detail));
                }
            }
            if self.away(why, &mut backoff, &mut told).await.is_err() {
                return None;
            }
        }
    }

    /// Tells that nothing comes for now, once per reason, and waits.
    async fn away(
        &mut self,
        why: String,
        backoff: &mut Backoff,
        told: &mut String,
    ) -> Result<(), Gone> {
        count(&self.ground.inner.counts.away);
        self.failing.failed(&format!("{}: {why}", self.instance.key));
        let pause = backoff.failed(random());
        if *told != why {
            let retry_ms = u64::try_from(pause.as_millis()).ok();
            self.ground.tell(&self.instance, Frame::Away { detail: why.clone(), retry_ms }).await?;
            *told = why;
        }
        sleep(pause).await;
        Ok(())
    }

    /// One connection, from its first to its last frame.
    async fn connection(&mut self, backoff: &mut Backoff, told: &mut String) -> Broken {
        let mut heard = self.ground.say.borrow().clone();
        let (mut socket, said) = match self.connect(&heard).await {
            Ok(opened) => opened,
            Err(broken) => return broken,
        };
        count(&self.ground.inner.counts.connected);
        if let Err(broken) = said {
            return broken;
        }
        let mut say = self.ground.say.clone();
        let over = self.over.clone();
        let late = async move {
            over.cancelled().await;
            sleep_until(Instant::now() + GRACE).await;
        };
        tokio::pin!(late);
        let mut nonsense = 0;
        loop {
            tokio::select! {
                next = socket.next(SILENCE) => match next {
                    Err(error) => return Broken::Away(error.to_string()),
                    Ok(None) => return Broken::Away(format!("{}: the log-agent closed the connection", socket.url())),
                    Ok(Some(text)) => match peek(&text) {
                        Ok(frame) => {
                            nonsense = 0;
                            if let Err(broken) = self.pass(&text, &frame).await {
                                return broken;
                            }
                            self.failing.recovered();
                            backoff.worked();
                            told.clear();
                        }
                        Err(why) => {
                            count(&self.ground.inner.counts.foreign);
                            nonsense += 1;
                            if nonsense >= NONSENSE {
                                return Broken::Away(format!("{}: what comes is no frame of a log stream: {why}", socket.url()));
                            }
                        }
                    },
                },
                changed = say.changed() => {
                    if changed.is_err() {
                        return Broken::Gone;
                    }
                    let now = say.borrow_and_update().clone();
                    if let Err(error) = repeat(&mut socket, &now, &heard).await {
                        return Broken::Away(error.to_string());
                    }
                    heard = now;
                }
                () = &mut late => return Broken::Over(end("instance_ended", "the instance has ended")),
            }
        }
    }

    /// Opens one, with what the viewer has said so far.
    async fn connect(&self, heard: &Say) -> Result<(Socket, Result<(), Broken>), Broken> {
        let inner = &self.ground.inner;
        let living = inner.centre.read(|world| world.instance(&self.instance.key).cloned());
        let instance = living.as_ref().unwrap_or(&self.instance);
        let way = inner.way(instance).map_err(Broken::Away)?;
        let url = Url::parse(&way.base).map_err(|e| Broken::Away(e.to_string()))?;
        let url = url.at(&self.path(heard));
        let credential = inner.credential(&self.ground.caller, &instance.key);
        let credential = credential.map_err(Broken::Away)?;
        let opened = Socket::open(&url, PROTOCOL, Some(credential), &inner.options(FRAME)).await;
        let mut socket = opened.map_err(|error| match (error, way.care) {
            (error @ http::Error::Connect { .. }, Some(care)) => {
                Broken::Away(format!("{care}: {error}"))
            }
            (error, _) if error.status() == Some(404) => Broken::Absent(error.to_string()),
            (error, _) => Broken::Away(error.to_string()),
        })?;
        let said = repeat(&mut socket, heard, &heard.begun()).await;
        Ok((socket, said.map_err(|error| Broken::Away(error.to_string()))))
    }

    fn path(&self, heard: &Say) -> String {
        let wanted = &self.ground.wanted;
        let lines = if self.places.is_empty() { wanted.lines } else { NEW_FILES };
        let file = wanted.file.as_ref().map(|file| format!("&file={}", encoded(file)));
        format!(
            "/v1/logs/{}/stream?lines={lines}{}{}{}",
            encoded(&self.instance.key),
            file.unwrap_or_default(),
            parameters(&heard.filter),
            self.places.parameters()
        )
    }

    /// A frame on its way to the viewer.
    async fn pass(&mut self, text: &str, frame: &Peek) -> Result<(), Broken> {
        if frame.kind == "end" {
            return Err(match frame.why.as_str() {
                // of the centre's own ticket, or of this connection: nothing the viewer has to know
                "expired" => Broken::Again,
                "instance_ended" | "gone" => {
                    Broken::Over(end(&frame.why, "the instance has ended"))
                }
                why => Broken::Away(format!("the log-agent ended the stream: {why}")),
            });
        }
        let instance = self.instance.id.as_str();
        let Some(tagged) = tagged(text, frame, instance, self.ground.expires) else {
            count(&self.ground.inner.counts.foreign);
            return Ok(());
        };
        let counts = &self.ground.inner.counts;
        count(&counts.frames);
        counts.bytes.fetch_add(tagged.len() as u64, Ordering::Relaxed);
        self.ground.outlet.put(tagged).await?;
        self.places.told(frame);
        Ok(())
    }
}

async fn repeat(socket: &mut Socket, now: &Say, before: &Say) -> Result<(), http::Error> {
    for ask in now.since(before) {
        // names and numbers in structs: nothing of it can fail to print
        socket.say(serde_json::to_string(&ask).unwrap_or_default()).await?;
    }
    Ok(())
}
