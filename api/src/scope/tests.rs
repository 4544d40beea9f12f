use super::*;
use crate::testing::{app, changes, instance, node};
use crate::world::World;
use common::ids::Cursor;
use proptest::prelude::*;

fn globs(globs: &[&str]) -> AppGlobs {
    AppGlobs::parse(&globs.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn scope(topics: &str, apps: &AppGlobs) -> Scope {
    Scope::new(&Topic::parse_list(topics).unwrap(), apps)
}

#[test]
fn globs_match_segments() {
    for (glob, id, wanted) in [
        ("video/*", "video/api", true),
        ("video/*", "video/a/b", false),
        ("video/*", "video", false),
        ("video/**", "video/a/b", true),
        ("video/**", "video", true),
        ("video/**", "videos", false),
        ("**/api", "api", true),
        ("**/api", "a/b/api", true),
        ("a/**/z", "a/b/c/z", true),
        ("a/**/z", "a/b/c", false),
        ("*a*b", "xaybab", true),
        ("*a*b", "xayba", false),
        ("*", "a/b", false),
        ("/video/api", "video/api", true),
        ("[a]", "a", false),
        ("**", "anything/at all", true),
    ] {
        assert_eq!(globs(&[glob]).admits(&AppId::new(id)), wanted, "{glob} {id}");
    }
    assert!(!globs(&[]).admits(&AppId::new("a")));
    for wrong in ["", "/", "a b", "a,b", "a\n"] {
        assert!(AppGlobs::parse(&[wrong.into()]).is_err(), "{wrong:?}");
    }
    assert!(AppGlobs::parse(&vec!["a".into(); 65]).is_err());
}

#[test]
fn topics_say_what_is_seen() {
    let (all, video) = (AppGlobs::all(), globs(&["video/*"]));
    let (a, b) = (instance("c/1", "video/api", Some("h1")), instance("c/2", "shop", None));
    let seen = |topics: &str, apps: &AppGlobs| {
        let scope = scope(topics, apps);
        let of = |yes: bool, c: char| if yes { c } else { '-' };
        String::from_iter([
            of(scope.app(&app("video/api")), 'A'),
            of(scope.app(&app("shop")), 'S'),
            of(scope.instance(&a), 'a'),
            of(scope.instance(&b), 's'),
            of(scope.node(&node("h1", &[])), '1'),
            of(scope.node(&node("h2", &[])), '2'),
        ])
    };
    assert_eq!(seen("all", &all), "ASas12");
    assert_eq!(seen("all", &video), "A-a-12");
    assert_eq!(seen("apps", &all), "AS----");
    assert_eq!(seen("upstreams", &all), "ASas--");
    assert_eq!(seen("upstreams", &video), "A-a---");
    assert_eq!(seen("instances:video/*", &all), "--a---");
    assert_eq!(seen("instances:**", &video), "--a---");
    assert_eq!(seen("node:h1", &all), "--a-1-");
    assert_eq!(seen("node:h1", &globs(&["shop"])), "----1-");
    assert_eq!(seen("alerts", &all), "------");
    assert_eq!(seen("apps,node:h2", &all), "AS---2");
}

#[test]
fn names_tell_scopes_apart() {
    let (all, video) = (AppGlobs::all(), globs(&["video/*", "a"]));
    assert_eq!(scope("node:b,apps,node:b", &all).name(), "apps,node:b");
    assert_eq!(scope("all,apps", &all).name(), "all");
    assert_eq!(scope("all", &video).name(), "all\na,video/*");
    assert_eq!(scope("all", &globs(&["x", "**"])), scope("all", &all));
}

#[test]
fn notes_go_where_their_instance_is() {
    let event = |payload| Event {
        epoch: "e".into(),
        seq: 1,
        time: common::moment::Moment::from_unix_ms(0),
        kind: EventType::TicketUsed,
        subject: "c/1".into(),
        actor: "api".into(),
        cause: String::new(),
        payload,
    };
    let placed = event(serde_json::json!({"app": "video/api", "node": "h1"}));
    let bare = event(serde_json::Value::Null);
    for (topics, wanted) in [("all", [true, true]), ("node:h1", [true, false])] {
        let scope = scope(topics, &AppGlobs::all());
        assert_eq!([scope.event(&placed), scope.event(&bare)], wanted, "{topics}");
    }
    assert!(!scope("upstreams", &AppGlobs::all()).event(&placed));
    assert!(!scope("all", &globs(&["video/*"])).event(&bare));
}

proptest! {
    #[test]
    fn globs_never_panic_and_agree_with_a_slow_matcher(
        glob in "[ab*/]{0,12}", id in "[ab/]{0,12}"
    ) {
        let found = AppGlobs::of(std::iter::once(glob.clone())).admits(&AppId::new(id.as_str()));
        let bare = glob.strip_prefix('/').unwrap_or(&glob);
        let glob: Vec<_> = bare.split('/').collect();
        let id: Vec<_> = id.split('/').collect();
        prop_assert_eq!(found, slow(&glob, &id));
    }

    /// A copy that applies the events in scope is the part of the world in scope, whatever the changes.
    #[test]
    fn events_in_scope_make_the_part_in_scope(
        changes in changes(60),
        topics in "(all|apps|upstreams|node:n[0-2]|instances:(\\*\\*|a/\\*|b))(,node:n[0-2])?",
        apps in prop_oneof![Just(AppGlobs::all()), Just(globs(&["a/*"]))],
    ) {
        let scope = scope(&topics, &apps);
        let mut world = World::new(Cursor { epoch: "e".into(), seq: 0 });
        let mut copy = world.clone();
        let events = crate::centre::decided(&mut world, &changes);
        for event in events.iter().filter(|e| scope.event(e)) {
            copy.apply(event);
        }
        let apps: Vec<_> = world.apps().filter(|a| scope.app(a)).collect();
        let instances: Vec<_> = world.instances().filter(|i| scope.instance(i)).collect();
        let nodes: Vec<_> = world.nodes().filter(|n| scope.node(n)).collect();
        prop_assert_eq!(copy.apps().collect::<Vec<_>>(), apps);
        prop_assert_eq!(copy.instances().collect::<Vec<_>>(), instances);
        prop_assert_eq!(copy.nodes().collect::<Vec<_>>(), nodes);
    }
}

fn slow(glob: &[&str], id: &[&str]) -> bool {
    fn text(glob: &[u8], id: &[u8]) -> bool {
        match (glob, id) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=id.len()).any(|n| text(rest, &id[n..])),
            ([g, glob @ ..], [i, id @ ..]) => g == i && text(glob, id),
            _ => false,
        }
    }
    match (glob, id) {
        ([], []) => true,
        (["**", rest @ ..], _) => (0..=id.len()).any(|n| slow(rest, &id[n..])),
        ([g, glob @ ..], [i, id @ ..]) => text(g.as_bytes(), i.as_bytes()) && slow(glob, id),
        _ => false,
    }
}
