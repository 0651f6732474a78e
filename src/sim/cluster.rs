//! One simulated broker: its shards, its threads of metadata and housekeeping turned by hand, its disk that survives it.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::config::{Config, Layers};
use crate::io::driver::Driver;
use crate::io::simulated::World;
use crate::io::simulated_disk::{Crash, SimulatedDisk};
use crate::model::{Instant, Offset, TimestampMs};
use crate::replication::controller::{Controller, Queue, Surroundings, Work};
use crate::replication::coordinators::Coordinators;
use crate::replication::coordinators::keeper::{Errand, Keeper};
use crate::replication::housekeeping::{Chore, Chores, Housekeeper};
use crate::replication::partition::Partition;
use crate::replication::watch::ShardId;
use crate::server::Server;
use crate::shard::context::{Endpoint, Shared, Threads};
use crate::shard::mailbox::Mailbox;

/// Where the simulated broker listens.
pub(super) const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 9092);
/// How far the clock moves in a step.
const STEP: Duration = Duration::from_micros(200);

thread_local! {
    /// What the world's clock says, for those who are given a function to ask.
    static WALL: Cell<TimestampMs> = const { Cell::new(TimestampMs(0)) };
}

fn wall() -> TimestampMs {
    WALL.get()
}

/// Identifiers need not be unguessable here, only different from each other: every thread counts its own.
fn counted() -> [u8; 16] {
    thread_local!(static COUNT: RefCell<u128> = const { RefCell::new(0) });
    COUNT.with_borrow_mut(|count| {
        *count += 0x0101_0101_0101_0101_0101_0101_0101_0101;
        count.to_be_bytes()
    })
}

const SURROUNDINGS: Surroundings = Surroundings { wall, random: counted };

/// A running broker.
struct Running {
    servers: Vec<Server>,
    controller: Controller,
    work: Receiver<Work>,
    housekeeper: Housekeeper,
    chores: Receiver<Chore>,
    /// When the housekeeper wants to come again.
    due: Instant,
    keeper: Keeper,
    errands: Receiver<Errand>,
    /// When the keeper of the coordinators wants to come again.
    keeper_due: Instant,
}

/// The broker with its world; it can crash and come back.
pub(super) struct Cluster {
    pub(super) world: World,
    pub(super) disk: SimulatedDisk,
    config: Config,
    running: Option<Running>,
    pub(super) steps: u64,
}

impl Cluster {
    pub(super) fn start(seed: u64, shards: usize, overrides: &[(&str, &str)]) -> Cluster {
        let mut settings =
            vec![("log.dirs".to_string(), "data".to_string()), ("klamm.shards".to_string(), shards.to_string())];
        settings.extend(overrides.iter().map(|(key, value)| (key.to_string(), value.to_string())));
        let layers = Layers { file: Vec::new(), environment: Vec::new(), overrides: settings };
        let (config, _) = Config::load(&layers).unwrap();
        let mut cluster =
            Cluster { world: World::new(seed), disk: SimulatedDisk::default(), config, running: None, steps: 0 };
        cluster.boot();
        cluster
    }

