//! What happens to a group in its life, step by step, with the records that have to come in each.

use compat_tests::broker::Broker;
use compat_tests::clients::{self, Acks};
use compat_tests::member::{Crowd, Library, PATIENCE, Spec, ask_until};
use compat_tests::raw::Raw;
use compat_tests::{Context, Result, ensure, program};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;

pub const PARTITIONS: usize = 6;
/// As many records each step adds to each partition.
const STEP: i64 = 50;

/// A topic and the ends of its partitions.
pub struct Log {
    topic: String,
    pub ends: Vec<i64>,
}

impl Log {
    pub fn create(broker: &Broker, topic: &str) -> Result<Log> {
        Raw::connect(broker.port())?.create_topic(topic, PARTITIONS as i32, &[])?;
        Ok(Log { topic: topic.into(), ends: vec![0; PARTITIONS] })
    }

    /// Adds a step's records to every partition.
    pub fn add(&mut self, broker: &Broker) -> Result<()> {
        let producer: ThreadedProducer<Acks> = clients::librdkafka(broker).create_with_context(Acks::default())?;
        for (partition, end) in self.ends.iter_mut().enumerate() {
            for i in 0..STEP {
                let payload = format!("{}", *end + i);
                let record = BaseRecord::<(), str>::to(&self.topic).partition(partition as i32).payload(&payload);
                producer.send(record).map_err(|(error, _)| error)?;
            }
            *end += STEP;
        }
        producer.flush(program::DEADLINE)?;
        producer.context().wait_for(PARTITIONS * STEP as usize)
    }

    /// Waits until the group has committed all that there is.
    pub fn await_commits(&self, broker: &Broker, group: &str) -> Result<()> {
        let mut config = clients::librdkafka(broker);
        config.set("group.id", group);
        let reader: BaseConsumer = config.create()?;
        let mut asked = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            asked.add_partition(&self.topic, partition as i32);
        }
        ask_until("everything is committed", PATIENCE, || {
            let found = reader.committed_offsets(asked.clone(), Duration::from_secs(30))?;
            let is_end = |p: usize| {
                let found = found.find_partition(&self.topic, p as i32).map(|e| e.offset());
                found == Some(Offset::Offset(self.ends[p]))
            };
            Ok((0..PARTITIONS).all(is_end))
        })
    }
}

/// Adds records and expects each of them once, with all that came before.
fn step(broker: &Broker, crowd: &Crowd, log: &mut Log, what: &str) -> Result<()> {
    log.add(broker)?;
    crowd.exactly(&log.topic, &log.ends).with_context(|| what.to_string())
}

/// Two members share; a third comes; one leaves; all leave and another goes on from the commits; a member dies.
pub fn tell(broker: &mut Broker, library: Library, spec: &Spec) -> Result<()> {
    let mut log = Log::create(broker, &spec.topic)?;
    let mut crowd = Crowd::new();
    let one = crowd.join(broker, library, spec)?;
    let two = crowd.join(broker, library, spec)?;
    crowd.settle(&[one, two], &spec.topic, PARTITIONS)?;
    step(broker, &crowd, &mut log, "two members")?;

    let three = crowd.join(broker, library, spec)?;
    crowd.settle(&[one, two, three], &spec.topic, PARTITIONS).context("a third member")?;
    step(broker, &crowd, &mut log, "three members")?;

    crowd.leave(two)?;
    crowd.settle(&[one, three], &spec.topic, PARTITIONS).context("one of three has left")?;
    step(broker, &crowd, &mut log, "one of three has left")?;

    crowd.leave(one)?;
    crowd.leave(three)?;
    log.add(broker)?;
    let four = crowd.join(broker, library, spec)?;
    crowd.settle(&[four], &spec.topic, PARTITIONS).context("all have left, another comes")?;
    crowd.exactly(&log.topic, &log.ends).context("all have left, another goes on from the commits")?;

    let five = crowd.join(broker, library, spec)?;
    crowd.settle(&[four, five], &spec.topic, PARTITIONS).context("a fifth member")?;
    step(broker, &crowd, &mut log, "a fifth member")?;
    log.await_commits(broker, &spec.group)?;
    crowd.kill9(four)?;
    crowd.settle(&[five], &spec.topic, PARTITIONS).context("a member has died")?;
    step(broker, &crowd, &mut log, "a member has died")?;
    crowd.leave(five)
}

