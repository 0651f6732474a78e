//! A broker process of a test's own: its directory, its port, its log, its end.
//!
//! Invariant: whatever happens to the test, no process and no directory outlives its `Broker`. The same interface starts
//! the klamm binary and, with `KLAMM_PEER=kafka`, Apache Kafka.

use crate::port::Port;
use crate::{Context, Result, bail, cache, ensure, klamm, program};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Both brokers say this when clients can be served.
const STARTED: &str = "Kafka Server started";
/// How klamm's log names a bound address.
const ADDRESS: &str = "address=127.0.0.1:";
/// A start may have to recover a log, of ten gigabytes where figures are made; beyond this it hangs.
const START_WITHIN: Duration = Duration::from_secs(300);
/// Klamm's promise for SIGTERM.
const KLAMM_STOPS_WITHIN: Duration = Duration::from_secs(1);
const KAFKA_STOPS_WITHIN: Duration = Duration::from_secs(60);
const CLUSTER_ID: &str = "S2xhbW1Db21wYXRUZXN0cw";
/// As many lines of a broker's log as a failure shows.
const LOG_TAIL: usize = 60;
/// As many lines that tell of errors are shown before them: Apache Kafka says a hundred lines behind the cause of its end.
const LOG_ERRORS: usize = 10;

/// Which broker the tests run against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    Klamm,
    Kafka,
}

/// `KLAMM_PEER`: `klamm` (the default) or `kafka`.
pub fn peer() -> Peer {
    match std::env::var("KLAMM_PEER").as_deref() {
        Ok("kafka") => Peer::Kafka,
        Ok("klamm") | Ok("") | Err(_) => Peer::Klamm,
        Ok(other) => panic!("KLAMM_PEER={other}: expected klamm or kafka"),
    }
}

/// One cell of the matrix, with the configuration that the test asks for.
#[derive(Clone, Debug)]
pub struct Setup {
    pub peer: Peer,
    pub io: &'static str,
    pub shards: u32,
    pub overrides: Vec<(String, String)>,
    /// Listeners beside PLAINTEXT, each with its name, its protocol and a port of its own.
    pub listeners: Vec<(&'static str, &'static str)>,
    /// What the tool that formats the directory is told; without a word of it each broker gets its directory as always.
    pub format: Vec<&'static str>,
    /// As many descriptors the process may have, where not as many as the test.
    pub descriptors: Option<u32>,
    /// Which processors it may use, where not all.
    pub processors: Vec<usize>,
    /// What Apache Kafka's JVM is told, and Klamm by the variable of its start script.
    pub java_options: Option<String>,
    /// Variables that its configuration may name.
    pub variables: Vec<(&'static str, String)>,
    /// Klamm's, where not the one to test.
    pub binary: Option<PathBuf>,
}

impl Setup {
    pub fn klamm(io: &'static str, shards: u32) -> Setup {
        Setup::new(Peer::Klamm, io, shards)
    }

    pub fn kafka() -> Setup {
        Setup::new(Peer::Kafka, "jvm", 0)
    }

    fn new(peer: Peer, io: &'static str, shards: u32) -> Setup {
        Setup {
            peer,
            io,
            shards,
            overrides: Vec::new(),
            listeners: Vec::new(),
            format: Vec::new(),
            descriptors: None,
            processors: Vec::new(),
            java_options: None,
            variables: Vec::new(),
            binary: None,
        }
    }

    pub fn with(mut self, overrides: &[(&str, &str)]) -> Setup {
        self.overrides.extend(overrides.iter().map(|(k, v)| (k.to_string(), v.to_string())));
        self
    }

    /// With these listeners, by name and protocol, beside PLAINTEXT.
    pub fn listening(mut self, listeners: &[(&'static str, &'static str)]) -> Setup {
        self.listeners.extend(listeners);
        self
    }

