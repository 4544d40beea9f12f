//! Apps. Pure.

use super::{Cell, Ink, Paint, Table, instances, words};
use common::api_types::{App, AppDc, Instance};
use common::moment::Moment;

/// One line per app and cluster.
pub fn list(apps: &[App], paint: Paint) -> String {
    let mut table =
        Table::new(["APP", "RUNNING", "WANTED", "HEALTHY", "STAGING", "DC", "CLUSTER", "OWNER"]);
    for app in apps {
        if app.dcs.is_empty() {
            let none = || Cell::figure("");
            let [dc, cluster] = [Cell::new(""), Cell::new("")];
            let owner = Cell::maybe(app.owner.as_deref());
            table.line([
                Cell::new(app.id.as_str()),
                none(),
                none(),
                none(),
                none(),
                dc,
                cluster,
                owner,
            ]);
        }
        for dc in &app.dcs {
            table.line([
                Cell::new(app.id.as_str()).ink(verdict(dc)),
                Cell::figure(dc.running),
                wanted(dc),
                healthy(dc),
                Cell::figure(dc.staging),
                Cell::new(&dc.dc),
                Cell::new(&dc.cluster),
                Cell::maybe(app.owner.as_deref()),
            ]);
        }
    }
    table.print(paint)
}

/// One app: what it is, then its instances.
pub fn one(app: &App, of: &[Instance], now: Moment, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.ink(app.id.as_str(), Ink::Plain));
    if let Some(owner) = &app.owner {
        out.push_str(&format!("owner   {}\n", paint.ink(owner, Ink::Plain)));
    }
    for (name, value) in &app.labels {
        out.push_str(&format!("label   {}\n", paint.ink(&format!("{name}={value}"), Ink::Plain)));
    }
    for dc in &app.dcs {
        let wanted = dc.wanted.map_or_else(String::new, |n| format!(" of {n} wanted"));
        let text = format!(
            "{}/{}: {} running{wanted}, {} healthy, {} unhealthy, {} staging",
            dc.dc, dc.cluster, dc.running, dc.healthy, dc.unhealthy, dc.staging
        );
        out.push_str(&format!("runs    {}\n", paint.ink(&text, verdict(dc))));
    }
    out.push('\n');
    out.push_str(&if of.is_empty() {
        "no instances\n".to_owned()
    } else {
        instances::list(of, now, paint)
    });
    out
}

fn verdict(dc: &AppDc) -> Ink {
    if dc.unhealthy > 0 || dc.wanted.is_some_and(|wanted| dc.running == 0 && wanted > 0) {
        Ink::Bad
    } else if dc.wanted.is_some_and(|wanted| dc.running < wanted) {
        Ink::Care
    } else {
        Ink::Plain
    }
}

fn wanted(dc: &AppDc) -> Cell {
    Cell::figure(dc.wanted.map_or_else(String::new, |n| n.to_string()))
}

/// `2`, or `1 (1 bad)`.
fn healthy(dc: &AppDc) -> Cell {
    match dc.unhealthy {
        0 => Cell::figure(dc.healthy),
        bad => Cell::figure(format!("{} ({bad} bad)", dc.healthy)).ink(Ink::Bad),
    }
}

/// Beneath a list.
pub fn summary(apps: &[App]) -> String {
    let running: usize = apps.iter().flat_map(|a| &a.dcs).map(|dc| dc.running as usize).sum();
    format!("{}, {}", words::count(apps.len(), "app"), words::count(running, "running instance"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::AppId;

    fn app(id: &str, wanted: Option<u32>, running: u32, unhealthy: u32) -> App {
        let dc = AppDc {
            dc: "dc1".into(),
            cluster: "local".into(),
            wanted,
            staging: 0,
            running,
            healthy: running - unhealthy,
            unhealthy,
        };
        App { id: AppId::new(id), labels: Default::default(), owner: None, dcs: vec![dc] }
    }

    #[test]
    fn a_line_for_each_cluster_of_an_app() {
        let mut both = app("shop/web", Some(3), 3, 1);
        both.dcs.push(AppDc { dc: "dc2".into(), ..both.dcs[0].clone() });
        let printed = list(&[both, app("docker/a", None, 1, 0)], Paint(false));
        assert_eq!(
            printed,
            "APP       RUNNING  WANTED    HEALTHY  STAGING  DC   CLUSTER  OWNER\n\
             shop/web        3       3  2 (1 bad)        0  dc1  local    -\n\
             shop/web        3       3  2 (1 bad)        0  dc2  local    -\n\
             docker/a        1       -          1        0  dc1  local    -\n"
        );
    }

    #[test]
    fn what_lacks_instances_stands_out() {
        assert_eq!(verdict(&app("a", Some(2), 1, 0).dcs[0]), Ink::Care);
        assert_eq!(verdict(&app("a", Some(2), 0, 0).dcs[0]), Ink::Bad);
        assert_eq!(verdict(&app("a", None, 0, 0).dcs[0]), Ink::Plain);
        assert_eq!(summary(&[app("a", None, 1, 0)]), "1 app, 1 running instance");
    }

    #[test]
    fn an_app_without_instances_says_so() {
        let mut app = app("shop/\x1bweb", Some(1), 1, 0);
        app.labels.insert("qae.owner".into(), "a\nb".into());
        let printed = one(&app, &[], Moment::from_unix_ms(0), Paint(false));
        assert!(printed.starts_with("shop/\\u{1b}web\nlabel   qae.owner=a\\u{a}b\n"), "{printed}");
        assert!(printed.ends_with("\nno instances\n"));
    }
}
