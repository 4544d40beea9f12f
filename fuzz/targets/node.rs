//! The node's own kernel files: the first byte says which, then two readings of it.
#![no_main]

use dadvisor::fuzzing::{filesystems, node_file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, texts)) = data.split_first() else { return };
    let [was, now]: [String; 2] = fuzz::texts(texts);
    node_file(*kind, &was, &now, &mut |name, value| {
        fuzz::path(&name.to_string());
        assert!(value.as_f64() >= 0.0, "{name} {value:?}");
    });
    let _ = filesystems(&now);
});
