//! Every command of the built `qae` against a played centre: what it prints, what it asks, how it ends.

#[cfg(test)]
mod played;

use played::{HOSTILE, Played, Ran, event, lines, qae};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// What would act on a terminal, as it is shown instead.
const SHOWN: &str = "shop/\\u{1b}[2Jweb\\u{a}";

#[test]
fn lists_are_tables_for_people_and_documents_for_programs() {
    let centre = Played::start();
    let ran = centre.run("apps");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines[0].starts_with("APP "), "{ran:?}");
    assert!(lines[1].starts_with(SHOWN) && lines[2].starts_with("shop/api "), "{ran:?}");
    let document = centre.run("apps --json").json();
    assert_eq!(document["items"].as_array().unwrap().len(), 2);
    assert_eq!((&document["items"][0]["id"], &document["next"]), (&json!(HOSTILE), &json!(null)));
    assert_eq!(centre.run("apps web").code, 0);
    assert!(centre.paths("GET").iter().any(|p| p.contains("q=web")), "{:?}", centre.paths("GET"));

    let ran = centre.run("instances --app shop/api --state all");
    assert!(ran.out.contains("a1        shop/\\u{1b}[2Jweb\\u{a}  n1    healthy"), "{ran:?}");
    assert!(
        centre.paths("GET").iter().any(|p| p.starts_with("/v1/instances?app=shop%2Fapi&state=all"))
    );
    assert!(centre.run("nodes").out.contains("dadvisor  9.9.9    silent"));
    assert_eq!(centre.run("nodes --json").json()["items"][0]["name"], "n1");
    let ran = centre.run("nodes --forget old/1");
    assert!(ran.code == 0 && ran.err.contains("node old/1 is forgotten"), "{ran:?}");
    let ran = centre.run("nodes --forget n1");
    assert!(ran.code == 1 && ran.err.contains("still reports"), "{ran:?}");
}

#[test]
fn one_app() {
    let centre = Played::start();
    let ran = centre.run("app shop/api");
    assert!(ran.out.starts_with("shop/api\nowner   team\nruns    dc1/local: 2 running"), "{ran:?}");
    assert!(ran.out.contains("\na2  "), "{ran:?}");
    assert_eq!(centre.run("app shop/api --json").json()["app"]["id"], "shop/api");
    let ran = centre.run("app shop/none");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (1, "", "qae: no such app\n"));
}

#[test]
fn exit_codes_tell_who_said_no() {
    let centre = Played::start();
    assert_eq!(centre.run("apps broken").code, 69, "5xx");
    let ran = Ran::of(centre.command("apps").env_remove("QAE_TOKEN_FILE"));
    assert_eq!(ran.code, 1, "401");
    assert!(ran.err.contains("this token is not known; name a token with --token-file"), "{ran:?}");
    assert_eq!(
        qae("apps --url http://127.0.0.1:1").output().unwrap().status.code(),
        Some(69),
        "nobody there"
    );
    assert_eq!(qae("apps").output().unwrap().status.code(), Some(69), "nowhere");
    assert_eq!(qae("appz").output().unwrap().status.code(), Some(64), "no such command");
    assert_eq!(qae("apps --url ftp://x").output().unwrap().status.code(), Some(64), "no such URL");
    assert_eq!(centre.run("events --type instance_gon").code, 64);
}

#[test]
fn the_place_is_found_from_beneath_its_directory() {
    let centre = Played::start();
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join(".qae");
    let deep = dir.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::create_dir_all(&home).unwrap();
    let token = home.join("admin-token");
    std::fs::write(&token, played::TOKEN).unwrap();
    let config = format!("[api]\nurl = {:?}\ntoken_file = {token:?}\n", centre.url);
    std::fs::write(home.join("qae.toml"), config).unwrap();
    let ran = Ran::of(qae("apps").current_dir(&deep));
    assert_eq!(ran.code, 0, "{ran:?}");
    // elsewhere, the token is not sent along
    let other = Played::start();
    let ran = Ran::of(qae("apps").arg("--url").arg(&other.url).current_dir(&deep));
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn the_timeline_reads_downward() {
    let centre = Played::start();
    let ran = centre.run("events --since 1h --type instance_changed");
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines.len(), 3, "{ran:?}");
    assert!(lines[0].contains(" a1  healthy on n1") && lines[2].contains(" a3  "), "{ran:?}");
    assert!(ran.out.contains(SHOWN) && !ran.out.contains('\u{1b}'));
    assert_eq!(centre.run("events -n 2 --json").json()["items"].as_array().unwrap().len(), 2);
    assert!(
        centre.paths("GET")[0].starts_with("/v1/events?type=instance_changed&since=-1h&limit=")
    );
}

