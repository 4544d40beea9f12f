//! A file taken away, whole or one range of it: the bytes as they are, never shown by a browser.

use super::{Desk, Refused};
use crate::live::ask::{Part, Query, range};
use crate::live::figures::Counts;
use crate::name::FileName;
use crate::source::{Hold, Source};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use common::serve::Problem;
use futures_util::stream::unfold;
use std::io;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Bytes of one read.
const BLOCK: usize = 256 * 1_024;

pub(super) async fn download(
    State(desk): State<Arc<Desk>>,
    Path((instance, path)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let query = Query::parse(uri.query(), &[], &[]);
    query.map_err(|problem| desk.refuse(problem))?;
    let guest = desk.guest(&headers, &instance).await?;
    let name = FileName::parse_shown(&path);
    let name = name.map_err(|_| desk.refuse(Problem::not_found("no such file here")))?;
    let file = desk.file(
        &guest,
        |f| FileName::parse_shown(&f.file).is_ok_and(|n| n == name),
        |access, file| access.downloads(file),
    )?;
    let Ok(turn) = desk.downloads.clone().try_acquire_owned() else {
        let detail = "too many files are being taken away; try again in a while";
        let status = StatusCode::TOO_MANY_REQUESTS;
        return Err(desk.refuse(Problem::new(status, "too_many_downloads", detail)));
    };
    let len = file.source.len();
    // a range is only good for the file it was meant for, which cannot be told by a date of the container's making
    let wanted = headers.get(RANGE).filter(|_| !headers.contains_key(IF_RANGE));
    let part = range(wanted.and_then(|value| value.to_str().ok()), len);
    let (status, from, to) = match part {
        Part::Whole => (StatusCode::OK, 0, len),
        Part::Bytes(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Part::Nothing => {
            let detail = format!("the file has {len} bytes");
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            let problem = desk.refuse(Problem::new(status, "bad_range", detail));
            let mut response = problem.into_response();
            set(response.headers_mut(), CONTENT_RANGE.as_str(), &format!("bytes */{len}"));
            return Ok(response);
        }
    };
    Counts::add(&desk.room.counts.downloads, 1);
    let body = Taking {
        desk,
        hold: file.source.hold(),
        generation: file.source.generation(),
        from,
        to,
        _turn: turn,
    };
    let body = Body::from_stream(unfold(body, |body| async { body.more().await }));
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    set(headers, CONTENT_TYPE.as_str(), "application/octet-stream");
    set(headers, CONTENT_LENGTH.as_str(), &(to - from).to_string());
    set(headers, ACCEPT_RANGES.as_str(), "bytes");
    set(headers, CACHE_CONTROL.as_str(), "no-store");
    set(headers, CONTENT_SECURITY_POLICY.as_str(), "sandbox; default-src 'none'");
    set(headers, CONTENT_DISPOSITION.as_str(), &disposition(&name));
    if status == StatusCode::PARTIAL_CONTENT {
        set(headers, CONTENT_RANGE.as_str(), &format!("bytes {from}-{}/{len}", to - 1));
    }
    Ok(response)
}

/// A header of plain text.
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The name under which a browser keeps it: plain letters, and the whole name for those who understand it.
fn disposition(name: &FileName) -> String {
    let last = FileName::new(name.last()).map(|n| n.shown()).unwrap_or_default();
    let kept = |c: char| if c.is_ascii_alphanumeric() || "._-+=@~,".contains(c) { c } else { '_' };
    let plain: String = last.chars().map(kept).collect();
    format!("attachment; filename=\"{plain}\"")
}

/// A file on its way out.
struct Taking {
    desk: Arc<Desk>,
    hold: Hold,
    generation: u64,
    from: u64,
    to: u64,
    _turn: OwnedSemaphorePermit,
}

impl Taking {
    /// The next bytes. A file that was truncated meanwhile breaks the connection: what was promised is not there any more.
    async fn more(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if self.from >= self.to {
            return None;
        }
        let (source, from, to) = (self.hold.source().clone(), self.from, self.to);
        let generation = self.generation;
        let read = self.desk.room.blocking(move || block(&source, generation, from, to)).await;
        match read {
            Ok(bytes) => {
                self.from += bytes.len() as u64;
                Counts::add(&self.desk.room.counts.download_bytes, bytes.len() as u64);
                Some((Ok(bytes), self))
            }
            Err(error) => {
                self.from = self.to;
                Some((Err(error), self))
            }
        }
    }
}

fn block(source: &Source, generation: u64, from: u64, to: u64) -> io::Result<Bytes> {
    let len = usize::try_from(to - from).unwrap_or(BLOCK).min(BLOCK);
    let mut buf = vec![0; len];
    let got = source.read_at(from, &mut buf)?;
    if got == 0 || source.generation() != generation {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was truncated"));
    }
    buf.truncate(got);
    Ok(buf.into())
}
