use super::*;
use common::config::Source;
use proptest::prelude::*;

fn of(text: &str) -> Result<LogAgent, String> {
    let source = Source::of(Path::new("q.toml"), format!("[log-agent]\n{text}\n"));
    Config::of(&source).map(|(config, _)| config.log_agent).map_err(|e| e.to_string())
}

fn fault(text: &str, said: &str) {
    let error = of(text).unwrap_err();
    assert!(error.starts_with("q.toml:2: ") && error.contains(said), "{text}: {error}");
}

#[test]
fn without_a_sink_lines_are_only_shown() {
    let config = of("").unwrap();
    assert_eq!((config.sink, config.multiline), (None, None));
    assert_eq!(config.keep, Duration::from_secs(259_200));
}

#[test]
fn a_sink_is_flume_in_one_of_three_forms_or_a_directory() {
    let wire = |more: &str| match of(&format!("flume = [\"f1:4141\", \"f2:4141\"]\n{more}")) {
        Ok(LogAgent { sink: Some(Sink::Flume(flume)), .. }) => flume.wire,
        other => panic!("{other:?}"),
    };
    assert_eq!(wire(""), Wire::Plain);
    assert_eq!(wire("flume_compression = \"deflate\""), Wire::Deflate);
    assert_eq!(wire("flume_tls = true"), Wire::Tls(None));
    assert_eq!(wire("flume_tls = true\nflume_ca_file = \"/ca\""), Wire::Tls(Some("/ca".into())));
    let several = of("flume = [\"f1:4141\"]\nflume_connections = 2").unwrap();
    assert_eq!(several.sink.map(|sink| sink.outlets()), Some(2));
    let dir = of("sink = \"dir:/var/logs\"").unwrap();
    assert_eq!(dir.sink, Some(Sink::Dir("/var/logs".into())));
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    fault("sink = \"dir:logs\"", "absolute path");
    fault("sink = \"kafka\"", "\"flume\" or \"dir:/path\"");
    fault("flume = [\"f1\"]", "is not host:port");
    fault("flume = [\"f1:1\", \"f1:1\"]", "named twice");
    fault("flume_compression = \"deflate\"\nflume_tls = true", "cannot do TLS and deflate");
    fault("flume_ca_file = \"/ca\"", "means nothing without flume_tls");
    fault("flume_connections = 0", "1 to 8");
    fault("include = [\"/x\"]", "leave out the leading /");
    fault("exclude = [\"a[\"]", "a glob such as");
    fault("multiline = \"(\"", "no regular expression");
    fault("log_path = \"/qae/../etc\"", "without . and ..");
    fault("origins = [\"logs.example\"]", "is no origin");
    fault("origins = [\"https://a/b\"]", "is no origin");
    fault("batch_bytes = \"4KiB\"", "\"512KiB\" to");
    fault("batch_evens = 3", "did you mean `batch_events`?");
    fault("keep = \"1s\"", "too short");
}

#[test]
fn a_config_that_is_printed_reads_back_to_itself() {
    let text = "[log-agent]\nmultiline = \"^\\\\d\"\nsink = \"dir:/x\"\nkeep = \"5m\"\n";
    let (config, listing) = Config::of(&Source::of(Path::new("q.toml"), text)).unwrap();
    assert_eq!(Config::of(&Source::of(Path::new("q.toml"), listing)).unwrap().0, config);
}

#[test]
fn every_key_is_in_the_documentation_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, part) = text.split_once("\n## [log-agent]\n").unwrap();
    let part = part.split("\n## ").next().unwrap();
    let rows: Vec<&str> = part.lines().filter(|line| line.starts_with("| `")).collect();
    let keys = toml::Table::try_from(Section::default()).unwrap();
    assert_eq!(rows.len(), keys.len());
    for (key, value) in keys {
        // durations are printed in another form than they are best typed in
        let value = if key == "keep" { "\"72h\"".to_owned() } else { value.to_string() };
        let row = format!("| `{key}` | `{value}` | ");
        assert!(
            rows.iter().any(|line| line.starts_with(&row)),
            "docs/configuration.md lacks {row}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_check(value in ".{0,30}") {
        let quoted = toml::Value::String(value).to_string();
        for key in ["multiline", "sink", "log_path"] {
            drop(of(&format!("{key} = {quoted}")));
        }
        for key in ["include", "origins", "flume"] {
            drop(of(&format!("{key} = [{quoted}]")));
        }
    }
}
