//! Clients with transactions beside the others: producers of three libraries, among them two with one transactional id and
//! one that is killed, which write to a first topic; a group of three loops, one of each library, which make one record in
//! a second topic of each record in the first; readers of both topics and levels of isolation, and somebody who asks for the
//! group's stable offsets.

use crate::clients::{REQUEST_MS, SESSION_MS};
use crate::ledger::Accounts;
use compat_tests::broker::Broker;
use compat_tests::client_program::now;
use compat_tests::history::transactions::{Isolation, Ledger, Look, Loop, Place};
use compat_tests::member::{Crowd, Event, Library, Spec, Told, ask_until};
use compat_tests::raw::{self, Batch, Raw};
use compat_tests::transactional;
use compat_tests::transactor::Job;
use compat_tests::{Context, Result, ensure};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{GroupId, OffsetFetchRequest};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const PARTITIONS: i32 = 3;
/// Who is killed in the middle of the round.
pub const MORTAL: &str = "mortal";
/// What a killed producer leaves open ends within the round.
const TIMEOUT_MS: u32 = 6000;
/// How long the last transactions may take after the last fault, and how long everybody's reading of them.
const CALMS_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks at the group's offsets.
const LOOKS_EVERY: Duration = Duration::from_millis(150);

/// Names of one round.
#[derive(Clone)]
pub struct Names {
    pub input: String,
    pub output: String,
    pub group: String,
}

impl Names {
    pub fn of(topic: &str) -> Names {
        Names { input: format!("{topic}-in"), output: format!("{topic}-out"), group: format!("{topic}-loops") }
    }
}

fn producers(names: &Names, seed: u64) -> [(Library, Job); 5] {
    let job = |name: &str, id: &str, n: u64| Job {
        name: name.into(),
        transactional_id: format!("{}-{id}", names.input),
        topic: names.input.clone(),
        partitions: PARTITIONS,
        input: None,
        group: None,
        per_second: 4,
        records: 6,
        aborts: 20,
        abandons: 4,
        rest_ms: 300,
        padding: 100,
        timeout_ms: TIMEOUT_MS,
        session_ms: SESSION_MS,
        request_ms: REQUEST_MS,
        seed: seed * 100 + n,
    };
    let twin = |name, n| Job { rest_ms: 1500, ..job(name, "twins", n) };
    [
        (Library::Librdkafka, Job { abandons: 0, ..job(MORTAL, MORTAL, 1) }),
        (Library::Librdkafka, twin("twin-1", 2)),
        (Library::Librdkafka, twin("twin-2", 3)),
        (Library::Java, job("java", "java", 4)),
        (Library::FranzGo, job("franz", "franz", 5)),
    ]
}

fn loops(names: &Names, seed: u64) -> [(Library, Job); 3] {
    let [(_, example), ..] = producers(names, seed);
    let job = |name: &str, n| Job {
        name: name.into(),
        transactional_id: format!("{}-{name}", names.output),
        topic: names.output.clone(),
        input: Some(names.input.clone()),
        group: Some(names.group.clone()),
        per_second: 8,
        records: 30,
        aborts: 10,
        abandons: 2,
        seed: seed * 100 + n,
        ..example.clone()
    };
    [
        (Library::Librdkafka, job("rdkafka-loop", 6)),
        (Library::Java, job("java-loop", 7)),
        (Library::FranzGo, job("franz-loop", 8)),
    ]
}

pub struct Transactions {
    pub names: Names,
    seed: u64,
    crowd: Crowd,
    accounts: Arc<Mutex<Accounts>>,
    mortal: usize,
    producers: Vec<usize>,
    loops: Vec<usize>,
    readers: Vec<usize>,
}

impl Transactions {
    pub fn new(topic: &str, seed: u64) -> Transactions {
        let accounts = Arc::new(Mutex::new(Accounts::default()));
        let written = Arc::clone(&accounts);
        let crowd = Crowd::tapped(Arc::new(move |client, event: &Event| written.lock().unwrap().write(client, event)));
        let names = Names::of(topic);
        let (producers, loops, readers) = (Vec::new(), Vec::new(), Vec::new());
        Transactions { names, seed, crowd, accounts, mortal: 0, producers, loops, readers }
    }

    pub fn start(&mut self, broker: &Broker) -> Result<()> {
        for (library, job) in producers(&self.names, self.seed) {
            let number = self.transact(broker, library, &job)?;
            self.producers.push(number);
        }
        self.mortal = self.producers.remove(0);
        for (library, job) in loops(&self.names, self.seed) {
            let number = self.transact(broker, library, &job)?;
            self.loops.push(number);
        }
        let (input, output) = (self.names.input.clone(), self.names.output.clone());
        self.read(broker, Library::FranzGo, &input, Isolation::Committed)?;
        self.read(broker, Library::Librdkafka, &output, Isolation::Committed)
    }

    fn transact(&mut self, broker: &Broker, library: Library, job: &Job) -> Result<usize> {
        self.accounts.lock().unwrap().add_client(&job.name, job.group.clone());
        self.crowd.transact(broker, library, job)
    }

    fn read(&mut self, broker: &Broker, library: Library, topic: &str, isolation: Isolation) -> Result<()> {
        let level = match isolation {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        };
        let spec = Spec {
            topic: topic.to_string(),
            reads: Some(PARTITIONS),
            isolation: Some(level.into()),
            request_ms: REQUEST_MS,
            values: true,
            ..Spec::classic("range")
        };
        self.accounts.lock().unwrap().add_reader(isolation, topic, PARTITIONS);
        let number = self.crowd.join(broker, library, &spec)?;
        self.readers.push(number);
        Ok(())
    }

