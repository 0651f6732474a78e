//! Puts a broker's parts together: the one composition of the binary, the simulation and the tests of handlers.
//!
//! The order of a start is the order of the steps, each of which gives what the next one needs. [`open`] locks the
//! directories, replays the metadata log and checks what it holds; [`Opened::connect`] lets the parts reach each other;
//! the caller binds its sockets; [`Connected::register`] recovers the partitions and registers the broker under the ports
//! that it got; the caller turns the [`Parts`], on threads or by hand.
//!
//! Knows no threads, no sockets and no drivers: of a shard it knows only what wakes it. Nothing here is of the process,
//! so two brokers of one process do not know of each other.

use std::sync::Arc;

use log::warn;

use crate::config::{self, Config};
use crate::controller::{self, Controller};
use crate::coordinator::groups::Groups;
use crate::coordinator::transactions::Transactions;
use crate::coordinator_runtime::keeper::{self, Keeper};
use crate::coordinator_runtime::{Coordinators, ProducerIds, TransactionCoordinators};
use crate::hosting::cleaning::{self, Announce, Cleaner};
use crate::hosting::doors::{Doors, Stores};
use crate::hosting::housekeeping::{self, Finding, Housekeeper};
use crate::hosting::kerberos::ServiceKeys;
use crate::hosting::token_keys::{Refresher, TokenKeys};
use crate::io::disk::Disk;
use crate::io::driver::Waker;
use crate::io::environment::Environment;
use crate::metadata::{self, Image, ResourceType};
use crate::replica::partition::Partition;
use crate::shard::context::{Endpoint, Shared, Threads};
use crate::shard::login::Logins;
use crate::shard::mailbox::Mailbox;
use crate::stdx::inbox::{self, Inbox};

/// Directories are locked, the metadata is replayed, and the broker may run with it.
pub struct Opened {
    disks: Disks,
    environment: Environment,
    config: Config,
    doors: Arc<Doors>,
    token_keys: (TokenKeys, Vec<Refresher>),
    service_keys: ServiceKeys,
    controller: Controller,
}

/// Where a broker's files are.
#[derive(Clone)]
pub struct Disks {
    /// The log directories.
    pub logs: Arc<dyn Disk>,
    /// What its user keeps: stores of keys and certificates, keys of providers of tokens.
    pub stores: Arc<dyn Disk>,
}

impl Disks {
    /// Everything is on one.
    pub fn one(disk: Arc<dyn Disk>) -> Disks {
        Disks { logs: disk.clone(), stores: disk }
    }
}

/// Opens the log directories. `cluster_id` is for those that have none. An error is a sentence for the user. Blocks.
pub fn open(disks: Disks, environment: Environment, config: Config, cluster_id: &str) -> Result<Opened, String> {
    let controller = Controller::open(disks.logs.clone(), &config, cluster_id, environment.clone());
    let controller = controller.map_err(|failure| failure.to_string())?;
    let image = controller.published().load().image.clone();
    check_dynamic(&config, &image)?;
    let doors = {
        let dynamic = (image.default_broker_configs(), image.broker_configs(config.node_id));
        Arc::new(Doors::open(&config, dynamic, &*disks.stores, environment.wall())?)
    };
    let token_keys = TokenKeys::open(&config, &disks.stores, &environment)?;
    let service_keys = ServiceKeys::open(&config)?;
    Ok(Opened { disks, environment, config, doors, token_keys, service_keys, controller })
}

