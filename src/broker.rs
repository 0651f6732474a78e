//! Puts the pieces together: directories, image, partitions, shards, the threads of metadata and housekeeping; starts them in order and
//! stops them in order.
//!
//! The order of a start: directories are locked, the metadata log is replayed, partitions are recovered, sockets are
//! bound, the broker registers itself under the ports that it got, and only then the shards turn.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{error, info, warn};

use crate::config::{self, Config, IoChoice, Listener};
use crate::controller::{self, Controller};
use crate::coordinator_runtime::Coordinators;
use crate::coordinator_runtime::keeper::{self, Keeper};
use crate::hosting::Hosting;
use crate::hosting::cleaning::Cleaner;
use crate::hosting::housekeeping::{self, Housekeeper};
use crate::io::descriptors;
use crate::io::disk::Disk;
use crate::io::driver::{Driver, Waker};
use crate::io::environment::Environment;
use crate::io::machine::{self, Backend, Preference};
use crate::io::real_disk::RealDisk;
use crate::io::{clock, threads};
use crate::metadata::{self, Image, ResourceType};
use crate::replica::partition::Partition;
use crate::replica::watch::{MAX_SHARDS, ShardId};
use crate::server::inlet::Inlet;
use crate::server::{Server, report};
use crate::shard::context::{Endpoint, Shared, Threads};
use crate::shard::mailbox::Mailbox;
use crate::stdx::inbox::Inbox;
use crate::storage::directory::LogDirectory;

/// How long an address may be in use before the start fails, and how often it is tried.
const LISTEN_PATIENCE: Duration = Duration::from_secs(1);
const LISTEN_RETRY: Duration = Duration::from_millis(5);

/// Kafka's line at this moment, which Testcontainers and scripts wait for (`BrokerLifecycleManager`).
const UNFENCED: &str = "The broker has been unfenced. Transitioning from RECOVERY to RUNNING.";

/// A running broker. Dropping it does not stop it: call [`Broker::stop`].
pub struct Broker {
    shared: Arc<Shared>,
    queue: Inbox<controller::Task>,
    shards: Vec<JoinHandle<()>>,
    metadata_thread: JoinHandle<()>,
    housekeeping_thread: JoinHandle<()>,
    groups_thread: JoinHandle<()>,
    /// `None` without `log.cleaner.enable`.
    cleaner: Option<CleanerThread>,
    addresses: Vec<SocketAddr>,
}

struct CleanerThread {
    thread: JoinHandle<()>,
    stop: Sender<()>,
}

/// Gives the log directories an identity without starting anything, as `kafka-storage format` does; answers the cluster
/// id. Directories that have one are refused, or left as they are with `ignore_formatted`.
pub fn format(config: &Config, cluster_id: Option<String>, ignore_formatted: bool) -> Result<String, String> {
    let environment = Environment::of_the_machine();
    let cluster_id = cluster_id.unwrap_or_else(|| environment.new_id().to_string());
    for path in config.log_dirs.iter().map(PathBuf::from) {
        let directory = LogDirectory::open(Arc::new(RealDisk), path).map_err(|failure| failure.to_string())?;
        if directory.meta().is_some() && !ignore_formatted {
            return Err(format!(
                "{} is formatted already; --ignore-formatted leaves it so",
                directory.path().display()
            ));
        }
    }
    let hosting = Hosting::open(Arc::new(RealDisk), config, &cluster_id, &environment);
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

impl Broker {
    /// Starts a broker. `cluster_id` is for directories that have none yet. An error is a sentence for the user.
    pub fn start(config: Config, cluster_id: Option<String>) -> Result<Broker, String> {
        descriptors::share(threads::raise_descriptor_limit());
        let backend = choose_backend(config.io)?;
        let shard_count = config.shards.unwrap_or_else(threads::available).clamp(1, MAX_SHARDS);
        // With one processor nothing can come while we look.
        let spin = config.spin;
        let environment = Environment::of_the_machine();
        let cluster_id = cluster_id.unwrap_or_else(|| environment.new_id().to_string());
        let opened = Controller::open(Arc::new(RealDisk), &config, &cluster_id, environment.clone());
        let mut controller = opened.map_err(|failure| failure.to_string())?;
        check_dynamic(&config, &controller.published().load().image)?;

        let (queue, work) = Inbox::new();
        let (housekeeping, housekeeping_tasks) = Inbox::new();
        controller.leave_to(housekeeping.clone());
        controller.watch_directories(&queue);
        let (coordinators, keeper_tasks) = Coordinators::new(config.clone(), environment.clone());
        let shared = Arc::new(Shared::new(
            config,
            controller.published(),
            shard_count,
            controller.directories(),
            environment.seed(),
            Threads { controller: queue.clone(), housekeeping, coordinators: Arc::new(coordinators) },
        ));
        let starting = start_shards(shard_count, backend, spin)?;
        shared.set_mailboxes(starting.iter().map(|shard| Arc::new(Mailbox::new(shard.waker.clone()))).collect());
        let (addresses, endpoints) = bind(&shared, &starting)?;
        let registered = controller.register(&shared.config, registered_endpoints(&shared, &endpoints));
        registered.map_err(|failure| failure.to_string())?;
        let _ = shared.endpoints.set(endpoints);
        let announce = shared.clone();
        controller.announce_to(Box::new(move || {
            announce.tell_all();
            announce.coordinators().send(keeper::Task::Look);
        }));

        let housekeeping_thread = start_housekeeping_thread(&shared, environment.clone(), housekeeping_tasks)?;
        let groups_thread = start_groups_thread(&shared, environment.clone(), keeper_tasks)?;
        let cleaner = start_cleaner(&shared, environment)?;
        let metadata_thread = start_metadata_thread(controller, work)?;
        for shard in &starting {
            let _ = shard.orders.send(Order::Turn);
        }
        info!("[BrokerLifecycleManager id={}] {UNFENCED}", shared.config.node_id);
        let shards = starting.into_iter().map(|shard| shard.thread).collect();
        Ok(Broker { shared, queue, shards, metadata_thread, housekeeping_thread, groups_thread, cleaner, addresses })
    }

    /// The addresses that it listens on, in the order of the listeners.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
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
        for shard in 0..self.shards.len() {
            self.shared.mailbox(ShardId(shard as u8)).stop();
        }
        let mut panicked = false;
        for shard in self.shards {
            panicked |= shard.join().is_err();
        }
        self.shared.coordinators().send(keeper::Task::Stop);
        panicked |= self.groups_thread.join().is_err();
        self.shared.send_to_housekeeping(housekeeping::Task::Stop);
        panicked |= self.housekeeping_thread.join().is_err();
        // Before the logs are closed: it gives up within one buffer's work, and what it has not swapped in is nothing.
        if let Some(cleaner) = self.cleaner {
            let _ = cleaner.stop.send(());
            panicked |= cleaner.thread.join().is_err();
        }
        self.queue.send(controller::Task::Stop);
        panicked |= self.metadata_thread.join().is_err();
        if panicked { Err("a thread of the broker has panicked".into()) } else { Ok(()) }
    }
}

