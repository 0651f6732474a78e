//! Incremental fetch sessions (KIP-227): what a client asked for last time, so that it need not say it again, and what
//! it was told last time, so that only changes are answered.
//!
//! A pure machine: it decides which partitions a fetch covers and which of the results are worth telling. Sessions
//! belong to the shard of the connection that made them; a client that comes back on another shard is told that its
//! session is unknown and starts over, as Kafka's clients do after any broker's restart. Follows `FetchSession.scala`.
//!
//! A partition of which all was told and nothing is left to read is idle: fetches pass it over until it is marked active by its
//! progress, by the client asking something else of it, or by a change of the metadata. A fetch that finds it at rest has
//! asked for its progress before (`Partition::waiting`), so none is missed. A consumer of very many partitions costs what
//! happens in them, where Kafka looks at each of them at each fetch.
//!
//! Kafka asks at each fetch whether its client may read each partition. Here those that are passed over were asked about for
//! the same asker, by the same rules: if either is another, every partition is looked at again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indexmap::IndexMap;

use crate::model::{ErrorCode, Instant, IsolationLevel, TopicId};
use crate::security::acl::{HostAddress, Subject};
use crate::security::crypto::Hash as Hashing;
use crate::security::principal::Principal;
use crate::stdx::slab::Key;

/// A session that has not been used for so long may make room for a new one (Kafka's
/// `min.incremental.fetch.session.eviction.ms`).
const EVICTION_MS: u64 = 120_000;
/// `session_epoch` of a request that wants no session, or ends the one it names.
const FINAL_EPOCH: i32 = -1;
/// `session_epoch` of a request that wants a new session.
const INITIAL_EPOCH: i32 = 0;
/// `session_id` of an answer without a session.
pub const NO_SESSION: i32 = 0;

/// A partition as the client names it: by id from version 13 on (the name is empty then), by name before (the id is
/// zero then).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    pub topic_id: TopicId,
    /// Shared by all partitions of a request's topic: a long name with many partitions must cost its length once.
    pub topic: Arc<str>,
    pub partition: i32,
}

impl Name {
    /// Whether both are of a topic that a request has named in one place. Of two places it may not be seen.
    pub fn are_of_one_topic(a: &Name, b: &Name) -> bool {
        a.topic_id == b.topic_id && Arc::ptr_eq(&a.topic, &b.topic)
    }
}

/// Bytes of a name that its hash looks at, for the same reason.
const HASHED_NAME_BYTES: usize = 64;

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let name = self.topic.as_bytes();
        (self.topic_id, name.len(), &name[..name.len().min(HASHED_NAME_BYTES)], self.partition).hash(state);
    }
}

/// What a client wants of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    pub log_start_offset: i64,
    pub partition_max_bytes: i32,
}

/// What a client was told of one partition. Before the first answer nothing is equal to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Told {
    pub high_watermark: i64,
    pub log_start_offset: i64,
    pub is_error: bool,
}

#[derive(Clone, Debug)]
struct Cached {
    wanted: Wanted,
    told: Option<Told>,
    /// Its number in this process, once it was found at rest: then the session is told of its progress.
    number: Option<u64>,
}

impl Cached {
    fn new(wanted: Wanted) -> Cached {
        Cached { wanted, told: None, number: None }
    }
}

/// Who could read what a session passes over, and by which rules.
struct Judged {
    principal: Principal,
    host: HostAddress,
    is_own: bool,
    rules_epoch: u64,
}

impl Judged {
    fn new(by: Judging<'_>) -> Judged {
        let Judging { subject, is_own, rules_epoch } = by;
        Judged { principal: subject.principal.clone(), host: subject.host, is_own, rules_epoch }
    }

    /// Whether the same would be asked again.
    fn holds_for(&self, by: Judging<'_>) -> bool {
        let Judging { subject, is_own, rules_epoch } = by;
        (self.rules_epoch, self.is_own, self.host) == (rules_epoch, is_own, subject.host)
            && self.principal == *subject.principal
    }
}

struct Session {
    epoch: i32,
    uses_topic_ids: bool,
    isolation: IsolationLevel,
    judged: Judged,
    partitions: IndexMap<Name, Cached>,
    /// The places of those that are not idle.
    active: BTreeSet<usize>,
    /// Its fetch that waits, or has waited last.
    parked: Option<Key>,
    /// Where the next answer begins, so that each partition comes first in its turn.
    start: usize,
    used: Instant,
}

