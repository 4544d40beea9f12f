//! One viewer over WebSocket, from its upgrade to its end.

use super::tail::expiry;
use super::{Desk, Guest, Refused};
use crate::live::ask::Query;
use crate::live::figures::Counts;
use crate::live::filter::LineFilter;
use crate::live::limits::Place;
use crate::live::message::{Encoded, Form, bare, encode};
use crate::live::viewer::{Asked, Out, Viewer};
use axum::Error;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use common::api_types::live::{Ask, Filter, Frame, PROTOCOL};
use common::moment::Moment;
use common::serve::Problem;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Largest frame that a viewer may send: a ticket fits.
const LARGEST: usize = 48 << 10;
/// Bytes of the buffer for what viewers say, which is little.
const HEARS: usize = 4 << 10;
/// For the first frame.
const FIRST: Duration = Duration::from_secs(5);
/// Between two pings, and without any word after which a viewer is gone.
const PING: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(60);
/// Who takes nothing for so long is cut off.
const STALL: Duration = Duration::from_secs(60);
/// For the last word.
const LAST: Duration = Duration::from_secs(2);
/// Frames that a viewer may say at once, and in a second in the long run.
const SAYS: f64 = 20.0;
const SAYS_A_SECOND: f64 = 5.0;

pub(super) async fn stream(
    State(desk): State<Arc<Desk>>,
    Path(instance): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    let query = Query::parse(uri.query(), &["lines", "grep", "invert", "case"], &["file", "from"]);
    let query = query.map_err(|problem| desk.refuse(problem))?;
    desk.same_place(&headers)?;
    let upgrade = upgrade.map_err(|error| {
        let detail = format!("this is for WebSocket; `tail` is for text: {}", error.body_text());
        desk.refuse(Problem::new(StatusCode::UPGRADE_REQUIRED, "websocket_wanted", detail))
    })?;
    let wish = Wish {
        wanted: query.wanted()?,
        filter: query.filter()?,
        lines: query.lines()?,
        from: query.from()?,
    };
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(HEARS)
        .write_buffer_size(0)
        .max_write_buffer_size(1 << 20)
        .max_message_size(LARGEST)
        .max_frame_size(LARGEST);
    if crate::live::access::shown(&headers).is_some() {
        let guest = desk.guest(&headers, &instance).await?;
        let place = desk.place(&guest)?;
        let tracked = desk.viewers.token();
        return Ok(upgrade.on_upgrade(|socket| async move {
            Session::new(desk, socket).watch(guest, place, wish).await;
            drop(tracked);
        }));
    }
    let Ok(stranger) = desk.strangers.clone().try_acquire_owned() else {
        let detail = "too many viewers have not shown their tickets yet; try again in a while";
        let status = StatusCode::TOO_MANY_REQUESTS;
        return Err(desk.refuse(Problem::new(status, "too_many_viewers", detail)));
    };
    let tracked = desk.viewers.token();
    Ok(upgrade.on_upgrade(|socket| async move {
        let mut session = Session::new(desk, socket);
        if let Some((guest, place)) = session.ask(&instance).await {
            drop(stranger);
            session.watch(guest, place, wish).await;
        }
        drop(tracked);
    }))
}

/// What is asked for in the query.
struct Wish {
    wanted: crate::live::files::Wanted,
    filter: LineFilter,
    lines: u32,
    from: Vec<crate::live::viewer::From>,
}

struct Session {
    desk: Arc<Desk>,
    socket: WebSocket,
    heard: Instant,
    pinged: Instant,
    /// Frames that may still be said, and since when that was reckoned.
    says: (f64, Instant),
    paused: bool,
}

/// What happened.
enum Happened {
    Stop,
    Expired,
    Heard(Option<Result<Message, Error>>),
    Tick,
    Out(Option<Out>),
}

/// Why a stream ends: the code, and in words; None if nobody is there to tell.
type End = Option<(String, String)>;

