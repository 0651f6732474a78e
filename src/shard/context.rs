//! What a handler may use: the broker's shared state as it stands at this turn, and the turn's own.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use crate::config::{Cast, Config};
use crate::controller::{self, Answered, ReplyTo};
use crate::coordinator::step::{self, Waiter};
use crate::coordinator_runtime::{Barrier, Coordinators, ProducerIds, TransactionCoordinators, keeper};
use crate::faults::Board;
use crate::hosting::doors::Doors;
use crate::hosting::kerberos::ServiceKeys;
use crate::hosting::token_keys::TokenKeys;
use crate::hosting::{cleaning, housekeeping};
use crate::io::environment::Environment;
use crate::metadata::Decided;
use crate::metrics::{Metrics, Recorder};
use crate::model::{ApiKey, ErrorCode, Instant, MAX_SHARDS, TimestampMs};
use crate::replica::partition::Partition;
use crate::replica::view::View;
use crate::replica::watch::ShardId;
use crate::security::authorizer::Authorizer;
use crate::security::quota::Kind;
use crate::shard::audit::Audit;
use crate::shard::balance::Balance;
use crate::shard::coordination::MarkerJob;
use crate::shard::dirty::Dirty;
use crate::shard::journal::Ring;
use crate::shard::limits::Admissions;
use crate::shard::login::Logins;
use crate::shard::mailbox::Mailbox;
use crate::shard::memory::RequestMemory;
use crate::shard::quotas::{Metered, Meters};
use crate::shard::session::{Route, Session};
use crate::stdx::inbox::Inbox;
use crate::stdx::slab::Key;
use crate::storage::directory::LogDirectory;

/// What other threads leave for a shard, beside progress and connections.
pub enum Note {
    /// What a parked request is told.
    Reply { parked: Key, news: News },
    /// The markers of a transaction are to be written.
    Markers(MarkerJob),
}

pub enum News {
    /// The metadata thread says what is committed, or why nothing is.
    Metadata(Result<Answered, ErrorCode>),
    /// A group's coordinator answers; the answer leaves when the barrier is passed.
    Group { reply: step::Reply, barrier: Barrier },
}

/// An address that clients are told, by the listener that they came in by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    pub listener: String,
    /// What the cluster's metadata has, and every client is told that has no address of its own ([`Shared::host_of`]).
    pub host: String,
    pub port: u16,
    /// Each client is told the address that it came to.
    pub is_by_connection: bool,
}

/// What all shards share. Nothing here is locked by a reader.
pub struct Shared {
    pub config: Config,
    pub view: Arc<ArcSwap<View>>,
    /// Not to be guessed from outside; the same in every run of a simulation.
    pub seed: u64,
    pub environment: Environment,
    pub logins: Logins,
    /// The log directories in the order of the configuration.
    pub directories: Arc<[LogDirectory]>,
    /// What clients are told, in the order of the listeners.
    pub endpoints: OnceLock<Vec<Endpoint>>,
    /// `None`: every client may do everything.
    pub authorizer: Option<Authorizer>,
    pub doors: Arc<Doors>,
    pub balance: Balance,
    pub memory: RequestMemory,
    /// What clients have used of their quotas.
    pub meters: Meters,
    /// The places of connections.
    pub admissions: Arc<Admissions>,
    pub metrics: Metrics,
    /// The rules of a test, where such may be (`klamm.faults`).
    pub faults: Option<Arc<Board>>,
    /// The last requests of each shard; empty where none are kept.
    pub journals: Vec<Arc<Ring>>,
    pub producer_ids: Arc<ProducerIds>,
    /// How many fetch sessions all shards have together.
    pub fetch_sessions: Arc<AtomicUsize>,
    /// One for each shard.
    mailboxes: Vec<Arc<Mailbox<Note>>>,
    threads: Threads,
}

/// Ways to the threads that do what may block.
pub struct Threads {
    pub controller: Inbox<controller::Task>,
    pub housekeeping: Inbox<housekeeping::Task>,
    /// What is left here is dropped where no log is compacted (`log.cleaner.enable`).
    pub cleaner: Inbox<cleaning::Task>,
    pub coordinators: Arc<Coordinators>,
    pub transactions: Arc<TransactionCoordinators>,
}