/// A static member that goes and comes back within its session gets what it had, and nobody else notices. With the classic
/// protocol it may die; with the other one its name is free only once it has said that it will come back.
pub fn comes_back(broker: &mut Broker, library: Library, spec: &Spec) -> Result<()> {
    let name = format!("{library:?}-{}", spec.protocol);
    let spec = |instance: &str| Spec {
        group: name.clone(),
        topic: name.clone(),
        instance: Some(instance.into()),
        ..spec.clone()
    };
    let mut log = Log::create(broker, &name)?;
    let mut crowd = Crowd::new();
    let one = crowd.join(broker, library, &spec("one"))?;
    let two = crowd.join(broker, library, &spec("two"))?;
    crowd.settle(&[one, two], &name, PARTITIONS).with_context(|| name.clone())?;
    step(broker, &crowd, &mut log, "two static members")?;
    log.await_commits(broker, &name)?;
    let (before, had) = (crowd.told()[one].changes, crowd.told()[two].assigned.clone());
    match spec("two").protocol.as_str() {
        "classic" => crowd.kill9(two)?,
        _ => crowd.leave(two)?,
    }
    let again = crowd.join(broker, library, &spec("two"))?;
    crowd.settle(&[one, again], &name, PARTITIONS).with_context(|| name.clone())?;
    step(broker, &crowd, &mut log, "a static member has come back")?;
    let told = crowd.told();
    ensure!(told[again].assigned == had, "{name}: it had {had:?} and got {:?}", told[again].assigned);
    ensure!(told[one].changes == before, "{name}: the other member's partitions were changed meanwhile");
    crowd.leave(again)?;
    crowd.leave(one)
}

/// A broker that restarts, cleanly and not, finds its groups again: nobody has to join anew, nothing is read twice.
pub fn over_a_restart(broker: &mut Broker) -> Result<()> {
    let mut crowd = Crowd::new();
    let mut logs = Vec::new();
    let specs = [
        Spec { group: "classic".into(), topic: "classic".into(), session_ms: 30_000, ..Spec::classic("range") },
        Spec { group: "consumer".into(), topic: "consumer".into(), ..Spec::consumer("uniform") },
    ];
    let mut pairs = Vec::new();
    for spec in &specs {
        logs.push(Log::create(broker, &spec.topic)?);
        let pair = [crowd.join(broker, Library::Librdkafka, spec)?, crowd.join(broker, Library::Librdkafka, spec)?];
        crowd.settle(&pair, &spec.topic, PARTITIONS)?;
        pairs.push(pair);
    }
    for round in 0..2 {
        for (log, spec) in logs.iter_mut().zip(&specs) {
            log.add(broker)?;
            log.await_commits(broker, &spec.group)?;
        }
        if round == 0 {
            broker.stop()?;
        } else {
            broker.kill9()?;
        }
        broker.restart()?;
        for ((log, spec), pair) in logs.iter_mut().zip(&specs).zip(&pairs) {
            Raw::connect(broker.port())?.await_leaders(&spec.topic, PARTITIONS as i32)?;
            log.add(broker)?;
            log.await_commits(broker, &spec.group)?;
            crowd.settle(pair, &spec.topic, PARTITIONS)?;
        }
    }
    for pair in pairs {
        let told = crowd.told();
        let topic = if pair[0] == 0 { "classic" } else { "consumer" };
        let all: usize = pair.iter().map(|&member| told[member].records.len()).sum();
        let distinct: std::collections::HashSet<&String> = pair.iter().flat_map(|&m| &told[m].records).collect();
        let expected = 4 * STEP as usize * PARTITIONS;
        ensure!(distinct.len() == expected, "{topic}: {} of {expected} records came", distinct.len());
        ensure!(all == expected, "{topic}: {expected} records came as {all}");
        pair.into_iter().try_for_each(|member| crowd.leave(member))?;
    }
    Ok(())
}