fn frame(seq: u64) -> String {
    format!("id: e1:{seq}\nevent: instance_changed\ndata: {}\n\n", event(seq))
}

#[test]
fn following_goes_on_after_a_break_and_tells_of_a_gap() {
    let centre = Played::start();
    centre.script(|s| {
        s.streams = vec![
            (
                200,
                format!(
                    "retry: 1\n\nid: e1:3\nevent: heartbeat\ndata: {{}}\n\n{}{}",
                    frame(4),
                    frame(5)
                ),
            ),
            (410, "events before e1:9 are gone".into()),
            (
                200,
                format!(
                    "{}event: closed\ndata: {{\"code\":\"shutdown\",\"detail\":\"stops\"}}\n\n",
                    frame(6)
                ),
            ),
            (403, "no more".into()),
        ];
    });
    let ran = centre.run("events -f -n 1");
    let seen: Vec<_> =
        ran.out.lines().map(|l| l.split_whitespace().nth(4).unwrap_or("").to_owned()).collect();
    assert_eq!(seen, ["a3", "a4", "a5", "a6"], "{ran:?}");
    assert!(
        ran.err
            .contains("events are missing here: events before e1:9 are gone; going on from e2:1"),
        "{ran:?}"
    );
    assert!(ran.err.contains("the centre ended the stream: stops (shutdown)"), "{ran:?}");
    assert_eq!(ran.code, 1, "{ran:?}");
    let paths = centre.paths("GET");
    let after: Vec<_> =
        paths.iter().filter_map(|p| p.split_once("after=")).map(|(_, c)| c).collect();
    assert_eq!(after, ["e1%3A3", "e1%3A5", "e2%3A1", "e1%3A6"], "{paths:?}");
}