/// What a request's fields say about sessions.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub session_id: i32,
    pub session_epoch: i32,
    pub uses_topic_ids: bool,
    pub isolation: IsolationLevel,
    pub judging: Judging<'a>,
}

/// Whose rights count, and which rules say what they are.
#[derive(Clone, Copy)]
pub struct Judging<'a> {
    pub subject: Subject<'a>,
    /// The broker itself, which may do everything.
    pub is_own: bool,
    pub rules_epoch: u64,
}

impl Judging<'static> {
    /// A client of this machine that has not logged in, for measurements.
    pub fn local_anonymous() -> Judging<'static> {
        let host = SocketAddr::from(([127, 0, 0, 1], 1)).into();
        Judging { subject: Subject { principal: &Principal::ANONYMOUS, host }, is_own: false, rules_epoch: 0 }
    }
}

/// How a fetch is to be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answering {
    /// All partitions of the request; the session may be new or none.
    Full { session_id: i32 },
    /// The answer tells only of those partitions that changed since the last answer of the session. The epoch is that of the
    /// session's next fetch.
    Incremental { session_id: i32, epoch: i32 },
}

impl Answering {
    pub fn session_id(self) -> i32 {
        match self {
            Answering::Full { session_id } | Answering::Incremental { session_id, .. } => session_id,
        }
    }
}

/// What was found of one partition.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub told: Told,
    pub records_bytes: usize,
    /// Its number, if there is nothing left to read, and its progress was asked for before that was seen.
    pub at_rest: Option<u64>,
}

/// Partitions, the sessions that are told of their progress, and their place in these.
type Watchers = BTreeMap<(u64, i32), usize>;

/// Room for sessions (`max.incremental.fetch.session.cache.slots`), shared by all shards.
pub struct Slots {
    pub all: usize,
    /// How many sessions all shards have.
    pub taken: Arc<AtomicUsize>,
}

