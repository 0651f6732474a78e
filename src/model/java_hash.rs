//! `String.hashCode`, and the partitions of internal topics that Apache Kafka derives from it; `murmur2`, the hash of its producers.

/// `String.hashCode`: over UTF-16 units, so that a character beyond the first plane counts as two.
pub fn string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The partition of an internal topic that a key belongs to: a group in `__consumer_offsets`
/// (`GroupCoordinatorService.partitionFor`), a transactional id in `__transaction_state`
/// (`TransactionStateManager.partitionFor`), a share key in `__share_group_state`
/// (`ShareCoordinatorService.partitionFor`). All of them take `Utils.abs`, whose value for the least number is 0.
pub fn partition_for(key: &str, partitions: usize) -> i32 {
    let hash = string_hash(key).checked_abs().unwrap_or(0);
    let partition = hash % i32::try_from(partitions).unwrap_or(i32::MAX).max(1);
    assert!(partition >= 0, "{key} has no partition");
    partition
}

/// `Utils.murmur2`: where producers send a key.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ bytes.len() as u32;
    let mut chunks = bytes.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |last, byte| last << 8 | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition that producers send a key to (`BuiltInPartitioner.partitionForKey`).
pub fn partition_of_key(key: &[u8], partitions: usize) -> usize {
    (murmur2(key) & 0x7fff_ffff) as usize % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UtilsTest.testMurmur2`
    #[test]
    fn keys_go_where_kafka_sends_them() {
        for (text, hash) in [
            ("21", -973932308),
            ("foobar", -790332482),
            ("a-little-bit-long-string", -985981536),
            ("a-little-bit-longer-string", -1486304829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    /// What Kafka's own class answered; `testdata/PartitionsOfGroups.java` asked it.
    #[test]
    fn groups_go_where_kafka_looks_for_them() {
        let table = include_str!("testdata/partitions_of_groups.txt");
        let mut signs = [0; 3];
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let [group, hash, expected] = line.split(" | ").collect::<Vec<_>>()[..] else { panic!("{line}") };
            let hash: i32 = hash.parse().unwrap();
            let found = [50, 7, 1].map(|partitions| partition_for(group, partitions).to_string());
            assert_eq!((string_hash(group), found.join(" ")), (hash, expected.to_string()), "{group}");
            signs[usize::from(hash < 0) + usize::from(hash == i32::MIN)] += 1;
        }
        assert!(signs.iter().all(|count| *count >= 2), "positive, negative, least: {signs:?}");
    }
}
