//! Groups under churn: members join, leave, crash, stall and come back at random while records are produced, and the broker
//! is killed in between. Both protocols at once, librdkafka in processes of their own. In the end:
//!
//! - every group has processed every record of every partition at least once;
//! - nobody who gained a partition began behind what had been committed before;
//! - in every pause each group settled in time: its live members share all partitions, evenly and once;
//! - the broker's memory is back where it was.
//!
//! `KLAMM_CHURN=full` is the long form, ten minutes with 200 members in 20 groups; `KLAMM_SEED` is what all chance comes from.

use compat_tests::broker::{Broker, Peer};
use compat_tests::clients::{self, Acks};
use compat_tests::member::{Crowd, Event, Library, Spec, ask_until};
use compat_tests::raw::Raw;
use compat_tests::records::Bytes;
use compat_tests::suite::{ONE, Suite};
use compat_tests::{Context, Result, ensure, program};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const TOPICS: usize = 4;
const PARTITIONS: usize = 6;
const RECORDS_PER_SECOND: u64 = 400;
const SESSION_MS: u32 = 6000;
/// A group's members may need a session to be missed, a rebalance, and the patience of a busy machine.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
const CATCHES_UP_WITHIN: Duration = Duration::from_secs(180);
/// What the broker may keep of groups that are empty, and of its caches.
const MEMORY_SLACK: u64 = 32 << 20;

struct Shape {
    groups: usize,
    members_per_group: usize,
    rounds: usize,
    round: Duration,
    /// The rounds in whose middle the broker is killed.
    kills: &'static [usize],
    /// Between two random deeds.
    pace: Duration,
}

const SHORT: Shape = Shape {
    groups: 6,
    members_per_group: 4,
    rounds: 3,
    round: Duration::from_secs(12),
    kills: &[1],
    pace: Duration::from_millis(250),
};

const FULL: Shape = Shape {
    groups: 20,
    members_per_group: 10,
    rounds: 15,
    round: Duration::from_secs(40),
    kills: &[3, 7, 11],
    pace: Duration::from_millis(100),
};

fn main() -> ExitCode {
    let overrides: &[(&str, &str)] = &[
        ("group.initial.rebalance.delay.ms", "100"),
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.session.timeout.ms", "6000"),
        ("group.consumer.min.heartbeat.interval.ms", "100"),
        ("group.consumer.heartbeat.interval.ms", "500"),
    ];
    Suite::new("churn").test("churn", ONE, overrides, churn).run()
}

/// What all members have told, by group.
#[derive(Default)]
struct Book {
    /// The group of each member, by its number.
    groups: Vec<usize>,
    /// By group and partition: which offsets were processed.
    seen: HashMap<(usize, String), Vec<bool>>,
    /// By group and partition: when which offset was committed.
    commits: HashMap<(usize, String), Vec<(u64, i64)>>,
    /// By member and partition: gained then, and nothing told of it yet.
    waiting: HashMap<(usize, String), u64>,
    /// Group, partition, when it was gained, and where its new owner began.
    begins: Vec<(usize, String, u64, i64)>,
}

impl Book {
    fn write(&mut self, member: usize, event: &Event) {
        let group = self.groups[member];
        let split = |record: &String| -> Option<(String, i64)> {
            let (partition, offset) = record.rsplit_once('@')?;
            Some((partition.to_string(), offset.parse().ok()?))
        };
        match event.e.as_str() {
            "gained" => event.p.iter().for_each(|partition| {
                self.waiting.insert((member, partition.clone()), event.at);
            }),
            "committed" => event.r.iter().filter_map(split).for_each(|(partition, offset)| {
                self.commits.entry((group, partition)).or_default().push((event.at, offset));
            }),
            "records" => event.r.iter().filter_map(split).for_each(|(partition, offset)| {
                if let Some(at) = self.waiting.remove(&(member, partition.clone())) {
                    self.begins.push((group, partition.clone(), at, offset));
                }
                let seen = self.seen.entry((group, partition)).or_default();
                if seen.len() <= offset as usize {
                    seen.resize(offset as usize + 1, false);
                }
                seen[offset as usize] = true;
            }),
            _ => {}
        }
    }

    fn missing(&self, group: usize, partition: &str, end: i64) -> usize {
        let seen = self.seen.get(&(group, partition.to_string()));
        end as usize - seen.map_or(0, |seen| seen.iter().take(end as usize).filter(|seen| **seen).count())
    }

