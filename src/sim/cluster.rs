//! One simulated broker: its shards, its threads of metadata and housekeeping turned by hand, its disk that survives it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::assembly::{self, Disks, Parts};
use crate::config::{Config, Layers};
use crate::controller::{self, Controller};
use crate::coordinator_runtime::keeper;
use crate::hosting::cleaning::Cleaner;
use crate::hosting::housekeeping;
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
use crate::replica::view::View;
use crate::replica::watch::ShardId;
use crate::server::Server;
#[cfg(test)]
use crate::server::inlet::Inlet;
use crate::shard::context::Endpoint;
use crate::stdx::mutex::Mutex;

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
        let mut count = self.count.lock();
        *count = count.wrapping_add(0x0101_0101_0101_0101_0101_0101_0101_0101);
        count.to_be_bytes()
    }

    /// The same for every broker, so that runs of different seeds differ by what happens in them only.
    fn seed(&self) -> u64 {
        7
    }
}

/// A running broker.
struct Running {
    servers: Vec<Server>,
    parts: Parts,
    /// When the housekeeper wants to come again.
    due: Instant,
    /// When the keepers of the coordinators want to come again.
    groups_due: Instant,
    transactions_due: Instant,
}

/// The broker with its world; it can crash and come back.
pub(super) struct Cluster {
    pub(super) world: World,
    pub(super) disk: SimulatedDisk,
    environment: Environment,
    config: Config,
    sent_per_turn_bytes: Option<usize>,
    /// Connections have the null cipher.
    pub(super) is_layered: bool,
    running: Option<Running>,
    #[cfg(test)]
    pub(super) steps: u64,
}

impl Cluster {
    #[cfg(test)]
    pub(super) fn start(seed: u64, shards: usize, overrides: &[(&str, &str)]) -> Cluster {
        Cluster::start_with(seed, shards, overrides, false)
    }

    pub(super) fn start_with(seed: u64, shards: usize, overrides: &[(&str, &str)], is_layered: bool) -> Cluster {
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
            is_layered,
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
        let started = self.start_process();
        if started.is_err() {
            // The sockets of a process go with it.
            self.world.cut_all();
        }
        self.running = Some(started?);
        Ok(())
    }

