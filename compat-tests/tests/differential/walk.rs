//! The walk: each state of a transactional id × each request × producer id and epoch right and wrong. One line of a script
//! is one cell:
//!
//! `cell STATE TOPIC COMMAND ...` brings a new transactional id into the state, gives the command (of `transactions.rs` or
//! `offsets.rs`), and shows what it has led to: the coordinator's state, what a read_committed consumer is told of the
//! partition, the group's offsets, and the producer id that the transactional id gets next, which ends every transaction.
//!
//! In commands `ID` is the cell's transactional id, `OTHER` one of another producer, `W` the partition, `G` a group. Ids,
//! offsets and groups are the cell's own, so that a difference in one cell makes none in the next.

use crate::session::Session;
use compat_tests::transactional;
use compat_tests::{Context, Result};

/// How a state is reached. Each but the first begins with epoch 1, so that there is an older one.
pub const STATES: &[(&str, &[&str])] = &[
    ("none", &[]),
    ("empty", &["init ID", "init ID"]),
    ("recovered", &["init ID", "init ID", "init ID pid=right epoch=right"]),
    ("ongoing_1", &["init ID", "init ID", "add ID W v=3", "send ID W v=11"]),
    ("ongoing_2", &["init ID", "init ID", "send ID W v=12"]),
    ("offsets_1", &["init ID", "init ID", "add-offsets ID G v=4", "commit-offsets ID G W@5 v=4"]),
    ("offsets_2", &["init ID", "init ID", "commit-offsets ID G W@5 v=5"]),
    ("committed_1", &["init ID", "init ID", "add ID W v=3", "send ID W v=11", "end ID commit v=4"]),
    ("committed_2", &["init ID", "init ID", "send ID W v=12", "end ID commit v=5"]),
    ("aborted_1", &["init ID", "init ID", "add ID W v=3", "send ID W v=11", "end ID abort v=4"]),
    ("aborted_2", &["init ID", "init ID", "send ID W v=12", "end ID abort v=5"]),
    ("aborted_empty", &["init ID", "init ID", "end ID abort v=5"]),
    ("fenced", &["init ID", "init ID", "send ID W v=12", "init ID once", "settle ID"]),
];

/// Requests that are made in a producer's name, in the form of each transaction version.
const REQUESTS: &[&str] = &[
    "init ID v=5",
    "add ID W v=1",
    "add ID W v=3",
    "add ID W v=5",
    "add ID verify W v=5",
    "add-offsets ID G v=1",
    "add-offsets ID G v=4",
    "commit-offsets ID G W@7 v=4",
    "commit-offsets ID G W@7 v=5",
    "commit-offsets ID G W@7 v=6",
    "send ID W v=11",
    "send ID W v=12",
    "end ID commit v=4",
    "end ID abort v=4",
    "end ID commit v=5",
    "end ID abort v=5",
    "mark ID commit W v=1",
    "mark ID abort W v=1",
    "mark ID commit W v=2 tv=2",
    "mark ID abort W v=2 tv=2",
];
const PRODUCER_IDS: &[&str] = &["right", "OTHER"];
const EPOCHS: &[&str] = &["right", "right-1", "right+1"];
/// So many partitions, should one be left with a transaction that nothing ends.
const PARTITIONS: i32 = 2;

/// Those that are asked again where the broker has another transaction version: in them it could matter. The last ones have
/// the form of version 2.
const AT_LEVELS: &[&str] = &[
    "init ID v=5",
    "add ID W v=3",
    "commit-offsets ID G W@7 v=4",
    "send ID W v=11",
    "end ID commit v=4",
    "end ID abort v=4",
    "commit-offsets ID G W@7 v=5",
    "send ID W v=12",
    "end ID commit v=5",
    "end ID abort v=5",
];
const OF_FIRST: usize = 6;

/// The states that an id can be in at a level of `transaction.version`: at level 0 those to which no step of version 2 leads.
pub fn states_at(level: i16) -> impl Iterator<Item = &'static str> {
    let is_of_first = |steps: &[&str]| !steps.iter().any(|step| step.contains("v=12") || step.contains("v=5"));
    STATES.iter().filter(move |(_, steps)| level > 0 || is_of_first(steps)).map(|(name, _)| *name)
}

