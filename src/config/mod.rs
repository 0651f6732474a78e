//! Configuration under Kafka's names: what the broker was told, checked, typed.
//!
//! Pure: texts come in, typed values and notices go out; files and the environment are read by `cli/`. A [`Config`]
//! that exists is valid. Values that a running broker may change (dynamic configs) live in the metadata image and are
//! laid over the static ones by [`Settings`].

mod broker_table;
mod cast;
mod client_metrics;
mod cordoned;
pub mod definitions;
mod delegation_tokens;
mod describe;
mod documentation;
mod duration;
mod dynamic;
mod group_rules;
mod group_table;
mod groups;
mod http;
pub(crate) mod jaas;
mod layers;
mod limits;
pub mod listeners;
pub mod properties;
mod providers;
mod quorum;
pub mod release;
mod rules;
pub mod security;
mod settings;
mod stops;
mod topic;
mod topic_table;
mod transactions;
mod value;

pub use cast::Cast;
pub use client_metrics::{describe_client_metrics, validate_client_metrics};
pub use delegation_tokens::DelegationTokenSettings;
pub use describe::{Entry, Source, Synonym, describe_broker, describe_broker_defaults, describe_group, describe_topic};
pub use dynamic::validate_broker;
pub use group_rules::validate_group;
pub use groups::{ConsumerGroupSettings, CoordinatorSettings, GroupSettings, MigrationPolicy};
pub use http::{HttpListener, HttpSettings, is_loopback};
pub use layers::{
    Layers, Notice, environment_key, kerberos_configuration_path, login_config_path, notice_of_resources,
    notices_of_dynamic,
};
#[cfg(test)]
pub use limits::Limit;
pub use limits::{ConnectionLimits, QuotaWindows};
pub use listeners::Listener;
pub use providers::{Provided, ProviderPlace, ProviderRequest};
pub use release::Release;
pub use security::{
    AuthorizerSettings, JwksSource, KerberosSettings, ListenerSecurity, LooksIntoStores, MechanismKind,
    MechanismSettings, SaslSettings, SignedTokens, TokenValidation, UnsecuredTokens,
};
pub use settings::Settings;
pub use topic::{CompressionConfig, TopicConfig, is_tiered, validate_topic};
pub use transactions::TransactionSettings;
pub use value::{Type, Value, pattern};

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use security::LoginFile;

/// A value that was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invalid {
    pub key: String,
    pub value: String,
    pub reason: String,
}

impl Invalid {
    pub fn new(key: impl Into<String>, value: impl Into<String>, reason: impl Into<String>) -> Invalid {
        Invalid { key: key.into(), value: value.into(), reason: reason.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invalid value {} for configuration {}: {}", self.value, self.key, self.reason)
    }
}

impl std::error::Error for Invalid {}

/// `klamm.io`: which driver the loops run on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoChoice {
    Auto,
    Uring,
    Epoll,
}

const INTER_BROKER_PROTOCOL: &str = "security.inter.broker.protocol";
const BACKLOG_SIZE: &str = "socket.listen.backlog.size";

