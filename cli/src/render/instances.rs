//! Instances. Pure.

use super::{Cell, Ink, Paint, Table, words};
use common::api_types::{Backend, Exit, Instance, InstanceState};
use common::container::Health;
use common::moment::Moment;

/// One line per instance.
pub fn list(instances: &[Instance], now: Moment, paint: Paint) -> String {
    let mut table =
        Table::new(["INSTANCE", "APP", "NODE", "STATE", "SINCE", "RST", "BACKENDS", "EXIT"]);
    for i in instances {
        let (state, ink) = state(i.state, i.health);
        let since = if i.state == InstanceState::Ended { i.ended_at } else { i.started_at };
        table.line([
            Cell::new(i.id.as_str()),
            Cell::new(i.app.as_str()),
            Cell::maybe(i.node.as_ref().map(|n| n.as_str())),
            Cell::new(state).ink(ink),
            Cell::figure(words::maybe_ago(since, now)),
            Cell::figure(i.restarts),
            Cell::new(backends(&i.backends)),
            Cell::maybe(i.exit.as_ref().map(exit)),
        ]);
    }
    table.print(paint)
}

/// State and health in one word.
pub fn state(state: InstanceState, health: Health) -> (&'static str, Ink) {
    match (state, health) {
        (InstanceState::Running, Health::Healthy) => ("healthy", Ink::Good),
        (InstanceState::Running, Health::Unhealthy) => ("unhealthy", Ink::Bad),
        (InstanceState::Running, Health::Unknown) => ("running", Ink::Plain),
        (InstanceState::Staging, _) => ("staging", Ink::Care),
        (InstanceState::Starting, _) => ("starting", Ink::Care),
        (InstanceState::Stopping, _) => ("stopping", Ink::Care),
        (InstanceState::Unreachable, _) => ("unreachable", Ink::Bad),
        (InstanceState::Ended, _) => ("ended", Ink::Dim),
    }
}

/// `10.0.0.7:31000>80, 10.0.0.7:31001`; the first three.
fn backends(of: &[Backend]) -> String {
    let one = |b: &Backend| {
        let host =
            if b.address.contains(':') { format!("[{}]", b.address) } else { b.address.clone() };
        let inside = b.container_port.map_or_else(String::new, |p| format!(">{p}"));
        format!("{host}:{}{inside}", b.port)
    };
    let mut shown: Vec<String> = of.iter().take(3).map(one).collect();
    if of.len() > 3 {
        shown.push(format!("{} more", of.len() - 3));
    }
    shown.join(", ")
}

/// `0`, `137, out of memory`, `TASK_FAILED`.
pub fn exit(exit: &Exit) -> String {
    let mut parts = Vec::new();
    parts.extend(exit.code.map(|code| code.to_string()));
    if exit.oom {
        parts.push("out of memory".to_owned());
    }
    // the engine's word for a plain end says nothing beside its code
    parts.extend(exit.reason.clone().filter(|word| word != "exited" || exit.code.is_none()));
    parts.join(", ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use common::ids::{AppId, InstanceId, NodeName};

    pub(crate) fn instance(id: &str, state: InstanceState) -> Instance {
        let (key, app) = (format!("local/n1/{id}"), AppId::new("shop/web"));
        let place = ("dc1", "local");
        Instance {
            node: Some(NodeName::new("n1")),
            started_at: Some(Moment::from_unix_ms(1_000)),
            ..Instance::new(key, InstanceId::new(id), app, place, state)
        }
    }

    #[test]
    fn ends_in_few_words() {
        let end = |code, reason: Option<&str>, oom| {
            exit(&Exit { code, reason: reason.map(str::to_owned), oom })
        };
        assert_eq!(end(Some(3), Some("exited"), false), "3");
        assert_eq!(end(Some(137), Some("killed"), true), "137, out of memory, killed");
        assert_eq!(end(None, Some("TASK_LOST"), false), "TASK_LOST");
    }

    #[test]
    fn lines_of_all_kinds() {
        let mut web = instance("a1", InstanceState::Running);
        web.health = Health::Healthy;
        let backend =
            Backend { address: "::1".into(), port: 31_000, container_port: Some(80), name: None };
        web.backends = vec![backend.clone(), backend.clone(), backend.clone(), backend];
        let mut dead = instance("b2", InstanceState::Ended);
        dead.ended_at = Some(Moment::from_unix_ms(61_000));
        dead.exit = Some(Exit { code: Some(137), reason: None, oom: true });
        let printed = list(&[web, dead], Moment::from_unix_ms(66_000), Paint(false));
        let lines: Vec<_> = printed.lines().collect();
        assert!(
            lines[1].contains(
                "healthy  1m05s    0  [::1]:31000>80, [::1]:31000>80, [::1]:31000>80, 1 more"
            ),
            "{printed}"
        );
        assert!(lines[2].starts_with("b2        shop/web  n1    ended       5s"), "{printed}");
        assert!(lines[2].ends_with("137, out of memory"), "{printed}");
    }
}