/// All cells of a state.
pub fn script(state: &str) -> String {
    let identities = PRODUCER_IDS.iter().flat_map(|pid| EPOCHS.iter().map(move |epoch| (*pid, *epoch)));
    cells(state, &format!("walk-{state}"), REQUESTS, &identities.collect::<Vec<_>>())
}

/// The cells of a state at a level of `transaction.version`.
pub fn script_at(level: i16, state: &str) -> String {
    let identities = EPOCHS.iter().map(|epoch| ("right", *epoch)).chain([("OTHER", "right")]);
    let requests = if level > 0 { AT_LEVELS } else { &AT_LEVELS[..OF_FIRST] };
    cells(state, &format!("walk-{state}-{level}"), requests, &identities.collect::<Vec<_>>())
}

fn cells(state: &str, topic: &str, requests: &[&str], identities: &[(&str, &str)]) -> String {
    let mut lines = vec![format!("topic {topic} partitions={PARTITIONS}"), "coordinators all".into()];
    lines.push(format!("cell {state} {topic} init ID v=5 once"));
    lines.push(format!("cell {state} {topic} init ID v=5"));
    for request in requests {
        for (pid, epoch) in identities {
            lines.push(format!("cell {state} {topic} {request} pid={pid} epoch={epoch}"));
        }
    }
    lines.join("\n")
}

/// A script with topics of its own: those that it makes have names that end so.
pub fn renamed(script: &str, suffix: &str) -> String {
    let made: Vec<&str> = script.lines().filter_map(|line| line.strip_prefix("topic ")?.split(' ').next()).collect();
    let rename = |word: &str| {
        let (name, rest) = word.find(':').map_or((word, ""), |at| word.split_at(at));
        if made.contains(&name) { format!("{name}{suffix}{rest}") } else { word.to_string() }
    };
    let lines = script.lines().map(|line| line.split(' ').map(rename).collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

impl Session {
    pub fn cell(&mut self, state: &str, rest: &[&str]) -> Result<()> {
        let (topic, request) = rest.split_first().context("no topic")?;
        let (_, steps) = STATES.iter().find(|(name, _)| *name == state).with_context(|| format!("no state {state}"))?;
        let partition = (topic.to_string(), self.transactions.partition);
        self.forget_names();
        self.transactions.cells += 1;
        let end = self.raw.offset(topic, partition.1, -1)?.1;
        self.transactions.bases.insert(partition.clone(), end);
        self.step("init OTHER", &partition)?;
        for step in steps.iter() {
            self.step(step, &partition)?;
        }
        let is_of_offsets = request.iter().chain(steps.iter()).any(|word| word.contains("offsets"));
        self.step(&request.join(" "), &partition)?;
        self.step("settle ID", &partition)?;
        self.step("txn ID", &partition)?;
        self.step("read W", &partition)?;
        if is_of_offsets {
            self.step("offsets G W", &partition)?;
            self.step("offsets G stable W", &partition)?;
        }
        self.step("init ID", &partition)?;
        self.step("settle ID", &partition)?;
        if is_of_offsets {
            self.step("offsets G stable W", &partition)?;
        }
        let found = transactional::fetch(&mut self.raw, 12, &partition, end, 1)?;
        if found.last_stable_offset != found.high_watermark && partition.1 < PARTITIONS - 1 {
            self.say("a transaction stays open");
            self.transactions.partition += 1;
        }
        Ok(())
    }

    /// One command of a cell; it is shown, so that a difference tells where it begins.
    fn step(&mut self, command: &str, partition: &(String, i32)) -> Result<()> {
        let cell = self.transactions.cells;
        let place = format!("{}:{}", partition.0, partition.1);
        let name = |word: &str| match word.split_once('@').unwrap_or((word, "")) {
            ("ID", _) => format!("c{cell}"),
            ("OTHER", _) => format!("o{cell}"),
            ("pid=OTHER", _) => format!("pid=o{cell}"),
            ("G", _) => format!("{}-g{cell}", self.name),
            ("W", "") => place.clone(),
            ("W", offset) => format!("{place}@{offset}"),
            _ => word.to_string(),
        };
        let words: Vec<String> = command.split(' ').map(name).collect();
        self.say(format!("> {command}"));
        self.command(&words.join(" ")).with_context(|| command.to_string())
    }
}