impl Shared {
    pub fn new(
        config: Config,
        view: Arc<ArcSwap<View>>,
        directories: Arc<[LogDirectory]>,
        environment: Environment,
        mailboxes: Vec<Arc<Mailbox<Note>>>,
        threads: Threads,
        producer_ids: Arc<ProducerIds>,
    ) -> Shared {
        assert!((1..=MAX_SHARDS).contains(&mailboxes.len()), "{} shards", mailboxes.len());
        let authorizer = config.authorizer.as_ref();
        let authorizer = authorizer.map(|a| Authorizer::new(&a.super_users, a.allow_everyone_if_no_acl_found));
        let meters = Meters::new(config.quota_windows, config.controller_quota_windows);
        let inter_broker = config.listeners.iter().position(|l| l.name == config.inter_broker_listener_name);
        let admissions = Admissions::new(meters.windows(), config.listeners.len(), inter_broker);
        Shared {
            view,
            seed: environment.seed(),
            environment,
            logins: Logins::new(&config, (&TokenKeys::default(), &ServiceKeys::default())),
            directories,
            endpoints: OnceLock::new(),
            authorizer,
            doors: Arc::default(),
            balance: Balance::new(mailboxes.len()),
            memory: RequestMemory::new(config.queued_max_request_bytes),
            meters,
            admissions: Arc::new(admissions),
            metrics: Metrics::new(mailboxes.len(), config.listeners.len(), ApiKey::ALL.len()),
            faults: config.has_faults.then(Arc::default),
            journals: mailboxes.iter().filter_map(|_| Ring::new(config.http.as_ref()).map(Arc::new)).collect(),
            producer_ids,
            fetch_sessions: Arc::default(),
            config,
            mailboxes,
            threads,
        }
    }

    /// Has each shard look at what it looks at before it sleeps.
    pub fn nudge_all(&self) {
        self.mailboxes.iter().for_each(|mailbox| mailbox.nudge());
    }

    /// Has each shard stop, when it has answered what is in flight.
    pub fn stop_shards(&self) {
        self.mailboxes.iter().for_each(|mailbox| mailbox.stop());
    }

    pub fn shards(&self) -> usize {
        self.mailboxes.len()
    }

    pub fn mailbox(&self, shard: ShardId) -> &Arc<Mailbox<Note>> {
        &self.mailboxes[shard.0 as usize]
    }

    /// Tells the shards that wait for a partition that it may have moved, but for the one that knows.
    pub fn tell_progress(&self, partition: &Partition, knows: Option<ShardId>) {
        for shard in partition.waiting.take().iter().filter(|shard| Some(*shard) != knows) {
            self.mailbox(shard).tell_progress(partition.number);
        }
    }

    /// The host that a client is told which came to this address, where its listener tells each client its own. `None` for an
    /// address that means another machine elsewhere (link-local: its zone is a number of this machine), and where the client
    /// came to another port than is told, by what the machine does to connections.
    pub fn host_of(&self, listener: usize, local: SocketAddr) -> Option<Arc<str>> {
        host_of(self.endpoint(listener)?, local)
    }

    /// The address that clients of a listener are told.
    pub fn endpoint(&self, listener: usize) -> Option<&Endpoint> {
        self.endpoints.get()?.get(listener)
    }

    pub fn coordinators(&self) -> &Arc<Coordinators> {
        &self.threads.coordinators
    }

    pub fn transactions(&self) -> &Arc<TransactionCoordinators> {
        &self.threads.transactions
    }

    pub fn send_to_controller(&self, task: controller::Task) {
        self.threads.controller.send(task);
    }

    pub fn send_to_housekeeping(&self, task: housekeeping::Task) {
        self.threads.housekeeping.send(task);
    }

    pub fn send_to_cleaner(&self, task: cleaning::Task) {
        self.threads.cleaner.send(task);
    }
}

