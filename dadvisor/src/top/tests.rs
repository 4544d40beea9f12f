use super::*;
use crate::http::view::{DockerView, Metrics, PassView};
use std::time::UNIX_EPOCH;

fn node() -> NodeView {
    let figures = [
        ("load.1m", 0.25),
        ("load.5m", 0.4),
        ("load.15m", 0.24),
        ("cpu.percent", 62.5),
        ("cpu.cores", 2.0),
        ("memory.usage_bytes", 1_288_490_188.0),
        ("memory.total_bytes", 8_589_934_592.0),
        ("swap.total_bytes", 0.0),
    ];
    let metrics: Metrics = figures
        .into_iter()
        .filter_map(|(name, v)| Some((name.to_owned(), serde_json::Number::from_f64(v)?)))
        .collect();
    NodeView {
        name: "host-17".into(),
        dc: "dc1".into(),
        version: "0.1.0".into(),
        started_at: "2026-11-25T09:00:00.000Z".into(),
        interval_seconds: 10,
        timestamp: Some("2026-11-25T10:00:00.000Z".into()),
        pass: PassView { passes: 7, seconds: 0.0032, containers: 2, points: 30_149 },
        carbon: serde_json::json!({"state": "connected", "destination": "127.0.0.1:2003", "waiting_points": 0}),
        docker: DockerView { state: "up".into(), version: Some("28.2.2".into()), cause: None },
        metrics,
    }
}

fn heard() -> Heard {
    let row = |app: &str, cpu| Row {
        app: app.into(),
        instance: "0a1b2c3d4e5f".into(),
        cpu: Some(cpu),
        memory: Some(1e6),
        state: "running",
        ..Row::default()
    };
    Heard {
        node: Some(node()),
        rows: vec![row("docker/cache", 0.2), row("shop/web", 49.8)],
        trouble: None,
    }
}

fn text(heard: &Heard, view: &mut View, width: usize, height: usize) -> String {
    let now = UNIX_EPOCH + Duration::from_secs(1_795_600_805);
    let picture = picture(heard, view, width, height, now);
    assert_eq!(picture.lines.len(), height);
    picture.lines.into_iter().map(|l| l.text + "\n").collect()
}

#[test]
fn a_screen() {
    assert_eq!(
        text(&heard(), &mut View::default(), 80, 9),
        "\
host-17 (dc1), 2 containers, load 0.25 0.40 0.24
cpu 62.5% of 2 cores, memory 1.2G of 8.0G
carbon connected 127.0.0.1:2003; docker 28.2.2; pass 3.2 ms, 30.1k points

APP           INSTANCE       CPU%  LIM%  MEM/LIMIT  NET RX/TX     IO R/W
shop/web      0a1b2c3d4e5f   49.8     -     977K/-          -          -
docker/cache  0a1b2c3d4e5f    0.2     -     977K/-          -          -

q quit  c cpu  m memory  n net  i io  a name  r reverse  / filter  arrows scroll
"
    );
}

#[test]
fn a_filter_a_small_screen_and_trouble() {
    let mut view = View { filter: "cach".into(), ..View::default() };
    let shown = text(&heard(), &mut view, 80, 8);
    assert!(shown.contains("docker/cache") && !shown.contains("shop/web"), "{shown}");
    assert!(
        shown.ends_with(
            "1 of 2 match \"cach\", Esc clears  q quit  c cpu  m memory  n net  i io  a name  …\n"
        ),
        "{shown}"
    );
    let mut small = View { sort: args::Sort::Name, offset: 1, ..View::default() };
    let shown = text(&heard(), &mut small, 40, 7);
    assert!(shown.contains("shop/web") && !shown.contains("docker/cache"), "{shown}");
    let away = Heard { trouble: Some("http://x: cannot connect".into()), ..Heard::default() };
    let shown = text(&away, &mut View::default(), 60, 5);
    assert!(
        shown.starts_with("asking dadvisor ...\n") && shown.ends_with("cannot connect\n"),
        "{shown}"
    );
    for height in 0..6 {
        let now = UNIX_EPOCH;
        picture(&heard(), &mut View::default(), 3, height, now);
    }
}

#[test]
fn the_header_tells_what_is_wrong() {
    let mut node = node();
    node.carbon = serde_json::json!({"state": "unreachable", "waiting_points": 120_000, "oldest_seconds": 725});
    node.docker = DockerView { state: "hung".into(), ..DockerView::default() };
    let now = UNIX_EPOCH + Duration::from_secs(1_795_600_800 + 90);
    let line = header::header(&node, 2, now, 200).pop().unwrap();
    assert_eq!(line.tone, Tone::Alarm);
    assert_eq!(
        line.text,
        "carbon unreachable, 120.0k points waiting, the oldest 12m05s old; docker hung; pass 3.2 ms, 30.1k points, 1m30s old"
    );
}
