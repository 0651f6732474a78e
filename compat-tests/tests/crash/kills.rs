//! Four producers and `kill -9` again and again: nothing that was acknowledged is lost, nothing is there twice for the
//! idempotent ones, and after each tenth kill `kafka-dump-log` accepts what is on disk. `KLAMM_KILLS` says how often.

use compat_tests::broker::{Broker, Peer};
use compat_tests::clients::{self, Acks};
use compat_tests::dump_log;
use compat_tests::history::{History, Outcome, Promise, Send, Step, Way};
use compat_tests::raw::Raw;
use compat_tests::records::Bytes;
use compat_tests::{Context, Result, ensure, program};
use rdkafka::message::Message;
use rdkafka::producer::{Producer, ThreadedProducer};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A few in each run of all suites; `scripts/test.sh kills` asks for more.
const KILLS: usize = 10;
/// So many kills lie between two looks at everything.
const LOOK_EVERY: usize = 10;
/// What each producer may send between two kills; the kill comes at a random moment in the first half of it.
const PER_KILL: usize = 3000;

/// Topic, its configuration, idempotence, acks, codec.
type Kind = (&'static str, &'static [(&'static str, &'static str)], bool, &'static str, &'static str);

const KINDS: [Kind; 4] = [
    ("idempotent", &[("segment.bytes", "1048576")], true, "all", "none"),
    ("idempotent-flushed", &[("flush.messages", "1")], true, "all", "lz4"),
    ("plain", &[("segment.bytes", "1048576")], false, "all", "zstd"),
    ("plain-leader", &[], false, "1", "none"),
];

/// How far a producer may go.
#[derive(Default)]
struct Budget {
    allowed: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Budget {
    /// Waits until message `at` may be sent; `false` if there are no more.
    fn wait(&self, at: usize) -> bool {
        let allowed = self.allowed.lock().unwrap();
        let (allowed, _) = *self.changed.wait_while(allowed, |(allowed, over)| *allowed <= at && !*over).unwrap();
        at < allowed
    }

    fn allowed(&self) -> usize {
        self.allowed.lock().unwrap().0
    }

    fn extend(&self, by: usize, over: bool) {
        let mut allowed = self.allowed.lock().unwrap();
        *allowed = (allowed.0 + by, over);
        self.changed.notify_all();
    }
}

struct Loader {
    topic: &'static str,
    is_idempotent: bool,
    producer: Arc<ThreadedProducer<Acks>>,
    budget: Arc<Budget>,
    thread: JoinHandle<Result<usize>>,
}

impl Loader {
    fn start(broker: &Broker, (topic, configs, is_idempotent, acks, codec): Kind) -> Result<Loader> {
        Raw::connect(broker.port())?.create_topic(topic, 1, configs)?;
        let mut config = clients::librdkafka(broker);
        config.set("enable.idempotence", is_idempotent.to_string()).set("acks", acks).set("compression.type", codec);
        config.set("queue.buffering.max.messages", "1000").set("reconnect.backoff.max.ms", "100");
        config.set("retry.backoff.ms", "20").set("retry.backoff.max.ms", "100").set("retries", "1000000");
        let producer: Arc<ThreadedProducer<Acks>> = Arc::new(config.create_with_context(Acks::default())?);
        let budget = Arc::new(Budget::default());
        let (sender, allowed) = (Arc::clone(&producer), Arc::clone(&budget));
        let thread = std::thread::spawn(move || {
            let mut sent = 0;
            while allowed.wait(sent) {
                clients::librdkafka_send(&sender, topic, format!("{sent}").as_bytes())?;
                sent += 1;
            }
            sender.flush(program::DEADLINE)?;
            Ok(sent)
        });
        Ok(Loader { topic, is_idempotent, producer, budget, thread })
    }

    /// All that was allowed so far, as sent one after the other, and one look at the log from its beginning to its end.
    fn history(&self, acknowledged: &[(i64, String)], records: Vec<(i64, String)>) -> History {
        let told: HashMap<&str, i64> = acknowledged.iter().map(|(offset, value)| (value.as_str(), *offset)).collect();
        let send = |number: usize| {
            let value = number.to_string();
            // librdkafka gives no offset for what was acknowledged as a duplicate of a lost answer.
            let outcome = match told.get(value.as_str()) {
                Some(offset) => Outcome::Acknowledged(Some(*offset).filter(|offset| *offset >= 0)),
                None => Outcome::Unknown,
            };
            Send { producer: 0, partition: 0, value, ended: 0, outcome }
        };
        let sends = (0..self.budget.allowed()).map(send).collect();
        let steps = vec![Step::Start { from: 0, began: 0 }, Step::Poll { records }];
        let ways = vec![Way { consumer: 0, group: None, partition: 0, steps }];
        History { sends, ways, ends: Vec::new(), is_complete: true }
    }

