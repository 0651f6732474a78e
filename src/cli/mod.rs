//! The start: command line, configuration, log lines; then the broker runs until it is told to stop.
//!
//! Everything that a user reads before the first request is written here. The only place that reads the environment
//! and the configuration file.

mod add_scram;
mod args;
mod image_secrets;
mod log;
mod provided;
mod tap;
mod test_broker;

use crate::broker::{self, Broker};
use crate::config::{self, Config, Layers, Notice, Provided, properties};
use crate::io::{random, threads};
use crate::metadata::Record;
use crate::model::Uuid;
use crate::stdx::secret::Secret;
use ::log::info;
use args::{Command, Sources};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::path::Path;
use std::process::ExitCode;

/// A `server.properties` has a few kilobytes; what is larger than this is another kind of file.
const MAX_FILE_SIZE_BYTES: u64 = 16 << 20;

/// Runs the command that this process was started with.
pub fn run() -> ExitCode {
    let outcome = args::parse(std::env::args_os().skip(1)).and_then(execute);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("klamm: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<(), String> {
    match command {
        Command::Help => print!("{}", args::HELP),
        Command::Version => println!("klamm {}", env!("CARGO_PKG_VERSION")),
        Command::Start(sources) => {
            let config = load(&sources)?;
            let cluster_id = std::env::var("CLUSTER_ID").ok().map(checked_cluster_id).transpose()?;
            serve(config, cluster_id)?;
        }
        Command::Test(arguments) => test_broker::run(arguments)?,
        Command::Tap(arguments) => tap::run(arguments)?,
        Command::Format { sources, cluster_id, ignore_formatted, add_scram } => {
            let cluster_id = cluster_id.map(checked_cluster_id).transpose()?;
            let text = |secret: &Secret| String::from_utf8_lossy(secret.expose()).into_owned();
            let record = |secret| add_scram::record(&text(secret), random::bytes());
            let credentials = add_scram.iter().map(record).collect::<Result<Vec<_>, _>>()?;
            format(load(&sources)?, cluster_id, ignore_formatted, &credentials)?;
        }
    }
    Ok(())
}

/// The configuration of this process; says what is worth saying about it.
fn load(sources: &Sources) -> Result<Config, String> {
    let file = sources.file.as_deref().map(read).transpose()?.unwrap_or_default();
    let mut environment: Vec<_> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let password = |path: &Path| text_of(path, "file of a password").map(Secret::new);
    image_secrets::resolve(&mut environment, Path::new(image_secrets::FOLDER), password)?;
    let level = environment.iter().find(|(key, _)| key == "KAFKA_LOG4J_ROOT_LOGLEVEL").map(|(_, level)| level.clone());
    log::start(log::Stream::Output, level.as_deref());
    let overrides = sources.overrides.clone();
    let login_file = config::login_config_path(&environment).map(login_file).transpose()?;
    #[cfg(feature = "gssapi")]
    if let Some(path) = config::kerberos_configuration_path(&environment) {
        crate::io::kerberos::read_configuration(path);
    }
    let is_own_host: Option<fn(&str) -> bool> = Some(threads::is_own_host);
    let has_gssapi = cfg!(feature = "gssapi");
    let provided = Provided::default();
    let mut layers = Layers { file, environment, overrides, is_own_host, login_file, has_gssapi, provided };
    layers.provided = provided::read(&layers.requests().map_err(|invalid| invalid.to_string())?)?;
    let (config, notices) = Config::load(&layers).map_err(|invalid| invalid.to_string())?;
    log::set_json(config.log_is_json);
    tell_notices(&notices);
    Ok(config)
}

fn tell_notices(notices: &[Notice]) {
    for notice in notices {
        let level = if notice.is_warning() { ::log::Level::Warn } else { ::log::Level::Info };
        ::log::log!(level, "{notice}");
    }
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
    let broker = Broker::start(config, cluster_id)?;
    let addresses: Vec<_> = broker.addresses().iter().map(|address| format!("address={address}")).collect();
    // Lines that Testcontainers and scripts wait for: of Kafka 4 and, with the second, of Kafka with ZooKeeper.
    info!("Kafka Server started: node_id={node_id} {}", addresses.join(" "));
    info!("[KafkaServer id={node_id}] started");
    wait_for_end(&broker, &mut signals);
    broker.stop()?;
    info!("stopped");
    Ok(())
}

/// Waits for a signal that ends the broker. SIGUSR1 shows its counters.
fn wait_for_end(broker: &Broker, signals: &mut Signals) {
    let signal = signals.forever().find(|signal| {
        if *signal == SIGUSR1 {
            broker.log_metrics();
        }
        *signal != SIGUSR1
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
    println!("Formatted {} with cluster id {cluster_id}", config.log_dirs.join(", "));
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