impl Slots {
    /// Takes one, if there is one or the shard has less than its share. A shard's share cannot be lost to sessions of
    /// another one that are not used any more, so in the worst case there are nearly twice as many.
    fn take(&self, is_of_share: bool) -> bool {
        let next = |taken| (is_of_share || taken < self.all).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The sessions of one shard.
pub struct Cache {
    sessions: HashMap<i32, Session>,
    watchers: Watchers,
    by_use: BTreeSet<(Instant, i32)>,
    slots: Slots,
    /// Ids are drawn, not counted: no client should guess another's, and after a restart the old ones mean nothing. From
    /// those that a client has been given it cannot compute the next, nor this.
    secret: [u8; 8],
    drawn: u64,
    shard: u32,
    shards: u32,
}

impl Cache {
    /// The ids of different `shard`s out of `shards` never meet.
    pub fn new(slots: Slots, shard: usize, shards: usize, seed: u64) -> Cache {
        let (shard, shards, secret) = (shard as u32, shards as u32, seed.to_be_bytes());
        let (watchers, by_use) = (Watchers::new(), BTreeSet::new());
        Cache { sessions: HashMap::new(), watchers, by_use, slots, secret, drawn: 0, shard, shards }
    }

    /// A number that does not tell the next one.
    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        let message = [self.drawn.to_be_bytes(), u64::from(self.shard).to_be_bytes()].concat();
        let digest = Hashing::Sha256.hmac(&self.secret, &message);
        digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn draw_id(&mut self) -> i32 {
        loop {
            let drawn = (self.draw() % u64::from(i32::MAX as u32 / self.shards)) as u32;
            let id = (drawn * self.shards + self.shard) as i32;
            if id != NO_SESSION && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    /// Decides about a request: which partitions it covers and how it is answered.
    pub fn begin(
        &mut self,
        now: Instant,
        asked: Asked<'_>,
        partitions: Vec<(Name, Wanted)>,
        forgotten: &[Name],
    ) -> Result<(Answering, Vec<(Name, Wanted)>), ErrorCode> {
        match asked.session_epoch {
            FINAL_EPOCH | INITIAL_EPOCH => {
                self.remove(asked.session_id);
                let wants_session = asked.session_epoch == INITIAL_EPOCH && !partitions.is_empty();
                let session_id = if wants_session { self.create(now, asked, &partitions) } else { NO_SESSION };
                Ok((Answering::Full { session_id }, partitions))
            }
            _ => self.go_on(now, asked, partitions, forgotten),
        }
    }

    fn go_on(
        &mut self,
        now: Instant,
        asked: Asked<'_>,
        partitions: Vec<(Name, Wanted)>,
        forgotten: &[Name],
    ) -> Result<(Answering, Vec<(Name, Wanted)>), ErrorCode> {
        let session_id = asked.session_id;
        let session = self.sessions.get_mut(&session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != asked.session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.uses_topic_ids != asked.uses_topic_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        session.update(partitions);
        forgotten.iter().for_each(|name| session.forget(session_id, name, &mut self.watchers));
        if session.isolation != asked.isolation {
            session.isolation = asked.isolation;
            session.mark_active_all();
        }
        if !session.judged.holds_for(asked.judging) {
            session.judged = Judged::new(asked.judging);
            session.mark_active_all();
        }
        if session.partitions.is_empty() {
            self.remove(session_id);
            return Ok((Answering::Full { session_id: NO_SESSION }, Vec::new()));
        }
        // After the largest epoch comes 1: 0 and -1 have their meanings.
        session.epoch = if session.epoch == i32::MAX { 1 } else { session.epoch + 1 };
        let (covered, epoch) = (session.covered(), session.epoch);
        self.by_use.remove(&(session.used, session_id));
        session.used = now;
        self.by_use.insert((now, session_id));
        Ok((Answering::Incremental { session_id, epoch }, covered))
    }

    fn create(&mut self, now: Instant, asked: Asked<'_>, partitions: &[(Name, Wanted)]) -> i32 {
        let has_slot = self.take_slot() || (self.evict(now) && self.take_slot());
        if !has_slot {
            return NO_SESSION;
        }
        let session_id = self.draw_id();
        let cached = |(name, wanted): &(Name, Wanted)| (name.clone(), Cached::new(wanted.clone()));
        let partitions: IndexMap<_, _> = partitions.iter().map(cached).collect();
        let session = Session {
            epoch: 1,
            uses_topic_ids: asked.uses_topic_ids,
            isolation: asked.isolation,
            judged: Judged::new(asked.judging),
            active: (0..partitions.len()).collect(),
            partitions,
            parked: None,
            start: 0,
            used: now,
        };
        self.sessions.insert(session_id, session);
        self.by_use.insert((now, session_id));
        session_id
    }

    fn take_slot(&self) -> bool {
        self.slots.take(self.sessions.len() < self.slots.all / self.shards as usize)
    }

    /// Drops the session that was not used longest, if that is long enough.
    fn evict(&mut self, now: Instant) -> bool {
        match self.by_use.first() {
            Some(&(used, session_id)) if now.since(used).as_millis() as u64 >= EVICTION_MS => {
                self.remove(session_id);
                true
            }
            _ => false,
        }
    }

    fn remove(&mut self, session_id: i32) {
        if let Some(mut session) = self.sessions.remove(&session_id) {
            self.slots.give_back();
            session.unwatch(session_id, &mut self.watchers);
            self.by_use.remove(&(session.used, session_id));
        }
    }

    /// Whether a result belongs into the answer, which tells it if so. Everything belongs into a full answer.
    pub fn tell(&mut self, answering: Answering, name: &Name, seen: Seen) -> bool {
        let session_id = answering.session_id();
        let Some(session) = self.sessions.get_mut(&session_id) else { return true };
        let Some((at, _, cached)) = session.partitions.get_full_mut(name) else { return true };
        let is_news = seen.records_bytes > 0 || seen.told.is_error || cached.told != Some(seen.told);
        cached.told = Some(seen.told);
        if seen.records_bytes > 0 {
            session.start = at + 1;
        }
        if let Some(number) = seen.at_rest {
            session.active.remove(&at);
            // It has another number where a topic was made anew under its name.
            if let Some(other) = cached.number.replace(number).filter(|known| *known != number) {
                self.watchers.remove(&(other, session_id));
            }
            self.watchers.insert((number, session_id), at);
        }
        is_news || matches!(answering, Answering::Full { .. })
    }

    /// Nothing is told of what a fetch has found. A session that would begin with it does not begin; the answer is which one
    /// goes on (`FullFetchContext.getThrottledResponse`).
    pub fn give_up(&mut self, answering: Answering) -> i32 {
        match answering {
            Answering::Incremental { session_id, .. } => session_id,
            Answering::Full { session_id } => {
                self.remove(session_id);
                NO_SESSION
            }
        }
    }

    /// Notes under which key a session's fetch waits.
    pub fn park(&mut self, answering: Answering, key: Key) {
        if let Some(session) = self.sessions.get_mut(&answering.session_id()) {
            session.parked = Some(key);
        }
    }

    /// What an incremental fetch covers as things stand; `None` if its session has gone meanwhile, or on: what was added to it
    /// since, by this client or another, this fetch was not judged for.
    pub fn covered(&self, answering: Answering) -> Option<Vec<(Name, Wanted)>> {
        match answering {
            Answering::Incremental { session_id, epoch } => {
                let session = self.sessions.get(&session_id).filter(|session| session.epoch == epoch);
                session.map(Session::covered)
            }
            Answering::Full { .. } => None,
        }
    }

    /// A partition has made progress: it is active again. The answer is whose fetches, if they wait, should be looked at.
    pub fn mark_active(&mut self, number: u64) -> Vec<Key> {
        let mut waiting = Vec::new();
        for (&(_, session_id), at) in self.watchers.range((number, i32::MIN)..=(number, i32::MAX)) {
            if let Some(session) = self.sessions.get_mut(&session_id) {
                session.active.insert(*at);
                waiting.extend(session.parked);
            }
        }
        waiting
    }

    /// Anything may have changed.
    pub fn mark_active_all(&mut self) {
        self.sessions.values_mut().for_each(Session::mark_active_all);
    }
}

impl Session {
    fn update(&mut self, partitions: Vec<(Name, Wanted)>) {
        for (name, wanted) in partitions {
            let at = match self.partitions.get_full_mut(&name) {
                Some((at, _, cached)) => {
                    cached.wanted = wanted;
                    at
                }
                None => self.partitions.insert_full(name, Cached::new(wanted)).0,
            };
            self.active.insert(at);
        }
    }

    /// The last partition takes the place of the one that goes.
    fn forget(&mut self, session_id: i32, name: &Name, watchers: &mut Watchers) {
        let Some((at, _, gone)) = self.partitions.swap_remove_full(name) else { return };
        if let Some(number) = gone.number {
            watchers.remove(&(number, session_id));
        }
        self.active.remove(&at);
        let last = self.partitions.len();
        let Some((_, moved)) = self.partitions.get_index(at) else { return };
        if self.active.remove(&last) {
            self.active.insert(at);
        }
        if let Some(number) = moved.number {
            watchers.insert((number, session_id), at);
        }
    }

    fn unwatch(&mut self, session_id: i32, watchers: &mut Watchers) {
        for number in self.partitions.values_mut().filter_map(|cached| cached.number.take()) {
            watchers.remove(&(number, session_id));
        }
    }

    fn mark_active_all(&mut self) {
        self.active = (0..self.partitions.len()).collect();
    }

    /// The partitions that are not idle, beginning behind the one that had records last.
    fn covered(&self) -> Vec<(Name, Wanted)> {
        let start = self.start % self.partitions.len().max(1);
        let rotated = self.active.range(start..).chain(self.active.range(..start));
        let one =
            |at: &usize| self.partitions.get_index(*at).map(|(name, cached)| (name.clone(), cached.wanted.clone()));
        rotated.filter_map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn partition(number: i32, fetch_offset: i64) -> (Name, Wanted) {
        let name = Name { topic_id: TopicId::ZERO, topic: "t".into(), partition: number };
        let wanted = Wanted {
            current_leader_epoch: -1,
            fetch_offset,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 1,
        };
        (name, wanted)
    }

    fn slots(all: usize) -> Slots {
        Slots { all, taken: Arc::default() }
    }

    fn judging(principal: &Principal, host: [u8; 4], rules_epoch: u64) -> Judging<'_> {
        let host = SocketAddr::from((host, 1)).into();
        Judging { subject: Subject { principal, host }, is_own: false, rules_epoch }
    }

    fn asked(session_id: i32, session_epoch: i32) -> Asked<'static> {
        Asked {
            session_id,
            session_epoch,
            uses_topic_ids: false,
            isolation: IsolationLevel::ReadUncommitted,
            judging: judging(&Principal::ANONYMOUS, [127, 0, 0, 1], 0),
        }
    }

    /// How the last fetch of a session is answered.
    fn latest(cache: &Cache, session_id: i32) -> Answering {
        let epoch = cache.sessions.get(&session_id).map_or(0, |session| session.epoch);
        Answering::Incremental { session_id, epoch }
    }

    const SAME: Told = Told { high_watermark: 5, log_start_offset: 0, is_error: false };

    fn seen(told: Told, records_bytes: usize) -> Seen {
        Seen { told, records_bytes, at_rest: None }
    }

    /// All was read; the partition's number is ten more than its index.
    fn at_rest(name: &Name) -> Seen {
        Seen { at_rest: Some(10 + name.partition as u64), ..seen(SAME, 0) }
    }

    fn indexes(covered: &[(Name, Wanted)]) -> Vec<i32> {
        covered.iter().map(|(name, _)| name.partition).collect()
    }

    #[test]
    fn a_session_covers_what_was_asked_before_and_tells_only_news() {
        let mut cache = Cache::new(slots(2), 0, 1, 7);
        let now = Instant(0);
        let (full, covered) = cache.begin(now, asked(0, 0), vec![partition(0, 1), partition(1, 1)], &[]).unwrap();
        assert!(matches!(full, Answering::Full { session_id } if session_id != NO_SESSION));
        assert_eq!(covered.len(), 2);
        let id = full.session_id();
        for (name, _) in &covered {
            assert!(cache.tell(full, name, seen(SAME, 0)));
        }
        let (next, covered) = cache.begin(now, asked(id, 1), vec![partition(1, 7)], &[]).unwrap();
        assert_eq!(next, Answering::Incremental { session_id: id, epoch: 2 });
        assert_eq!(covered, [partition(0, 1), partition(1, 7)]);
        let first = &covered[0].0;
        assert!(!cache.tell(next, first, seen(SAME, 0)));
        assert!(cache.tell(next, first, seen(SAME, 10)));
        assert!(cache.tell(next, first, seen(Told { high_watermark: 6, ..SAME }, 0)));
        assert!(cache.tell(next, first, seen(Told { is_error: true, ..SAME }, 0)));
        assert!(cache.tell(next, first, seen(Told { is_error: true, ..SAME }, 0)));
        let forgotten = [partition(0, 0).0];
        let (_, covered) = cache.begin(now, asked(id, 2), vec![], &forgotten).unwrap();
        assert_eq!(covered, [partition(1, 7)]);
    }

    #[test]
    fn the_partition_that_had_records_comes_last_next_time() {
        let mut cache = Cache::new(slots(2), 0, 1, 7);
        let all = vec![partition(0, 0), partition(1, 0), partition(2, 0)];
        let (full, _) = cache.begin(Instant(0), asked(0, 0), all, &[]).unwrap();
        cache.tell(full, &partition(1, 0).0, seen(SAME, 10));
        let (_, covered) = cache.begin(Instant(0), asked(full.session_id(), 1), vec![], &[]).unwrap();
        assert_eq!(indexes(&covered), [2, 0, 1]);
    }

    #[test]
    fn idle_partitions_are_passed_over_until_they_are_marked_active() {
        let mut cache = Cache::new(slots(2), 0, 1, 7);
        let now = Instant(0);
        let all: Vec<_> = (0..4).map(|index| partition(index, 5)).collect();
        let (full, covered) = cache.begin(now, asked(0, 0), all.clone(), &[]).unwrap();
        covered.iter().filter(|(name, _)| name.partition != 2).for_each(|(name, _)| {
            cache.tell(full, name, at_rest(name));
        });
        let id = full.session_id();
        let (next, covered) = cache.begin(now, asked(id, 1), vec![], &[]).unwrap();
        assert_eq!(indexes(&covered), [2]);
        let key = Key { index: 3, generation: 1 };
        cache.park(next, key);
        // By its progress, each time; by the client; by another isolation level; by a change of anything.
        assert_eq!(
            (cache.mark_active(11), cache.mark_active(11), cache.mark_active(99)),
            (vec![key], vec![key], vec![])
        );
        assert_eq!(indexes(&cache.covered(latest(&cache, id)).unwrap()), [1, 2]);
        let (_, covered) = cache.begin(now, asked(id, 2), vec![partition(3, 7)], &[]).unwrap();
        assert_eq!((indexes(&covered), &covered[2].1), (vec![1, 2, 3], &partition(3, 7).1));
        let committed = Asked { isolation: IsolationLevel::ReadCommitted, ..asked(id, 3) };
        assert_eq!(indexes(&cache.begin(now, committed, vec![], &[]).unwrap().1), [0, 1, 2, 3]);
        let settle = |cache: &mut Cache, covered: &[(Name, Wanted)]| {
            for (name, _) in covered {
                cache.tell(next, name, at_rest(name));
            }
        };
        settle(&mut cache, &all);
        assert!(cache.covered(latest(&cache, id)).unwrap().is_empty());
        let other_rules = judging(&Principal::ANONYMOUS, [127, 0, 0, 1], 1);
        let committed = Asked { judging: other_rules, session_epoch: 4, ..committed };
        assert_eq!(cache.begin(now, committed, vec![], &[]).unwrap().1.len(), 4, "other rules");
        settle(&mut cache, &all);
        assert!(cache.covered(latest(&cache, id)).unwrap().is_empty());
        cache.mark_active_all();
        assert_eq!(cache.covered(latest(&cache, id)).unwrap().len(), 4);
        // Whoever forgets one moves another; nothing of an ended session stays.
        settle(&mut cache, &all);
        let committed = Asked { session_epoch: 5, ..committed };
        assert_eq!(cache.begin(now, committed, vec![], &[partition(1, 0).0]).unwrap().1, []);
        assert_eq!((cache.mark_active(11), cache.mark_active(13)), (vec![], vec![key]));
        assert_eq!(indexes(&cache.covered(latest(&cache, id)).unwrap()), [3]);
        let committed = Asked { session_epoch: 6, ..committed };
        let (_, covered) = cache.begin(now, committed, vec![partition(2, 1)], &[partition(0, 0).0]).unwrap();
        assert_eq!(indexes(&covered), [2, 3]);
        settle(&mut cache, &covered);
        assert_eq!((cache.mark_active(12), indexes(&cache.covered(latest(&cache, id)).unwrap())), (vec![key], vec![2]));
        cache.begin(now, asked(id, FINAL_EPOCH), vec![], &[]).unwrap();
        assert!(cache.watchers.is_empty() && cache.covered(latest(&cache, id)).is_none());
    }

    /// Kafka asks for every partition of a session at each fetch whether the client that sends it may read the partition.
    #[test]
    fn who_takes_up_the_session_of_another_is_asked_about_all_of_it() {
        let mut cache = Cache::new(slots(2), 0, 1, 7);
        let now = Instant(0);
        let all: Vec<_> = (0..3).map(|index| partition(index, 5)).collect();
        let (full, _) = cache.begin(now, asked(0, 0), all.clone(), &[]).unwrap();
        let id = full.session_id();
        let mut next = |epoch: i32, judging: Judging<'_>| {
            all.iter().for_each(|(name, _)| assert!(cache.tell(full, name, at_rest(name))));
            let asked = Asked { judging, ..asked(id, epoch) };
            cache.begin(now, asked, vec![], &[]).unwrap().1.len()
        };
        let (alice, home, away) = (Principal::new(Principal::USER, "alice"), [127, 0, 0, 1], [10, 0, 0, 1]);
        assert_eq!(next(1, judging(&Principal::ANONYMOUS, home, 0)), 0);
        assert_eq!(next(2, judging(&alice, home, 0)), 3);
        assert_eq!(next(3, judging(&alice, home, 0)), 0);
        assert_eq!(next(4, judging(&alice, away, 0)), 3);
        assert_eq!(next(5, Judging { is_own: true, ..judging(&alice, away, 0) }), 3);
        assert_eq!(next(6, judging(&alice, away, 0)), 3);
        assert_eq!(next(7, judging(&alice, away, 0)), 0);
    }

    /// A fetch that waits was judged for what its session had then.
    #[test]
    fn what_is_added_to_a_session_is_not_for_the_fetch_that_waits() {
        let mut cache = Cache::new(slots(2), 0, 1, 7);
        let now = Instant(0);
        let (full, _) = cache.begin(now, asked(0, 0), vec![partition(0, 5)], &[]).unwrap();
        let id = full.session_id();
        let (waits, _) = cache.begin(now, asked(id, 1), vec![], &[]).unwrap();
        assert_eq!(indexes(&cache.covered(waits).unwrap()), [0]);
        let (next, _) = cache.begin(now, asked(id, 2), vec![partition(1, 5)], &[]).unwrap();
        assert_eq!(cache.covered(waits), None);
        assert_eq!(indexes(&cache.covered(next).unwrap()), [0, 1]);
    }

    #[test]
    fn ids_of_another_secret_and_of_another_shard_are_others() {
        let draw = |seed, shard| Cache::new(slots(2), shard, 2, seed).draw_id();
        assert_eq!(draw(7, 0), draw(7, 0));
        assert!(draw(7, 0) != draw(8, 0) && draw(7, 0) + 1 != draw(7, 1));
        let mut cache = Cache::new(slots(2), 0, 1, 7);
        assert_ne!(cache.draw_id(), cache.draw_id());
    }

    #[test]
    fn wrong_epochs_and_ids_are_refused() {
        let mut cache = Cache::new(slots(2), 0, 1, 7);
        let now = Instant(0);
        assert_eq!(cache.begin(now, asked(9, 1), vec![], &[]), Err(ErrorCode::FetchSessionIdNotFound));
        let (full, _) = cache.begin(now, asked(0, 0), vec![partition(0, 0)], &[]).unwrap();
        let id = full.session_id();
        assert_eq!(cache.begin(now, asked(id, 2), vec![], &[]), Err(ErrorCode::InvalidFetchSessionEpoch));
        let by_id = Asked { uses_topic_ids: true, ..asked(id, 1) };
        assert_eq!(cache.begin(now, by_id, vec![], &[]), Err(ErrorCode::FetchSessionTopicIdError));
        assert_eq!(cache.begin(now, asked(id, FINAL_EPOCH), vec![], &[]).unwrap().0.session_id(), NO_SESSION);
        assert_eq!(cache.begin(now, asked(id, 1), vec![], &[]), Err(ErrorCode::FetchSessionIdNotFound));
    }

    #[test]
    fn a_full_cache_makes_room_only_for_the_long_unused() {
        let mut cache = Cache::new(slots(1), 1, 2, 7);
        let begin =
            |cache: &mut Cache, now| cache.begin(now, asked(0, 0), vec![partition(0, 0)], &[]).unwrap().0.session_id();
        let first = begin(&mut cache, Instant(0));
        assert_eq!(first % 2, 1);
        assert_eq!(begin(&mut cache, Instant(1)), NO_SESSION);
        let later = Instant(0) + Duration::from_millis(EVICTION_MS);
        let second = begin(&mut cache, later);
        assert!(second != NO_SESSION && second != first && cache.sessions.len() == 1);
    }

    /// One connection, whose shard has all of the clients, gets all slots; the other shard keeps its share.
    #[test]
    fn slots_are_for_whoever_comes() {
        let taken = Arc::new(AtomicUsize::new(0));
        let mut shards = [0, 1].map(|shard| Cache::new(Slots { all: 4, taken: taken.clone() }, shard, 2, 7));
        let begin = |cache: &mut Cache, now| {
            let (full, _) = cache.begin(now, asked(0, 0), vec![partition(0, 0)], &[]).unwrap();
            full.session_id()
        };
        let ids: Vec<i32> = (0..5).map(|_| begin(&mut shards[0], Instant(0))).collect();
        assert!(ids[..4].iter().all(|id| *id != NO_SESSION) && ids[4] == NO_SESSION, "{ids:?}");
        let others: Vec<i32> = (0..3).map(|_| begin(&mut shards[1], Instant(0))).collect();
        assert!(others[..2].iter().all(|id| *id != NO_SESSION) && others[2] == NO_SESSION, "{others:?}");
        // Ended ones are given back, and what was taken beyond the limit first.
        shards[1].begin(Instant(0), asked(others[0], FINAL_EPOCH), vec![], &[]).unwrap();
        shards[0].begin(Instant(0), asked(ids[0], FINAL_EPOCH), vec![], &[]).unwrap();
        assert_eq!((taken.load(Ordering::Relaxed), begin(&mut shards[0], Instant(0))), (4, NO_SESSION));
        shards[0].begin(Instant(0), asked(ids[1], FINAL_EPOCH), vec![], &[]).unwrap();
        assert!(begin(&mut shards[0], Instant(0)) != NO_SESSION);
    }
}