fn end(why: &str, detail: &str) -> End {
    Some((why.to_owned(), detail.to_owned()))
}

impl Session {
    fn new(desk: Arc<Desk>, socket: WebSocket) -> Self {
        let now = Instant::now();
        Self { desk, socket, heard: now, pinged: now, says: (SAYS, now), paused: false }
    }

    /// Asks for the ticket.
    async fn ask(&mut self, instance: &str) -> Option<(Guest, Place)> {
        let first = self.desk.stop.run_until_cancelled(timeout(FIRST, self.socket.recv())).await;
        let ticket = match first {
            Some(Ok(Some(Ok(Message::Text(text))))) => match serde_json::from_str(&text) {
                Ok(Ask::Ticket { ticket }) => ticket,
                _ => String::new(),
            },
            Some(Ok(None | Some(Err(_)))) => return None,
            _ => String::new(),
        };
        if ticket.is_empty() {
            self.desk.room.counts.refuse("ticket_missing");
            self.end(end("ticket_missing", "the first frame must be the ticket")).await;
            return None;
        }
        let guest = self.desk.with_ticket(&ticket, instance).await;
        let let_in = guest.and_then(|guest| self.desk.place(&guest).map(|place| (guest, place)));
        match let_in {
            Ok(let_in) => Some(let_in),
            Err(Refused(problem)) => {
                self.end(Some((problem.code, problem.detail))).await;
                None
            }
        }
    }

    /// Shows what was asked for until the end.
    async fn watch(mut self, guest: Guest, place: Place, wish: Wish) {
        let expires = guest.access.expires();
        let asked = Asked {
            instance: guest.instance,
            wanted: wish.wanted,
            access: guest.access,
            filter: Arc::new(wish.filter),
            lines: wish.lines,
            from: wish.from,
            form: Form::Json,
            follow: true,
        };
        Counts::add(&self.desk.room.counts.opened, 1);
        let viewer = Viewer::new(self.desk.room.clone(), asked);
        let why = self.converse(viewer, expires).await;
        self.end(why).await;
        drop(place);
    }

    async fn converse(&mut self, mut viewer: Viewer, expires: Moment) -> End {
        let mut ticks = interval(PING / 4);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.desk.stop.clone();
        let mut expired = std::pin::pin!(expiry(expires));
        loop {
            let happened = tokio::select! {
                biased;
                () = stop.cancelled() => Happened::Stop,
                () = &mut expired => Happened::Expired,
                heard = self.socket.recv() => Happened::Heard(heard),
                _ = ticks.tick() => Happened::Tick,
                out = viewer.next(), if !self.paused => Happened::Out(out),
            };
            let done = match happened {
                Happened::Stop => Err(end("stopping", "this log-agent stops; connect again soon")),
                Happened::Expired => {
                    Err(end("expired", "the ticket has expired; ask for a new one"))
                }
                Happened::Heard(heard) => self.heard(heard, &mut viewer, expires).await,
                Happened::Tick => self.tick(expires).await,
                // the viewer has said why
                Happened::Out(None) => Err(end("", "")),
                Happened::Out(Some(out)) => self.show(out, expires).await,
            };
            if let Err(why) = done {
                return why;
            }
        }
    }

    /// Sends lines.
    async fn show(&mut self, out: Out, expires: Moment) -> Result<(), End> {
        let bytes = out.encoded.bytes().len() as u64;
        let Encoded::Json(text) = out.encoded else { return Ok(()) };
        self.send(Message::Text(text), expires).await?;
        let counts = &self.desk.room.counts;
        Counts::add(&counts.frames, 1);
        Counts::add(&counts.lines, out.lines.into());
        Counts::add(&counts.bytes, bytes);
        Ok(())
    }

