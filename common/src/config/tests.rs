use super::*;
use crate::metric::Style;
use proptest::prelude::*;

fn load(text: &str) -> Result<((Node, Graphite), String), Error> {
    let source = Source::of(Path::new("/etc/qae/qae.toml"), text);
    let mut reader = source.reader()?;
    let both = (reader.section::<node::Section>(), reader.section::<graphite::Section>());
    reader.finish(both)
}

fn refusal(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

#[test]
fn no_file_is_all_defaults_and_the_hostname() {
    let ((node, graphite), _) = load("").unwrap();
    assert!(!node.name.as_str().is_empty());
    assert_eq!((node.dc.as_str(), node.mesos_agent.clone()), ("dc1", None));
    assert_eq!(node.docker_socket(), Some(PathBuf::from("/var/run/docker.sock")));
    assert_eq!(graphite.carbon, ["127.0.0.1:2003"]);
    assert_eq!((graphite.style, graphite.spool_max), (Style::Path, 512 << 20));
}

#[test]
fn other_daemons_sections_are_accepted_unread() {
    let text = "[api]\nanything = 1\n[log-agent]\nx = []\n[nginx-agent]\n[server]\n[[cluster]]\nname = \"a\"\n[[cluster]]\n";
    load(text).unwrap();
}

/// A section that comes many times.
#[derive(Debug, serde::Serialize, serde::Deserialize, Default)]
#[serde(default)]
struct Cluster {
    name: String,
    size: u32,
}

impl Section for Cluster {
    const NAME: &'static str = "cluster";
    type Checked = (String, u32);

    fn check(&mut self, at: &mut At<'_>) -> Self::Checked {
        if self.size > 9 {
            at.fault("size", "at most 9");
        }
        (self.name.clone(), self.size)
    }
}

fn clusters(text: &str) -> Result<(Vec<(String, u32)>, String), String> {
    let source = Source::of(Path::new("/etc/qae/qae.toml"), text);
    let mut reader = source.reader().map_err(|e| e.to_string())?;
    let all = reader.sections::<Cluster>();
    for (nth, one) in all.iter().enumerate() {
        if all[..nth].iter().any(|other| other.0 == one.0) {
            reader.fault::<Cluster>(nth, "name", "another cluster has this name");
        }
    }
    reader.finish(all).map_err(|e| e.to_string())
}

#[test]
fn sections_that_come_many_times_are_read_and_listed_in_order() {
    assert_eq!(clusters("[node]\n").unwrap().0, []);
    let text = "[[cluster]]\nname = \"b\"\nsize = 3\n[[cluster]]\nname = \"a\"\n";
    let (all, listing) = clusters(text).unwrap();
    assert_eq!(all, [("b".to_owned(), 3), ("a".to_owned(), 0)]);
    assert!(listing.contains("[[cluster]]\nname = \"b\"  # line 2\nsize = 3  # line 3\n\n[[cluster]]\nname = \"a\"  # line 5\nsize = 0\n"), "{listing}");
    assert_eq!(clusters(&listing).unwrap().0, all);
}

#[test]
fn faults_of_sections_that_come_many_times_name_their_line() {
    let text = "[[cluster]]\nname = 5\nsize = 10\n[[cluster]]\nsise = 1\n[[cluster]]\nname = \"x\"\n[[cluster]]\nname = \"x\"\n";
    let expected = r#"/etc/qae/qae.toml:2: [cluster] name = 5: invalid type: integer `5`, expected a string
/etc/qae/qae.toml:3: [cluster] size = 10: at most 9
/etc/qae/qae.toml:5: unknown key `sise` in [cluster] (did you mean `size`?)
/etc/qae/qae.toml:9: [cluster] name = "x": another cluster has this name"#;
    let told = clusters(text).unwrap_err();
    // the second has the first's name too: both came out empty
    let told: Vec<_> = told.lines().filter(|line| !line.contains("name = :")).collect();
    assert_eq!(told.join("\n"), expected);
    for (text, line) in [("[cluster]\nname = \"a\"\n", 1), ("\ncluster = [1]\n", 2)] {
        assert_eq!(
            clusters(text).unwrap_err(),
            format!(
                "/etc/qae/qae.toml:{line}: `cluster` may come many times: a line [[cluster]] with its keys beneath"
            )
        );
    }
    let many = "[[cluster]]\n".repeat(1001);
    assert!(clusters(&many).unwrap_err().contains("more than 1000 times [[cluster]]"));
}

fn centre(text: &str) -> Result<(Option<Api>, String), String> {
    let source = Source::of(Path::new("/etc/qae/qae.toml"), text);
    let mut reader = source.reader().map_err(|e| e.to_string())?;
    let api = reader.optional::<api::Section>();
    reader.finish(api).map_err(|e| e.to_string())
}

#[test]
fn a_centre_is_where_the_file_mentions_one() {
    let (none, listing) = centre("[node]\n").unwrap();
    assert!(none.is_none() && !listing.contains("[api]"), "{listing}");
    let default = centre("[api]\n").unwrap().0.unwrap();
    assert_eq!(default.url.to_string(), "http://127.0.0.1:7000/");
    assert_eq!((default.token_file.to_str().unwrap(), default.ca_file), ("/etc/qae/token", None));
    let (api, listing) =
        centre("[api]\nurl = \"https://qae:7000\"\nca_file = \"/etc/ca.pem\"\n").unwrap();
    assert!(api.as_ref().unwrap().url.tls());
    assert_eq!(centre(&listing).unwrap().0, api);
    for url in ["qae:7000", "https://qae/x", "http://u:secret@qae", "http://qae/?x=1", "unix:///x"]
    {
        let told = centre(&format!("\n[api]\nurl = \"{url}\"\n")).unwrap_err();
        assert!(told.starts_with("/etc/qae/qae.toml:3: [api] url = "), "{told}");
    }
    let told = centre("[api]\ntoken_file = \"token\"\nca_file = \"ca\"\n").unwrap_err();
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn a_certificate_needs_its_key_and_absolute_paths() {
    let both = "[node]\ncert = \"/etc/qae/a.pem\"\nkey = \"/etc/qae/b.pem\"\n";
    let tls = load(both).unwrap().0.0.tls.unwrap();
    assert_eq!((tls.cert, tls.key), ("/etc/qae/a.pem".into(), "/etc/qae/b.pem".into()));
    assert!(
        refusal("[node]\ncert = \"/a.pem\"\n")
            .contains("qae.toml:2: [node] cert = \"/a.pem\": `key` is missing")
    );
    assert!(refusal("[node]\nkey = \"/a.pem\"\n").contains("`cert` is missing"));
    assert!(refusal("[node]\ncert = \"a.pem\"\nkey = \"/b\"\n").contains("absolute"));
}

#[test]
fn values_laid_over_a_file_win_and_have_no_line() {
    let file = "[node]\ndc = \"a\"\nstate_dir = \"/one\"\n";
    let read = |source: Source| {
        let mut reader = source.reader().unwrap();
        let node = reader.section::<node::Section>();
        reader.finish(node).map_err(|e| e.to_string())
    };
    for text in [file, "", "[graphite]\n"] {
        let source = Source::of(Path::new("/f"), text).keeping_state_in("/two");
        let (node, listing) = read(source).unwrap();
        assert_eq!(node.state_dir, Path::new("/two"));
        assert!(listing.contains("state_dir = \"/two\"\n"), "{listing}");
    }
    let told = read(Source::of(Path::new("/f"), file).keeping_state_in("two")).unwrap_err();
    assert!(told.starts_with("/f: [node] state_dir = "), "{told}");
    let told = read(Source::of(Path::new("/f"), "node = 1\n").keeping_state_in("/two"));
    assert!(told.unwrap_err().contains("must be a section"));
}

#[test]
fn every_fault_is_named_with_file_line_key_and_the_nearest() {
    let text = r#"
[node]
nmae = "host-17"
dc = 7
state_dir = "var"

[graphit]
carbon = []

[graphite]
carbon = ["graphite-1", "a:2003", "a:2003"]
protocol = "pikle"
spool_max = "lots"
replay_window = "30"
drain_rate = -1
wholly_different = true
"#;
    let expected = r#"/etc/qae/qae.toml:3: unknown key `nmae` in [node] (did you mean `name`?)
/etc/qae/qae.toml:4: [node] dc = 7: invalid type: integer `7`, expected a string
/etc/qae/qae.toml:5: [node] state_dir = "var": must be an absolute path, such as "/var/lib/qae"
/etc/qae/qae.toml:7: unknown section [graphit] (did you mean [graphite]?)
/etc/qae/qae.toml:11: [graphite] carbon = ["graphite-1", "a:2003", "a:2003"]: "graphite-1" is not host:port; write "127.0.0.1:2003", or [] for no Graphite
/etc/qae/qae.toml:11: [graphite] carbon = ["graphite-1", "a:2003", "a:2003"]: "a:2003" is named twice; name it once
/etc/qae/qae.toml:12: [graphite] protocol = "pikle": unknown variant `pikle`, expected `plaintext` or `pickle`
/etc/qae/qae.toml:13: [graphite] spool_max = "lots": write a size in quotes: "512MiB" or "10GiB"
/etc/qae/qae.toml:14: [graphite] replay_window = "30": write a duration in quotes: "10s", "500ms" or "5m"
/etc/qae/qae.toml:15: [graphite] drain_rate = -1: invalid value: integer `-1`, expected u32
/etc/qae/qae.toml:16: unknown key `wholly_different` in [graphite] (known: carbon, drain_rate, prefix, protocol, render_url, replay_window, spool_max, style)"#;
    assert_eq!(refusal(text), expected);
}

#[test]
fn sections_that_are_none_and_text_that_is_no_toml_are_refused() {
    assert_eq!(
        refusal("graphite = 5\n"),
        "/etc/qae/qae.toml:1: `graphite` must be a section: a line [graphite] with its keys beneath"
    );
    assert_eq!(
        refusal("[[node]]\nname = \"a\"\n"),
        "/etc/qae/qae.toml:1: `node` must be a section: a line [node] with its keys beneath"
    );
    let twice = refusal("[node]\ndc = \"a\"\ndc = \"b\"\n");
    assert!(twice.starts_with("/etc/qae/qae.toml:3: not TOML: duplicate key"), "{twice}");
    let open = refusal("[node]\nname = \"host\n");
    assert!(open.starts_with("/etc/qae/qae.toml:2: not TOML: "), "{open}");
    assert_eq!(
        refusal("[xyz]\n"),
        "/etc/qae/qae.toml:1: unknown section [xyz] (known: node, api, graphite, dadvisor, log-agent, nginx-agent, server, cluster)"
    );
}

#[test]
fn the_listing_names_lines_and_parses_back_to_the_same() {
    let text = "[node]\nname = \"n\"\n[graphite]\nspool_max = \"1536MiB\"\nreplay_window = \"90s\"\nstyle = \"tags\"\n";
    let (first, listing) = load(text).unwrap();
    assert!(listing.contains("name = \"n\"  # line 2\n"), "{listing}");
    assert!(listing.contains("spool_max = \"1536MiB\"  # line 4\n"), "{listing}");
    assert!(listing.contains("replay_window = \"1m 30s\"  # line 5\n"), "{listing}");
    assert!(listing.contains("prefix = \"qae\"\n"), "{listing}");
    assert_eq!(load(&listing).unwrap().0, first);
}

#[test]
fn a_named_file_must_be_there_and_be_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("qae.toml");
    let gone = Source::read(Some(&path)).unwrap_err().to_string();
    assert!(gone.contains("qae.toml: cannot read the config file: No such file"), "{gone}");
    std::fs::write(&path, b"[node]\nname = \"\xff\"\n").unwrap();
    let foreign = Source::read(Some(&path)).unwrap_err().to_string();
    assert!(foreign.ends_with("qae.toml:2: not UTF-8 text"), "{foreign}");
    std::fs::write(&path, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert!(matches!(Source::read(Some(&path)), Err(Error::TooLarge { .. })));
    std::fs::write(&path, "[node]\ndc = \"dc9\"\n").unwrap();
    assert!(Source::read(Some(&path)).unwrap().exists());
    assert!(matches!(Source::read(Some(dir.path())), Err(Error::Read { .. })));
}

#[test]
fn host_and_port_are_told_apart() {
    for good in ["a:1", "graphite-1.dc1.example:2003", "127.0.0.1:2003", "[::1]:2003"] {
        assert!(text::is_host_port(good), "{good}");
    }
    for bad in
        ["", ":1", "a", "a:", "a:0", "a:65536", "::1:2003", "[::1]", "a b:1", "a:+1", "http://a:1"]
    {
        assert!(!text::is_host_port(bad), "{bad}");
    }
    assert!(text::is_http_url("http://m1:5051") && text::is_http_url("https://[::1]/x"));
    assert!(
        !text::is_http_url("m1:5051")
            && !text::is_http_url("http://a b")
            && !text::is_http_url("http:///x")
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        drop(load(&text));
    }

    #[test]
    fn no_section_that_comes_many_times_panics(
        text in "(\\[\\[?cluster\\]?\\]?|cluster|name|size| ?= ?|[0-9\"\\[\\]{}]|\n){0,12}",
    ) {
        drop(clusters(&text));
    }

    #[test]
    fn no_section_panics(key in "[a-z_]{1,12}", value in "[\\[\\]\"a-z0-9\\-.:{}= ]{0,20}") {
        drop(load(&format!("[graphite]\n{key} = {value}\n")));
    }

    #[test]
    fn what_was_loaded_prints_and_loads_the_same(
        name in ".{1,40}", spool in (1u64 << 20)..(1 << 50), millis in 0u64..600_000, rate in 1u32..,
        prefix in "[^\\x00]{0,20}",
    ) {
        let mut table = toml::Table::new();
        table.insert("spool_max".into(), format!("{spool}B").into());
        table.insert("replay_window".into(), format!("{millis}ms").into());
        table.insert("drain_rate".into(), i64::from(rate).into());
        table.insert("prefix".into(), prefix.into());
        let mut node = toml::Table::new();
        node.insert("name".into(), name.into());
        let text = format!("[graphite]\n{table}\n[node]\n{node}");
        let (first, listing) = load(&text).unwrap();
        prop_assert_eq!(first.1.spool_max, spool);
        prop_assert_eq!(load(&listing).unwrap().0, first);
    }
}
