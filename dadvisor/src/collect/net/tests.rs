use super::*;
use proptest::prelude::*;

const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    5687      62    0    0    0     0          0         0     5687      62    0    0    0     0       0          0
  eth0: 362709161   11509    1    2    9     9          9         9   871056    9401    3    4    9     9       9          9
eth0.100:7 1 0 0 0 0 0 0 8 2 0 0 0 0 0 0
";

fn rows(text: &[u8]) -> (Vec<(String, [u64; 8])>, u32) {
    let mut got = Vec::new();
    let flaws = dev(text, |name, counters| {
        got.push((String::from_utf8_lossy(name).into_owned(), counters))
    });
    (got, flaws.wrong)
}

#[test]
fn interfaces_but_lo() {
    let (got, wrong) = rows(DEV.as_bytes());
    assert_eq!(wrong, 0);
    assert_eq!(
        got,
        [
            ("eth0".to_owned(), [362_709_161, 11_509, 1, 2, 871_056, 9401, 3, 4]),
            ("eth0.100".to_owned(), [7, 1, 0, 0, 8, 2, 0, 0]),
        ]
    );
}

#[test]
fn broken_interfaces() {
    let heading: String = DEV.lines().take(2).map(|l| format!("{l}\n")).collect();
    let text = heading
        + "eth0: x 1 2 3 4 5 6 7 8 9 10 11\nno colon\neth1: 1 2\nmuch-too-long-a-name: 1 2 3 4 5 6 7 8 9 10 11 12\nb: 1 2 3 4 5 6 7 8 9 10 11 12\nc: 1 2 3";
    let (got, wrong) = rows(text.as_bytes());
    assert_eq!((got.len(), wrong), (1, 5));
    assert_eq!(got[0], ("b".to_owned(), [1, 2, 3, 4, 9, 10, 11, 12]));
    assert_eq!(rows(b"").1, 1);
    assert_eq!(rows(b"one line\n").1, 1);
}

#[test]
fn sockets_of_both_families_are_one_figure() {
    let v4 = b"sockets: used 21\nTCP: inuse 7 orphan 0 tw 3 alloc 9 mem 366\nUDP: inuse 2 mem 0\nUDPLITE: inuse 5\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n";
    let v6 = b"TCP6: inuse 5\nUDP6: inuse 1\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n";
    let mut out = Figures::default();
    let mut flaws = sockstat(v4, &mut out);
    flaws += sockstat(v6, &mut out);
    assert_eq!(flaws, Flaws::NONE);
    assert_eq!(
        out.iter().collect::<Vec<_>>(),
        [(Field::TcpSockets, 12), (Field::TcpTimeWait, 3), (Field::UdpSockets, 3)]
    );
    let mut out = Figures::default();
    assert_eq!(sockstat(b"TCP: inuse -1 tw 2\nUDP: inuse\nTCP: in", &mut out).wrong, 3);
    assert_eq!(sockstat(b"TCP6: inuse 5\n", &mut out), Flaws::NONE);
    assert_eq!(out.iter().collect::<Vec<_>>(), [(Field::TcpTimeWait, 2)]);
}

#[test]
fn tcp_counters_by_name() {
    let text = b"Ip: Forwarding DefaultTTL\nIp: 2 64\n\
        Tcp: RtoAlgorithm MaxConn EstabResets CurrEstab InSegs RetransSegs New\nTcp: 1 -1 53 2 11024 9 1\nUdp: InDatagrams\nUdp: 541\n";
    let mut out = Figures::default();
    assert_eq!(snmp(text, &mut out), Flaws::NONE);
    assert_eq!(
        out.iter().collect::<Vec<_>>(),
        [(Field::TcpEstablished, 2), (Field::TcpRetransmits, 9), (Field::TcpResets, 53)]
    );
    let mut out = Figures::default();
    assert_eq!(snmp(b"Tcp: EstabResets CurrEstab\nTcp: x\n", &mut out).wrong, 2);
    assert_eq!(snmp(b"Tcp: EstabResets CurrEstab\nTcp: 1 2", &mut out).wrong, 1);
    assert_eq!(snmp(b"", &mut out).wrong, 1);
    assert_eq!(out.iter().count(), 0);
}

const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21654 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 30211 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:C350 0100007F:1F90 0C 00000000:00000000 03:00000000 00000000     0        0 0 3 0000000000000000
";

fn states(pieces: &[&[u8]]) -> (Vec<(Field, u64)>, u32) {
    let mut states = TcpStates::default();
    states.begin();
    for piece in pieces {
        states.feed(piece);
    }
    let mut out = Figures::default();
    let flaws = states.finish(&mut out);
    (out.iter().filter(|(_, count)| *count > 0).collect(), flaws.wrong)
}

#[test]
fn states_are_counted() {
    let wanted = vec![
        (Field::TcpStateEstablished, 1),
        (Field::TcpStateSynRecv, 1),
        (Field::TcpStateListen, 1),
    ];
    assert_eq!(states(&[TCP.as_bytes()]), (wanted, 0));
    let (got, wrong) =
        states(&[b"heading\n 0: a b 01 x\n 1: a b zz x\n 2: a b\n 3: a b 0A1 x\n 4: a b 0A"]);
    assert_eq!((got, wrong), (vec![(Field::TcpStateEstablished, 1)], 4));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (got, wrong) = rows(&text);
        prop_assert!(got.len() + wrong as usize <= text.len() + 1);
        let mut out = Figures::default();
        let mut flaws = sockstat(&text, &mut out);
        flaws += snmp(&text, &mut out);
        prop_assert!(flaws.wrong > 0 || out.get(Field::TcpEstablished).is_some() || text.windows(4).any(|w| w == b"Tcp:"));
        let (got, _) = states(&[&text]);
        prop_assert!(got.len() <= 11);
    }

    #[test]
    fn pieces_do_not_matter(cuts in proptest::collection::vec(0usize..TCP.len(), 0..6)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in cuts {
            pieces.push(&TCP.as_bytes()[start..cut]);
            start = cut;
        }
        pieces.push(&TCP.as_bytes()[start..]);
        prop_assert_eq!(states(&pieces), states(&[TCP.as_bytes()]));
    }

    #[test]
    fn interfaces_round_trip(wanted in proptest::collection::vec(("[a-z][a-z0-9.@-]{0,13}", proptest::array::uniform8(0u64..1 << 62)), 0..20)) {
        prop_assume!(wanted.iter().all(|(name, _)| name != "lo"));
        let mut text = "heading\nheading\n".to_owned();
        for (name, c) in &wanted {
            text += &format!("{name:>6}: {:7} {:7} {:4} {:4} 0 0 0 0 {:8} {:7} {:4} {:4} 0 0 0 0\n", c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]);
        }
        prop_assert_eq!(rows(text.as_bytes()), (wanted, 0));
    }

    #[test]
    fn snmp_round_trips(estab in 0u64..1 << 60, retrans in 0u64..1 << 60, resets in 0u64..1 << 60) {
        let text = format!("Tcp: A EstabResets B CurrEstab RetransSegs\nTcp: -1 {resets} 4 {estab} {retrans}\n");
        let mut out = Figures::default();
        prop_assert_eq!(snmp(text.as_bytes(), &mut out), Flaws::NONE);
        prop_assert_eq!(out.iter().map(|(_, v)| v).collect::<Vec<_>>(), vec![estab, retrans, resets]);
    }
}
