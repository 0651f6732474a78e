//! What the clients tell, written down as it comes, and made into a history when all have ended.
//!
//! A moment is when a line has arrived here. For what ended (acknowledgements, commits) that is late, which only leaves
//! something unjudged; for what began it is late as well, but whoever could commit meanwhile has lost the partition.

use compat_tests::history::{End, History, Moment, Outcome, Send, Step, Way};
use compat_tests::member::Event;
use compat_tests::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::time::Instant;

struct Producer {
    name: String,
    sends: Vec<(Moment, Outcome)>,
}

struct Consumer {
    group: Option<String>,
    /// By partition.
    steps: BTreeMap<i32, Vec<Step>>,
    /// Gained then, and no record of it has come yet.
    waiting: BTreeMap<i32, Moment>,
}

enum Client {
    Producer(Producer),
    Consumer(Consumer),
}

/// By partition: which offsets a group, or a reader, has seen.
type Seen = BTreeMap<i32, Vec<bool>>;

pub struct Book {
    began: Instant,
    partitions: u64,
    /// By the number of the client's process.
    clients: Vec<Client>,
    seen: BTreeMap<String, Seen>,
    ends: Vec<End>,
    /// What could not be understood.
    trouble: Vec<String>,
}

impl Book {
    pub fn new(partitions: u64) -> Book {
        Book {
            began: Instant::now(),
            partitions,
            clients: Vec::new(),
            seen: BTreeMap::new(),
            ends: Vec::new(),
            trouble: Vec::new(),
        }
    }

    pub fn now(&self) -> Moment {
        self.began.elapsed().as_nanos() as Moment
    }

    pub fn add_producer(&mut self, name: &str) {
        self.clients.push(Client::Producer(Producer { name: name.into(), sends: Vec::new() }));
    }

    /// A member of a group, or somebody who reads everything from the beginning on.
    pub fn add_consumer(&mut self, group: Option<&str>) {
        let group = group.map(String::from);
        let mut consumer = Consumer { group, steps: BTreeMap::new(), waiting: BTreeMap::new() };
        if consumer.group.is_none() {
            let start = || vec![Step::Start { from: 0, began: 0 }];
            consumer.steps = (0..self.partitions as i32).map(|partition| (partition, start())).collect();
        }
        self.clients.push(Client::Consumer(consumer));
    }

    pub fn add_end(&mut self, partition: i32, offset: i64, began: Moment) {
        self.ends.push(End { partition, offset, began });
    }

    pub fn write(&mut self, client: usize, event: &Event) {
        let now = self.now();
        if let Err(error) = self.understand(client, event, now) {
            self.trouble.push(format!("client {client}: {event:?}: {error:#}"));
        }
    }

    fn understand(&mut self, number: usize, event: &Event, now: Moment) -> Result<()> {
        match &mut self.clients[number] {
            Client::Producer(producer) => producer.hear(event, now),
            Client::Consumer(consumer) => {
                let who = consumer.group.clone().unwrap_or_else(|| format!("reader {number}"));
                let seen = self.seen.entry(who).or_default();
                consumer.hear(event, now, seen)
            }
        }
    }

    /// How much groups and readers have not seen below the ends of the partitions.
    pub fn missing(&self, ends: &[i64]) -> Vec<String> {
        let mut missing = Vec::new();
        for (who, seen) in &self.seen {
            for (partition, end) in ends.iter().enumerate() {
                let seen = seen.get(&(partition as i32)).into_iter().flatten().take(*end as usize);
                let lacks = *end as usize - seen.filter(|seen| **seen).count();
                if lacks > 0 {
                    missing.push(format!("{who} lacks {lacks} of partition {partition}"));
                }
            }
        }
        missing
    }

    /// The history, of a complete run.
    pub fn close(self) -> Result<History> {
        let trouble = self.trouble;
        ensure!(trouble.is_empty(), "{} lines were not understood: {}", trouble.len(), trouble[0]);
        let mut history = History { ends: self.ends, is_complete: true, ..History::default() };
        for (number, client) in self.clients.into_iter().enumerate() {
            match client {
                Client::Producer(producer) => history.sends.extend(producer.sends(number, self.partitions)),
                Client::Consumer(consumer) => {
                    history.ways.extend(consumer.steps.into_iter().map(|(partition, steps)| Way {
                        consumer: number,
                        group: consumer.group.clone(),
                        partition,
                        steps,
                    }))
                }
            }
        }
        Ok(history)
    }
}

impl Producer {
    fn hear(&mut self, event: &Event, now: Moment) -> Result<()> {
        match event.e.as_str() {
            "sends" => self.sends.resize(event.n as usize, (0, Outcome::Unknown)),
            "acked" => {
                for record in &event.r {
                    let (number, offset) = record.split_once('@').context("no @")?;
                    // librdkafka gives no offset for what was acknowledged as a duplicate of a lost answer.
                    let offset = Some(offset.parse::<i64>()?).filter(|offset| *offset >= 0);
                    let send = self.sends.get_mut(number.parse::<usize>()?).context("it was never sent")?;
                    *send = (now, Outcome::Acknowledged(offset));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn sends(self, producer: usize, partitions: u64) -> impl Iterator<Item = Send> {
        let name = self.name;
        self.sends.into_iter().enumerate().map(move |(number, (ended, outcome))| Send {
            producer,
            partition: (number as u64 % partitions) as i32,
            value: format!("{name}-{number}"),
            ended,
            outcome,
        })
    }
}

impl Consumer {
    fn hear(&mut self, event: &Event, now: Moment, seen: &mut Seen) -> Result<()> {
        match event.e.as_str() {
            "gained" => {
                for name in &event.p {
                    self.waiting.insert(partition_of(name)?, now);
                }
            }
            "committed" => {
                for record in &event.r {
                    let (name, offset) = record.split_once('@').context("no @")?;
                    let step = Step::Commit { offset: offset.parse()?, ended: now };
                    self.steps.entry(partition_of(name)?).or_default().push(step);
                }
            }
            "records" => event.r.iter().try_for_each(|record| self.see(record, seen))?,
            _ => {}
        }
        Ok(())
    }

    fn see(&mut self, record: &str, seen: &mut Seen) -> Result<()> {
        let (name, rest) = record.split_once('@').context("no @")?;
        let (offset, value) = rest.split_once('=').context("no value")?;
        let (partition, offset) = (partition_of(name)?, offset.parse::<i64>()?);
        let steps = self.steps.entry(partition).or_default();
        if let Some(began) = self.waiting.remove(&partition) {
            steps.push(Step::Start { from: offset, began });
        }
        match steps.last_mut() {
            Some(Step::Poll { records }) => records.push((offset, value.into())),
            _ => steps.push(Step::Poll { records: vec![(offset, value.into())] }),
        }
        let seen = seen.entry(partition).or_default();
        if seen.len() <= offset as usize {
            seen.resize(offset as usize + 1, false);
        }
        seen[offset as usize] = true;
        Ok(())
    }
}

/// Of `topic-12`.
fn partition_of(name: &str) -> Result<i32> {
    Ok(name.rsplit_once('-').context("no partition")?.1.parse()?)
}
