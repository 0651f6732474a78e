//! Reads every partition of a topic at a level of isolation, and goes on while the broker dies and comes back.

use crate::broker::Broker;
use crate::{Result, clients, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Seen {
    pub partition: i32,
    pub offset: i64,
    pub key: String,
    pub value: String,
}

pub struct Reader {
    consumer: BaseConsumer,
    topic: String,
    partitions: i32,
    /// In the order of their arrival: in order within a partition.
    seen: Vec<Seen>,
    /// The partitions whose end has been reached.
    ended: BTreeSet<i32>,
    complaint: Option<KafkaError>,
}

impl Reader {
    pub fn committed(broker: &Broker, topic: &str, partitions: i32) -> Result<Reader> {
        Reader::open(broker, topic, partitions, "read_committed")
    }

    pub fn uncommitted(broker: &Broker, topic: &str, partitions: i32) -> Result<Reader> {
        Reader::open(broker, topic, partitions, "read_uncommitted")
    }

    fn open(broker: &Broker, topic: &str, partitions: i32, isolation: &str) -> Result<Reader> {
        let mut config = clients::librdkafka(broker);
        config.set("group.id", "none").set("enable.auto.commit", "false").set("enable.partition.eof", "true");
        config.set("isolation.level", isolation).set("reconnect.backoff.max.ms", "200");
        let consumer: BaseConsumer = config.create()?;
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&assignment)?;
        let (seen, ended) = (Vec::new(), BTreeSet::new());
        Ok(Reader { consumer, topic: topic.into(), partitions, seen, ended, complaint: None })
    }

    fn poll(&mut self) {
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        match self.consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Ok(message)) => {
                self.ended.remove(&message.partition());
                let (key, value) = (text(message.key()), text(message.payload()));
                self.seen.push(Seen { partition: message.partition(), offset: message.offset(), key, value });
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.ended.insert(partition);
            }
            // The broker may be away; the deadline tells whether it has come back.
            Some(Err(error)) => self.complaint = Some(error),
        }
    }

    /// Reads until so many records have come.
    pub fn wait_for(&mut self, count: usize, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        while self.seen.len() < count {
            let (topic, seen, complaint) = (&self.topic, self.seen.len(), &self.complaint);
            ensure!(Instant::now() < deadline, "{topic}: {seen} of {count} records within {patience:?}; {complaint:?}");
            self.poll();
        }
        Ok(())
    }

    /// Reads until each partition has come to its end; everything that was read, by partition and offset.
    pub fn to_end(mut self, patience: Duration) -> Result<Vec<Seen>> {
        let deadline = Instant::now() + patience;
        while self.ended.len() < self.partitions as usize {
            let (topic, ended, complaint) = (&self.topic, &self.ended, &self.complaint);
            ensure!(Instant::now() < deadline, "{topic}: only {ended:?} have ended within {patience:?}; {complaint:?}");
            self.poll();
        }
        self.seen.sort();
        Ok(self.seen)
    }
}
