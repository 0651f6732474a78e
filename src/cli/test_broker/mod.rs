//! `klamm test`: a broker for one test run. It says on one line when it is ready and where, and ends with those who use it.
//!
//! Its settings, the last that names a key wins: Kafka's defaults, the profile (`broker::test_profile`), what follows from its
//! own arguments, `--override`. The environment is not read: what stands beside a test is often the configuration of the
//! application that is tested, in variables that begin with `KAFKA_`.
//!
//! Standard output is the line's alone. Log lines go to standard error.

pub(crate) mod arguments;
mod certificates;

use std::ffi::c_int;
use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ::log::info;
use serde_json::{Map, Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::broker::Halts;
use crate::broker::first::FirstUser;
use crate::broker::test_broker::{Beginning, Storage, TestBroker};
use crate::broker::test_profile::{Deviation, PROFILE};
use crate::cli::log::{self, Stream};
use crate::config::{Config, Layers, definitions};
use crate::io::lifeline::Lifeline;
use crate::model::SecurityProtocol;
use crate::security::throw_away::Issued;
use arguments::TestArguments;

/// What the directory of logs is called that is nowhere but in memory.
const IN_MEMORY: &str = "/memory";
/// Replicas of a partition, where there are as many brokers: a leader that goes down has followers.
const MOST_REPLICAS: usize = 3;
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

type Pairs = Vec<(String, String)>;

pub(super) fn run(arguments: TestArguments) -> Result<(), String> {
    let lifeline = (!arguments.stay).then(Lifeline::take);
    if arguments.explain {
        // A reader that wants no more of it is no failure.
        let _ = std::io::stdout().lock().write_all(explanation(&arguments).as_bytes());
        return Ok(());
    }
    log::start(Stream::Errors, None);
    // In front of anything that is left behind.
    let watched = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1]);
    let mut signals = watched.map_err(|error| format!("cannot watch for signals: {error}"))?;
    // What stays outlives its terminal, too.
    let ends: &[c_int] = if arguments.stay { &[SIGTERM, SIGINT] } else { &[SIGTERM, SIGINT, SIGHUP] };
    let make = |path: &Option<PathBuf>| path.as_deref().map(MadeDirectory::make).transpose();
    let _made = [make(&arguments.directory)?, make(&arguments.tls)?];
    let issued = arguments.tls.as_deref().map(certificates::write).transpose()?;
    let broker = start(&arguments, issued.as_ref(), Halts::Process)?;
    let served = tell(&Ready::of(&broker, &arguments)).map(|()| {
        if let Some(lifeline) = lifeline {
            end_with(lifeline);
        }
        super::wait_for_end(&mut signals, ends, || broker.log_metrics());
    });
    let stopped = broker.stop();
    served.and(stopped)
}

/// Starts what the arguments ask for.
pub(crate) fn start(arguments: &TestArguments, issued: Option<&Issued>, halts: Halts) -> Result<TestBroker, String> {
    let config = config(arguments, issued)?;
    let storage = match arguments.directory {
        Some(_) => Storage::Machine,
        None => Storage::Memory { limit_bytes: arguments.memory_bytes },
    };
    let beginning = Beginning {
        topics: arguments.topics.clone(),
        users: arguments.users.clone(),
        faults: arguments.faults.clone(),
    };
    TestBroker::start(storage, config, beginning, halts)
}

/// Lets this process end as by a signal when what it lives by is gone.
fn end_with(lifeline: Lifeline) {
    let watched = lifeline.watch(|gone| {
        info!("stopping: {gone}");
        // Where no signal can be sent there is none to be waited for either.
        let _ = signal_hook::low_level::raise(SIGTERM);
    });
    if let Err(error) = watched {
        ::log::warn!("it will not end by itself: {error}");
    }
}

/// A directory that was not there, removed with all that is in it.
struct MadeDirectory(Option<PathBuf>);