/// The static configuration of this process.
#[derive(Clone, Debug)]
pub struct Config {
    pub node_id: i32,
    /// How many brokers this process plays; see [`Cast`].
    pub brokers: usize,
    pub broker_rack: Option<String>,
    pub listeners: Vec<Listener>,
    /// Name of the listener that other brokers use.
    pub inter_broker_listener_name: String,
    /// There is at least one.
    pub log_dirs: Vec<String>,
    /// Where the metadata log is: one of the log directories (the first unless `metadata.log.dir` names another), or a
    /// directory of its own.
    pub metadata_log_dir: String,
    pub num_partitions: i32,
    pub default_replication_factor: i16,
    pub auto_create_topics_enable: bool,
    pub delete_topic_enable: bool,
    pub socket_request_max_bytes: u32,
    /// `unstable.api.versions.enable`
    pub unstable_api_versions: bool,
    /// `None` leaves the size to the kernel, which lets it grow with what a connection carries.
    pub socket_send_buffer_bytes: Option<usize>,
    /// `None` leaves the size to the kernel, likewise.
    pub socket_receive_buffer_bytes: Option<usize>,
    /// `None` where the user has not set it.
    pub socket_listen_backlog_size: Option<i32>,
    /// -1 leaves the limit to the server.
    pub queued_max_request_bytes: i64,
    /// Negative: never.
    pub connections_max_idle_ms: i64,
    pub fetch_max_bytes: u32,
    pub max_incremental_fetch_session_cache_slots: u32,
    pub max_request_partition_size_limit: u32,
    pub producer_id_expiration_check_interval_ms: i64,
    pub log_initial_task_delay_ms: i64,
    pub log_retention_check_interval_ms: i64,
    pub log_flush_offset_checkpoint_interval_ms: i64,
    pub log_flush_start_offset_checkpoint_interval_ms: i64,
    /// `replica.high.watermark.checkpoint.interval.ms`
    pub high_watermark_checkpoint_interval_ms: i64,
    /// Threads for opening and closing logs, for each log directory.
    pub num_recovery_threads_per_data_dir: usize,
    pub io: IoChoice,
    /// `replica.selector.class`: consumers are sent to followers of their own rack, where there are such (KIP-392).
    pub selects_replicas_by_rack: bool,
    /// Rules of a test may break what it does.
    pub has_faults: bool,
    /// The broker's clock can be frozen, moved and set.
    pub has_settable_clock: bool,
    /// `None`: one per core.
    pub shards: Option<usize>,
    /// `klamm.spin.us`: how long a shard under load looks for the next request before it sleeps.
    pub spin: Duration,
    /// `klamm.stop.grace.ms`
    pub stop_grace: Duration,
    /// `klamm.stop.patience.ms`
    pub stop_patience: Duration,
    /// `klamm.answer.max.bytes`: how large an answer may be, without the records that are sent from files.
    pub max_answer_bytes: usize,
    /// The release that this broker is to be taken for; `None`: everything that is built is offered.
    pub as_version: Option<Arc<Release>>,
    /// `klamm.tail.buffer.bytes`: what a shard keeps in memory of its last writes, for consumers that wait for them.
    pub tail_buffer_bytes: usize,
    pub quota_windows: QuotaWindows,
    pub controller_quota_windows: QuotaWindows,
    /// What limits connections, before dynamic configs.
    pub connection_limits: ConnectionLimits,
    /// What topics without overrides get, before dynamic configs.
    pub topic_defaults: TopicConfig,
    /// `connection.failed.authentication.delay.ms`
    pub failed_authentication_delay_ms: u32,
    /// `klamm.crypto.threads`; `None`: as many as suit the machine.
    pub crypto_threads: Option<usize>,
    /// `klamm.authentication.timeout.ms`; 0 is never.
    pub authentication_timeout_ms: u32,
    /// `None`: there are no delegation tokens.
    pub delegation_tokens: Option<DelegationTokenSettings>,
    /// `None`: every client may do everything.
    pub authorizer: Option<AuthorizerSettings>,
    /// `klamm.log.format`: each line of the log is a JSON object.
    pub log_is_json: bool,
    /// `None`: there is no HTTP side.
    pub http: Option<HttpSettings>,
    /// Every key that was set, as it was set; the static layer of [`Settings`].
    pub statics: Statics,
}

/// Texts by their keys. `Debug` shows the keys only, because there are passwords among the texts.
#[derive(Clone, Default)]
pub struct Statics(BTreeMap<String, String>);

impl Deref for Statics {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Debug for Statics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Config {
    /// Checks and types the settings. The first bad value stops it; everything else worth saying is a notice.
    pub fn load(layers: &Layers) -> Result<(Config, Vec<Notice>), Invalid> {
        let resolved = layers.resolve()?;
        let (config, mut notices) = Config::of(layers, &resolved.settings).map_err(|invalid| resolved.hide(invalid))?;
        let unresolved = resolved.unresolved.into_iter();
        notices.extend(unresolved.map(|(key, variable)| Notice::Unresolved { key, variable }));
        notices.extend(resolved.unknown.into_iter().map(|key| Notice::UnknownProvider { key }));
        Ok((config, notices))
    }

