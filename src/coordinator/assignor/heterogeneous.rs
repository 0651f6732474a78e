//! `uniform` for groups of different subscriptions (`UniformHeterogeneousAssignmentBuilder`).
//!
//! Each member first keeps what it has of the topics that it still wants. What no member has then goes to the least loaded
//! subscribers, topics with the most partitions per subscriber first. At last partitions move from the most to the least
//! loaded subscribers of each topic, round after round, until a whole round moves nothing. Costs: for each topic and
//! round its subscribers (sorted only if they are out of balance) and partitions; the rounds are limited.

use super::balancer::Balancer;
use super::{AssignError, Assignment, Member, TopicDescriber, java_order};
use crate::model::TopicId;
use std::collections::HashMap;

/// `MAX_ITERATION_COUNT`: subscriptions that overlap in a chain may take very long to settle.
const MOST_ROUNDS: usize = 16;
/// The owner of a partition that no member has.
const UNOWNED: usize = usize::MAX;

struct Topic {
    id: TopicId,
    /// Indices of members, ascending.
    subscribers: Vec<usize>,
    /// The index of the member that owns each partition.
    owners: Vec<usize>,
}

struct Builder {
    topics: Vec<Topic>,
    targets: Vec<Assignment>,
    /// How many partitions each member has in its target.
    sizes: Vec<usize>,
}

/// The targets in the order of `members`.
pub(super) fn assign(members: &[Member], describer: &dyn TopicDescriber) -> Result<Vec<Assignment>, AssignError> {
    let topics = subscribed(members, describer)?;
    if topics.is_empty() {
        return Ok(vec![Assignment::new(); members.len()]);
    }
    let mut builder = Builder { topics, targets: Vec::with_capacity(members.len()), sizes: vec![0; members.len()] };
    builder.keep(members)?;
    let mut balancer = Balancer::default();
    builder.assign_remaining(&mut balancer);
    builder.balance(&mut balancer);
    Ok(builder.targets)
}

/// All topics that a member wants, in the order in which they are worked on: most partitions per subscriber first, then
/// fewest subscribers, then by id.
fn subscribed(members: &[Member], describer: &dyn TopicDescriber) -> Result<Vec<Topic>, AssignError> {
    let mut topics: Vec<Topic> = Vec::new();
    let mut places: HashMap<TopicId, usize> = HashMap::new();
    for (at, member) in members.iter().enumerate() {
        for id in &member.spec.subscribed_topics {
            if let Some(place) = places.get(id) {
                topics[*place].subscribers.push(at);
                continue;
            }
            let partitions = describer.partitions(*id).ok_or_else(|| AssignError::unknown_topic(*id))?;
            let owners = vec![UNOWNED; usize::try_from(partitions).unwrap_or(0)];
            places.insert(*id, topics.len());
            topics.push(Topic { id: *id, subscribers: vec![at], owners });
        }
    }
    let share = |topic: &Topic| topic.owners.len() as f64 / topic.subscribers.len() as f64;
    topics.sort_by(|a, b| {
        let by_subscribers = a.subscribers.len().cmp(&b.subscribers.len());
        share(b).total_cmp(&share(a)).then(by_subscribers).then_with(|| java_order::compare_uuids(a.id, b.id))
    });
    Ok(topics)
}

impl Builder {
    fn keep(&mut self, members: &[Member]) -> Result<(), AssignError> {
        let places: HashMap<TopicId, usize> =
            self.topics.iter().enumerate().map(|(at, topic)| (topic.id, at)).collect();
        for (at, member) in members.iter().enumerate() {
            let mut target = member.spec.current.clone();
            target.retain(|topic, _| member.spec.subscribed_topics.contains(topic));
            for (id, partitions) in &target {
                self.sizes[at] += partitions.len();
                let owners = &mut self.topics[places[id]].owners;
                for partition in partitions {
                    let owner = usize::try_from(*partition).ok().and_then(|partition| owners.get_mut(partition));
                    // Kafka fails here, too (with an index out of bounds): a topic never loses partitions.
                    *owner.ok_or_else(|| AssignError(format!("There is no partition {partition} of topic {id}.")))? =
                        at;
                }
            }
            self.targets.push(target);
        }
        Ok(())
    }

