//! What browsers and curl send to the live server of a node: queries, ranges, headers, and what viewers say on their sockets.
#![no_main]

use axum::http::{HeaderMap, HeaderValue};
use common::api_types::live::{Ask, Filter};
use common::fuzzing::escaped;
use common::ids::NodeName;
use common::printable::acts;
use common::serve::Problem;
use libfuzzer_sys::fuzz_target;
use log_agent::fuzzing::{Part, Query, from_here, named, range, shown};
use log_agent::live::filter::LineFilter;

const ONCE: [&str; 4] = ["lines", "grep", "invert", "case"];
const MANY: [&str; 2] = ["file", "from"];

fuzz_target!(|data: &[u8]| {
    let [query, said, header, line] = fuzz::pieces(data);
    let [query, said] = [query, said].map(String::from_utf8_lossy);
    if let Err(problem) = asked(&query, line) {
        refused(&problem);
    }
    if let Ok(ask) = serde_json::from_str::<Ask>(&said) {
        let text = serde_json::to_string(&ask).expect("it is printed");
        assert_eq!(serde_json::from_str::<Ask>(&text).ok(), Some(ask.clone()));
        if let Ask::Filter { grep, invert, case, .. } = ask {
            filtered(Filter { grep, invert, case }, line);
        }
    }
    headers(header, line);
});

/// As a stream's query is read.
fn asked(text: &str, line: &[u8]) -> Result<(), Problem> {
    let query = Query::parse(Some(text), &ONCE, &MANY)?;
    assert!(query.lines()? <= 100_000);
    let places = query.from()?;
    let again: String = places
        .iter()
        .map(|p| format!("&from={}.{}.{}", p.source, p.generation, p.offset))
        .collect();
    let again = Query::parse(Some(&again[again.len().min(1)..]), &[], &MANY)?;
    assert_eq!(again.from()?, places);
    assert!(
        places.len() <= 64
            && places.iter().all(|p| p.source.bytes().all(|b| b.is_ascii_hexdigit()))
    );
    let wanted = query.wanted()?;
    let file = String::from_utf8_lossy(line);
    assert!(!wanted.names(&file) || wanted.fits(&file));
    let filter = query.filter()?.asked().clone();
    let (grep, invert, case) =
        (escaped(&filter.grep), u8::from(filter.invert), u8::from(filter.case));
    let again =
        Query::parse(Some(&format!("grep={grep}&invert={invert}&case={case}")), &ONCE, &[])?;
    assert_eq!(again.filter()?.asked(), &filter);
    filtered(filter, line);
    Ok(())
}

/// Every line is shown by a filter or by its opposite.
fn filtered(asked: Filter, line: &[u8]) {
    let opposite = Filter { invert: !asked.invert, ..asked.clone() };
    match (LineFilter::new(asked), LineFilter::new(opposite)) {
        (Ok(filter), Ok(opposite)) => {
            assert_ne!(filter.shows(line), opposite.shows(line));
            assert!(!filter.is_open() || filter.shows(line));
        }
        (Err(error), Err(_)) => said(&error.to_string()),
        (one, other) => panic!("{one:?} {other:?}"),
    }
}

/// A refusal is the asker's fault, in one line of words.
fn refused(problem: &Problem) {
    assert_eq!(problem.status, 400);
    said(&problem.detail);
}

fn said(detail: &str) {
    assert!(detail.len() < 1_000 && !detail.contains(acts), "{detail:?}");
}

/// A header's text as each of those that are looked at, beside a host it may name.
fn headers(header: &[u8], host: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(header) else { return };
    let text = value.to_str().unwrap_or_default();
    for len in [0, 1, 1_000, u64::MAX] {
        if let Part::Bytes(from, to) = range(Some(text), len) {
            assert!(from < to && to <= len, "{text:?}");
        }
    }
    let mut headers = HeaderMap::new();
    for name in ["origin", "authorization", "sec-websocket-protocol"] {
        headers.insert(name, value.clone());
    }
    let host = HeaderValue::from_bytes(host).unwrap_or(HeaderValue::from_static("node-1:7002"));
    let own = host.to_str().unwrap_or_default().to_ascii_lowercase();
    headers.insert("host", host);
    let allowed = ["https://qae.example".to_owned()];
    if from_here(&headers, &allowed) {
        let origin = text.to_ascii_lowercase();
        let of_own = [format!("http://{own}"), format!("https://{own}")];
        assert!(of_own.contains(&origin) || allowed.contains(&origin), "{origin:?} at {own:?}");
    }
    if let Some(ticket) = shown(&headers) {
        assert!(text.contains(ticket) && ticket.trim() == ticket, "{ticket:?}");
    }
    assert!(text.ends_with(named(text, &NodeName::new("host-17"))));
}
