//! The built command: exit codes, what it says, signals, its talk with systemd. Nothing outside is needed: no Docker, no Flume.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use e2e::command::{Program, Running, Systemd, bare_listing, text, wait_for};
use e2e::{home, http};
use rustix::process::Signal;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LOG_AGENT: Program = Program(env!("CARGO_BIN_EXE_log-agent"));

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    LOG_AGENT.run(args)
}

/// A config file without neighbours, and directories that go with it.
struct Home(home::Home);

impl Home {
    /// With this in its last section.
    fn new(section: &str) -> Self {
        Self(home::Home::new("log-agent", |dir| config(dir, section)).unwrap())
    }

    fn write(&self, section: &str) {
        self.edit(|_| config(self.dir(), section)).unwrap();
    }

    /// A log volume beneath `volumes_root`.
    fn volume(&self, app: &str, instance: &str) -> PathBuf {
        let dir = self.dir().join("volumes").join(app).join(instance);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn start(&self) -> Running {
        Running::start(LOG_AGENT.command(&["--config", text(&self.config())]))
    }
}

impl std::ops::Deref for Home {
    type Target = home::Home;

    fn deref(&self) -> &home::Home {
        &self.0
    }
}

fn config(dir: &Path, section: &str) -> String {
    format!(
        "[node]\nname = \"t\"\ndocker = \"\"\nstate_dir = {:?}\n[graphite]\ncarbon = []\n\
         [log-agent]\nvolumes_root = {:?}\n{section}\n",
        dir.join("state"),
        dir.join("volumes"),
    )
}

/// The answer's status and body; None while nobody answers.
fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let answer = http::get(address, path).ok()?;
    Some((answer.status, String::from_utf8(answer.body).unwrap()))
}

/// Waits until `/metrics` has this in it.
fn shows(address: &str, wanted: &str) {
    wait_for(wanted, || get(address, "/metrics").is_some_and(|(_, text)| text.contains(wanted)));
}

#[test]
fn check_prints_a_config_that_reads_back_to_itself() {
    let home = Home::new("keep = \"5m\"");
    let (code, listing, _) = run(&["--config", text(&home.config()), "--check"]);
    assert_eq!(code, Some(0));
    assert!(listing.contains("keep = \"5m\"  # line 9"), "{listing}");
    let again = home.dir().join("again.toml");
    std::fs::write(&again, &listing).unwrap();
    let (_, second, _) = run(&["--config", text(&again), "--check"]);
    assert_eq!(bare_listing(&listing), bare_listing(&second));
}

#[test]
fn what_is_wrong_before_the_start_exits_64_and_says_where() {
    let home = Home::new("batch_event = 3\nflume = [\"one\"]");
    let config = home.config();
    for args in [vec!["--config", text(&config)], vec!["check", "--config", text(&config)]] {
        let (code, _, said) = run(&args);
        assert_eq!(code, Some(64));
        let at = config.display();
        let first = format!(
            "log-agent: {at}:9: unknown key `batch_event` in [log-agent] (did you mean `batch_events`?)\n"
        );
        assert!(said.starts_with(&first), "{said}");
        assert!(said.contains(&format!("{at}:10: ")) && said.contains("not host:port"), "{said}");
    }
    assert_eq!(run(&["--nonsense"]).0, Some(64));
    let good = Home::new("");
    let loud =
        LOG_AGENT.command(&["--config", text(&good.config())]).env("QAE_LOG", "loud").output();
    assert_eq!(loud.unwrap().status.code(), Some(64));
    assert_eq!(run(&["--version"]), (Some(0), "log-agent 0.1.0\n".to_owned(), String::new()));
}

#[test]
fn an_address_in_foreign_hands_and_a_state_that_cannot_be_written_exit_69() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let home = Home::new(&format!("listen = \"{address}\""));
    let (code, _, said) = run(&["--config", text(&home.config())]);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    let home = Home::new("listen = \"127.0.0.1:0\"");
    std::fs::write(home.dir().join("state"), "in the way").unwrap();
    let (code, _, said) = run(&["--config", text(&home.config())]);
    assert!(code == Some(69) && said.contains("set [node] state_dir"), "{said}");
}

#[test]
fn files_are_followed_from_the_start_and_a_stop_is_quick() {
    let home = Home::new("listen = \"127.0.0.1:0\"");
    std::fs::write(home.volume("shop%2Fweb", "a1").join("app.log"), "one\n").unwrap();
    let mut daemon = home.start();
    let address = daemon.address();
    wait_for("ready", || get(&address, "/readyz").is_some_and(|(status, _)| status == 200));
    assert_eq!(get(&address, "/healthz"), Some((200, "ok\n".to_owned())));
    shows(&address, "qae_log_files{dc=\"dc1\",node=\"t\",app=\"shop/web\"} 1\n");
    std::fs::write(home.volume("shop%2Fweb", "a2").join("app.log"), "one\n").unwrap();
    shows(&address, "qae_log_files{dc=\"dc1\",node=\"t\",app=\"shop/web\"} 2\n");
    assert_eq!(get(&address, "/nowhere").map(|(status, _)| status), Some(404));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(), Some(0));
}

#[test]
fn systemd_is_told_of_start_life_and_end() {
    let home = Home::new("listen = \"127.0.0.1:0\"");
    let mut systemd = Systemd::new(home.dir());
    let watchdog = Duration::from_millis(400);
    let mut daemon = Running::start(LOG_AGENT.under_systemd(&home.config(), &systemd, watchdog));
    systemd.hears("READY=1");
    assert!(!systemd.heard.contains("STOPPING=1"), "{}", systemd.heard);
    systemd.hears("STATUS=");
    systemd.hears("WATCHDOG=1");
    daemon.signal(Signal::TERM);
    systemd.hears("STOPPING=1");
    assert_eq!(daemon.ends(), Some(0));
    daemon.says("SIGTERM: stopping");
}

#[test]
fn a_hangup_brings_a_good_config_and_refuses_a_bad_one() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let home = Home::new(&format!("listen = \"{free}\""));
    std::fs::write(home.volume("shop", "a1").join("app.log"), "one\n").unwrap();
    let mut daemon = home.start();
    let files = |n: u32| format!("qae_log_files{{dc=\"dc1\",node=\"t\",app=\"shop\"}} {n}\n");
    shows(&free, &files(1));

    home.write(&format!("listen = \"{free}\"\nexcluded = [\"**\"]"));
    daemon.signal(Signal::HUP);
    let refusal = daemon.says("the config is refused, the old one stays");
    assert!(refusal.contains("did you mean `exclude`?"), "{refusal}");
    shows(&free, &files(1));

    home.write(&format!("listen = \"{free}\"\nexclude = [\"**\"]"));
    daemon.signal(Signal::HUP);
    daemon.says("running anew");
    shows(&free, &files(0));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(), Some(0));
}
