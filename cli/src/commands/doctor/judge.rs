//! What is thought of what the centre says. Pure.

use crate::render::findings::{Finding, Severity};
use crate::render::words::{ago, count};
use common::api_types::{Agent, AgentState, NodeStatus};
use common::moment::Moment;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A clock further off than this makes ages and charts wrong.
const SKEW_LESS: Duration = Duration::from_secs(3);
/// Further off than this, tokens and tickets end too early or too late.
const SKEW_BAD: Duration = Duration::from_secs(30);
/// Most agents or clusters told one by one.
const TOLD: usize = 20;

/// The centre's clock against this one's. `date` has whole seconds, and was written between the two times.
pub fn clock(date: Option<&str>, before: Moment, after: Moment) -> Finding {
    let Some(theirs) = date.and_then(http_date) else {
        return Finding::new(Severity::Less, "clock", "the centre does not tell its time");
    };
    let latest = theirs.after(Duration::from_secs(1));
    let off = before.since(latest).max(theirs.since(after));
    let text = if off.is_zero() {
        "the same as the centre's".to_owned()
    } else {
        let seconds = off.as_secs_f64();
        let side = if theirs > after { "behind" } else { "ahead of" };
        format!("this one is at least {seconds:.1} s {side} the centre's: set both by NTP")
    };
    let severity = match off {
        off if off > SKEW_BAD => Severity::Bad,
        off if off > SKEW_LESS => Severity::Less,
        _ => Severity::Fine,
    };
    Finding::new(severity, "clock", text)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Moment> {
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.split_once(", ")?;
    let [day, month, year, time, "GMT"] = rest.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let month = 1 + months.iter().position(|m| *m == month)?;
    Moment::parse(&format!("{year}-{month:02}-{day}T{time}Z"))
}

/// Another version's against this program's.
pub fn version(whose: &str, version: &str) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    if version == own {
        return Finding::new(Severity::Fine, "version", format!("{whose} and this program: {own}"));
    }
    let text = format!("{whose} is {version}, this program {own}: bring both to the same");
    Finding::new(Severity::Less, "version", text)
}

/// Who this token is.
pub fn me(me: &Value, now: Moment) -> Finding {
    let text = |key| me.get(key).and_then(Value::as_str);
    let name = text("name").or_else(|| text("actor")).unwrap_or("unknown");
    let role = text("role").unwrap_or("unknown");
    let ends = text("expires").and_then(Moment::parse);
    let told = format!("{name}, {role}");
    match ends {
        Some(end) if end.since(now) < Duration::from_secs(3 * 86_400) => {
            let text = format!(
                "{told}; it ends in {}: make another with `qae token create`",
                ago(now, end)
            );
            Finding::new(Severity::Less, "token", text)
        }
        _ => Finding::new(Severity::Fine, "token", told),
    }
}

/// Silent and degraded agents, and agents of several versions.
pub fn nodes(items: &[Value], now: Moment) -> Vec<Finding> {
    let nodes: Vec<NodeStatus> =
        items.iter().filter_map(|i| NodeStatus::deserialize(i).ok()).collect();
    if nodes.is_empty() {
        let text =
            "no agent has reported yet: start dadvisor on a host, with [api] in its qae.toml";
        return vec![Finding::new(Severity::Less, "nodes", text)];
    }
    let mut out = Vec::new();
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for status in &nodes {
        for agent in &status.node.agents {
            *versions.entry(&agent.version).or_default() += 1;
            out.extend(trouble(status, agent, now));
        }
    }
    if out.is_empty() {
        let text = format!("{}, all agents report", count(nodes.len(), "node"));
        out.push(Finding::new(Severity::Fine, "nodes", text));
    }
    let more = out.len().saturating_sub(TOLD);
    out.truncate(TOLD);
    if more > 0 {
        let text = format!("{more} more agents in trouble: `qae nodes`");
        out.push(Finding::new(Severity::Less, "nodes", text));
    }
    if versions.len() > 1 {
        let each: Vec<_> = versions.iter().map(|(v, n)| format!("{v} ({n})")).collect();
        let text = format!("agents of several versions: {}", each.join(", "));
        out.push(Finding::new(Severity::Less, "version", text));
    } else if let Some((one, _)) = versions.iter().next() {
        out.push(version("every agent", one));
    }
    out
}

