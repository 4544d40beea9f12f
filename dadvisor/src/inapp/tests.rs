//! The scraper against a real small server on loopback. The container has the host's network: its namespace is ours.

use super::*;
use common::container::Source;
use common::ids::{AppId, InstanceId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A container with these labels; the rest does not matter here.
pub(super) fn container(id: &str, pid: Option<u32>, labels: &[(&str, &str)]) -> Container {
    Container {
        pid,
        network: Network::Host,
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        // no cgroup of that name is looked for
        ..Container::new(id, Source::Cgroup, AppId::new("test"), InstanceId::new(id))
    }
}

/// Serves what `answer` gives for each request head, connection by connection; ends with the test's runtime.
async fn server<F>(answer: F) -> u16
where
    F: Fn(&str) -> Vec<Vec<u8>> + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut head = vec![0; 4096];
                let n = stream.read(&mut head).await.unwrap_or(0);
                let parts = answer(&String::from_utf8_lossy(&head[..n]));
                let drip = parts.len() > 1;
                for part in parts {
                    if stream.write_all(&part).await.is_err() {
                        return;
                    }
                    if drip {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            });
        }
    });
    port
}

fn ok(body: &str) -> Vec<Vec<u8>> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    vec![[head.as_bytes(), body.as_bytes()].concat()]
}

fn scraper() -> Scraper {
    Scraper::new(Settings {
        timeout: Duration::from_millis(300),
        body_max: 64 << 10,
        ..Settings::default()
    })
}

async fn scrape_one(scraper: &Scraper, label: &str, url: &str) -> Scraped {
    let target = Arc::new(container("c", Some(std::process::id()), &[(label, url)]));
    let deadline = Instant::now() + Duration::from_secs(10);
    scraper.scrape(&[target], deadline).await.pop().unwrap()
}

async fn failure(answer: impl Fn(&str) -> Vec<Vec<u8>> + Send + Sync + 'static) -> String {
    let port = server(answer).await;
    let scraped = scrape_one(&scraper(), "qae.metrics", &format!("http://:{port}/metrics")).await;
    assert_eq!(scraped.failed.len(), 1, "{scraped:?}");
    format!("{}: {}", scraped.failed[0].error.cause(), scraped.failed[0].error)
}

