//! How far groups are behind: what they have committed, beside the high watermarks that this broker knows anyway.

use std::collections::BTreeMap;

use super::Coordinators;
use crate::model::ErrorCode;
use crate::replica::view::View;

/// How far one group is behind in one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lag {
    pub group_id: String,
    pub topic: String,
    pub partition: i32,
    pub committed_offset: i64,
    /// Records that are not consumed yet; `None` where the partition is not on this broker.
    pub lag: Option<u64>,
}

impl Coordinators {
    /// The lag of every group that this broker coordinates, in the order of groups within a partition of
    /// `__consumer_offsets`. Reads memory only.
    pub fn lags(&self, view: &View) -> Vec<Lag> {
        let mut lags = Vec::new();
        let mut ends: BTreeMap<(String, i32), Result<i64, ErrorCode>> = BTreeMap::new();
        let mut end = |topic: &str, partition: i32| {
            let of = || view.partition_by_name(topic, partition).map(|partition| partition.high_watermark().0);
            *ends.entry((topic.to_string(), partition)).or_insert_with(of)
        };
        for coordinator in self.all(view).into_iter().flatten() {
            let looked = coordinator.look(|groups| {
                let lag = |(group, topic, partition, committed_offset): (&str, &str, i32, i64)| Lag {
                    group_id: group.to_string(),
                    topic: topic.to_string(),
                    partition,
                    committed_offset,
                    lag: end(topic, partition).ok().map(|end| end.saturating_sub(committed_offset).max(0) as u64),
                };
                groups.committed().map(lag).collect::<Vec<_>>()
            });
            lags.extend(looked.into_iter().flat_map(|(lags, _)| lags));
        }
        lags
    }
}
