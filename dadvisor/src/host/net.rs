//! `/proc/1/net/dev`: the node's network, in sum and by interface.
//!
//! The file is the first process's, so that the figures are the node's even when this program runs in a network namespace of its own.
//! Interfaces with a name that only software gives ([`made_by_software`]) are left out. The sum is over physical ones
//! (`/sys/class/net/NAME/device` exists): a bond, bridge or VLAN repeats what its interfaces carried. Where nothing is physical (in a
//! container, on some virtual machines) it is over all that are left. Like the disks', the sum's rates are made of the interfaces that both readings have.

use super::source::{Before, Error, bytes};
use super::{Emit, Roots};
use crate::collect::net::dev;
use crate::collect::text::Flaws;
use crate::sample::{INTERFACE_METRICS, MAX_ROWS, RowName};
use common::metric::{Name, Value};
use std::io::ErrorKind;
use std::path::Path;

/// Positions in [`INTERFACE_METRICS`], and the rates made of them.
const RATES: [(usize, &str); 2] = [(0, ".rx_bytes_per_second"), (4, ".tx_bytes_per_second")];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Interface {
    name: RowName,
    /// In the sum.
    summed: bool,
    /// In the order of [`INTERFACE_METRICS`].
    counters: [u64; INTERFACE_METRICS.len()],
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Net {
    rows: Vec<Interface>,
    /// Interfaces beyond [`MAX_ROWS`], in no figure.
    left_out: u64,
}

pub(super) fn read(roots: &Roots) -> Result<Option<Net>, Error> {
    let class = roots.sys.join("class/net");
    let mut path = roots.proc.join("1/net/dev");
    let mut text = bytes(&path)?;
    if text.is_none() {
        // hidepid hides the first process from all but root
        path = roots.proc.join("self/net/dev");
        text = bytes(&path)?;
    }
    match text.map(|text| parse(&text, |name| physical(&class, name))) {
        Some(Ok(net)) => Ok(Some(net)),
        Some(Err(problem)) => Err(Error::Parse { path, problem }),
        None => Err(Error::Read { path, error: ErrorKind::NotFound.into() }),
    }
}

fn physical(class: &Path, name: &str) -> bool {
    class.join(name).join("device").exists()
}

/// Interfaces of containers, virtual machines and tunnels: what they carry is carried by another interface too.
fn made_by_software(name: &str) -> bool {
    const STEMS: [&str; 19] = [
        "veth", "docker", "br-", "virbr", "cni", "cali", "flannel", "cilium", "lxc", "tap", "tun",
        "vnet", "vxlan", "dummy", "ifb", "sit", "gre", "ip6tnl", "kube",
    ];
    name == "lo" || STEMS.iter().any(|stem| name.starts_with(stem))
}

pub(super) fn parse(text: &[u8], physical: impl Fn(&str) -> bool) -> Result<Net, String> {
    let mut all = Vec::new();
    let flaws = dev(text, |name, counters| {
        let name = String::from_utf8_lossy(name);
        // the names are looked up as paths below /sys/class/net; the kernel allows none of these.
        // Each container of the host has an interface here: what software made is not looked up
        let sane = !matches!(&*name, "." | "..") && !name.contains('/');
        if sane && !made_by_software(&name) {
            all.push((name.into_owned(), counters));
        }
    });
    if flaws != Flaws::NONE {
        return Err("a line without a name and 16 numbers".to_owned());
    }
    all.sort_unstable();
    let mut net = Net::default();
    for (name, counters) in all {
        if net.rows.len() == MAX_ROWS {
            net.left_out += 1;
            continue;
        }
        let summed = physical(&name);
        net.rows.push(Interface { name: RowName::new(&name), summed, counters });
    }
    if !net.rows.iter().any(|row| row.summed) {
        net.rows.iter_mut().for_each(|row| row.summed = true);
    }
    Ok(net)
}

pub(super) fn emit(now: &Net, before: Option<&Before<'_, Net>>, emit: &mut Emit<'_>) {
    emit_sum(now, before, emit);
    if now.left_out > 0 {
        emit(Name::from("net.interfaces_left_out"), Value::Int(now.left_out));
    }
    for row in &now.rows {
        let name = row.name.as_str();
        let mut one = |end: &str, value| emit(Name("net.", name, end), value);
        for (end, value) in INTERFACE_METRICS.into_iter().zip(row.counters) {
            one(end, Value::Int(value));
        }
        let Some((before, was)) = before.and_then(|b| Some((b, find(b.was, row)?))) else {
            continue;
        };
        for (at, end) in RATES {
            if let Some(rate) = before.rate(was.counters[at], row.counters[at]) {
                one(end, Value::Float(rate));
            }
        }
    }
}

fn emit_sum(now: &Net, before: Option<&Before<'_, Net>>, emit: &mut Emit<'_>) {
    let summed = || now.rows.iter().filter(|row| row.summed);
    if summed().next().is_none() {
        return;
    }
    for (at, end) in INTERFACE_METRICS.into_iter().enumerate() {
        let sum = summed().map(|row| row.counters[at]).fold(0, u64::saturating_add);
        emit(Name("net", end, ""), Value::Int(sum));
    }
    let Some(before) = before else { return };
    for (at, end) in RATES {
        let both = summed().filter_map(|row| Some((find(before.was, row)?, row)));
        let rates: Vec<f64> =
            both.filter_map(|(was, row)| before.rate(was.counters[at], row.counters[at])).collect();
        if !rates.is_empty() {
            emit(Name("net", end, ""), Value::Float(rates.iter().sum()));
        }
    }
}

fn find<'a>(net: &'a Net, like: &Interface) -> Option<&'a Interface> {
    net.rows.iter().find(|row| row.name == like.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "Inter-| Receive | Transmit\n face |bytes ...\n";

    fn names(net: &Net) -> Vec<(&str, bool)> {
        net.rows.iter().map(|row| (row.name.as_str(), row.summed)).collect()
    }

    fn lines(interfaces: &[&str]) -> String {
        let line = |name: &&str| format!("{name:>6}: 100 2 0 0 0 0 0 0 200 4 1 0 0 0 0 0\n");
        HEAD.to_owned() + &interfaces.iter().map(line).collect::<String>()
    }

    #[test]
    fn a_bond_is_shown_and_not_summed() {
        let text = lines(&["lo", "eth1", "eth0", "bond0", "docker0", "veth12ab", "eth0.7"]);
        let net = parse(text.as_bytes(), |name| matches!(name, "eth0" | "eth1")).unwrap();
        assert_eq!(
            names(&net)[..3],
            [("bond0", false), ("eth0", true), ("eth0_7-9ee563ab", false)]
        );
        let mut got = Vec::new();
        emit(&net, None, &mut |name, value| got.push((name.to_string(), value.as_f64())));
        assert_eq!(got[0], ("net.rx_bytes_total".to_owned(), 200.0));
        assert!(got.contains(&("net.tx_errors_total".to_owned(), 2.0)));
        assert!(got.contains(&("net.bond0.tx_bytes_total".to_owned(), 200.0)));
    }

    #[test]
    fn interfaces_of_containers_are_not_looked_up() {
        let net = parse(lines(&["eth0", "veth1", "docker0"]).as_bytes(), |name| {
            assert_eq!(name, "eth0");
            true
        });
        assert_eq!(names(&net.unwrap()), [("eth0", true)]);
    }

    #[test]
    fn without_hardware_what_is_not_software_counts() {
        let net = parse(lines(&["lo", "eth0", "veth1"]).as_bytes(), |_| false).unwrap();
        assert_eq!(names(&net), [("eth0", true)]);
    }

    #[test]
    fn a_counter_that_fell_and_a_new_interface_have_no_rate() {
        let was = parse(lines(&["eth0"]).as_bytes(), |_| true).unwrap();
        let mut now = parse(lines(&["eth0", "eth1"]).as_bytes(), |_| true).unwrap();
        now.rows[0].counters[0] = 50;
        now.rows[0].counters[4] = 400;
        let mut got = Vec::new();
        emit(&now, Some(&Before { was: &was, seconds: 2.0 }), &mut |name, value| {
            got.push((name.to_string(), value.as_f64()));
        });
        let rates: Vec<_> = got.iter().filter(|(name, _)| name.ends_with("per_second")).collect();
        assert_eq!(
            rates,
            [
                &("net.tx_bytes_per_second".to_owned(), 100.0),
                &("net.eth0.tx_bytes_per_second".to_owned(), 100.0)
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\n\n(\\PC{0,8}:?( [0-9]{0,21}){0,18}\n){0,6}") {
            if let Ok(net) = parse(text.as_bytes(), |_| true) {
                emit(&net, Some(&Before { was: &net, seconds: 1.0 }), &mut |_, _| {});
            }
        }
    }
}
