//! Several outlets: each goes its own way, and what must stay together does.

use super::*;
use crate::outlet;
use crate::source::Source;

/// Instances that take different ones of two outlets.
pub(super) const INSTANCES: [&str; 2] = ["one", "two"];

fn source(files: &Files, instance: &str, name: &str) -> Option<Arc<Source>> {
    let mut of = files.of(&key(instance)).into_iter();
    of.find(|source| source.name().bytes() == name.as_bytes())
}

#[test]
fn one_that_hangs_holds_up_its_own_instances_only() {
    assert_ne!(outlet::of(&key(INSTANCES[0]), 2), outlet::of(&key(INSTANCES[1]), 2));
    let lab = Lab::spread(settings(), &INSTANCES, 2);
    lab.stop();
    let sinks = vec![Memory::default(), Memory::default()];
    let (files, shipper) = start(&lab.dir, &lab.instances, &lab.settings, sinks.clone(), 1);
    let [away, works] = [INSTANCES[0], INSTANCES[1]].map(|i| &sinks[outlet::of(&key(i), 2)]);
    away.does(Does::Away);
    lab.append("one:app.log", "waits\n");
    away.until("several tries", |store| store.sent >= 3);
    lab.append("two:app.log", "comes\n");
    works.until("its line", |store| store.came.len() == 1);
    let lag = || shipper.status().apps[&AppId::new("shop/web")].lag_bytes;
    works.until("its acknowledgement", |_| lag() == 6);
    let status = shipper.status();
    assert!(status.failures >= 2 && status.running);
    away.does(Does::Takes);
    away.until("the other one", |store| store.came.len() == 1);
    assert_eq!((away.bodies(), works.bodies()), (vec!["waits".into()], vec!["comes".into()]));
    assert!(shipper.stop(Instant::now() + DEADLINE));
    files.stop();
}

/// Else the place where a copy begins could be written down before what stands before it is acknowledged.
#[test]
fn a_copy_takes_the_outlet_of_its_original_wherever_that_came_from() {
    let lab = Lab::spread(settings(), &INSTANCES, 2);
    lab.append("one:app.log", "first\nsecond\n");
    lab.sink.until("both", |store| store.came.len() == 2);
    lab.rename("one:app.log", "two:app.log");
    lab.append("two:app.log", "third\n");
    lab.sink.until("the third", |store| store.came.len() == 3);
    lab.drained();
    fs::copy(lab.path("two:app.log"), lab.path("two:app.log.1")).unwrap();
    OpenOptions::new().write(true).open(lab.path("two:app.log")).unwrap().set_len(0).unwrap();
    lab.append("two:app.log", "fourth\n");
    lab.sink.until("the fourth", |store| store.came.len() == 4);
    lab.drained();
    let of = |name| source(&lab.files, "two", name).unwrap().outlet();
    assert_eq!(of("app.log"), outlet::of(&key("one"), 2));
    assert_eq!(of("app.log.1"), of("app.log"));
    assert_eq!(lab.sink.bodies(), ["first", "second", "third", "fourth"]);
}
