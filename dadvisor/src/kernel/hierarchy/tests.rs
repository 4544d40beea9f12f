use super::place::{candidates, is_within, of_process, own_part};
use super::*;
use common::container::{Container, Source};
use common::ids::{AppId, InstanceId};
use proptest::prelude::*;

const HYBRID: &[u8] = b"\
23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
32 31 0:29 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate
33 31 0:30 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw shared:13 master:2 - cgroup cgroup rw,memory
";

fn point(h: &Hierarchies, tree: Tree) -> Option<&str> {
    h.mount(tree).map(|m| std::str::from_utf8(&m.point).unwrap())
}

#[test]
fn hybrid_with_cpu_and_cpuacct_together() {
    let h = Hierarchies::parse(HYBRID, b"/sys/fs/cgroup/").unwrap();
    assert_eq!(h.mode, Mode::Hybrid);
    assert_eq!(point(&h, Tree::Cpu), Some("/sys/fs/cgroup/cpu,cpuacct"));
    assert_eq!(h.mount(Tree::Cpu), h.mount(Tree::Cpuacct));
    assert_eq!(point(&h, Tree::Memory), Some("/sys/fs/cgroup/memory"));
    assert_eq!(point(&h, Tree::Unified), Some("/sys/fs/cgroup/unified"));
    assert_eq!(point(&h, Tree::Pids), None);
}

#[test]
fn separate_mounts_and_the_other_order() {
    let text = b"1 2 0:1 / /sys/fs/cgroup/cpuacct rw - cgroup none rw,cpuacct\n\
        2 2 0:2 / /sys/fs/cgroup/cpu rw - cgroup none rw,cpu\n";
    let h = Hierarchies::parse(text, b"/sys/fs/cgroup").unwrap();
    assert_eq!(h.mode, Mode::V1);
    assert_eq!(point(&h, Tree::Cpuacct), Some("/sys/fs/cgroup/cpuacct"));
    assert_eq!(point(&h, Tree::Cpu), Some("/sys/fs/cgroup/cpu"));
}

#[test]
fn v2_and_none() {
    let text = b"35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
    let h = Hierarchies::parse(text, b"/sys/fs/cgroup").unwrap();
    assert_eq!((h.mode, point(&h, Tree::Unified)), (Mode::V2, Some("/sys/fs/cgroup")));
    assert_eq!(Hierarchies::parse(b"", b"/sys/fs/cgroup"), None);
    assert_eq!(Hierarchies::parse(b"1 2 0:1 / / rw - ext4 /dev/sda rw\n", b"/sys"), None);
}

#[test]
fn the_setting_moves_the_root_and_wins() {
    let text = b"1 2 0:1 / /sys/fs/cgroup rw - cgroup2 none rw\n";
    let moved = Hierarchies::parse(text, b"/fixture/cgroup").unwrap();
    assert_eq!(point(&moved, Tree::Unified), Some("/fixture/cgroup"));
    let both = b"1 2 0:1 / /sys/fs/cgroup rw - cgroup2 none rw\n\
        2 2 0:2 / /host/sys/fs/cgroup rw - cgroup2 none rw\n";
    let host = Hierarchies::parse(both, b"/host/sys/fs/cgroup").unwrap();
    assert_eq!(point(&host, Tree::Unified), Some("/host/sys/fs/cgroup"));
    // far from the usual place, as very old hosts have it
    let old = b"1 2 0:1 / /cgroup/memory rw - cgroup none rw,memory\n";
    let found = Hierarchies::parse(old, b"/sys/fs/cgroup").unwrap();
    assert_eq!(point(&found, Tree::Memory), Some("/cgroup/memory"));
    assert_eq!(Hierarchies::parse(old, b"/elsewhere"), None);
}

