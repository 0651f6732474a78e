//! What must hold of the broker at any time, cheap enough to be looked at after every step.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::history::Object;
use super::oracle::Oracle;
use crate::metadata::{Image, ResourceType};
use crate::replica::partition::Partition;
use crate::replica::view::View;

/// What a partition showed last, by its number in this process, and in which directory: a log that was moved was opened.
#[derive(Default)]
pub(super) struct Invariants {
    shown: BTreeMap<u64, (PathBuf, (i64, i64, i64))>,
}

impl Invariants {
    /// A new process counts its partitions anew.
    pub(super) fn forget(&mut self) {
        self.shown.clear();
    }

    pub(super) fn check(&mut self, view: &View, oracle: &mut Oracle) {
        for partition in view.partitions() {
            // The high watermark first: it never passes the end.
            let high_watermark = partition.high_watermark().0;
            let (start, end) = (partition.log.log_start_offset().0, partition.log.log_end_offset().0);
            let directory = partition.log.directory().to_path_buf();
            let before = self.shown.insert(partition.number, (directory, (start, high_watermark, end)));
            let before = before.filter(|(directory, _)| directory == partition.log.directory()).map(|(_, shown)| shown);
            if before.is_none() {
                oracle.records((uuid::Uuid::from_bytes(partition.topic_id.0), partition.index.0)).note_opened();
            }
            let mut tell = |rule: &'static str, text: String| {
                oracle.violate(rule, &[object(partition)], text);
            };
            if start > high_watermark || high_watermark > end {
                let text = format!("start {start}, high watermark {high_watermark}, end {end}");
                tell("start, high watermark and end are in order", text);
            }
            if let Some(before) = before.filter(|b| start < b.0 || high_watermark < b.1 || end < b.2) {
                tell("offsets never go back", format!("{before:?}, now {:?}", (start, high_watermark, end)));
            }
            let recovery_point = partition.log.recovery_point().0;
            if recovery_point > end {
                tell("what was synced was written", format!("recovery point {recovery_point}, end {end}"));
            }
        }
    }
}

pub(super) fn object(partition: &Partition) -> Object {
    Object::Partition(partition.topic.to_string(), partition.index.0)
}

/// Where two images differ in what clients were told.
pub(super) fn difference(shown: &Image, replayed: &Image) -> Option<String> {
    let topics = |image: &Image| -> BTreeMap<String, String> {
        let one = |topic: &std::sync::Arc<crate::metadata::Topic>| {
            let partitions: Vec<_> =
                topic.partitions.iter().map(|p| (p.index, p.replicas.clone(), p.directories.clone())).collect();
            let configs = image.topic_configs(&topic.name);
            (topic.name.to_string(), format!("{} {partitions:?} {configs:?}", topic.id))
        };
        image.topics().map(one).collect()
    };
    let (shown_topics, replayed_topics) = (topics(shown), topics(replayed));
    for name in shown_topics.keys().chain(replayed_topics.keys()) {
        let (one, other) = (shown_topics.get(name), replayed_topics.get(name));
        if one != other {
            return Some(format!("topic {name}: shown {one:?}, replayed {other:?}"));
        }
    }
    let names = |image: &Image, kind| image.config_resources(kind).map(str::to_string).collect::<Vec<_>>();
    for kind in [ResourceType::Topic, ResourceType::Broker, ResourceType::Group] {
        if names(shown, kind) != names(replayed, kind) {
            return Some(format!("configs of {kind:?}"));
        }
    }
    let same = shown.next_producer_id() == replayed.next_producer_id();
    (!same).then(|| format!("next producer id {} and {}", shown.next_producer_id(), replayed.next_producer_id()))
}