impl MadeDirectory {
    /// Makes it, unless it is there. Where two processes try, the system tells one of them that it is there.
    fn make(path: &Path) -> Result<MadeDirectory, String> {
        let parents = path.parent().map_or(Ok(()), fs::create_dir_all);
        match parents.and_then(|()| fs::create_dir(path)) {
            Ok(()) => Ok(MadeDirectory(Some(path.to_path_buf()))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(MadeDirectory(None)),
            Err(error) => Err(format!("cannot make {}: {error}", path.display())),
        }
    }
}

impl Drop for MadeDirectory {
    fn drop(&mut self) {
        let Some(path) = &self.0 else { return };
        match fs::remove_dir_all(path) {
            // With another that it was in.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => ::log::warn!("{} stays: {error}", path.display()),
            Ok(()) => {}
        }
    }
}

/// The configuration; says what is worth saying about it.
fn config(arguments: &TestArguments, issued: Option<&Issued>) -> Result<Config, String> {
    let profile = PROFILE.iter().map(|d| (d.key.to_string(), d.value.to_string()));
    let file = profile.chain(of_arguments(arguments)).chain(issued.map(of_certificates).unwrap_or_default()).collect();
    let overrides = arguments.overrides.clone();
    let mut config = super::resolve(&super::completed(Layers { file, overrides, ..Layers::default() })?)?;
    config.play(arguments.brokers);
    Ok(config)
}

fn protocol(arguments: &TestArguments) -> SecurityProtocol {
    match (arguments.users.is_empty(), arguments.tls.is_none()) {
        (true, true) => SecurityProtocol::Plaintext,
        (true, false) => SecurityProtocol::Ssl,
        (false, true) => SecurityProtocol::SaslPlaintext,
        (false, false) => SecurityProtocol::SaslSsl,
    }
}

/// The settings that follow from the arguments, but for those that are secret.
fn of_arguments(arguments: &TestArguments) -> Pairs {
    let name = protocol(arguments).name();
    let directory = arguments.directory.as_ref().map_or(IN_MEMORY.into(), |path| path.display().to_string());
    let mut pairs = vec![
        ("listeners".to_string(), format!("{name}://127.0.0.1:{}", arguments.port)),
        ("inter.broker.listener.name".to_string(), name.to_string()),
        ("log.dirs".to_string(), directory),
    ];
    if arguments.brokers > 1 {
        let replicas = MOST_REPLICAS.min(arguments.brokers).to_string();
        for key in ["default", "offsets.topic", "transaction.state.log"] {
            pairs.push((format!("{key}.replication.factor"), replicas.clone()));
        }
        // So that each broker coordinates something.
        for key in ["offsets.topic", "transaction.state.log"] {
            pairs.push((format!("{key}.num.partitions"), arguments.brokers.to_string()));
        }
    }
    if let Some(version) = &arguments.as_version {
        pairs.push(("klamm.as.version".into(), version.clone()));
    }
    if !arguments.users.is_empty() {
        let listener = name.to_lowercase();
        pairs.push(("sasl.enabled.mechanisms".into(), MECHANISMS.join(",")));
        pairs.push(("sasl.mechanism.inter.broker.protocol".into(), "PLAIN".into()));
        pairs.push((format!("listener.name.{listener}.plain.sasl.jaas.config"), plain(&arguments.users)));
        for mechanism in ["scram-sha-256", "scram-sha-512"] {
            let module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
            pairs.push((format!("listener.name.{listener}.{mechanism}.sasl.jaas.config"), module.into()));
        }
    }
    if arguments.tls.is_some() {
        pairs.push(("ssl.keystore.type".into(), "PEM".into()));
        pairs.push(("ssl.truststore.type".into(), "PEM".into()));
        pairs.push((format!("listener.name.{}.ssl.client.auth", name.to_lowercase()), "requested".into()));
    }
    pairs
}

/// The users of PLAIN as a login module has them.
fn plain(users: &[FirstUser]) -> String {
    let mut text = "org.apache.kafka.common.security.plain.PlainLoginModule required".to_string();
    for user in users {
        let password = String::from_utf8_lossy(user.password.expose()).replace('\\', "\\\\").replace('"', "\\\"");
        text += &format!(" user_{}=\"{password}\"", user.name);
    }
    text + ";"
}

fn of_certificates(issued: &Issued) -> Pairs {
    let key = String::from_utf8_lossy(issued.server.key_pem.expose()).into_owned();
    vec![
        ("ssl.keystore.key".into(), key),
        ("ssl.keystore.certificate.chain".into(), issued.server.chain_pem.clone()),
        ("ssl.truststore.certificates".into(), issued.authority.pem.clone()),
    ]
}

/// How the broker differs from one of Apache Kafka with its defaults.
fn explanation(arguments: &TestArguments) -> String {
    let mut shown = String::new();
    let mut row = |key: &str, value: &str, reason: &str| {
        let definition = definitions::broker(key);
        let (value, default) = match definition {
            Some(definition) => (definition.shown(value), definition.default.unwrap_or("not set")),
            // A key of one listener, with a password in it.
            None => ("[hidden]", "not set"),
        };
        shown += &format!("{key}={value}\n    instead of {default}: {reason}\n");
    };
    let is_overridden = |key: &str| arguments.overrides.iter().any(|(other, _)| other == key);
    for Deviation { key, value, reason } in PROFILE.iter().filter(|deviation| !is_overridden(deviation.key)) {
        row(key, value, reason);
    }
    for (key, value) in of_arguments(arguments).iter().filter(|(key, _)| !is_overridden(key)) {
        row(key, value, "what the arguments ask for");
    }
    for (key, value) in &arguments.overrides {
        row(key, value, "--override");
    }
    shown
}

/// What the line says that tells of the start. What does not apply is not in it.
struct Ready<'a> {
    /// The first listener of each broker.
    bootstrap_servers: Vec<SocketAddr>,
    cluster_id: String,
    security_protocol: SecurityProtocol,
    /// The users' names, where clients must log in.
    users: Vec<&'a str>,
    /// Where the certificates are.
    tls: Option<&'a Path>,
    /// The address of the HTTP side, unless a setting has switched it off.
    http: Option<String>,
}