#[test]
fn whole_mounts_win_over_parts_and_later_ones_lie_on_top() {
    let text = b"1 2 0:1 /docker/x /sys/fs/cgroup/a rw - cgroup none rw,memory\n\
        2 2 0:1 / /sys/fs/cgroup/memory rw - cgroup none rw,memory\n\
        3 2 0:1 /docker/y /sys/fs/cgroup/b rw - cgroup none rw,memory\n";
    let h = Hierarchies::parse(text, b"/sys/fs/cgroup").unwrap();
    assert_eq!(point(&h, Tree::Memory), Some("/sys/fs/cgroup/memory"));
    let over = b"1 2 0:1 / /sys/fs/cgroup rw - cgroup2 none rw\n\
        2 2 0:1 /part /sys/fs/cgroup rw - cgroup2 none rw\n";
    let h = Hierarchies::parse(over, b"/sys/fs/cgroup").unwrap();
    assert_eq!(h.mount(Tree::Unified).unwrap().root, b"/part");
}

#[test]
fn escapes_and_broken_lines() {
    let text = b"nonsense\n1 2 0:1 / /sys/fs/cgroup/my\\040memory rw - cgroup none rw,memory\n1 2\n\xff\xfe\n";
    let h = Hierarchies::parse(text, b"/sys/fs/cgroup").unwrap();
    assert_eq!(point(&h, Tree::Memory), Some("/sys/fs/cgroup/my memory"));
}

#[test]
fn a_path_is_seen_through_the_root_of_its_mount() {
    let mount = |root: &[u8]| Mount { point: b"/m".to_vec(), root: root.to_vec() };
    assert_eq!(mount(b"/").below(b"/docker/abc").unwrap(), b"docker/abc");
    assert_eq!(mount(b"/docker").below(b"/docker/abc/x").unwrap(), b"abc/x");
    assert_eq!(mount(b"/docker").below(b"/dockerx/abc"), None);
    assert_eq!(mount(b"/docker/abc").below(b"/docker/abc"), None);
    assert_eq!(mount(b"/").below(b"/"), None);
    // a private cgroup namespace sees the others above itself
    assert_eq!(mount(b"/").below(b"/../../system.slice/x"), None);
    assert_eq!(mount(b"/../..").below(b"/../../system.slice/x").unwrap(), b"system.slice/x");
    assert_eq!(mount(b"/../..").below(b"/../x"), None);
}

#[test]
fn the_places_of_a_process() {
    let text = b"12:cpuacct,cpu:/docker/abc\n4:memory:/docker/a:b\n1:name=systemd:/x\n0::/system.slice/y\n";
    let places = of_process(text);
    assert_eq!(places[Tree::Cpu as usize], Some(&b"/docker/abc"[..]));
    assert_eq!(places[Tree::Cpuacct as usize], places[Tree::Cpu as usize]);
    assert_eq!(places[Tree::Memory as usize], Some(&b"/docker/a:b"[..]));
    assert_eq!(places[Tree::Unified as usize], Some(&b"/system.slice/y"[..]));
    assert_eq!(places[Tree::Pids as usize], None);
    assert_eq!(of_process(b"0::/gone (deleted)\n0:x\n"), [None; TREES]);
}

const ID: &str = "4f5cf5c4a4b1d0e6b6e9a8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7";

#[test]
fn the_outermost_component_with_the_id_is_the_container() {
    let own = |path: String| {
        own_part(path.as_bytes(), ID).map(|part| String::from_utf8(part.to_vec()).unwrap())
    };
    assert_eq!(own(format!("/docker/{ID}")), Some(format!("/docker/{ID}")));
    assert_eq!(own(format!("/docker/{ID}/docker/{ID}")), Some(format!("/docker/{ID}")));
    assert_eq!(own(format!("/docker/{ID}/init.scope")), Some(format!("/docker/{ID}")));
    let scope = format!("/machine.slice/libpod-{ID}.scope");
    assert_eq!(own(format!("{scope}/container")), Some(scope));
    assert_eq!(own("/system.slice/ssh.service".to_owned()), None);
    assert_eq!(own_part(b"/docker/abc", "abc"), None);
    assert!(is_within(b"/a/b", b"/a") && is_within(b"/a", b"/a") && !is_within(b"/ab", b"/a"));
}