    /// With a directory that the broker's own tool has formatted with these arguments.
    pub fn formatted(mut self, arguments: &[&'static str]) -> Setup {
        self.format.extend(arguments);
        self
    }

    pub fn on(mut self, processors: &[usize]) -> Setup {
        self.processors = processors.to_vec();
        self
    }

    /// What has a fallback runs without it on the plainer back end, so that the suites see both.
    fn without_fast_paths(&self) -> &'static [(&'static str, &'static str)] {
        let without = &[("klamm.tail.buffer.bytes", "0"), ("klamm.copy.max.bytes", "2147483647")];
        if self.io == "epoll" { without } else { &[] }
    }

    /// The node's number: what a test sets, else 1.
    fn node_id(&self) -> &str {
        let set = self.overrides.iter().rev().find(|(key, _)| key == "node.id");
        set.map_or("1", |(_, value)| value)
    }

    pub fn name(&self) -> String {
        match self.peer {
            Peer::Klamm => format!("{}-{}", self.io, self.shards),
            Peer::Kafka => "kafka".into(),
        }
    }
}

/// Every line that the broker has written, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// What a failure shows of it: the first errors and the last lines.
    pub fn excerpt(&self, name: &str) -> String {
        let lines = self.lines();
        let (earlier, tail) = lines.split_at(lines.len().saturating_sub(LOG_TAIL));
        let errors = earlier.iter().filter(|line| tells_of_error(line)).take(LOG_ERRORS);
        let shown: String = errors.chain(tail).map(|line| format!("    {line}\n")).collect();
        format!("---- log of the broker {name}, first errors and last {LOG_TAIL} of {} lines\n{shown}", lines.len())
    }
}

/// A running (or killed) broker.
pub struct Broker {
    setup: Setup,
    directory: tempfile::TempDir,
    child: Option<Child>,
    log: Log,
    reader: Option<thread::JoinHandle<()>>,
    /// Where clients find it: `reserved`, unless the test's own listeners say otherwise.
    port: u16,
    reserved: Port,
    /// The ports of the listeners beside PLAINTEXT, in the order of the setup.
    doors: Vec<Port>,
    /// For Apache Kafka's controller.
    controller: Port,
    /// The one server.properties of a directory that moves between brokers.
    properties: Option<PathBuf>,
    /// When the process was started last.
    launched: Instant,
    good: bool,
}

impl Broker {
    /// A broker that has not been started, with a directory and ports of its own.
    fn new(setup: &Setup) -> Result<Broker> {
        let reserved = Port::reserve()?;
        Ok(Broker {
            setup: setup.clone(),
            directory: tempfile::Builder::new().prefix("klamm-compat-").tempdir()?,
            child: None,
            log: Log::default(),
            reader: None,
            port: reserved.number(),
            reserved,
            doors: setup.listeners.iter().map(|_| Port::reserve()).collect::<Result<_>>()?,
            controller: Port::reserve()?,
            properties: None,
            launched: Instant::now(),
            good: false,
        })
    }

    /// Starts a broker on a directory of its own and waits until it serves.
    pub fn start(setup: &Setup) -> Result<Broker> {
        if !setup.format.is_empty() {
            return Broker::start_formatted_with(setup, &setup.format);
        }
        let mut broker = Broker::new(setup)?;
        if setup.peer == Peer::Kafka {
            copy_tree(&kafka_template()?, &broker.data())?;
            let meta = broker.data().join("meta.properties");
            let text = fs::read_to_string(&meta)?.replace("node.id=1", &format!("node.id={}", setup.node_id()));
            fs::write(meta, text)?;
        }
        broker.launch()?;
        Ok(broker)
    }