fn host_of(endpoint: &Endpoint, local: SocketAddr) -> Option<Arc<str>> {
    if !endpoint.is_by_connection || endpoint.port != local.port() {
        return None;
    }
    // A socket of both families has IPv4 addresses as ::ffff:127.0.0.1.
    let address = local.ip().to_canonical();
    let is_link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    (!is_link_local && !address.is_unspecified()).then(|| address.to_string().into())
}

impl controller::Audience for Arc<Shared> {
    fn answer(&self, to: ReplyTo, answer: Result<Answered, ErrorCode>) {
        if let Ok(Answered::Change(Decided::ProducerIds(Ok(block)))) = &answer {
            self.producer_ids.add(block.clone());
        }
        let (parked, news) = (Key::from_u64(to.key), News::Metadata(answer));
        self.mailbox(ShardId(to.shard)).note(Note::Reply { parked, news });
    }

    fn tell_changed(&self, partitions: &BTreeSet<u64>) {
        // All shards, whether they have asked or not: one that has just looked at a partition of the old view asks for
        // what is never told there.
        for mailbox in self.mailboxes.iter().filter(|_| !partitions.is_empty()) {
            mailbox.tell_progress_of(partitions.iter().copied());
        }
        self.coordinators().send(keeper::Task::Look);
        self.transactions().send(keeper::Task::Look);
    }
}

/// What a shard works with in one turn.
pub struct Turn {
    pub shared: Arc<Shared>,
    /// As the whole process sees it; what clients see is [`Turn::context_at`].
    pub view: Arc<View>,
    /// As each of the brokers sees it that the process plays, where there are several.
    views: Vec<Arc<View>>,
    cast: Cast,
    pub shard: ShardId,
    pub now: Instant,
    pub wall: TimestampMs,
    pub dirty: Dirty,
    pub metrics: Recorder,
    pub audit: Audit,
    /// Transactions whose markers this shard is to write.
    pub marker_jobs: Vec<MarkerJob>,
}

impl Turn {
    pub fn new(shard: ShardId, shared: Arc<Shared>, now: Instant, wall: TimestampMs) -> Turn {
        let metrics = shared.metrics.recorder(shard.0.into());
        let (view, dirty, marker_jobs) = (shared.view.load_full(), Dirty::new(shard), Vec::new());
        let audit = Audit::new(now);
        let (cast, views) = (shared.config.cast(), Vec::new());
        let mut turn = Turn { view, views, cast, shared, shard, now, wall, dirty, metrics, audit, marker_jobs };
        turn.share_out();
        turn
    }

    /// Takes the newest view; whether it is another one.
    pub fn look(&mut self) -> bool {
        let view = self.shared.view.load_full();
        let is_new = !Arc::ptr_eq(&view, &self.view);
        if is_new {
            self.view = view;
            self.share_out();
        }
        is_new
    }

    fn share_out(&mut self) {
        if !self.cast.is_one() {
            self.views = self.cast.ids().map(|broker| Arc::new(self.view.as_seen_by(broker))).collect();
        }
    }

    /// The brokers that the process plays.
    pub fn cast(&self) -> Cast {
        self.cast
    }

    /// The next turn's time.
    pub fn begin(&mut self, now: Instant, wall: TimestampMs) {
        assert!(now >= self.now, "the clock of a driver never goes back");
        (self.now, self.wall) = (now, wall);
    }

    /// Nothing is left to be written or begun.
    pub fn is_done(&self) -> bool {
        self.dirty.is_empty() && self.marker_jobs.is_empty()
    }

    /// When a timer is due of the coordinators that the shard minds.
    pub fn next_coordinator_deadline(&self) -> Instant {
        let (shard, shards) = (self.shard, self.shared.shards());
        let groups = self.shared.coordinators().next_deadline(shard, shards);
        groups.min(self.shared.transactions().next_deadline(shard, shards))
    }

