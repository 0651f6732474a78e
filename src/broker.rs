//! The broker of the binary: real disk, real sockets, a thread for each part; starts them in order and stops them in order.
//!
//! The order of a start: directories are locked, the metadata log is replayed, sockets are bound, partitions are
//! recovered, the broker registers itself under the ports that it got, and only then the shards turn. Which part needs
//! which is in [`assembly`], for the simulation too.

pub mod first;
mod http_side;
pub mod test_broker;
pub mod test_profile;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{error, info};

use crate::assembly::{self, Disks, Parts};
use crate::broker::http_side::HttpSide;
use crate::config::{Config, IoChoice, Listener};
use crate::controller;
use crate::coordinator_runtime::keeper;
use crate::hosting::Hosting;
use crate::hosting::token_keys::TokenKeys;
use crate::hosting::{cleaning, housekeeping};
use crate::http::BrokerStage;
use crate::io::clocked::Clocked;
use crate::io::compute::Compute;
use crate::io::descriptors::{self, Connections};
use crate::io::disk::Disk;
use crate::io::driver::{Driver, Waker};
use crate::io::environment::Environment;
use crate::io::file_pool::OpenFiles;
use crate::io::machine::{self, Backend, Preference};
use crate::io::real_disk::RealDisk;
use crate::io::settable_clock::SettableClock;
use crate::io::{clock, threads};
use crate::metadata::Record;
use crate::model::MAX_SHARDS;
use crate::quorum::metadata_snapshot;
use crate::replica::watch::ShardId;
use crate::server::inlet::Inlet;
use crate::server::{Server, report};
use crate::shard::context::{Endpoint, Shared};
use crate::storage::directory::LogDirectory;

/// How long an address may be in use before the start fails, and how often it is tried. The listeners of a broker that was just
/// stopped, to be put back, are closed by the kernel in some hundred microseconds.
const LISTEN_PATIENCE: Duration = Duration::from_secs(1);
const LISTEN_RETRY: Duration = Duration::from_micros(250);

/// Kafka's line at this moment, which Testcontainers and scripts wait for (`BrokerLifecycleManager`).
const UNFENCED: &str = "The broker has been unfenced. Transitioning from RECOVERY to RUNNING.";

/// A running broker. Dropping it does not stop it: call [`Broker::stop`].
pub struct Broker {
    shared: Arc<Shared>,
    shards: Vec<JoinHandle<()>>,
    threads: PartThreads,
    addresses: Vec<SocketAddr>,
    open_files: Arc<OpenFiles>,
    connections: Arc<Connections>,
    http: Option<HttpSide>,
    clock: Option<Arc<SettableClock>>,
}

/// The threads beside the shards.
struct PartThreads {
    metadata: JoinHandle<()>,
    housekeeping: JoinHandle<()>,
    groups: JoinHandle<()>,
    transactions: JoinHandle<()>,
    /// `None` without `log.cleaner.enable`.
    cleaner: Option<JoinHandle<()>>,
    /// They are not waited for, as they may be waiting themselves, and nothing is lost with them.
    token_keys: TokenKeys,
}

/// Gives the log directories an identity without starting anything, as `kafka-storage format` does; answers the cluster
/// id. Directories that have one are refused, or left as they are with `ignore_formatted`. `first` is what the cluster's
/// metadata begin with beside its features.
pub fn format(
    config: &Config,
    cluster_id: Option<String>,
    ignore_formatted: bool,
    first: &[Record<'_>],
) -> Result<String, String> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::default());
    let environment = Environment::of_the_machine();
    let cluster_id = cluster_id.unwrap_or_else(|| environment.new_id().to_string());
    for path in config.log_dirs.iter().map(PathBuf::from) {
        let directory = LogDirectory::open(disk.clone(), path).map_err(|failure| failure.to_string())?;
        if directory.meta().is_some() && !ignore_formatted {
            return Err(format!(
                "{} is formatted already; --ignore-formatted leaves it so",
                directory.path().display()
            ));
        }
        if directory.meta().is_some() && directory.path() == Path::new(&config.metadata_log_dir) && !first.is_empty() {
            let path = directory.path().display();
            return Err(format!("{path} is formatted already, so that no credential can be added to its beginning"));
        }
    }
    let hosting = Hosting::open(disk.clone(), config, &cluster_id, &environment);
    if hosting.is_ok() && !first.is_empty() {
        let written =
            metadata_snapshot::write_first(&*disk, Path::new(&config.metadata_log_dir), first, environment.wall());
        written.map_err(|failure| failure.to_string())?;
    }
    Ok(hosting.map_err(|failure| failure.to_string())?.cluster_id().to_string())
}

