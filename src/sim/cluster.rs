//! One simulated broker: its shards, its threads of metadata and housekeeping turned by hand, its disk that survives it.

use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::config::{Config, Layers};
use crate::controller::{self, Controller};
use crate::coordinator_runtime::Coordinators;
use crate::coordinator_runtime::keeper::{self, Keeper};
use crate::hosting::cleaning::Cleaner;
use crate::hosting::housekeeping::{self, Housekeeper};
use crate::io::disk::Disk;
use crate::io::driver::Driver;
#[cfg(test)]
use crate::io::driver::Listening;
use crate::io::environment::{Environment, Source};
use crate::io::simulated::World;
use crate::io::simulated_disk::{Crash, SimulatedDisk};
#[cfg(test)]
use crate::metrics::Counts;
#[cfg(test)]
use crate::model::Offset;
use crate::model::{Instant, TimestampMs};
use crate::replica::partition::Partition;
use crate::replica::view::View;
use crate::replica::watch::ShardId;
use crate::server::Server;
#[cfg(test)]
use crate::server::inlet::Inlet;
use crate::shard::context::{Endpoint, Reply, Shared, Threads};
use crate::shard::mailbox::Mailbox;
use crate::stdx::inbox::Inbox;

/// Where the simulated broker listens.
pub(super) const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 9092);
/// How far the clock moves in a step, and in a turn while it stops.
const STEP: Duration = Duration::from_micros(200);

/// The world's clocks. Identifiers need not be unguessable here, only different from each other: every cluster counts its
/// own.
struct Simulated {
    world: World,
    count: Mutex<u128>,
}

impl Source for Simulated {
    fn now(&self) -> Instant {
        self.world.now()
    }

    fn wall(&self) -> TimestampMs {
        self.world.wall()
    }

    fn random_bytes(&self) -> [u8; 16] {
        let mut count = self.count.lock().expect("no panic");
        *count = count.wrapping_add(0x0101_0101_0101_0101_0101_0101_0101_0101);
        count.to_be_bytes()
    }
}

/// A running broker.
struct Running {
    servers: Vec<Server>,
    shared: Arc<Shared>,
    mailboxes: Vec<Arc<Mailbox<Reply>>>,
    controller: Controller,
    work: Receiver<controller::Task>,
    housekeeper: Housekeeper,
    housekeeping_tasks: Receiver<housekeeping::Task>,
    /// When the housekeeper wants to come again.
    due: Instant,
    keeper: Keeper,
    keeper_tasks: Receiver<keeper::Task>,
    /// When the keeper of the coordinators wants to come again.
    keeper_due: Instant,
}

/// The broker with its world; it can crash and come back.
pub(super) struct Cluster {
    pub(super) world: World,
    pub(super) disk: SimulatedDisk,
    environment: Environment,
    config: Config,
    sent_per_turn_bytes: Option<usize>,
    running: Option<Running>,
    #[cfg(test)]
    pub(super) steps: u64,
}

impl Cluster {
    pub(super) fn start(seed: u64, shards: usize, overrides: &[(&str, &str)]) -> Cluster {
        // One half runs with everything in files, one half writes each batch at once.
        let (shards, tail_buffer) = (shards.to_string(), if seed.is_multiple_of(2) { "100000" } else { "0" });
        let copy_max = if (seed / 2).is_multiple_of(2) { "65536" } else { "0" };
        let own = [
            ("log.dirs", "data"),
            ("klamm.shards", &shards),
            ("klamm.tail.buffer.bytes", tail_buffer),
            ("klamm.copy.max.bytes", copy_max),
        ];
        let settings = own.iter().chain(overrides).map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let layers = Layers { overrides: settings, ..Layers::default() };
        let (config, _) = Config::load(&layers).unwrap();
        let world = World::new(seed);
        let environment = Environment::new(Simulated { world: world.clone(), count: Mutex::new(0) });
        let mut cluster = Cluster {
            world,
            environment,
            disk: SimulatedDisk::default(),
            config,
            // A third sends large answers in many turns, which the simulated sockets are too small for otherwise.
            sent_per_turn_bytes: seed.is_multiple_of(3).then_some(1000),
            running: None,
            #[cfg(test)]
            steps: 0,
        };
        cluster.restart();
        cluster
    }

    pub(super) fn restart(&mut self) {
        self.try_restart().unwrap();
    }

