//! What containers ask for and their pages, for fuzz targets; see [`crate::fuzzing`].

use super::connectors::Connectors;
use super::figures::Figures;
use super::target::{Kind, Refused, Target, parse};
use super::{Dropped, jolokia, nginx, prometheus, tomcat};
use common::http::Basic;
use common::metric::Value;

/// A label's value as the page it asks for, with the header it would be asked with.
pub fn target(kind: Kind, url: &str) -> Result<(Target, Option<String>), Refused> {
    parse(kind, url).map(|target| {
        let header = target.basic.as_ref().map(Basic::header);
        (target, header)
    })
}

/// The figures of a page, at most `cap`, and what was not taken. Jolokia: the same answer to each of its questions.
pub fn page(kind: Kind, body: &[u8], buckets: bool, cap: usize) -> (Vec<(String, Value)>, Dropped) {
    let mut out = Figures::new(cap);
    let text = String::from_utf8_lossy(body);
    // a page that is refused half-way keeps what it gave before
    match kind {
        Kind::Prometheus => drop(prometheus::parse(&text, buckets, &mut out)),
        Kind::Tomcat => drop(tomcat::parse(&text, &mut out)),
        Kind::Nginx => drop(nginx::parse(&text, &mut out)),
        Kind::Jolokia => {
            let mut connectors = Connectors::default();
            for read in &jolokia::READS {
                drop(read.parse(body, &mut out, &mut connectors));
            }
            connectors.emit(&mut out);
        }
    }
    (out.list, out.dropped)
}