/// What a shard's thread is told while the broker starts.
enum Order {
    /// Listen, as the first shard to do so or beside others.
    Listen(Vec<SocketAddr>, bool),
    Turn,
}

/// A shard's thread before it turns.
struct Starting {
    thread: JoinHandle<()>,
    waker: Arc<dyn Waker>,
    share: Sender<Arc<Shared>>,
    orders: Sender<Order>,
    bound: Receiver<Bound>,
}

/// The addresses that were bound, or the one that could not be.
type Bound = Result<Vec<SocketAddr>, (SocketAddr, io::Error)>;

/// What ends when a broker has lost all of its log directories.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Halts {
    /// The process, as Kafka's does: nothing that could still be done would be kept (`Exit.halt`).
    Process,
    /// The broker: the process is that of a program which tests with it.
    Broker,
}

/// What a broker is started with.
struct StartOptions {
    config: Config,
    cluster_id: Option<String>,
    clock: Option<Arc<SettableClock>>,
    environment: Environment,
    /// The disk of its log directories, if that is not the machine's.
    logs: Option<Arc<dyn Disk>>,
    http: Option<HttpSide>,
    halts: Halts,
}

impl StartOptions {
    /// The machine's disk, and no HTTP side.
    fn new(config: Config, cluster_id: Option<String>) -> StartOptions {
        let clock = config.has_settable_clock.then(Arc::<SettableClock>::default);
        let environment = clock.clone().map_or_else(Environment::of_the_machine, Environment::with_clock);
        StartOptions { config, cluster_id, clock, environment, logs: None, http: None, halts: Halts::Process }
    }

    fn start(self) -> Result<Broker, String> {
        let StartOptions { config, cluster_id, clock, environment, logs, http, halts } = self;
        http.iter().for_each(|http| http.begin(clock.clone()));
        let tell = |stage| http.iter().for_each(|http| http.set_stage(stage));
        // Of the whole process: brokers that share one are made for tests, and do not come near the limit.
        let shares = descriptors::share(threads::raise_descriptor_limit());
        let open_files = Arc::new(OpenFiles::new(shares.files));
        let connections = Arc::new(Connections::new(shares.connections));
        let backend = choose_backend(config.io)?;
        let shard_count = config.shards.unwrap_or_else(threads::available).clamp(1, MAX_SHARDS);
        let spin = config.spin;
        let compute = Arc::new(Compute::new(config.crypto_threads));
        let cluster_id = cluster_id.unwrap_or_else(|| environment.new_id().to_string());
        let stores: Arc<dyn Disk> = Arc::new(RealDisk::new(open_files.clone()));
        let disks = match logs {
            Some(logs) => Disks { logs, stores },
            None => Disks::one(stores),
        };
        let has_tls = config.listeners.iter().any(|listener| listener.security_protocol.has_tls());
        let opened = assembly::open(disks, environment, config, &cluster_id)?;
        if has_tls {
            info!("kernel TLS: not used ({})", machine::kernel_tls());
        }

        let machine = Machine { backend, spin, connections: connections.clone(), compute, clock: clock.clone() };
        let starting = start_shards(shard_count, machine)?;
        let connected = opened.connect(starting.iter().map(|shard| shard.waker.clone()).collect());
        http.iter().for_each(|http| http.share(connected.shared()));
        tell(BrokerStage::Starts("binds its listeners, opens its logs and registers"));
        let (addresses, endpoints) = bind(connected.shared(), &starting)?;
        let parts = connected.register(endpoints)?;
        let shared = parts.shared.clone();
        let halt = halt_of(halts, shared.clone(), http.as_ref().map(HttpSide::lent));
        let threads = start_parts(parts, halt)?;
        for shard in &starting {
            let is_told = shard.orders.send(Order::Turn);
            assert!(is_told.is_ok(), "a shard's thread waits until it is told to turn");
        }
        tell(BrokerStage::Turns);
        info!("[BrokerLifecycleManager id={}] {UNFENCED}", shared.config.node_id);
        let shards = starting.into_iter().map(|shard| shard.thread).collect();
        Ok(Broker { shared, shards, threads, addresses, open_files, connections, http, clock })
    }
}