#[test]
fn following_prints_each_event_at_once() {
    let centre = Played::start();
    centre.script(|s| s.streams = vec![(200, frame(4)), (403, "no".into())]);
    let mut child = centre
        .command("events -f --json -n 0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["seq"], 4);
    child.wait().unwrap();
}

fn end(why: &str, instance: Option<&str>) -> Value {
    let mut frame = json!({"type": "end", "why": why, "detail": "the \u{1b}[2Jend"});
    if let Some(instance) = instance {
        frame["instance"] = instance.into();
    }
    frame
}

#[test]
fn logs_of_an_app_come_merged_through_the_centre() {
    let centre = Played::start();
    let frames = vec![
        json!({"type": "began", "instance": "a1", "key": "local/n1/a1", "node": "n1"}),
        lines(Some("a1"), &["one", "\u{1b}[2Jtwo"]),
        json!({"type": "news of a later version"}),
        lines(Some("a2"), &["three"]),
        json!({"type": "gap", "instance": "a2", "source": "ff", "file": "app.log", "generation": 0, "from": 1, "to": 9,
            "bytes": 8, "lines": 2, "why": "slow"}),
        end("complete", Some("a1")),
        end("complete", None),
    ];
    centre.script(|s| s.frames = vec![frames.clone()]);
    let ran = centre.run("logs shop/api -n 5 -g t -v --ended");
    assert_eq!(ran.code, 0, "{ran:?}");
    // into a pipe, lines go as they are
    assert_eq!(ran.out, "a1 app.log | one\na1 app.log | \u{1b}[2Jtwo\na2 app.log | three\n");
    assert_eq!(ran.err, "qae: a2: app.log: left out 2 lines, 8 bytes: this reader is too slow\n");
    let asked = "/v1/apps/shop%2Fapi/logs/stream?grep=t&invert=1&lines=5&follow=0&ended=1";
    assert!(centre.paths("GET").contains(&asked.to_owned()), "{:?}", centre.paths("GET"));
    assert_eq!(centre.run("logs shop/api app.log").out.lines().next(), Some("a1 | one"));
    let ran = centre.run("logs shop/api --json");
    let told: Vec<Value> = ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((told.len(), &told[1]["lines"][0]), (6, &"one".into()), "{ran:?}");
}

#[test]
fn logs_that_cannot_be_read_or_may_not_be() {
    let centre = Played::start();
    let ran = centre.run("logs nobody");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("no app and no instance \"nobody\""), "{ran:?}");
    let ran = centre.run("logs shop/api");
    assert_eq!((ran.code, ran.err.as_str()), (1, "qae: come back later\n"), "{ran:?}");
    for (why, instance, code, said) in [
        ("failed", Some("a1"), 69, "not everything could be read: a1: the"),
        ("token_revoked", None, 1, "qae: the \\u{1b}[2Jend"),
    ] {
        let frames = vec![lines(Some("a2"), &["x"]), end(why, instance), end("complete", None)];
        centre.script(|s| s.frames = vec![frames]);
        let ran = centre.run("logs shop/api");
        assert_eq!((ran.code, ran.out.as_str()), (code, "a2 app.log | x\n"), "{ran:?}");
        assert!(ran.err.contains(said) && !ran.err.contains('\u{1b}'), "{ran:?}");
    }
    // cut off in the middle
    centre.script(|s| s.frames = vec![vec![lines(Some("a2"), &["x"])]]);
    let ran = centre.run("logs shop/api");
    assert_eq!(ran.code, 69, "{ran:?}");
    assert!(ran.err.contains("not everything could be read: http://"), "{ran:?}");
    assert_eq!(centre.run("logs a1 --ended").code, 64);
}

#[test]
fn logs_of_an_instance_are_followed_at_its_agent_and_go_on_where_they_were() {
    let centre = Played::start();
    let url = centre.url.clone();
    centre.script(|s| {
        s.log_agent = Some(url);
        s.frames = vec![
            vec![lines(None, &["one"])],
            vec![lines(None, &["two"]), end("instance_ended", None)],
        ];
    });
    let ran = centre.run("logs -f a1 app.log -n 5");
    assert_eq!((ran.code, ran.out.as_str()), (0, "one\ntwo\n"), "{ran:?}");
    let asked: Vec<_> =
        centre.paths("GET").into_iter().filter(|p| p.starts_with("/v1/logs/")).collect();
    assert_eq!(
        asked,
        [
            "/v1/logs/local%2Fn1%2Fa1/stream?file=app.log&lines=5",
            "/v1/logs/local%2Fn1%2Fa1/stream?file=app.log&lines=1000&from=ff.0.10"
        ]
    );
}

#[test]
fn an_agent_out_of_reach_is_read_through_the_centre() {
    let centre = Played::start();
    centre.script(|s| {
        s.log_agent = Some("http://127.0.0.1:1".to_owned());
        s.frames = vec![vec![lines(Some("a1"), &["one"]), end("instance_ended", None)]];
    });
    let ran = centre.run("logs -f a1");
    assert_eq!((ran.code, ran.out.as_str()), (0, "app.log | one\n"), "{ran:?}");
    assert!(ran.err.contains("reading through the centre instead"), "{ran:?}");
    let ran = centre.run("logs a1 --files");
    assert!(ran.out.contains("app.log") && ran.out.contains("2.0K"), "{ran:?}");
    assert_eq!(centre.run("logs a1 --files --json").json()["items"][0]["size"], 2048);
    assert_eq!(centre.run("logs shop/api --files").code, 64);
}

