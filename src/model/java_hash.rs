//! `String.hashCode`, and the partitions of internal topics that Apache Kafka derives from it.

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

#[cfg(test)]
mod tests {
    use super::*;

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
