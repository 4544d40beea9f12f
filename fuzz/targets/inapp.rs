//! What runs inside containers: the first byte says which kind of page, the rest is a label and the page.
#![no_main]

use dadvisor::fuzzing::{page, target};
use dadvisor::inapp::{Kind, without_userinfo};
use libfuzzer_sys::fuzz_target;

const CAP: usize = 50;

fn label(kind: Kind, url: &str) {
    let _ = without_userinfo(url);
    let Ok((target, header)) = target(kind, url) else { return };
    assert!(target.port > 0);
    // both go into a request as they are
    assert!(target.path.starts_with('/'));
    assert!(target.path.bytes().all(|b| b.is_ascii_graphic()), "{:?}", target.path);
    let header = header.unwrap_or_default();
    assert!(header.bytes().all(|b| b.is_ascii_graphic() || b == b' '), "{header:?}");
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let kind = Kind::ALL[usize::from(*first) % Kind::ALL.len()];
    let [url, body] = fuzz::pieces(rest);
    label(kind, &String::from_utf8_lossy(url));
    let (figures, _) = page(kind, body, first & 0x80 != 0, CAP);
    assert!(figures.len() <= CAP);
    for (name, value) in figures {
        fuzz::path(&name);
        assert!(name.len() <= 400 && value.as_f64().is_finite(), "{name} {value:?}");
    }
});
