//! Lines of a known place: what a gap left out, and what lies before the first ones.

use super::{Desk, Refused};
use crate::live::ask::{Query, bad_query};
use crate::live::files::known_by;
use crate::live::filter::LineFilter;
use crate::live::message::Form;
use crate::live::read::{self, Read, Wish};
use crate::live::span::Rest;
use crate::name::FileName;
use crate::source::Source;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use common::api_types::live::Of;
use common::serve::Problem;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of text after which an answer ends.
const ENOUGH: usize = 128 << 10;
/// Longest search.
const LONGEST: Duration = Duration::from_millis(500);

/// Which lines.
#[derive(Debug, Clone, Copy)]
enum Stretch {
    Between(u64, u64),
    Before(u64, u32),
}

pub(super) async fn lines(
    State(desk): State<Arc<Desk>>,
    Path(instance): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let known =
        ["source", "file", "generation", "from", "to", "before", "lines", "grep", "invert", "case"];
    let query = Query::parse(uri.query(), &known, &[]);
    let query = query.map_err(|problem| desk.refuse(problem))?;
    let guest = desk.guest(&headers, &instance).await?;
    let _place = desk.place(&guest)?;
    let stretch = match (query.number("from")?, query.number("to")?, query.number("before")?) {
        (Some(from), Some(to), None) if from <= to => Stretch::Between(from, to),
        (None, None, Some(before)) => Stretch::Before(before, query.lines()?),
        _ => return Err(bad_query("give `from` and `to`, or `before`").into()),
    };
    let name = query.get("file").map(FileName::parse_shown).transpose();
    let name =
        name.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_file", error.to_string()))?;
    let source = query.get("source");
    let fits = |f: &crate::live::files::Listed| match (source, &name) {
        (Some(source), None) => known_by(&f.source) == source,
        (None, Some(name)) => FileName::parse_shown(&f.file).is_ok_and(|n| n == *name),
        _ => false,
    };
    if source.is_some() == name.is_some() {
        return Err(bad_query("give `source` or `file`, one of both").into());
    }
    let file = desk.file(&guest, fits, |access, file| access.reads(file))?;
    let filter = query.filter()?;
    let generation = query.number("generation")?.unwrap_or_else(|| file.source.generation());
    let of = Of { source: known_by(&file.source), file: file.file.to_string(), generation };
    let source = file.source.clone();
    let read = desk.room.blocking(move || stretch_of(&source, &of, &filter, stretch)).await;
    match read {
        Ok(Some(body)) => {
            let head = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
            Ok((head, body).into_response())
        }
        Ok(None) => {
            let detail = "the file was truncated since: these lines are not there any more";
            Err(desk.refuse(Problem::new(StatusCode::GONE, "truncated", detail)))
        }
        Err(error) => {
            let detail = format!("the file cannot be read: {error}");
            Err(desk.refuse(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unreadable", detail)))
        }
    }
}

/// The answer; None if that generation is no more.
fn stretch_of(
    source: &Source,
    of: &Of,
    filter: &LineFilter,
    stretch: Stretch,
) -> io::Result<Option<String>> {
    let begun = Instant::now();
    let len = source.len();
    let (from, to) = match stretch {
        Stretch::Between(from, to) => (from.min(len), to.min(len)),
        Stretch::Before(before, lines) => {
            let before = before.min(len);
            let most = ENOUGH as u64;
            (read::last_lines(source, before, lines, most, filter)?.offset, before)
        }
    };
    let Some(first) = read::at(source, of.generation, from)? else { return Ok(None) };
    let (mut spot, mut frames, mut size) = (first, Vec::new(), 0);
    // looking back, what was found is given whole: it was bounded then
    let whole = matches!(stretch, Stretch::Before(..));
    while spot.offset() < to && (whole || (size < ENOUGH && begun.elapsed() < LONGEST)) {
        // what has no end before the stretch does is given as it is
        let wish = Wish { of, filter, form: Form::Json, rest: Rest::Open, until: to };
        match read::read(source, &spot, &wish)? {
            Read::Chunk(chunk) => {
                spot = chunk.after;
                if chunk.lines > 0 {
                    size += chunk.encoded.bytes().len();
                    frames.push(chunk);
                }
            }
            Read::Hole { after } => spot = after,
            Read::Dry { .. } => break,
            Read::Restart => return Ok(None),
        }
    }
    let mut body = format!("{{\"offset\":{from},\"next\":{},\"items\":[", spot.offset());
    for (n, frame) in frames.iter().enumerate() {
        if n > 0 {
            body.push(',');
        }
        body.push_str(&String::from_utf8_lossy(frame.encoded.bytes()));
    }
    body.push_str("]}\n");
    Ok(Some(body))
}
