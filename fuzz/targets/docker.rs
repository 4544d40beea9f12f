//! The Docker engine's answers: inspect, version, list, events, and the stream they come in.
#![no_main]

use common::container::{InspectError, Rules, from_inspect};
use common::fuzzing::{answers, lines};
use common::ids::{AppId, InstanceId};
use dadvisor::kernel::hierarchy::place::candidates;
use libfuzzer_sys::fuzz_target;

fn named(app: &AppId, instance: &InstanceId) {
    assert!(!app.as_str().is_empty() && !instance.as_str().is_empty());
    fuzz::path(&app.component());
    fuzz::path(&instance.component());
}

fuzz_target!(|data: &[u8]| {
    match from_inspect(data, &Rules::default()) {
        Ok(inspected) => {
            let container = inspected.container;
            named(&container.app, &container.instance);
            // these become paths below a cgroup mount
            for path in candidates(&container) {
                assert!(
                    !path.starts_with('/') && path.split('/').all(|part| part != ".."),
                    "{path}"
                );
            }
            for (_, target) in dadvisor::inapp::asked(&container.labels) {
                drop(target);
            }
            // one container cannot make us keep much
            let kept = kept_bytes(&container);
            assert!(kept < 4 << 20, "{kept} bytes kept of one container");
        }
        Err(InspectError::Json(_) | InspectError::Id(_)) => {}
    }
    let (prefix, _, _) = answers(data);
    assert!(prefix.is_none_or(|prefix| prefix.is_empty() || prefix.starts_with("/v")));
    // however the stream is cut, its lines are the same
    let small: Vec<&[u8]> = data.chunks(data.len() / 16 + 1).collect();
    assert_eq!(lines(&[data], 1 << 20), lines(&small, 1 << 20));
    for line in lines(&small, 16).into_iter().flatten() {
        assert!(!line.is_empty() && line.len() <= 16);
    }
});

/// A bound on what one container takes: all its texts.
fn kept_bytes(container: &common::container::Container) -> usize {
    let labels: usize = container.labels.iter().map(|(k, v)| k.len() + v.len()).sum();
    let volumes: usize =
        container.log_volumes.iter().map(|v| v.source.len() + v.target.len()).sum();
    labels + volumes + container.name.len() + container.image.len() + container.app.as_str().len()
}