#[tokio::test]
async fn each_kind_of_page_is_read() {
    let port = server(|head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path {
            "/metrics" => ok("up 1\n"),
            "/status" => ok("Active connections: 2 \nserver accepts handled requests\n 3 3 4\nReading: 0 Writing: 1 Waiting: 1\n"),
            "/manager/status?XML=true" if head.contains("authorization: Basic YTpi") => {
                ok("<status><jvm><memory free='1' total='3' max='9'/></jvm></status>")
            }
            "/jolokia/read/java.lang:type=Threading" => ok(r#"{"status":200,"value":{"ThreadCount":7}}"#),
            _ if path.starts_with("/jolokia/read/") => ok(r#"{"status":404}"#),
            _ => vec![b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()],
        }
    })
    .await;
    let labels = [
        ("qae.metrics", format!("http://:{port}/metrics")),
        ("qae.nginx", format!("http://localhost:{port}/status")),
        ("qae.tomcat", format!("http://a:b@127.0.0.1:{port}/manager/status?XML=true")),
        ("qae.jolokia", format!("http://:{port}/jolokia/")),
    ];
    let labels: Vec<_> = labels.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let target = Arc::new(container("c", Some(std::process::id()), &labels));
    let scraper = scraper();
    let scraped = scraper.scrape(&[target], Instant::now() + Duration::from_secs(5)).await;
    assert!(scraped[0].failed.is_empty(), "{scraped:?}");
    let names: Vec<_> = scraped[0].figures.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["app.up", "nginx.active", "jvm.heap.used_bytes", "jvm.threads.current"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let stats = scraper.stats();
    assert_eq!((stats.scrapes, stats.namespace_threads), (4, 1));
    assert!(stats.failures.is_empty());
}

#[tokio::test]
async fn a_slow_drip_ends_at_the_time_out() {
    let start = Instant::now();
    let error = failure(|_| {
        let mut parts = vec![b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec()];
        parts.extend((0..1000).map(|_| b"x".to_vec()));
        parts
    })
    .await;
    assert!(error.starts_with("timed_out"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn what_is_too_large_is_not_read_to_its_end() {
    let length = |_: &str| ok(&"x 1\n".repeat(20_000));
    let error = failure(length).await;
    assert_eq!(error, "too_large: the answer has more than 65536 bytes");
    // without a length, and never ending
    let endless = |_: &str| {
        let mut parts = vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec()];
        parts.extend((0..100).map(|_| vec![b'x'; 8192]));
        parts
    };
    assert!(failure(endless).await.starts_with("too_large"));
    let head =
        |_: &str| vec![[b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-Y: z\r\n".repeat(10_000)].concat()];
    assert!(failure(head).await.starts_with("http"));
}

#[tokio::test]
async fn garbage_redirects_and_refusals_have_their_cause() {
    assert!(failure(|_| vec![b"\x00\xff\xfe SSH-2.0\r\n".to_vec()]).await.starts_with("http"));
    assert!(failure(|_| vec![Vec::new()]).await.starts_with("http"));
    assert!(failure(|_| ok("<html>hello</html>")).await.starts_with("page"));
    let redirect = |_: &str| {
        vec![
            b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
        ]
    };
    assert!(failure(redirect).await.starts_with("redirect: answered 302"));
    let refused =
        |_: &str| vec![b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec()];
    assert_eq!(failure(refused).await, "status: answered 401 instead of 200");
    let short = |_: &str| vec![b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nup 1\n".to_vec()];
    assert!(failure(short).await.starts_with("http"));
}

#[tokio::test]
async fn a_broken_app_harms_only_itself_and_is_spared() {
    let good = server(|_| ok("up 1\n")).await;
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let me = Some(std::process::id());
    let targets: Vec<_> = [("good", good), ("dead", dead)]
        .into_iter()
        .map(|(id, port)| {
            Arc::new(container(id, me, &[("qae.metrics", &format!("http://:{port}/"))]))
        })
        .chain([Arc::new(container("none", me, &[]))])
        .chain([Arc::new(container("gone", Some(u32::MAX), &[("qae.metrics", "http://:1/")]))])
        .chain([Arc::new(container("odd", me, &[("qae.metrics", "https://:1/")]))])
        .collect();
    let scraper = scraper();
    let mut last = Vec::new();
    for _ in 0..3 {
        last = scraper.scrape(&targets, Instant::now() + Duration::from_secs(5)).await;
        last.sort_by(|a, b| a.id.cmp(&b.id));
    }
    let ids: Vec<_> = last.iter().map(|scraped| scraped.id.as_str()).collect();
    assert_eq!(ids, ["dead", "gone", "good", "odd"]);
    assert_eq!(last[2].figures, [("app.up".to_owned(), Value::Int(1))]);
    let causes: Vec<_> = last.iter().flat_map(|s| &s.failed).map(|f| f.error.cause()).collect();
    assert_eq!(causes, ["connect", "gone", "label_refused"]);
    assert!(last.iter().flat_map(|s| &s.failed).all(|f| f.paused && f.times == 2));
    let stats = scraper.stats();
    assert_eq!((stats.scrapes, stats.paused), (3 + 3 * 2, 3));
    assert_eq!(stats.failures["connect"], 2);
}

#[tokio::test]
async fn when_the_tick_is_over_nothing_is_asked() {
    let target =
        Arc::new(container("c", Some(std::process::id()), &[("qae.metrics", "http://:1/")]));
    let scraped = scraper().scrape(&[target], Instant::now()).await;
    assert_eq!(scraped[0].failed[0].error.cause(), "no_time");
}

#[test]
fn a_published_port_is_found_on_the_host() {
    let mut c = container("c", Some(1), &[]);
    assert_eq!(outside(&c, 80), Some("127.0.0.1:80".parse().unwrap()));
    c.network = Network::Own;
    assert_eq!(outside(&c, 80), None);
    let port = |address: &str, port, protocol: &str| Port {
        address: address.parse().unwrap(),
        port,
        container_port: 80,
        protocol: protocol.to_owned(),
    };
    c.ports = vec![port("0.0.0.0", 1000, "udp"), port("::", 1001, "tcp")];
    assert_eq!(outside(&c, 80), Some("[::1]:1001".parse().unwrap()));
    c.ports = vec![port("10.1.2.3", 1002, "tcp")];
    assert_eq!(outside(&c, 80), Some("10.1.2.3:1002".parse().unwrap()));
    assert_eq!(outside(&c, 81), None);
}

#[test]
fn a_scrape_can_run_on_any_thread() {
    fn send<T: Send>(_: &T) {}
    let scraper = scraper();
    send(&scraper.scrape(&[], Instant::now()));
}
