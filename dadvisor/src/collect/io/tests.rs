use super::*;
use proptest::prelude::*;

fn v2(text: &[u8]) -> (Vec<DeviceIo>, Flaws) {
    let mut rows = Vec::new();
    let flaws = stat_v2(text, &mut rows);
    (rows, flaws)
}

fn io(major: u32, minor: u32, counters: [u64; 4]) -> DeviceIo {
    DeviceIo { device: DeviceId { major, minor }, counters }
}

#[test]
fn v2_lines_full_bare_and_empty() {
    let text =
        b"8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021\n\
        253:1\n254:0 \n259:0 rbytes=1 cost.usage=5 wios=2\n";
    let (rows, flaws) = v2(text);
    assert_eq!(rows, [io(8, 0, [90_430_464, 299_008_000, 8950, 1252]), io(259, 0, [1, 0, 0, 2])]);
    assert_eq!(flaws, Flaws::NONE);
    assert_eq!(v2(b""), (vec![], Flaws::NONE));
}

#[test]
fn v2_several_devices_on_a_line() {
    let (rows, flaws) = v2(b"253:1 253:0 8:0 rbytes=1 wbytes=2 rios=3 wios=4\n");
    assert_eq!((rows, flaws), (vec![io(8, 0, [1, 2, 3, 4])], Flaws::NONE));
}

#[test]
fn v2_wrong_and_cut() {
    let (rows, flaws) = v2(
        b"8:0 rbytes=x wbytes=2\nsda rbytes=1\n8:16 rbytes=1 wbytes=2 rios=3 wios=4\n8:32 rbytes=1",
    );
    assert_eq!((rows, flaws.wrong), (vec![io(8, 16, [1, 2, 3, 4])], 3));
}

#[test]
fn v1_bytes_then_operations() {
    let bytes = b"8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 12288\n8:0 Async 0\n8:0 Discard 0\n8:0 Total 12288\nTotal 12288\n";
    let operations = b"8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3\n";
    assert!(has_device(bytes) && !has_device(b"Total 0\n") && !has_device(b""));
    let mut rows = vec![io(1, 1, [9; 4])];
    assert_eq!(blkio_v1(bytes, Counted::Bytes, &mut rows), Flaws::NONE);
    assert_eq!(blkio_v1(operations, Counted::Operations, &mut rows), Flaws::NONE);
    assert_eq!(rows, [io(8, 0, [4096, 8192, 1, 2])]);
}

#[test]
fn v1_wrong_numbers_take_the_row() {
    let mut rows = Vec::new();
    let flaws = blkio_v1(
        b"8:0 Read x\n8:0 Write 1\n8:16 Read 2\n?\nTotal 3\n8:16 Wri",
        Counted::Bytes,
        &mut rows,
    );
    assert_eq!((rows, flaws.wrong), (vec![io(8, 16, [2, 0, 0, 0])], 3));
}

#[test]
fn rows_are_bounded() {
    let text: String = (0..MAX_DEVICES + 5).map(|n| format!("8:{n} rbytes=1\n")).collect();
    let (rows, flaws) = v2(text.as_bytes());
    assert_eq!((rows.len(), flaws.dropped), (MAX_DEVICES, 5));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..300), lines in "([0-9]{1,3}:[0-9]{1,3}( [a-zRW]{1,6}=?[0-9x]{0,4}){0,4}\n){0,5}") {
        for text in [&text[..], lines.as_bytes()] {
            let (rows, _) = v2(text);
            prop_assert!(rows.len() <= MAX_DEVICES);
            let mut rows = Vec::new();
            let flaws = blkio_v1(text, Counted::Bytes, &mut rows);
            prop_assert!(text.ends_with(b"\n") || flaws.wrong > 0);
            let before = rows.len();
            let flaws = blkio_v1(text, Counted::Operations, &mut rows);
            prop_assert!(rows.len() == before || flaws.wrong > 0);
        }
    }

    #[test]
    fn both_versions_round_trip(wanted in proptest::collection::vec((0u32..999, proptest::array::uniform4(0u64..1 << 60)), 1..20)) {
        let wanted: Vec<_> = wanted.into_iter().enumerate().map(|(minor, (major, c))| io(major, u32::try_from(minor).unwrap(), c)).collect();
        let (mut two, mut bytes, mut operations) = (String::new(), String::new(), String::new());
        for row in &wanted {
            let (DeviceId { major, minor }, [r, w, ri, wi]) = (row.device, row.counters);
            two += &format!("{major}:{minor} rbytes={r} wbytes={w} rios={ri} wios={wi} dbytes=0 dios=0\n");
            bytes += &format!("{major}:{minor} Read {r}\n{major}:{minor} Write {w}\n{major}:{minor} Total 0\n");
            operations += &format!("{major}:{minor} Read {ri}\n{major}:{minor} Write {wi}\n");
        }
        prop_assert_eq!(v2(two.as_bytes()), (wanted.clone(), Flaws::NONE));
        let mut rows = Vec::new();
        prop_assert_eq!(blkio_v1(bytes.as_bytes(), Counted::Bytes, &mut rows), Flaws::NONE);
        prop_assert_eq!(blkio_v1(operations.as_bytes(), Counted::Operations, &mut rows), Flaws::NONE);
        prop_assert_eq!(rows, wanted);
    }
}