    fn assign_remaining(&mut self, balancer: &mut Balancer) {
        for topic in 0..self.topics.len() {
            if !self.topics[topic].owners.contains(&UNOWNED) {
                continue;
            }
            balancer.start(&self.topics[topic].subscribers, &self.sizes);
            for partition in 0..self.topics[topic].owners.len() {
                if self.topics[topic].owners[partition] == UNOWNED {
                    let member = balancer.next_least_loaded(&self.sizes);
                    self.give(topic, partition, member);
                }
            }
        }
    }

    fn balance(&mut self, balancer: &mut Balancer) {
        let movable: Vec<usize> = (0..self.topics.len()).filter(|at| self.topics[*at].subscribers.len() >= 2).collect();
        let mut stock = Stock { partitions: Vec::new(), ranges: vec![(0, 0); self.sizes.len()] };
        // The topic where something moved last: back at it, a whole round has moved nothing.
        let mut last_moved = None;
        for _ in 0..MOST_ROUNDS {
            for topic in &movable {
                if last_moved == Some(*topic) {
                    return;
                }
                let moved = self.balance_topic(*topic, balancer, &mut stock);
                if moved || last_moved.is_none() {
                    last_moved = Some(*topic);
                }
            }
        }
    }

    /// Moves the topic's partitions from its most to its least loaded subscribers; whether any moved.
    fn balance_topic(&mut self, topic: usize, balancer: &mut Balancer, stock: &mut Stock) -> bool {
        let subscribers = &self.topics[topic].subscribers;
        let loads = || subscribers.iter().map(|member| self.sizes[*member]);
        let (Some(least), Some(most)) = (loads().min(), loads().max()) else { return false };
        if most - least <= 1 {
            return false;
        }
        balancer.start(subscribers, &self.sizes);
        stock.take(&self.topics[topic]);
        let mut moved = false;
        while !balancer.is_balanced() {
            let Some(partition) = last_of_most_loaded(balancer, stock, &self.sizes) else { break };
            let member = balancer.next_least_loaded(&self.sizes);
            if balancer.is_balanced() {
                break;
            }
            self.give(topic, partition, member);
            moved = true;
        }
        moved
    }

    fn give(&mut self, topic: usize, partition: usize, member: usize) {
        let Topic { id, owners, .. } = &mut self.topics[topic];
        let number = partition as i32;
        let old = std::mem::replace(&mut owners[partition], member);
        debug_assert!(old != member, "a partition moves to another member");
        if old != UNOWNED {
            if let Some(partitions) = self.targets[old].get_mut(id) {
                partitions.remove(&number);
                if partitions.is_empty() {
                    self.targets[old].remove(id);
                }
            }
            assert!(self.sizes[old] > 0, "who gives a partition has one");
            self.sizes[old] -= 1;
        }
        self.targets[member].entry(*id).or_default().insert(number);
        self.sizes[member] += 1;
    }
}

/// A topic's partitions, those of one member together, from which they are taken from the end.
struct Stock {
    partitions: Vec<usize>,
    /// Where those of each member are in `partitions`. Good for subscribers of the topic only.
    ranges: Vec<(usize, usize)>,
}

impl Stock {
    fn take(&mut self, topic: &Topic) {
        self.partitions.clear();
        self.partitions.extend(0..topic.owners.len());
        self.partitions.sort_by_key(|partition| topic.owners[*partition]);
        for member in &topic.subscribers {
            self.ranges[*member] = (0, 0);
        }
        for (at, partition) in self.partitions.iter().enumerate() {
            let (start, end) = &mut self.ranges[topic.owners[*partition]];
            if *end == 0 {
                *start = at;
            }
            *end = at + 1;
        }
    }

    fn pop(&mut self, member: usize) -> Option<usize> {
        let (start, end) = &mut self.ranges[member];
        if *start >= *end {
            return None;
        }
        *end -= 1;
        Some(self.partitions[*end])
    }
}

/// The next partition to move away; nothing if no loaded member has one of this topic.
fn last_of_most_loaded(balancer: &mut Balancer, stock: &mut Stock, sizes: &[usize]) -> Option<usize> {
    loop {
        let member = balancer.next_most_loaded(sizes)?;
        match stock.pop(member) {
            Some(partition) => return Some(partition),
            None => balancer.exclude_most_loaded(),
        }
    }
}
