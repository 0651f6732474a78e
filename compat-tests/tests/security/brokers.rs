//! Two brokers with an authorizer, their clients by name, and what a client asks as JSON.

use crate::certificates;
use crate::mask::Masks;
use compat_tests::broker::{Peer, Setup};
use compat_tests::login;
use compat_tests::pair::{self, Pair};
use compat_tests::port::Port;
use compat_tests::raw::{self, Answer, Batch, PATIENCE, Raw};
use compat_tests::schema::Schemas;
use compat_tests::secured;
use compat_tests::{Context, Result, bail, ensure};
use rustls::ClientConfig;
use serde_json::{Value, json};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A super user.
pub const ADMIN: &str = "admin";
/// A client of the listener without logins.
pub const ANONYMOUS: &str = "ANONYMOUS";
const PASSWORD: &str = "p";
/// A coordinator says it that waits for the next producer ids.
const LOAD_IN_PROGRESS: i16 = 14;
const PAUSE: Duration = Duration::from_millis(10);
const AUTHORIZER: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/// The ports of one broker, held for it.
struct Ports {
    plaintext: Port,
    sasl: Port,
    ssl: Port,
    controller: Port,
}

/// Where the clients of one broker connect.
#[derive(Clone, Copy)]
pub struct Listeners {
    pub plaintext: u16,
    pub sasl: u16,
    /// Asks for certificates.
    pub ssl: u16,
}

/// Apache Kafka and the broker under test, with the same users.
pub struct Guarded {
    pair: Pair,
    ports: [Ports; 2],
    pub schemas: Arc<Schemas>,
}

impl Guarded {
    /// `is_open`: what no rule is for is for everyone.
    pub fn start(users: &[String], is_open: bool) -> Result<Guarded> {
        let reserve = || -> Result<Ports> {
            let [plaintext, sasl, ssl, controller] = [(); 4].map(|()| Port::reserve());
            Ok(Ports { plaintext: plaintext?, sasl: sasl?, ssl: ssl?, controller: controller? })
        };
        let ports: [Ports; 2] = [reserve()?, reserve().context("the second broker's")?];
        let setup = |setup: Setup, ports: &Ports| {
            let settings = settings(setup.peer, ports, users, is_open);
            settings.iter().fold(setup, |setup, (key, value)| setup.with(&[(key, value)]))
        };
        let setups = [setup(Setup::kafka(), &ports[0]), setup(pair::subject(), &ports[1])];
        Ok(Guarded { pair: Pair::start_each(setups)?, ports, schemas: Arc::new(Schemas::load()?) })
    }

    /// Apache Kafka's listeners first.
    pub fn listeners(&self) -> [Listeners; 2] {
        let of = |ports: &Ports| Listeners {
            plaintext: ports.plaintext.number(),
            sasl: ports.sasl.number(),
            ssl: ports.ssl.number(),
        };
        [of(&self.ports[0]), of(&self.ports[1])]
    }

    pub fn finish(self, keep: &Path) -> Result<()> {
        pair::finish(&Some(self.pair).into(), keep)
    }
}

fn settings(peer: Peer, ports: &Ports, users: &[String], is_open: bool) -> Vec<(String, String)> {
    let Ports { plaintext, sasl, ssl, controller } = ports;
    let listener = |name: &str, port: &Port| format!("{name}://127.0.0.1:{}", port.number());
    let mut listeners = [listener("PLAINTEXT", plaintext), listener("SASL", sasl), listener("SSL", ssl)].join(",");
    let users: String = users.iter().map(|user| format!(" user_{user}=\"{PASSWORD}\"")).collect();
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" password=\"p\" \
                  user_admin=\"p\"";
    let login = format!("{module}{users};");
    // A client that shows an unsecured token is the token's subject. Apache Kafka's own login at its listener wants one as well.
    let tokens = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
                  unsecuredLoginStringClaim_sub=\"broker\";";
    let mut settings = vec![
        // Kafka shows where a setting comes from.
        ("node.id", "1".into()),
        (
            "listener.security.protocol.map",
            "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,SSL:SSL,CONTROLLER:SASL_PLAINTEXT".into(),
        ),
        ("listener.name.ssl.ssl.client.auth", "required".into()),
        ("listener.name.ssl.ssl.principal.mapping.rules", certificates::RULES.into()),
        ("inter.broker.listener.name", "SASL".into()),
        ("sasl.enabled.mechanisms", "PLAIN".into()),
        ("listener.name.sasl.sasl.enabled.mechanisms", "PLAIN,OAUTHBEARER".into()),
        ("sasl.mechanism.inter.broker.protocol", "PLAIN".into()),
        ("listener.name.sasl.plain.sasl.jaas.config", login),
        ("listener.name.sasl.oauthbearer.sasl.jaas.config", tokens.into()),
        ("authorizer.class.name", AUTHORIZER.into()),
        ("super.users", "User:admin".into()),
        ("allow.everyone.if.no.acl.found", is_open.to_string()),
        ("offsets.topic.num.partitions", "1".into()),
        ("transaction.state.log.num.partitions", "1".into()),
        ("group.initial.rebalance.delay.ms", "0".into()),
        // The records here are old.
        ("log.retention.ms", "-1".into()),
        ("unstable.api.versions.enable", "true".into()),
        ("transaction.two.phase.commit.enable", "true".into()),
    ];
    if peer == Peer::Kafka {
        listeners += &format!(",{}", listener("CONTROLLER", controller));
        settings.push(("controller.quorum.voters", format!("1@127.0.0.1:{}", controller.number())));
        // The broker itself is a client of its controller.
        settings.push(("sasl.mechanism.controller.protocol", "PLAIN".into()));
        settings.push(("listener.name.controller.plain.sasl.jaas.config", format!("{module};")));
    }
    settings.push(("listeners", listeners));
    settings.into_iter().map(|(key, value)| (key.to_string(), value)).chain(secured::stores()).collect()
}

