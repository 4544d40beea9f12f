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
