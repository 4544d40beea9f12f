//! What whoever asks the centre brings: a secret, the version a change is meant for, a token as it is to be made.
#![no_main]

use api::access::Secret;
use api::access::token::{NewToken, is_name};
use api::scope::AppGlobs;
use api::version::{IfMatch, Version};
use common::ids::AppId;
use common::moment::Moment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [secret, header, asked, app] = fuzz::pieces(data);
    if let Some(parsed) = std::str::from_utf8(secret).ok().and_then(Secret::parse) {
        assert_eq!(parsed.reveal().as_bytes(), secret, "two texts of one secret");
        assert!(!format!("{parsed:?}").contains(parsed.reveal()), "it is printed");
    }
    // the part of a header that a request can bring
    let header: String = header.iter().filter(|b| (32..127).contains(*b)).map(|b| char::from(*b)).collect();
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("if-match", header.parse().expect("plain text"));
    if let Ok(wanted) = IfMatch::of(&headers) {
        assert!(wanted.is_given());
        let fits = wanted.check(&Version::of(&"a")).is_ok();
        assert!(!fits || header.trim() == "*" || header.contains('"'), "{header:?} fits");
    }
    let now = Moment::from_unix_ms(1_795_392_000_000);
    let Ok(asked) = serde_json::from_slice::<NewToken>(asked) else { return };
    let Ok(token) = asked.check(now) else { return };
    assert!(is_name(&token.name) && !token.expired(now), "{token:?}");
    assert!(token.node.is_some() == (token.role == api::access::Role::Node), "{token:?}");
    let globs = AppGlobs::parse(&token.apps).expect("what was taken reads back");
    if let Ok(app) = std::str::from_utf8(app) {
        // whatever it says, it ends
        globs.admits(&AppId::new(app));
    }
});