    /// Starts a broker on a directory that its own tool has formatted with these arguments.
    pub fn start_formatted_with(setup: &Setup, arguments: &[&str]) -> Result<Broker> {
        let mut broker = Broker::new(setup)?;
        let mut format = match setup.peer {
            Peer::Klamm => {
                let mut command = klamm::command(&["format"])?;
                command.args(["--override", &format!("log.dirs={}", broker.data().display())]);
                command.args(["--override", &format!("node.id={}", setup.node_id())]);
                command
            }
            Peer::Kafka => {
                drop(broker.kafka_command()?); // it writes the properties
                let file = broker.directory.path().join("server.properties").display().to_string();
                program::java("kafka.tools.StorageTool", &["format", "--config", &file])
            }
        };
        format.args(["--cluster-id", CLUSTER_ID]).args(arguments);
        program::run(format, program::Input::Nothing)?;
        broker.launch()?;
        Ok(broker)
    }

    /// Starts a broker on a directory that other brokers will get, too: they all read the same server.properties, which is
    /// that of Apache Kafka's download. A directory for Apache Kafka is formatted by its own tool first.
    pub fn start_shared(setup: &Setup, quorum: Quorum) -> Result<Broker> {
        let formatted = (setup.peer == Peer::Kafka).then_some(None);
        Broker::start_on_shared(setup, quorum, formatted)
    }

    /// The same, on a directory that Apache Kafka's tool has formatted (for this release, where one is named), whether Klamm
    /// or Apache Kafka starts on it.
    pub fn start_formatted(setup: &Setup, quorum: Quorum, release: Option<&str>) -> Result<Broker> {
        Broker::start_on_shared(setup, quorum, Some(release))
    }

    /// Starts a broker with a server.properties, in whose text `@DATA@` and `@CONTROLLER@` stand for a directory and a port of its
    /// own, `@NAME@` for the port of the setup's listener of that name; the directory is formatted with `setup.format`.
    pub fn start_on_file(setup: &Setup, text: &str) -> Result<Broker> {
        let mut broker = Broker::on_file(setup, text)?;
        let path = broker.scratch("server.properties").display().to_string();
        let mut format = match setup.peer {
            Peer::Klamm => klamm::command(&[])?,
            Peer::Kafka => program::java("kafka.tools.StorageTool", &[]),
        };
        format.args(["format", "--cluster-id", CLUSTER_ID, "--config", &path]).args(&setup.format);
        format.envs(setup.variables.clone());
        program::run(format, program::Input::Nothing)?;
        broker.launch()?;
        Ok(broker)
    }

    fn on_file(setup: &Setup, text: &str) -> Result<Broker> {
        let mut broker = Broker::new(setup)?;
        let file = broker.scratch("server.properties");
        let mut text = text.replace("@DATA@", &broker.data().display().to_string());
        text = text.replace("@CONTROLLER@", &broker.controller.number().to_string());
        for ((name, _), port) in setup.listeners.iter().zip(&broker.doors) {
            text = text.replace(&format!("@{name}@"), &port.number().to_string());
        }
        setup.overrides.iter().for_each(|(key, value)| text += &format!("{key}={value}\n"));
        fs::write(&file, text)?;
        broker.properties = Some(file);
        Ok(broker)
    }

    fn start_on_shared(setup: &Setup, quorum: Quorum, formatted: Option<Option<&str>>) -> Result<Broker> {
        let mut broker = Broker::new(setup)?;
        let file = broker.scratch("server.properties");
        let mut text = stock_properties(broker.port, broker.controller.number(), &broker.data(), quorum);
        setup.overrides.iter().for_each(|(key, value)| text += &format!("{key}={value}\n"));
        fs::write(&file, text)?;
        if let Some(release) = formatted {
            let path = file.display().to_string();
            let mut arguments = vec!["format", "--cluster-id", CLUSTER_ID, "--config", &path];
            arguments.extend((quorum == Quorum::Dynamic).then_some("--standalone"));
            arguments.extend(release.into_iter().flat_map(|release| ["--release-version", release]));
            program::run(program::java("kafka.tools.StorageTool", &arguments), program::Input::Nothing)?;
        }
        broker.properties = Some(file);
        broker.launch()?;
        Ok(broker)
    }