/// How a client says who it is.
#[derive(Clone)]
enum Proof {
    /// It does not.
    Nothing,
    Password,
    Token,
    Certificate(Arc<ClientConfig>),
}

/// One client: who it is and where it comes from.
pub struct Client {
    raw: Raw,
    listeners: Listeners,
    user: String,
    source: Ipv4Addr,
    proof: Proof,
}

impl Client {
    fn connect(listeners: Listeners, user: &str, source: Ipv4Addr, proof: Proof) -> Result<Client> {
        let to = |port| Raw::connect_from(source, port);
        let raw = match &proof {
            Proof::Nothing => to(listeners.plaintext)?,
            Proof::Certificate(certificate) => to(listeners.ssl)?.behind_tls(certificate)?,
            Proof::Password => {
                let mut raw = to(listeners.sasl)?;
                raw.log_in(user, PASSWORD)?;
                raw
            }
            Proof::Token => {
                let mut raw = to(listeners.sasl)?;
                raw.log_in_by_token(&login::token(user, secured::SCOPE))?;
                raw
            }
        };
        Ok(Client { raw, listeners, user: user.to_string(), source, proof })
    }

    /// One whose login goes on: its token is what the broker waits for.
    fn among_tokens(listeners: Listeners) -> Result<Client> {
        let source = Ipv4Addr::LOCALHOST;
        let mut raw = Raw::connect_from(source, listeners.sasl)?;
        raw.begin_login("PLAIN")?;
        Ok(Client { raw, listeners, user: ADMIN.into(), source, proof: Proof::Password })
    }

    /// `None`: the broker closed the connection.
    fn ask(&mut self, schemas: &Schemas, api: &str, version: i16, request: &Value) -> Result<Option<Value>> {
        let (key, id) = (schemas.key(api)?, self.raw.next_correlation_id());
        let body = schemas.encode(api, version, request)?;
        self.raw.send_frame(&raw::frame(key, version, id, schemas.header_version(api, version)?, &body));
        if request["Acks"] == 0 {
            return self.is_open_still(schemas);
        }
        match self.raw.answer(PATIENCE)? {
            Answer::Frame(frame) => {
                let (correlation, body) = frame.split_at_checked(4).context("a short answer")?;
                ensure!(correlation == id.to_be_bytes(), "the answer is another's");
                schemas.decode(api, version, body).map(Some)
            }
            Answer::Closed => self.reconnect().map(|()| None),
            Answer::Silent => bail!("no answer within {PATIENCE:?}"),
        }
    }

    /// Nothing is answered to what was sent, unless by closing the connection.
    fn is_open_still(&mut self, schemas: &Schemas) -> Result<Option<Value>> {
        Ok(self.ask(schemas, "ApiVersions", 0, &json!({}))?.map(|_| json!({ "Silent": true })))
    }

    fn reconnect(&mut self) -> Result<()> {
        *self = Client::connect(self.listeners, &self.user, self.source, self.proof.clone())?;
        Ok(())
    }
}

/// What clients show that have certificates.
pub type Certificates = BTreeMap<String, Arc<ClientConfig>>;

/// All clients of one broker, each connected when it is needed first.
pub struct Clients {
    listeners: Listeners,
    schemas: Arc<Schemas>,
    open: HashMap<(String, Ipv4Addr), Client>,
    /// By the names of those that show one instead of logging in.
    certificates: Certificates,
    /// Those that show a token instead.
    tokens: HashSet<String>,
    pub masks: Masks,
    /// Counts the names that are used once.
    pub fresh: usize,
}

impl Clients {
    pub fn new(listeners: Listeners, schemas: &Arc<Schemas>) -> Clients {
        Clients::with(listeners, schemas, Certificates::new())
    }

    pub fn with(listeners: Listeners, schemas: &Arc<Schemas>, certificates: Certificates) -> Clients {
        let (open, tokens, masks) = (HashMap::new(), HashSet::new(), Masks::default());
        Clients { listeners, schemas: schemas.clone(), open, certificates, tokens, masks, fresh: 0 }
    }

    /// These users need no password: each shows a token with its name, which may be any. They stand for all users that did.
    pub fn with_tokens(&mut self, users: impl Iterator<Item = String>) {
        self.tokens = users.collect();
        self.open.retain(|(user, _), client| !matches!(client.proof, Proof::Token) || self.tokens.contains(user));
    }