    /// Whoever gained a partition after a commit was answered begins at it or behind it.
    fn check_begins(&self) -> Result<usize> {
        for (group, partition, at, offset) in &self.begins {
            let commits = self.commits.get(&(*group, partition.clone()));
            let before = commits.into_iter().flatten().filter(|(when, _)| when < at).map(|(_, offset)| *offset).max();
            ensure!(
                before.is_none_or(|before| *offset >= before),
                "group {group}: {partition} was gained after {before:?} had been committed, and began at {offset}"
            );
        }
        Ok(self.begins.len())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Gone,
    Running(usize),
    Stalled(usize, Instant),
}

/// The members of all groups; each slot is one after the other several processes.
struct Churn<'a> {
    broker: &'a mut Broker,
    crowd: Crowd,
    book: Arc<Mutex<Book>>,
    slots: Vec<State>,
    shape: &'static Shape,
    random: Bytes,
    deeds: BTreeMap<&'static str, usize>,
}

fn topic_of(group: usize) -> String {
    format!("churn-{}", group % TOPICS)
}

fn spec_of(group: usize) -> Spec {
    let spec = match group % 4 {
        0 => Spec::classic("range"),
        1 => Spec::consumer("uniform"),
        2 => Spec::classic("cooperative-sticky"),
        _ => Spec::consumer("range"),
    };
    Spec { group: format!("group-{group}"), topic: topic_of(group), session_ms: SESSION_MS, ..spec }
}

impl Churn<'_> {
    fn draw(&mut self, below: usize) -> usize {
        (self.random.draw() % below as u64) as usize
    }

    fn group_of(&self, slot: usize) -> usize {
        slot / self.shape.members_per_group
    }

    fn join(&mut self, slot: usize) -> Result<()> {
        let group = self.group_of(slot);
        self.book.lock().unwrap().groups.push(group);
        let number = self.crowd.join(self.broker, Library::Librdkafka, &spec_of(group))?;
        self.slots[slot] = State::Running(number);
        *self.deeds.entry("joins").or_default() += 1;
        Ok(())
    }

    /// One random deed.
    fn act(&mut self) -> Result<()> {
        let slot = self.draw(self.slots.len());
        match self.slots[slot] {
            State::Gone => self.join(slot)?,
            State::Stalled(number, since) => {
                let patience = Duration::from_millis(self.draw(12_000) as u64);
                if since.elapsed() > patience {
                    self.crowd.resume(number);
                    self.slots[slot] = State::Running(number);
                }
            }
            State::Running(number) => match self.draw(3) {
                0 => {
                    self.crowd.ask_to_leave(number);
                    self.slots[slot] = State::Gone;
                    *self.deeds.entry("leaves").or_default() += 1;
                }
                1 => {
                    self.crowd.kill9(number)?;
                    self.slots[slot] = State::Gone;
                    *self.deeds.entry("crashes").or_default() += 1;
                }
                _ => {
                    self.crowd.stall(number);
                    self.slots[slot] = State::Stalled(number, Instant::now());
                    *self.deeds.entry("stalls").or_default() += 1;
                }
            },
        }
        Ok(())
    }

    /// The pause after a round: whoever stalled goes on, every group has someone, and every group settles.
    fn calm(&mut self) -> Result<()> {
        for slot in 0..self.slots.len() {
            if let State::Stalled(number, _) = self.slots[slot] {
                self.crowd.resume(number);
                self.slots[slot] = State::Running(number);
            }
        }
        let began = Instant::now();
        for group in 0..self.shape.groups {
            let first = group * self.shape.members_per_group;
            if self.live(group).is_empty() {
                self.join(first)?;
            }
        }
        for group in 0..self.shape.groups {
            let left = SETTLES_WITHIN.saturating_sub(began.elapsed());
            let settled = self.crowd.settle_within(left, &self.live(group), &topic_of(group), PARTITIONS);
            settled.with_context(|| format!("group {group} ({:?}) does not settle", spec_of(group)))?;
        }
        println!("    all {} groups settled after {:.1} s", self.shape.groups, began.elapsed().as_secs_f64());
        Ok(())
    }

    fn live(&self, group: usize) -> Vec<usize> {
        let first = group * self.shape.members_per_group;
        let slots = &self.slots[first..first + self.shape.members_per_group];
        let number = |state: &State| match state {
            State::Running(number) => Some(*number),
            _ => None,
        };
        slots.iter().filter_map(number).collect()
    }

    fn round(&mut self, round: usize) -> Result<()> {
        let began = Instant::now();
        let mut to_kill = self.shape.kills.contains(&round);
        while began.elapsed() < self.shape.round {
            self.act()?;
            if to_kill && began.elapsed() > self.shape.round / 2 {
                to_kill = false;
                self.broker.kill9()?;
                self.broker.restart()?;
            }
            thread::sleep(self.shape.pace);
        }
        self.broker.assert_alive()
    }

    /// Waits until every group has processed everything that is in the logs.
    fn catch_up(&self) -> Result<()> {
        let mut raw = Raw::connect(self.broker.port())?;
        let mut ends = Vec::new();
        for topic in (0..TOPICS).map(topic_of) {
            for partition in 0..PARTITIONS {
                ends.push((topic.clone(), format!("{topic}-{partition}"), raw.end_offset(&topic, partition as i32)?));
            }
        }
        let all: i64 = ends.iter().map(|(_, _, end)| end).sum();
        println!("    {all} records to be processed by {} groups", self.shape.groups);
        let missing = || -> Vec<String> {
            let book = self.book.lock().unwrap();
            let of_group = |group: usize| {
                let mine = ends.iter().filter(move |(topic, _, _)| *topic == topic_of(group));
                mine.map(move |(_, partition, end)| (group, partition, *end))
            };
            let all = (0..self.shape.groups).flat_map(of_group);
            let lacking = all.map(|(group, partition, end)| (group, partition, book.missing(group, partition, end)));
            lacking
                .filter(|(_, _, missing)| *missing > 0)
                .map(|(group, partition, missing)| format!("group {group} lacks {missing} of {partition}"))
                .collect()
        };
        ask_until("every group has processed every record", CATCHES_UP_WITHIN, || Ok(missing().is_empty()))
            .with_context(|| missing().into_iter().take(20).collect::<Vec<_>>().join("; "))
    }
}