    /// `statics` are what the layers come to.
    fn of(layers: &Layers, statics: &BTreeMap<String, String>) -> Result<(Config, Vec<Notice>), Invalid> {
        check_values(statics)?;
        let settings = Settings::of_static(statics);
        quorum::check(&settings, |host| layers.is_own_host.is_some_and(|is_own| is_own(host)))?;
        rules::check(&settings)?;
        limits::check(&settings)?;
        topic::check_compaction_lags(&TopicConfig::resolve(&settings, &BTreeMap::new()))?;
        group_rules::check_broker(&settings)?;
        let (mut listeners, skipped) = listeners::resolve(&listener_settings(&settings))?;
        stops::check(&settings)?;
        let authorizer = security::authorizer(&settings)?;
        let login_file = layers.login_file.as_ref().map(|(path, text)| LoginFile { path, text });
        let allowed = layers::java_property(&layers.environment, security::ALLOWED_URLS);
        let sentences = {
            let logins = (allowed.unwrap_or_default(), layers.has_gssapi);
            security::secure(&settings, login_file, logins, &mut listeners)?
        };
        listeners::keep_names(&mut listeners);
        security::check_inter_broker(&settings, &listeners)?;
        let is_secure = listeners.iter().any(|l| l.security != ListenerSecurity::default());
        let mut notices = layers::notices(statics, is_secure, authorizer.is_some());
        notices.extend(sentences.into_iter().map(|sentence| Notice::Security { sentence }));
        cordoned::check(&settings)?;
        if !skipped.is_empty() {
            notices.push(Notice::ControllerListeners { names: skipped });
        }
        let config = Config::typed(&settings, listeners)?;
        Ok((Config { authorizer, statics: Statics(statics.clone()), ..config }, notices))
    }

