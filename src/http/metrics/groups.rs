//! Groups and how far they are behind, in records and in time. Costs a copy of all commits and, for each partition in which a
//! group is behind, one read of a batch's header.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::family::{Family, Page, families, gauge};
use crate::coordinator_runtime::lag::Lag;
use crate::model::Offset;
use crate::replica::view::View;
use crate::shard::context::Shared;

/// Batches that one look reads to know their times. The lag in time of partitions beyond is left out.
const MOST_TIMED: usize = 20_000;

const PARTITION: &[&str] = &["consumergroup", "topic", "partition"];
const TOPIC: &[&str] = &["consumergroup", "topic"];

families! {
    GROUPS = gauge("klamm_consumergroups", &["type", "state"], "Groups by their protocol and state.");
    MEMBERS = gauge("kafka_consumergroup_members", &["consumergroup"], "Members of a group.");
    CURRENT_OFFSET = gauge("kafka_consumergroup_current_offset", PARTITION, "What a group has committed for a partition.");
    CURRENT_OFFSET_SUM = gauge("kafka_consumergroup_current_offset_sum", TOPIC, "The sum of what a group has committed for the partitions of a topic.");
    LAG = gauge("kafka_consumergroup_lag", PARTITION, "Offsets between what a group has committed for a partition and the high watermark.");
    LAG_SUM = gauge("kafka_consumergroup_lag_sum", TOPIC, "The sum of the lags of a group in the partitions of a topic.");
    MAX_LAG = gauge("kafka_consumergroup_group_max_lag", &["group"], "The greatest lag of a group in a partition.");
    SUM_LAG = gauge("kafka_consumergroup_group_sum_lag", &["group"], "The sum of the lags of a group.");
    GROUP_LAG = gauge("kafka_consumergroup_group_lag", &["group", "topic", "partition"], "Offsets between what a group has committed for a partition and the high watermark.");
    LAG_SECONDS = gauge("kafka_consumergroup_group_lag_seconds", &["group", "topic", "partition"], "The age of the batch with the first record that a group has not committed, by the batch's own time; 0 where there is none.");
    MAX_LAG_SECONDS = gauge("kafka_consumergroup_group_max_lag_seconds", &["group"], "The greatest lag of a group in a partition, in seconds.");
    UNTIMED = gauge("klamm_consumergroup_lag_seconds_left_out", &[], "Partitions of groups whose lag in seconds this page leaves out, as there are too many.");
}

/// The lag of one group in one partition, with its time.
struct Timed {
    lag: Lag,
    partition: String,
    seconds: Option<f64>,
}

#[derive(Default)]
struct Sums {
    max: u64,
    sum: u64,
    max_seconds: Option<f64>,
}

pub(super) fn write(page: &mut Page, shared: &Shared, view: &View) {
    let mut by_state: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let groups = shared.coordinators().summaries(view);
    groups.iter().for_each(|group| *by_state.entry((group.group_type, group.state)).or_default() += 1);
    let mut samples = page.begin(&GROUPS);
    by_state.iter().for_each(|((group_type, state), count)| samples.add(&[group_type, state], count));
    let mut samples = page.begin(&MEMBERS);
    groups.iter().for_each(|group| samples.add(&[&group.group], group.members));

    let (lags, left_out) = timed(shared, view);
    let mut samples = page.begin(&CURRENT_OFFSET);
    lags.iter().for_each(|Timed { lag, partition, .. }| {
        samples.add(&[&lag.group, &lag.topic, partition], lag.committed_offset);
    });
    let by_topic = || lags.chunk_by(|a, b| a.lag.group == b.lag.group && a.lag.topic == b.lag.topic);
    let mut samples = page.begin(&CURRENT_OFFSET_SUM);
    for lags in by_topic() {
        let sum = lags.iter().fold(0, |sum: i64, timed| sum.saturating_add(timed.lag.committed_offset));
        samples.add(&[&lags[0].lag.group, &lags[0].lag.topic], sum);
    }
    let mut samples = page.begin(&LAG);
    for Timed { lag, partition, .. } in &lags {
        if let Some(behind) = lag.lag {
            samples.add(&[&lag.group, &lag.topic, partition], behind);
        }
    }
    let mut samples = page.begin(&LAG_SUM);
    for lags in by_topic() {
        let sum = lags.iter().filter_map(|timed| timed.lag.lag).fold(0, u64::saturating_add);
        samples.add(&[&lags[0].lag.group, &lags[0].lag.topic], sum);
    }
    of_groups(page, &lags);
    page.single(&UNTIMED, left_out);
}

/// What kafka-lag-exporter tells.
fn of_groups(page: &mut Page, lags: &[Timed]) {
    let mut sums: BTreeMap<&str, Sums> = BTreeMap::new();
    for Timed { lag, seconds, .. } in lags {
        let of = sums.entry(&*lag.group).or_default();
        let behind = lag.lag.unwrap_or_default();
        (of.max, of.sum) = (of.max.max(behind), of.sum.saturating_add(behind));
        of.max_seconds = [of.max_seconds, *seconds].into_iter().flatten().reduce(f64::max);
    }
    let mut samples = page.begin(&MAX_LAG);
    sums.iter().for_each(|(group, of)| samples.add(&[group], of.max));
    let mut samples = page.begin(&SUM_LAG);
    sums.iter().for_each(|(group, of)| samples.add(&[group], of.sum));
    let mut samples = page.begin(&GROUP_LAG);
    for Timed { lag, partition, .. } in lags {
        if let Some(behind) = lag.lag {
            samples.add(&[&lag.group, &lag.topic, partition], behind);
        }
    }
    let mut samples = page.begin(&LAG_SECONDS);
    for Timed { lag, partition, seconds } in lags {
        if let Some(seconds) = seconds {
            samples.add(&[&lag.group, &lag.topic, partition], seconds);
        }
    }
    let mut samples = page.begin(&MAX_LAG_SECONDS);
    for (group, of) in &sums {
        if let Some(seconds) = of.max_seconds {
            samples.add(&[group], seconds);
        }
    }
}

/// The lags with their times, and how many have none because there are too many.
fn timed(shared: &Shared, view: &View) -> (Vec<Timed>, usize) {
    let now = shared.environment.wall();
    let (mut reads, mut left_out) = (0, 0);
    // Groups often stand at the same place.
    let mut times: BTreeMap<(Arc<str>, i32, i64), Option<f64>> = BTreeMap::new();
    let mut seconds = |lag: &Lag| match lag.lag? {
        0 => Some(0.0),
        _ => {
            let at = (lag.topic.clone(), lag.partition, lag.committed_offset);
            if let Some(known) = times.get(&at) {
                return *known;
            }
            if reads == MOST_TIMED {
                left_out += 1;
                return None;
            }
            reads += 1;
            let partition = view.partition_by_name(&lag.topic, lag.partition).ok();
            let time = partition.and_then(|partition| partition.time_at(Offset(lag.committed_offset)));
            let seconds = time.map(|time| (now.0 - time.0).max(0) as f64 / 1000.0);
            times.insert(at, seconds);
            seconds
        }
    };
    let lags = shared.coordinators().lags(view);
    let timed = lags.into_iter().map(|lag| {
        let seconds = seconds(&lag);
        Timed { partition: lag.partition.to_string(), seconds, lag }
    });
    (timed.collect(), left_out)
}
