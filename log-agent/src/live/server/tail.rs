//! The last lines as plain text, and what comes, for `curl`.

use super::{Desk, Refused};
use crate::live::ask::Query;
use crate::live::figures::Counts;
use crate::live::limits::Place;
use crate::live::message::{Form, bare, encode};
use crate::live::viewer::{Asked, Viewer};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use common::api_types::live::Frame;
use common::moment::Moment;
use futures_util::stream::unfold;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn tail(
    State(desk): State<Arc<Desk>>,
    Path(instance): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let known = ["lines", "grep", "invert", "case", "follow", "raw"];
    let query = Query::parse(uri.query(), &known, &["file"]);
    let query = query.map_err(|problem| desk.refuse(problem))?;
    let guest = desk.guest(&headers, &instance).await?;
    let place = desk.place(&guest)?;
    let expires = guest.access.expires();
    let asked = Asked {
        instance: guest.instance,
        wanted: query.wanted()?,
        access: guest.access,
        filter: Arc::new(query.filter()?),
        lines: query.lines()?,
        from: Vec::new(),
        form: if query.switch("raw", false)? { Form::Raw } else { Form::Text },
        follow: query.switch("follow", false)?,
    };
    Counts::add(&desk.room.counts.opened, 1);
    let viewer = Viewer::new(desk.room.clone(), asked);
    let tailing = Tailing { desk, viewer, expires, over: false, _place: place };
    let body = unfold(tailing, |tailing| async { tailing.more().await });
    let head = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
    ];
    Ok((head, Body::from_stream(body)).into_response())
}

struct Tailing {
    desk: Arc<Desk>,
    viewer: Viewer,
    expires: Moment,
    over: bool,
    _place: Place,
}

impl Tailing {
    /// The next lines.
    async fn more(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.over {
            return None;
        }
        let said = tokio::select! {
            biased;
            () = self.desk.stop.cancelled() => Err("this log-agent stops"),
            () = expiry(self.expires) => Err("the ticket has expired"),
            out = self.viewer.next() => Ok(out?),
        };
        let bytes = match said {
            Ok(out) => {
                let counts = &self.desk.room.counts;
                Counts::add(&counts.frames, 1);
                Counts::add(&counts.lines, out.lines.into());
                out.encoded.bytes().to_vec()
            }
            Err(why) => {
                self.over = true;
                let end = Frame::End { why: String::new(), detail: why.to_owned() };
                let end = encode(&bare(end), Form::Text);
                end.map(|end| end.bytes().to_vec()).unwrap_or_default()
            }
        };
        Counts::add(&self.desk.room.counts.bytes, bytes.len() as u64);
        Some((Ok(bytes.into()), self))
    }
}

/// Waits until a moment by the wall clock, which may jump.
pub(super) async fn expiry(expires: Moment) {
    loop {
        let left = expires.since(Moment::now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
    }
}