    /// Starts the broker; why it does not start is a sentence.
    pub(super) fn try_restart(&mut self) -> Result<(), String> {
        self.disk.set_time(self.world.wall());
        let disk = Arc::new(self.disk.clone());
        let opened = Controller::open(disk, &self.config, "simulated", self.environment.clone());
        let mut controller = opened.map_err(|failure| failure.to_string())?;
        let (queue, work) = Inbox::new();
        let shards = self.config.shards.unwrap_or(1);
        let (housekeeping, housekeeping_tasks) = Inbox::new();
        controller.leave_to(housekeeping.clone());
        controller.watch_directories(&queue);
        let (coordinators, keeper_tasks) = Coordinators::new(self.config.clone(), self.environment.clone());
        let coordinators = Arc::new(coordinators);
        let shared = Arc::new(Shared::new(
            self.config.clone(),
            controller.published(),
            shards,
            controller.directories(),
            7,
            Threads { controller: queue, housekeeping, coordinators: coordinators.clone() },
        ));
        let drivers: Vec<_> = (0..shards).map(|_| self.world.driver()).collect();
        let mailboxes: Vec<_> = drivers.iter().map(|driver| Arc::new(Mailbox::new(driver.waker()))).collect();
        shared.set_mailboxes(mailboxes.clone());
        controller.register(&self.config, Vec::new()).map_err(|failure| failure.to_string())?;
        let endpoint = Endpoint { listener: "PLAINTEXT".into(), host: "127.0.0.1".into(), port: ADDRESS.1 };
        let _ = shared.endpoints.set(vec![endpoint]);
        let announce = shared.clone();
        controller.announce_to(Box::new(move || {
            announce.tell_all();
            announce.coordinators().send(keeper::Task::Look);
        }));
        let mut servers = Vec::new();
        for (number, driver) in drivers.into_iter().enumerate() {
            let mut server = Server::new(ShardId(number as u8), shared.clone(), Box::new(driver));
            if let Some(bytes) = self.sent_per_turn_bytes {
                server.send_at_most(bytes);
            }
            server.listen(SocketAddr::from(ADDRESS), number > 0).unwrap();
            servers.push(server);
        }
        let published = controller.published();
        let teller = shared.clone();
        let announce = Box::new(move |partition: &Partition| teller.tell_progress(partition, None));
        let keeper = Keeper::new(published.clone(), coordinators, self.environment.clone(), announce);
        shared.coordinators().send(keeper::Task::Look);
        let teller = shared.clone();
        let copied = Box::new(move |slot| teller.send_to_controller(controller::Task::Copied(slot)));
        let teller = shared.clone();
        let announce = Box::new(move |partition: &Partition| teller.tell_progress(partition, None));
        let directories = controller.directories();
        let housekeeper =
            Housekeeper::new(self.config.clone(), published, directories, self.environment.clone(), announce, copied);
        let due = self.world.now();
        self.running = Some(Running {
            servers,
            shared,
            mailboxes,
            controller,
            work,
            housekeeper,
            housekeeping_tasks,
            due,
            keeper,
            keeper_tasks,
            keeper_due: due,
        });
        Ok(())
    }

    /// For the next start: what an operator changes in the configuration.
    #[cfg(test)]
    pub(super) fn set_log_dirs(&mut self, directories: &str) {
        self.config.log_dirs = directories.split(',').map(str::to_string).collect();
        self.config.metadata_log_dir = self.config.log_dirs[0].clone();
    }

    /// Time passes.
    pub(super) fn advance(&mut self, by: Duration) {
        self.world.advance(by);
        self.disk.set_time(self.world.wall());
    }

    pub(super) fn turn_shard(&mut self, shard: usize) {
        let Some(running) = &mut self.running else { return };
        running.servers[shard].turn().unwrap();
    }

    /// The metadata thread does what it was asked.
    pub(super) fn turn_controller(&mut self) {
        let Some(running) = &mut self.running else { return };
        let work: Vec<_> = running.work.try_iter().collect();
        if !work.is_empty() {
            running.controller.step(work);
        }
    }

    pub(super) fn turn_housekeeper(&mut self) {
        let Some(running) = &mut self.running else { return };
        let (housekeeping_tasks, now): (Vec<_>, _) =
            (running.housekeeping_tasks.try_iter().collect(), self.world.now());
        if !housekeeping_tasks.is_empty() || running.due <= now {
            running.due = running.housekeeper.step(housekeeping_tasks, now).unwrap_or(Instant::NEVER);
        }
    }

    /// The thread of the groups does what is due.
    pub(super) fn turn_keeper(&mut self) {
        let Some(running) = &mut self.running else { return };
        let (keeper_tasks, now): (Vec<_>, _) = (running.keeper_tasks.try_iter().collect(), self.world.now());
        if !keeper_tasks.is_empty() || running.keeper_due <= now {
            running.keeper_due = running.keeper.step(keeper_tasks, now).unwrap_or(Instant::NEVER);
        }
    }

    /// Time passes, every shard has a turn, the threads do what they were asked and what is due.
    #[cfg(test)]
    pub(super) fn step(&mut self) {
        self.steps += 1;
        self.advance(STEP);
        for shard in 0..self.config.shards.unwrap_or(1) {
            self.turn_shard(shard);
        }
        self.turn_controller();
        self.turn_housekeeper();
        self.turn_keeper();
    }

