//! What a real engine cannot be made to do: answers that are garbage, too long, or missing for one container alone, and a thousand at once. The engine
//! here is a script; the real one is met in the end-to-end tests.

use super::*;
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast;

fn id(n: usize) -> String {
    format!("{n:064x}")
}

/// What the engine does next.
#[derive(Default)]
struct Script {
    running: Mutex<Vec<usize>>,
    /// Containers whose inspect never answers.
    silent: Mutex<Vec<usize>>,
    /// Where its data is; none for no answer.
    root: Mutex<Option<&'static str>>,
    /// Instead of a list.
    list: Mutex<Option<String>>,
    looking: AtomicUsize,
    most_looking: AtomicUsize,
}

impl Script {
    /// The answer to a path, none for none at all.
    fn answer(&self, path: &str) -> Option<String> {
        let path = path.strip_prefix("/v1.44").unwrap_or(path);
        let running = self.running.lock().unwrap().clone();
        if path == "/version" {
            return Some(json!({"Version": "test", "ApiVersion": "1.44"}).to_string());
        }
        if path == "/info" {
            return self
                .root
                .lock()
                .unwrap()
                .map(|root| json!({"DockerRootDir": root}).to_string());
        }
        if path == "/containers/json" {
            let entry =
                |n: &usize| json!({"Id": id(*n), "State": "running", "Status": "Up 1 hour"});
            let list = running.iter().map(entry).collect::<serde_json::Value>().to_string();
            return Some(self.list.lock().unwrap().clone().unwrap_or(list));
        }
        let n = path.split('/').nth(2).and_then(|id| usize::from_str_radix(id, 16).ok())?;
        if self.silent.lock().unwrap().contains(&n) {
            return None;
        }
        Some(json!({"Id": id(n), "Name": format!("/c{n}"), "State": {"Running": running.contains(&n)}}).to_string())
    }

    async fn converse(
        self: Arc<Self>,
        mut stream: UnixStream,
        mut events: broadcast::Receiver<String>,
    ) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or("");
        if path.contains("/events") {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            while let Ok(event) = events.recv().await {
                stream.write_all(event.as_bytes()).await?;
            }
            return Ok(());
        }
        let look = path.ends_with("/json") && !path.ends_with("/containers/json");
        if look {
            let now = self.looking.fetch_add(1, Relaxed) + 1;
            self.most_looking.fetch_max(now, Relaxed);
            tokio::task::yield_now().await;
        }
        let answer = self.answer(path);
        if look {
            self.looking.fetch_sub(1, Relaxed);
        }
        match answer {
            Some(body) => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(body.as_bytes()).await
            }
            None => stream.read_u8().await.map(|_| ()),
        }
    }
}

struct Running {
    script: Arc<Script>,
    say: broadcast::Sender<String>,
    inventory: watch::Receiver<Arc<Inventory>>,
    events: mpsc::Receiver<Event>,
    stats: Arc<Stats>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Running {
    /// Follows an engine that runs these, with room for so many events.
    fn start(running: Vec<usize>, room: usize, resync: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (say, _) = broadcast::channel(16);
        let root = Mutex::new(Some("/data/docker"));
        let script = Script { running: Mutex::new(running), root, ..Script::default() };
        let script = Arc::new(script);
        let (served, said) = (Arc::clone(&script), say.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // the follower hangs up when it likes
                tokio::spawn(Arc::clone(&served).converse(stream, said.subscribe()));
            }
        });
        let (inventory_in, inventory) = watch::channel(Arc::new(Inventory::default()));
        let (events_in, events) = mpsc::channel(room);
        let (stats, stop) = (Arc::new(Stats::default()), CancellationToken::new());
        let settings = Settings {
            socket: format!("unix://{}", socket.display()),
            resync,
            timeout: Duration::from_millis(300),
            asks_root: true,
            ..Settings::default()
        };
        let task = tokio::spawn(follow(
            settings,
            inventory_in,
            events_in,
            Arc::clone(&stats),
            stop.clone(),
        ));
        Self { script, say, inventory, events, stats, stop, task, _dir: dir }
    }

    async fn until(&mut self, what: &str, is: impl Fn(&Inventory) -> bool) {
        let found =
            tokio::time::timeout(Duration::from_secs(10), self.inventory.wait_for(|i| is(i))).await;
        assert!(found.is_ok_and(|f| f.is_ok()), "{what}: {:?}", self.stats);
    }

    fn tell(&self, action: &str, n: usize) {
        let event = json!({"Type": "container", "Action": action, "Actor": {"ID": id(n), "Attributes": {}}});
        self.say.send(format!("{event}\n")).unwrap();
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(1), self.task)
            .await
            .expect("it stops at once")
            .unwrap();
    }
}

fn knows(n: usize) -> impl Fn(&Inventory) -> bool {
    move |i| i.containers.contains_key(&id(n)) && matches!(i.engine, Engine::Up { .. })
}

const RARELY: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_thousand_at_once_are_looked_at_few_at_a_time() {
    let mut running = Running::start((1..=1000).collect(), 10, RARELY);
    running.until("all", |i| i.containers.len() == 1000).await;
    assert!(running.script.most_looking.load(Relaxed) <= LOOKS);
    assert_eq!(running.stats.inspects.load(Relaxed), 1000);
    assert!(running.inventory.borrow().revision < 500, "changes are gathered");
    running.end().await;
}

