//! Stories: text files under `testdata/` of commands to a coordinator and, below a line of dashes, what it answers,
//! writes and waits for. `UPDATE=1` writes what is true into them.
//!
//! A command is a word and arguments `name=value`; the modules of the protocols bring their own. Ids that the
//! coordinator gives out are 1, 2, 3, ...; the member id `c-00000000-0000-0000-0000-000000000001` is written `c#1`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::groups::{ListFilter, Timer, TimerKey};
use super::record::offsets::{Key, Value};
use super::step::{Record, Reply, Waiter};
use super::world::{EPOCH_MS, Topic, World};
use super::{classic, consumer, offsets};
use crate::model::{Instant, Uuid};

/// A command of a story. All arguments must be asked for.
pub struct Command {
    pub name: String,
    arguments: BTreeMap<String, String>,
}

impl Command {
    fn parse(line: &str) -> Command {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default().to_string();
        let argument = |word: &str| {
            let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("not name=value: {word} in: {line}"));
            (name.to_string(), expand(value))
        };
        Command { name, arguments: words.map(argument).collect() }
    }

    pub fn optional(&self, name: &str) -> Option<&str> {
        self.arguments.get(name).map(String::as_str)
    }

    pub fn text(&self, name: &str) -> &str {
        self.optional(name).unwrap_or_else(|| panic!("{} needs {name}=", self.name))
    }

    pub fn text_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.optional(name).unwrap_or(default)
    }

    pub fn number<N: std::str::FromStr>(&self, name: &str, default: N) -> N {
        let parse = |text: &str| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number"));
        self.optional(name).map_or(default, parse)
    }

    /// `name=a,b,c`
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.optional(name).map(|list| list.split(',').filter(|one| !one.is_empty()).collect()).unwrap_or_default()
    }

    /// `as=3`: who waits.
    pub fn waiter(&self) -> Waiter {
        Waiter { shard: 0, key: self.number("as", 0) }
    }
}

/// `c#1` is the id of the member of client c that got the first id.
fn expand(text: &str) -> String {
    let mut parts = text.split('#');
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let id: u64 = part[..digits].parse().unwrap_or_else(|_| panic!("no number after # in {text}"));
        let id = classic::uuid_text(Uuid(u128::from(id).to_be_bytes()));
        write!(out, "-{id}{}", &part[digits..]).unwrap();
    }
    out
}

/// The other way round.
pub fn shorten(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("-00000000-0000-0000-0000-") {
        let id = u64::from_str_radix(&rest[at + 25..at + 37], 16).unwrap();
        write!(out, "{}#{id}", &rest[..at]).unwrap();
        rest = &rest[at + 37..];
    }
    out + rest
}

