//! Transactions of a raw client, for the tools to look at.

use compat_tests::batch::TRANSACTIONAL;
use compat_tests::raw::{Batch, PATIENCE, Raw};
use compat_tests::transactional::{self, Producer};
use compat_tests::{Context, Result, ensure};
use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const TIMEOUT_MS: i32 = 600_000;
/// The newest version of Produce whose batches are not added to a transaction, and are let in where partitions are not
/// verified.
const WITHOUT_VERIFICATION: i16 = 11;
const MINUTE_MS: i64 = 60_000;
const PAUSE: Duration = Duration::from_millis(50);

/// The producers of one broker.
#[derive(Default)]
pub struct Transactions {
    producers: HashMap<String, Producer>,
}

impl Transactions {
    pub fn go_on(&mut self, port: u16, id: &str, what: &str) -> Result<()> {
        let mut raw = Raw::connect(port)?;
        if !self.producers.contains_key(id) {
            self.producers.insert(id.to_string(), Producer::init(&mut raw, id, TIMEOUT_MS, true)?);
        }
        let producer = self.producers.get_mut(id).context("just inserted")?;
        match what {
            "commit" => producer.commit(&mut raw)?,
            "abort" => producer.abort(&mut raw)?,
            topic => return producer.send(&mut raw, topic, 0, &[b"a record"]).map(|_| ()),
        }
        transactional::await_markers(&mut raw, id)
    }
}

/// A transaction that hangs, as a broker before 3.6 or without verification may have one.
pub fn hang(port: u16, topic: &str, words: &[String]) -> Result<()> {
    let [producer_id, epoch, minutes] = words else { compat_tests::bail!("hang TOPIC PRODUCER_ID EPOCH MINUTES") };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let batch = Batch {
        attributes: TRANSACTIONAL,
        producer_id: producer_id.parse()?,
        producer_epoch: epoch.parse()?,
        base_sequence: 0,
        timestamp: now - minutes.parse::<i64>()? * MINUTE_MS,
        ..Batch::of(&[b"left"])
    };
    let (data, mut raw) = ([((topic.to_string(), 0), batch.encode())], Raw::connect(port)?);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = transactional::produce(&mut raw, WITHOUT_VERIFICATION, Some("hanging"), &data)?;
        let topic = answer.responses.first().context("no topic in the answer")?;
        let found = topic.partition_responses.first().context("no partition in the answer")?;
        if found.error_code == 0 {
            return Ok(());
        }
        // Apache Kafka answers a change of its configuration before it obeys it.
        ensure!(Instant::now() < deadline, "{topic:?}");
        thread::sleep(PAUSE);
    }
}
