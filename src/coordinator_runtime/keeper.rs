//! What coordinators need that blocks or goes by the clock: loading, expiry of offsets, topics that are gone.
//!
//! On a thread of its own, so that the loading of one large partition delays nobody but its groups. Driven by
//! [`Keeper::step`], so that a simulation can turn it by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::load::load;
use super::{Coordinator, Coordinators, Moment};
use crate::coordinator::groups::Groups;
use crate::coordinator::step::Step;
use crate::io::environment::Environment;
use crate::model::{Instant, TopicId};
use crate::replica::partition::Partition;
use crate::replica::view::View;
use crate::stdx::inbox;

/// What the keeper is told.
pub enum Task {
    Load(Arc<Coordinator>),
    /// Partitions came or went.
    Look,
    Stop,
}

/// See the module.
pub struct Keeper {
    published: Arc<ArcSwap<View>>,
    coordinators: Arc<Coordinators>,
    environment: Environment,
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
        environment: Environment,
        announce: Box<dyn Fn(&Partition) + Send>,
    ) -> Keeper {
        let next_expiry = environment.now() + expiry_interval(&published, &coordinators);
        Keeper { published, coordinators, environment, next_expiry, topics: BTreeMap::new(), announce }
    }

    /// Works until it is told to stop.
    pub fn run(&mut self, tasks: &Receiver<Task>) {
        let mut new = Vec::new();
        while let Some(due) = self.step(new, self.environment.now()) {
            let Some(came) = inbox::wait(tasks, due.since(self.environment.now())) else { return };
            new = came;
        }
    }

    /// Runs the tasks and does what is due; when to come again, or `None` if it was told to stop. Blocks.
    pub fn step(&mut self, tasks: Vec<Task>, now: Instant) -> Option<Instant> {
        let mut looks = false;
        for task in tasks {
            match task {
                Task::Load(coordinator) => self.load(&coordinator, now),
                Task::Look => looks = true,
                Task::Stop => return None,
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
        Moment { now, wall: self.environment.wall() }
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
        partition.write_and_sync(self.environment.wall());
        (self.announce)(partition);
    }
}

/// `offsets.retention.check.interval.ms`
fn expiry_interval(published: &ArcSwap<View>, coordinators: &Coordinators) -> Duration {
    coordinators.settings(&published.load()).surroundings.retention_check_interval
}
