//! What the runtime must know of a kind of coordinators, beyond its machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Moment, Resolved, World};
use crate::coordinator::machine::{Machine, Output, Producer};
use crate::model::{PartitionIndex, TopicId};
use crate::record::builder::Codec;

/// A machine that the runtime can host: where its records are, and what surrounds its steps.
pub trait Kind: Machine {
    /// The topic of its records; each of its partitions has a coordinator, and a key belongs to the partition of its hash.
    const TOPIC: &'static str;
    /// The name of a coordinator in log lines.
    const NAME: &'static str;
    /// Lets the machine step. What it writes belongs to a transaction if there is a producer.
    fn step<T>(
        &mut self,
        world: &World<'_>,
        moment: Moment,
        producer: Option<Producer>,
        work: impl FnOnce(&mut Self, &mut Self::Step<'_>) -> T,
    ) -> (T, Output<Self::Reply, Self::Command>);

    /// How its records are compressed.
    fn codec(settings: &Resolved) -> Codec;

    /// How often [`Kind::sweep`] is called.
    fn sweep_interval(settings: &Resolved) -> Duration;

    /// Removes what is too old.
    fn sweep(&mut self, step: &mut Self::Step<'_>);

    /// Topics were deleted.
    fn forget_topics(&mut self, step: &mut Self::Step<'_>, gone: &BTreeMap<Arc<str>, TopicId>);

    /// Tells the user what is wrong with a machine that was loaded from a partition of so many.
    fn tell_loaded(&self, here: PartitionIndex, partitions: usize);
}
