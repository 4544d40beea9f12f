//! Paging. A list has an order by key; a page is what comes after the last key of the page before. Pure.
//!
//! A page is no snapshot: what comes between two pages is seen if its place is still ahead; nothing that stays is left out or seen
//! twice. To the asker a cursor is opaque; it is the last key in hex, so that every cursor of the right form names a place.

use super::problem::Refused;
use common::api_types::Page;
use common::api_types::digest::hex;

/// Items on a page unless asked otherwise.
pub const DEFAULT_LIMIT: u16 = 100;
/// Most items on a page.
pub const MOST: u16 = 1000;
/// Longest cursor, in characters: longer than twice any key there is.
const LONGEST: usize = 4096;

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Most items on it.
    pub limit: usize,
    /// The last key of the page before; None for the first page.
    pub after: Option<Vec<u8>>,
}

impl Place {
    /// Reads the parameters `limit` and `cursor`.
    pub fn of(limit: Option<u16>, cursor: Option<&str>) -> Result<Self, Refused> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MOST).contains(&limit) {
            return Err(Refused::bad_query(format!("limit: must be 1 to {MOST}")));
        }
        let after = match cursor {
            None | Some("") => None,
            Some(text) => Some(unhex(text).ok_or_else(not_a_cursor)?),
        };
        Ok(Self { limit: usize::from(limit), after })
    }

    /// Whether a key lies on this page or a later one.
    pub fn is_ahead(&self, key: &str) -> bool {
        self.after.as_deref().is_none_or(|after| key.as_bytes() > after)
    }

    /// The page, from all items in the order of their keys. Only those on the page are made.
    pub fn page<I, T>(
        &self,
        items: impl IntoIterator<Item = I>,
        key: impl Fn(&I) -> &str,
        make: impl Fn(&I) -> T,
    ) -> Page<T> {
        let mut ahead = items.into_iter().skip_while(|item| !self.is_ahead(key(item)));
        let mut page = Page { items: Vec::new(), next: None };
        let mut last = None;
        for item in ahead.by_ref().take(self.limit) {
            page.items.push(make(&item));
            last = Some(item);
        }
        if let (Some(last), Some(_)) = (last, ahead.next()) {
            page.next = Some(cursor(key(&last).as_bytes()));
        }
        page
    }
}

/// The refusal of a cursor that is none.
pub fn not_a_cursor() -> Refused {
    Refused::bad_query(
        "cursor: not one of this list; give back `next` of the page before as it came",
    )
}

/// The cursor that stands right after a key.
pub fn cursor(key: &[u8]) -> String {
    hex(key)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() % 2 != 0 || text.len() > LONGEST || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_no_place_is_refused() {
        for (limit, cursor) in [
            (Some(0), None),
            (Some(1001), None),
            (None, Some("abc")),
            (None, Some("zz")),
            (None, Some("é")),
        ] {
            let refused = Place::of(limit, cursor).unwrap_err();
            assert_eq!(refused.code(), "bad_query", "{limit:?} {cursor:?}");
        }
        assert_eq!(Place::of(None, None).unwrap(), Place { limit: 100, after: None });
        assert_eq!(Place::of(Some(1000), Some("")).unwrap().after, None);
        assert_eq!(Place::of(None, Some("00ff")).unwrap().after, Some(vec![0, 255]));
        assert!(Place::of(None, Some(&"00".repeat(5_000))).is_err());
    }

    proptest! {
        #[test]
        fn pages_together_are_the_list(keys in proptest::collection::btree_set(".{0,8}", 0..40), limit in 1u16..9) {
            let mut seen = Vec::new();
            let mut cursor: Option<String> = None;
            loop {
                let place = Place::of(Some(limit), cursor.as_deref()).unwrap();
                let page = place.page(&keys, |k| k.as_str(), |k| (*k).clone());
                prop_assert!(page.items.len() <= usize::from(limit));
                seen.extend(page.items);
                match page.next {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
            prop_assert_eq!(seen.iter().cloned().collect::<BTreeSet<_>>(), keys);
            prop_assert!(seen.windows(2).all(|w| w[0] < w[1]));
        }
    }
}
