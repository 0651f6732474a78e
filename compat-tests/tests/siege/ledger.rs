//! What transactional clients and their readers tell, made into a ledger of transactions when all have ended.

use compat_tests::history::Moment;
use compat_tests::history::transactions::{Client, Isolation, Ledger, Look, Place, Read, Reading, Step, Write};
use compat_tests::member::Event;
use compat_tests::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

struct Reader {
    readings: BTreeMap<String, Reading>,
}

enum Account {
    Client(Client),
    Reader(Reader),
}

#[derive(Default)]
pub struct Accounts {
    /// By the number of the process.
    accounts: Vec<Account>,
    /// The last record of each partition.
    plain: BTreeSet<String>,
    looks: Vec<Look>,
    /// What could not be understood.
    trouble: Vec<String>,
}

impl Accounts {
    pub fn add_client(&mut self, name: &str, group: Option<String>) {
        self.accounts.push(Account::Client(Client { name: name.into(), group, steps: Vec::new() }));
    }

    pub fn add_reader(&mut self, isolation: Isolation, topic: &str, partitions: i32) {
        let reader = self.accounts.len();
        let names = (0..partitions).map(|number| format!("{topic}-{number}"));
        let readings = names.map(|partition| {
            let of = partition.clone();
            (of, Reading { reader, isolation, partition, records: Vec::new(), has_ended: false })
        });
        self.accounts.push(Account::Reader(Reader { readings: readings.collect() }));
    }

    pub fn add_plain(&mut self, value: &str) {
        self.plain.insert(value.into());
    }

    pub fn add_look(&mut self, look: Look) {
        self.looks.push(look);
    }

    pub fn write(&mut self, number: usize, event: &Event) {
        let understood = match &mut self.accounts[number] {
            Account::Client(client) => hear_client(client, event),
            Account::Reader(reader) => reader.hear(event, &self.plain),
        };
        if let Err(error) = understood {
            self.trouble.push(format!("client {number}: {event:?}: {error:#}"));
        }
    }

    /// Whether all readers have read to the end.
    pub fn all_have_ended(&self) -> bool {
        self.readings().all(|reading| reading.has_ended)
    }

    /// Of these inputs, those of which a read_committed reader has seen nothing that was made of them.
    pub fn unprocessed(&self, inputs: &[Place]) -> Vec<String> {
        let sources: Vec<String> = inputs.iter().map(|(partition, offset)| format!("<{partition}@{offset}")).collect();
        let is_there = |source: &&String| {
            let mut readings = self.readings().filter(|reading| reading.isolation == Isolation::Committed);
            readings.any(|reading| reading.records.iter().any(|read| read.value.ends_with(source.as_str())))
        };
        sources.iter().filter(|source| !is_there(source)).cloned().collect()
    }

    fn readings(&self) -> impl Iterator<Item = &Reading> {
        self.accounts.iter().flat_map(|account| match account {
            Account::Reader(reader) => reader.readings.values().collect(),
            Account::Client(_) => Vec::new(),
        })
    }

    /// How far the readers have come, for a failure's message.
    pub fn shown(&self) -> String {
        let last = |reading: &Reading| reading.records.last().map_or(-1, |read| read.offset);
        let lines = self.readings().filter(|reading| !reading.has_ended).map(|reading| {
            format!(
                "reader {} ({:?}) is at {} of {}",
                reading.reader,
                reading.isolation,
                last(reading),
                reading.partition
            )
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    pub fn close(self) -> Result<Ledger> {
        let trouble = self.trouble;
        ensure!(trouble.is_empty(), "{} lines were not understood: {}", trouble.len(), trouble[0]);
        let mut ledger = Ledger { plain: self.plain, looks: self.looks, ..Ledger::default() };
        for account in self.accounts {
            match account {
                Account::Client(client) => ledger.clients.push(client),
                Account::Reader(reader) => ledger.readings.extend(reader.readings.into_values()),
            }
        }
        Ok(ledger)
    }
}

fn hear_client(client: &mut Client, event: &Event) -> Result<()> {
    match event.e.as_str() {
        "begins" => client.steps.push(Step::Begin { number: event.n }),
        "writes" => {
            for record in &event.r {
                let (partition, value) = record.split_once('=').context("no value")?;
                let source = value.split_once('<').map(|(_, source)| place(source)).transpose()?;
                client.steps.push(Step::Write(Write { partition: partition.into(), value: value.into(), source }));
            }
        }
        "offsets" => {
            for offset in &event.r {
                let (partition, offset) = place(offset)?;
                client.steps.push(Step::Offset { partition, offset });
            }
        }
        "commits" => client.steps.push(Step::AskCommit { at: event.at }),
        "committed" => client.steps.push(Step::Committed { at: event.at }),
        "aborted" => client.steps.push(Step::Aborted),
        _ => {}
    }
    Ok(())
}

impl Reader {
    fn hear(&mut self, event: &Event, plain: &BTreeSet<String>) -> Result<()> {
        let at: Moment = event.at;
        for record in event.r.iter().filter(|_| event.e == "records") {
            let (name, value) = record.split_once('=').context("no value")?;
            let (partition, offset) = place(name)?;
            let reading = self.readings.get_mut(&partition).context("no such partition is read")?;
            reading.has_ended |= plain.contains(value);
            reading.records.push(Read { offset, value: value.into(), at });
        }
        Ok(())
    }
}

/// Of `topic-0@12`.
fn place(text: &str) -> Result<Place> {
    let (partition, offset) = text.split_once('@').context("no @")?;
    Ok((partition.into(), offset.parse()?))
}