    /// Everything acknowledged is where it was promised; an idempotent producer's log holds nothing else, in order.
    fn check(&self, broker: &Broker) -> Result<usize> {
        let acknowledged = self.producer.context().delivered();
        let mut raw = Raw::connect(broker.port())?;
        raw.await_leaders(self.topic, 1)?;
        let end = raw.end_offset(self.topic, 0)?;
        let mut records: Vec<(i64, String)> = Vec::new();
        clients::librdkafka_each(broker, self.topic, end as usize, |message| {
            let payload = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
            let (at, next) = (message.offset(), records.len() as i64);
            ensure!(at == next, "offset {at} follows {}", next - 1);
            ensure!(!self.is_idempotent || payload == at.to_string(), "offset {at} holds message {payload}");
            records.push((at, payload));
            Ok(())
        })?;
        let promise = Promise { durable: true, once: self.is_idempotent, ordered: self.is_idempotent };
        let findings = self.history(&acknowledged, records).check(|_| promise);
        ensure!(findings.is_empty(), "{} broken promises: {:?}", findings.len(), findings.first());
        Ok(acknowledged.len())
    }
}

/// The figures of a run, for its last line.
#[derive(Default)]
struct Figures {
    kills: usize,
    looks: usize,
    slowest_start: Duration,
}

pub fn four_producers(broker: &mut Broker) -> Result<()> {
    let kills = match std::env::var("KLAMM_KILLS") {
        Ok(number) => number.parse().context("KLAMM_KILLS is no number")?,
        Err(_) => KILLS,
    };
    let loaders = KINDS.map(|kind| Loader::start(broker, kind)).into_iter().collect::<Result<Vec<_>>>()?;
    let mut random = Bytes::new(u64::from(broker.pid()));
    let mut figures = Figures::default();
    let ended = (1..=kills).try_for_each(|kill| {
        loaders.iter().for_each(|loader| loader.budget.extend(PER_KILL, false));
        let chosen = &loaders[random.draw() as usize % loaders.len()];
        let moment = (kill - 1) * PER_KILL + 1 + random.draw() as usize % (PER_KILL / 2);
        chosen.producer.context().wait_for(moment).with_context(|| chosen.topic)?;
        broker.kill9()?;
        start(broker, &mut figures)?;
        figures.kills += 1;
        if kill % LOOK_EVERY == 0 { look(broker, &loaders, &mut figures) } else { Ok(()) }
    });
    loaders.iter().for_each(|loader| loader.budget.extend(0, true));
    ended?;
    let mut acknowledged = Vec::new();
    for loader in loaders {
        let sent = loader.producer.context().wait_for(kills * PER_KILL).map(|()| kills * PER_KILL);
        let sent = sent.with_context(|| loader.topic)?;
        let found = loader.check(broker).with_context(|| loader.topic)?;
        ensure!(found == sent, "{found} acknowledgements for {sent} messages");
        acknowledged.push(format!("{} {found}", loader.topic));
        ensure!(loader.thread.join().expect("no panic")? == sent, "a loader stopped early");
    }
    let Figures { kills, looks, slowest_start } = figures;
    let acknowledged = acknowledged.join(", ");
    println!(
        "{kills} kills, {looks} looks at the files, slowest start {slowest_start:?}, acknowledged: {acknowledged}"
    );
    Ok(())
}

fn start(broker: &mut Broker, figures: &mut Figures) -> Result<()> {
    let began = Instant::now();
    broker.restart()?;
    figures.slowest_start = figures.slowest_start.max(began.elapsed());
    Ok(())
}

/// A clean stop, so that all of the files can be judged; then everything that was acknowledged.
fn look(broker: &mut Broker, loaders: &[Loader], figures: &mut Figures) -> Result<()> {
    if broker.setup().peer == Peer::Klamm {
        broker.stop_patiently()?;
        dump_log::check_all(&broker.data())?;
        start(broker, figures)?;
        figures.looks += 1;
    }
    loaders.iter().try_for_each(|loader| loader.check(broker).map(drop).with_context(|| loader.topic))
}