    /// Whether there is a process.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether the process would have ended itself.
    pub(super) fn is_lost(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.controller.fatal().is_some())
    }

    /// Whether a log directory is away until the next start.
    pub(super) fn has_failed_directory(&self) -> bool {
        let directories = self.running.as_ref().map(|running| running.controller.directories());
        directories.is_some_and(|directories| directories.iter().any(|directory| directory.is_offline()))
    }

    /// The broker stops in order, as on SIGTERM.
    pub(super) fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        running.mailboxes.iter().for_each(|mailbox| mailbox.stop());
        // Side by side, as a sync of one shard may be what another one waits for.
        let mut turning: Vec<&mut Server> = running.servers.iter_mut().collect();
        while !turning.is_empty() {
            turning.retain_mut(|server| server.turn().unwrap());
            self.world.advance(STEP);
        }
        self.disk.set_time(self.world.wall());
        let keeper_tasks = running.keeper_tasks.try_iter().chain([keeper::Task::Stop]).collect();
        running.keeper.step(keeper_tasks, self.world.now());
        let housekeeping_tasks = running.housekeeping_tasks.try_iter().chain([housekeeping::Task::Stop]).collect();
        running.housekeeper.step(housekeeping_tasks, self.world.now());
        let work = running.work.try_iter().chain([controller::Task::Stop]).collect();
        running.controller.step(work);
        if running.controller.fatal().is_none() {
            running.controller.close();
        }
        drop(running);
        self.world.cut_all();
    }

    /// A start that did not succeed leaves no process.
    pub(super) fn forget_process(&mut self) {
        self.running = None;
    }

    /// What the last process showed, whatever has become of it.
    pub(super) fn last_view(&self) -> Option<Arc<View>> {
        self.running.as_ref().map(|running| running.controller.published().load_full())
    }

    /// The metadata as a start would find them.
    pub(super) fn replayed(&self) -> Option<Arc<View>> {
        let disk = Arc::new(self.disk.copy());
        let controller = Controller::open(disk, &self.config, "simulated", self.environment.clone()).ok()?;
        Some(controller.published().load_full())
    }

    /// The view that the broker shows; `None` when it does not run, or could not go on.
    pub(super) fn view(&self) -> Option<Arc<View>> {
        let running = self.running.as_ref()?;
        running.controller.fatal().is_none().then(|| running.controller.published().load_full())
    }

    /// The cleaner as a start finds it, to be turned by hand.
    pub(super) fn open_cleaner(&self) -> Cleaner {
        let running = self.running.as_ref().expect("it runs");
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let teller = running.shared.clone();
        let announce = Box::new(move |partition: &Partition| teller.tell_progress(partition, None));
        let view = running.controller.published();
        Cleaner::open(&disk, &self.config, view, self.environment.clone(), announce).expect("it is enabled")
    }

    /// The broker is gone from one moment to the next, and with it what the kind of crash takes along.
    pub(super) fn crash(&mut self, crash: Crash) {
        self.running = None;
        self.world.cut_all();
        if crash != Crash::Process {
            self.world.lose_answers();
        }
        self.disk.crash(crash);
    }
}

/// What the hand-written stories ask for.
#[cfg(test)]
impl Cluster {
    /// Steps until it is so.
    pub(super) fn step_until(&mut self, patience_steps: u64, mut is_so: impl FnMut(&Cluster) -> bool) {
        let until = self.steps + patience_steps;
        while !is_so(self) {
            assert!(self.steps < until, "it is not so after {patience_steps} steps");
            self.step();
        }
    }

    pub(super) fn recovery_point(&self, topic: &str, index: i32) -> Offset {
        let running = self.running.as_ref().expect("it runs");
        let view = running.controller.published().load_full();
        view.partition_by_name(topic, index).expect("it is here").log.recovery_point()
    }

    /// What requests hold on all shards.
    pub(super) fn request_memory_bytes(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.shared.memory.held_bytes())
    }

    /// A way into one of the shards without a socket.
    pub(super) fn inlet(&self, shard: u8) -> Inlet {
        Inlet::new(&self.running.as_ref().expect("it runs").shared, ShardId(shard))
    }

    /// What the shards have counted.
    pub(super) fn metrics(&self) -> Vec<Counts> {
        self.running.as_ref().map(|running| running.shared.metrics.read()).unwrap_or_default()
    }

    /// How often a shard has let others have its processor.
    pub(super) fn times_yielded(&self) -> u64 {
        self.world.times_yielded()
    }

    /// What the last of the shards has asked of its listening socket.
    pub(super) fn last_listening(&self) -> Option<Listening> {
        self.world.last_listening()
    }

    /// Connections of each shard.
    pub(super) fn connections(&self) -> Vec<usize> {
        self.running.iter().flat_map(|running| &running.servers).map(Server::connections).collect()
    }

    /// Requests that wait on all shards.
    pub(super) fn parked(&self) -> usize {
        self.running.iter().flat_map(|running| &running.servers).map(Server::parked).sum()
    }
}

/// A cluster that several clients step.
#[cfg(test)]
pub(super) type SharedCluster = std::rc::Rc<std::cell::RefCell<Cluster>>;