    /// What the broker's own work gets. `ticket` is the key under which a request will wait, if it has to.
    pub fn context(&mut self, ticket: Option<Key>) -> Context<'_> {
        self.context_at(None, ticket)
    }

    /// The same for a request that came in by a route: the broker at its end sees what is its own.
    pub fn context_at<'c>(&'c mut self, route: Option<&'c Route>, ticket: Option<Key>) -> Context<'c> {
        let first = self.cast.ids().start;
        let (broker, seen) =
            match route.filter(|_| !self.cast.is_one()).map(|route| self.cast.broker_of(route.listener)) {
                Some(broker) => (broker, self.views.get((broker - first) as usize)),
                None => (first, None),
            };
        Context {
            shared: &self.shared,
            route,
            broker,
            view: seen.unwrap_or(&self.view),
            whole: &self.view,
            shard: self.shard,
            now: self.now,
            wall: self.wall,
            dirty: &mut self.dirty,
            metrics: &self.metrics,
            audit: &self.audit,
            marker_jobs: &mut self.marker_jobs,
            ticket,
            answered: None,
        }
    }
}

/// What a handler may use: the shard's turn, and the place that is kept for the request.
pub struct Context<'a> {
    pub shared: &'a Arc<Shared>,
    /// How the client came in; `None`: it is the broker's own work, or its connection has gone.
    pub route: Option<&'a Route>,
    /// The broker that is asked.
    pub broker: i32,
    /// As that broker sees it.
    pub view: &'a Arc<View>,
    /// As the whole process sees it.
    pub whole: &'a Arc<View>,
    pub shard: ShardId,
    pub now: Instant,
    pub wall: TimestampMs,
    pub dirty: &'a mut Dirty,
    pub metrics: &'a Recorder,
    pub audit: &'a Audit,
    pub marker_jobs: &'a mut Vec<MarkerJob>,
    ticket: Option<Key>,
    /// What a coordinator has answered to this very request, in the step that the request asked for.
    answered: Option<(step::Reply, Barrier)>,
}

impl Context<'_> {
    /// What a client has used of its quota; `None` where it has none.
    pub fn meter(&self, kind: Kind, session: &Session, client_id: &str) -> Option<Metered> {
        let quotas = self.view.image.client_quotas();
        if quotas.is_empty() {
            return None;
        }
        session.meters.find(&self.shared.meters, quotas, kind, (session.principal.name(), client_id), self.now)
    }

    /// The key under which the request will wait, for others to answer to. A request that has given its ticket away, and
    /// whose giving did not fail, must wait.
    pub fn ticket(&self) -> Key {
        self.ticket.expect("a frame is handled with a ticket")
    }

    /// This request, for a coordinator that is to answer it.
    pub fn waiter(&self) -> Waiter {
        Waiter { shard: self.shard.0, key: self.ticket().to_u64() }
    }

    /// Gives a coordinator's answer to the request that waits for it, or is about to.
    pub(super) fn tell(&mut self, waiter: Waiter, reply: step::Reply, barrier: Barrier) {
        let (shard, parked) = (ShardId(waiter.shard), Key::from_u64(waiter.key));
        if shard == self.shard && self.ticket == Some(parked) {
            self.answered = Some((reply, barrier));
        } else {
            self.shared.mailbox(shard).note(Note::Reply { parked, news: News::Group { reply, barrier } });
        }
    }

    /// What a step of this request has already answered.
    pub fn take_answer(&mut self) -> Option<(step::Reply, Barrier)> {
        self.answered.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_as_clients_can_use_them() {
        let endpoint =
            |is_by_connection| Endpoint { listener: "L".into(), host: "h".into(), port: 9, is_by_connection };
        let told = |address: &str| host_of(&endpoint(true), SocketAddr::new(address.parse().unwrap(), 9));
        for (address, expected) in [
            ("127.0.0.2", Some("127.0.0.2")),
            ("::ffff:10.1.2.3", Some("10.1.2.3")),
            ("::1", Some("::1")),
            ("fe80::1", None),
            ("0.0.0.0", None),
        ] {
            assert_eq!(told(address).as_deref(), expected, "{address}");
        }
        assert_eq!(host_of(&endpoint(false), ([127, 0, 0, 1], 9).into()), None);
        assert_eq!(host_of(&endpoint(true), ([127, 0, 0, 1], 10).into()), None, "another port than is told");
    }
}
