//! The built command: exit codes, what it says, signals, and its talk with systemd. Nothing outside is needed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use e2e::command::{LONGEST, Program, Running, Systemd, bare_listing, text};
use e2e::home;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

const QAE_API: Program = Program(env!("CARGO_BIN_EXE_qae-api"));

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    QAE_API.run(args)
}

fn start(config: &Path) -> Running {
    Running::start(QAE_API.command(&["--config", text(config)]))
}

/// A config without neighbours, with this in its last section.
struct Home(home::Home);

impl Home {
    fn new(server: &str) -> Self {
        Self(home::Home::new("qae-api", |dir| config(&dir.join("state"), server)).unwrap())
    }

    fn write(&self, server: &str) {
        self.edit(|_| config(&self.state(), server)).unwrap();
    }
}

impl std::ops::Deref for Home {
    type Target = home::Home;

    fn deref(&self) -> &home::Home {
        &self.0
    }
}

fn config(state: &Path, server: &str) -> String {
    format!(
        "[node]\nname = \"t\"\nstate_dir = {state:?}\n[graphite]\ncarbon = []\n[server]\n{server}\n"
    )
}

/// One GET, the whole answer.
fn get(address: &str, path: &str, headers: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LONGEST)).unwrap();
    write!(socket, "GET {path} HTTP/1.0\r\nhost: {address}\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn check_prints_a_config_that_reads_back_to_itself() {
    let home = Home::new(
        "keep_for = \"2days\"\n[[cluster]]\nname = \"m\"\nkind = \"marathon\"\nurl = [\"http://m:8080\"]",
    );
    let (code, listing, _) = run(&["--config", text(&home.config()), "--check"]);
    assert_eq!(code, Some(0));
    assert!(listing.contains("keep_for = \"2days\"  # line "), "{listing}");
    assert!(listing.contains("\n[[cluster]]\n"), "{listing}");
    let again = home.dir().join("again.toml");
    std::fs::write(&again, &listing).unwrap();
    let (_, second, _) = run(&["--config", text(&again), "--check"]);
    assert_eq!(bare_listing(&listing), bare_listing(&second));
    assert!(!home.state().exists(), "a check leaves nothing behind");
}

#[test]
fn what_is_wrong_before_the_start_exits_64_and_says_where() {
    let home = Home::new("listn = \"127.0.0.1:0\"");
    let config = home.config();
    let (code, _, said) = run(&["--config", text(&config)]);
    assert_eq!(code, Some(64));
    let expected = format!(
        "qae-api: {}:7: unknown key `listn` in [server] (did you mean `listen`?)\n",
        config.display()
    );
    assert_eq!(said, expected);
    let gone = home.dir().join("none.toml");
    let (code, _, said) = run(&["--config", text(&gone)]);
    assert!(code == Some(64) && said.contains("none.toml: cannot read the config file"), "{said}");
    assert_eq!(run(&["--nonsense"]).0, Some(64));
    assert_eq!(run(&["--version"]), (Some(0), "qae-api 0.1.0\n".to_owned(), String::new()));
}

#[test]
fn what_is_not_there_exits_69_and_says_what() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::new(&format!("listen = \"{}\"", held.local_addr().unwrap()));
    let (code, _, said) = run(&["--config", text(&home.config())]);
    assert!(code == Some(69) && said.contains("cannot listen on 127.0.0.1:"), "{said}");
    let home = Home::new("listen = \"127.0.0.1:0\"\ncert = \"/none.pem\"\nkey = \"/none.key\"");
    let (code, _, said) = run(&["--config", text(&home.config())]);
    assert!(code == Some(69) && said.contains("/none.pem: cannot read the certificate"), "{said}");
}

#[test]
fn a_lost_admin_token_is_made_anew_while_nothing_runs() {
    let home = Home::new("listen = \"127.0.0.1:0\"");
    let file = home.state().join("api/admin-token");
    let token = || std::fs::read_to_string(&file).unwrap().trim().to_owned();
    let me = |address: &str, token: &str| {
        get(address, "/v1/me", &format!("authorization: Bearer {token}\r\n"))
    };
    let config = home.config();
    let mut daemon = start(&config);
    let address = daemon.address();
    let old = token();
    assert!(me(&address, &old).contains(" 200 "));
    std::fs::remove_file(&file).unwrap();
    let renew = || run(&["--config", text(&config), "--new-admin-token"]);
    let (code, _, said) = renew();
    assert!(
        code == Some(69) && said.contains("in use by another qae-api: stop that one"),
        "{said}"
    );
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(), Some(0));

    let (code, printed, said) = renew();
    assert_eq!((code, printed), (Some(0), format!("{}\n", file.display())), "{said}");
    assert!(!said.contains("qae_") && token() != old);
    let mut daemon = start(&config);
    let address = daemon.address();
    assert!(me(&address, &old).contains(" 401 ") && me(&address, &token()).contains(" 200 "));
}

#[test]
fn it_tells_systemd_serves_and_ends_on_sigterm() {
    let home = Home::new("listen = \"127.0.0.1:0\"");
    let mut systemd = Systemd::new(home.dir());
    let watchdog = Duration::from_millis(200);
    let command = QAE_API.under_systemd(&home.config(), &systemd, watchdog);
    let mut daemon = Running::start(command);
    let address = daemon.address();
    daemon.says("admin-token");
    systemd.hears("READY=1");
    systemd.hears("STATUS=0 apps, 0 instances, 0 nodes");
    systemd.hears("WATCHDOG=1");

    let token = std::fs::read_to_string(home.state().join("api/admin-token")).unwrap();
    let signed = format!("authorization: Bearer {}\r\n", token.trim());
    assert!(get(&address, "/readyz", "").ends_with("\r\n\r\nok\n"));
    assert!(get(&address, "/v1/apps", &signed).contains("{\"items\":[],\"next\":null}"));
    assert!(get(&address, "/v1/apps", "").starts_with("HTTP/1.0 401 "));
    assert!(get(&address, "/metrics", "").contains("\nqae_apps 0\n"));
    assert!(get(&address, "/metrics", "x-forwarded-for: 1.2.3.4\r\n").starts_with("HTTP/1.0 401 "));

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(), Some(0));
    systemd.hears("STOPPING=1");
}

#[test]
fn sighup_takes_a_good_config_over_and_refuses_a_bad_one() {
    let home = Home::new("listen = \"127.0.0.1:0\"");
    let mut daemon = start(&home.config());
    let address = daemon.address();
    daemon.signal(Signal::HUP);
    daemon.says("the config is the same");
    home.write("listen = \"nowhere\"");
    daemon.signal(Signal::HUP);
    daemon.says("SIGHUP: the config is refused, the old one stays: ");
    assert!(get(&address, "/healthz", "").ends_with("ok\n"));
    home.write("listen = \"127.0.0.1:0\"\nstore = \"sqlite:/elsewhere.db\"");
    daemon.signal(Signal::HUP);
    daemon.says("another store or state_dir needs a restart");
    home.write("listen = \"127.0.0.1:0\"\n[[cluster]]\nname = \"plain\"");
    daemon.signal(Signal::HUP);
    let address = daemon.address();
    daemon.says("cluster plain (dc1): plain Docker");
    assert!(get(&address, "/healthz", "").ends_with("ok\n"));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends(), Some(0), "{:#?}", daemon.said);
}
