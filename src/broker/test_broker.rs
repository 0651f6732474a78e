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
use super::{Broker, Halts, StartOptions};
use crate::config::Config;
use crate::http::{RestartError, Restarts, SnapshotSummary};
use crate::io::memory_disk::{DiskTrouble, MemoryDisk};
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
    halts: Halts,
}

/// Where everything is in memory. The disk and the snapshots together take no more than the limit.
struct Memory {
    limit_bytes: u64,
    disk: Arc<MemoryDisk>,
    snapshots: BTreeMap<String, Arc<MemoryDisk>>,
}

impl Memory {
    fn new(limit_bytes: u64, options: &StartOptions) -> Memory {
        Memory { limit_bytes, disk: Arc::new(new_disk(limit_bytes, options)), snapshots: BTreeMap::new() }
    }

    /// What the snapshots leave to a disk.
    fn left_bytes(&self) -> u64 {
        let kept: u64 = self.snapshots.values().map(|disk| disk.used_bytes()).sum();
        self.limit_bytes.saturating_sub(kept)
    }

    fn summaries(&self) -> impl Iterator<Item = SnapshotSummary> {
        let summary = |(name, disk): (&String, &Arc<MemoryDisk>)| SnapshotSummary {
            name: name.clone(),
            bytes: disk.used_bytes(),
        };
        self.snapshots.iter().map(summary)
    }

    /// Whether the disk may be kept under this name: each snapshot must find room for a copy of it beside all of them.
    fn check_snapshot(&self, name: &str) -> Result<(), RestartError> {
        if name.is_empty() || name.len() > MOST_NAME_BYTES {
            return Err(RestartError::Refused(format!("a snapshot has a name of up to {MOST_NAME_BYTES} bytes")));
        }
        let others: Vec<u64> = self.summaries().filter(|other| other.name != name).map(|other| other.bytes).collect();
        if others.len() >= MOST_SNAPSHOTS {
            return Err(RestartError::Refused(format!("there are {MOST_SNAPSHOTS} snapshots at most")));
        }
        let (bytes, kept) = (self.disk.used_bytes(), others.iter().sum::<u64>());
        let copied = others.into_iter().fold(bytes, u64::max);
        if kept + bytes + copied > self.limit_bytes {
            return Err(RestartError::Refused(format!(
                "it would take {bytes} bytes beside {kept} of other snapshots and {copied} of the broker that goes on with the \
                 largest of them: more than the {} bytes that --memory allows",
                self.limit_bytes
            )));
        }
        Ok(())
    }

    /// Keeps the disk under this name. A copy is in its place.
    fn keep(&mut self, name: &str, options: &StartOptions) {
        self.snapshots.insert(name.to_string(), self.disk.clone());
        self.disk = Arc::new(self.disk.copy(self.left_bytes(), options.environment.clone()));
    }

    /// Puts another disk in the place of the present one: a copy of a snapshot, or an empty one.
    fn replace(&mut self, snapshot: Option<&str>, options: &StartOptions) -> Result<(), RestartError> {
        let kept = |name: &str| self.snapshots.get(name).cloned().ok_or(RestartError::NoSuchSnapshot);
        let (kept, left_bytes) = (snapshot.map(kept).transpose()?, self.left_bytes());
        // What it has is gone before a copy takes as much.
        self.disk = Arc::new(new_disk(left_bytes, options));
        if let Some(kept) = kept {
            self.disk = Arc::new(kept.copy(left_bytes, options.environment.clone()));
        }
        Ok(())
    }

    fn forget(&mut self, name: &str) -> Result<(), RestartError> {
        self.snapshots.remove(name).ok_or(RestartError::NoSuchSnapshot)?;
        self.disk.set_limit(self.left_bytes());
        Ok(())
    }
}