fn container(cgroup_parent: Option<&str>, cgroup: Option<&str>) -> Container {
    Container {
        cgroup_parent: cgroup_parent.map(str::to_owned),
        cgroup: cgroup.map(str::to_owned),
        ..Container::new(ID, Source::Docker, AppId::new("shop/web"), InstanceId::new("i"))
    }
}

#[test]
fn where_an_engine_would_put_it() {
    let at = |parent, cgroup| candidates(&container(parent, cgroup));
    assert_eq!(at(None, Some("/mesos/xyz/")), ["mesos/xyz"]);
    assert_eq!(at(None, Some("../etc")), Vec::<String>::new());
    let usual = at(None, None);
    assert_eq!(usual[0], format!("docker/{ID}"));
    assert_eq!(usual[1], format!("system.slice/docker-{ID}.scope"));
    let slice = at(Some("jobs-night.slice"), None);
    assert_eq!(slice[0], format!("jobs.slice/jobs-night.slice/docker-{ID}.scope"));
    assert_eq!(slice[1], format!("jobs-night.slice/{ID}"));
    assert_eq!(at(Some("/teams/red"), None)[0], format!("teams/red/{ID}"));
    assert_eq!(at(Some("/a/../b"), None)[0], format!("docker/{ID}"));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        let parsed = Hierarchies::parse(&text, b"/sys/fs/cgroup");
        prop_assert!(parsed.is_none_or(|h| Tree::ALL.iter().any(|t| h.mount(*t).is_some())));
        for path in of_process(&text).into_iter().flatten() {
            prop_assert!(path.starts_with(b"/"));
        }
        if let Some(part) = own_part(&text, ID) {
            prop_assert!(text.starts_with(part));
        }
    }

    #[test]
    fn mountinfo_round_trips(
        root in "(/[a-z .\\\\]{1,8}){1,3}", dir in "[a-z \\\\\t]{1,12}", optional in "( [a-z]+:[0-9]+){0,3}",
        order in Just(vec!["cpu", "cpuacct", "memory", "blkio", "pids", "cpuset"]).prop_shuffle(), split in 1usize..6,
    ) {
        let escape = |s: &str| s.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011");
        let point = format!("/sys/fs/cgroup/{dir}");
        let line = |options: &[&str], point: &str| {
            format!("3 1 0:9 {} {} rw,x{optional} - cgroup none rw,{}\n", escape(&root), escape(point), options.join(","))
        };
        let text = line(&order[..split], &point) + &line(&order[split..], &format!("{point}2"));
        let parsed = Hierarchies::parse(text.as_bytes(), b"/sys/fs/cgroup").unwrap();
        for (at, name) in order.iter().enumerate() {
            let tree = Tree::ALL.into_iter().find(|t| t.name() == *name).unwrap();
            let mount = parsed.mount(tree).unwrap();
            let wanted = if at < split { point.clone() } else { format!("{point}2") };
            prop_assert_eq!(&mount.point, wanted.as_bytes());
            prop_assert_eq!(&mount.root, root.as_bytes());
        }
    }

    #[test]
    fn process_cgroup_round_trips(paths in proptest::collection::vec("/[a-z0-9:/ .-]{0,30}", TREES)) {
        prop_assume!(paths.iter().all(|p| !p.ends_with(" (deleted)")));
        let text: String = Tree::ALL.iter().zip(&paths).map(|(tree, path)| match tree {
            Tree::Unified => format!("0::{path}\n"),
            _ => format!("{}:{}:{path}\n", 5, tree.name()),
        }).collect();
        for (tree, path) in Tree::ALL.iter().zip(&paths) {
            prop_assert_eq!(of_process(text.as_bytes())[*tree as usize], Some(path.as_bytes()));
        }
    }
}