#[tokio::test]
async fn a_start_costs_one_inspection_however_often_is_compared() {
    let mut running = Running::start(vec![1], 10, Duration::from_millis(20));
    running.until("the first", knows(1)).await;
    running.script.running.lock().unwrap().push(2);
    running.tell("start", 2);
    running.until("the second", knows(2)).await;
    let lists = running.stats.resyncs.load(Relaxed);
    let end = Instant::now() + Duration::from_secs(10);
    while running.stats.resyncs.load(Relaxed) < lists + 5 {
        assert!(Instant::now() < end, "{:?}", running.stats);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(running.stats.inspects.load(Relaxed), 2);
    running.end().await;
}

#[tokio::test]
async fn where_the_data_is_comes_with_the_containers_and_stays_while_the_engine_is_silent() {
    let mut running = Running::start(vec![1], 10, Duration::from_millis(50));
    let at = |root: &'static str| move |i: &Inventory| i.root.as_deref() == Some(root.as_ref());
    running.until("the first", |i| knows(1)(i) || i.root.is_some()).await;
    assert!(at("/data/docker")(&running.inventory.borrow()), "not after a container");
    // a session without an answer to this is a session all the same
    *running.script.root.lock().unwrap() = None;
    *running.script.list.lock().unwrap() = Some("{]".to_owned());
    running.until("its end", |i| matches!(i.engine, Engine::Gone { .. })).await;
    *running.script.list.lock().unwrap() = None;
    running.until("the next", |i| knows(1)(i) && at("/data/docker")(i)).await;
    assert!(running.stats.errors_timeout.load(Relaxed) > 0);
    *running.script.root.lock().unwrap() = Some("/other");
    *running.script.list.lock().unwrap() = Some("{]".to_owned());
    running.until("its end", |i| matches!(i.engine, Engine::Gone { .. })).await;
    *running.script.list.lock().unwrap() = None;
    running.until("another place", |i| knows(1)(i) && at("/other")(i)).await;
    running.end().await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_makes_a_list() {
    let mut running = Running::start(vec![1], 10, RARELY);
    running.until("the first", knows(1)).await;
    running.script.running.lock().unwrap().push(2);
    running.say.send(format!("{{\"x\":\"{}\"}}\n", "x".repeat(2 << 20))).unwrap();
    running.until("what it told of", knows(2)).await;
    assert_eq!(running.events.recv().await, Some(Event::Started { id: id(2) }));
    running.say.send("garbage\n".to_owned()).unwrap();
    running.script.running.lock().unwrap().retain(|n| *n != 1);
    running.tell("die", 1);
    running.until("a death", |i| !knows(1)(i) && knows(2)(i)).await;
    assert_eq!(running.stats.events_unreadable.load(Relaxed), 2);
    assert_eq!(running.stats.reconnects.load(Relaxed), 0);
    running.end().await;
}

#[tokio::test]
async fn events_that_nobody_takes_are_counted_and_hold_nothing_up() {
    let mut running = Running::start(vec![], 1, RARELY);
    running.until("the engine", |i| matches!(i.engine, Engine::Up { .. })).await;
    for n in 1..=3 {
        running.script.running.lock().unwrap().push(n);
        running.tell("start", n);
        running.until("it", knows(n)).await;
    }
    // the last one is tried after its inventory was seen
    let end = Instant::now() + Duration::from_secs(10);
    while running.stats.events_dropped.load(Relaxed) < 2 {
        assert!(Instant::now() < end, "{:?}", running.stats);
        tokio::task::yield_now().await;
    }
    assert_eq!(running.events.recv().await, Some(Event::Started { id: id(1) }));
    running.end().await;
}

#[tokio::test]
async fn one_container_that_hangs_harms_only_itself() {
    let mut running = Running::start(vec![1, 2], 10, Duration::from_millis(100));
    running.script.silent.lock().unwrap().push(1);
    running.until("the other", knows(2)).await;
    running.script.running.lock().unwrap().push(3);
    running.tell("start", 3);
    running.until("a third", knows(3)).await;
    assert!(!running.inventory.borrow().containers.contains_key(&id(1)));
    running.script.silent.lock().unwrap().clear();
    running.until("itself at last", knows(1)).await;
    assert!(running.stats.errors_timeout.load(Relaxed) > 0);
    assert_eq!(running.stats.reconnects.load(Relaxed), 0);
    running.end().await;
}

#[tokio::test]
async fn lists_of_garbage_lose_nothing() {
    let mut running = Running::start(vec![1], 10, Duration::from_millis(50));
    running.until("the first", knows(1)).await;
    *running.script.list.lock().unwrap() = Some("{]".to_owned());
    let gone = |i: &Inventory| matches!(&i.engine, Engine::Gone { cause } if cause.contains("/containers/json"));
    running.until("the garbage", |i| gone(i) && i.containers.len() == 1).await;
    *running.script.list.lock().unwrap() = None;
    running.until("the recovery", knows(1)).await;
    assert!(running.events.try_recv().is_err(), "nothing has changed");
    running.end().await;
}