#[test]
fn figures_once() {
    let centre = Played::start();
    let ran = centre.run("top --once");
    assert!(ran.out.starts_with("2 instances, cpu 102% of a core, memory 1.0K\n\nAPP "), "{ran:?}");
    let a2 = ran.out.lines().nth(3).unwrap();
    assert!(a2.contains("a2        90.0    1.0K"), "{ran:?}");
    assert_eq!(centre.run("top --json").json()["series"].as_array().unwrap().len(), 3);
    assert!(centre.paths("GET").iter().any(|p| p.contains("metric=cpu.percent%2Cmemory")));
}

#[test]
fn tokens() {
    let centre = Played::start();
    let ran = centre.run("token create ci --role operator --app shop/** --expires 24h");
    assert_eq!((ran.code, ran.out.as_str()), (0, "qae_secret\n"), "{ran:?}");
    let sent = centre.sent("POST", "/v1/tokens");
    assert_eq!(
        sent,
        [json!({"name": "ci", "role": "operator", "apps": ["shop/**"], "expires_in": "1day"})]
    );
    assert!(centre.run("token list").out.contains("ci    viewer  **"));
    assert!(centre.run("token show ci").out.starts_with("name     ci\n"));
    assert_eq!(centre.run("token show x/y").code, 1);
    assert_eq!(centre.run("token delete ci").code, 0);
    assert_eq!(centre.run("token delete x").code, 1);
}

#[test]
fn tickets_sign_ins_and_the_audit_log() {
    let centre = Played::start();
    let ran = centre.run("ticket a1 --read-only --expires 5m");
    assert!(ran.out.starts_with("qtk1.played\n"), "{ran:?}");
    let sent = centre.sent("POST", "/v1/tickets");
    let rest = json!({"instance": "a1", "file": "**", "rights": ["read"], "expires_in": "5m"});
    assert_eq!(sent.last(), Some(&rest));
    let ran = centre.run("sign-in");
    assert_eq!(ran.out, format!("{}/#signin=CODE1\n", centre.url), "{ran:?}");
    let ran = centre.run("audit");
    assert!(ran.out.contains(SHOWN), "{ran:?}");
}

#[test]
fn the_doctor_names_what_is_wrong() {
    let centre = Played::start();
    let ran = centre.run("doctor");
    assert!(ran.out.contains("dadvisor on n1 is silent"), "{ran:?}");
    assert!(ran.out.contains("the centre is 9.9.9, this program"), "{ran:?}");
    assert!(ran.out.contains("ok    token     played, admin"), "{ran:?}");
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = Ran::of(&mut qae("doctor --url http://127.0.0.1:1"));
    assert_eq!(ran.code, 69, "{ran:?}");
    assert!(ran.out.contains("FAIL  centre"), "{ran:?}");
    let ran = Ran::of(&mut qae("doctor --json"));
    assert_eq!((ran.code, ran.json()["items"][0]["severity"].as_str()), (69, Some("bad")));
}

#[test]
fn completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = Ran::of(&mut qae(&format!("completion {shell}")));
        assert!(ran.code == 0 && ran.out.contains("instances"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    let man = dir.path().join("man");
    let ran = Ran::of(&mut qae(&format!("man {}", man.display())));
    assert_eq!(ran.code, 0, "{ran:?}");
    let page = std::fs::read_to_string(man.join("qae-token-create.1")).unwrap();
    assert!(page.contains("qae") && man.join("qae.1").exists());
}

#[test]
fn a_closed_pipe_is_no_error() {
    let centre = Played::start();
    let mut child =
        centre.command("apps").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::after(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn the_documentation_has_every_command() {
    let doc = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
    let doc = std::fs::read_to_string(doc).unwrap();
    let command = <cli::args::Args as clap::CommandFactory>::command();
    for one in command.get_subcommands() {
        let name = one.get_name();
        assert!(doc.contains(&format!("| `{name}")), "docs/cli.md lacks {name}");
        // those with a letter are told by it
        let long = one.get_arguments().filter(|a| a.get_short().is_none());
        for option in long.filter_map(|a| a.get_long()).filter(|l| *l != "json") {
            assert!(doc.contains(&format!("--{option}")), "docs/cli.md lacks --{option} of {name}");
        }
    }
}