impl Opened {
    /// Connects the parts with as many shards as there are wakers: what is left in a shard's mailbox wakes it.
    pub fn connect(self, wakers: Vec<Arc<dyn Waker>>) -> Connected {
        let Opened { disks, environment, config, doors, token_keys, service_keys, mut controller } = self;
        let (to_controller, metadata) = Inbox::new();
        let (to_housekeeping, housekeeping) = Inbox::new();
        let (to_cleaner, cleaner) = Inbox::new();
        controller.leave_to(to_housekeeping.clone());
        controller.watch_directories(&to_controller);
        controller.look_into(Arc::new(Stores::new(doors.clone(), disks.stores.clone())));
        let producer_ids = Arc::new(ProducerIds::default());
        let (coordinators, groups) = Coordinators::new(config.clone(), environment.clone(), producer_ids.clone());
        let (of_transactions, transactions) =
            TransactionCoordinators::new(config.clone(), environment.clone(), producer_ids.clone());
        let threads = Threads {
            controller: to_controller,
            housekeeping: to_housekeeping,
            cleaner: to_cleaner,
            coordinators: Arc::new(coordinators),
            transactions: Arc::new(of_transactions),
        };
        let mut shared = Shared::new(
            config,
            controller.published(),
            controller.directories(),
            environment.clone(),
            wakers.into_iter().map(|waker| Arc::new(Mailbox::new(waker))).collect(),
            threads,
            producer_ids,
        );
        shared.doors = doors;
        shared.logins = Logins::new(&shared.config, (&token_keys.0, &service_keys));
        let shared = Arc::new(shared);
        let tasks = Tasks { metadata, housekeeping, cleaner, groups, transactions };
        Connected { disks, environment, shared, token_keys, controller, tasks }
    }
}

/// Where the tasks of the parts arrive.
struct Tasks {
    metadata: inbox::Tasks<controller::Task>,
    housekeeping: inbox::Tasks<housekeeping::Task>,
    cleaner: inbox::Tasks<cleaning::Task>,
    groups: inbox::Tasks<keeper::Task<Groups>>,
    transactions: inbox::Tasks<keeper::Task<Transactions>>,
}

/// What the shards share is there, so that they can bind their sockets. The cluster does not know of this broker yet.
pub struct Connected {
    disks: Disks,
    environment: Environment,
    shared: Arc<Shared>,
    token_keys: (TokenKeys, Vec<Refresher>),
    controller: Controller,
    tasks: Tasks,
}

impl Connected {
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Registers the broker and opens its partitions. `endpoints` is what clients are told, in the order of the listeners.
    /// An error is a sentence for the user. Blocks.
    pub fn register(self, endpoints: Vec<Endpoint>) -> Result<Parts, String> {
        let Connected { disks, environment, shared, token_keys, mut controller, tasks } = self;
        assert_eq!(endpoints.len(), shared.config.listeners.len(), "clients are told of each listener");
        let registered = controller.register(&shared.config, registered_endpoints(&shared.config, &endpoints));
        registered.map_err(|failure| failure.to_string())?;
        assert!(shared.endpoints.set(endpoints).is_ok(), "a broker is registered once in its life");
        controller.announce_to(Box::new(shared.clone()));
        let told = shared.clone();
        let housekeeper = Housekeeper::new(
            shared.config.clone(),
            shared.view.clone(),
            shared.directories.clone(),
            (shared.doors.clone(), disks.stores.clone()),
            environment.clone(),
            announce_progress(&shared),
            Box::new(move |finding| told.send_to_controller(of_housekeeper(finding))),
        );
        let (groups, transactions) = (shared.coordinators().clone(), shared.transactions().clone());
        let told = || Box::new(shared.clone());
        let groups = Keeper::new(shared.view.clone(), groups, environment.clone(), told());
        let transactions = Keeper::new(shared.view.clone(), transactions, environment.clone(), told());
        // The partitions that came with the start, of which no announcement has told.
        shared.send_to_housekeeping(housekeeping::Task::Look);
        shared.coordinators().send(keeper::Task::Look);
        shared.transactions().send(keeper::Task::Look);
        Ok(Parts {
            metadata: Part { machine: controller, tasks: tasks.metadata },
            housekeeping: Part { machine: housekeeper, tasks: tasks.housekeeping },
            cleaner: tasks.cleaner,
            groups: Part { machine: groups, tasks: tasks.groups },
            transactions: Part { machine: transactions, tasks: tasks.transactions },
            token_keys,
            shared,
            disks,
            environment,
        })
    }
}

/// What does its tasks in order, and where they arrive. It rests until it is turned.
pub struct Part<M, T> {
    pub machine: M,
    pub tasks: inbox::Tasks<T>,
}

impl<M, T> Part<M, T> {
    /// The tasks that have arrived.
    #[cfg(any(test, feature = "sim"))]
    pub fn take(&self) -> Vec<T> {
        self.tasks.take()
    }
}