    /// Sends, as long as the viewer takes it and may have it.
    async fn send(&mut self, message: Message, expires: Moment) -> Result<(), End> {
        let stop = self.desk.stop.clone();
        tokio::select! {
            biased;
            sent = timeout(STALL, self.socket.send(message)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(None),
                Err(_) => {
                    self.desk.room.counts.refuse("too_slow");
                    Err(end("too_slow", "nothing was taken for a minute"))
                }
            },
            () = stop.cancelled() => Err(end("stopping", "this log-agent stops; connect again soon")),
            () = expiry(expires) => Err(end("expired", "the ticket has expired; ask for a new one")),
        }
    }

    async fn tick(&mut self, expires: Moment) -> Result<(), End> {
        let now = Instant::now();
        if now.duration_since(self.heard) >= SILENCE {
            self.desk.room.counts.refuse("silent");
            return Err(None);
        }
        if now.duration_since(self.pinged) < PING {
            return Ok(());
        }
        self.pinged = now;
        self.send(Message::Ping(bytes::Bytes::new()), expires).await
    }

    /// Does what the viewer says.
    async fn heard(
        &mut self,
        heard: Option<Result<Message, Error>>,
        viewer: &mut Viewer,
        expires: Moment,
    ) -> Result<(), End> {
        let message = match heard {
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                tracing::debug!("a viewer's connection broke: {error}");
                return Err(None);
            }
            None => return Err(None),
        };
        self.heard = Instant::now();
        if !self.may_say() {
            self.desk.room.counts.refuse("too_many_frames");
            return Err(end("too_many_frames", "too many frames were said at once"));
        }
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Err(None),
            // answered by the protocol
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Binary(_) => {
                return self.refuse("bad_frame", "frames are JSON texts", expires).await;
            }
        };
        match serde_json::from_str(&text) {
            Ok(Ask::Pause {}) => self.paused = true,
            Ok(Ask::Resume { at_end }) => {
                self.paused = false;
                viewer.resume(at_end);
            }
            Ok(Ask::Filter { grep, invert, case, lines }) => {
                match LineFilter::new(Filter { grep, invert, case }) {
                    Ok(filter) => viewer.filter(Arc::new(filter), lines),
                    Err(error) => {
                        return self.refuse("bad_filter", &error.to_string(), expires).await;
                    }
                }
            }
            Ok(Ask::Ticket { .. }) => {
                return self.refuse("bad_frame", "the ticket was shown", expires).await;
            }
            Err(error) => return self.refuse("bad_frame", &error.to_string(), expires).await,
        }
        Ok(())
    }

    fn may_say(&mut self) -> bool {
        let now = Instant::now();
        let since = now.duration_since(self.says.1).as_secs_f64();
        self.says = ((self.says.0 + since * SAYS_A_SECOND).min(SAYS) - 1.0, now);
        self.says.0 >= 0.0
    }

    async fn refuse(&mut self, code: &str, detail: &str, expires: Moment) -> Result<(), End> {
        self.desk.room.counts.refuse(code);
        let frame = Frame::Refused { code: code.to_owned(), detail: detail.to_owned() };
        match encode(&bare(frame), Form::Json) {
            Some(Encoded::Json(text)) => self.send(Message::Text(text), expires).await,
            _ => Ok(()),
        }
    }

    /// The last word.
    async fn end(&mut self, why: End) {
        let Some((why, detail)) = why else { return };
        let told = encode(&bare(Frame::End { why: why.clone(), detail }), Form::Json);
        let code = match why.as_str() {
            "" => close_code::NORMAL,
            "stopping" => close_code::AWAY,
            _ => close_code::POLICY,
        };
        let last = async {
            if let (false, Some(Encoded::Json(text))) = (why.is_empty(), told) {
                self.socket.send(Message::Text(text)).await?;
            }
            let close = CloseFrame { code, reason: why.as_str().into() };
            self.socket.send(Message::Close(Some(close))).await?;
            // the other side's own word; without it the system may throw away what it has not read
            while let Some(Ok(_)) = self.socket.recv().await {}
            Ok::<(), Error>(())
        };
        if let Ok(Err(error)) = timeout(LAST, last).await {
            tracing::debug!("a viewer did not take the last word: {error}");
        }
    }
}
