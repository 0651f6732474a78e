//! The start: command line, configuration, log lines; then the broker runs until it is told to stop.
//!
//! Everything that a user reads before the first request is written here. The only place that reads the environment
//! and the configuration file.

mod add_scram;
mod args;
mod client;
mod commands;
mod completions;
mod doctor;
mod explore;
mod help;
mod image_secrets;
mod log;
mod man;
mod printable;
mod provided;
mod tap;
pub(crate) mod test_broker;
mod tool;

use crate::broker::{self, Broker};
use crate::config::{self, Config, Layers, properties};
use crate::io::notify::NotifySocket;
use crate::io::{random, threads};
use crate::metadata::Record;
use crate::model::Uuid;
use crate::stdx::secret::Secret;
use ::log::{info, warn};
use args::{Command, Sources};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::ffi::c_int;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// A `server.properties` has a few kilobytes; what is larger than this is another kind of file.
const MAX_FILE_SIZE_BYTES: u64 = 16 << 20;

/// Runs the command that this process was started with.
pub fn run() -> ExitCode {
    match args::parse(std::env::args_os()).and_then(execute) {
        Ok(code) => code,
        Err(sentence) => {
            eprintln!("klamm: {}", printable::printable(&sentence));
            // The code 1 of `explore` says that something was found.
            let explores = std::env::args_os().nth(1).is_some_and(|command| command == "explore");
            if explores { ExitCode::from(explore::NOT_EXPLORED) } else { ExitCode::FAILURE }
        }
    }
}