/// A registered broker, but for its shards. To stop it: its shards first, then groups, transactions, housekeeping and cleaner,
/// which use the logs, and the controller last, which closes them.
pub struct Parts {
    pub shared: Arc<Shared>,
    pub metadata: Part<Controller, controller::Task>,
    pub housekeeping: Part<Housekeeper, housekeeping::Task>,
    /// What the thread of [`Parts::open_cleaner`] is told.
    pub cleaner: inbox::Tasks<cleaning::Task>,
    pub groups: Part<Keeper<Groups>, keeper::Task<Groups>>,
    pub transactions: Part<Keeper<Transactions>, keeper::Task<Transactions>>,
    /// The keys of providers of tokens, and those who look for more, each on a thread of its own.
    pub token_keys: (TokenKeys, Vec<Refresher>),
    disks: Disks,
    environment: Environment,
}

impl Parts {
    /// The cleaner of the logs, which reads its checkpoints; `None` without `log.cleaner.enable`. Blocks.
    pub fn open_cleaner(&self) -> Option<Cleaner> {
        let shared = &self.shared;
        let (view, environment) = (shared.view.clone(), self.environment.clone());
        Cleaner::open(&self.disks.logs, &shared.config, view, environment, announce_progress(shared))
    }
}

/// What the metadata thread does about what the housekeeper finds.
fn of_housekeeper(finding: Finding) -> controller::Task {
    match finding {
        Finding::Copied(partition) => controller::Task::Copied(partition),
        Finding::TokensDue => controller::Task::SweepTokens,
    }
}

/// Tells the shards that wait for a partition that it may have moved its high watermark.
fn announce_progress(shared: &Arc<Shared>) -> Announce {
    let shared = shared.clone();
    Box::new(move |partition: &Partition| shared.tell_progress(partition, None))
}

/// The endpoints that the cluster's metadata tells of: those of listeners that are advertised.
fn registered_endpoints(config: &Config, endpoints: &[Endpoint]) -> Vec<metadata::Endpoint> {
    let told = config.listeners.iter().zip(endpoints).filter(|(listener, _)| listener.advertised.is_some());
    let registered = told.map(|(listener, endpoint)| metadata::Endpoint {
        name: endpoint.listener.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        security_protocol: listener.security_protocol.id(),
    });
    registered.collect()
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
    notices.iter().for_each(|notice| warn!("dynamic configs: {notice}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::environment::fixed;
    use crate::io::simulated_disk::SimulatedDisk;
    use crate::metadata::Record;
    use crate::metadata::record::ConfigRecord;
    use crate::model::TimestampMs;

    /// What a listener asks for stops the start where it is not there. An authorizer has its place.
    #[test]
    fn no_door_is_opened_by_accident() {
        let start = |pairs: &[(&str, &str)]| {
            let overrides = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            let (config, _) = Config::load(&config::Layers { overrides, ..config::Layers::default() }).unwrap();
            open(Disks::one(Arc::new(SimulatedDisk::default())), fixed::environment(TimestampMs(0)), config, "c").err()
        };
        let plain = (
            "listener.name.plaintext.plain.sasl.jaas.config",
            "org.apache.kafka.common.security.plain.PlainLoginModule required;",
        );
        let sasl = [
            ("listener.security.protocol.map", "PLAINTEXT:SASL_PLAINTEXT"),
            ("sasl.enabled.mechanisms", "PLAIN"),
            plain,
        ];
        assert_eq!(start(&sasl), None);
        let store = [("ssl.keystore.type", "PEM"), ("ssl.keystore.location", "/k")];
        for protocol in ["PLAINTEXT:SSL", "PLAINTEXT:SASL_SSL"] {
            let said =
                start(&[&sasl[1..], &store[..], &[("listener.security.protocol.map", protocol)][..]].concat()).unwrap();
            assert_eq!(said, "listener PLAINTEXT: the key store /k cannot be read: entity not found");
        }
        let authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
        assert_eq!(start(&[("authorizer.class.name", authorizer)]), None);
        assert_eq!(start(&[]), None);
    }

    /// What a directory of Apache Kafka may ask for beside the configuration file.
    #[test]
    fn what_protects_in_the_metadata_stops_the_start() {
        let config = Config::defaults();
        let check = |record: Record<'_>| {
            let mut image = Image::default();
            assert_eq!(image.apply(&record, 0), None);
            check_dynamic(&config, &image)
        };
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