/// Bytes as a story shows them.
pub fn bytes(bytes: &[u8]) -> String {
    match classic::story::subscription(bytes) {
        Some(topics) => format!("[{}]", topics.join("+")),
        None if bytes.is_empty() => "-".into(),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn seconds(at: Instant) -> String {
    format!("{}s", at.0 as f64 / 1e9)
}

fn timer(key: &TimerKey) -> String {
    match &key.timer {
        Timer::Classic(timer) => format!("{} {timer:?}", key.group_id),
        Timer::Consumer(timer) => format!("{} {timer:?}", key.group_id),
    }
}

fn record(record: &Record) -> String {
    let key = Key::decode(&record.key).unwrap().unwrap();
    let value = record.value.as_ref().map(|value| Value::decode(key.type_id(), value).unwrap().unwrap());
    if let Some(told) = consumer::story::record(&key, value.as_ref().map(|(value, _)| value)) {
        return told;
    }
    let Some((value, version)) = value else { return format!("tombstone {key:?}") };
    let value = match &value {
        Value::GroupMetadata(value) => classic::story::group_metadata(value),
        Value::OffsetCommit(value) => offsets::story::offset_commit(value),
        other => format!("{other:?}"),
    };
    format!("record {key:?} v{version} {value}")
}

fn reply((waiter, reply): &(Waiter, Reply)) -> String {
    let reply = match reply {
        Reply::Join(reply) => classic::story::join_reply(reply),
        Reply::Sync(reply) => classic::story::sync_reply(reply),
    };
    format!("reply to {}: {reply}", waiter.key)
}

/// What every coordinator understands.
fn run_any(world: &mut World, command: &Command) -> Option<String> {
    match command.name.as_str() {
        "wait" => world.wait(Duration::from_millis(command.number("ms", 0))),
        "restart" => world.restart(),
        "settings" => set(world, command),
        "topic" => {
            let racks = |partition: &str| partition.split('+').filter(|r| !r.is_empty()).map(str::to_string).collect();
            let mut partitions: Vec<_> = command.list("racks").into_iter().map(racks).collect();
            partitions.resize_with(command.number("partitions", partitions.len()), Default::default);
            world.cluster.version += 1;
            let id = command.number("id", world.cluster.topics.len() as u128 + 1);
            let topic = Topic { id: Uuid(id.to_be_bytes()), partitions };
            world.cluster.topics.insert(command.text("name").to_string(), topic);
        }
        "list" => {
            let words = |name: &str| command.list(name).into_iter();
            let listed = world.groups.list(&ListFilter::new(words("states"), words("types")));
            return Some(listed.iter().map(|line| format!("{line:?}\n")).collect());
        }
        "delete" => {
            let group = command.text("group");
            return Some(format!("{:?}\n", world.step(|groups, step| groups.delete_group(step, group))));
        }
        _ => return None,
    }
    Some(String::new())
}

fn set(world: &mut World, command: &Command) {
    let millis = |name: &str, of: &mut Duration| {
        *of = Duration::from_millis(command.number(name, of.as_millis() as u64));
    };
    let settings = &mut world.settings;
    millis("initial_delay_ms", &mut settings.initial_rebalance_delay);
    millis("retention_ms", &mut settings.offsets_retention);
    settings.max_size = command.number("max_size", settings.max_size);
    settings.consumer_max_size = command.number("consumer_max_size", settings.consumer_max_size);
    settings.offset_metadata_max_bytes = command.number("metadata_max", settings.offset_metadata_max_bytes);
}

/// Runs a command and gives its answer, if it has one at once.
pub fn execute(world: &mut World, line: &str) -> String {
    let command = Command::parse(line);
    let runners = [run_any, classic::story::run, consumer::story::run, offsets::story::run];
    let answer = runners.iter().find_map(|run| run(world, &command));
    answer.unwrap_or_else(|| panic!("unknown command: {line}"))
}

/// Runs a command and tells what has changed.
fn run(world: &mut World, line: &str) -> String {
    let (timers, written, replied) = (world.timers(), world.log.len(), world.replies.len());
    let mut out = execute(world, line);
    for written in &world.log[written..] {
        writeln!(out, "{}", record(written)).unwrap();
    }
    for answered in &world.replies[replied..] {
        writeln!(out, "{}", reply(answered)).unwrap();
    }
    let now = world.timers();
    for key in timers.keys().filter(|key| !now.contains_key(key)) {
        writeln!(out, "no timer {}", timer(key)).unwrap();
    }
    for (key, at) in now.iter().filter(|(key, at)| timers.get(key) != Some(at)) {
        writeln!(out, "timer {} at {}", timer(key), seconds(*at)).unwrap();
    }
    shorten(&out)
}

/// Runs a story and gives it back as it should be.
pub fn told(text: &str) -> String {
    let mut world = World::default();
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        writeln!(out, "{line}").unwrap();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if lines.peek() == Some(&"----") {
            while lines.next_if(|line| !line.is_empty()).is_some() {}
        }
        write!(out, "----\n{}", run(&mut world, line)).unwrap();
    }
    out
}

/// A file says what is true, or `UPDATE=1` makes it so.
pub fn check(path: &std::path::Path, truth: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, truth).unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text, truth, "{}: UPDATE=1 writes what is true", path.display());
}

#[test]
fn stories_are_true() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/coordinator/testdata");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "story") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        check(&path, &told(&text));
        count += 1;
    }
    assert!(count > 0, "there are stories");
    assert_eq!(EPOCH_MS, World::default().wall(), "stories begin at this time");
}
