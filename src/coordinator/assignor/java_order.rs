//! The order in which Java's `HashMap` and `HashSet` hand out their keys (JDK 17).
//!
//! A table has a power of two of buckets and is walked bucket by bucket; within a bucket keys stand in the order of their
//! insertion, also after the table has grown. So: the buckets' number, then a stable sort. The one refinement: a bucket
//! that gets its ninth key makes a table of fewer than 64 buckets grow early. Buckets that became trees are not
//! reproduced (see the module above). Newer JDKs give the copy of a collection of 12, 24, 48… keys half the buckets.

use crate::model::Uuid;
use std::cmp::Ordering;

/// `HashMap.DEFAULT_INITIAL_CAPACITY`.
const LEAST_BUCKETS: usize = 16;
/// `HashMap.MIN_TREEIFY_CAPACITY`: below it a crowded bucket makes the table grow.
const LEAST_BUCKETS_OF_TREES: usize = 64;
/// `HashMap.TREEIFY_THRESHOLD`.
const CROWD: usize = 8;

/// `org.apache.kafka.common.Uuid.hashCode`.
pub fn uuid_hash(id: Uuid) -> i32 {
    let (most, least) = halves(id);
    let both = most ^ least;
    (both >> 32) as i32 ^ both as i32
}

/// `Uuid.compareTo`: the halves are signed.
pub fn compare_uuids(a: Uuid, b: Uuid) -> Ordering {
    halves(a).cmp(&halves(b))
}

/// `String.compareTo`: by UTF-16 units.
pub fn compare_strings(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

fn halves(id: Uuid) -> (i64, i64) {
    let value = u128::from_be_bytes(id.0);
    ((value >> 64) as i64, value as i64)
}

/// The keys of a `new HashMap<>()` into which they were put one by one.
pub fn of_grown_map<T>(keys: impl IntoIterator<Item = T>, hash: impl Fn(&T) -> i32) -> Vec<T> {
    let hashed: Vec<(u32, T)> = keys.into_iter().map(|key| (spread(hash(&key)), key)).collect();
    walk(hashed, LEAST_BUCKETS)
}

/// The keys of a `new HashSet<>(collection)`.
pub fn of_copied_set<T>(keys: impl IntoIterator<Item = T>, hash: impl Fn(&T) -> i32) -> Vec<T> {
    let hashed: Vec<(u32, T)> = keys.into_iter().map(|key| (spread(hash(&key)), key)).collect();
    let wanted = (hashed.len() as f32 / 0.75) as usize + 1;
    walk(hashed, wanted.max(LEAST_BUCKETS).next_power_of_two())
}

/// `HashMap.hash`.
fn spread(hash: i32) -> u32 {
    let hash = hash as u32;
    hash ^ (hash >> 16)
}

fn walk<T>(mut hashed: Vec<(u32, T)>, buckets: usize) -> Vec<T> {
    let mask = buckets_after(&hashed, buckets) - 1;
    hashed.sort_by_key(|(hash, _)| *hash as usize & mask);
    hashed.into_iter().map(|(_, key)| key).collect()
}

fn buckets_after<T>(hashed: &[(u32, T)], mut buckets: usize) -> usize {
    let most_keys = |buckets: usize| buckets / 4 * 3;
    for (at, (hash, _)) in hashed.iter().enumerate() {
        if buckets >= LEAST_BUCKETS_OF_TREES {
            break;
        }
        let mask = buckets as u32 - 1;
        if hashed[..at].iter().filter(|(other, _)| (other ^ hash) & mask == 0).count() >= CROWD {
            buckets *= 2;
        }
        if at + 1 > most_keys(buckets) {
            buckets *= 2;
        }
    }
    while hashed.len() > most_keys(buckets) {
        buckets *= 2;
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        assert_eq!(uuid_hash(Uuid::ONE), 1);
        assert_eq!(uuid_hash(Uuid([0xff; 16])), 0);
    }

    #[test]
    fn the_order_is_that_of_buckets() {
        let integers = |keys: &[i32]| of_copied_set(keys.to_vec(), |key| *key);
        assert_eq!(integers(&[3, 5, 16, 100]), [16, 3, 100, 5]);
        // 9 / 0.75 + 1 = 13 keys fit into 16 buckets, but nine of one bucket make it 32.
        let stride: Vec<i32> = (0..9).map(|i| i * 16).collect();
        assert_eq!(integers(&stride), [0, 32, 64, 96, 128, 16, 48, 80, 112]);
        // Twelve keys are the most for 16 buckets that grow; a copy of twelve gets 32 at once.
        let twelve: Vec<i32> = (0..11).chain([17]).collect();
        assert_eq!(of_grown_map(twelve.clone(), |key| *key)[..3], [0, 1, 17]);
        assert_eq!(integers(&twelve)[..3], [0, 1, 2]);
    }

    #[test]
    fn uuids_compare_as_signed_halves() {
        assert_eq!(compare_uuids(Uuid([0xff; 16]), Uuid::ZERO), Ordering::Less);
        assert_eq!(compare_strings("\u{10000}", "\u{ffff}"), Ordering::Less);
    }
}
