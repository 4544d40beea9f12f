//! Ids of apps, instances and nodes in a path, cursors and topics in a query: what is printed is read back, and no name leaves its place.
#![no_main]

use common::api_types::Topic;
use common::fuzzing::escaped;
use common::http::Url;
use common::ids::Cursor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [id, text]: [String; 2] = fuzz::texts(data);
    let part = escaped(&id);
    assert!(part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{part}");
    assert_eq!(unescaped(&part), id.as_bytes());
    let path = format!("/v1/instances/{part}");
    let url = Url::parse("http://centre:7000").expect("a URL").at(&path);
    assert_eq!((url.host(), url.port(), url.path()), ("centre", 7000, path.as_str()));

    if let Some(cursor) = Cursor::parse(&text) {
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
    }
    if let Ok(topic) = Topic::parse(&text) {
        assert_eq!(Topic::parse(&topic.to_string()).as_ref(), Ok(&topic));
    }
    if let Ok(topics) = Topic::parse_list(&text) {
        assert!(!topics.is_empty() && topics.len() <= text.len());
    }
    if let Ok(url) = Url::parse(&text) {
        // nothing of it can end a request's line or head
        let shown = format!("{}{}", url.path(), url.host());
        assert!(!shown.bytes().any(|b| b.is_ascii_control() || b == b' '), "{shown:?}");
    }
});

/// Percent-decoding, written apart from what the product does.
fn unescaped(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, more @ ..] = rest {
        rest = more;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(&rest[..2]).expect("two digits");
        out.push(u8::from_str_radix(digits, 16).expect("hex digits"));
        rest = &rest[2..];
    }
    out
}
