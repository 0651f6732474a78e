//! A broker of a test, which can be put back to its beginning or to a snapshot.
//!
//! It is stopped and started again on other data in memory, at the same addresses, before the same HTTP side. A restart is the
//! one way back that leaves nothing behind: no group, no producer id, no rule, no clock that stands still. Its clients see what
//! they see when a broker restarts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use log::{error, info};
use serde_json::Value;

use super::first::{FirstTopic, FirstUser};
use super::http_side::HttpSide;
use super::{Broker, Ground};
use crate::config::Config;
use crate::http::{RestartError, Restarts, SnapshotSummary};
use crate::io::memory_disk::MemoryDisk;
use crate::model::SecurityProtocol;
use crate::quorum::metadata_log;
use crate::stdx::mutex::Mutex;

/// Snapshots of one broker at most. Together with what the broker has they take no more memory than it may.
const MOST_SNAPSHOTS: usize = 100;
/// Bytes of a snapshot's name.
const MOST_NAME_BYTES: usize = 200;

/// Where the log directories are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Storage {
    /// The machine's file system has them.
    Machine,
    /// They are gone with the broker.
    Memory { limit_bytes: u64 },
}

/// What is there when its first client comes.
#[derive(Clone, Default, Debug)]
pub struct Beginning {
    pub topics: Vec<FirstTopic>,
    pub users: Vec<FirstUser>,
    /// Rules by which it breaks, as `/v1/faults` takes them.
    pub faults: Vec<Value>,
}

/// A running broker of a test.
pub struct TestBroker {
    run: Arc<Mutex<Run>>,
    http: Option<HttpSide>,
    addresses: Vec<SocketAddr>,
    cluster_id: String,
    security_protocol: SecurityProtocol,
}

/// The broker between two restarts, and what the next one begins with.
struct Run {
    /// `None`: it has been stopped, or could not be started again.
    broker: Option<Broker>,
    config: Config,
    cluster_id: Option<String>,
    beginning: Beginning,
    memory: Option<Memory>,
    http: Option<HttpSide>,
}

/// Where everything is in memory.
struct Memory {
    limit_bytes: u64,
    disk: Arc<MemoryDisk>,
    snapshots: BTreeMap<String, Arc<MemoryDisk>>,
}

impl TestBroker {
    /// Starts it. An error is a sentence for the user.
    pub fn start(storage: Storage, config: Config, beginning: Beginning) -> Result<TestBroker, String> {
        let http = HttpSide::start(&config)?;
        let lent = http.as_ref().map(HttpSide::lent);
        let mut run = Run { broker: None, config, cluster_id: None, beginning, memory: None, http: lent };
        let ground = run.ground();
        if let Storage::Memory { limit_bytes } = storage {
            let disk = Arc::new(new_disk(limit_bytes, &ground));
            run.memory = Some(Memory { limit_bytes, disk, snapshots: BTreeMap::new() });
        }
        run.start_on(ground)?;
        let broker = run.broker.as_ref().expect("it was just started");
        let (addresses, cluster_id) = (broker.addresses().to_vec(), broker.cluster_id());
        // What was free when it started is its own from now on.
        for (listener, address) in run.config.listeners.iter_mut().zip(&addresses) {
            listener.port = address.port();
        }
        run.cluster_id = Some(cluster_id.clone());
        let security_protocol = run.config.listeners[0].security_protocol;
        if let Err(reason) = run.prepare() {
            let _ = run.stop();
            return Err(reason);
        }
        let run = Arc::new(Mutex::new(run));
        let restarts: Weak<Mutex<Run>> = Arc::downgrade(&run);
        http.iter().for_each(|http| http.set_restarts(restarts.clone()));
        Ok(TestBroker { run, http, addresses, cluster_id, security_protocol })
    }

    /// The addresses that it listens on, in the order of the listeners.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses of its HTTP side, in the order of `klamm.http.listeners`.
    pub fn http_addresses(&self) -> &[SocketAddr] {
        self.http.as_ref().map_or(&[], |http| &http.addresses)
    }

    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// That of its first listener.
    pub fn security_protocol(&self) -> SecurityProtocol {
        self.security_protocol
    }

    /// Writes what its shards have counted since the last restart into the log.
    pub fn log_metrics(&self) {
        self.run.lock().broker.iter().for_each(Broker::log_metrics);
    }

    /// Stops it, when a restart that is under way is over.
    pub fn stop(self) -> Result<(), String> {
        let stopped = self.run.lock().stop();
        let panicked = self.http.is_some_and(HttpSide::stop);
        if panicked { Err("the HTTP side has panicked".into()) } else { stopped }
    }
}

fn new_disk(limit_bytes: u64, ground: &Ground) -> MemoryDisk {
    MemoryDisk::new(limit_bytes, metadata_log::DIRECTORY, ground.environment.clone())
}

