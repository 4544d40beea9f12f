use super::*;
use crate::config::{self, Api, Graphite, Node, Source, api, graphite};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

fn section<S: config::Section>(text: &str) -> S::Checked {
    let source = Source::of(Path::new("x"), text);
    let mut reader = source.reader().unwrap();
    let checked = reader.section::<S>();
    reader.finish(checked).unwrap().0
}

/// `[node]` with these keys.
pub fn node(keys: &str) -> Node {
    section::<config::node::Section>(&format!("[node]\n{keys}\n"))
}

fn with_docker(socket: &Path) -> Node {
    node(&format!("docker = \"unix://{}\"", socket.display()))
}

fn graphite(carbon: &str) -> Graphite {
    section::<graphite::Section>(&format!("[graphite]\ncarbon = [{carbon}]\n"))
}

#[test]
fn a_report_fits_its_screen() {
    let found = [
        finding(Severity::Fine, "cgroups", "v2, /sys/fs/cgroup"),
        finding(
            Severity::Less,
            "pressure",
            "no pressure figures: the kernel is built without pressure (CONFIG_PSI)",
        ),
        finding(Severity::Bad, "docker", "/run/docker.sock: Permission denied\x1b[2J; run as root"),
    ];
    assert_eq!(
        report(&found, "dadvisor", 60, false),
        "\
ok    cgroups     v2, /sys/fs/cgroup
warn  pressure    no pressure figures: the kernel is built
                  without pressure (CONFIG_PSI)
FAIL  docker      /run/docker.sock: Permission
                  denied\\u{1b}[2J; run as root

"
    );
    assert!(
        report(&found[..2], "dadvisor", 60, true).ends_with("dadvisor works here; 1 to look at\n")
    );
    assert!(report(&found[..1], "dadvisor", 60, true).starts_with("\x1b[32mok  \x1b[0m  cgroups"));
}

#[tokio::test]
async fn an_engine_that_answers_refuses_is_absent_or_is_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let absent = neighbours::docker(&with_docker(&dir.path().join("none")), Severity::Bad).await;
    assert_eq!(absent.severity, Severity::Bad);
    assert!(
        absent.text.contains("No such file") && absent.text.contains("docker = \"\""),
        "{}",
        absent.text
    );
    let stale = dir.path().join("stale");
    drop(UnixListener::bind(&stale).unwrap());
    let refused = neighbours::docker(&with_docker(&stale), Severity::Less).await;
    assert!(refused.text.contains("does not run"), "{}", refused.text);
    for (body, severity) in [("{\"Version\":\"28.2.2\"}", Severity::Fine), ("{}", Severity::Bad)] {
        let path = dir.path().join(format!("sock{}", body.len()));
        let listener = UnixListener::bind(&path).unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let engine = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1000];
            assert!(socket.read(&mut asked).await.unwrap() > 0);
            assert!(asked.starts_with(b"GET /version HTTP/1.1\r\n"));
            socket.write_all(answer.as_bytes()).await.unwrap();
        });
        assert_eq!(neighbours::docker(&with_docker(&path), Severity::Bad).await.severity, severity);
        engine.await.unwrap();
    }
    let off = neighbours::docker(&node("docker = \"\""), Severity::Bad).await;
    assert_eq!(off.severity, Severity::Fine);
}

#[tokio::test]
async fn an_engine_that_hangs_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hung");
    let _listener = UnixListener::bind(&path).unwrap();
    let node = with_docker(&path);
    let asked =
        tokio::time::timeout(Duration::from_secs(10), neighbours::docker(&node, Severity::Bad));
    let hung = asked.await.unwrap();
    assert!(hung.severity == Severity::Bad && hung.text.contains("hangs"), "{}", hung.text);
}

#[tokio::test]
async fn every_carbon_is_tried_and_one_is_enough() {
    let up = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let up = (up.local_addr().unwrap(), up);
    let down = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let two = graphite(&format!("\"{down}\", \"{}\"", up.0));
    let both = neighbours::carbon(&two, Severity::Bad).await;
    let severities: Vec<_> = both.iter().map(|f| f.severity).collect();
    assert_eq!(severities, [Severity::Less, Severity::Fine]);
    let none = neighbours::carbon(&graphite(&format!("\"{down}\"")), Severity::Bad).await;
    assert_eq!(none[0].severity, Severity::Bad);
    let off = neighbours::carbon(&graphite(""), Severity::Bad).await;
    assert_eq!(off[0].severity, Severity::Less);
}

#[tokio::test]
async fn the_centre_is_shown_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = format!(
        "[api]\nurl = \"http://{}\"\ntoken_file = \"{}\"\n",
        listener.local_addr().unwrap(),
        token.display()
    );
    let (node, api): (_, Api) = (node("name = \"host-1\""), section::<api::Section>(&text));
    let none = neighbours::center(&node, Some(&api)).await;
    assert!(none.severity == Severity::Less && none.text.contains("token"), "{}", none.text);
    std::fs::write(&token, "qae_x\n").unwrap();
    let cases = [
        (
            "200 OK",
            r#"{"name":"host-1","node":"host-1"}"#,
            Severity::Fine,
            "takes the token \"host-1\"",
        ),
        (
            "200 OK",
            r#"{"name":"other","node":"host-2"}"#,
            Severity::Less,
            "of node \"host-2\", this is",
        ),
        ("200 OK", "hello", Severity::Less, "not as a centre"),
        (
            "401 No",
            r#"{"code":"token_unknown","detail":"no"}"#,
            Severity::Less,
            "401 token_unknown: no",
        ),
    ];
    for (status, body, severity, told) in cases {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1000];
            let read = socket.read(&mut asked).await.unwrap();
            let asked = String::from_utf8_lossy(&asked[..read]).to_lowercase();
            assert!(asked.starts_with("get /v1/me ") && asked.contains("bearer qae_x"), "{asked}");
            socket.write_all(answer.as_bytes()).await.unwrap();
        };
        let (found, ()) = tokio::join!(neighbours::center(&node, Some(&api)), serve);
        assert!(found.severity == severity && found.text.contains(told), "{}", found.text);
    }
    drop(listener);
    let away = neighbours::center(&node, Some(&api)).await;
    assert!(
        away.severity == Severity::Less && away.text.contains("cannot connect"),
        "{}",
        away.text
    );
}