    fn proof(&self, user: &str) -> Proof {
        match self.certificates.get(user) {
            Some(certificate) => Proof::Certificate(certificate.clone()),
            None if user == ANONYMOUS => Proof::Nothing,
            None if self.tokens.contains(user) => Proof::Token,
            None => Proof::Password,
        }
    }

    /// The answer as it came. `@name` stands for a topic's id, `@batch` and `@transactional` for records.
    pub fn ask_from(
        &mut self,
        source: Ipv4Addr,
        user: &str,
        api: &str,
        version: i16,
        request: &Value,
    ) -> Result<Option<Value>> {
        let request = resolved(request, &self.masks.ids);
        let proof = self.proof(user);
        let client = match self.open.entry((user.to_string(), source)) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => place.insert(Client::connect(self.listeners, user, source, proof)?),
        };
        loop {
            let asked = client.ask(&self.schemas, api, version, &request);
            let answer = asked.with_context(|| format!("{api} v{version} as {user}: {request}"))?;
            if answer.as_ref().is_none_or(|answer| answer["ErrorCode"] != LOAD_IN_PROGRESS) {
                return Ok(answer);
            }
            std::thread::sleep(PAUSE);
        }
    }

    pub fn ask(&mut self, user: &str, api: &str, version: i16, request: &Value) -> Result<Option<Value>> {
        self.ask_from(Ipv4Addr::LOCALHOST, user, api, version, request)
    }

    /// What is answered instead of a token's answer.
    pub fn ask_among_tokens(&self, api: &str, version: i16, request: &Value) -> Result<Option<Value>> {
        let request = resolved(request, &self.masks.ids);
        let mut client = Client::among_tokens(self.listeners)?;
        let answer = client.ask(&self.schemas, api, version, &request);
        answer.with_context(|| format!("{api} v{version} among tokens: {request}"))
    }

    /// What the super user is answered.
    pub fn admin(&mut self, api: &str, version: i16, request: &Value) -> Result<Value> {
        self.ask(ADMIN, api, version, request)?.with_context(|| format!("{api} v{version} closed the connection"))
    }

    /// Asks as the super user until the answer is right.
    pub fn until(
        &mut self,
        api: &str,
        version: i16,
        request: &Value,
        is_right: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.admin(api, version, request)?;
            if is_right(&answer) {
                return Ok(answer);
            }
            ensure!(Instant::now() < deadline, "{api} v{version} {request}: {answer}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Creates topics of one partition and waits until they are led and their ids known.
    pub fn create_topics(&mut self, names: &[&str]) -> Result<()> {
        let topic = |name: &&str| json!({ "Name": name, "NumPartitions": 1, "ReplicationFactor": 1 });
        let topics: Vec<Value> = names.iter().map(topic).collect();
        let created = self.admin("CreateTopics", 7, &json!({ "Topics": topics, "timeoutMs": 30_000 }))?;
        ensure!(all_zero(&created["Topics"], "ErrorCode"), "{created}");
        let topics: Vec<Value> = names.iter().map(|name| json!({ "Name": name })).collect();
        let request = json!({ "Topics": topics, "AllowAutoTopicCreation": false });
        let is_led = |answer: &Value| {
            let of = |topic: &Value| all_zero(&topic["Partitions"], "ErrorCode");
            all_zero(&answer["Topics"], "ErrorCode")
                && answer["Topics"].as_array().is_some_and(|all| all.iter().all(of))
        };
        let told = self.until("Metadata", 12, &request, is_led)?;
        for topic in told["Topics"].as_array().into_iter().flatten() {
            let (name, id) =
                (topic["Name"].as_str().unwrap_or_default(), topic["TopicId"].as_str().unwrap_or_default());
            self.masks.ids.insert(name.to_string(), id.to_string());
        }
        Ok(())
    }
}

/// Whether there are elements and all have an error code of 0.
pub fn all_zero(array: &Value, field: &str) -> bool {
    array.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(|element| element[field] == 0))
}

/// An id that no topic has.
fn other_id(name: &str) -> String {
    let hex = compat_tests::schema::hex(name.as_bytes());
    format!("{:e<32}", &hex[..hex.len().min(32)])
}

fn resolved(value: &Value, ids: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) if text == "@batch" => batch(false).into(),
        Value::String(text) if text == "@transactional" => batch(true).into(),
        Value::String(text) => match text.strip_prefix('@') {
            Some(name) => ids.get(name).cloned().unwrap_or_else(|| other_id(name)).into(),
            None => value.clone(),
        },
        Value::Array(elements) => elements.iter().map(|element| resolved(element, ids)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), resolved(value, ids)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// A producer id that no broker here has given.
pub const NOBODYS_PRODUCER_ID: i64 = 777_777;

fn batch(is_transactional: bool) -> String {
    let mut batch = Batch::of(&[b"value"]);
    if is_transactional {
        batch.attributes |= 0x10;
        (batch.producer_id, batch.producer_epoch, batch.base_sequence) = (NOBODYS_PRODUCER_ID, 0, 0);
    }
    compat_tests::schema::hex(&batch.encode())
}
