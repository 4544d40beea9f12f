//! `/proc/1/net/snmp` and `sockstat`: TCP of the node, in the containers' words. Full tables of sockets are never read here: the kernel
//! walks a table of the whole host for each.

use super::source::{Error, parsed};
use super::{Emit, Roots};
use crate::sample::Field;
use common::metric::{Name, Value};

/// Columns of `snmp`'s `Tcp:` lines.
const SNMP: [(&str, Field); 3] = [
    ("CurrEstab", Field::TcpEstablished),
    ("RetransSegs", Field::TcpRetransmits),
    ("EstabResets", Field::TcpResets),
];

/// Words of `sockstat`.
const SOCKSTAT: [(&str, &str, Field); 3] = [
    ("TCP:", "inuse", Field::TcpSockets),
    ("TCP:", "tw", Field::TcpTimeWait),
    ("UDP:", "inuse", Field::UdpSockets),
];

/// Figures in the order of [`SNMP`], then [`SOCKSTAT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tcp(Vec<(Field, u64)>);

pub(super) fn read(roots: &Roots) -> Result<Option<Tcp>, Error> {
    let net = roots.proc.join("1/net");
    let snmp = parsed(net.join("snmp"), parse_snmp)?;
    let sockstat = parsed(net.join("sockstat"), parse_sockstat)?;
    let found: Vec<_> = snmp.into_iter().chain(sockstat).flatten().collect();
    Ok((!found.is_empty()).then_some(Tcp(found)))
}

/// A line of names, then a line of numbers, both beginning with `Tcp:`.
pub(super) fn parse_snmp(text: &str) -> Result<Vec<(Field, u64)>, String> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (Some(names), Some(numbers)) = (lines.next(), lines.next()) else {
        return Err("no two lines with Tcp:".to_owned());
    };
    let pairs = names.split(' ').zip(numbers.split(' '));
    let field = |(name, number): (&str, &str)| {
        let (_, field) = SNMP.iter().find(|(known, _)| *known == name)?;
        Some(number.parse().map(|n| (*field, n)).map_err(|_| format!("{name} is not a number")))
    };
    pairs.filter_map(field).collect()
}

/// `TCP: inuse 8 orphan 0 tw 0 alloc 9 mem 84`
pub(super) fn parse_sockstat(text: &str) -> Result<Vec<(Field, u64)>, String> {
    let mut found = Vec::new();
    for (protocol, word, field) in SOCKSTAT {
        let line = text.lines().find_map(|line| line.strip_prefix(protocol));
        let mut words = line.unwrap_or_default().split_ascii_whitespace();
        if words.any(|known| known == word) {
            let number = words.next().and_then(|number| number.parse().ok());
            let number = number.ok_or_else(|| format!("{protocol} {word} is not a number"))?;
            found.push((field, number));
        }
    }
    Ok(found)
}

pub(super) fn emit(now: &Tcp, emit: &mut Emit<'_>) {
    for (field, number) in &now.0 {
        emit(Name::from(field.name()), Value::Int(*number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_are_found_by_name() {
        let text = "Ip: A B\nIp: 1 2\nTcp: RtoAlgorithm MaxConn EstabResets CurrEstab RetransSegs New\n\
                    Tcp: 1 -1 69 2 5 7\nUdp: InDatagrams\nUdp: 9\n";
        assert_eq!(
            parse_snmp(text),
            Ok(vec![
                (Field::TcpResets, 69),
                (Field::TcpEstablished, 2),
                (Field::TcpRetransmits, 5)
            ])
        );
        assert!(parse_snmp("Tcp: CurrEstab\n").is_err());
        assert!(parse_snmp("Tcp: CurrEstab\nTcp: x\n").is_err());
        let text =
            "sockets: used 68\nTCP: inuse 8 orphan 0 tw 3 alloc 9 mem 84\nUDPLITE: inuse 5\n";
        let found = parse_sockstat(text);
        assert_eq!(found, Ok(vec![(Field::TcpSockets, 8), (Field::TcpTimeWait, 3)]));
        assert!(parse_sockstat("TCP: inuse\n").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "((Tcp|TCP|UDP):( (CurrEstab|inuse|tw|[0-9]{0,22}|\\PC{0,4})){0,6}\n){0,5}") {
            drop(parse_snmp(&text));
            drop(parse_sockstat(&text));
        }
    }
}