impl Broker {
    /// Starts a broker. `cluster_id` is for directories that have none yet. An error is a sentence for the user.
    pub fn start(config: Config, cluster_id: Option<String>) -> Result<Broker, String> {
        let http = HttpSide::start(&config)?;
        StartOptions { http, ..StartOptions::new(config, cluster_id) }.start()
    }

    /// The cluster that it is.
    pub fn cluster_id(&self) -> String {
        self.shared.view.load().cluster_id().to_string()
    }

    /// The addresses that it listens on, in the order of the listeners.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses of its HTTP side, in the order of `klamm.http.listeners`.
    pub fn http_addresses(&self) -> &[SocketAddr] {
        self.http.as_ref().map_or(&[], |http| &http.addresses)
    }

    /// How many files of logs it has open.
    pub fn open_files(&self) -> usize {
        self.open_files.count()
    }

    /// How many clients are connected to it.
    pub fn connections(&self) -> usize {
        self.connections.count()
    }

    /// The clock that it goes by, where that can be set (`klamm.clock`).
    pub fn clock(&self) -> Option<&Arc<SettableClock>> {
        self.clock.as_ref()
    }

    /// A way into one of the shards without a socket.
    pub fn inlet(&self, shard: ShardId) -> Inlet {
        Inlet::new(&self.shared, shard)
    }

    /// Writes what the shards have counted into the log.
    pub fn log_metrics(&self) {
        report::lines(&self.shared).iter().for_each(|line| info!("{line}"));
    }

    /// Stops in order: no new connections, what is in flight is answered, everything is written and marked as clean.
    pub fn stop(self) -> Result<(), String> {
        let Broker { shared, shards, threads, http, clock, .. } = self;
        // What waits for a time limit from now on goes by the machine's clock, however that was left.
        clock.iter().for_each(|clock| clock.end());
        http.iter().for_each(|http| http.set_stage(BrokerStage::Stops));
        threads.token_keys.stop();
        shared.stop_shards();
        let mut panicked = false;
        for shard in shards {
            panicked |= shard.join().is_err();
        }
        panicked |= http.is_some_and(HttpSide::stop);
        shared.coordinators().send(keeper::Task::Stop);
        panicked |= threads.groups.join().is_err();
        shared.transactions().send(keeper::Task::Stop);
        panicked |= threads.transactions.join().is_err();
        shared.send_to_housekeeping(housekeeping::Task::Stop);
        panicked |= threads.housekeeping.join().is_err();
        // Before the logs are closed: it gives up within one buffer's work, and what it has not swapped in is nothing.
        if let Some(cleaner) = threads.cleaner {
            shared.send_to_cleaner(cleaning::Task::Stop);
            panicked |= cleaner.join().is_err();
        }
        shared.send_to_controller(controller::Task::Stop);
        panicked |= threads.metadata.join().is_err();
        if panicked { Err("a thread of the broker has panicked".into()) } else { Ok(()) }
    }
}

fn choose_backend(choice: IoChoice) -> Result<Backend, String> {
    let preference = match choice {
        IoChoice::Auto => Preference::Auto,
        IoChoice::Uring => Preference::Uring,
        IoChoice::Epoll => Preference::Epoll,
    };
    let chosen = machine::choose(preference);
    let chosen = chosen.map_err(|reason| format!("klamm.io=uring, but io_uring cannot be used here: {reason}"))?;
    info!("io={chosen}");
    Ok(chosen.backend)
}

