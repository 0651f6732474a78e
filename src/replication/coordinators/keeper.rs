//! What coordinators need that blocks or goes by the clock: loading, expiry of offsets, topics that are gone.
//!
//! On a thread of its own, so that the loading of one large partition delays nobody but its groups. Driven by
//! [`Keeper::step`], so that a simulation can turn it by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::load::load;
use super::{Coordinator, Coordinators, Moment};
use crate::coordinator::groups::Groups;
use crate::coordinator::step::Step;
use crate::model::{Instant, TimestampMs, TopicId};
use crate::replication::partition::Partition;
use crate::replication::view::View;

/// What the keeper is told.
pub enum Errand {
    Load(Arc<Coordinator>),
    /// Partitions came or went.
    Look,
    Stop,
}

/// See the module.
pub struct Keeper {
    published: Arc<ArcSwap<View>>,
    coordinators: Arc<Coordinators>,
    wall: fn() -> TimestampMs,
    next_expiry: Instant,
    /// The topics that there were at the last look.
    topics: BTreeMap<Arc<str>, TopicId>,
    /// Called when a partition may have moved its high watermark.
    announce: Box<dyn Fn(&Partition) + Send>,
}

impl Keeper {
    pub fn new(
        published: Arc<ArcSwap<View>>,
        coordinators: Arc<Coordinators>,
        (now, wall): (Instant, fn() -> TimestampMs),
        announce: Box<dyn Fn(&Partition) + Send>,
    ) -> Keeper {
        let next_expiry = now + expiry_interval(&published, &coordinators);
        Keeper { published, coordinators, wall, next_expiry, topics: BTreeMap::new(), announce }
    }

    /// Works until it is told to stop.
    pub fn run(&mut self, errands: &Receiver<Errand>, clock: fn() -> Instant) {
        let mut new = vec![Errand::Look];
        while let Some(due) = self.step(new, clock()) {
            new = match errands.recv_timeout(due.since(clock())) {
                Ok(first) => std::iter::once(first).chain(errands.try_iter()).collect(),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
        }
    }

    /// Runs the errands and does what is due; when to come again, or `None` if it was told to stop. Blocks.
    pub fn step(&mut self, errands: Vec<Errand>, now: Instant) -> Option<Instant> {
        let mut looks = false;
        for errand in errands {
            match errand {
                Errand::Load(coordinator) => self.load(&coordinator, now),
                Errand::Look => looks = true,
                Errand::Stop => return None,
            }
        }
        if looks {
            self.follow(now);
        }
        if self.next_expiry <= now {
            self.next_expiry = now + expiry_interval(&self.published, &self.coordinators);
            self.step_all(now, |groups, step| groups.expire_offsets(step));
        }
        Some(self.next_expiry)
    }

    fn moment(&self, now: Instant) -> Moment {
        Moment { now, wall: (self.wall)() }
    }

    fn load(&self, coordinator: &Arc<Coordinator>, now: Instant) {
        let view = self.published.load_full();
        load(coordinator, &self.coordinators.world(&view), self.moment(now));
        self.write(&coordinator.partition);
    }

    /// Sees to it that there are the coordinators that there should be, and that deleted topics leave no offsets.
    fn follow(&mut self, now: Instant) {
        let view = self.published.load_full();
        self.coordinators.follow(&view);
        let topics: BTreeMap<_, _> = view.image.topics().map(|topic| (topic.name.clone(), topic.id)).collect();
        let before = std::mem::replace(&mut self.topics, topics);
        let is_gone = |name: &str| before.get(name).is_some_and(|id| view.image.topic_by_id(*id).is_none());
        if before.keys().any(|name| is_gone(name)) {
            self.step_all(now, |groups, step| groups.forget_topics(step, &|name, _| is_gone(name)));
        }
    }

    fn step_all(&self, now: Instant, mut work: impl FnMut(&mut Groups, &mut Step<'_>)) {
        let view = self.published.load_full();
        let world = self.coordinators.world(&view);
        for coordinator in self.coordinators.all(&view).into_iter().flatten() {
            let stepped = coordinator.step(&world, self.moment(now), &mut work);
            if stepped.is_ok_and(|stepped| stepped.wrote) {
                self.write(&coordinator.partition);
            }
        }
    }

    fn write(&self, partition: &Partition) {
        partition.write_and_sync((self.wall)());
        (self.announce)(partition);
    }
}

/// `offsets.retention.check.interval.ms`
fn expiry_interval(published: &ArcSwap<View>, coordinators: &Coordinators) -> Duration {
    coordinators.settings(&published.load()).surroundings.retention_check_interval
}
