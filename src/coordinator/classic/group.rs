//! What a group of the classic protocol is: its members, its state, its protocol (`ClassicGroup`, `ClassicGroupMember`).
//!
//! Nothing here answers a request, sets a timer or writes a record: that is the business of [`super::Live`]. Kafka's
//! `Dead` is missing, as a group that is deleted is gone at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{DescribedMember, Description, JoinedMember};
use crate::codec::{Message, Reader};
use crate::coordinator::consumer_protocol::ConsumerProtocolSubscription;
use crate::coordinator::step::Waiter;
use crate::model::{ErrorCode, TimestampMs};

/// The protocol type of consumers, the only one whose metadata the coordinator looks into.
pub const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// No members; the group lives on for its offsets.
    Empty,
    /// The members are told to join again, and waited for.
    PreparingRebalance,
    /// All have joined; the assignments of the leader are waited for.
    CompletingRebalance,
    Stable,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// The first rebalance of a group waits for more members to come, and longer when one came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Initial {
    /// What is waited for now.
    pub delay: Duration,
    /// What may be waited for after that.
    pub remaining: Duration,
}

#[derive(Clone, Debug)]
pub struct Member {
    pub id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub client_id: String,
    pub client_host: String,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// Names, each once, and metadata; the preferred one first.
    pub protocols: Vec<(String, Vec<u8>)>,
    pub assignment: Vec<u8>,
    pub(super) awaiting_join: Option<Waiter>,
    pub(super) awaiting_sync: Option<Waiter>,
    /// It does not know its id yet, so it cannot send heartbeats; its session runs although it waits.
    pub(super) is_new: bool,
}

impl Member {
    /// A member that waits for nothing and has no assignment.
    pub fn new(id: Arc<str>, instance_id: Option<Arc<str>>, client_id: &str, client_host: &str) -> Member {
        Member {
            id,
            instance_id,
            client_id: client_id.to_string(),
            client_host: client_host.to_string(),
            rebalance_timeout_ms: 0,
            session_timeout_ms: 0,
            protocols: Vec::new(),
            assignment: Vec::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }

    /// Its metadata for a protocol; empty if it does not support it.
    pub fn metadata(&self, protocol: &str) -> &[u8] {
        self.protocols.iter().find(|(name, _)| name == protocol).map_or(&[], |(_, metadata)| metadata)
    }

    pub(super) fn session_timeout(&self) -> Duration {
        millis(self.session_timeout_ms)
    }

    /// Who waits for an answer is alive.
    pub(super) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    pub(super) fn matches(&self, protocols: &[(&str, &[u8])]) -> bool {
        let own = self.protocols.iter().map(|(name, metadata)| (name.as_str(), metadata.as_slice()));
        own.eq(protocols.iter().copied())
    }
}

pub(super) fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) id: Arc<str>,
    pub(super) state: State,
    /// `None` in records of before Kafka 2.1, and for groups of simple consumers.
    pub(super) state_since: Option<TimestampMs>,
    /// There is one only while the group prepares a rebalance that began in `Empty`.
    pub(super) initial: Option<Initial>,
    /// A member came while the first rebalance waited. If that was in the last moment that may be waited for, Kafka
    /// remembers it for the next time that the group comes to life.
    pub(super) new_member_added: bool,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<Arc<str>>,
    members: BTreeMap<Arc<str>, Member>,
    pub(super) static_members: BTreeMap<Arc<str>, Arc<str>>,
    /// They were given an id and have not joined with it yet (KIP-394).
    pub(super) pending_join: BTreeSet<Arc<str>>,
    /// They have joined this generation and not asked for their assignments yet.
    pub(super) pending_sync: BTreeSet<Arc<str>>,
    awaiting_join: usize,
    /// How many members support each protocol.
    pub(super) supported: BTreeMap<String, usize>,
    /// What consumers subscribe to, if all of their metadata could be read.
    subscribed: Option<BTreeSet<String>>,
}

impl Group {
    pub fn new(id: Arc<str>, state_since: Option<TimestampMs>) -> Group {
        Group {
            id,
            state: State::Empty,
            state_since,
            initial: None,
            new_member_added: false,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            awaiting_join: 0,
            supported: BTreeMap::new(),
            subscribed: None,
        }
    }

    /// A group that is stable as it stands, once its members are added (from a record, or from the other protocol).
    pub fn stable(id: Arc<str>, generation: i32, protocol_type: &str, state_since: Option<TimestampMs>) -> Group {
        let protocol_type = Some(protocol_type.to_string()).filter(|name| !name.is_empty());
        Group { state: State::Stable, generation, protocol_type, ..Group::new(id, state_since) }
    }

    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// Milliseconds since the epoch.
    pub fn state_since(&self) -> Option<i64> {
        self.state_since.map(|since| since.0)
    }

    pub fn generation(&self) -> i32 {
        self.generation
    }