/// What every shard's driver is opened with.
#[derive(Clone)]
struct Machine {
    backend: Backend,
    spin: Duration,
    connections: Arc<Connections>,
    compute: Arc<Compute>,
    clock: Option<Arc<SettableClock>>,
}

impl Machine {
    fn open(self) -> io::Result<Box<dyn Driver>> {
        let driver = machine::open(self.backend, self.spin, self.connections, self.compute)?;
        Ok(match self.clock {
            None => driver,
            Some(clock) => Box::new(Clocked::new(driver, clock)),
        })
    }
}

fn start_shards(count: usize, machine: Machine) -> Result<Vec<Starting>, String> {
    let pin = count > 1 && count == threads::available();
    let open = |machine: Machine| move || machine.open();
    (0..count).map(|number| start_shard(ShardId(number as u8), open(machine.clone()), pin)).collect()
}

fn start_shard<O>(shard: ShardId, open: O, pin: bool) -> Result<Starting, String>
where
    O: FnOnce() -> io::Result<Box<dyn Driver>> + Send + 'static,
{
    let (share, shared) = channel::<Arc<Shared>>();
    let (orders, ordered) = channel();
    let (tell_bound, bound) = channel();
    let (tell_waker, waker) = channel();
    let body = move || {
        threads::ask_for_short_slices();
        if pin {
            threads::pin(shard.0.into());
        }
        let driver = match open() {
            Ok(driver) => driver,
            Err(error) => return drop(tell_waker.send(Err(error))),
        };
        let _ = tell_waker.send(Ok(driver.waker()));
        let Ok(shared) = shared.recv() else { return };
        let mut server = Server::new(shard, shared, driver);
        while let Ok(order) = ordered.recv() {
            match order {
                Order::Listen(addresses, is_shared) => {
                    let mut listen = |at| listen(&mut server, at, is_shared).map_err(|error| (at, error));
                    let _ = tell_bound.send(addresses.into_iter().map(&mut listen).collect());
                }
                Order::Turn => return turn(shard, &mut server),
            }
        }
    };
    let thread = spawn(&format!("klamm-shard-{}", shard.0), body)?;
    match waker.recv() {
        Ok(Ok(waker)) => Ok(Starting { thread, waker, share, orders, bound }),
        Ok(Err(error)) => Err(format!("cannot open the driver of shard {}: {error}", shard.0)),
        Err(_) => Err(format!("shard {} ended while it started", shard.0)),
    }
}

/// Listens, giving a process that was killed a moment ago the time to let go of the address: the kernel ends a ring, and
/// with it the sockets that it watched, a little after its process is gone.
fn listen(server: &mut Server, address: SocketAddr, is_shared: bool) -> io::Result<SocketAddr> {
    let began = clock::now();
    loop {
        match server.listen(address, is_shared) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && clock::now().since(began) < LISTEN_PATIENCE => {
                thread::sleep(LISTEN_RETRY);
            }
            result => return result,
        }
    }
}

fn turn(shard: ShardId, server: &mut Server) {
    if let Err(error) = server.run() {
        error!("shard {} cannot go on: {error}", shard.0);
        // Half a broker would hang its clients; a restart recovers everything that was acknowledged.
        std::process::abort();
    }
}

/// Binds every listener on every shard: the first shard finds out the port, the others share it.
fn bind(shared: &Arc<Shared>, starting: &[Starting]) -> Result<(Vec<SocketAddr>, Vec<Endpoint>), String> {
    let listeners = &shared.config.listeners;
    let mut wanted = listeners.iter().map(listening_address).collect::<Result<Vec<_>, _>>()?;
    for (number, shard) in starting.iter().enumerate() {
        let _ = shard.share.send(shared.clone());
        let _ = shard.orders.send(Order::Listen(wanted.clone(), number > 0));
        let bound = shard.bound.recv().map_err(|_| "a shard ended while it started".to_string())?;
        wanted = bound.map_err(|(address, error)| format!("cannot listen on {address}: {error}"))?;
    }
    assert_eq!(wanted.len(), listeners.len(), "each listener is bound, or none");
    let endpoints = listeners.iter().zip(&wanted).map(|(listener, bound)| endpoint(listener, *bound)).collect();
    for (listener, address) in listeners.iter().zip(&wanted) {
        info!("listener={} address={address}", listener.name);
    }
    Ok((wanted, endpoints))
}

