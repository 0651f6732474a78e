//! What a test wants of the brokers that one process plays, beside what the metadata say: which broker a leader sends consumers to.
//!
//! Plain data, as a part of the view. The metadata thread changes it by what is asked for ([`Staging`]); a restart begins without it.

use std::collections::BTreeMap;

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

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Staging {
    /// `None`: as the metadata say.
    Follow { topic: String, partition: i32, follower: Option<Follower> },
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Played {
    followers: BTreeMap<TopicIdPartition, Follower>,
}

impl Played {
    /// Does it; answers the partition that those who wait must look at again. An error is a sentence.
    pub fn stage(&mut self, image: &Image, staging: &Staging) -> Result<Option<TopicIdPartition>, String> {
        match staging {
            Staging::Follow { topic, partition, follower } => {
                let key = find(image, topic, *partition)?;
                self.followers.retain(|of, _| *of != key && image.topic_by_id(of.topic_id).is_some());
                self.followers.extend(follower.map(|follower| (key, follower)));
                Ok(Some(key))
            }
        }
    }

    /// Whom a leader sends consumers of a partition to, where a test says so.
    pub fn follower(&self, key: TopicIdPartition) -> Option<&Follower> {
        self.followers.get(&key)
    }
}

fn find(image: &Image, topic: &str, index: i32) -> Result<TopicIdPartition, String> {
    let found = image.topic(topic).filter(|topic| topic.partition(index).is_some());
    let topic_id = found.ok_or_else(|| format!("there is no partition {topic}-{index}"))?.id;
    Ok(TopicIdPartition { topic_id, index })
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
    fn an_extent_has_its_ends() {
        let extent = Extent { start: Offset(2), end: Offset(5) };
        assert_eq!([1, 2, 5, 6].map(|offset| extent.has(offset)), [false, true, true, false]);
        assert!(Extent::WHOLE.has(0) && Extent::WHOLE.has(i64::MAX) && !Extent::WHOLE.has(-1));
    }
}
