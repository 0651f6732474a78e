//! Groups whose members are different libraries at once.

use crate::story::{Log, PARTITIONS};
use compat_tests::broker::Broker;
use compat_tests::member::{Crowd, Library, Spec};
use compat_tests::{Context, Result};

use Library::{Aiokafka, Confluent, FranzGo, Java, KafkaPython, Kafkajs, Kcat, Librdkafka, Platformatic};

/// Members come one after the other, each makes all others share anew; then they leave in the order in which they came, so
/// that each library's assignor leads once.
fn come_and_go(broker: &mut Broker, members: &[(Library, Spec)]) -> Result<()> {
    let topic = members[0].1.topic.clone();
    let mut log = Log::create(broker, &topic)?;
    let mut crowd = Crowd::new();
    let mut live = Vec::new();
    for (library, spec) in members {
        live.push(crowd.join(broker, *library, spec)?);
        crowd.settle(&live, &topic, PARTITIONS).with_context(|| format!("{library:?} joins"))?;
        log.add(broker)?;
        crowd.exactly(&topic, &log.ends).with_context(|| format!("{library:?} has joined"))?;
        // The next one's coming interrupts whoever has not committed yet.
        log.await_commits(broker, &spec.group)?;
    }
    while live.len() > 1 {
        let (gone, _) = (live.remove(0), ());
        let library = members[gone].0;
        crowd.leave(gone)?;
        crowd.settle(&live, &topic, PARTITIONS).with_context(|| format!("{library:?} leaves"))?;
        log.add(broker)?;
        crowd.exactly(&topic, &log.ends).with_context(|| format!("{library:?} has left"))?;
        log.await_commits(broker, &members[0].1.group)?;
    }
    crowd.leave(live[0])
}

fn all(libraries: &[Library], spec: &Spec) -> Vec<(Library, Spec)> {
    libraries.iter().map(|&library| (library, spec.clone())).collect()
}

pub fn range(broker: &mut Broker) -> Result<()> {
    come_and_go(broker, &all(&[Java, Librdkafka, FranzGo, Kafkajs, KafkaPython, Aiokafka], &Spec::classic("range")))
}

pub fn roundrobin(broker: &mut Broker) -> Result<()> {
    let libraries = [Platformatic, Confluent, Java, KafkaPython, FranzGo, Kcat];
    come_and_go(broker, &all(&libraries, &Spec::classic("roundrobin")))
}

pub fn cooperative(broker: &mut Broker) -> Result<()> {
    come_and_go(broker, &all(&[Java, Librdkafka, FranzGo, Confluent], &Spec::classic("cooperative-sticky")))
}

pub fn consumer(broker: &mut Broker) -> Result<()> {
    let libraries = [Java, Librdkafka, FranzGo, Platformatic, Confluent];
    come_and_go(broker, &all(&libraries, &Spec::consumer("uniform")))
}

/// A group moves from the classic protocol to the new one and back while it works: members of both at once, and in the end
/// only classic ones again.
pub fn both_protocols(broker: &mut Broker) -> Result<()> {
    let (classic, consumer) = (Spec::classic("range"), Spec::consumer("range"));
    let members = [(Java, &classic), (Librdkafka, &classic), (Java, &consumer), (FranzGo, &classic)];
    let members: Vec<(Library, Spec)> = members.map(|(library, spec)| (library, spec.clone())).into();
    come_and_go(broker, &members)
}