    /// The typed fields; `authorizer` and `statics` are left empty for the caller.
    fn typed(s: &Settings<'_>, listeners: Vec<Listener>) -> Result<Config, Invalid> {
        let io = match s.text("klamm.io").as_deref() {
            Some("uring") => IoChoice::Uring,
            Some("epoll") => IoChoice::Epoll,
            _ => IoChoice::Auto,
        };
        let log_dirs = log_dirs(s)?;
        let connection_limits = ConnectionLimits::resolve(s, listeners.iter().map(|listener| listener.name.as_str()));
        Ok(Config {
            node_id: node_id(s)?,
            brokers: 1,
            broker_rack: s.text("broker.rack"),
            inter_broker_listener_name: inter_broker_listener_name(s, &listeners),
            listeners,
            metadata_log_dir: s.text("metadata.log.dir").unwrap_or_else(|| log_dirs[0].clone()),
            log_dirs,
            num_partitions: s.int("num.partitions"),
            default_replication_factor: default_replication_factor(s)?,
            auto_create_topics_enable: s.boolean("auto.create.topics.enable"),
            delete_topic_enable: s.boolean("delete.topic.enable"),
            socket_request_max_bytes: s.size("socket.request.max.bytes"),
            unstable_api_versions: s.boolean("unstable.api.versions.enable"),
            socket_send_buffer_bytes: socket_buffer_bytes(s, "socket.send.buffer.bytes")?,
            socket_receive_buffer_bytes: socket_buffer_bytes(s, "socket.receive.buffer.bytes")?,
            socket_listen_backlog_size: s.is_set(BACKLOG_SIZE).then(|| s.int(BACKLOG_SIZE)),
            queued_max_request_bytes: s.long("queued.max.request.bytes"),
            connections_max_idle_ms: s.long("connections.max.idle.ms"),
            fetch_max_bytes: s.size("fetch.max.bytes"),
            max_incremental_fetch_session_cache_slots: s.size("max.incremental.fetch.session.cache.slots"),
            max_request_partition_size_limit: s.size("max.request.partition.size.limit"),
            producer_id_expiration_check_interval_ms: s.long("producer.id.expiration.check.interval.ms"),
            log_initial_task_delay_ms: s.long("log.initial.task.delay.ms"),
            log_retention_check_interval_ms: s.long("log.retention.check.interval.ms"),
            log_flush_offset_checkpoint_interval_ms: s.long("log.flush.offset.checkpoint.interval.ms"),
            log_flush_start_offset_checkpoint_interval_ms: s.long("log.flush.start.offset.checkpoint.interval.ms"),
            high_watermark_checkpoint_interval_ms: s.long("replica.high.watermark.checkpoint.interval.ms"),
            num_recovery_threads_per_data_dir: s.size("num.recovery.threads.per.data.dir") as usize,
            io,
            selects_replicas_by_rack: s.text(rules::REPLICA_SELECTOR).is_some(),
            has_faults: s.boolean("klamm.faults"),
            has_settable_clock: s.text("klamm.clock").as_deref() == Some("settable"),
            shards: s.value("klamm.shards").map(|_| s.int("klamm.shards").max(1) as usize),
            spin: Duration::from_micros(u64::from(s.size("klamm.spin.us"))),
            stop_grace: Duration::from_millis(u64::from(s.size("klamm.stop.grace.ms"))),
            stop_patience: Duration::from_millis(u64::from(s.size("klamm.stop.patience.ms"))),
            max_answer_bytes: s.size("klamm.answer.max.bytes") as usize,
            as_version: s.text("klamm.as.version").and_then(|name| Release::named(&name)).map(Arc::new),
            tail_buffer_bytes: s.size("klamm.tail.buffer.bytes") as usize,
            quota_windows: QuotaWindows::of_clients(s),
            controller_quota_windows: QuotaWindows::of_controller(s),
            connection_limits,
            topic_defaults: TopicConfig::resolve(s, &BTreeMap::new()),
            failed_authentication_delay_ms: s.size("connection.failed.authentication.delay.ms"),
            crypto_threads: s.value("klamm.crypto.threads").map(|_| s.int("klamm.crypto.threads").max(1) as usize),
            authentication_timeout_ms: s.size("klamm.authentication.timeout.ms"),
            delegation_tokens: delegation_tokens::resolve(s),
            authorizer: None,
            http: http::resolve(s)?,
            log_is_json: s.text("klamm.log.format").as_deref() == Some("json"),
            statics: Statics::default(),
        })
    }

    /// The settings of this broker with the dynamic ones of the metadata image laid over them.
    pub fn settings<'a>(
        &'a self,
        dynamic_default: &'a BTreeMap<String, String>,
        dynamic_broker: &'a BTreeMap<String, String>,
    ) -> Settings<'a> {
        Settings::new(&self.statics, dynamic_default, dynamic_broker)
    }

    /// TLS of each listener that has it, with the dynamic configs laid over it.
    pub(crate) fn tls(
        &self,
        dynamic_default: &BTreeMap<String, String>,
        dynamic_broker: &BTreeMap<String, String>,
    ) -> Result<Vec<Option<security::TlsSettings>>, Invalid> {
        security::tls_of_listeners(&self.settings(dynamic_default, dynamic_broker), &self.listeners)
    }

    /// Whether this broker may run with these dynamic configs of its cluster; what is worth saying about them.
    pub fn check_dynamic(
        &self,
        dynamic_default: &BTreeMap<String, String>,
        dynamic_broker: &BTreeMap<String, String>,
    ) -> Result<Vec<Notice>, Invalid> {
        stops::check(&self.settings(dynamic_default, dynamic_broker))?;
        Ok(notices_of_dynamic(dynamic_broker.keys().chain(dynamic_default.keys())))
    }

    /// The configuration of a broker that was told nothing.
    pub fn defaults() -> Config {
        let loaded = Config::load(&Layers::default());
        loaded.map(|(config, _)| config).expect("the defaults are valid: a test says so")
    }
}

