use super::*;
use proptest::prelude::*;

#[test]
fn numbers_are_those_of_the_avro_specification() {
    for (number, bytes) in [
        (0, &[0][..]),
        (-1, &[1]),
        (1, &[2]),
        (-2, &[3]),
        (63, &[0x7e]),
        (-64, &[0x7f]),
        (64, &[0x80, 1]),
        (509, &[0xfa, 7]),
        (i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
    ] {
        let mut out = Vec::new();
        put_long(&mut out, number);
        assert_eq!(out, bytes, "{number}");
        assert_eq!(Reader::new(bytes).long(), Ok(number));
    }
}

#[test]
fn what_claims_too_much_is_refused() {
    assert_eq!(Reader::new(&[0xff; 10]).long(), Err(Malformed::Long));
    assert_eq!(Reader::new(&[0xff; 9]).long(), Err(Malformed::Short));
    let mut two = [0x80; 10];
    two[9] = 2;
    assert_eq!(Reader::new(&two).long(), Err(Malformed::Long));
    assert_eq!(Reader::new(&[1]).bytes(9), Err(Malformed::Length { limit: 9 }));
    assert_eq!(Reader::new(&[20]).bytes(9), Err(Malformed::Length { limit: 9 }));
    assert_eq!(Reader::new(&[18, 0]).bytes(9), Err(Malformed::Short));
    assert_eq!(Reader::new(&[4]).choice(2), Err(Malformed::Choice(2)));
    assert_eq!(Reader::new(&[1]).choice(2), Err(Malformed::Choice(-1)));
    // a map of 2^62 entries
    let mut map = Vec::new();
    put_long(&mut map, 1 << 62);
    map.extend([2, b'a', 2, b'b', 0]);
    assert!(Reader::new(&map).skip_map().is_err());
}

#[test]
fn maps_are_passed_over_in_both_forms() {
    // two blocks, the second with its length in bytes
    let map = [2, 2, b'a', 2, b'b', 1, 8, 2, b'c', 2, b'd', 0, 7];
    let mut reader = Reader::new(&map);
    assert_eq!(reader.skip_map(), Ok(()));
    assert_eq!(reader.rest(), [7]);
}

proptest! {
    #[test]
    fn numbers_read_back(number in any::<i64>(), small in -300i64..300) {
        for number in [number, small] {
            let mut out = Vec::new();
            put_long(&mut out, number);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.long(), Ok(number));
            prop_assert!(reader.is_empty());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(Reader::new(&bytes).long().is_ok() || bytes.len() < 10 || bytes[9] > 1);
        let mut map = Reader::new(&bytes);
        prop_assert!(map.skip_map().is_err() || map.rest().len() < bytes.len());
        if let Ok(taken) = Reader::new(&bytes).bytes(20) {
            prop_assert!(taken.len() <= 20);
        }
    }
}