    /// Starts another broker on the directory of the one that has ended.
    pub fn hand_over(&mut self, to: &Setup) -> Result<()> {
        ensure!(self.child.is_none(), "the broker still runs");
        ensure!(self.properties.is_some(), "the directory has no configuration that both understand");
        self.setup = to.clone();
        self.launch()
    }

    fn launch(&mut self) -> Result<()> {
        let mut command = match (self.setup.peer, &self.properties) {
            (Peer::Klamm, None) => self.klamm_command()?,
            (Peer::Klamm, Some(file)) => self.klamm_command_with(file)?,
            (Peer::Kafka, None) => self.kafka_command()?,
            (Peer::Kafka, Some(file)) => kafka_command_with(file),
        };
        let (output, writer) = std::io::pipe()?;
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).current_dir(self.directory.path());
        program::die_with_us(&mut command);
        program::hold_to(&mut command, &self.setup.processors);
        command.envs(self.setup.variables.clone());
        if let Some(options) = &self.setup.java_options {
            command.env(if self.setup.peer == Peer::Klamm { "KAFKA_OPTS" } else { "JAVA_TOOL_OPTIONS" }, options);
        }
        self.launched = Instant::now();
        self.child = Some(command.spawn().with_context(|| format!("cannot start {command:?}"))?);
        drop(command); // it holds the pipe's other end
        let (sender, lines) = mpsc::channel();
        let log = self.log.clone();
        self.reader = Some(thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(std::result::Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                log.0.lock().unwrap().push(line.clone());
                let _ = sender.send(line); // nobody listens any more once the broker serves
            }
        }));
        self.wait_until_started(lines)
    }

    fn wait_until_started(&mut self, lines: mpsc::Receiver<String>) -> Result<()> {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if self.doors.is_empty() {
                        self.port = bound_port(&line).unwrap_or(self.port);
                    }
                    if line.contains(STARTED) {
                        return Ok(());
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => bail!("no line `{STARTED}` within {START_WITHIN:?}"),
                Err(mpsc::RecvTimeoutError::Disconnected) => bail!("the broker ended before it served"),
            }
        }
    }

    fn klamm_command_with(&self, properties: &Path) -> Result<Command> {
        let mut command = klamm::command(&[])?;
        command.arg(properties);
        command.arg("--override").arg(format!("klamm.io={}", self.setup.io));
        command.arg("--override").arg(format!("klamm.shards={}", self.setup.shards));
        for (key, value) in self.setup.without_fast_paths() {
            command.arg("--override").arg(format!("{key}={value}"));
        }
        Ok(command)
    }

    fn klamm_command(&self) -> Result<Command> {
        let mut command = match &self.setup.binary {
            Some(binary) => klamm::command_of(binary, &[]),
            None => klamm::command(&[])?,
        };
        let mut set = |key: &str, value: &str| {
            command.arg("--override").arg(format!("{key}={value}"));
        };
        set("listeners", &self.listeners());
        set("log.dirs", &self.data().display().to_string());
        set("klamm.io", self.setup.io);
        set("klamm.shards", &self.setup.shards.to_string());
        self.setup.without_fast_paths().iter().for_each(|(key, value)| set(key, value));
        self.protocols().iter().for_each(|(key, value)| set(key, value));
        self.setup.overrides.iter().for_each(|(key, value)| set(key, value));
        if let Some(descriptors) = self.setup.descriptors {
            limit_descriptors(&mut command, descriptors);
        }
        Ok(command)
    }

    fn kafka_command(&self) -> Result<Command> {
        let controller = self.controller.number();
        let mut properties = format!(
            "process.roles=broker,controller\nnode.id={0}\ncontroller.quorum.voters={0}@127.0.0.1:{controller}\n\
             listeners={1},CONTROLLER://127.0.0.1:{controller}\n\
             controller.listener.names=CONTROLLER\nlog.dirs={2}\noffsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n",
            self.setup.node_id(),
            self.listeners(),
            self.data().display()
        );
        self.protocols().iter().for_each(|(key, value)| properties += &format!("{key}={value}\n"));
        self.setup.overrides.iter().for_each(|(key, value)| properties += &format!("{key}={value}\n"));
        let file = self.directory.path().join("server.properties");
        fs::write(&file, properties)?;
        Ok(kafka_command_with(&file))
    }

    /// The value of `listeners`, without Apache Kafka's controller.
    fn listeners(&self) -> String {
        let more = self.setup.listeners.iter().zip(&self.doors);
        let more = more.map(|((name, _), port)| format!(",{name}://127.0.0.1:{}", port.number()));
        format!("PLAINTEXT://127.0.0.1:{}{}", self.reserved.number(), more.collect::<String>())
    }

    /// What the listeners speak, where there are others than PLAINTEXT; brokers would speak to each other over that one.
    fn protocols(&self) -> Vec<(&'static str, String)> {
        if self.setup.listeners.is_empty() {
            return Vec::new();
        }
        let more = self.setup.listeners.iter().map(|(name, protocol)| format!(",{name}:{protocol}"));
        let map = format!("PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{}", more.collect::<String>());
        vec![("listener.security.protocol.map", map), ("inter.broker.listener.name", "PLAINTEXT".into())]
    }

    /// How long ago the process was started.
    pub fn age(&self) -> Duration {
        self.launched.elapsed()
    }

    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port of a listener; PLAINTEXT is the one that every broker has.
    pub fn port_of(&self, listener: &str) -> u16 {
        let at = self.setup.listeners.iter().position(|(name, _)| *name == listener);
        at.map_or(self.port, |at| self.doors[at].number())
    }

    /// The address of a listener.
    pub fn address(&self, listener: &str) -> String {
        format!("127.0.0.1:{}", self.port_of(listener))
    }

    /// The directory with the broker's logs.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A place for a test's own files that vanishes with the broker.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the broker runs").id()
    }

    /// The log, which can be read while the broker is another thread's.
    pub fn log(&self) -> Log {
        self.log.clone()
    }

    pub fn log_text(&self) -> String {
        self.log.lines().join("\n")
    }

    /// Fails unless the process lives and has not complained about itself.
    pub fn assert_alive(&mut self) -> Result<()> {
        let child = self.child.as_mut().context("the broker was stopped")?;
        if let Some(status) = child.try_wait()? {
            bail!("the broker died: {status}");
        }
        self.assert_no_panic()
    }

    fn assert_no_panic(&self) -> Result<()> {
        match self.log.lines().iter().find(|line| line.contains("panicked")) {
            Some(line) => bail!("the broker panicked: {line}"),
            None => Ok(()),
        }
    }

    /// Resident memory now, without the pages of files that it maps.
    pub fn resident_bytes(&self) -> Result<u64> {
        status_bytes(self.pid(), "RssAnon:")
    }

    /// All resident memory now, as `ps` shows it.
    pub fn rss_bytes(&self) -> Result<u64> {
        status_bytes(self.pid(), "VmRSS:")
    }

    /// The largest address space so far: it shows memory that was asked for and never touched.
    pub fn peak_address_space_bytes(&self) -> Result<u64> {
        status_bytes(self.pid(), "VmPeak:")
    }

    /// Processor time that the process has used, user and system.
    pub fn processor_time(&self) -> Result<Duration> {
        processor_time(self.pid())
    }

    pub fn kill9(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the broker was stopped")?;
        signal(child.id(), libc::SIGKILL);
        child.wait()?;
        self.join_reader();
        Ok(())
    }

    /// Changes a setting for the next start.
    pub fn reconfigure(&mut self, key: &str, value: &str) {
        self.setup.overrides.retain(|(known, _)| known != key);
        self.setup.overrides.push((key.to_string(), value.to_string()));
    }

    /// A start that the broker must refuse, in a line with this text.
    pub fn restart_refused(&mut self, text: &str) -> Result<()> {
        let before = self.log.lines().len();
        ensure!(self.restart().is_err(), "it started, but should have refused: {text}");
        self.kill9()?;
        let said = self.log.lines()[before..].join("\n");
        ensure!(said.contains(text), "it did not say `{text}` but\n{said}");
        Ok(())
    }

    /// Starts again on the same directory and port.
    pub fn restart(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "the broker still runs");
        self.launch()
    }

    /// SIGTERM, then a clean end within the time that the broker promises.
    pub fn stop(&mut self) -> Result<()> {
        // Where virtual machines start and stop beside it, or other suites work the disk, the time says nothing about it.
        let is_alone = self.properties.is_none() && std::env::var_os("KLAMM_BESIDE").is_none();
        let is_judged = self.setup.peer == Peer::Klamm && is_alone;
        let limit = if is_judged { KLAMM_STOPS_WITHIN } else { KAFKA_STOPS_WITHIN };
        let took = self.stop_patiently()?;
        ensure!(took <= limit, "SIGTERM took {took:?}, promised is {limit:?}");
        Ok(())
    }

    /// SIGTERM, then a clean end; how long it took. Under load what is under way has to reach the platter first.
    pub fn stop_patiently(&mut self) -> Result<Duration> {
        self.assert_alive()?;
        let child = self.child.as_mut().context("the broker was stopped")?;
        let asked = Instant::now();
        signal(child.id(), libc::SIGTERM);
        let status = program::wait_within(child, KAFKA_STOPS_WITHIN).context("SIGTERM")?;
        self.child = None;
        let took = asked.elapsed();
        self.join_reader();
        // The JVM reports the signal as 128 + 15 although it ran its shutdown hooks.
        let clean = status.code() == Some(0) || (self.setup.peer == Peer::Kafka && status.code() == Some(143));
        ensure!(clean, "SIGTERM ended the broker with {status}");
        self.assert_no_panic()?;
        Ok(took)
    }

    /// The end of a test that went well: a clean stop; the directory goes to `keep` for the final look at all files.
    pub fn finish(mut self, keep: Option<&Path>) -> Result<()> {
        if self.child.is_some() {
            self.stop()?;
        }
        if let Some(keep) = keep {
            fs::rename(self.data(), keep).or_else(|_| copy_tree(&self.data(), keep))?;
        }
        self.good = true;
        Ok(())
    }

    fn join_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(child.id(), libc::SIGKILL);
            let _ = child.wait();
        }
        self.join_reader();
        if !self.good {
            eprint!("{}", self.log.excerpt(&self.setup.name()));
        }
    }
}