    fn start_process(&self) -> Result<Running, String> {
        let disks = Disks::one(Arc::new(self.disk.clone()));
        let opened = assembly::open(disks, self.environment.clone(), self.config.clone(), "simulated")?;
        let drivers: Vec<_> = (0..self.config.shards.unwrap_or(1)).map(|_| self.world.driver()).collect();
        let connected = opened.connect(drivers.iter().map(|driver| driver.waker()).collect());
        let mut servers = Vec::new();
        for (number, driver) in drivers.into_iter().enumerate() {
            let mut server = Server::new(ShardId(number as u8), connected.shared().clone(), Box::new(driver));
            if let Some(bytes) = self.sent_per_turn_bytes {
                server.send_at_most(bytes);
            }
            if self.is_layered {
                server.layer();
            }
            for listener in &self.config.listeners {
                server.listen(SocketAddr::from((ADDRESS.0, listener.port)), number > 0).unwrap();
            }
            servers.push(server);
        }
        let listeners = self.config.listeners.iter();
        let endpoints = listeners.map(|listener| Endpoint {
            listener: listener.name.clone(),
            host: "127.0.0.1".into(),
            port: listener.port,
            is_by_connection: false,
        });
        let parts = connected.register(endpoints.collect())?;
        let due = self.world.now();
        Ok(Running { servers, parts, due, groups_due: due, transactions_due: due })
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

    #[cfg(test)]
    pub(super) fn most_handshakes_away(&self) -> usize {
        self.running.iter().flat_map(|running| &running.servers).map(Server::most_handshakes_away).max().unwrap_or(0)
    }

    /// Whom the clients that are connected stand for.
    #[cfg(test)]
    pub(super) fn principals(&self) -> Vec<String> {
        self.running.iter().flat_map(|running| &running.servers).flat_map(Server::principals).collect()
    }

    pub(super) fn turn_shard(&mut self, shard: usize) {
        let Some(running) = &mut self.running else { return };
        running.servers[shard].turn().unwrap();
    }

    /// The metadata thread does what it was asked.
    pub(super) fn turn_controller(&mut self) {
        let Some(running) = &mut self.running else { return };
        let metadata = &mut running.parts.metadata;
        let tasks = metadata.take();
        if !tasks.is_empty() {
            metadata.machine.step(tasks);
        }
    }

    pub(super) fn turn_housekeeper(&mut self) {
        let Some(running) = &mut self.running else { return };
        let (housekeeping, now) = (&mut running.parts.housekeeping, self.world.now());
        let tasks = housekeeping.take();
        if !tasks.is_empty() || running.due <= now {
            running.due = housekeeping.machine.step(tasks, now).unwrap_or(Instant::NEVER);
        }
    }

    /// The threads of the coordinators do what is due.
    pub(super) fn turn_keepers(&mut self) {
        let Some(running) = &mut self.running else { return };
        let (groups, now) = (&mut running.parts.groups, self.world.now());
        let tasks = groups.take();
        if !tasks.is_empty() || running.groups_due <= now {
            running.groups_due = groups.machine.step(tasks, now).unwrap_or(Instant::NEVER);
        }
        let transactions = &mut running.parts.transactions;
        let tasks = transactions.take();
        if !tasks.is_empty() || running.transactions_due <= now {
            running.transactions_due = transactions.machine.step(tasks, now).unwrap_or(Instant::NEVER);
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
        self.turn_keepers();
    }

    /// Whether there is a process.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether the process would have ended itself.
    pub(super) fn is_lost(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.parts.metadata.machine.fatal().is_some())
    }

    /// Whether a log directory is away until the next start.
    pub(super) fn has_failed_directory(&self) -> bool {
        let directories = self.running.as_ref().map(|running| running.parts.metadata.machine.directories());
        directories.is_some_and(|directories| directories.iter().any(|directory| directory.is_offline()))
    }

    /// The broker stops in order, as on SIGTERM.
    pub(super) fn stop(&mut self) {
        let Some(Running { mut servers, mut parts, .. }) = self.running.take() else { return };
        let shared = parts.shared.clone();
        (0..shared.shards()).for_each(|shard| shared.mailbox(ShardId(shard as u8)).stop());
        // Side by side, as a sync of one shard may be what another one waits for.
        let mut turning: Vec<&mut Server> = servers.iter_mut().collect();
        while !turning.is_empty() {
            turning.retain_mut(|server| server.turn().unwrap());
            self.world.advance(STEP);
        }
        self.disk.set_time(self.world.wall());
        shared.coordinators().send(keeper::Task::Stop);
        let tasks = parts.groups.take();
        parts.groups.machine.step(tasks, self.world.now());
        shared.transactions().send(keeper::Task::Stop);
        let tasks = parts.transactions.take();
        parts.transactions.machine.step(tasks, self.world.now());
        shared.send_to_housekeeping(housekeeping::Task::Stop);
        let tasks = parts.housekeeping.take();
        parts.housekeeping.machine.step(tasks, self.world.now());
        shared.send_to_controller(controller::Task::Stop);
        let tasks = parts.metadata.take();
        let controller = &mut parts.metadata.machine;
        controller.step(tasks);
        if controller.fatal().is_none() {
            controller.close();
        }
        drop((servers, parts, shared));
        self.world.cut_all();
    }

    /// A start that did not succeed leaves no process.
    pub(super) fn forget_process(&mut self) {
        self.running = None;
    }

    /// What the last process showed, whatever has become of it.
    pub(super) fn last_view(&self) -> Option<Arc<View>> {
        self.running.as_ref().map(|running| running.parts.metadata.machine.published().load_full())
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
        running.parts.metadata.machine.fatal().is_none().then(|| running.parts.metadata.machine.published().load_full())
    }

    /// The cleaner as a start finds it, to be turned by hand.
    pub(super) fn open_cleaner(&self) -> Cleaner {
        let running = self.running.as_ref().expect("it runs");
        running.parts.open_cleaner().expect("it is enabled")
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
        let view = running.parts.metadata.machine.published().load_full();
        view.partition_by_name(topic, index).expect("it is here").log.recovery_point()
    }

    /// What requests hold on all shards.
    pub(super) fn request_memory_bytes(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.parts.shared.memory.held_bytes())
    }

    /// What clients that have not logged in hold on all shards.
    pub(super) fn unauthenticated_bytes(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.parts.shared.logins.held_bytes())
    }

    /// A way into one of the shards without a socket.
    pub(super) fn inlet(&self, shard: u8) -> Inlet {
        Inlet::new(&self.running.as_ref().expect("it runs").parts.shared, ShardId(shard))
    }

    /// What the shards have counted.
    pub(super) fn metrics(&self) -> Vec<Counts> {
        self.running.as_ref().map(|running| running.parts.shared.metrics.read()).unwrap_or_default()
    }

    /// The rules of a test.
    #[cfg(test)]
    pub(super) fn board(&self) -> Option<Arc<crate::faults::Board>> {
        self.running.as_ref().expect("it runs").parts.shared.faults.clone()
    }

    /// Has each shard look again, as who changes the rules does.
    #[cfg(test)]
    pub(super) fn nudge_all(&self) {
        self.running.as_ref().expect("it runs").parts.shared.nudge_all();
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

    /// Connections that have their place.
    pub(super) fn places(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.parts.shared.admissions.total())
    }

    /// One shard is told to stop, and takes no new connection from then on.
    pub(super) fn stop_shard(&mut self, shard: u8) {
        let running = self.running.as_ref().expect("it runs");
        running.parts.shared.mailbox(ShardId(shard)).stop();
        self.turn_shard(shard.into());
    }

    /// Requests that wait on all shards.
    pub(super) fn parked(&self) -> usize {
        self.running.iter().flat_map(|running| &running.servers).map(Server::parked).sum()
    }
}

/// A cluster that several clients step.
#[cfg(test)]
pub(super) type SharedCluster = std::rc::Rc<std::cell::RefCell<Cluster>>;
