//! What the bus has told from the first event on, and what must be true of it whatever happened.

use anyhow::{Context, Result, ensure};
use e2e::centre::Centre;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// For what has to come soon.
pub const SOON: Duration = Duration::from_secs(15);

/// Every event from the first to the head of this moment.
pub fn all(centre: &Centre) -> Result<Vec<Value>> {
    let epoch = epoch(centre)?;
    let sse = centre.follow("all", &format!("{epoch}:0"))?;
    let mut events = Vec::new();
    loop {
        let frame = sse.next(SOON)?.context("the stream ended")?;
        match frame.kind.as_str() {
            // told once everything before it was
            "heartbeat" => return Ok(events),
            "closed" => anyhow::bail!("{}", frame.data),
            _ => events.push(frame.data),
        }
    }
}

/// The store's epoch.
pub fn epoch(centre: &Centre) -> Result<String> {
    let snapshot = centre.json("/v1/snapshot?topics=all")?;
    let cursor = snapshot["cursor"].as_str().context("no cursor")?;
    Ok(cursor.split(':').next().unwrap_or_default().to_owned())
}

/// Numbers without gaps from 1, nothing told twice, and no end without a beginning.
pub fn check(events: &[Value]) -> Result<()> {
    for (at, event) in events.iter().enumerate() {
        ensure!(event["seq"] == at + 1, "number {} in place {}", event["seq"], at + 1);
    }
    let mut last: BTreeMap<String, &Value> = BTreeMap::new();
    for event in events {
        let key = format!("{} {}", kind(event), event["subject"]);
        let gone = event["type"] == "instance_gone";
        let before = last.get(&key);
        if let Some(before) = before {
            ensure!(
                before["type"] != event["type"] || before["payload"] != event["payload"],
                "told twice: {before} and {event}"
            );
        }
        ensure!(
            !gone || before.is_some_and(|b| b["type"] != "instance_gone"),
            "ends without a life: {event}"
        );
        last.insert(key, event);
    }
    Ok(())
}

fn kind(event: &Value) -> &str {
    let name = event["type"].as_str().unwrap_or_default();
    match name {
        "health_changed" => "instance",
        _ => name.split('_').next().unwrap_or_default(),
    }
}

/// Keys of the instances that a follower of these events has at the end.
pub fn living(events: &[Value]) -> Vec<String> {
    let mut living: BTreeMap<String, bool> = BTreeMap::new();
    for event in events.iter().filter(|e| kind(e) == "instance") {
        let subject = event["subject"].as_str().unwrap_or_default().to_owned();
        living.insert(subject, event["type"] != "instance_gone");
    }
    living.into_iter().filter_map(|(key, alive)| alive.then_some(key)).collect()
}

/// Keys of the instances that a snapshot has.
pub fn listed(centre: &Centre) -> Result<Vec<String>> {
    let snapshot = centre.json("/v1/snapshot?topics=all")?;
    let keys = snapshot["instances"].as_array().context("no instances")?.iter();
    Ok(keys.filter_map(|i| i["key"].as_str().map(str::to_owned)).collect())
}
