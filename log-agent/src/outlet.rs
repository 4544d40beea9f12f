//! Through which outlet do a file's lines leave? Pure.
//!
//! An outlet is a thread that reads, one that sends, and a connection of their own. One request is under way on a connection, so the order
//! of what leaves through one outlet is kept, and nothing is said of two. All files of an instance take the same one: a file that was
//! rotated and its successor leave one after the other, and a copy is known before its original goes on.

use crate::volume::InstanceKey;
use xxhash_rust::xxh3::Xxh3Default;

/// Which of so many outlets an instance takes: always the same one, in the next process too.
pub fn of(instance: &InstanceKey, outlets: usize) -> usize {
    let mut hash = Xxh3Default::new();
    hash.update(instance.app.as_str().as_bytes());
    hash.update(&[0]);
    hash.update(instance.id.as_str().as_bytes());
    let outlets = outlets.max(1) as u64;
    usize::try_from(hash.digest() % outlets).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::{AppId, InstanceId};

    #[test]
    fn instances_are_spread_and_each_keeps_its_own() {
        let key = |nth: u32| InstanceKey {
            app: AppId::new("shop/web"),
            id: InstanceId::new(format!("shop_web.{nth}")),
        };
        assert_eq!(of(&key(1), 1), 0);
        assert_eq!(of(&key(1), 0), 0);
        let mut counts = [0; 3];
        for nth in 0..3_000 {
            assert_eq!(of(&key(nth), 3), of(&key(nth), 3));
            counts[of(&key(nth), 3)] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
    }
}
