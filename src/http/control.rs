//! What the HTTP side knows of its broker: how far it has come, and, once there is one, what its shards share.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwapOption;
use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::reply::{self, Reply};
use super::reset::Restarts;
use crate::config::{Config, HttpSettings};
use crate::coordinator_runtime::{Kind, Registry};
use crate::faults::Board;
use crate::io::settable_clock::SettableClock;
use crate::io::web;
use crate::model::ErrorCode;
use crate::replica::view::View;
use crate::shard::context::Shared;
use crate::stdx::mutex::Mutex;

/// How far a broker has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrokerStage {
    /// What it does first.
    Starts(&'static str),
    /// Its shards turn.
    Turns,
    Stops,
}

/// What a broker does first.
const OPENS: BrokerStage = BrokerStage::Starts("opens its log directories and replays the metadata log");

/// Work that blocks, and is done for one request at a time.
#[derive(Default)]
pub(super) struct OneAtATime(Arc<tokio::sync::Mutex<()>>);

impl OneAtATime {
    /// Does it when its turn has come. The turn ends with the work, also where the client has gone before.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let turn = self.0.clone().lock_owned().await;
        web::blocking(move || {
            let _turn = turn;
            work()
        })
        .await
    }
}

/// Requests that stay until something happens: waits, and those who follow requests. Fewer than connections, so that there is a
/// place left to ask whether the broker lives.
pub(super) const MOST_STAYING: usize = 192;

/// The broker as its HTTP side sees it.
pub struct Control {
    pub(super) settings: HttpSettings,
    pub(super) node_id: i32,
    stage: Mutex<BrokerStage>,
    /// Each broker here has a clock that can be set.
    pub(super) has_settable_clock: bool,
    clock: ArcSwapOption<SettableClock>,
    shared: ArcSwapOption<Shared>,
    restarts: OnceLock<Weak<dyn Restarts>>,
    /// Pages of metrics.
    pub(super) pages: OneAtATime,
    /// Looks into topics, logs or groups, of which each may hold some tens of megabytes.
    pub(super) looks: OneAtATime,
    /// Places of requests that stay.
    staying: Arc<Semaphore>,
}

impl Control {
    /// `None` for a broker without an HTTP side.
    pub fn new(config: &Config) -> Option<Control> {
        let settings = config.http.clone()?;
        Some(Control {
            settings,
            node_id: config.node_id,
            stage: Mutex::new(OPENS),
            has_settable_clock: config.has_settable_clock,
            clock: ArcSwapOption::empty(),
            shared: ArcSwapOption::empty(),
            restarts: OnceLock::new(),
            pages: OneAtATime::default(),
            looks: OneAtATime::default(),
            staying: Arc::new(Semaphore::new(MOST_STAYING)),
        })
    }

    /// A place for a request that stays, given back when it is dropped. To wait for one would hold the connection as well.
    pub(super) fn stay(&self) -> Result<OwnedSemaphorePermit, Box<Reply>> {
        self.staying.clone().try_acquire_owned().map_err(|_| {
            let sentence = format!("{MOST_STAYING} requests wait or follow already: wait for one of them to end");
            Box::new(reply::refuse(StatusCode::SERVICE_UNAVAILABLE, sentence))
        })
    }

    pub fn set_stage(&self, stage: BrokerStage) {
        *self.stage.lock() = stage;
    }

    /// A broker begins, with this clock where its clock can be set.
    pub fn begin(&self, clock: Option<Arc<SettableClock>>) {
        self.clock.store(clock);
        self.set_stage(OPENS);
    }

    /// The shards have something that they share.
    pub fn share(&self, shared: &Arc<Shared>) {
        let before = self.shared.swap(Some(shared.clone()));
        assert!(before.is_none(), "a broker is put together once");
    }

    /// The broker has ended; another may begin.
    pub fn forget(&self) {
        self.clock.store(None);
        self.shared.store(None);
    }

    pub(super) fn shared(&self) -> Option<Arc<Shared>> {
        self.shared.load_full()
    }

    /// Whether that is what the shards of the broker share that is there now.
    pub(super) fn is_current(&self, shared: &Arc<Shared>) -> bool {
        self.shared.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, shared))
    }

    /// What the shards share, once there is something; else the answer that says why there is not.
    pub(super) fn ready(&self) -> Result<Arc<Shared>, Box<Reply>> {
        self.shared()
            .ok_or_else(|| Box::new(reply::refuse(StatusCode::SERVICE_UNAVAILABLE, self.why_nothing_is_shared())))
    }

    /// The same of a broker of a test, with its rules.
    pub(super) fn of_a_test(&self) -> Result<(Arc<Shared>, Arc<Board>), Box<Reply>> {
        let shared = self.ready()?;
        match shared.faults.clone() {
            Some(board) => Ok((shared, board)),
            None => Err(Box::new(reply::refuse(
                StatusCode::CONFLICT,
                "only a broker of a test does this: klamm.faults=true",
            ))),
        }
    }

    /// Why there was nothing that shards share.
    pub(super) fn why_nothing_is_shared(&self) -> String {
        self.why_not_ready().unwrap_or_else(|| "the broker was not there yet".into())
    }

    /// The broker's clock, where that can be set.
    pub(super) fn clock(&self) -> Option<Arc<SettableClock>> {
        self.clock.load_full()
    }

    /// Who can restart the broker on other data.
    pub fn set_restarts(&self, restarts: Weak<dyn Restarts>) {
        assert!(self.restarts.set(restarts).is_ok(), "a broker of a test is put together once");
    }

    pub(super) fn restarts(&self) -> Option<Arc<dyn Restarts>> {
        self.restarts.get()?.upgrade()
    }

    /// Why the broker should not be sent requests, as a sentence; `None` if it should.
    pub(super) fn why_not_ready(&self) -> Option<String> {
        match *self.stage.lock() {
            BrokerStage::Starts(what) => return Some(format!("the broker starts: it {what}")),
            BrokerStage::Stops => return Some("the broker stops".into()),
            BrokerStage::Turns => {}
        }
        let Some(shared) = self.shared() else { return Some("the broker ends".into()) };
        let turns = shared.metrics.turns();
        if let Some(shard) = turns.iter().position(|turns| *turns == 0) {
            return Some(format!("the broker starts: shard {shard} has not begun to turn"));
        }
        let view = shared.view.load_full();
        if let Some(broken) = shared.directories.iter().find(|directory| directory.health().is_offline()) {
            return Some(format!("the log directory {} is offline", broken.path().display()));
        }
        loading(shared.coordinators(), &view).or_else(|| loading(shared.transactions(), &view))
    }

    /// Whether a request may be addressed to a host, as it stands in its URL without port and brackets.
    pub(super) fn is_own_host(&self, host: &str, local: Option<IpAddr>) -> bool {
        let is_named = |named: &str| named.eq_ignore_ascii_case(host);
        let is_local = |address: IpAddr| local.is_some_and(|local| local.to_canonical() == address.to_canonical());
        crate::config::is_loopback(host)
            || host.parse().is_ok_and(is_local)
            || self.settings.listeners.iter().any(|listener| is_named(&listener.host))
            || self.settings.hosts.iter().any(|name| is_named(name))
    }
}

/// Which coordinator still reads its log.
fn loading<M: Kind>(coordinators: &Registry<M>, view: &View) -> Option<String> {
    let reads = |error| error == ErrorCode::CoordinatorLoadInProgress;
    let found = coordinators.all(view).into_iter().flatten().find(|c| c.look(|_| ()).is_err_and(reads))?;
    Some(format!("the {} of {}-{} reads its log", M::NAME, M::TOPIC, found.partition.index))
}
