//! An answer that came compressed, which the centre does for snapshots: a tenth of the bytes, compressed once for all who ask. Pure.

use bytes::Bytes;
use flate2::read::GzDecoder;
use std::io::Read as _;

/// What is understood, as `Accept-Encoding` says it.
pub(super) const UNDERSTOOD: &str = "gzip";

/// The body as it was before it was compressed, up to `most` bytes: a few of them can stand for very many.
pub(super) fn unpacked(encoding: Option<&str>, body: Bytes, most: usize) -> Result<Bytes, String> {
    match encoding.map(str::trim) {
        None | Some("" | "identity") => return Ok(body),
        Some(gzip) if gzip.eq_ignore_ascii_case(UNDERSTOOD) => {}
        Some(other) => {
            let other: String = other.chars().take(40).flat_map(char::escape_debug).collect();
            return Err(format!("it came as {other}, which was not asked for"));
        }
    }
    let mut whole = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    let read = GzDecoder::new(&body[..]).take(limit.saturating_add(1)).read_to_end(&mut whole);
    match read {
        Err(cause) => Err(format!("it is no whole gzip: {cause}")),
        Ok(_) if whole.len() > most => Err(format!("unpacked it is larger than {most} bytes")),
        Ok(_) => Ok(whole.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn packed(body: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(body).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_cut_and_what_is_not_understood_is_said() {
        let bomb = Bytes::from(packed(&vec![b' '; 1 << 20]));
        assert!(bomb.len() < 8 << 10);
        assert_eq!(unpacked(Some("gzip"), bomb.clone(), 1 << 20).unwrap().len(), 1 << 20);
        let refused = |encoding, body: Bytes| unpacked(Some(encoding), body, 1000).unwrap_err();
        assert!(refused("gzip", bomb.clone()).contains("larger than 1000 bytes"));
        assert!(refused("br\n", bomb.clone()).contains("it came as br, which"));
        let half = bomb.slice(..bomb.len() / 2);
        assert!(unpacked(Some("gzip"), half, 1 << 20).unwrap_err().contains("no whole gzip"));
        assert!(refused("gzip", Bytes::new()).contains("no whole gzip"));
        assert_eq!(unpacked(None, bomb.clone(), 0).unwrap(), bomb);
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let back = unpacked(Some("GZIP"), packed(&body).into(), body.len()).unwrap();
            prop_assert_eq!(&back[..], &body[..]);
        }

        #[test]
        fn no_body_breaks_it(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(whole) = unpacked(Some("gzip"), body.into(), 64) {
                prop_assert!(whole.len() <= 64);
            }
        }
    }
}
