//! The coordinators of groups: one for each partition of `__consumer_offsets` that this broker leads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use log::warn;

use super::{Coordinator, Kind, Moment, Registry, Resolved, World};
use crate::coordinator::groups::{Groups, ListFilter};
use crate::coordinator::step::{Output, Producer, Step};
use crate::model::{ErrorCode, PartitionIndex, TopicId, java_hash};
use crate::record::builder::Codec;
use crate::replica::view::View;

/// The topic of the groups (`Topic.GROUP_METADATA_TOPIC_NAME`).
pub use crate::metadata::topic_name::GROUPS_TOPIC;

/// The coordinators of groups.
pub type Coordinators = Registry<Groups>;

impl Kind for Groups {
    const TOPIC: &'static str = GROUPS_TOPIC;
    const NAME: &'static str = "group coordinator";

    fn step<T>(
        &mut self,
        world: &World<'_>,
        moment: Moment,
        producer: Option<Producer>,
        work: impl FnOnce(&mut Groups, &mut Step<'_>) -> T,
    ) -> (T, Output) {
        let group_settings = |group: &str| world.group(group);
        let mut new_id = || world.environment.new_id();
        let mut step = Step {
            now: moment.now,
            wall: moment.wall,
            producer,
            topics: world,
            settings: &world.resolved.groups,
            group_settings: &group_settings,
            new_id: &mut new_id,
            out: Output::default(),
        };
        let value = work(self, &mut step);
        (value, step.out)
    }

    fn codec(settings: &Resolved) -> Codec {
        Codec { kind: settings.surroundings.topic_compression, level: None }
    }

    /// `offsets.retention.check.interval.ms`
    fn sweep_interval(settings: &Resolved) -> Duration {
        settings.surroundings.retention_check_interval
    }

    fn sweep(&mut self, step: &mut Step<'_>) {
        self.expire_offsets(step);
    }

    fn forget_topics(&mut self, step: &mut Step<'_>, gone: &BTreeMap<Arc<str>, TopicId>) {
        Groups::forget_topics(self, step, gone);
    }

    /// Earlier builds kept groups whose names have a negative hash in other partitions than Kafka does. They are not moved,
    /// and no client finds them where they are: the user hears of it.
    fn tell_loaded(&self, here: PartitionIndex, partitions: usize) {
        for (group, belongs) in misplaced(self, here.0, partitions) {
            warn!(
                "the group {group:?} lies in partition {here} of {GROUPS_TOPIC}, where no client finds it; it belongs to \
                 {belongs} (an earlier build of Klamm wrote it, see CHANGELOG)"
            );
        }
    }
}

/// Groups that lie in a partition and belong to another one: to which.
fn misplaced(groups: &Groups, here: i32, partitions: usize) -> Vec<(String, i32)> {
    let listed = groups.list(&ListFilter::default()).into_iter().map(|listed| listed.group_id);
    let placed = listed.map(|group| (java_hash::partition_for(&group, partitions), group));
    placed.filter(|(belongs, _)| *belongs != here).map(|(belongs, group)| (group, belongs)).collect()
}

impl Registry<Groups> {
    /// The coordinator of a group.
    pub fn of_group(&self, view: &View, group_id: &str) -> Result<Arc<Coordinator>, ErrorCode> {
        self.of_key(view, group_id)
    }

    #[cfg(test)]
    pub fn consumer_settings(&self, view: &View, group: &str) -> crate::coordinator::settings::ConsumerSettings {
        self.world(view).group(group)
    }

    /// Whether the cluster has the consumer protocol (`group.version`), and this broker is told to speak it.
    pub fn speaks_consumer_protocol(&self, view: &View) -> bool {
        view.image.feature("group.version") > 0 && self.settings(view).surroundings.consumer_protocol
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::machine::Machine;
    use crate::coordinator::record::offsets::{Entry, OffsetCommitKey, OffsetCommitValue};

    #[test]
    fn groups_of_an_earlier_build_are_found() {
        let mut groups = Groups::default();
        for group in ["test-consumer-group", "grp", "polygenelubricants"] {
            let key = OffsetCommitKey { group: group.into(), topic: "t".into(), partition: 0 };
            let value = OffsetCommitValue { offset: 1, ..Default::default() };
            groups.apply(&Entry::OffsetCommit(key, Some(value)), None).unwrap();
        }
        let found = |here| misplaced(&groups, here, 50);
        let of = |group: &str, belongs| (group.to_string(), belongs);
        assert_eq!(found(29), [of("polygenelubricants", 0), of("test-consumer-group", 31)]);
        assert_eq!(found(31), [of("grp", 29), of("polygenelubricants", 0)]);
    }
}