    /// In the middle of whatever it does.
    pub fn kill_one(&mut self) -> Result<()> {
        self.crowd.kill9(self.mortal)
    }

    pub fn watch(&self, broker: &Broker) -> Watch {
        Watch::start(broker.port(), self.names.clone(), Arc::clone(&self.accounts))
    }

    /// Ends the producers, then what is behind them, and reads everything once more.
    pub fn end(mut self, broker: &Broker) -> Result<Ledger> {
        let (input, output) = (self.names.input.clone(), self.names.output.clone());
        let producers = std::mem::take(&mut self.producers);
        self.leave(&producers, "the transactional producers end")?;
        let ends = self.write_ends(broker, &input)?;
        let unprocessed = || self.accounts.lock().unwrap().unprocessed(&ends);
        ask_until("the loops have come to the end", CALMS_WITHIN, || Ok(unprocessed().is_empty()))
            .with_context(|| self.shown(&format!("nothing was made of {:?}", unprocessed())))?;
        let loops = std::mem::take(&mut self.loops);
        self.leave(&loops, "the loops end")?;
        self.write_ends(broker, &output)?;
        self.read(broker, Library::Librdkafka, &input, Isolation::Committed)?;
        self.read(broker, Library::FranzGo, &input, Isolation::Uncommitted)?;
        self.read(broker, Library::FranzGo, &output, Isolation::Committed)?;
        self.read(broker, Library::Librdkafka, &output, Isolation::Uncommitted)?;
        ask_until("all transactions have been read", CALMS_WITHIN, || {
            Ok(self.accounts.lock().unwrap().all_have_ended())
        })
        .with_context(|| self.shown(&self.accounts.lock().unwrap().shown()))?;
        let readers = std::mem::take(&mut self.readers);
        self.leave(&readers, "the readers end")?;
        drop(self.crowd);
        let accounts = Arc::into_inner(self.accounts).context("somebody still writes")?;
        let mut ledger = accounts.into_inner().expect("no panic").close()?;
        ledger.loops.push(Loop { group: self.names.group, from: input, to: output });
        Ok(ledger)
    }

    fn shown(&self, what: &str) -> String {
        format!("{what}\n{}", self.crowd.complaints())
    }

    fn leave(&mut self, numbers: &[usize], what: &str) -> Result<()> {
        numbers.iter().for_each(|&number| self.crowd.ask_to_leave(number));
        let all_left = |told: &[Told]| numbers.iter().all(|&number| told[number].has_ended);
        self.crowd.wait_within(CALMS_WITHIN, what, all_left)?;
        numbers.iter().try_for_each(|&number| self.crowd.leave(number))
    }

    /// The last record of each partition: whoever has it has seen all transactions; where they are.
    fn write_ends(&self, broker: &Broker, topic: &str) -> Result<Vec<Place>> {
        const VERSION: i16 = 9;
        let mut raw = Raw::connect(broker.port())?;
        let mut places = Vec::new();
        for number in 0..PARTITIONS {
            let (partition, value) = (format!("{topic}-{number}"), format!("end-{topic}-{number}"));
            self.accounts.lock().unwrap().add_plain(&value);
            let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
            let batch = Batch { timestamp, ..Batch::of(&[value.as_bytes()]) }.encode();
            let answer = transactional::produce(&mut raw, VERSION, None, &[((topic.into(), number), batch)])?;
            let answer = answer.responses.first().and_then(|topic| topic.partition_responses.first());
            let answer = answer.context("no partition in the answer")?;
            ensure!(answer.error_code == 0, "the end of {partition}: error {}", answer.error_code);
            places.push((partition, answer.base_offset));
        }
        Ok(places)
    }
}

/// Asks for the group's stable offsets again and again, with a connection of its own.
pub struct Watch {
    ends: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Watch {
    fn start(port: u16, names: Names, accounts: Arc<Mutex<Accounts>>) -> Watch {
        let ends = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                // Whatever ends it, the broker has gone: it comes again.
                let _ = look(port, &names, &accounts, &is_over);
                thread::sleep(LOOKS_EVERY);
            }
        });
        Watch { ends, thread }
    }

    pub fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
    }
}

fn look(port: u16, names: &Names, accounts: &Mutex<Accounts>, is_over: &AtomicBool) -> Result<()> {
    let mut raw = Raw::connect(port)?;
    let topic = OffsetFetchRequestTopic::default().with_name(raw::topic_name(&names.input));
    let topic = topic.with_partition_indexes((0..PARTITIONS).collect());
    let request = OffsetFetchRequest::default()
        .with_group_id(GroupId(raw::text(&names.group)))
        .with_topics(Some(vec![topic]))
        .with_require_stable(true);
    while !is_over.load(Ordering::Relaxed) {
        let began = now();
        let answer = raw.call(&request, 7)?;
        let ended = now();
        // While it loads, or while a transaction with offsets of the group is open, it does not tell.
        for found in answer.topics.iter().flat_map(|topic| &topic.partitions).filter(|_| answer.error_code == 0) {
            if found.error_code == 0 {
                let (group, partition) = (names.group.clone(), format!("{}-{}", names.input, found.partition_index));
                let look = Look { group, partition, offset: found.committed_offset, began, ended };
                accounts.lock().unwrap().add_look(look);
            }
        }
        thread::sleep(LOOKS_EVERY);
    }
    Ok(())
}
