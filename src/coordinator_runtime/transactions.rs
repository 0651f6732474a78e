//! The coordinators of transactions: one for each partition of `__transaction_state` that this broker leads; and the
//! markers that they send to the partitions of a transaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Barrier, Coordinator, Coordinators, Kind, Moment, Registry, Resolved, World};
use crate::coordinator::machine::{Output, Producer};
use crate::coordinator::transactions::{Markers, Step, TransactionCommand, Transactions};
use crate::metadata::topic_name::GROUPS_TOPIC;
use crate::model::{ErrorCode, PartitionIndex, TopicId};
use crate::record::builder::Codec;
use crate::record::control::EndTxnMarker;
use crate::replica::partition::Partition;
use crate::replica::view::View;
use crate::stdx::never::Never;
use crate::storage::log::Mark;

/// The topic of the transactions (`Topic.TRANSACTION_STATE_TOPIC_NAME`).
pub use crate::metadata::topic_name::TRANSACTIONS_TOPIC;

/// The coordinators of transactions.
pub type TransactionCoordinators = Registry<Transactions>;
pub type TransactionCoordinator = Coordinator<Transactions>;

impl Kind for Transactions {
    const TOPIC: &'static str = TRANSACTIONS_TOPIC;
    const NAME: &'static str = "transaction coordinator";

    fn step<T>(
        &mut self,
        world: &World<'_>,
        moment: Moment,
        _: Option<Producer>,
        work: impl FnOnce(&mut Transactions, &mut Step<'_>) -> T,
    ) -> (T, Output<Never, TransactionCommand>) {
        let mut step = Step {
            now: moment.now,
            wall: moment.wall,
            settings: &world.resolved.transactions,
            version: world.image.feature("transaction.version"),
            new_producer_id: &mut || world.producer_ids.take(),
            out: Output::default(),
        };
        let value = work(self, &mut step);
        (value, step.out)
    }

    /// `TransactionCoordinator.transactionStateTopicConfigs`
    fn codec(_: &Resolved) -> Codec {
        Codec::NONE
    }

    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    fn sweep_interval(settings: &Resolved) -> Duration {
        settings.transactions.expiration_interval
    }

    fn sweep(&mut self, step: &mut Step<'_>) {
        self.expire(step);
    }

    /// Markers for partitions that are gone are given up where they are sent.
    fn forget_topics(&mut self, _: &mut Step<'_>, _: &BTreeMap<Arc<str>, TopicId>) {}

    fn tell_loaded(&self, _: PartitionIndex, _: usize) {}
}

/// What became of a marker.
pub enum Marked {
    /// It is in the partition's log, and committed when this mark is.
    Appended(Arc<Partition>, Mark),
    /// The cluster has no such partition any more: nothing is left to be ended there.
    Gone,
    /// A newer producer or coordinator has ended the transaction already; no marker of this one counts any more.
    Fenced(ErrorCode),
    /// The partition did not take it, and may later.
    Failed(ErrorCode),
    /// The transaction has ended otherwise: there is nothing to be written any more.
    Over,
}

/// Appends a marker to a partition, in the name of a coordinator of this epoch. The caller sees to it that it is written.
pub fn append_marker(
    groups: &Coordinators,
    view: &View,
    moment: Moment,
    producer: Producer,
    marker: EndTxnMarker,
    version: i16,
    (topic, index): (&str, i32),
) -> Result<(Arc<Partition>, Mark), ErrorCode> {
    let partition = view.partition_by_name(topic, index)?;
    if topic != GROUPS_TOPIC {
        let appended = partition.append_marker((producer.id, producer.epoch), marker, version, moment.wall);
        return appended.map(|appended| (partition.clone(), appended.mark())).map_err(|refused| refused.code());
    }
    // Offsets count when their group's machine has seen the marker.
    let coordinator = groups.of_partition(partition);
    let ended = coordinator.and_then(|coordinator| coordinator.end_transaction(moment, producer, marker, version));
    match ended {
        Ok(barrier) => Ok((partition.clone(), barrier.end())),
        // Kafka's translation, for those who send markers do not know these errors.
        Err(ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress | ErrorCode::NotCoordinator) => {
            Err(ErrorCode::NotLeaderOrFollower)
        }
        Err(error) => Err(error),
    }
}

impl TransactionCoordinator {
    /// Appends the marker of a transaction that is ending to one of its partitions. No other step of this coordinator comes
    /// between the look at the transaction and the append, so no marker comes late.
    pub fn mark(
        self: &Arc<Self>,
        groups: &Coordinators,
        view: &View,
        moment: Moment,
        markers: &Markers,
        partition: (&str, i32),
    ) -> Marked {
        let Markers { transactional_id, producer, commit, version, .. } = markers;
        let marker = EndTxnMarker { commit: *commit, coordinator_epoch: self.partition.leader_epoch().0 };
        let marked = self.look(|machine| {
            if !machine.is_ending(transactional_id, *producer, *commit) {
                return None;
            }
            Some(append_marker(groups, view, moment, *producer, marker, *version, partition))
        });
        match marked {
            Err(_) | Ok((None, _)) => Marked::Over,
            Ok((Some(Ok((partition, mark))), _)) => Marked::Appended(partition, mark),
            Ok((Some(Err(error)), _)) => match error {
                ErrorCode::UnknownTopicOrPartition if !is_known(view, partition) => Marked::Gone,
                ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced => Marked::Fenced(error),
                _ => Marked::Failed(error),
            },
        }
    }
}

/// Whether the cluster has a partition, on whatever broker and in whatever state.
fn is_known(view: &View, (topic, index): (&str, i32)) -> bool {
    view.topic(topic).is_some_and(|topic| topic.partition(index).is_some())
}

impl Barrier {
    fn end(&self) -> Mark {
        self.end
    }
}