fn check_values(statics: &BTreeMap<String, String>) -> Result<(), Invalid> {
    for (key, text) in statics {
        let definition = definitions::broker(key).or_else(|| definitions::listener_override(key));
        if let Some(definition) = definition {
            definition.parse(text).map_err(|reason| Invalid::new(key, definition.shown(text), reason))?;
        }
    }
    Ok(())
}

fn node_id(s: &Settings<'_>) -> Result<i32, Invalid> {
    let id = s.int("node.id");
    let broker_id = s.value("broker.id");
    if s.is_set("broker.id") && broker_id != Some(Value::Int(id.into())) {
        let value = broker_id.map(|v| v.to_string()).unwrap_or_default();
        return Err(Invalid::new("broker.id", value, format!("it must equal node.id, which is {id}")));
    }
    Ok(id)
}

fn default_replication_factor(s: &Settings<'_>) -> Result<i16, Invalid> {
    let factor = s.int("default.replication.factor");
    let fits = i16::try_from(factor).ok().filter(|f| *f >= 1);
    fits.ok_or_else(|| {
        let reason = format!("Value must be between 1 and {}", i16::MAX);
        Invalid::new("default.replication.factor", factor.to_string(), reason)
    })
}

/// Kafka gives its sockets 100 KiB by default; here a socket gets a fixed size only where the user sets one. Kafka's
/// definition takes any number; this refuses sizes that no socket can have at the start (Java's sockets do it later).
fn socket_buffer_bytes(s: &Settings<'_>, key: &str) -> Result<Option<usize>, Invalid> {
    let bytes = s.int(key);
    if !s.is_set(key) || bytes == -1 {
        return Ok(None);
    }
    let size = usize::try_from(bytes).ok().filter(|bytes| *bytes > 0);
    size.map(Some)
        .ok_or_else(|| Invalid::new(key, bytes.to_string(), "Value must be at least 1, or -1 for the kernel's own"))
}

fn log_dirs(s: &Settings<'_>) -> Result<Vec<String>, Invalid> {
    let key = if s.value("log.dirs").is_some() { "log.dirs" } else { "log.dir" };
    let dirs: Vec<String> = s.list(key).into_iter().filter(|dir| !dir.is_empty()).collect();
    if dirs.is_empty() {
        return Err(Invalid::new(key, "", "at least one log directory is needed"));
    }
    Ok(dirs)
}

/// The listener that the user has chosen for other brokers, by its name or by its protocol.
fn chosen_inter_broker_listener(s: &Settings<'_>) -> Option<String> {
    let by_name = s.text("inter.broker.listener.name");
    let by_protocol = || s.is_set(INTER_BROKER_PROTOCOL).then(|| s.text(INTER_BROKER_PROTOCOL)).flatten();
    by_name.or_else(by_protocol).map(|name| name.to_uppercase())
}

fn listener_settings<'a>(s: &'a Settings<'a>) -> listeners::Settings<'a> {
    listeners::Settings {
        listeners: s.raw_or_default("listeners").unwrap_or_default(),
        advertised: s.raw_or_default("advertised.listeners"),
        protocol_map: s.raw_or_default("listener.security.protocol.map").unwrap_or_default(),
        controller_names: s.raw_or_default("controller.listener.names").unwrap_or_default(),
        inter_broker_name: s.raw_or_default("inter.broker.listener.name"),
        inter_broker_protocol: s.raw(INTER_BROKER_PROTOCOL),
    }
}

fn inter_broker_listener_name(s: &Settings<'_>, listeners: &[Listener]) -> String {
    let first = || listeners.iter().find(|l| l.advertised.is_some()).map(|l| l.name.clone());
    chosen_inter_broker_listener(s).or_else(first).unwrap_or_default()
}

#[cfg(test)]
mod tests;