    fn boot(&mut self) {
        self.show_time();
        let disk = Arc::new(self.disk.clone());
        let mut controller = Controller::open(disk, &self.config, "simulated", SURROUNDINGS).unwrap();
        let (queue, work) = Queue::new();
        let shards = self.config.shards.unwrap_or(1);
        let (leave_chores, chores) = Chores::new();
        controller.leave_to(leave_chores.clone());
        let (coordinators, errands) = Coordinators::new(self.config.clone(), counted);
        let coordinators = Arc::new(coordinators);
        let shared = Arc::new(Shared::new(
            self.config.clone(),
            controller.published(),
            shards,
            controller.directories(),
            7,
            Threads { controller: queue, housekeeping: leave_chores, coordinators: coordinators.clone() },
        ));
        let drivers: Vec<_> = (0..shards).map(|_| self.world.driver()).collect();
        shared.set_mailboxes(drivers.iter().map(|driver| Arc::new(Mailbox::new(driver.waker()))).collect());
        controller.register(&self.config, Vec::new()).unwrap();
        let endpoint = Endpoint { listener: "PLAINTEXT".into(), host: "127.0.0.1".into(), port: ADDRESS.1 };
        let _ = shared.endpoints.set(vec![endpoint]);
        let announce = shared.clone();
        controller.announce_to(Box::new(move || {
            announce.tell_all();
            announce.coordinators().send(Errand::Look);
        }));
        let mut servers = Vec::new();
        for (number, driver) in drivers.into_iter().enumerate() {
            let mut server = Server::new(ShardId(number as u8), shared.clone(), Box::new(driver));
            server.listen(SocketAddr::from(ADDRESS), number > 0).unwrap();
            servers.push(server);
        }
        let clocks = (self.world.now(), SURROUNDINGS.wall);
        let published = controller.published();
        let teller = shared.clone();
        let announce = Box::new(move |partition: &Partition| teller.tell_progress(partition));
        let keeper = Keeper::new(published.clone(), coordinators, clocks, announce);
        shared.coordinators().send(Errand::Look);
        let announce = Box::new(move |partition: &Partition| shared.tell_progress(partition));
        let housekeeper = Housekeeper::new(self.config.clone(), published, controller.directories(), clocks, announce);
        let due = self.world.now();
        self.running =
            Some(Running { servers, controller, work, housekeeper, chores, due, keeper, errands, keeper_due: due });
    }

    fn show_time(&self) {
        WALL.set(self.world.wall());
        self.disk.set_time(self.world.wall());
    }

    /// Steps until it is so.
    pub(super) fn step_until(&mut self, patience_steps: u64, mut is_so: impl FnMut(&Cluster) -> bool) {
        let until = self.steps + patience_steps;
        while !is_so(self) {
            assert!(self.steps < until, "it is not so after {patience_steps} steps");
            self.step();
        }
    }

    /// Time passes, every shard has a turn, the metadata thread does what it was asked, the housekeeper what is due.
    pub(super) fn step(&mut self) {
        self.steps += 1;
        self.world.advance(STEP);
        self.show_time();
        let Some(running) = &mut self.running else { return };
        for server in &mut running.servers {
            server.turn().unwrap();
        }
        let work: Vec<_> = running.work.try_iter().collect();
        if !work.is_empty() {
            running.controller.step(work);
        }
        let chores: Vec<_> = running.chores.try_iter().collect();
        let now = self.world.now();
        if !chores.is_empty() || running.due <= now {
            running.due = running.housekeeper.step(chores, now).unwrap_or(Instant::NEVER);
        }
        let errands: Vec<_> = running.errands.try_iter().collect();
        if !errands.is_empty() || running.keeper_due <= now {
            running.keeper_due = running.keeper.step(errands, now).unwrap_or(Instant::NEVER);
        }
    }

    pub(super) fn recovery_point(&self, topic: &str, index: i32) -> Offset {
        let running = self.running.as_ref().expect("it runs");
        let view = running.controller.published().load_full();
        view.partition_by_name(topic, index).expect("it is here").log.recovery_point()
    }

    /// Requests that wait on all shards.
    pub(super) fn parked(&self) -> usize {
        self.running.iter().flat_map(|running| &running.servers).map(Server::parked).sum()
    }

    /// The broker is gone from one moment to the next, and with it what the kind of crash takes along.
    pub(super) fn crash(&mut self, crash: Crash) {
        self.running = None;
        self.world.cut_all();
        self.disk.crash(crash);
    }

    pub(super) fn restart(&mut self) {
        self.boot();
    }
}

/// A cluster that several clients step.
pub(super) type SharedCluster = Rc<RefCell<Cluster>>;
