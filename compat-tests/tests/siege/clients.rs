//! Who is at work during a round: producers, readers and members of groups of both libraries, as processes, and somebody who
//! asks for the ends of the partitions.

use crate::book::Book;
use compat_tests::broker::Broker;
use compat_tests::history::{History, Promise};
use compat_tests::member::{Crowd, Event, Library, Load, Spec, Told, ask_until};
use compat_tests::raw::Raw;
use compat_tests::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a client waits for an answer.
pub const REQUEST_MS: u32 = 3000;
pub const SESSION_MS: u32 = 6000;
/// Nothing is given up, for those that are patient.
const PATIENT_MS: u32 = 300_000;
const IMPATIENT_MS: u32 = 2500;
const PER_SECOND: u64 = 150;
/// How long the last records may take after the last fault, and how long everybody's reading of them.
const CALMS_WITHIN: Duration = Duration::from_secs(120);
/// Between two questions for the ends of the partitions.
const ASKS_EVERY: Duration = Duration::from_millis(100);
pub const PARTITIONS: u64 = 4;

/// Who sends, and what it is promised.
pub fn producers(topic: &str) -> [(Library, Load, Promise); 5] {
    let load = |name: &str, is_idempotent, acks: &str, codec: &str, in_flight, delivery_ms| Load {
        name: name.into(),
        topic: topic.into(),
        partitions: PARTITIONS,
        per_second: PER_SECOND,
        padding: 300,
        is_idempotent,
        acks: acks.into(),
        codec: codec.into(),
        in_flight,
        request_ms: REQUEST_MS,
        delivery_ms,
    };
    let (rdkafka, franz) = (Library::Librdkafka, Library::FranzGo);
    let all = Promise { durable: true, once: true, ordered: true };
    let durable = Promise { durable: true, ..Promise::default() };
    // When a record's time is over, or a sequence is refused, librdkafka 2.12 goes on with a new epoch, and sends with it
    // what the broker may have under the old one: the same record, numbered anew, which no broker can know. It does so with
    // Apache Kafka, too. `crash` looks for what comes twice where this does not happen.
    let but_twice = Promise { once: false, ..all };
    [
        (rdkafka, load("rdkafka", true, "all", "lz4", 5, PATIENT_MS), but_twice),
        // Without idempotence, what is sent again may come twice, and behind what was sent later.
        (rdkafka, load("rdkafka-plain", false, "all", "none", 5, PATIENT_MS), durable),
        (rdkafka, load("rdkafka-impatient", true, "all", "zstd", 5, IMPATIENT_MS), but_twice),
        (franz, load("franz", true, "all", "snappy", 5, PATIENT_MS), all),
        (franz, load("franz-impatient", false, "1", "gzip", 5, IMPATIENT_MS), durable),
    ]
}

/// Whose assignment each group has, and its members.
fn groups(topic: &str) -> [(Spec, [Library; 3]); 2] {
    let (rdkafka, franz) = (Library::Librdkafka, Library::FranzGo);
    let of = |spec: Spec| Spec {
        group: format!("{topic}-{}", spec.protocol),
        topic: topic.into(),
        session_ms: SESSION_MS,
        request_ms: REQUEST_MS,
        values: true,
        ..spec
    };
    [(of(Spec::classic("range")), [rdkafka, rdkafka, franz]), (of(Spec::consumer("uniform")), [rdkafka, franz, franz])]
}

/// The clients of a round and what they tell.
pub struct Clients {
    crowd: Crowd,
    pub book: Arc<Mutex<Book>>,
    producers: Vec<usize>,
    consumers: Vec<usize>,
}

impl Clients {
    pub fn new() -> Clients {
        let book = Arc::new(Mutex::new(Book::new(PARTITIONS)));
        let written = Arc::clone(&book);
        let crowd = Crowd::tapped(Arc::new(move |client, event: &Event| written.lock().unwrap().write(client, event)));
        Clients { crowd, book, producers: Vec::new(), consumers: Vec::new() }
    }

    pub fn start(&mut self, broker: &Broker, topic: &str) -> Result<()> {
        for (library, load, _) in producers(topic) {
            self.book.lock().unwrap().add_producer(&load.name);
            self.producers.push(self.crowd.produce(broker, library, &load)?);
        }
        self.start_readers(broker, topic)?;
        for (spec, members) in groups(topic) {
            for library in members {
                self.book.lock().unwrap().add_consumer(Some(&spec.group));
                self.consumers.push(self.crowd.join(broker, library, &spec)?);
            }
        }
        Ok(())
    }

    /// One of each library, from the beginning.
    pub fn start_readers(&mut self, broker: &Broker, topic: &str) -> Result<()> {
        let (reads, topic) = (Some(PARTITIONS as i32), topic.to_string());
        let spec = Spec { topic, reads, request_ms: REQUEST_MS, values: true, ..Spec::classic("range") };
        for library in [Library::Librdkafka, Library::FranzGo] {
            self.book.lock().unwrap().add_consumer(None);
            self.consumers.push(self.crowd.join(broker, library, &spec)?);
        }
        Ok(())
    }

    /// Producers end when all of their records have ended.
    pub fn end_producers(&mut self) -> Result<()> {
        let producers = self.producers.clone();
        producers.iter().for_each(|&number| self.crowd.ask_to_leave(number));
        let all_left = |told: &[Told]| producers.iter().all(|&number| told[number].has_ended);
        self.crowd.wait_within(CALMS_WITHIN, "the producers end", all_left)?;
        producers.into_iter().try_for_each(|number| self.crowd.leave(number))
    }

    pub fn await_reading(&self, ends: &[i64]) -> Result<()> {
        let missing = || self.book.lock().unwrap().missing(ends);
        ask_until("everybody has read everything", CALMS_WITHIN, || Ok(missing().is_empty()))
            .with_context(|| missing().join("; "))
    }

    pub fn end(mut self) -> Result<History> {
        self.consumers.clone().into_iter().try_for_each(|number| self.crowd.leave(number))?;
        drop(self.crowd);
        let book = Arc::into_inner(self.book).context("somebody still writes")?;
        book.into_inner().expect("no panic").close()
    }
}

/// Asks for the ends of the partitions again and again, with a connection of its own.
pub struct Watch {
    ends: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Watch {
    pub fn start(broker: &Broker, topic: &str, book: &Arc<Mutex<Book>>) -> Watch {
        let ends = Arc::new(AtomicBool::new(false));
        let (is_over, book, topic, port) = (Arc::clone(&ends), Arc::clone(book), topic.to_string(), broker.port());
        let thread = thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                // Whatever ends it, the broker has gone: it comes again.
                let _ = look(port, &topic, &book, &is_over);
                thread::sleep(ASKS_EVERY);
            }
        });
        Watch { ends, thread }
    }

    pub fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
    }
}

fn look(port: u16, topic: &str, book: &Mutex<Book>, is_over: &AtomicBool) -> Result<()> {
    let mut raw = Raw::connect(port)?;
    while !is_over.load(Ordering::Relaxed) {
        for partition in 0..PARTITIONS as i32 {
            let began = book.lock().unwrap().now();
            let end = raw.end_offset(topic, partition)?;
            book.lock().unwrap().add_end(partition, end, began);
        }
        thread::sleep(ASKS_EVERY);
    }
    Ok(())
}