/// Produces at a steady pace until it is told to end; the broker may go away in between.
fn produce(broker: &Broker, ends: Arc<AtomicBool>) -> Result<thread::JoinHandle<Result<usize>>> {
    let mut config = clients::librdkafka(broker);
    config.set("enable.idempotence", "true").set("reconnect.backoff.max.ms", "200").set("linger.ms", "20");
    let producer: ThreadedProducer<Acks> = config.create_with_context(Acks::default())?;
    Ok(thread::spawn(move || {
        let began = Instant::now();
        let mut count = 0;
        while !ends.load(Ordering::Relaxed) {
            let due = began.elapsed().as_millis() as u64 * RECORDS_PER_SECOND / 1000;
            while (count as u64) < due {
                let (topic, partition) = (topic_of(count), (count / TOPICS) % PARTITIONS);
                let payload = format!("{count}");
                let record = BaseRecord::<(), str>::to(&topic).partition(partition as i32).payload(&payload);
                producer.send(record).map_err(|(error, _)| error)?;
                count += 1;
            }
            thread::sleep(Duration::from_millis(20));
        }
        producer.flush(program::DEADLINE)?;
        producer.context().wait_for(count)?;
        Ok(count)
    }))
}

fn churn(broker: &mut Broker) -> Result<()> {
    let is_full = std::env::var("KLAMM_CHURN").is_ok_and(|form| form == "full");
    let shape: &'static Shape = if is_full { &FULL } else { &SHORT };
    let seed = std::env::var("KLAMM_SEED").map_or(Ok(1), |seed| seed.parse())?;
    println!("    seed {seed}, {} groups of up to {} members", shape.groups, shape.members_per_group);
    let mut raw = Raw::connect(broker.port())?;
    (0..TOPICS).try_for_each(|topic| raw.create_topic(&topic_of(topic), PARTITIONS as i32, &[]))?;
    let before = broker.resident_bytes()?;
    let ends = Arc::new(AtomicBool::new(false));
    let producing = produce(broker, Arc::clone(&ends))?;
    let book = Arc::new(Mutex::new(Book::default()));
    let written = Arc::clone(&book);
    let mut churn = Churn {
        broker,
        crowd: Crowd::tapped(Arc::new(move |member, event| written.lock().unwrap().write(member, event))),
        book,
        slots: vec![State::Gone; shape.groups * shape.members_per_group],
        shape,
        random: Bytes::new(seed),
        deeds: BTreeMap::new(),
    };
    for round in 0..shape.rounds {
        churn.round(round)?;
        churn.calm().with_context(|| format!("the pause after round {round}, seed {seed}"))?;
    }
    ends.store(true, Ordering::Relaxed);
    let produced = producing.join().expect("no panic")?;
    churn.catch_up()?;
    let begins = churn.book.lock().unwrap().check_begins()?;
    println!("    {produced} records, {begins} partitions gained, {:?}", churn.deeds);
    ensure!(begins > shape.groups * PARTITIONS, "only {begins} partitions were gained: nothing was tried");
    for slot in 0..churn.slots.len() {
        if let State::Running(number) = churn.slots[slot] {
            churn.crowd.leave(number)?;
        }
    }
    drop(churn.crowd);
    let broker = churn.broker;
    // The JVM gives nothing back.
    if broker.setup().peer == Peer::Klamm {
        ask_until("memory is back where it was", SETTLES_WITHIN, || {
            Ok(broker.resident_bytes()? <= before + MEMORY_SLACK)
        })
        .with_context(|| format!("{before} bytes before, {} after", broker.resident_bytes().unwrap_or(0)))?;
    }
    Ok(())
}