/// Whether the broker may run with the dynamic configs that the metadata log holds, which Apache Kafka may have written.
fn check_dynamic(config: &Config, image: &Image) -> Result<(), String> {
    let of_broker = image.broker_configs(config.node_id);
    let mut notices = config.check_dynamic(image.default_broker_configs(), of_broker).map_err(|invalid| {
        format!("a dynamic config of the cluster: {invalid} (with kafka-configs of Apache Kafka, before Klamm starts)")
    })?;
    for kind in [ResourceType::Topic, ResourceType::Group] {
        let of_resources = image.config_resources(kind).flat_map(|name| image.configs(kind, name).keys());
        notices.extend(config::notice_of_resources(of_resources));
    }
    let tiered = |name: &&str| config::is_tiered(image.topic_configs(name));
    if let Some(topic) = image.config_resources(ResourceType::Topic).find(tiered) {
        // `LogConfig.validateRemoteStorageOnlyIfSystemEnabled`
        return Err(format!(
            "topic {topic}: You have to delete all topics with the property remote.storage.enable=true before \
             disabling tiered storage cluster-wide, and Klamm has none yet"
        ));
    }
    if let Some((entity, _)) = image.quotas().next() {
        let part =
            |(kind, name): &(String, Option<String>)| format!("{kind} {}", name.as_deref().unwrap_or("<default>"));
        let entity = entity.iter().map(part).collect::<Vec<_>>().join(", ");
        return Err(format!(
            "the cluster has client quotas (of {entity}), and Klamm enforces none yet: remove them with kafka-configs of \
             Apache Kafka before Klamm starts"
        ));
    }
    notices.iter().for_each(|notice| warn!("dynamic configs: {notice}"));
    Ok(())
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

fn start_shards(count: usize, backend: Backend, spin: Duration) -> Result<Vec<Starting>, String> {
    let pin = count > 1 && count == threads::available();
    let open = move || machine::open(backend, spin);
    (0..count).map(|number| start_shard(ShardId(number as u8), open, pin)).collect()
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
    let thread = thread::Builder::new().name(format!("klamm-shard-{}", shard.0)).spawn(body);
    let thread = thread.map_err(|error| format!("cannot start a thread: {error}"))?;
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
    let mut wanted = listeners.iter().map(resolve).collect::<Result<Vec<_>, _>>()?;
    for (number, shard) in starting.iter().enumerate() {
        let _ = shard.share.send(shared.clone());
        let _ = shard.orders.send(Order::Listen(wanted.clone(), number > 0));
        let bound = shard.bound.recv().map_err(|_| "a shard ended while it started".to_string())?;
        wanted = bound.map_err(|(address, error)| format!("cannot listen on {address}: {error}"))?;
    }
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

fn resolve(listener: &Listener) -> Result<SocketAddr, String> {
    let Some(host) = &listener.host else {
        return Ok(SocketAddr::new(every_address(), listener.port));
    };
    let found = (host.as_str(), listener.port).to_socket_addrs();
    let found = found.map_err(|error| format!("listener {}: cannot resolve {host}: {error}", listener.name))?;
    // IPv4 first, as the JVM does: most clients are told a name and try IPv4.
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| format!("listener {}: {host} has no address", listener.name))
}

/// What clients of a listener are told.
fn endpoint(listener: &Listener, bound: SocketAddr) -> Endpoint {
    let advertised = listener.advertised.as_ref();
    let host = advertised.and_then(|a| a.host.clone()).or_else(|| listener.host.clone());
    let port = advertised.and_then(|a| a.port).unwrap_or(bound.port());
    Endpoint { listener: listener.name.clone(), host: host.unwrap_or_else(threads::host_name), port }
}

/// The endpoints that the cluster's metadata tells of.
fn registered_endpoints(shared: &Shared, endpoints: &[Endpoint]) -> Vec<metadata::Endpoint> {
    let told = shared.config.listeners.iter().zip(endpoints).filter(|(listener, _)| listener.advertised.is_some());
    let registered = told.map(|(listener, endpoint)| metadata::Endpoint {
        name: endpoint.listener.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        security_protocol: listener.security_protocol.id(),
    });
    registered.collect()
}

fn start_metadata_thread(
    mut controller: Controller,
    work: Receiver<controller::Task>,
) -> Result<JoinHandle<()>, String> {
    let body = move || {
        controller.run(&work);
        if let Some(why) = controller.fatal() {
            // As Kafka's `Exit.halt(1)`: nothing that could still be done would be kept.
            error!("{why}: the broker ends");
            std::process::exit(1);
        }
        controller.close();
    };
    thread::Builder::new().name("klamm-metadata".into()).spawn(body).map_err(|e| format!("cannot start a thread: {e}"))
}

fn start_housekeeping_thread(
    shared: &Arc<Shared>,
    environment: Environment,
    housekeeping_tasks: Receiver<housekeeping::Task>,
) -> Result<JoinHandle<()>, String> {
    let teller = shared.clone();
    let announce = Box::new(move |partition: &Partition| teller.tell_progress(partition, None));
    let teller = shared.clone();
    let copied = Box::new(move |slot| teller.send_to_controller(controller::Task::Copied(slot)));
    let mut housekeeper = Housekeeper::new(
        shared.config.clone(),
        shared.view.clone(),
        shared.directories.clone(),
        environment,
        announce,
        copied,
    );
    let body = move || housekeeper.run(&housekeeping_tasks);
    let thread = thread::Builder::new().name("klamm-housekeeping".into()).spawn(body);
    thread.map_err(|error| format!("cannot start a thread: {error}"))
}

fn start_groups_thread(
    shared: &Arc<Shared>,
    environment: Environment,
    keeper_tasks: Receiver<keeper::Task>,
) -> Result<JoinHandle<()>, String> {
    let teller = shared.clone();
    let announce = Box::new(move |partition: &Partition| teller.tell_progress(partition, None));
    let mut keeper = Keeper::new(shared.view.clone(), shared.coordinators().clone(), environment, announce);
    let body = move || keeper.run(&keeper_tasks);
    let thread = thread::Builder::new().name("klamm-groups".into()).spawn(body);
    thread.map_err(|error| format!("cannot start a thread: {error}"))
}

fn start_cleaner(shared: &Arc<Shared>, environment: Environment) -> Result<Option<CleanerThread>, String> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let teller = shared.clone();
    let announce = Box::new(move |partition: &Partition| teller.tell_progress(partition, None));
    let Some(mut cleaner) = Cleaner::open(&disk, &shared.config, shared.view.clone(), environment, announce) else {
        return Ok(None);
    };
    let (stop, stopped) = channel();
    let thread = thread::Builder::new().name("klamm-cleaner".into()).spawn(move || cleaner.run(&stopped));
    let thread = thread.map_err(|error| format!("cannot start a thread: {error}"))?;
    Ok(Some(CleanerThread { thread, stop }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Record;
    use crate::metadata::record::client_quota_record::EntityData;
    use crate::metadata::record::{ClientQuotaRecord, ConfigRecord};

    /// What a directory of Apache Kafka may ask for beside the configuration file.
    #[test]
    fn what_protects_in_the_metadata_stops_the_start() {
        let config = Config::defaults();
        let check = |record: Record<'_>| {
            let mut image = Image::default();
            assert_eq!(image.apply(&record, 0), None);
            check_dynamic(&config, &image)
        };
        let quota = ClientQuotaRecord {
            entity: vec![EntityData { entity_type: "user".into(), entity_name: None }],
            key: "producer_byte_rate".into(),
            value: 1000.0,
            remove: false,
        };
        let why = check(Record::ClientQuota(quota)).unwrap_err();
        assert!(why.starts_with("the cluster has client quotas (of user <default>)"), "{why}");
        let of_topic = |name: &'static str, value: &'static str| {
            Record::Config(ConfigRecord {
                resource_type: ResourceType::Topic as i8,
                resource_name: "t".into(),
                name: name.into(),
                value: Some(value.into()),
            })
        };
        assert!(check(of_topic("remote.storage.enable", "true")).unwrap_err().starts_with("topic t: "));
        assert_eq!(check(of_topic("retention.ms", "1")), Ok(()));
    }
}