    pub fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    /// The name of the protocol that the members' votes chose.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    pub fn leader(&self) -> Option<&Arc<str>> {
        self.leader.as_ref()
    }

    /// The members in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(in crate::coordinator) fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.values_mut()
    }

    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub(super) fn member_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.get_mut(id)
    }

    pub fn size(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    /// It holds the offsets of consumers that are in no group, and no record of its own.
    pub fn is_simple(&self) -> bool {
        self.protocol_type.is_none() && self.is_empty() && self.pending_join.is_empty()
    }

    pub fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    pub fn static_member_id(&self, instance_id: &str) -> Option<&Arc<str>> {
        self.static_members.get(instance_id)
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub(super) fn has_all_members_joined(&self) -> bool {
        self.members.len() == self.awaiting_join && self.pending_join.is_empty()
    }

    pub(super) fn awaiting_join(&self) -> usize {
        self.awaiting_join
    }

    /// The longest that a member asks for.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        millis(self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0))
    }

    /// Adds a member; the first one leads, and gives an empty group its protocol type.
    pub fn add(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_string());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.id.clone());
        }
        self.pending_join.remove(&member.id);
        self.put(member);
    }

    fn put(&mut self, member: Member) {
        for (name, _) in &member.protocols {
            match self.supported.get_mut(name) {
                Some(count) => *count += 1,
                None => drop(self.supported.insert(name.clone(), 1)),
            }
        }
        self.awaiting_join += usize::from(member.awaiting_join.is_some());
        let replaced = self.members.insert(member.id.clone(), member);
        assert!(replaced.is_none(), "a member is taken out before it is put back");
        assert!(self.awaiting_join <= self.members.len(), "only members wait");
    }

    fn take(&mut self, id: &str) -> Option<Member> {
        let member = self.members.remove(id)?;
        for (name, _) in &member.protocols {
            let count = self.supported.get_mut(name).filter(|count| **count > 0);
            let count = count.expect("the protocols of every member are counted");
            *count -= 1;
            if *count == 0 {
                self.supported.remove(name);
            }
        }
        assert!(member.awaiting_join.is_none() || self.awaiting_join > 0, "those who wait are counted");
        self.awaiting_join -= usize::from(member.awaiting_join.is_some());
        let is_last = self.members.is_empty();
        assert!(!is_last || (self.supported.is_empty() && self.awaiting_join == 0), "nothing is left of no members");
        Some(member)
    }

    /// Removes a member or what was to become one. If it led, another one leads.
    pub(super) fn remove(&mut self, id: &str) -> Option<Member> {
        let removed = self.take(id);
        if let Some(instance_id) = removed.as_ref().and_then(|member| member.instance_id.as_ref()) {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_join.remove(id);
        self.pending_sync.remove(id);
        assert!(!self.is_leader(id) && !self.members.contains_key(id), "{id} has left the group {:?}", self.id);
        removed
    }

    /// Changes what a member says of itself, or whether it waits, and keeps the counts right.
    pub(super) fn update<R>(&mut self, id: &str, change: impl FnOnce(&mut Member) -> R) -> Option<R> {
        let mut member = self.take(id)?;
        let result = change(&mut member);
        self.put(member);
        Some(result)
    }

    /// Gives a static member a new id; what waits under the old one is handed back.
    pub(super) fn replace_static(&mut self, old: &str, new: &Arc<str>) -> Option<(Option<Waiter>, Option<Waiter>)> {
        assert!(!self.members.contains_key(new), "ids are not given twice: {new}");
        let mut member = self.take(old)?;
        let waiters = (member.awaiting_join.take(), member.awaiting_sync.take());
        member.id = new.clone();
        member.is_new = false;
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), new.clone());
        }
        if self.is_leader(old) {
            self.leader = Some(new.clone());
        }
        // Kafka leaves the old id in this set, so that a needless rebalance follows.
        if self.pending_sync.remove(old) {
            self.pending_sync.insert(new.clone());
        }
        self.put(member);
        Some(waiters)
    }

    /// Takes out who waits for a member's join.
    pub(super) fn take_join_waiter(&mut self, id: &str) -> Option<Waiter> {
        let waiter = self.members.get_mut(id)?.awaiting_join.take()?;
        assert!(self.awaiting_join > 0, "those who wait are counted");
        self.awaiting_join -= 1;
        Some(waiter)
    }

    /// Makes sure that the leader is one who has joined; false if no member has.
    pub(super) fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = &self.leader else { return false };
        if self.members.get(leader).is_some_and(|member| member.awaiting_join.is_some()) {
            return true;
        }
        let joined = self.members.values().find(|member| member.awaiting_join.is_some());
        let Some(id) = joined.map(|member| member.id.clone()) else { return false };
        self.leader = Some(id);
        true
    }

    /// Whether a member with these protocols can be in the group.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[(&str, &[u8])]) -> bool {
        if self.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let all = self.members.len();
        let supported = |name: &str| self.supported.get(name).copied().unwrap_or(0) == all;
        self.protocol_type() == Some(protocol_type) && protocols.iter().any(|(name, _)| supported(name))
    }

    /// The protocol that all members support and most of them prefer; between equals, the first by name (in Kafka it
    /// is up to a hash table). `None` if there is none, which joining members never bring about.
    pub fn select_protocol(&self) -> Option<String> {
        let all = self.members.len();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut names = member.protocols.iter().map(|(name, _)| name.as_str());
            if let Some(vote) = names.find(|name| self.supported.get(*name) == Some(&all)) {
                *votes.entry(vote).or_default() += 1;
            }
        }
        let most = votes.values().max()?;
        votes.iter().find(|(_, count)| *count == most).map(|(name, _)| name.to_string())
    }

    /// What may follow is Kafka's (`ClassicGroupState.validPreviousStates`).
    pub(super) fn transition(&mut self, state: State, wall: TimestampMs) {
        let is_allowed = match state {
            State::Empty | State::CompletingRebalance => self.state == State::PreparingRebalance,
            State::PreparingRebalance => self.state != State::PreparingRebalance,
            State::Stable => self.state == State::CompletingRebalance,
        };
        assert!(is_allowed, "the group {:?} goes from {:?} to {state:?}", self.id, self.state);
        self.state = state;
        self.state_since = Some(wall);
    }

    /// The next generation begins, with who has joined.
    pub(super) fn init_next_generation(&mut self, wall: TimestampMs) {
        assert!(self.members.values().all(|member| member.awaiting_join.is_some() || member.instance_id.is_some()));
        assert!(self.members.is_empty() || self.leader.as_ref().is_some_and(|id| self.members.contains_key(id)));
        self.generation = self.generation.wrapping_add(1);
        self.initial = None;
        self.pending_sync.clear();
        let (protocol, state) = match self.members.is_empty() {
            true => (None, State::Empty),
            false => (Some(self.select_protocol().unwrap_or_default()), State::CompletingRebalance),
        };
        self.set_protocol(protocol);
        self.transition(state, wall);
    }

    /// Sets the chosen protocol, and with it which topics the members subscribe to.
    pub fn set_protocol(&mut self, protocol: Option<String>) {
        self.protocol = protocol;
        self.subscribed = self.compute_subscribed_topics();
    }

    /// All versions of the consumers' metadata begin like version 0.
    fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        let mut topics = BTreeSet::new();
        if self.members.is_empty() {
            return Some(topics);
        }
        let protocol = self.protocol.as_deref()?;
        for member in self.members.values() {
            let mut reader = Reader::new(member.metadata(protocol));
            reader.i16("Subscription.Version").ok().filter(|version| *version >= 0)?;
            for topic in ConsumerProtocolSubscription::decode(&mut reader, 0).ok()?.topics {
                if !topics.contains(topic.as_ref()) {
                    topics.insert(topic.into_owned());
                }
            }
        }
        Some(topics)
    }

    /// Consumers whose metadata could not be read may subscribe to anything.
    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    pub fn knows_subscribed_topics(&self) -> bool {
        self.subscribed.is_some()
    }

    /// That the member is in the group, and not replaced by another one with the same instance id.
    pub(super) fn validate_member(&self, id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(existing) if existing.as_ref() != id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Whether offsets may be committed; without a generation only while there are no members, by the admin client or
    /// a consumer that manages its partitions itself.
    pub fn validate_offset_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        if generation < 0 && self.is_empty() {
            return Ok(());
        }
        if generation < 0 && member_id.is_empty() && instance_id.is_none() {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate_member(member_id, instance_id)?;
        if generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        match self.state {
            State::CompletingRebalance => Err(ErrorCode::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Whether a producer may commit offsets in its transaction. Clients of before KIP-447 do not say whose they are, and
    /// the state of the group does not matter.
    pub fn validate_transactional_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        let says_nothing = generation < 0 && member_id.is_empty() && instance_id.is_none();
        if says_nothing || (generation < 0 && self.is_empty()) {
            return Ok(());
        }
        self.validate_member(member_id, instance_id)?;
        if generation == self.generation { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// What the leader is told of the members.
    pub(super) fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let joined = |member: &Member| JoinedMember {
            member_id: member.id.to_string(),
            instance_id: member.instance_id.as_deref().map(str::to_string),
            metadata: member.metadata(protocol).to_vec(),
        };
        self.members.values().map(joined).collect()
    }

    /// Protocol and metadata are told only while they are agreed upon.
    pub fn describe(&self) -> Description {
        let protocol = self.protocol.as_deref().filter(|_| self.state == State::Stable);
        let describe = |member: &Member| DescribedMember {
            member_id: member.id.to_string(),
            instance_id: member.instance_id.as_deref().map(str::to_string),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: protocol.map(|protocol| member.metadata(protocol).to_vec()).unwrap_or_default(),
            assignment: member.assignment.clone(),
        };
        Description {
            state: self.state.name().to_string(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: protocol.unwrap_or_default().to_string(),
            members: self.members.values().map(describe).collect(),
        }
    }
}