fn trouble(status: &NodeStatus, agent: &Agent, now: Moment) -> Option<Finding> {
    let (node, name) = (&status.node.name, &agent.name);
    let text = match agent.state {
        _ if agent.silent => {
            let seen = status.last_seen.map_or_else(String::new, |at| {
                format!(", last heard of the node {} ago", ago(at, now))
            });
            format!("{name} on {node} is silent{seen}: see its log there")
        }
        AgentState::Degraded => format!("{name} on {node} works without something: {}", agent.note),
        AgentState::Running | AgentState::Stopping => return None,
    };
    Some(Finding::new(Severity::Less, "nodes", text))
}

/// Schedulers that do not answer.
pub fn clusters(items: &[Value], now: Moment) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut well = 0;
    for item in items {
        let text = |key| item.get(key).and_then(Value::as_str).unwrap_or("");
        if text("state") == "following" {
            well += 1;
            continue;
        }
        let seen = Moment::parse(text("last_seen"))
            .map_or_else(String::new, |at| format!(", last heard of {} ago", ago(at, now)));
        let (name, state, detail) = (text("name"), text("state"), text("detail"));
        out.push(Finding::new(
            if state == "away" { Severity::Bad } else { Severity::Less },
            "clusters",
            format!("{name} ({}) is {state}{seen}: {detail}", text("kind")),
        ));
    }
    out.truncate(TOLD);
    if out.is_empty() && well > 0 {
        out.push(Finding::new(
            Severity::Fine,
            "clusters",
            format!("{}, followed", count(well, "cluster")),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Moment {
        Moment::parse(text).unwrap()
    }

    #[test]
    fn a_clock_is_right_within_what_can_be_told() {
        let now = at("1994-11-06T08:49:37.900Z");
        let judged = |date| clock(Some(date), now, now.after(Duration::from_millis(50))).severity;
        assert_eq!(judged("Sun, 06 Nov 1994 08:49:37 GMT"), Severity::Fine);
        assert_eq!(judged("Sun, 06 Nov 1994 08:49:39 GMT"), Severity::Fine);
        assert_eq!(judged("Sun, 06 Nov 1994 08:49:30 GMT"), Severity::Less);
        assert_eq!(judged("Sun, 06 Nov 1994 09:49:30 GMT"), Severity::Bad);
        assert_eq!(judged("yesterday"), Severity::Less);
        let text = clock(Some("Sun, 06 Nov 1994 08:50:37 GMT"), now, now).text;
        assert_eq!(text, "this one is at least 59.1 s behind the centre's: set both by NTP");
    }

    #[test]
    fn agents_in_trouble_are_named() {
        let now = at("2026-01-13T12:00:00Z");
        let agent = |name: &str, silent: bool| json!({"name": name, "version": "0.0.9", "address": "", "silent": silent});
        let items = [
            json!({"name": "n1", "dc": "d", "silent": false, "last_seen": "2026-01-13T11:59:00Z", "instances": 0,
                "agents": [agent("dadvisor", true)]}),
            json!({"name": "n2", "dc": "d", "silent": false, "last_seen": null, "instances": 0,
                "agents": [agent("dadvisor", false)]}),
        ];
        let found = nodes(&items, now);
        assert_eq!(
            found[0].text,
            "dadvisor on n1 is silent, last heard of the node 1m00s ago: see its log there"
        );
        assert!(found[1].text.starts_with("every agent is 0.0.9"), "{found:?}");
        assert_eq!(nodes(&[], now)[0].severity, Severity::Less);
        let many: Vec<_> = (0..50).map(|_| items[0].clone()).collect();
        assert_eq!(nodes(&many, now).len(), TOLD + 2);
    }

    #[test]
    fn clusters_and_tokens() {
        let now = at("2026-01-13T12:00:00Z");
        let found = clusters(
            &[json!({"name": "m", "kind": "marathon", "state": "away", "detail": "refused"})],
            now,
        );
        assert_eq!(
            (found[0].severity, found[0].text.as_str()),
            (Severity::Bad, "m (marathon) is away: refused")
        );
        assert_eq!(clusters(&[json!({"state": "following"})], now)[0].text, "1 cluster, followed");
        let ending = json!({"name": "ci", "role": "viewer", "expires": "2026-01-13T13:00:00Z"});
        assert!(me(&ending, now).text.starts_with("ci, viewer; it ends in 1h00m"));
        assert_eq!(
            me(&json!({"name": "a", "role": "admin", "expires": null}), now).severity,
            Severity::Fine
        );
    }
}
