//! From a Mesos task id to the app it belongs to, for every form Marathon (0.8 to 1.11) and Chronos have used (marathon.md section 3, "Ids").
//!
//! Marathon joins an app's path segments with `_` and appends what makes the task unique:
//! `shop_web.<uuid>` (to 1.3), `shop_web.marathon-<uuid>.<container>` and `<app>.<uuid>.<n>` (1.4), `shop_web.instance-<uuid>._app.<n>` (1.8).
//! The forms are tried from the most to the least specific, each greedily, since an app id may contain dots itself.

use crate::ids::AppId;

/// The app a task id belongs to; none when the id has no form known here.
///
/// A Chronos run (`ct:<due ms>:<attempt>:<job>:<arguments>`) belongs to `chronos/<job>`.
pub fn app_of_task(task: &str) -> Option<AppId> {
    if let Some(rest) = task.strip_prefix("ct:") {
        let job = rest.split(':').nth(2).filter(|job| !job.is_empty())?;
        return Some(AppId::new(format!("chronos/{job}")));
    }
    let safe = instance_form(task).or_else(|| resident_form(task)).or_else(|| plain_form(task))?;
    // segments are [a-z0-9-.], so this is the exact reverse
    let id = safe.replace('_', "/");
    let id = id.trim_matches('/');
    (!id.is_empty()).then(|| AppId::new(id))
}

/// `^(.+)\.(instance-|marathon-)([^_.]+)[._]([^.]+?)(?:\.(\d+))?$`, first group.
fn instance_form(task: &str) -> Option<&str> {
    // from the right: the first group is greedy
    task.rmatch_indices('.').map(|(at, _)| at).find_map(|at| {
        let rest = &task[at + 1..];
        let rest = rest.strip_prefix("instance-").or_else(|| rest.strip_prefix("marathon-"))?;
        let end = rest.find(['.', '_']).filter(|end| *end > 0)?;
        (at > 0 && is_container(&rest[end + 1..])).then(|| &task[..at])
    })
}

/// `([^.]+?)(?:\.(\d+))?$`: a container's name, perhaps with its incarnation.
fn is_container(text: &str) -> bool {
    match text.split_once('.') {
        None => !text.is_empty(),
        Some((name, incarnation)) => !name.is_empty() && is_number(incarnation),
    }
}

/// `^(.+)[._]([^_.]+)\.(\d+)$`, first group: a resident task that was launched again.
fn resident_form(task: &str) -> Option<&str> {
    let (rest, incarnation) = task.rsplit_once('.')?;
    if is_number(incarnation) { plain_form(rest) } else { None }
}

/// `^(.+)[._]([^_.]+)$`, first group.
fn plain_form(task: &str) -> Option<&str> {
    let (app, unique) = task.rsplit_once(['.', '_'])?;
    (!app.is_empty() && !unique.is_empty()).then_some(app)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UUID: &str = "32d2c410-3618-11ea-b21c-0242ac110005";

    fn app(task: &str) -> Option<String> {
        app_of_task(task).map(|a| a.to_string())
    }

    #[test]
    fn every_version_of_marathon() {
        for (task, wanted) in [
            (format!("shop_web.{UUID}"), "shop/web"),
            (format!("shop_web_{UUID}"), "shop/web"),
            (format!("shop_db.{UUID}.3"), "shop/db"),
            (format!("shop_web.marathon-{UUID}.web"), "shop/web"),
            (format!("grp_pod.instance-{UUID}.sidecar"), "grp/pod"),
            (format!("shop_web.instance-{UUID}._app.12"), "shop/web"),
            (format!("shop_web.marathon-{UUID}._app.2"), "shop/web"),
            (format!("grp_pod.instance-{UUID}.side-car.1"), "grp/pod"),
            (format!("shop_web.instance-{UUID}"), "shop/web"),
            (format!("v1.2_api.{UUID}"), "v1.2/api"),
            (format!("a.instance-b_c.instance-{UUID}._app.1"), "a.instance-b/c"),
            (format!("ingest.{UUID}"), "ingest"),
        ] {
            assert_eq!(app(&task).as_deref(), Some(wanted), "{task}");
        }
    }

    #[test]
    fn chronos_and_ids_that_say_nothing() {
        assert_eq!(
            app("ct:1578996000000:0:nightly-report:").as_deref(),
            Some("chronos/nightly-report")
        );
        assert_eq!(app("ct:1578996000000:0:a.b_c:-x .1").as_deref(), Some("chronos/a.b_c"));
        for task in ["", "web", ".x", "_", "x.", "ct:", "ct:1:0::", "___.1"] {
            assert_eq!(app(task), None, "{task}");
        }
    }

    proptest! {
        #[test]
        fn what_marathon_builds_is_taken_apart(
            path in proptest::collection::vec("[a-z0-9][a-z0-9.-]{0,8}[a-z0-9]", 1..4),
            container in "[a-z][a-z0-9-]{0,8}",
            n in 0u32..1000,
        ) {
            let (safe, wanted) = (path.join("_"), path.join("/"));
            for task in [
                format!("{safe}.{UUID}"),
                format!("{safe}.{UUID}.{n}"),
                format!("{safe}.instance-{UUID}._app.{n}"),
                format!("{safe}.marathon-{UUID}._app.{n}"),
                format!("{safe}.instance-{UUID}.{container}"),
                format!("{safe}.instance-{UUID}.{container}.{n}"),
            ] {
                let found = app(&task);
                prop_assert_eq!(found.as_deref(), Some(wanted.as_str()), "{}", task);
            }
        }

        #[test]
        fn no_text_breaks_it(task in "(.|[._:0-9]|instance-|ct:){0,40}") {
            if let Some(app) = app_of_task(&task) {
                prop_assert!(!app.as_str().is_empty() && !app.as_str().starts_with('/'));
            }
        }
    }
}
