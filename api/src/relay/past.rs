//! Without following: the last lines of each file of each instance, one after the other, and then the end.

use super::asked::{encoded, parameters};
use super::frame::{peek, tagged};
use super::hub::{Ground, end};
use super::outlet::Gone;
use super::{INSTANCES, Inner, Members, count};
use crate::access::Caller;
use common::api_types::live::{Frame, LogFile};
use common::api_types::{Instance, Page};
use common::http::{Request, Response, Url, header, send};
use common::serve::Problem;
use common::ticket::fits;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Most bytes of a list of files, and of one answer with lines.
const ANSWER: usize = 4 << 20;
/// Most files of an instance: what a page of the list has.
const FILES: usize = 256;
/// Most bytes of one file's lines, and most questions for them: a filter may fit nothing in a long file.
const OF_A_FILE: usize = 8 << 20;
const QUESTIONS: u32 = 64;

/// Lines of a known place, as a log-agent answers.
#[derive(Deserialize)]
struct Lines {
    /// The first byte they stand for.
    offset: u64,
    /// Frames of lines.
    items: Vec<Value>,
}

/// A list of an instance's files, whatever its status.
pub(super) async fn files(
    inner: &Inner,
    caller: &Caller,
    instance: &Instance,
    query: &str,
) -> Result<Response, String> {
    let path = format!("/v1/logs/{}/files{query}", encoded(&instance.key));
    ask(inner, caller, instance, &path).await
}

async fn ask(
    inner: &Inner,
    caller: &Caller,
    instance: &Instance,
    path: &str,
) -> Result<Response, String> {
    let way = inner.way(instance)?;
    let url = Url::parse(&way.base).map_err(|e| e.to_string())?.at(path);
    let credential = inner.credential(caller, &instance.key)?;
    let request = Request::get().header(header::AUTHORIZATION, credential);
    send(&url, &request, &inner.options(ANSWER)).await.map_err(|error| error.to_string())
}

/// The answer as what it is, or what it says instead.
fn read<T: serde::de::DeserializeOwned>(answer: &Response) -> Result<T, String> {
    if !answer.is_success() {
        return Err(match serde_json::from_slice::<Problem>(&answer.body) {
            Ok(problem) => format!("the log-agent answered {}: {}", answer.status, problem.detail),
            Err(_) => format!("the log-agent answered {}: {}", answer.status, answer.said()),
        });
    }
    serde_json::from_slice(&answer.body)
        .map_err(|e| format!("the log-agent's answer cannot be read: {e}"))
}

/// Tells it all.
pub(super) async fn show(ground: &Ground, members: Members) {
    let instances: Vec<Arc<Instance>> = match members {
        Members::One(instance) => vec![instance],
        Members::App(app, ended) => {
            let living: Vec<_> =
                ground.inner.centre.read(|world| world.of_app(&app).cloned().collect());
            ended.into_iter().chain(living).collect()
        }
    };
    for instance in instances.iter().take(INSTANCES) {
        if of_instance(ground, instance).await.is_err() {
            return;
        }
    }
    let last = match instances.len().saturating_sub(INSTANCES) {
        0 => end("complete", "everything was told"),
        n => end("incomplete", &format!("{n} more instances are left out; ask for one by its key")),
    };
    // the viewer may be gone: then nobody needs it
    ground.outlet.put(super::Piece::of(last).text).await.ok();
}

async fn of_instance(ground: &Ground, instance: &Instance) -> Result<(), Gone> {
    let began = Frame::Began { key: instance.key.clone(), node: instance.node.clone() };
    ground.tell(instance, began).await?;
    let listed = files(&ground.inner, &ground.caller, instance, &format!("?limit={FILES}")).await;
    let page = match listed.and_then(|answer| read::<Page<LogFile>>(&answer)) {
        Ok(page) => page,
        Err(why) => return ground.tell(instance, end("failed", &why)).await,
    };
    let wanted = |file: &LogFile| {
        ground.wanted.file.as_ref().is_none_or(|glob| *glob == file.file || fits(glob, &file.file))
    };
    let mut failed = None;
    for file in page.items.iter().filter(|file| file.size > 0 && wanted(file)) {
        match of_file(ground, instance, file).await {
            Ok(frames) => {
                for frame in frames {
                    ground.outlet.put(frame).await?;
                }
            }
            Err(why) => failed = Some(format!("{}: {why}", file.file)),
        }
    }
    let last = match (failed, page.next) {
        (Some(why), _) => end("failed", &why),
        (None, Some(_)) => {
            end("incomplete", &format!("only its first {FILES} files were looked at"))
        }
        (None, None) => end("complete", "everything was told"),
    };
    ground.tell(instance, last).await
}

/// The frames of a file's last lines, in order: asked for from its end backwards, until there are enough.
async fn of_file(
    ground: &Ground,
    instance: &Instance,
    file: &LogFile,
) -> Result<Vec<String>, String> {
    let mut pieces: Vec<Vec<String>> = Vec::new();
    let (mut before, mut lines, mut bytes) = (file.size, ground.wanted.lines, 0);
    for _ in 0..QUESTIONS {
        if lines == 0 || before == 0 || bytes >= OF_A_FILE {
            break;
        }
        let path = format!(
            "/v1/logs/{}/lines?source={}&generation={}&before={before}&lines={lines}{}",
            encoded(&instance.key),
            encoded(&file.source),
            file.generation,
            parameters(&ground.wanted.filter)
        );
        let answer = ask(&ground.inner, &ground.caller, instance, &path).await?;
        let found: Lines = read(&answer)?;
        if found.offset >= before {
            break;
        }
        before = found.offset;
        let mut frames = Vec::with_capacity(found.items.len());
        for item in found.items {
            let told = item.get("lines").and_then(Value::as_array).map_or(0, Vec::len);
            lines = lines.saturating_sub(u32::try_from(told).unwrap_or(u32::MAX));
            let text = item.to_string();
            let tag = |peek| tagged(&text, &peek, instance.id.as_str(), ground.expires);
            let Some(frame) = peek(&text).ok().and_then(tag) else {
                count(&ground.inner.counts.foreign);
                continue;
            };
            bytes += frame.len();
            frames.push(frame);
        }
        pieces.push(frames);
    }
    Ok(pieces.into_iter().rev().flatten().collect())
}