/// How a directory's metadata quorum knows its voters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quorum {
    /// `controller.quorum.voters`; kraft.version 0.
    Static,
    /// Voters in the log (`kafka-storage format --standalone`); kraft.version 1.
    Dynamic,
}

/// The server.properties of Apache Kafka's download for a single node, on ports and a directory of the test's own. Records are kept
/// for ever: those of the tests are old, and a retention of a week takes them away where a broker lives until its first look.
fn stock_properties(port: u16, controller: u16, data: &Path, quorum: Quorum) -> String {
    let voters = match quorum {
        Quorum::Static => format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        Quorum::Dynamic => format!("controller.quorum.bootstrap.servers=127.0.0.1:{controller}"),
    };
    format!(
        "process.roles=broker,controller\nnode.id=1\n{voters}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         inter.broker.listener.name=PLAINTEXT\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,\
         SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\n\
         num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n\
         socket.receive.buffer.bytes=102400\nsocket.request.max.bytes=104857600\nlog.dirs={}\nnum.partitions=1\n\
         num.recovery.threads.per.data.dir=1\noffsets.topic.replication.factor=1\n\
         share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\nlog.retention.ms=-1\n\
         log.segment.bytes=1073741824\nlog.retention.check.interval.ms=300000\n",
        data.display()
    )
}

