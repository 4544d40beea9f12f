use super::*;
use proptest::prelude::*;

fn mine(target: &str) -> Result<String, TargetError> {
    confine(target, "qae", &["shop_web".to_owned(), "shop_api".to_owned()])
}

#[test]
fn patterns_become_the_apps_that_may_be_seen() {
    for (asked, confined) in [
        ("qae.dc1.app.shop_web.inst.*.cpu.percent", "qae.dc1.app.shop_web.inst.*.cpu.percent"),
        ("qae.*.app.*.inst.*.cpu.percent", "qae.*.app.{shop_web,shop_api}.inst.*.cpu.percent"),
        ("qae.dc1.app.bank_*.all.x", "qae.dc1.app.-.all.x"),
        ("qae.dc1.app.{bank,shop}_web.all.x", "qae.dc1.app.shop_web.all.x"),
        ("qae.dc1.app.shop_[a-b]p?.all.x", "qae.dc1.app.shop_api.all.x"),
        (
            "alias( sumSeries(qae.dc1.app.shop_web.inst.*.cpu.percent, qae.dc1.app.x.all.y), \"all, (of) them\")",
            "alias(sumSeries(qae.dc1.app.shop_web.inst.*.cpu.percent,qae.dc1.app.-.all.y),\"all, (of) them\")",
        ),
        ("scale(qae.dc1.app.shop_web.all.x, -0.5)", "scale(qae.dc1.app.shop_web.all.x,-0.5)"),
    ] {
        assert_eq!(mine(asked).as_deref(), Ok(confined), "{asked}");
    }
}

#[test]
fn what_could_show_more_is_refused() {
    for foreign in [
        "qae.dc1.node.n1.load.1m",
        "*.dc1.app.shop_web.all.x",
        "qae.dc1.*.bank.all.x",
        "qae.{dc1.app.bank,dc1}.app.shop_web.all.x",
        "carbon.agents.*",
        "qae.dc1.app",
        "qaeb.dc1.app.shop_web.all.x",
        "seriesByTag('app=bank')",
        "useSeriesAbove(qae.dc1.app.shop_web.all.x,1,'shop_web','bank')",
        "template(qae.dc1.app.$x.all.y,x='bank')",
        "alias(qae.dc1.app.shop_web.all.x,\"a\\\"b\")",
        "sumSeries(qae.dc1.app.shop_web.all.x",
        "sumSeries(qae.dc1.app.shop_web.all.x))",
        "a b",
        "",
        "qae.dc1.app.{x.y,qae.dc1.app.bank.z}",
        "qae.dc1.app.{a{b}}.all.x",
    ] {
        assert!(mine(foreign).is_err(), "{foreign}: {:?}", mine(foreign));
    }
    assert!(mine(&"sum(".repeat(4_000)).is_err());
}

proptest! {
    #[test]
    fn nothing_of_another_app_gets_through(target in "(sum\\(|scale\\()?(qae|\\*)\\.[a-z*{},]{1,6}\\.(app|node|\\*)\\.[a-z_*?{},\\[\\]-]{1,12}\\.[a-z.*]{1,8}\\)?") {
        if let Ok(out) = mine(&target) {
            let (_, rest) = out.split_once(".app.").unwrap();
            let app = rest.split('.').next().unwrap();
            prop_assert!(["shop_web", "shop_api", "{shop_web,shop_api}", "-"].contains(&app), "{} -> {}", target, out);
        }
    }

    #[test]
    fn no_text_breaks_it(target in ".{0,80}|[a-z.*(){},'\"\\[\\] ]{0,80}") {
        if let Ok(out) = mine(&target) {
            prop_assert!(out.contains("qae."));
        }
    }
}
