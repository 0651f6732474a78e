//! One number for all that a group's assignment depends on: ids, names, partitions and racks of its topics.
//!
//! `computeTopicHash` and `computeGroupHash` of Kafka's group coordinator: XXH3 over values written one behind the other,
//! little-endian, as `hash4j` writes them (a string is its UTF-16 units, then how many they are). The group's hash is part
//! of `ConsumerGroupMetadataValue`, so that after a move in either direction nothing looks changed. Topics that do not
//! exist take no part.

use super::assignor::compare_strings;
use crate::model::TopicId;
use std::hash::Hasher;
use twox_hash::XxHash3_64;

/// `TOPIC_HASH_MAGIC_BYTE`, the version of all this.
const MAGIC: u8 = 0;

/// The hash of a topic whose partitions, in their order, have replicas on these racks. A broker without a rack gives
/// none; a rack stands as often as replicas are on it.
pub fn of_topic<R: AsRef<[String]>>(id: TopicId, name: &str, partition_racks: &[R]) -> i64 {
    let mut hash = XxHash3_64::new();
    hash.write(&[MAGIC]);
    let (most, least) = id.0.split_at(8);
    for half in [most, least] {
        // Java's long is the id's half in big-endian; written, it is turned around.
        hash.write(&half.iter().rev().copied().collect::<Vec<u8>>());
    }
    write_text(&mut hash, name);
    write_int(&mut hash, partition_racks.len());
    for (partition, racks) in partition_racks.iter().enumerate() {
        write_int(&mut hash, partition);
        let mut racks: Vec<&str> = racks.as_ref().iter().map(String::as_str).collect();
        racks.sort_by(|a, b| compare_strings(a, b));
        for rack in racks {
            write_int(&mut hash, rack.encode_utf16().count());
            write_text(&mut hash, rack);
        }
    }
    hash.finish() as i64
}

/// The hash of a group from the names and hashes of its topics; 0 if it has none.
pub fn of_group<'t>(topics: impl IntoIterator<Item = (&'t str, i64)>) -> i64 {
    let mut topics: Vec<(&str, i64)> = topics.into_iter().collect();
    if topics.is_empty() {
        return 0;
    }
    topics.sort_by(|(a, _), (b, _)| compare_strings(a, b));
    let mut hash = XxHash3_64::new();
    for (_, topic) in topics {
        hash.write(&topic.to_le_bytes());
    }
    hash.finish() as i64
}

fn write_int(hash: &mut XxHash3_64, value: usize) {
    hash.write(&(value as u32).to_le_bytes());
}

fn write_text(hash: &mut XxHash3_64, text: &str) {
    let mut units = 0;
    for unit in text.encode_utf16() {
        hash.write(&unit.to_le_bytes());
        units += 1;
    }
    write_int(hash, units);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Uuid;

    #[test]
    fn a_group_without_topics_has_no_hash() {
        assert_eq!(of_group([]), 0);
        assert_eq!(of_group([("b", 2), ("a", 1)]), of_group([("a", 1), ("b", 2)]));
        assert_ne!(of_group([("b", 2), ("a", 1)]), of_group([("b", 1), ("a", 2)]));
    }

    #[test]
    fn everything_that_matters_changes_the_hash() {
        let racks = |racks: &[&str]| racks.iter().map(|rack| rack.to_string()).collect::<Vec<_>>();
        let of = |id, name, partitions: &[&[&str]]| {
            of_topic(id, name, &partitions.iter().map(|partition| racks(partition)).collect::<Vec<_>>())
        };
        let one = of(Uuid::ONE, "t", &[&["a", "b"]]);
        assert_eq!(of(Uuid::ONE, "t", &[&["b", "a"]]), one);
        let others = [
            of(Uuid::ZERO, "t", &[&["a", "b"]]),
            of(Uuid::ONE, "u", &[&["a", "b"]]),
            of(Uuid::ONE, "t", &[&["a", "b"], &[]]),
            of(Uuid::ONE, "t", &[&["ab"]]),
            of(Uuid::ONE, "t", &[&["a"], &["b"]]),
            of(Uuid::ONE, "t", &[]),
        ];
        assert!(others.iter().all(|other| *other != one));
    }
}
