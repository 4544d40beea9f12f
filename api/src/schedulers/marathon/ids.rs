//! What a Mesos task id says besides its app: the instance it belongs to, and which run of it. Pure.
//!
//! | Marathon | task id | instance |
//! |---|---|---|
//! | to 1.3 | `shop_web.<uuid>` | none |
//! | 1.4 to 1.7 | `shop_web.<uuid>`, a resident's next run `shop_web.<uuid>.<n>` | `shop_web.marathon-<uuid>` |
//! | from 1.8 | `shop_web.instance-<uuid>._app.<n>`, n from 1 | `shop_web.instance-<uuid>`, survivors `marathon-` |

/// The instance of a task and the number of its run, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfTask {
    /// The instance id; to 1.3 there is none, and this one is never spoken of.
    pub instance: String,
    /// How often it was started again under the same instance.
    pub restarts: u64,
}

/// Takes a task id apart. An id of no known form is an instance of its own.
pub fn of_task(task: &str) -> OfTask {
    let alone = || OfTask { instance: task.to_owned(), restarts: 0 };
    // the app's id may have anything in it, also what looks like an instance: the last one counts
    let marks = ["instance-", "marathon-"];
    let named = task.rmatch_indices('.').map(|(at, _)| at).find(|at| {
        let rest = &task[at + 1..];
        let uuid = marks.iter().find_map(|mark| rest.strip_prefix(mark));
        *at > 0 && uuid.is_some_and(|uuid| !uuid.is_empty() && !uuid.starts_with(['.', '_']))
    });
    let Some(at) = named else { return plain(task).unwrap_or_else(alone) };
    let after = at + 1 + "instance-".len();
    let Some(end) = task[after..].find(['.', '_']).map(|end| after + end) else { return alone() };
    // `_app.3` or, to 1.7, `container`: the first run has number 1 where it has one
    let run = task[end + 1..].rsplit_once('.').and_then(|(_, run)| number(run));
    OfTask {
        instance: task[..end].to_owned(),
        restarts: run.map_or(0, |run| run.saturating_sub(1)),
    }
}

/// `shop_web.<uuid>` and `shop_web.<uuid>.<n>`.
fn plain(task: &str) -> Option<OfTask> {
    let (rest, last) = task.rsplit_once('.')?;
    let (app, unique, restarts) = match (number(last), rest.rsplit_once('.')) {
        (Some(run), Some((app, unique))) => (app, unique, run),
        _ => (rest, last, 0),
    };
    Some(OfTask { instance: format!("{app}.marathon-{unique}"), restarts })
}

fn number(text: &str) -> Option<u64> {
    // a uuid has 36 characters and dashes; `parse` alone would take a sign
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UUID: &str = "32d2c410-3618-11ea-b21c-0242ac110005";

    #[test]
    fn every_form() {
        for (task, instance, restarts) in [
            (format!("shop_web.{UUID}"), format!("shop_web.marathon-{UUID}"), 0),
            (format!("shop_web.{UUID}.3"), format!("shop_web.marathon-{UUID}"), 3),
            (format!("shop_web.instance-{UUID}._app.1"), format!("shop_web.instance-{UUID}"), 0),
            (format!("shop_web.instance-{UUID}._app.12"), format!("shop_web.instance-{UUID}"), 11),
            (format!("shop_web.marathon-{UUID}._app.2"), format!("shop_web.marathon-{UUID}"), 1),
            (format!("g_pod.instance-{UUID}.side-car"), format!("g_pod.instance-{UUID}"), 0),
            (
                format!("a.instance-b_c.instance-{UUID}._app.1"),
                format!("a.instance-b_c.instance-{UUID}"),
                0,
            ),
            (format!("v1.2_api.{UUID}"), format!("v1.2_api.marathon-{UUID}"), 0),
            ("odd".to_owned(), "odd".to_owned(), 0),
            (format!("x.instance-{UUID}"), format!("x.instance-{UUID}"), 0),
        ] {
            assert_eq!(of_task(&task), OfTask { instance, restarts }, "{task}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(task in "(.|[._:0-9]|instance-|marathon-){0,40}") {
            drop(of_task(&task));
        }
    }
}
