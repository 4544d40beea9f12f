//! `/proc/1/net/{snmp,sockstat,sockstat6}`: TCP and UDP of the node, by the containers' parsers and in their words. Full tables of sockets
//! are never read here: the kernel walks a table of the whole host for each.

use super::source::{Error, parsed};
use super::{Emit, Roots};
use crate::collect::net::{snmp, sockstat};
use crate::collect::text::Flaws;
use crate::sample::Figures;
use common::metric::Name;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tcp(Figures);

type Parse = fn(&[u8], &mut Figures) -> Flaws;

/// IPv6 after IPv4: it is added.
const FILES: [(&str, Parse); 3] = [("snmp", snmp), ("sockstat", sockstat), ("sockstat6", sockstat)];

pub(super) fn read(roots: &Roots) -> Result<Option<Tcp>, Error> {
    let mut figures = Figures::default();
    for (name, parse) in FILES {
        parsed(roots.proc.join("1/net").join(name), |text| {
            let flaws = parse(text.as_bytes(), &mut figures);
            if flaws == Flaws::NONE {
                Ok(())
            } else {
                Err(format!("{} figures are not numbers", flaws.wrong))
            }
        })?;
    }
    Ok(figures.iter().next().is_some().then_some(Tcp(figures)))
}

pub(super) fn emit(now: &Tcp, emit: &mut Emit<'_>) {
    for (field, raw) in now.0.iter() {
        emit(Name::from(field.name()), field.unit().value(raw));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Field;
    use std::path::Path;

    fn roots(dir: &Path) -> Roots {
        Roots { proc: dir.to_owned(), sys: dir.to_owned() }
    }

    #[test]
    fn both_families_of_addresses_count() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(&roots(dir.path())).unwrap().is_none());
        let net = dir.path().join("1/net");
        std::fs::create_dir_all(&net).unwrap();
        std::fs::write(net.join("sockstat"), "TCP: inuse 8 orphan 0 tw 3 alloc 9 mem 84\n")
            .unwrap();
        std::fs::write(net.join("sockstat6"), "TCP6: inuse 5\n").unwrap();
        let Tcp(figures) = read(&roots(dir.path())).unwrap().unwrap();
        assert_eq!(figures.get(Field::TcpSockets), Some(13));
        assert_eq!(figures.get(Field::TcpTimeWait), Some(3));
        std::fs::write(net.join("sockstat6"), "TCP6: inuse x\n").unwrap();
        assert!(read(&roots(dir.path())).unwrap_err().to_string().contains("sockstat6"));
    }
}
