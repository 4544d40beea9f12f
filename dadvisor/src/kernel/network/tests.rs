use super::*;

fn member(id: &str, own: bool) -> Arc<Member> {
    Arc::new(Member { id: id.to_owned(), own })
}

const NS: NsId = NsId(4, 4_026_532_000);

#[test]
fn the_first_owns_until_it_is_dropped() {
    let mut registry = Registry::default();
    let (first, second) = (member("first", false), member("second", false));
    assert!(registry.claim(NS, &first).is_none());
    assert_eq!(registry.claim(NS, &second).unwrap().id, "first");
    assert!(registry.claim(NS, &first).is_none());
    drop(first);
    assert!(registry.claim(NS, &second).is_none());
}

#[test]
fn the_container_with_a_network_of_its_own_takes_over() {
    let mut registry = Registry::default();
    let (joined, own, late) = (member("joined", false), member("own", true), member("late", true));
    assert!(registry.claim(NS, &joined).is_none());
    assert!(registry.claim(NS, &own).is_none());
    assert_eq!(registry.claim(NS, &joined).unwrap().id, "own");
    // a second that says the same waits
    assert_eq!(registry.claim(NS, &late).unwrap().id, "own");
}

#[test]
fn forgotten_namespaces_do_not_pile_up() {
    let mut registry = Registry::default();
    for inode in 0..10_000 {
        assert!(registry.claim(NsId(4, inode), &member("gone", true)).is_none());
    }
    assert!(registry.owners.len() < 200);
}

#[test]
fn interface_names_are_bounded() {
    let mut names = InterfaceNames::default();
    assert_eq!(names.get(b"eth0").as_str(), "eth0");
    assert!(names.get(b"eth0.100").as_str().starts_with("eth0_100-"));
    assert_ne!(names.get(b"\xff").as_str(), "");
    for n in 0..5000 {
        names.get(format!("v{n}").as_bytes());
        assert!(names.0.len() <= InterfaceNames::MOST);
    }
}
