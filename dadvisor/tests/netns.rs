//! Scraping inside real network namespaces. Needs root, iproute2 and util-linux; busybox's httpd is the app.

#![expect(clippy::unwrap_used, reason = "in a test it is the assertion")]

use common::container::{Container, Port, Source};
use common::ids::{AppId, InstanceId};
use common::metric::Value;
use dadvisor::inapp::{Scraped, Scraper, Settings};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PORT: u16 = 9100;

/// An app in a network namespace of its own; both end with it.
struct App {
    process: Child,
    _pages: tempfile::TempDir,
}

impl App {
    fn start(address: &str) -> Self {
        let pages = tempfile::tempdir().unwrap();
        std::fs::write(pages.path().join("metrics"), "inside 42\n").unwrap();
        let serve = format!("ip link set lo up && exec busybox httpd -f -p {address}:{PORT} -h .");
        let process = Command::new("unshare")
            .args(["--net", "sh", "-c", &serve])
            .current_dir(pages.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let app = Self { process, _pages: pages };
        // listening, in hex, in its own table
        let tables = ["tcp", "tcp6"].map(|t| format!("/proc/{}/net/{t}", app.pid()));
        wait_for("the app to listen", || {
            let listens =
                |t: &String| std::fs::read_to_string(t).is_ok_and(|t| t.contains(":238C "));
            app.namespace() != namespace("/proc/self/ns/net") && tables.iter().any(listens)
        });
        app
    }

    fn pid(&self) -> u32 {
        self.process.id()
    }

    fn namespace(&self) -> PathBuf {
        namespace(format!("/proc/{}/ns/net", self.pid()))
    }

    fn container(&self) -> Container {
        container(self.pid())
    }
}

fn container(pid: u32) -> Container {
    let labels = [("qae.metrics".to_owned(), format!("http://:{PORT}/metrics"))];
    Container {
        pid: Some(pid),
        labels: labels.into_iter().collect(),
        ..Container::new("app", Source::Cgroup, AppId::new("test"), InstanceId::new("app"))
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn namespace(link: impl AsRef<Path>) -> PathBuf {
    std::fs::read_link(link).unwrap_or_default()
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("not root: nothing is tested here");
    }
    root
}

async fn scrape(scraper: &Scraper, container: Container) -> Scraped {
    let deadline = Instant::now() + Duration::from_secs(10);
    scraper.scrape(&[Arc::new(container)], deadline).await.pop().unwrap()
}

fn figures() -> Vec<(String, Value)> {
    vec![("app.inside".to_owned(), Value::Int(42))]
}

#[tokio::test]
async fn a_page_only_the_container_can_reach_is_read() {
    if !root() {
        return;
    }
    let app = App::start("127.0.0.1");
    assert!(TcpStream::connect(("127.0.0.1", PORT)).is_err(), "the host must not reach it");
    let scraped = scrape(&Scraper::new(Settings::default()), app.container()).await;
    assert_eq!(scraped.figures, figures(), "{:?}", scraped.failed);
}

#[tokio::test]
async fn an_app_on_ipv6_only_is_found() {
    if !root() {
        return;
    }
    let app = App::start("[::1]");
    let scraped = scrape(&Scraper::new(Settings::default()), app.container()).await;
    assert_eq!(scraped.figures, figures(), "{:?}", scraped.failed);
}

#[tokio::test]
async fn a_process_of_another_container_is_not_entered() {
    if !root() {
        return;
    }
    let app = App::start("127.0.0.1");
    let id = "0123456789abcdef".repeat(4);
    let container = Container { id, source: Source::Docker, ..app.container() };
    let scraped = scrape(&Scraper::new(Settings::default()), container).await;
    assert_eq!(scraped.failed[0].error.cause(), "gone");
}

#[tokio::test]
async fn a_thousand_scrapes_pin_nothing_and_the_thread_is_home() {
    if !root() {
        return;
    }
    let app = App::start("127.0.0.1");
    let veth = format!("qn{}", std::process::id());
    let peer = ["type", "veth", "peer", "name", "qpeer", "netns"];
    let made = Command::new("ip")
        .args(["link", "add", &veth])
        .args(peer)
        .arg(app.pid().to_string())
        .status()
        .unwrap();
    assert!(made.success());
    let here = format!("/sys/class/net/{veth}");
    assert!(Path::new(&here).exists());

    let scraper = Scraper::new(Settings::default());
    let good = Arc::new(app.container());
    let again = Arc::new(Container { id: "again".to_owned(), ..app.container() });
    let labels = [("qae.metrics".to_owned(), "http://:1/".to_owned())].into_iter().collect();
    let refused = Arc::new(Container { id: "refused".to_owned(), labels, ..app.container() });
    let targets = [good, refused, again];
    let mut read = 0;
    for round in 0..550 {
        // every eleventh time the tick ends in the middle of it
        let time = Duration::from_micros(if round % 11 == 10 { 300 } else { 5_000_000 });
        let all = scraper.scrape(&targets, Instant::now() + time).await;
        read += all.iter().filter(|scraped| scraped.figures == figures()).count();
    }
    assert!(read >= 1_000, "{read}, {:?}", scraper.stats());
    assert_eq!(scraper.stats().namespace_threads, 1);

    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let namespaces: BTreeSet<PathBuf> =
        threads.map(|thread| namespace(thread.unwrap().path().join("ns/net"))).collect();
    assert_eq!(namespaces, BTreeSet::from([namespace("/proc/self/ns/net")]));

    // a namespace dies when nobody holds it, and its veth with it
    drop(app);
    wait_for("the namespace to end", || !Path::new(&here).exists());
}

/// Runs itself again as a process that may not enter namespaces.
#[tokio::test]
async fn without_the_right_to_enter_the_published_port_is_used() {
    const PID: &str = "QAE_TEST_PID";
    const PUBLISHED: &str = "QAE_TEST_PUBLISHED";
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    if let Some((pid, published)) = number(PID).zip(number(PUBLISHED)) {
        return without_the_right(pid, u16::try_from(published).unwrap()).await;
    }
    if !root() {
        return;
    }
    let app = App::start("127.0.0.1");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let published = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let asked = stream.read(&mut [0; 4096]).unwrap();
        assert!(asked > 0);
        let page = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ninside 42\n";
        stream.write_all(page.as_bytes()).unwrap();
        // until the far side has read it and closed
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    });
    let this = "without_the_right_to_enter_the_published_port_is_used";
    let again = Command::new("setpriv")
        .arg("--bounding-set=-sys_admin")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", this, "--nocapture"])
        .env(PID, app.pid().to_string())
        .env(PUBLISHED, published.to_string())
        .status()
        .unwrap();
    assert!(again.success());
}

async fn without_the_right(pid: u32, published: u16) {
    let scraper = Scraper::new(Settings::default());
    let hidden = scrape(&scraper, container(pid)).await;
    assert_eq!(hidden.failed[0].error.cause(), "denied", "{hidden:?}");
    let port = Port {
        address: "0.0.0.0".parse().unwrap(),
        port: published,
        container_port: PORT,
        protocol: "tcp".to_owned(),
    };
    let open = Container { ports: vec![port], ..container(pid) };
    let scraped = scrape(&scraper, open).await;
    assert_eq!(scraped.figures, figures(), "{:?}", scraped.failed);
}