impl<'a> Ready<'a> {
    fn of(broker: &TestBroker, arguments: &'a TestArguments) -> Ready<'a> {
        Ready {
            bootstrap_servers: broker.bootstrap_servers().map(reachable).collect(),
            cluster_id: broker.cluster_id().to_string(),
            security_protocol: broker.security_protocol(),
            users: arguments.users.iter().map(|user| user.name.as_str()).collect(),
            tls: arguments.tls.as_deref(),
            http: broker.http_addresses().first().map(|address| format!("http://{}", reachable(*address))),
        }
    }

    fn to_json(&self) -> Value {
        let mut line = Map::new();
        let servers: Vec<_> = self.bootstrap_servers.iter().map(SocketAddr::to_string).collect();
        line.insert("bootstrap_servers".into(), json!(servers.join(",")));
        line.insert("cluster_id".into(), json!(self.cluster_id));
        line.insert("pid".into(), json!(std::process::id()));
        line.insert("security_protocol".into(), json!(self.security_protocol.name()));
        if let Some(http) = &self.http {
            line.insert("http".into(), json!(http));
        }
        if !self.users.is_empty() {
            line.insert("sasl_mechanisms".into(), json!(MECHANISMS));
            line.insert("users".into(), json!(self.users));
        }
        if let Some(directory) = self.tls {
            let files = certificates::named(directory).into_iter();
            let mut tls: Map<_, _> =
                files.map(|(key, path)| (key.to_string(), json!(path.display().to_string()))).collect();
            tls.insert("password".into(), json!(certificates::PASSWORD));
            line.insert("tls".into(), tls.into());
        }
        line.into()
    }
}

/// An address by which this machine reaches what listens there.
pub(crate) fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

fn tell(ready: &Ready<'_>) -> Result<(), String> {
    let line = format!("{}\n", ready.to_json());
    let mut out = std::io::stdout().lock();
    let written = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| format!("cannot say that it is ready: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::secret::Secret;
    use std::sync::Barrier;
    use std::thread;

    #[test]
    fn users_of_plain_are_written_as_a_module_that_is_read_back() {
        let password = "a\\b\"; c";
        let users = [FirstUser { name: "alice".into(), password: Secret::new(password) }];
        let module = crate::config::jaas::of_setting(&plain(&users)).unwrap();
        assert_eq!(module.options["user_alice"], Secret::new(password));
    }

    #[test]
    fn every_protocol_makes_a_valid_configuration() {
        let directory = tempfile::tempdir().unwrap();
        let user = FirstUser { name: "alice".into(), password: Secret::new("secret") };
        for (users, tls) in [(vec![], false), (vec![], true), (vec![user.clone()], false), (vec![user], true)] {
            let tls = tls.then(|| directory.path().to_path_buf());
            let issued = tls.as_deref().map(certificates::write).transpose().unwrap();
            let arguments = TestArguments { users, tls, as_version: Some("3.9".into()), ..TestArguments::default() };
            let config = config(&arguments, issued.as_ref()).unwrap();
            assert_eq!(config.listeners[0].security_protocol, protocol(&arguments));
            assert_eq!(config.log_dirs, [IN_MEMORY]);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), certificates::named(directory.path()).len());
    }

    #[test]
    fn a_directory_is_removed_only_by_whom_it_was_made() {
        let home = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| home.path().join(name));
        fs::create_dir(&old).unwrap();
        let made = [&old, &new].map(|path| MadeDirectory::make(path).unwrap());
        assert!(new.exists());
        drop(made);
        assert!(old.exists() && !new.exists());
        fs::write(&new, "a file").unwrap();
        assert!(MadeDirectory::make(&new).is_err() && MadeDirectory::make(&new.join("below")).is_err());
    }

    #[test]
    fn of_two_that_make_a_directory_one_removes_it() {
        let home = tempfile::tempdir().unwrap();
        for round in 0..100 {
            let path = home.path().join(format!("{round}/parent/made"));
            let together = Barrier::new(2);
            let make = || {
                together.wait();
                MadeDirectory::make(&path).unwrap()
            };
            let made = thread::scope(|scope| [(); 2].map(|()| scope.spawn(make)).map(|made| made.join().unwrap()));
            assert_eq!(made.iter().filter(|made| made.0.is_some()).count(), 1, "round {round}");
        }
    }

    /// What a file of settings may say is heard of an override, too.
    #[test]
    fn overrides_are_resolved_as_those_of_any_broker() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("of"), "topics=7\n").unwrap();
        let value = format!("${{file:{}:topics}}", home.path().join("of").display());
        let provider = "org.apache.kafka.common.config.provider.FileConfigProvider";
        let pairs = [
            ("config.providers", "file"),
            ("config.providers.file.class", provider),
            ("num.partitions", &value),
            ("klamm.log.format", "json"),
        ];
        let overrides = pairs.map(|(key, value)| (key.to_string(), value.to_string())).to_vec();
        let config = config(&TestArguments { overrides, ..TestArguments::default() }, None).unwrap();
        assert_eq!((config.num_partitions, config.log_is_json), (7, true));
        log::set_json(false);
    }
}
