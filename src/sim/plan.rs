//! What a seed decides before a run begins: the broker's settings, who its clients are, and which kinds of faults there
//! are. Each seed has a random half of the kinds (swarm testing): faults that always come together hide each other.

use std::fmt;

use crate::stdx::random::Random;

macro_rules! kinds {
    ($($name:ident,)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Kind { $($name,)* }

        impl Kind {
            pub const ALL: &[Kind] = &[$(Kind::$name,)*];
        }
    };
}

kinds! {
    ProcessCrash, PowerLoss, CrashInRecovery, CleanRestart, WriteErrors, SyncErrors, ReadErrors, FullDisk, SlowDisk,
    ColdPages, FlippedBits, CutConnections, SlowNetwork, SplitMessages, WallJumps, Pauses, StalledThreads,
}

/// A set of kinds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Kinds(u32);

impl Kinds {
    pub fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }

    pub fn with(self, kind: Kind) -> Kinds {
        Kinds(self.0 | (1 << kind as u32))
    }

    pub fn without(self, others: Kinds) -> Kinds {
        Kinds(self.0 & !others.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.iter().copied().filter(move |kind| self.has(*kind))
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Kinds> {
        text.split(',').filter(|name| !name.is_empty()).try_fold(Kinds::default(), |kinds, name| {
            Kind::ALL.iter().find(|kind| format!("{kind:?}") == name).map(|kind| kinds.with(*kind))
        })
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(|kind| format!("{kind:?}")).collect();
        f.write_str(&names.join(","))
    }
}

/// A topic that is there from the beginning and stays.
#[derive(Clone, Debug)]
pub(super) struct TopicPlan {
    pub(super) name: String,
    pub(super) partitions: i32,
    pub(super) configs: Vec<(String, String)>,
    pub(super) is_compacted: bool,
    /// Nothing acknowledged is lost with the power.
    pub(super) is_synced: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ProducerPlan {
    pub(super) topic: usize,
    pub(super) is_idempotent: bool,
    pub(super) acks: i16,
    pub(super) version: i16,
    pub(super) max_in_flight: usize,
}

#[derive(Clone, Debug)]
pub(super) struct ConsumerPlan {
    pub(super) topic: usize,
    pub(super) version: i16,
    pub(super) has_session: bool,
}

#[derive(Clone, Debug)]
pub(super) struct GroupPlan {
    pub(super) name: String,
    /// The consumer protocol, or else the classic one.
    pub(super) is_new: bool,
    pub(super) members: usize,
    pub(super) topics: Vec<usize>,
}

/// A transactional client.
#[derive(Clone, Debug)]
pub(super) struct WorkerPlan {
    pub(super) id: String,
    /// Of transaction version 2.
    pub(super) is_second: bool,
    /// It reads what others write, and commits what it has read with what it writes.
    pub(super) is_loop: bool,
    pub(super) timeout_ms: i32,
    /// Another one has its id, or its time may be over.
    pub(super) may_be_fenced: bool,
    pub(super) produce_version: i16,
}

impl WorkerPlan {
    /// Its time may be over while it does nothing.
    pub(super) fn is_short(&self) -> bool {
        self.timeout_ms < LONG_TIMEOUT_MS
    }

    pub(super) fn end_version(&self) -> i16 {
        if self.is_second { 5 } else { 3 }
    }

    pub(super) fn commit_version(&self) -> i16 {
        if self.is_second { 5 } else { 3 }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) kinds: Kinds,
    pub(super) steps: u64,
    pub(super) shards: usize,
    pub(super) overrides: Vec<(String, String)>,
    pub(super) topics: Vec<TopicPlan>,
    pub(super) producers: Vec<ProducerPlan>,
    pub(super) consumers: Vec<ConsumerPlan>,
    pub(super) groups: Vec<GroupPlan>,
    /// Transactional clients, their topics, and how many readers each topic has all along.
    pub(super) workers: Vec<WorkerPlan>,
    pub(super) ledgers: Vec<TopicPlan>,
    pub(super) ledger_readers: u32,
    pub(super) admins: usize,
    /// Quotas of all clients together.
    pub(super) quotas: Vec<(&'static str, f64)>,
    pub(super) has_two_directories: bool,
    /// All topics of the broker, its own included, sync every write.
    pub(super) is_synced: bool,
    /// Of `__consumer_offsets`.
    pub(super) group_segment_bytes: u64,
    /// The mean time of a step.
    pub(super) tempo_us: u64,
}

/// A session of either protocol.
pub(super) const SESSION_MS: u64 = 3000;
/// How long members have to give up what they have lost.
pub(super) const REBALANCE_MS: u64 = 20_000;
pub(super) const HEARTBEAT_MS: u64 = 300;
const MIN_STEPS: u64 = 4000;
/// Seeds from here on have transactional clients; what lies below, with nothing else in it, is the plan that they are added
/// to. So the seeds of before have the plans that they had.
pub const TRANSACTIONS_SINCE: u64 = 1 << 40;
/// Seeds with this have quotas beside what they have without it.
pub const WITH_QUOTAS: u64 = 1 << 41;
/// Nothing in a run takes so long, but jumps of the clock.
const LONG_TIMEOUT_MS: i32 = 900_000;

/// The kinds of faults of a seed.
#[cfg(test)]
pub(super) fn kinds_of(seed: u64) -> Kinds {
    Plan::new(seed).kinds
}

impl Plan {
    pub(super) fn new(seed: u64) -> Plan {
        let mut plan = Plan::without_quotas(seed & !WITH_QUOTAS);
        if seed & WITH_QUOTAS != 0 {
            let random = &mut Random::new(seed);
            let keys = ["producer_byte_rate", "consumer_byte_rate"];
            plan.quotas = keys.map(|key| (key, 1_000.0 + random.below(30_000) as f64)).to_vec();
        }
        plan
    }

    fn without_quotas(seed: u64) -> Plan {
        let mut random = Random::new(seed ^ 0x504c_414e);
        let kinds = Kind::ALL.iter().filter(|_| random.chance(2)).fold(Kinds::default(), |all, kind| all.with(*kind));
        let is_synced = random.chance(2);
        let has_two_directories = random.chance(3);
        // Two directories recover on two threads, and which of them an operation is the last of is nobody's choice.
        let one_thread = Kinds::default().with(Kind::CrashInRecovery);
        let kinds = if has_two_directories { kinds.without(one_thread) } else { kinds };
        let topics: Vec<_> = (0..1 + random.below(3)).map(|number| topic(number, is_synced, &mut random)).collect();
        let any_topic = |random: &mut Random| random.below(topics.len() as u64) as usize;
        let producer = |random: &mut Random| {
            let topic = any_topic(random);
            producer(topic, random)
        };
        let producers = (0..1 + random.below(4)).map(|_| producer(&mut random)).collect();
        let consumer = |random: &mut Random| ConsumerPlan {
            topic: any_topic(random),
            version: 4 + random.below(14) as i16,
            has_session: random.chance(2),
        };
        let consumers = (0..random.below(4)).map(|_| consumer(&mut random)).collect();
        let group = |number: u64, random: &mut Random| {
            let topics = (0..topics.len()).filter(|at| *at == 0 || random.chance(2)).collect();
            let members = 1 + random.below(4) as usize;
            GroupPlan { name: format!("group{number}"), is_new: random.chance(2), members, topics }
        };
        let groups = (0..random.below(3)).map(|number| group(number, &mut random)).collect();
        let mut plan = Plan {
            kinds,
            steps: MIN_STEPS + random.below(3 * MIN_STEPS),
            shards: 1 + random.below(3) as usize,
            overrides: overrides(is_synced, has_two_directories, &mut random),
            producers,
            consumers,
            groups,
            workers: Vec::new(),
            ledgers: Vec::new(),
            ledger_readers: 0,
            admins: random.below(3) as usize,
            quotas: Vec::new(),
            has_two_directories,
            is_synced,
            group_segment_bytes: 2000 + random.below(50_000),
            tempo_us: [30, 200, 1000][random.below(3) as usize],
            topics,
        };
        if seed >= TRANSACTIONS_SINCE {
            plan.add_transactions(&mut Random::new(seed ^ 0x5458_4e53));
        }
        plan
    }

    /// Transactional clients, and fewer of the others beside them.
    fn add_transactions(&mut self, random: &mut Random) {
        self.producers.truncate(1);
        self.consumers.truncate(random.below(2) as usize);
        self.groups.truncate(random.below(2) as usize);
        self.admins = self.admins.min(1);
        for group in &mut self.groups {
            group.members = group.members.min(2);
        }
        // Where the power takes what was acknowledged, transactions are torn, as they are with one replica of Kafka's.
        if self.kinds.has(Kind::PowerLoss) && !self.is_synced {
            self.is_synced = true;
            self.topics.iter_mut().for_each(|topic| topic.is_synced = true);
            self.overrides.push(("log.flush.interval.messages".into(), "1".into()));
        }
        let partitions = (1 + random.below(3)).to_string();
        let settings = [
            ("transaction.state.log.num.partitions", partitions.as_str()),
            ("transaction.state.log.replication.factor", "1"),
            ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"),
        ];
        self.overrides.extend(settings.map(|(key, value)| (key.to_string(), value.to_string())));
        for name in ["input", "output"] {
            let segment_bytes = (1000 + random.below(10_000)).to_string();
            let configs = [("internal.segment.bytes", segment_bytes.as_str()), ("retention.ms", "-1")];
            self.ledgers.push(TopicPlan {
                name: name.into(),
                partitions: 1 + random.below(3) as i32,
                configs: configs.map(|(key, value)| (key.to_string(), value.to_string())).to_vec(),
                is_compacted: false,
                is_synced: self.is_synced,
            });
        }
        self.ledger_readers = random.below(3) as u32;
        let sources = 1 + random.below(3);
        for number in 0..sources {
            self.add_worker(format!("source{number}"), false, random);
        }
        if random.chance(2) {
            self.add_worker("loop".into(), true, random);
        }
    }

    fn add_worker(&mut self, id: String, is_loop: bool, random: &mut Random) {
        let is_second = random.chance(2);
        let has_twin = random.chance(4);
        let timeout_ms = if random.chance(4) { 2000 } else { LONG_TIMEOUT_MS };
        let worker = WorkerPlan {
            id,
            is_second,
            is_loop,
            timeout_ms,
            may_be_fenced: has_twin || timeout_ms < LONG_TIMEOUT_MS || self.kinds.has(Kind::WallJumps),
            produce_version: if is_second { 12 + random.below(2) as i16 } else { 9 + random.below(3) as i16 },
        };
        self.workers.extend(std::iter::repeat_n(worker, if has_twin { 2 } else { 1 }));
    }
}

fn topic(number: u64, all_synced: bool, random: &mut Random) -> TopicPlan {
    let is_compacted = random.chance(4);
    let is_synced = all_synced || random.chance(3);
    let mut configs = vec![
        ("internal.segment.bytes".to_string(), (2000 + random.below(20_000)).to_string()),
        ("retention.ms".to_string(), "-1".to_string()),
        ("index.interval.bytes".to_string(), (1 + random.below(2000)).to_string()),
    ];
    if is_compacted {
        configs.push(("cleanup.policy".into(), "compact".into()));
        configs.push(("min.cleanable.dirty.ratio".into(), "0.0".into()));
    }
    if is_synced && !all_synced {
        configs.push(("flush.messages".into(), "1".into()));
    }
    let name = format!("{}{number}", if is_compacted { "compacted" } else { "topic" });
    TopicPlan { name, partitions: 1 + random.below(4) as i32, configs, is_compacted, is_synced }
}

fn producer(topic: usize, random: &mut Random) -> ProducerPlan {
    let is_idempotent = random.chance(2);
    let acks = if is_idempotent { -1 } else { [0, 1, -1, -1][random.below(4) as usize] };
    let max_in_flight = 1 + random.below(5) as usize;
    ProducerPlan { topic, is_idempotent, acks, version: 3 + random.below(11) as i16, max_in_flight }
}

fn overrides(is_synced: bool, has_two_directories: bool, random: &mut Random) -> Vec<(String, String)> {
    let mut settings: Vec<(&str, String)> = vec![
        ("offsets.topic.num.partitions", (1 + random.below(3)).to_string()),
        ("offsets.topic.replication.factor", "1".into()),
        ("group.initial.rebalance.delay.ms", random.below(300).to_string()),
        ("group.min.session.timeout.ms", "100".into()),
        ("group.consumer.min.session.timeout.ms", "100".into()),
        ("group.consumer.session.timeout.ms", SESSION_MS.to_string()),
        ("group.consumer.min.heartbeat.interval.ms", "10".into()),
        ("group.consumer.heartbeat.interval.ms", HEARTBEAT_MS.to_string()),
        ("group.consumer.assignment.interval.ms", (random.below(2) * 300).to_string()),
        ("file.delete.delay.ms", random.below(2000).to_string()),
        ("log.flush.offset.checkpoint.interval.ms", (500 + random.below(5000)).to_string()),
        ("log.flush.start.offset.checkpoint.interval.ms", (500 + random.below(5000)).to_string()),
        ("log.retention.check.interval.ms", (500 + random.below(5000)).to_string()),
        ("metadata.log.max.record.bytes.between.snapshots", (500 + random.below(5000)).to_string()),
        ("log.retention.ms", "-1".into()),
        ("num.recovery.threads.per.data.dir", "1".into()),
    ];
    if is_synced {
        settings.push(("log.flush.interval.messages", "1".into()));
    }
    if has_two_directories {
        settings.push(("log.dirs", "data,other".into()));
    }
    settings.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}
