use super::*;
use common::config::Section as _;

fn load(text: &str) -> Result<(Config, String), Error> {
    Config::of(&Source::of(Path::new("/etc/qae/qae.toml"), text))
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let (config, _) = load("").unwrap();
    let own = config.dadvisor.clone();
    assert_eq!((own.listen.to_string().as_str(), own.interval.as_secs()), ("127.0.0.1:7001", 10));
    assert_eq!((own.recent_max, own.inapp_series_max), (8 << 20, 200));
    let families: Vec<_> = own.families.iter().map(|f| f.name()).collect();
    assert_eq!(families, ["cpu", "memory", "io", "net", "pids", "pressure", "oom"]);
    assert_eq!(config.state_dir(), Path::new("/var/lib/qae/dadvisor"));
}

#[test]
fn faults_name_file_line_key_value_and_what_to_write() {
    let text = r#"[dadvisor]
intervall = "10s"
interval = "10x"
listen = "localhost"
proc_root = "proc"
families = ["cpu", "memry", "zzz"]
cgroups = ["system.slice/[", "/init.scope"]
recent_max = 8
inapp_series_max = 0
"#;
    let expected = r#"/etc/qae/qae.toml:2: unknown key `intervall` in [dadvisor] (did you mean `interval`?)
/etc/qae/qae.toml:3: [dadvisor] interval = "10x": write a duration in quotes: "10s", "500ms" or "5m"
/etc/qae/qae.toml:4: [dadvisor] listen = "localhost": write an IP address and port in quotes: "127.0.0.1:7001" or "[::1]:7001"
/etc/qae/qae.toml:5: [dadvisor] proc_root = "proc": must be an absolute path
/etc/qae/qae.toml:6: [dadvisor] families = ["cpu", "memry", "zzz"]: no family "memry"; did you mean "memory"?
/etc/qae/qae.toml:6: [dadvisor] families = ["cpu", "memry", "zzz"]: no family "zzz"; there are cpu, memory, io, net, pids, pressure, oom, cpu_per_core, tcp_states, disk_usage
/etc/qae/qae.toml:7: [dadvisor] cgroups = ["system.slice/[", "/init.scope"]: cgroup pattern "system.slice/[": error parsing glob '[': unclosed character class; missing ']'; a glob such as "system.slice/*.service" is wanted
/etc/qae/qae.toml:7: [dadvisor] cgroups = ["system.slice/[", "/init.scope"]: "/init.scope": leave out the leading /, paths count from the hierarchy's root
/etc/qae/qae.toml:8: [dadvisor] recent_max = 8: invalid type: integer `8`, expected a size in quotes: "512MiB" or "10GiB"
/etc/qae/qae.toml:9: [dadvisor] inapp_series_max = 0: must be 1 to 10000"#;
    assert_eq!(load(text).unwrap_err().to_string(), expected);
    for bad in ["999ms", "0s", "1500ms", "301s"] {
        assert!(load(&format!("[dadvisor]\ninterval = \"{bad}\"\n")).is_err(), "{bad}");
    }
}

#[test]
fn the_listing_parses_back_to_the_same() {
    let text = "[dadvisor]\ninterval = \"1s\"\nfamilies = [\"oom\", \"disk_usage\"]\ncgroups = [\"a/*\"]\nlisten = \"[::1]:0\"\n";
    let (first, listing) = load(text).unwrap();
    assert_eq!(load(&listing).unwrap().0, first);
    assert!(listing.contains("interval = \"1s\"  # line 2"), "{listing}");
}

/// `docs/configuration.md` has one table row per key, `| `key` | `default` | meaning |`, under a heading per section.
#[test]
fn the_documentation_has_every_key_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let text = std::fs::read_to_string(path).unwrap();
    documented::<node::Section>(&text);
    documented::<config::api::Section>(&text);
    documented::<graphite::Section>(&text);
    documented::<Section>(&text);
    for family in Family::ALL {
        assert!(text.contains(&format!("`{family}`")), "family {family} is not described");
    }
}

fn documented<S: config::Section>(text: &str) {
    let head = format!("## [{}]", S::NAME);
    let body = text.split_once(&head).expect("a heading per section").1;
    let body = body.split("\n## ").next().unwrap();
    let rows: Vec<_> = body
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| row.split(" | ").collect::<Vec<_>>())
        .map(|cells| (cells[0].trim_end_matches('`').to_owned(), cells[1].to_owned()))
        .collect();
    let keys = toml::Table::try_from(S::default()).unwrap();
    let expected: Vec<_> =
        keys.iter().map(|(key, value)| (key.clone(), format!("`{value}`"))).collect();
    let mut sorted = rows.clone();
    sorted.sort();
    assert_eq!(sorted, expected, "[{}] in docs/configuration.md", S::NAME);
}

#[test]
fn no_section_of_ours_is_unknown() {
    assert!(config::SECTIONS.contains(&Section::NAME));
}