fn limit_descriptors(command: &mut Command, descriptors: u32) {
    let limit = libc::rlimit { rlim_cur: descriptors.into(), rlim_max: descriptors.into() };
    let set = move || {
        // SAFETY: the pointer is to a live `rlimit`; the call is one that may be made between fork and exec.
        match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: the closure allocates nothing and takes no lock.
    unsafe { command.pre_exec(set) };
}

fn kafka_command_with(properties: &Path) -> Command {
    let mut command = Command::new("java");
    command.args(kafka_flags()).arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=info");
    // What a failure shows of the log can be put beside the time of the call that failed.
    command.arg("-Dorg.slf4j.simpleLogger.showDateTime=true");
    command.arg("-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS");
    command.args(["-cp", &cache::kafka_class_path(), "kafka.Kafka"]).arg(properties);
    command
}

fn tells_of_error(line: &str) -> bool {
    [" ERROR ", " FATAL ", "Exception: "].iter().any(|word| line.contains(word))
}

/// The port in a line with `address=127.0.0.1:PORT`.
fn bound_port(line: &str) -> Option<u16> {
    let rest = &line[line.find(ADDRESS)? + ADDRESS.len()..];
    let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
    digits.parse().ok()
}

/// Apache Kafka's own start script gives it a gigabyte and G1; tests are content with less.
fn kafka_flags() -> Vec<String> {
    match std::env::var("KLAMM_KAFKA_FLAGS") {
        Ok(flags) => flags.split_whitespace().map(str::to_string).collect(),
        Err(_) => ["-Xmx768m", "-XX:+UseSerialGC", "-Xshare:auto"].map(str::to_string).to_vec(),
    }
}

/// A directory as Apache Kafka's own storage tool formats it, made once for all brokers of this process. Its
/// `bootstrap.checkpoint` holds the features of this release: without it there would be no consumer protocol.
fn kafka_template() -> Result<PathBuf> {
    static TEMPLATE: OnceLock<std::result::Result<(tempfile::TempDir, PathBuf), String>> = OnceLock::new();
    let made = TEMPLATE.get_or_init(|| format_kafka().map_err(|error| format!("{error:#}")));
    match made {
        Ok((_, folder)) => Ok(folder.clone()),
        Err(error) => bail!("cannot format a directory for Apache Kafka: {error}"),
    }
}

fn format_kafka() -> Result<(tempfile::TempDir, PathBuf)> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("data");
    let properties = directory.path().join("server.properties");
    let text = "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:19093\n\
                listeners=PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093\ncontroller.listener.names=CONTROLLER\n";
    fs::write(&properties, format!("{text}log.dirs={}\n", data.display()))?;
    let file = properties.display().to_string();
    let arguments = ["format", "--cluster-id", CLUSTER_ID, "--config", &file];
    program::run(program::java("kafka.tools.StorageTool", &arguments), program::Input::Nothing)?;
    Ok((directory, data))
}

/// Sends a signal to a process that this test started.
pub fn signal(pid: u32, signal: libc::c_int) {
    // SAFETY: kill takes two integers and touches no memory of ours.
    unsafe { libc::kill(pid as libc::pid_t, signal) };
}

fn status_bytes(pid: u32, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(field)).context("no such field in /proc/PID/status")?;
    let kib: u64 = line[field.len()..].trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// utime + stime of a process, from `/proc/PID/stat`.
pub fn processor_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in parentheses and may hold anything; count from its end.
    let rest = &stat[stat.rfind(')').context("no name in /proc/PID/stat")? + 2..];
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    // SAFETY: sysconf takes an integer and touches no memory of ours.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as u64;
    Ok(Duration::from_millis(ticks * 1000 / per_second))
}

/// For when the place to keep is on another file system than the directory.
fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_in_a_log_line() {
        assert_eq!(bound_port("INFO listener=PLAINTEXT address=127.0.0.1:34567"), Some(34567));
        assert_eq!(bound_port("Kafka Server started address=127.0.0.1:80 more"), Some(80));
        assert_eq!(bound_port("Kafka Server started"), None);
        assert_eq!(bound_port("address=127.0.0.1:x"), None);
    }
}