impl Run {
    fn ground(&self) -> Ground {
        let http = self.http.as_ref().map(HttpSide::lent);
        Ground { http, ..Ground::new(self.config.clone(), self.cluster_id.clone()) }
    }

    fn start_on(&mut self, ground: Ground) -> Result<(), String> {
        let logs = self.memory.as_ref().map(|memory| memory.disk.clone() as _);
        self.broker = Some(Ground { logs, ..ground }.start()?);
        Ok(())
    }

    fn prepare(&self) -> Result<(), String> {
        let Some(broker) = &self.broker else { return Ok(()) };
        broker.create_topics(&self.beginning.topics)?;
        broker.add_scram_users(&self.beginning.users)?;
        broker.add_faults(&self.beginning.faults)
    }

    fn stop(&mut self) -> Result<(), String> {
        self.broker.take().map_or(Ok(()), Broker::stop)
    }

    fn memory(&mut self) -> Result<&mut Memory, RestartError> {
        self.memory.as_mut().ok_or(RestartError::OnDisk)
    }

    /// Goes on with other data; what they are is asked when the old ones are not written any more.
    fn restart(
        &mut self,
        data: impl FnOnce(&mut Memory, &Ground) -> Result<MemoryDisk, RestartError>,
    ) -> Result<(), RestartError> {
        let broker = self.broker.take().ok_or_else(|| RestartError::Failed("the broker has stopped".into()))?;
        let stopped = broker.stop();
        let ground = self.ground();
        let next =
            stopped.map_err(RestartError::Failed).and_then(|()| data(self.memory()?, &ground)).and_then(|disk| {
                self.memory()?.disk = Arc::new(disk);
                self.start_on(ground).map_err(RestartError::Failed)
            });
        if let Err(RestartError::Failed(reason)) = &next {
            error!("the broker could not be started again: {reason}");
        }
        next
    }
}

impl Restarts for Mutex<Run> {
    fn reset(&self, snapshot: Option<&str>) -> Result<(), RestartError> {
        let mut run = self.lock();
        let memory = run.memory()?;
        let kept = match snapshot {
            None => None,
            Some(name) => Some(memory.snapshots.get(name).cloned().ok_or(RestartError::NoSuchSnapshot)?),
        };
        info!("the broker is put back to {}", snapshot.map_or("its beginning".into(), |name| format!("{name:?}")));
        match kept {
            Some(kept) => run.restart(|_, ground| Ok(kept.copy(ground.environment.clone()))),
            None => {
                run.restart(|memory, ground| Ok(new_disk(memory.limit_bytes, ground)))?;
                run.prepare().map_err(RestartError::Failed)
            }
        }
    }

    fn snapshot(&self, name: &str) -> Result<SnapshotSummary, RestartError> {
        if name.is_empty() || name.len() > MOST_NAME_BYTES {
            return Err(RestartError::Refused(format!("a snapshot has a name of up to {MOST_NAME_BYTES} bytes")));
        }
        let mut run = self.lock();
        let memory = run.memory()?;
        let others = memory.snapshots.iter().filter(|(other, _)| *other != name);
        let (count, others) = others.fold((0, 0), |(count, bytes), (_, disk)| (count + 1, bytes + disk.used_bytes()));
        if count >= MOST_SNAPSHOTS {
            return Err(RestartError::Refused(format!("there are {MOST_SNAPSHOTS} snapshots at most")));
        }
        let bytes = memory.disk.used_bytes();
        if others + 2 * bytes > memory.limit_bytes {
            return Err(RestartError::Refused(format!(
                "it would take {bytes} bytes beside as many of the broker and {others} of other snapshots: more than the \
                 {} bytes that --memory allows",
                memory.limit_bytes
            )));
        }
        info!("a snapshot {name:?} is made");
        run.restart(|memory, ground| {
            let copy = memory.disk.copy(ground.environment.clone());
            memory.snapshots.insert(name.to_string(), memory.disk.clone());
            Ok(copy)
        })?;
        let bytes = run.memory()?.snapshots.get(name).map_or(0, |disk| disk.used_bytes());
        Ok(SnapshotSummary { name: name.to_string(), bytes })
    }

    fn snapshots(&self) -> Vec<SnapshotSummary> {
        let run = self.lock();
        let all = run.memory.iter().flat_map(|memory| &memory.snapshots);
        all.map(|(name, disk)| SnapshotSummary { name: name.clone(), bytes: disk.used_bytes() }).collect()
    }

    fn forget(&self, name: &str) -> Result<(), RestartError> {
        let gone = self.lock().memory()?.snapshots.remove(name);
        gone.map(drop).ok_or(RestartError::NoSuchSnapshot)
    }
}
