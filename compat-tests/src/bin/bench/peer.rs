//! The brokers that are measured, each started as its own users start it.

use crate::doors::{Door, Doors, LISTENERS};
use crate::drive::Key;
use compat_tests::broker::{Broker, Setup, signal};
use compat_tests::http::Http;
use compat_tests::port::Port;
use compat_tests::raw::Raw;
use compat_tests::{Context, Result, bail, program};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const STARTS_WITHIN: Duration = Duration::from_secs(30);
const WHAT_KAFKA_NEEDS: &[(&str, &str)] = &[
    // While it is stopped it sends its controller no heartbeats, and would be fenced as soon as it goes on.
    ("broker.session.timeout.ms", "3600000"),
    // Of 256 clients that come at once, those that find no place among its 50 are reset where it has one processor only.
    ("socket.listen.backlog.size", "1024"),
];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    Klamm,
    Kafka,
    /// The wheel has its memory engine only: what it stores is gone with it, and none of its figures includes a file.
    Tansu,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Klamm, Kind::Kafka, Kind::Tansu];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Klamm => "Klamm",
            Kind::Kafka => "Apache Kafka",
            Kind::Tansu => "Tansu (memory)",
        }
    }
}

/// A running broker.
pub enum Peer {
    Ours(Box<Broker>, Option<Doors>),
    Tansu(Tansu),
}

pub struct Tansu {
    child: Child,
    port: u16,
    _reserved: Port,
    _directory: tempfile::TempDir,
}

impl Peer {
    /// On these processors, or on all.
    pub fn start(kind: Kind, processors: &[usize], overrides: &[(&str, &str)]) -> Result<Peer> {
        Peer::start_with_doors(kind, processors, overrides, None)
    }

    /// With listeners that ask for TLS and logins beside the plain one.
    pub fn start_with_doors(
        kind: Kind,
        processors: &[usize],
        overrides: &[(&str, &str)],
        doors: Option<Doors>,
    ) -> Result<Peer> {
        let shards = if processors.is_empty() { std::thread::available_parallelism()?.get() } else { processors.len() };
        let setup = match kind {
            Kind::Klamm => Setup::klamm("auto", shards as u32),
            Kind::Kafka => Setup::kafka().with(WHAT_KAFKA_NEEDS),
            Kind::Tansu => return Ok(Peer::Tansu(Tansu::start(processors)?)),
        };
        let setup = setup.with(overrides).on(processors);
        let setup = match &doors {
            None => setup,
            Some(doors) => setup.with(&doors.settings()).listening(&LISTENERS),
        };
        Ok(Peer::Ours(Box::new(Broker::start(&setup)?), doors))
    }

    /// Klamm, of a binary other than that of the others where it is named.
    pub fn start_klamm(binary: Option<&Path>, overrides: &[(&str, &str)]) -> Result<Peer> {
        let shards = std::thread::available_parallelism()?.get();
        let setup =
            Setup { binary: binary.map(Path::to_path_buf), ..Setup::klamm("auto", shards as u32).with(overrides) };
        Ok(Peer::Ours(Box::new(Broker::start(&setup)?), None))
    }

    /// Its HTTP side, if it has one.
    pub fn http(&self) -> Result<Http> {
        let Peer::Ours(broker, _) = self else { bail!("it has no HTTP side") };
        Http::of(broker)
    }

    pub fn port(&self) -> u16 {
        match self {
            Peer::Ours(broker, _) => broker.port(),
            Peer::Tansu(tansu) => tansu.port,
        }
    }

    /// How a client comes in by a door other than the plain one.
    pub fn key(&self, door: Door) -> Result<Option<Key>> {
        match (door, self) {
            (Door::Plain, _) => Ok(None),
            (_, Peer::Ours(broker, Some(doors))) => Ok(doors.key(door, broker)),
            _ => bail!("the broker has no such listener"),
        }
    }

    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    pub fn pid(&self) -> u32 {
        match self {
            Peer::Ours(broker, _) => broker.pid(),
            Peer::Tansu(tansu) => tansu.child.id(),
        }
    }

    /// Where its segments are, if it has files.
    pub fn data(&self) -> Option<PathBuf> {
        match self {
            Peer::Ours(broker, _) => Some(broker.data()),
            Peer::Tansu(_) => None,
        }
    }

    /// Stops it and starts it on the same directory; how long the start took, up to its first answer.
    pub fn restart(&mut self) -> Result<Duration> {
        let Peer::Ours(broker, _) = self else { bail!("what it had is in its memory") };
        broker.stop_patiently()?;
        let began = Instant::now();
        broker.restart()?;
        Raw::connect(broker.port())?.api_versions()?;
        Ok(began.elapsed())
    }

    /// Until `go_on` it uses no processor: another broker is being measured.
    pub fn pause(&self) {
        signal(self.pid(), libc::SIGSTOP);
    }

    pub fn go_on(&self) {
        signal(self.pid(), libc::SIGCONT);
    }

    pub fn finish(self) -> Result<()> {
        self.go_on();
        match self {
            Peer::Ours(broker, _) => broker.finish(None),
            Peer::Tansu(_) => Ok(()),
        }
    }
}

impl Tansu {
    fn start(processors: &[usize]) -> Result<Tansu> {
        let binary = std::env::var_os("KLAMM_TANSU").context("KLAMM_TANSU does not name Tansu's binary")?;
        let directory = tempfile::Builder::new().prefix("klamm-bench-").tempdir()?;
        let reserved = Port::reserve()?;
        let port = reserved.number();
        let url = format!("tcp://127.0.0.1:{port}");
        let mut command = Command::new(binary);
        command.args(["broker", "--storage-engine", "memory://tansu/", "--listener-url", &url]);
        command.args(["--advertised-listener-url", &url, "--silent"]).current_dir(directory.path());
        let log = File::create(directory.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).env_clear();
        program::die_with_us(&mut command);
        program::hold_to(&mut command, processors);
        let child = command.spawn().context("cannot start Tansu")?;
        let mut tansu = Tansu { child, port, _reserved: reserved, _directory: directory };
        let until = Instant::now() + STARTS_WITHIN;
        while Raw::connect(port).and_then(|mut raw| raw.api_versions()).is_err() {
            if tansu.child.try_wait()?.is_some() || Instant::now() > until {
                bail!("Tansu does not serve");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(tansu)
    }
}

impl Drop for Tansu {
    fn drop(&mut self) {
        signal(self.child.id(), libc::SIGKILL);
        let _ = self.child.wait();
    }
}
