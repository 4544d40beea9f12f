//! Tickets: any text is refused or is what was signed, any glob matches only proper paths, and what is signed comes back.
#![no_main]

use common::moment::Moment;
use common::ticket::{Keys, MAX_TEXT, Right, SigningKey, Ticket, sign, verify};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use std::time::Duration;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_seed(&[7; 32]));
static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::new(&[KEY.public()]).expect("a key"));

fuzz_target!(|data: &[u8]| {
    let [text, user, instance, files, path]: [String; 5] = fuzz::texts(data);
    let now = Moment::from_unix_ms(1_795_392_000_000);
    assert!(verify(&text, &KEYS, now).is_err(), "nobody signed {text:?}");
    // under our key's name too
    assert!(verify(&format!("qtk1.{}.{text}", KEY.kid()), &KEYS, now).is_err(), "{text:?}");

    let ticket = Ticket {
        id: "t1".to_owned(),
        user,
        instances: vec![instance.clone()],
        files,
        rights: vec![Right::Read],
        issued: now,
        expires: now.after(Duration::from_secs(60)),
    };
    if ticket.allows(&instance, &path, Right::Read) {
        let proper = |part: &str| !matches!(part, "" | "." | "..");
        assert!(path.split('/').all(proper), "{:?} opens {path:?}", ticket.files);
        assert!(!ticket.allows(&instance, &path, Right::Download));
    }
    let signed = sign(&ticket, &KEY);
    match ticket.check() {
        Ok(()) => {
            assert!(signed.len() <= MAX_TEXT, "{} bytes", signed.len());
            assert_eq!(verify(&signed, &KEYS, now).as_ref(), Ok(&ticket));
            changed(&signed, text.len(), now);
        }
        Err(_) => assert!(verify(&signed, &KEYS, now).is_err(), "more than its bounds allow"),
    }
});

/// One byte changed, wherever: it is worth nothing.
fn changed(signed: &str, at: usize, now: Moment) {
    let mut bytes = signed.as_bytes().to_vec();
    let at = at % bytes.len();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    let text = String::from_utf8(bytes).expect("ASCII");
    assert!(verify(&text, &KEYS, now).is_err(), "{text}");
}
