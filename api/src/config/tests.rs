use super::*;
use proptest::prelude::*;

fn load(text: &str) -> Result<(Config, String), Error> {
    Config::of(&Source::of(Path::new("/etc/qae/qae.toml"), text))
}

fn refusal(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let (config, _) = load("").unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:7000");
    assert_eq!(config.store_url(), "sqlite:/var/lib/qae/api/qae.db");
    assert_eq!((config.server.keep_events, config.server.keep_for), (100_000, 7 * DAY));
    assert_eq!((config.server.tls.clone(), config.clusters.len()), (None, 0));
}

#[test]
fn clusters_are_read_in_order() {
    let text = r#"
[server]
store = "postgres://qae:secret@db/qae"
[[cluster]]
name = "m1"
kind = "marathon"
url = ["http://a:8080", "http://b:8080/"]
user = "qae"
password_file = "/etc/qae/m1"
[[cluster]]
name = "plain"
dc = "dc2"
"#;
    let (config, _) = load(text).unwrap();
    assert_eq!(config.store_url(), "postgres://qae:secret@db/qae");
    let [marathon, docker] = config.clusters.as_slice() else { panic!("{:?}", config.clusters) };
    assert_eq!(
        (marathon.name.as_str(), marathon.dc.as_str(), marathon.kind),
        ("m1", "dc1", Kind::Marathon)
    );
    assert_eq!(
        marathon.url.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["http://a:8080/", "http://b:8080/"]
    );
    assert_eq!(marathon.password_file.as_deref(), Some(Path::new("/etc/qae/m1")));
    assert_eq!((docker.name.as_str(), docker.kind, docker.url.len()), ("plain", Kind::Docker, 0));
}

#[test]
fn faults_name_file_line_key_value_and_what_to_write() {
    let text = r#"[server]
listn = "x"
store = "mysql://a"
cert = "/a.pem"
keep_events = 1
keep_for = "1s"
[[cluster]]
name = "a/b"
kind = "mesos"
[[cluster]]
name = "m"
kind = "marathon"
user = "u"
[[cluster]]
name = "n"
kind = "marathon"
url = ["http://a:8080/marathon", "m1"]
"#;
    let said = refusal(text);
    for expected in [
        "qae.toml:2: unknown key `listn` in [server] (did you mean `listen`?)",
        "qae.toml:3: [server] store = \"mysql://a\": must be \"sqlite:/absolute/path.db\"",
        "[server] cert = \"/a.pem\": `key` is missing",
        "qae.toml:5: [server] keep_events = 1: must be 1000 to 10000000",
        "qae.toml:6: [server] keep_for = \"1s\": must be \"1h\"",
        "qae.toml:8: [cluster] name = \"a/b\": must be 1 to 64",
        "qae.toml:9: [cluster] kind = \"mesos\": unknown variant `mesos`",
        "[cluster] url = : a Marathon cluster needs its addresses",
        "qae.toml:13: [cluster] user = \"u\": needs `password_file` too",
        "\"http://a:8080/marathon\": leave out what follows the port",
        "\"m1\" cannot be asked",
    ] {
        assert!(said.contains(expected), "{expected}\nnot in\n{said}");
    }
}

#[test]
fn clusters_that_cannot_be_told_apart_are_refused() {
    let marathon = |name: &str| {
        format!("[[cluster]]\nname = \"{name}\"\nkind = \"marathon\"\nurl = [\"http://m:8080\"]\n")
    };
    assert!(
        refusal(&marathon("a").repeat(2))
            .contains("[cluster] name = \"a\": two clusters have this name")
    );
    assert!(refusal(&marathon("local")).contains("name the Marathon otherwise"));
    let docker = "[[cluster]]\nname = \"a\"\n[[cluster]]\nname = \"b\"\n";
    assert!(refusal(docker).contains("[cluster] dc = \"dc1\": two Docker clusters"));
}

#[test]
fn the_listing_parses_back_to_the_same() {
    let text = "[server]\nlisten = \"[::1]:0\"\nkeep_for = \"1h\"\n[[cluster]]\nname = \"m\"\nkind = \"marathon\"\nurl = [\"http://m:8080\"]\n";
    let (first, listing) = load(text).unwrap();
    assert_eq!(load(&listing).unwrap().0, first);
    assert!(listing.contains("keep_for = \"1h\"  # line 3"), "{listing}");
}

/// `docs/configuration.md` has one table row per key, `| `key` | `default` | meaning |`, under a heading per section.
#[test]
fn the_documentation_has_every_key_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let text = std::fs::read_to_string(path).unwrap();
    documented::<Section>(&text, "\n## [server]\n");
    documented::<cluster::Section>(&text, "\n## [[cluster]]\n");
}

fn documented<S: config::Section>(text: &str, heading: &str) {
    let section =
        text.split(heading).nth(1).unwrap_or_default().split("\n## ").next().unwrap_or_default();
    let keys = toml_keys(&S::default());
    for (key, value) in &keys {
        let row = format!("| `{key}` | `{value}` |");
        assert!(section.contains(&row), "no row {row} in [{}]", S::NAME);
    }
    assert_eq!(
        section.lines().filter(|l| l.starts_with("| `")).count(),
        keys.len(),
        "[{}]",
        S::NAME
    );
}

/// The keys with their values as TOML writes them, by way of JSON, whose strings, numbers and lists of such look the same.
fn toml_keys(section: &impl Serialize) -> Vec<(String, String)> {
    let serde_json::Value::Object(keys) = serde_json::to_value(section).unwrap() else {
        panic!("no table")
    };
    keys.into_iter().map(|(key, value)| (key, value.to_string())).collect()
}

proptest! {
    #[test]
    fn no_value_breaks_it(store in ".{0,40}", name in ".{0,80}", url in ".{0,40}") {
        let text = format!("[server]\nstore = {store:?}\n[[cluster]]\nname = {name:?}\nkind = \"marathon\"\nurl = [{url:?}]\n");
        drop(load(&text));
    }
}
