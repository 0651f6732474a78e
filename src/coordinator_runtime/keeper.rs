//! What the coordinators of one kind need that blocks or goes by the clock: loading, removal of what is too old, topics
//! that are gone.
//!
//! The keeper has a thread of its own, so that the loading of one large partition delays only what lies in it.
//! [`Keeper::step`] drives it, so that a simulation can turn it by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::load::load;
use super::{Barrier, Coordinator, Kind, Moment, Registry, Stepped};
use crate::coordinator::groups::Groups;
use crate::io::environment::Environment;
use crate::model::{Instant, TopicId};
use crate::replica::partition::Partition;
use crate::replica::view::View;
use crate::stdx::inbox::Tasks;

/// What ended one coordinator may end the next, such as a full disk: so they follow each other no faster.
const SUCCESSION: Duration = Duration::from_millis(500);

/// What the keeper is told.
pub enum Task<M: Kind = Groups> {
    Load(Arc<Coordinator<M>>),
    /// Partitions came or went.
    Look,
    /// A coordinator has ended, perhaps only because its log did not take a record.
    Ended,
    Stop,
}

/// The keeper of the coordinators of a registry.
pub struct Keeper<M: Kind = Groups> {
    published: Arc<ArcSwap<View>>,
    coordinators: Arc<Registry<M>>,
    environment: Environment,
    next_sweep: Instant,
    /// When coordinators that have ended get successors, if no request was faster.
    succession: Instant,
    /// The topics that there were at the last look.
    topics: BTreeMap<Arc<str>, TopicId>,
    reports: Box<dyn Reports<M>>,
}

/// What the keeper's steps are told to.
pub trait Reports<M: Kind>: Send {
    /// A partition may have moved its high watermark.
    fn progress(&self, partition: &Partition);

    /// A timer of a coordinator is due earlier than the shard that it belongs to knows.
    fn due_sooner(&self, coordinator: &Coordinator<M>);

    /// A step commands something that begins when the barrier is passed.
    fn command(&self, coordinator: &Arc<Coordinator<M>>, command: M::Command, barrier: Barrier);
}

impl<M: Kind> Keeper<M> {
    pub fn new(
        published: Arc<ArcSwap<View>>,
        coordinators: Arc<Registry<M>>,
        environment: Environment,
        reports: Box<dyn Reports<M>>,
    ) -> Keeper<M> {
        let next_sweep = environment.now() + sweep_interval(&published, &coordinators);
        let (succession, topics) = (Instant::NEVER, BTreeMap::new());
        Keeper { published, coordinators, environment, next_sweep, succession, topics, reports }
    }

    /// Works until it is told to stop.
    pub fn run(&mut self, tasks: &Tasks<Task<M>>) {
        let mut new = Vec::new();
        while let Some(due) = self.step(new, self.environment.now()) {
            let Some(came) = self.environment.wait(tasks, due) else { return };
            new = came;
        }
    }

    /// Runs the tasks and does what is due; when to come again, or `None` if it was told to stop. Blocks.
    pub fn step(&mut self, tasks: Vec<Task<M>>, now: Instant) -> Option<Instant> {
        let mut looks = false;
        for task in tasks {
            match task {
                Task::Load(coordinator) => self.load(&coordinator, now),
                Task::Look => looks = true,
                Task::Ended => self.succession = self.succession.min(now + SUCCESSION),
                Task::Stop => return None,
            }
        }
        if looks || self.succession <= now {
            self.follow(now);
            self.succession = self.coordinators.next_rest_end(now);
        }
        if self.next_sweep <= now {
            self.next_sweep = now + sweep_interval(&self.published, &self.coordinators);
            self.step_all(now, |machine, step| machine.sweep(step));
        }
        Some(self.next_sweep.min(self.succession))
    }

    fn moment(&self, now: Instant) -> Moment {
        Moment { now, wall: self.environment.wall() }
    }

    fn load(&self, coordinator: &Arc<Coordinator<M>>, now: Instant) {
        let view = self.published.load_full();
        let begun = load(coordinator, &self.coordinators.world(&view), self.moment(now));
        self.write(&coordinator.partition);
        if let Some(begun) = begun {
            self.report(coordinator, begun);
        }
    }

    /// Sees to it that there are the coordinators that there should be, and that they forget deleted topics.
    fn follow(&mut self, now: Instant) {
        let view = self.published.load_full();
        self.coordinators.follow(&view);
        let topics: BTreeMap<_, _> = view.image.topics().map(|topic| (topic.name.clone(), topic.id)).collect();
        let before = std::mem::replace(&mut self.topics, topics);
        let gone: BTreeMap<_, _> = before.into_iter().filter(|(_, id)| view.image.topic_by_id(*id).is_none()).collect();
        if !gone.is_empty() {
            self.step_all(now, |machine, step| machine.forget_topics(step, &gone));
        }
    }

    fn step_all(&self, now: Instant, mut work: impl FnMut(&mut M, &mut M::Step<'_>)) {
        let view = self.published.load_full();
        let world = self.coordinators.world(&view);
        for coordinator in self.coordinators.all(&view).into_iter().flatten() {
            let stepped = coordinator.step(&world, self.moment(now), &mut work);
            let Ok(stepped) = stepped else { continue };
            if stepped.wrote {
                self.write(&coordinator.partition);
            }
            self.report(&coordinator, stepped);
        }
    }

    fn write(&self, partition: &Partition) {
        partition.write_and_sync(self.environment.wall());
        self.reports.progress(partition);
    }

    fn report<T>(&self, coordinator: &Arc<Coordinator<M>>, stepped: Stepped<T, M>) {
        if stepped.is_due_sooner {
            self.reports.due_sooner(coordinator);
        }
        for command in stepped.commands {
            self.reports.command(coordinator, command, stepped.barrier.clone());
        }
    }
}

fn sweep_interval<M: Kind>(published: &ArcSwap<View>, coordinators: &Registry<M>) -> Duration {
    M::sweep_interval(&coordinators.settings(&published.load()))
}
