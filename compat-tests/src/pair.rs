//! Apache Kafka and the broker under test side by side, started once for all scripts of a suite that compares their answers.

use crate::broker::{self, Broker, Log, Peer, Setup};
use crate::{Result, suite};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

/// Both brokers, the reference first.
pub struct Pair {
    pub places: [Place; 2],
    end: Sender<PathBuf>,
    /// A process dies with the thread that started it; this one lives for both.
    keeper: JoinHandle<Result<()>>,
}

/// Where a broker is.
#[derive(Clone)]
pub struct Place {
    pub port: u16,
    pub data: PathBuf,
    pub began_ms: i64,
    pub peer: Peer,
    pub log: Log,
}

impl Pair {
    pub fn start(settings: &'static [(&'static str, &'static str)]) -> Result<Pair> {
        Pair::start_each([Setup::kafka().with(settings), subject().with(settings)])
    }

    /// The same with settings of each one's own.
    pub fn start_each(setups: [Setup; 2]) -> Result<Pair> {
        let (started, places) = channel();
        let (end, wanted) = channel();
        let keeper = thread::spawn(move || keep_brokers(&setups, &started, &wanted));
        match places.recv() {
            Ok(places) => Ok(Pair { places, end, keeper }),
            Err(_) => Err(keeper.join().expect("no panic").expect_err("no broker and no reason")),
        }
    }
}

/// The broker under test.
pub fn subject() -> Setup {
    match broker::peer() {
        Peer::Klamm => Setup::klamm(suite::default_io(), 2),
        Peer::Kafka => Setup::kafka(),
    }
}

/// Starts both, says where they are, and stops them when the place for what the subject wrote is named.
fn keep_brokers(setups: &[Setup; 2], started: &Sender<[Place; 2]>, end: &Receiver<PathBuf>) -> Result<()> {
    let [reference, subject] = setups;
    let subject = Broker::start(subject)?;
    let reference = Broker::start(reference)?;
    let began_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let place = |broker: &Broker| Place {
        port: broker.port(),
        data: broker.data(),
        began_ms,
        peer: broker.setup().peer,
        log: broker.log(),
    };
    started.send([place(&reference), place(&subject)])?;
    if let Ok(keep) = end.recv() {
        subject.finish(Some(&keep))?;
        reference.finish(None)?;
    }
    Ok(())
}

/// Where the brokers are that all tests of a suite share; the first one that asks starts them.
pub fn places(pair: &Mutex<Option<Pair>>, settings: &'static [(&'static str, &'static str)]) -> Result<[Place; 2]> {
    let mut pair = pair.lock().expect("no panic");
    if pair.is_none() {
        *pair = Some(Pair::start(settings)?);
    }
    Ok(pair.as_ref().expect("started").places.clone())
}

/// Stops both, if any test has started them; what the subject wrote goes to `keep`.
pub fn finish(pair: &Mutex<Option<Pair>>, keep: &Path) -> Result<()> {
    let Some(pair) = pair.lock().expect("no panic").take() else { return Ok(()) };
    pair.end.send(keep.to_path_buf())?;
    pair.keeper.join().expect("no panic")
}