fn execute(command: Command) -> Result<ExitCode, String> {
    match command {
        Command::Help(name) => print(&help::text(name)),
        Command::Version => print(&format!("klamm {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Completions(shell) => print(&completions::script(shell)),
        Command::Man => print(&man::page()),
        Command::RandomUuid => print(&format!("{}\n", Uuid::from_random_bytes(random::bytes()))),
        Command::Tool(given) => return tool::run(&given),
        Command::Doctor { sources, connect, is_json } => {
            let is_well = doctor::run(&sources, connect.as_deref(), is_json)?;
            return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Start(sources) => {
            let config = load(&sources)?;
            let cluster_id = std::env::var("CLUSTER_ID").ok().map(checked_cluster_id).transpose()?;
            serve(config, cluster_id)?;
        }
        Command::Test(arguments) => test_broker::run(arguments)?,
        Command::Explore(arguments) => return Ok(explore::run(&arguments)),
        Command::Tap(arguments) => tap::run(arguments)?,
        Command::Format { sources, cluster_id, ignore_formatted, add_scram } => {
            let cluster_id = cluster_id.map(checked_cluster_id).transpose()?;
            let text = |secret: &Secret| String::from_utf8_lossy(secret.expose()).into_owned();
            let record = |secret| add_scram::record(&text(secret), random::bytes());
            let credentials = add_scram.iter().map(record).collect::<Result<Vec<_>, _>>()?;
            format(load(&sources)?, cluster_id, ignore_formatted, &credentials)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A reader that wants no more of it is no failure.
fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// The configuration of this process; says what is worth saying about it.
fn load(sources: &Sources) -> Result<Config, String> {
    let environment = environment()?;
    let level = environment.iter().find(|(key, _)| key == "KAFKA_LOG4J_ROOT_LOGLEVEL").map(|(_, level)| level.clone());
    log::start(log::Stream::Output, level.as_deref());
    resolve(&layers_in(sources, environment)?)
}

/// The texts that a configuration is made of.
fn layers(sources: &Sources) -> Result<Layers, String> {
    layers_in(sources, environment()?)
}

/// The variables of this process, with what the official images make of some.
fn environment() -> Result<Vec<(String, String)>, String> {
    let mut environment: Vec<_> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let password = |path: &Path| text_of(path, "file of a password").map(Secret::new);
    image_secrets::resolve(&mut environment, Path::new(image_secrets::FOLDER), password)?;
    Ok(environment)
}

fn layers_in(sources: &Sources, environment: Vec<(String, String)>) -> Result<Layers, String> {
    let file = sources.file.as_deref().map(read).transpose()?.unwrap_or_default();
    completed(Layers { file, environment, overrides: sources.overrides.clone(), ..Layers::default() })
}

/// These pairs, with what they name that is read from elsewhere.
fn completed(pairs: Layers) -> Result<Layers, String> {
    let login_file = config::login_config_path(&pairs.environment).map(login_file).transpose()?;
    #[cfg(feature = "gssapi")]
    if let Some(path) = config::kerberos_configuration_path(&pairs.environment) {
        crate::io::kerberos::read_configuration(path);
    }
    let (is_own_host, has_gssapi) = (Some(threads::is_own_host as fn(&str) -> bool), cfg!(feature = "gssapi"));
    let mut layers = Layers { is_own_host, login_file, has_gssapi, ..pairs };
    layers.provided = provided::read(&layers.requests().map_err(|invalid| invalid.to_string())?)?;
    Ok(layers)
}

/// What layers come to; says what is worth saying about it.
fn resolve(layers: &Layers) -> Result<Config, String> {
    let (config, notices) = Config::load(layers).map_err(|invalid| invalid.to_string())?;
    log::set_json(config.log_is_json);
    for notice in notices {
        let level = if notice.is_warning() { ::log::Level::Warn } else { ::log::Level::Info };
        ::log::log!(level, "{notice}");
    }
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<(String, String)>, String> {
    Ok(properties::parse(&text_of(path, "configuration")?))
}

/// The JAAS file with its path. The JDK reads it as UTF-8.
fn login_file(path: &str) -> Result<(String, Secret), String> {
    Ok((path.to_string(), Secret::new(text_of(Path::new(path), "JAAS file")?)))
}

fn text_of(path: &Path, what: &str) -> Result<String, String> {
    let refused = |reason: String| format!("cannot read the {what} {}: {reason}", path.display());
    let size_bytes = std::fs::metadata(path).map_err(|e| refused(e.to_string()))?.len();
    if size_bytes > MAX_FILE_SIZE_BYTES {
        return Err(refused(format!("it is larger than {MAX_FILE_SIZE_BYTES} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|e| refused(e.to_string()))?;
    Ok(decode(bytes))
}

/// Java reads property files as ISO 8859-1; editors write UTF-8. What is UTF-8 is read as that.
fn decode(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|not_utf8| not_utf8.into_bytes().into_iter().map(char::from).collect())
}

fn checked_cluster_id(text: String) -> Result<String, String> {
    match Uuid::parse(&text) {
        Some(_) => Ok(text),
        None => Err(format!("the cluster id {text:?} is not an identifier of 22 characters")),
    }
}

/// Serves clients until the process is told to stop; SIGUSR1 asks for a look at the counters.
fn serve(config: Config, cluster_id: Option<String>) -> Result<(), String> {
    let mut signals =
        Signals::new([SIGTERM, SIGINT, SIGUSR1]).map_err(|error| format!("cannot watch for signals: {error}"))?;
    let node_id = config.node_id;
    let manager = service_manager();
    let broker = Broker::start(config, cluster_id)?;
    let addresses: Vec<_> = broker.addresses().iter().map(|address| format!("address={address}")).collect();
    // Lines that Testcontainers and scripts wait for: of Kafka 4 and, with the second, of Kafka with ZooKeeper.
    info!("Kafka Server started: node_id={node_id} {}", addresses.join(" "));
    info!("[KafkaServer id={node_id}] started");
    tell_manager(&manager, |manager| manager.ready(&format!("serves clients at {}", addresses.join(" "))));
    wait_for_end(&mut signals, &[SIGTERM, SIGINT], || broker.log_metrics());
    tell_manager(&manager, NotifySocket::stopping);
    broker.stop()?;
    info!("stopped");
    Ok(())
}

/// The service manager that has started this process, where there is one that wants to know.
fn service_manager() -> Option<NotifySocket> {
    let named = std::env::var("NOTIFY_SOCKET").ok().filter(|named| !named.is_empty())?;
    let found = NotifySocket::at(&named);
    found.inspect_err(|error| warn!("the service manager at {named} cannot be told: {error}")).ok()
}

fn tell_manager(manager: &Option<NotifySocket>, tell: impl Fn(&NotifySocket) -> std::io::Result<()>) {
    if let Some(Err(error)) = manager.as_ref().map(tell) {
        warn!("the service manager cannot be told: {error}");
    }
}

/// Waits for one of the signals that end the broker. SIGUSR1 shows its counters.
fn wait_for_end(signals: &mut Signals, ends: &[c_int], show: impl Fn()) {
    let signal = signals.forever().find(|signal| {
        if *signal == SIGUSR1 {
            show();
        }
        ends.contains(signal)
    });
    info!("stopping: signal={}", signal.unwrap_or_default());
}

/// Gives the log directories their identity, and the cluster its first users.
fn format(
    config: Config,
    cluster_id: Option<String>,
    ignore_formatted: bool,
    credentials: &[Record<'_>],
) -> Result<(), String> {
    let cluster_id = broker::format(&config, cluster_id, ignore_formatted, credentials)?;
    print(&format!("Formatted {} with cluster id {cluster_id}\n", config.log_dirs.join(", ")));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_utf8_or_latin_1() {
        assert_eq!(decode("é".as_bytes().to_vec()), "é");
        assert_eq!(decode(vec![0xe9]), "é");
    }

    #[test]
    fn cluster_ids_are_checked() {
        assert!(checked_cluster_id("MkU3OEVBNTcwNTJENDM2Qg".into()).is_ok());
        assert!(checked_cluster_id("my-cluster".into()).is_err());
    }
}
