//! Where the lines of a log file are kept, beneath the sink's directory. Pure.
//!
//! App, instance and file come from outside. Each becomes one name that no other has, leads nowhere else and can be typed.

use common::ids::component;
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_64;

/// Longest name of a file, so that a time, a number and `.zst` fit behind it.
const LONGEST: usize = 200;

/// `<app>/<instance>/<file>`; a `/` in the name of the file, which is shown escaped already, is `%2F`.
pub(super) fn path(app: &str, instance: &str, file: &str) -> PathBuf {
    let app = common::ids::AppId::new(app).component();
    let mut name = file.replace('/', "%2F");
    if name.len() > LONGEST {
        let hash = format!("~{:016x}", xxh3_64(name.as_bytes()));
        let mut end = LONGEST - hash.len();
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
        name.push_str(&hash);
    }
    PathBuf::from(app).join(component(instance)).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::FileName;
    use proptest::prelude::*;

    #[test]
    fn usual_names_are_as_they_are() {
        let usual = path("video/transcode/api", "video_api.5c2b-1", "sub/app.log");
        let shown = usual.display().to_string();
        assert!(shown.starts_with("video_transcode_api/video_api_5c2b-1-"), "{shown}");
        assert!(shown.ends_with("/sub%2Fapp.log"), "{shown}");
    }

    proptest! {
        #[test]
        fn three_names_deep_whatever_it_is_called(
            app in ".{0,300}", instance in "[./]{0,5}|.{0,300}", file in prop::collection::vec(any::<u8>(), 1..600),
        ) {
            let Ok(file) = FileName::new(file) else { return Ok(()) };
            let path = path(&app, &instance, &file.shown());
            let parts: Vec<_> = path.components().collect();
            prop_assert_eq!(parts.len(), 3);
            for part in parts {
                prop_assert!(matches!(part, std::path::Component::Normal(_)), "{part:?}");
                prop_assert!(part.as_os_str().len() <= LONGEST + 10);
            }
        }
    }
}
