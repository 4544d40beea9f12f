//! The config file, and the addresses in it.
#![no_main]

use common::config::Source;
use common::http::Url;
use dadvisor::discover::cgroup_scan::Globs;
use dadvisor::config::Config;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let path = Path::new("/etc/qae/qae.toml");
    match Config::of(&Source::of(path, text)) {
        Ok((config, listing)) => {
            assert!(config.dadvisor.interval.as_secs() >= 1);
            // the listing is a config file and means the same
            let (again, second) =
                Config::of(&Source::of(path, listing.as_str())).expect("the listing");
            assert_eq!(
                (again.node, again.api, again.graphite, again.dadvisor),
                (config.node, config.api, config.graphite, config.dadvisor)
            );
            assert_eq!(values(&listing), values(&second));
        }
        // every fault names the file
        Err(error) => assert!(error.to_string().contains("/etc/qae/qae.toml")),
    }
    if let Ok(url) = Url::parse(text) {
        assert!(url.port() > 0 && !url.host().is_empty() && url.path().starts_with('/'));
    }
    drop(Globs::default().add(text));
});

fn values(listing: &str) -> toml::Table {
    listing.parse().expect("TOML")
}