impl TestBroker {
    /// Starts it. An error is a sentence for the user.
    pub(crate) fn start(
        storage: Storage,
        config: Config,
        beginning: Beginning,
        halts: Halts,
    ) -> Result<TestBroker, String> {
        let http = HttpSide::start(&config)?;
        let lent = http.as_ref().map(HttpSide::lent);
        let mut run = Run { broker: None, config, cluster_id: None, beginning, memory: None, http: lent, halts };
        let options = run.start_options();
        if let Storage::Memory { limit_bytes } = storage {
            run.memory = Some(Memory::new(limit_bytes, &options));
        }
        run.start(options)?;
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

    /// The first listener of each broker that it plays.
    pub fn bootstrap_servers(&self) -> impl Iterator<Item = SocketAddr> {
        let cast = self.run.lock().config.cast();
        cast.ids().filter_map(move |id| self.addresses.get(cast.listener_of(id, 0)?).copied())
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

fn new_disk(limit_bytes: u64, options: &StartOptions) -> MemoryDisk {
    MemoryDisk::new(limit_bytes, metadata_log::DIRECTORY, options.environment.clone())
}

impl Run {
    fn start_options(&self) -> StartOptions {
        let http = self.http.as_ref().map(HttpSide::lent);
        StartOptions { http, halts: self.halts, ..StartOptions::new(self.config.clone(), self.cluster_id.clone()) }
    }

    fn start(&mut self, options: StartOptions) -> Result<(), String> {
        let logs = self.memory.as_ref().map(|memory| memory.disk.clone() as _);
        self.broker = Some(StartOptions { logs, ..options }.start()?);
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

    /// Goes on with what is done to the memory while nothing is written there.
    fn restart(
        &mut self,
        change: impl FnOnce(&mut Memory, &StartOptions) -> Result<(), RestartError>,
    ) -> Result<(), RestartError> {
        let broker = self.broker.take().ok_or_else(|| RestartError::Failed("the broker has stopped".into()))?;
        // It stops in order, whatever a test has done to its disk.
        self.memory.iter().for_each(|memory| memory.disk.trouble().end());
        let stopped = broker.stop();
        let options = self.start_options();
        let next = stopped
            .map_err(RestartError::Failed)
            .and_then(|()| change(self.memory()?, &options))
            .and_then(|()| self.start(options).map_err(RestartError::Failed));
        if let Err(RestartError::Failed(reason)) = &next {
            error!("the broker could not be started again: {reason}");
            self.http.iter().for_each(HttpSide::give_up);
        }
        next
    }
}

impl Restarts for Mutex<Run> {
    fn reset(&self, snapshot: Option<&str>) -> Result<(), RestartError> {
        let mut run = self.lock();
        let memory = run.memory()?;
        if snapshot.is_some_and(|name| !memory.snapshots.contains_key(name)) {
            return Err(RestartError::NoSuchSnapshot);
        }
        info!("the broker is put back to {}", snapshot.map_or("its beginning".into(), |name| format!("{name:?}")));
        run.restart(|memory, options| memory.replace(snapshot, options))?;
        match snapshot {
            None => run.prepare().map_err(RestartError::Unprepared),
            Some(_) => Ok(()),
        }
    }

    fn snapshot(&self, name: &str) -> Result<SnapshotSummary, RestartError> {
        let mut run = self.lock();
        run.memory()?.check_snapshot(name)?;
        info!("a snapshot {name:?} is made");
        run.restart(|memory, options| {
            memory.keep(name, options);
            Ok(())
        })?;
        let made = run.memory()?.summaries().find(|summary| summary.name == name);
        made.ok_or(RestartError::NoSuchSnapshot)
    }

    fn snapshots(&self) -> Vec<SnapshotSummary> {
        self.lock().memory.iter().flat_map(Memory::summaries).collect()
    }

    fn forget(&self, name: &str) -> Result<(), RestartError> {
        self.lock().memory()?.forget(name)
    }

    fn disk(&self) -> Option<Arc<DiskTrouble>> {
        self.lock().memory.as_ref().map(|memory| memory.disk.trouble().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;
    use crate::io::disk::{Disk, Open};
    use std::io::IoSlice;
    use std::path::Path;

    const LIMIT: u64 = 100 << 10;

    fn options() -> StartOptions {
        let (config, _) = Config::load(&Layers::default()).expect("it is valid");
        StartOptions::new(config, None)
    }

    /// Makes a file of so many KiB the only one of the disk.
    fn write(memory: &Memory, kib: usize) -> std::io::Result<()> {
        let file = memory.disk.open(Path::new("/log"), Open::Create)?;
        file.set_size(0)?;
        file.write_at(&[IoSlice::new(&vec![7; kib << 10])], 0)
    }

    fn memory() -> Memory {
        let memory = Memory::new(LIMIT, &options());
        memory.disk.create_directories(Path::new("/")).unwrap();
        memory
    }

    #[test]
    fn the_broker_has_what_the_snapshots_leave() {
        let mut memory = memory();
        write(&memory, 32).unwrap();
        memory.check_snapshot("a").unwrap();
        memory.keep("a", &options());
        assert!(write(&memory, 69).is_err(), "68 KiB are left");
        write(&memory, 64).unwrap();
        memory.replace(None, &options()).unwrap();
        memory.disk.create_directories(Path::new("/")).unwrap();
        assert!(write(&memory, 69).is_err(), "an empty disk has no more");
        write(&memory, 64).unwrap();
        memory.replace(Some("a"), &options()).unwrap();
        assert_eq!(memory.disk.used_bytes(), 32 << 10);
        assert!(write(&memory, 69).is_err(), "a copy has no more");
        write(&memory, 64).unwrap();
        memory.forget("a").unwrap();
        write(&memory, 96).unwrap();
        assert!(memory.forget("a").is_err() && memory.replace(Some("a"), &options()).is_err());
    }

    #[test]
    fn each_snapshot_finds_room_for_its_copy() {
        let mut memory = memory();
        write(&memory, 32).unwrap();
        memory.keep("a", &options());
        write(&memory, 16).unwrap();
        memory.check_snapshot("b").unwrap();
        write(&memory, 64).unwrap();
        assert!(memory.check_snapshot("b").is_err(), "32, 64 and 64 KiB");
        write(&memory, 16).unwrap();
        memory.keep("b", &options());
        write(&memory, 32).unwrap();
        assert!(memory.check_snapshot("c").is_err(), "32, 16, 32 and 32 KiB");
        memory.check_snapshot("b").unwrap();
        for name in ["", &"x".repeat(MOST_NAME_BYTES + 1)] {
            assert!(memory.check_snapshot(name).is_err(), "{} bytes", name.len());
        }
    }
}