/// All interfaces: of both families where the machine has IPv6, as the JVM does.
fn every_address() -> IpAddr {
    if machine::has_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

/// The address that a listener listens on. An error is a sentence.
pub(crate) fn listening_address(listener: &Listener) -> Result<SocketAddr, String> {
    let Some(host) = &listener.host else {
        return Ok(SocketAddr::new(every_address(), listener.port));
    };
    host_address(host, listener.port).map_err(|reason| format!("listener {}: {reason}", listener.name))
}

/// The address of a host that is listened on.
pub(crate) fn host_address(host: &str, port: u16) -> Result<SocketAddr, String> {
    let found = (host, port).to_socket_addrs();
    // IPv4 first, as the JVM does: most clients are told a name and try IPv4.
    let mut found: Vec<_> = found.map_err(|error| format!("cannot resolve {host}: {error}"))?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| format!("{host} has no address"))
}

/// What clients of a listener are told.
fn endpoint(listener: &Listener, bound: SocketAddr) -> Endpoint {
    let advertised = listener.advertised.as_ref();
    let host = advertised.and_then(|a| a.host.clone()).or_else(|| listener.named_host().map(str::to_string));
    let host = host.unwrap_or_else(threads::host_name);
    let port = advertised.and_then(|a| a.port).unwrap_or(bound.port());
    let is_by_connection = advertised.is_some_and(|a| a.is_by_connection);
    Endpoint { listener: listener.name.clone(), host, port, is_by_connection }
}

/// What is done when all log directories are lost.
fn halt_of(halts: Halts, shared: Arc<Shared>, http: Option<HttpSide>) -> impl FnOnce() + Send + 'static {
    move || match halts {
        Halts::Process => std::process::exit(1),
        Halts::Broker => {
            http.iter().for_each(|http| http.set_stage(BrokerStage::Stops));
            shared.stop_shards();
        }
    }
}

/// Each part on a thread of its own. `halt` is called when all log directories are lost.
fn start_parts(parts: Parts, halt: impl FnOnce() + Send + 'static) -> Result<PartThreads, String> {
    let cleaner = parts.open_cleaner();
    let Parts {
        metadata,
        mut housekeeping,
        cleaner: tasks,
        mut groups,
        mut transactions,
        token_keys: (token_keys, refreshers),
        ..
    } = parts;
    for mut refresher in refreshers {
        spawn("klamm-jwks", move || refresher.run())?;
    }
    let housekeeping = spawn("klamm-housekeeping", move || housekeeping.machine.run(&housekeeping.tasks))?;
    let groups = spawn("klamm-groups", move || groups.machine.run(&groups.tasks))?;
    let transactions = spawn("klamm-txns", move || transactions.machine.run(&transactions.tasks))?;
    let cleaner = cleaner.map(|mut cleaner| {
        let run = move || cleaner.run(&tasks);
        spawn("klamm-cleaner", run)
    });
    let mut controller = metadata.machine;
    let metadata = spawn("klamm-metadata", move || {
        controller.run(&metadata.tasks);
        if let Some(why) = controller.fatal() {
            error!("{why}: the broker ends");
            return halt();
        }
        controller.close();
    })?;
    Ok(PartThreads { metadata, housekeeping, groups, transactions, cleaner: cleaner.transpose()?, token_keys })
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    let thread = thread::Builder::new().name(name.into()).spawn(body);
    thread.map_err(|error| format!("cannot start a thread: {error}"))
}

#[cfg(test)]
mod tests;
