//! How far groups are behind: what they have committed, beside the high watermarks that this broker knows anyway.
//!
//! A coordinator's lock is held for [`SLICE`] entries at a time, so that no request waits long for one that only looks. What is
//! found is therefore not of one moment.

use std::sync::Arc;

use super::{Coordinator, Coordinators};
use crate::coordinator::groups::{GroupSummary, Groups};
use crate::coordinator::offsets::CommittedOffset;
use crate::replica::view::View;

/// What is copied under a lock at once: some tens of microseconds.
const SLICE: usize = 512;

/// How far one group is behind in one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lag {
    pub group: Arc<str>,
    pub topic: Arc<str>,
    pub partition: i32,
    pub committed_offset: i64,
    /// Records that are not consumed yet; `None` where the partition is not on this broker.
    pub lag: Option<u64>,
}

impl Lag {
    fn of(view: &View, committed: &CommittedOffset) -> Lag {
        let CommittedOffset { group, topic, partition, offset } = committed.clone();
        let end = view.partition_by_name(&topic, partition).map(|partition| partition.high_watermark().0);
        let lag = end.ok().map(|end| end.saturating_sub(offset).max(0) as u64);
        Lag { group, topic, partition, committed_offset: offset, lag }
    }
}

impl Coordinators {
    /// The lag of every group that this broker coordinates, in the order of groups within a partition of
    /// `__consumer_offsets`. Reads memory only. Groups whose coordinator is not loaded are left out.
    pub fn lags(&self, view: &View) -> Vec<Lag> {
        let mut lags = Vec::new();
        for coordinator in self.all(view).into_iter().flatten() {
            let slice = |groups: &Groups, after: Option<&CommittedOffset>| groups.committed_behind(after, SLICE);
            in_slices(&coordinator, None, slice, |committed| lags.push(Lag::of(view, committed)));
        }
        lags
    }

    /// The lag of one group.
    pub fn lags_of(&self, view: &View, group: &str) -> Vec<Lag> {
        let mut lags = Vec::new();
        let first = CommittedOffset { group: group.into(), topic: "".into(), partition: -1, offset: -1 };
        let slice = |groups: &Groups, after: Option<&CommittedOffset>| {
            let behind = groups.committed_behind(after, SLICE).into_iter();
            behind.take_while(|committed| &*committed.group == group).collect()
        };
        if let Ok(coordinator) = self.of_key(view, group) {
            in_slices(&coordinator, Some(first), slice, |committed| lags.push(Lag::of(view, committed)));
        }
        lags
    }

    /// Every group that this broker coordinates, in the same order.
    pub fn summaries(&self, view: &View) -> Vec<GroupSummary> {
        let mut found = Vec::new();
        for coordinator in self.all(view).into_iter().flatten() {
            let slice = |groups: &Groups, after: Option<&GroupSummary>| {
                groups.summaries_behind(after.map(|after| &*after.group), SLICE)
            };
            in_slices(&coordinator, None, slice, |summary: &GroupSummary| found.push(summary.clone()));
        }
        found
    }
}

/// Shows what a coordinator has behind a place, slice by slice; stops where it has ended meanwhile.
fn in_slices<T: Clone>(
    coordinator: &Arc<Coordinator>,
    mut after: Option<T>,
    slice: impl Fn(&Groups, Option<&T>) -> Vec<T>,
    mut visit: impl FnMut(&T),
) {
    while let Ok((found, _)) = coordinator.look(|groups| slice(groups, after.as_ref())) {
        assert!(found.len() <= SLICE, "a slice is short");
        found.iter().for_each(&mut visit);
        if found.len() < SLICE {
            break;
        }
        after = found.last().cloned();
    }
}
