//! What a test wants of the brokers that one process plays, beside what the metadata say: which broker a leader sends consumers to,
//! which one is not told of, at which address another is told, and who is told to lead.
//!
//! Plain data, as a part of the view. The metadata thread changes it by what is asked for ([`Staging`]); a restart begins without it.

use std::collections::{BTreeMap, BTreeSet};

use crate::metadata::Image;
use crate::model::{Offset, TopicIdPartition};

/// A broker that reads of a partition are sent to, and what it has of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Follower {
    /// It may be none of the cluster.
    pub broker: i32,
    pub extent: Extent,
}

/// What a broker has of a log: everything, or less at either end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    pub start: Offset,
    /// The offset behind the last record that it has.
    pub end: Offset,
}

impl Extent {
    pub const WHOLE: Extent = Extent { start: Offset(0), end: Offset(i64::MAX) };

    /// Whether a fetch may begin here.
    pub fn has(self, offset: i64) -> bool {
        (self.start.0..=self.end.0).contains(&offset)
    }
}

/// A leader that clients are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ToldLeader {
    pub id: i32,
    pub epoch: i32,
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Staging {
    /// `None`: as the metadata say.
    Follow { topic: String, partition: i32, follower: Option<Follower> },
    /// Clients are told this leader and its epoch, whether there are such or not; `None`: what is so.
    TellLeader { topic: String, partition: i32, leader: Option<ToldLeader> },
    /// A broker stands in no list of brokers that clients are told.
    Hide { broker: i32, is_hidden: bool },
    /// Clients are told another host and port of a broker; `None`: its own.
    Readdress { broker: i32, address: Option<(String, u16)> },
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Played {
    followers: BTreeMap<TopicIdPartition, Follower>,
    leaders: BTreeMap<TopicIdPartition, ToldLeader>,
    hidden: BTreeSet<i32>,
    addresses: BTreeMap<i32, (String, u16)>,
}

impl Played {
    /// Does it; answers the partition that those who wait must look at again. An error is a sentence.
    pub fn stage(&mut self, image: &Image, staging: &Staging) -> Result<Option<TopicIdPartition>, String> {
        match staging {
            Staging::Follow { topic, partition, follower } => {
                let key = find(image, topic, *partition)?;
                self.followers.retain(|of, _| *of != key && image.topic_by_id(of.topic_id).is_some());
                self.followers.extend(follower.map(|follower| (key, follower)));
                return Ok(Some(key));
            }
            Staging::TellLeader { topic, partition, leader } => {
                let key = find(image, topic, *partition)?;
                self.leaders.retain(|of, _| *of != key && image.topic_by_id(of.topic_id).is_some());
                self.leaders.extend(leader.map(|leader| (key, leader)));
            }
            Staging::Hide { broker, is_hidden } => {
                check_broker(image, *broker)?;
                self.hidden.retain(|hidden| hidden != broker);
                self.hidden.extend(is_hidden.then_some(*broker));
            }
            Staging::Readdress { broker, address } => {
                check_broker(image, *broker)?;
                self.addresses.retain(|of, _| of != broker);
                self.addresses.extend(address.clone().map(|address| (*broker, address)));
            }
        }
        Ok(None)
    }

    /// Whom a leader sends consumers of a partition to, where a test says so.
    pub fn follower(&self, key: TopicIdPartition) -> Option<&Follower> {
        self.followers.get(&key)
    }

    /// The leader that clients are told, where a test says so.
    pub fn leader(&self, key: TopicIdPartition) -> Option<ToldLeader> {
        self.leaders.get(&key).copied()
    }

    pub fn is_hidden(&self, broker: i32) -> bool {
        self.hidden.contains(&broker)
    }

    pub fn address(&self, broker: i32) -> Option<(&str, u16)> {
        self.addresses.get(&broker).map(|(host, port)| (host.as_str(), *port))
    }
}

fn find(image: &Image, topic: &str, index: i32) -> Result<TopicIdPartition, String> {
    let found = image.topic(topic).filter(|topic| topic.partition(index).is_some());
    let topic_id = found.ok_or_else(|| format!("there is no partition {topic}-{index}"))?.id;
    Ok(TopicIdPartition { topic_id, index })
}

fn check_broker(image: &Image, id: i32) -> Result<(), String> {
    image.broker(id).map(|_| ()).ok_or_else(|| format!("there is no broker {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Record;
    use crate::metadata::record::{PartitionRecord, RegisterBrokerRecord, RemoveTopicRecord, TopicRecord};
    use crate::model::Uuid;

    fn image() -> Image {
        let mut image = Image::default();
        let broker = RegisterBrokerRecord { broker_id: 1, ..Default::default() };
        let mut records = vec![Record::RegisterBroker(broker)];
        for (name, topic_id) in [("t", Uuid::ONE), ("u", Uuid([7; 16]))] {
            records.push(Record::Topic(TopicRecord { name: name.into(), topic_id }));
            let (replicas, isr) = (vec![1], vec![1]);
            let partition =
                PartitionRecord { partition_id: 0, topic_id, replicas, isr, leader: 1, ..Default::default() };
            records.push(Record::Partition(partition));
        }
        apply(&mut image, &records);
        image
    }

    fn apply(image: &mut Image, records: &[Record<'_>]) {
        for record in records {
            assert_eq!(image.apply(record, image.offset() + 1), None, "{record:?}");
        }
    }

    fn follow(topic: &str, broker: Option<i32>) -> Staging {
        let follower = broker.map(|broker| Follower { broker, extent: Extent::WHOLE });
        Staging::Follow { topic: topic.into(), partition: 0, follower }
    }

    #[test]
    fn a_follower_is_there_until_another_is_wanted_or_its_topic_goes() {
        let (mut played, mut image) = (Played::default(), image());
        let key = |topic_id| TopicIdPartition { topic_id, index: 0 };
        let (t, u) = (key(Uuid::ONE), key(Uuid([7; 16])));
        assert_eq!(played.stage(&image, &follow("t", Some(2))), Ok(Some(t)));
        assert_eq!(played.stage(&image, &follow("u", Some(3))), Ok(Some(u)));
        let brokers = |played: &Played| [t, u].map(|key| played.follower(key).map(|follower| follower.broker));
        assert_eq!(brokers(&played), [Some(2), Some(3)]);
        assert_eq!(played.stage(&image, &follow("t", Some(19))), Ok(Some(t)));
        assert_eq!(brokers(&played), [Some(19), Some(3)]);
        apply(&mut image, &[Record::RemoveTopic(RemoveTopicRecord { topic_id: u.topic_id })]);
        assert!(played.stage(&image, &follow("u", None)).unwrap_err().contains("no partition u-0"));
        assert_eq!(played.stage(&image, &follow("t", None)), Ok(Some(t)));
        assert_eq!(played, Played::default());
    }

    #[test]
    fn a_leader_is_told_until_it_is_not() {
        let (mut played, image) = (Played::default(), image());
        let tell = |leader| Staging::TellLeader { topic: "t".into(), partition: 0, leader };
        let key = TopicIdPartition { topic_id: Uuid::ONE, index: 0 };
        let leader = Some(ToldLeader { id: 9, epoch: 7 });
        assert_eq!(played.stage(&image, &tell(leader)), Ok(None), "none waits for what is told");
        assert_eq!(played.leader(key), leader);
        assert_eq!(played.stage(&image, &tell(None)), Ok(None));
        assert_eq!(played, Played::default());
    }

    #[test]
    fn a_broker_is_hidden_and_told_elsewhere_until_it_is_not() {
        let (mut played, image) = (Played::default(), image());
        let hide = |broker, is_hidden| Staging::Hide { broker, is_hidden };
        let address = |address: Option<(&str, u16)>| {
            let address = address.map(|(host, port)| (host.to_string(), port));
            Staging::Readdress { broker: 1, address }
        };
        assert_eq!(played.stage(&image, &hide(1, true)), Ok(None));
        assert!(played.is_hidden(1) && !played.is_hidden(2));
        assert_eq!(played.stage(&image, &address(Some(("h", 9)))), Ok(None));
        assert_eq!((played.address(1), played.address(2)), (Some(("h", 9)), None));
        assert!(played.stage(&image, &hide(2, true)).unwrap_err().contains("no broker 2"));
        assert_eq!(played.stage(&image, &hide(1, false)), Ok(None));
        assert_eq!(played.stage(&image, &address(None)), Ok(None));
        assert_eq!(played, Played::default());
    }

    #[test]
    fn an_extent_has_its_ends() {
        let extent = Extent { start: Offset(2), end: Offset(5) };
        assert_eq!([1, 2, 5, 6].map(|offset| extent.has(offset)), [false, true, true, false]);
        assert!(Extent::WHOLE.has(0) && Extent::WHOLE.has(i64::MAX) && !Extent::WHOLE.has(-1));
    }
}
