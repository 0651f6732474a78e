//! What a Fetch asks for, as its session and its answer name it.

use std::sync::Arc;

use indexmap::IndexMap;

use super::fetch_session::{Name, Wanted};
use crate::wire::api::fetch as message;

/// What is asked of each partition. One that is named twice stands where it was named first, with what was said last
/// (`FetchRequest.fetchData`).
pub(super) fn wanted(body: &message::Request<'_>) -> Vec<(Name, Wanted)> {
    let partition = |topic: &Arc<str>, topic_id, partition: &message::FetchPartition| {
        let name = Name { topic_id, topic: topic.clone(), partition: partition.partition };
        let wanted = Wanted {
            current_leader_epoch: partition.current_leader_epoch,
            fetch_offset: partition.fetch_offset,
            last_fetched_epoch: partition.last_fetched_epoch,
            log_start_offset: partition.log_start_offset,
            partition_max_bytes: partition.partition_max_bytes,
        };
        (name, wanted)
    };
    let topic = |t: &message::FetchTopic<'_>| -> Vec<_> {
        let name: Arc<str> = (*t.topic).into();
        t.partitions.iter().map(|p| partition(&name, t.topic_id, p)).collect()
    };
    let all = body.topics.iter().flat_map(topic);
    if names_each_once(&body.topics) {
        return all.collect();
    }
    all.collect::<IndexMap<Name, Wanted>>().into_iter().collect()
}

/// Whether no topic stands twice, and no partition of one: clients name each once, and their fetches need no map.
fn names_each_once(topics: &[message::FetchTopic<'_>]) -> bool {
    let name = |topic: &message::FetchTopic<'_>| (topic.topic_id, topic.topic.to_string());
    let index = |partition: &message::FetchPartition| partition.partition;
    is_distinct(topics, |a, b| a.topic_id == b.topic_id && a.topic == b.topic, name)
        && topics.iter().all(|topic| is_distinct(&topic.partitions, |a, b| index(a) == index(b), index))
}

/// Whether no two items are equal. Few are compared with each other, which needs no memory; many are sorted by a key.
fn is_distinct<T, K: Ord>(items: &[T], equal: impl Fn(&T, &T) -> bool, key: impl Fn(&T) -> K) -> bool {
    const FEW: usize = 8;
    if items.len() <= FEW {
        return items.iter().enumerate().all(|(at, item)| items[..at].iter().all(|before| !equal(before, item)));
    }
    let mut keys: Vec<K> = items.iter().map(key).collect();
    keys.sort_unstable();
    keys.windows(2).all(|pair| pair[0] != pair[1])
}

pub(super) fn forgotten(body: &message::Request<'_>) -> Vec<Name> {
    let topic = |t: &message::ForgottenTopic<'_>| -> Vec<Name> {
        let name: Arc<str> = (*t.topic).into();
        let one = |p: &i32| Name { topic_id: t.topic_id, topic: name.clone(), partition: *p };
        t.partitions.iter().map(one).collect()
    };
    body.forgotten_topics_data.iter().flat_map(topic).collect()
}
