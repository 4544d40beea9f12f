//! The Mesos agent's answers: `/state`, then `/containers`.
#![no_main]

use common::container::Rules;
use common::mesos::Names;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [state, containers] = fuzz::pieces(data);
    let mut names = Names::from_state(state, &Rules::default()).unwrap_or_default();
    drop(names.add_containers(containers));
    for id in ids(state).chain(ids(containers)) {
        if let Some(task) = names.get(id) {
            fuzz::path(&task.app.component());
            fuzz::path(&task.instance.component());
        }
    }
});

/// Whatever stands in quotes.
fn ids(json: &[u8]) -> impl Iterator<Item = &str> {
    json.split(|b| *b == b'"').filter_map(|text| std::str::from_utf8(text).ok())
}
