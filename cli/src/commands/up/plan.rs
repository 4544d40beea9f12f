//! The config of `qae up`: made on the first start, from then on its owner's, with the few values that must be true set each time. Pure.

use super::edit::{Foreign, set};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// The text of the first start.
pub fn first(docker: &str, carbon: Option<&str>) -> String {
    // without Graphite nobody's retention asks for ten seconds, and charts that move are nicer to look at
    let (carbon, interval) = match carbon {
        Some(address) => (format!("{address:?}"), "10s"),
        None => (String::new(), "2s"),
    };
    format!(
        "# Made by `qae up`, which keeps [node] state_dir and [api] true at every start, and moves to the next free port where one is\n\
         # taken; the rest is yours. docs/configuration.md tells every key.\n\
         [node]\n\
         docker = {docker:?}\n\n\
         [graphite]\n\
         carbon = [{carbon}]\n\n\
         [dadvisor]\n\
         interval = {interval:?}\n"
    )
}

/// What must be true.
#[derive(Debug, Clone)]
pub struct Truth<'a> {
    /// Where everything is kept.
    pub state_dir: &'a str,
    /// Where the centre listens.
    pub server: SocketAddr,
    /// Whether over TLS.
    pub tls: bool,
    /// Where dadvisor listens.
    pub dadvisor: SocketAddr,
    /// Where log-agent listens.
    pub log_agent: SocketAddr,
    /// The admin's token.
    pub token_file: &'a Path,
}

/// The text with all of it set.
pub fn effective(text: &str, truth: &Truth<'_>) -> Result<String, Foreign> {
    let text = set(text, "node", "state_dir", truth.state_dir)?;
    let text = set(&text, "api", "url", &url(truth))?;
    let text = set(&text, "api", "token_file", &truth.token_file.display().to_string())?;
    let text = set(&text, "server", "listen", &truth.server.to_string())?;
    let text = set(&text, "dadvisor", "listen", &truth.dadvisor.to_string())?;
    set(&text, "log-agent", "listen", &truth.log_agent.to_string())
}

/// Where the centre is reached from this machine.
pub fn url(truth: &Truth<'_>) -> String {
    let ip = match truth.server.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let scheme = if truth.tls { "https" } else { "http" };
    format!("{scheme}://{}", SocketAddr::new(ip, truth.server.port()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::config::Source;

    fn truth(server: &str) -> Truth<'_> {
        Truth {
            state_dir: "/s/.qae",
            server: server.parse().unwrap(),
            tls: false,
            dadvisor: "127.0.0.1:7001".parse().unwrap(),
            log_agent: "127.0.0.1:7002".parse().unwrap(),
            token_file: Path::new("/s/.qae/admin-token"),
        }
    }

    #[test]
    fn every_part_reads_it() {
        for carbon in [None, Some("127.0.0.1:2003")] {
            let text = first("unix:///var/run/docker.sock", carbon);
            let text = effective(&text, &truth("0.0.0.0:7003")).unwrap();
            let source = Source::of(Path::new("/s/.qae/qae.toml"), text.clone());
            let (dadvisor, _) = dadvisor::config::Config::of(&source).unwrap();
            assert_eq!(dadvisor.node.state_dir, Path::new("/s/.qae"));
            assert_eq!(dadvisor.dadvisor.listen.port(), 7001);
            assert_eq!(dadvisor.graphite.carbon.len(), usize::from(carbon.is_some()));
            let (logs, _) = log_agent::config::Config::of(&source).unwrap();
            assert_eq!((logs.log_agent.listen.port(), logs.log_agent.sink), (7002, None));
            let (api, _) = api::config::Config::of(&source).unwrap();
            assert_eq!(api.server.listen.port(), 7003);
            let mut reader = source.reader().unwrap();
            let centre = reader.section::<common::config::api::Section>();
            assert_eq!(reader.finish(centre).unwrap().0.url.to_string(), "http://127.0.0.1:7003/");
            assert_eq!(effective(&text, &truth("0.0.0.0:7003")).unwrap(), text);
        }
    }

    #[test]
    fn what_its_owner_wrote_stays() {
        let own = "# mine\n[graphite]\ncarbon = [\"g:2003\"] # ours\n";
        let text = effective(own, &truth("127.0.0.1:7000")).unwrap();
        assert!(text.starts_with(own), "{text}");
    }
}
