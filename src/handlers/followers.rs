//! Reads from followers (KIP-392), where one process plays several brokers: whom a leader sends a consumer to, and what a broker
//! serves that does not lead.
//!
//! A leader answers with a replica in sync of the client's rack (`RackAwareReplicaSelector`), or with the broker that a test
//! wants, and with no records (`ReplicaManager.findPreferredReadReplica`). A broker with a replica serves consumers that could
//! have said where they are (`FetchParams.fetchOnlyLeader`). As all brokers have the same log, a follower never lags, unless
//! a test says how much of the log it has.

use std::sync::Arc;

use super::Request;
use crate::metadata::{self, Topic};
use crate::model::{ErrorCode, TopicIdPartition};
use crate::replica::partition::Partition;
use crate::replica::played::Extent;
use crate::shard::context::Context;

/// The first version by which a consumer may be sent to a follower.
const FOLLOWERS_SINCE: i16 = 11;
pub(super) const NO_REPLICA: i32 = -1;

/// A consumer that may read from followers. There is none where the process plays one broker, so that its fetches look at nothing of this.
pub(super) struct Reader {
    /// Empty where it does not say where it is, or no selector looks at that.
    rack: Box<str>,
}

/// What is other than where a leader serves all that it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sight {
    /// The broker that the client is sent to, instead of records.
    pub(super) preferred: i32,
    pub(super) extent: Extent,
}

type Seen<'v> = (&'v Arc<Partition>, Option<Box<Sight>>);

impl Reader {
    pub(super) fn of(context: &Context<'_>, request: &Request<'_>, rack: &str) -> Option<Reader> {
        let config = &context.shared.config;
        if config.cast().is_one() || request.head.version < FOLLOWERS_SINCE {
            return None;
        }
        let rack = if config.selects_replicas_by_rack { rack } else { "" };
        Some(Reader { rack: rack.into() })
    }

    /// What a broker makes of a fetch of a partition. `found` is what it leads.
    pub(super) fn see<'v>(
        &self,
        context: &'v Context<'_>,
        (topic, index): (Option<&'v Arc<Topic>>, i32),
        found: Result<&'v Arc<Partition>, ErrorCode>,
        offset: i64,
    ) -> Result<Seen<'v>, ErrorCode> {
        let described = topic.and_then(|topic| Some((topic, topic.partition(index)?)));
        let Some((topic, described)) = described else { return found.map(|partition| (partition, None)) };
        let key = TopicIdPartition { topic_id: topic.id, index };
        match found {
            Ok(partition) => {
                let preferred = self.preferred(context, (key, described), partition, offset);
                let sight = preferred.map(|preferred| Box::new(Sight { preferred, extent: Extent::WHOLE }));
                Ok((partition, sight))
            }
            Err(ErrorCode::NotLeaderOrFollower) => {
                let (partition, extent) = context.view.followed(topic, described)?;
                let sight = extent.map(|extent| Box::new(Sight { preferred: NO_REPLICA, extent }));
                Ok((partition, sight))
            }
            Err(error) => Err(error),
        }
    }

    /// The follower that a leader sends the consumer to: one that has the offset.
    fn preferred(
        &self,
        context: &Context<'_>,
        (key, described): (TopicIdPartition, &metadata::Partition),
        partition: &Partition,
        offset: i64,
    ) -> Option<i32> {
        let image = &context.view.image;
        if let Some(follower) = context.view.played.follower(key) {
            // One that is down is in sync with nothing. One that is none of the cluster a client may find out about itself.
            let may_be_there = image.broker(follower.broker).is_none_or(|broker| broker.is_active());
            let is_other = follower.broker != described.leader;
            return (is_other && may_be_there && follower.extent.has(offset)).then_some(follower.broker);
        }
        let log = &partition.log;
        let has_offset = (log.log_start_offset().0..=log.log_end_offset().0).contains(&offset);
        if self.rack.is_empty() || !has_offset {
            return None;
        }
        let is_near = |id: &i32| {
            let found = image.broker(*id).filter(|broker| broker.is_active());
            found.is_some_and(|broker| broker.rack.as_deref() == Some(&*self.rack))
        };
        if is_near(&described.leader) {
            return None;
        }
        // All have come equally far: then the greatest id is the one (`ReplicaView.comparator`).
        described.isr.iter().copied().filter(is_near).max()
    }
}

impl Sight {
    pub(super) fn is_elsewhere(&self) -> bool {
        self.preferred != NO_REPLICA
    }
}

/// What may be read of a partition's log.
pub(super) fn extent(sight: Option<&Sight>) -> Extent {
    sight.map_or(Extent::WHOLE, |sight| sight.extent)
}
