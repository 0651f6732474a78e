//! One run: the world of a seed, step by step; then faults off, until everything has settled; then every promise is
//! looked at, once more after a last stop or crash.
//!
//! In a step time passes a little and one of those who could go on goes on: a shard has a turn of its loop, a thread does
//! what it was asked, a client acts. So every interleaving of them can come up, at the grain of a turn.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::alter_client_quotas_request as alter_quotas;
use kafka_protocol::messages::{AlterClientQuotasRequest, CreateTopicsRequest, FindCoordinatorRequest};
use kafka_protocol::protocol::Request;

use super::admin::{ALTER_CONFIGS, Admin, CREATE_TOPICS, alteration, creatable};
use super::classic_member::ClassicMember;
use super::cluster::Cluster;
use super::consumer::Consumer;
use super::consumer_member::ConsumerMember;
use super::faults::Faults;
use super::history::{History, Object};
use super::invariants::Invariants;
use super::ledger::{self, Ledger};
use super::member::{self, Member};
use super::oracle::Oracle;
use super::oracle::groups::{Owned, Ownership};
use super::oracle::records::Records;
use super::plan::{Kind, Kinds, Plan, TopicPlan};
use super::producer::Producer;
use super::scene::{Actor, Known, Scene, text};
use super::wire::{Got, Wire, decode};
use super::worker::Worker;
use crate::hosting::cleaning::{Cleaner, Speed};
use crate::io::simulated_disk::Crash;
use crate::model::ErrorCode;
use crate::stdx::random::Random;
use crate::storage::cleaner::Pace;

/// Which run.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub seed: u64,
    /// Fewer steps than the seed says.
    pub steps: Option<u64>,
    /// Kinds of faults that are left out.
    pub without: Kinds,
    /// Whether the history is wanted.
    pub keeps_history: bool,
    /// What the machine does wrong that no machine may.
    pub planted: Option<Planted>,
}

/// A fault that must be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    ForgottenSyncs,
    ForgottenWrites,
}

impl Attempt {
    pub fn of(seed: u64) -> Attempt {
        Attempt { seed, steps: None, without: Kinds::default(), keeps_history: false, planted: None }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Of everything that happened: equal for equal attempts.
    pub hash: u64,
    pub steps: u64,
    pub simulated: Duration,
    pub faults: BTreeMap<Kind, u64>,
    /// Transactions that their clients know to be committed, and all others.
    pub transactions: (usize, usize),
    pub failure: Option<Failure>,
}

/// A promise that was not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub step: u64,
    pub rule: &'static str,
    pub text: String,
    /// The lines about the objects concerned, where the history was wanted.
    pub history: Vec<String>,
}

/// Time between two rounds at rest.
const ROUND: Duration = Duration::from_millis(4);
/// Rounds within which everything settles: several times the longest timeout.
const SETTLING_ROUNDS: u64 = 40_000;
/// Rounds within which one request is answered at rest.
const ANSWER_ROUNDS: u64 = 10_000;
/// Rounds in which nothing happens any more, where one client waits for what another one does.
const CALM_ROUNDS: u64 = 500;
/// Reads, writes and pauses of the cleaner between two steps of the others.
const CLEANER_ONE_IN: u64 = 60;
const STEPS_PER_SPEND: u64 = 4;
/// Now and then nothing happens for a while.
const IDLE_ONE_IN: u64 = 100;
const MAX_IDLE_MS: u64 = 200;
/// The number of the reader at rest.
const READER: u32 = 1000;

pub(super) struct Run {
    pub(super) plan: Plan,
    pub(super) cluster: Cluster,
    pub(super) random: Random,
    pub(super) oracle: Oracle,
    pub(super) history: History,
    pub(super) faults: Faults,
    pub(super) invariants: Invariants,
    topics: Vec<Known>,
    ledgers: Vec<Known>,
    others: Vec<Box<dyn Actor>>,
    members: Vec<Box<dyn Member>>,
    cleaner: Option<Cleaner>,
    is_resting: bool,
}

/// Runs a seed to its end, or to the first promise that is not kept.
pub fn run(attempt: &Attempt) -> Outcome {
    let mut run = Run::new(attempt);
    let until = run.begin(attempt.steps);
    while run.goes_on(until) {
        run.step(true);
    }
    run.finish();
    run.outcome()
}

/// Runs two seeds beside each other, a step of the one and a step of the other.
#[cfg(test)]
pub(super) fn run_alternately(attempts: [&Attempt; 2]) -> [Outcome; 2] {
    let mut runs = attempts.map(|attempt| {
        let mut run = Run::new(attempt);
        let until = run.begin(attempt.steps);
        (run, until)
    });
    while runs.iter().any(|(run, until)| run.goes_on(*until)) {
        for (run, until) in &mut runs {
            if run.goes_on(*until) {
                run.step(true);
            }
        }
    }
    runs.iter_mut().for_each(|(run, _)| run.finish());
    runs.map(|(run, _)| run.outcome())
}

impl Run {
    fn new(attempt: &Attempt) -> Run {
        let mut plan = Plan::new(attempt.seed);
        plan.kinds = plan.kinds.without(attempt.without);
        let overrides: Vec<_> = plan.overrides.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        // A quarter has a cipher between sockets and frames.
        let is_layered = attempt.seed % 4 == 1;
        let cluster = Cluster::start_with(attempt.seed, plan.shards, &overrides, is_layered);
        let history = History::new(attempt.keeps_history);
        let (random, faults) = (Random::new(attempt.seed), Faults::new(&plan, attempt));
        let mut run = Run {
            cluster,
            random,
            oracle: Oracle::default(),
            history,
            faults,
            invariants: Invariants::default(),
            topics: Vec::new(),
            ledgers: Vec::new(),
            others: Vec::new(),
            members: Vec::new(),
            cleaner: None,
            is_resting: true,
            plan,
        };
        run.cleaner = run.cluster.is_running().then(|| run.cluster.open_cleaner());
        run
    }

    /// Everything is there, and the faults begin; the step before which the run comes to rest.
    fn begin(&mut self, steps: Option<u64>) -> u64 {
        self.set_up();
        self.set_quotas(true);
        self.is_resting = false;
        self.faults.begin(&self.cluster);
        self.history.step + steps.unwrap_or(self.plan.steps)
    }

    fn goes_on(&self, until: u64) -> bool {
        self.history.step < until && !self.is_over()
    }

    /// Faults off, until everything has settled; then the promises are looked at.
    fn finish(&mut self) {
        self.rest();
        self.verify();
        self.end_once_more();
        self.verify();
    }

    fn outcome(&self) -> Outcome {
        let failure = self.oracle.violations.first().map(|violation| Failure {
            step: self.history.step,
            rule: violation.rule,
            text: format!("{:?}: {}", violation.objects, violation.text),
            history: self.history.about(&violation.objects),
        });
        let (hash, steps) = (self.history.hash(), self.history.step);
        let simulated = Duration::from_nanos(self.cluster.world.now().0);
        let (faults, transactions) = (self.faults.counts.clone(), self.oracle.transactions.count());
        Outcome { hash, steps, simulated, faults, transactions, failure }
    }

    fn is_over(&self) -> bool {
        !self.oracle.violations.is_empty()
    }

    pub(super) fn scene(&mut self) -> Scene<'_> {
        Scene {
            world: &self.cluster.world,
            now: self.cluster.world.now(),
            wall: self.cluster.world.wall(),
            random: &mut self.random,
            oracle: &mut self.oracle,
            history: &mut self.history,
            topics: &mut self.topics,
            ledgers: &self.ledgers,
            is_layered: self.cluster.is_layered,
            is_resting: self.is_resting,
        }
    }

    // ---- The beginning ----------------------------------------------------------------------------------------------

    fn set_up(&mut self) {
        for plan in self.plan.topics.clone() {
            let Some(known) = self.create(plan) else { return };
            self.topics.push(known);
        }
        for plan in self.plan.ledgers.clone() {
            let Some(known) = self.create(plan) else { return };
            self.ledgers.push(known);
        }
        if !self.plan.groups.is_empty() {
            self.set_up_groups();
        }
        let numbered = |plans: usize| 0..plans as u32;
        for (number, plan) in numbered(self.plan.producers.len()).zip(self.plan.producers.clone()) {
            self.others.push(Box::new(Producer::new(number, plan)));
        }
        for (number, plan) in numbered(self.plan.consumers.len()).zip(self.plan.consumers.clone()) {
            self.others.push(Box::new(Consumer::new(number, plan)));
        }
        for number in 0..self.plan.admins {
            self.others.push(Box::new(Admin::new(number, self.plan.admins, self.plan.has_two_directories)));
        }
        if !self.plan.workers.is_empty() {
            self.set_up_transactions();
        }
        for plan in self.plan.groups.clone() {
            for number in 0..plan.members {
                let plan = plan.clone();
                let member: Box<dyn Member> = match plan.is_new {
                    true => Box::new(ConsumerMember::new(plan, number)),
                    false => Box::new(ClassicMember::new(plan, number)),
                };
                self.members.push(member);
            }
        }
    }

    fn create(&mut self, plan: TopicPlan) -> Option<Known> {
        let topic = creatable(&plan.name, plan.partitions, &plan.configs);
        let request = CreateTopicsRequest::default().with_timeout_ms(10_000).with_topics(vec![topic]);
        let response = self.ask(CREATE_TOPICS, &request)?;
        let created = &response.topics[0];
        assert_eq!(created.error_code, 0, "{:?}", created.error_message);
        self.oracle.name_topic(created.topic_id, &plan.name);
        Some(Known { id: created.topic_id, partitions: plan.partitions, plan })
    }

    fn set_up_transactions(&mut self) {
        for (number, plan) in (0..).zip(self.plan.workers.clone()) {
            self.others.push(Box::new(Worker::new(number, plan)));
        }
        for number in 0..self.plan.ledger_readers {
            for ledger in [ledger::INPUT, ledger::OUTPUT] {
                for is_committed in [true, false] {
                    self.others.push(Box::new(Ledger::new(number, ledger, is_committed)));
                }
            }
        }
    }

    /// Sets the quotas of the plan, which hold for all clients, or takes them away again.
    fn set_quotas(&mut self, are_set: bool) {
        if self.plan.quotas.is_empty() || self.is_over() {
            return;
        }
        let entity = alter_quotas::EntityData::default().with_entity_type(text("user")).with_entity_name(None);
        let op = |(key, value): &(&str, f64)| {
            alter_quotas::OpData::default().with_key(text(*key)).with_value(*value).with_remove(!are_set)
        };
        let ops = self.plan.quotas.iter().map(op).collect();
        let entry = alter_quotas::EntryData::default().with_entity(vec![entity]).with_ops(ops);
        let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
        let code = self.ask(1, &request).map(|response| response.entries[0].error_code);
        assert!(self.is_over() || code == Some(0), "the quotas are set: {code:?}");
    }

    /// The topic of the groups is there, with segments that are small enough to be many.
    fn set_up_groups(&mut self) {
        let keys = vec![text("any")];
        let request = FindCoordinatorRequest::default().with_key_type(0).with_coordinator_keys(keys);
        for _ in 0..ANSWER_ROUNDS {
            let found = self.ask(member::FIND, &request).map(|response| response.coordinators[0].error_code);
            if found != Some(ErrorCode::CoordinatorNotAvailable.code()) {
                break;
            }
        }
        let bytes = self.plan.group_segment_bytes.to_string();
        let request = alteration("__consumer_offsets", "internal.segment.bytes", &bytes);
        let response = self.ask(ALTER_CONFIGS, &request);
        let code = response.map(|response| response.responses[0].error_code);
        assert_eq!(code, Some(0), "the groups' topic is there");
    }

    // ---- Steps ------------------------------------------------------------------------------------------------------

    /// One step of the schedule. `with_cleaner`: not within a step of the cleaner.
    fn step(&mut self, with_cleaner: bool) {
        self.history.step += 1;
        let mean = 2 * self.plan.tempo_us;
        let mut by = Duration::from_micros(self.random.below(mean));
        if self.random.chance(IDLE_ONE_IN) {
            by += Duration::from_millis(self.random.below(MAX_IDLE_MS));
        }
        self.advance(by);
        self.strike();
        let shards = self.plan.shards as u64;
        let clients = (self.others.len() + self.members.len()) as u64;
        // Shards come twice as often as each of the rest.
        let who = self.random.below(2 * shards + 3 + clients);
        self.history.mix(&who.to_le_bytes());
        let now = self.cluster.world.now();
        self.history.mix(&now.0.to_le_bytes());
        match who {
            _ if self.faults.is_stalled(who, now) => {}
            shard if shard < 2 * shards => self.cluster.turn_shard((shard / 2) as usize),
            thread if thread == 2 * shards => self.cluster.turn_controller(),
            thread if thread == 2 * shards + 1 => self.cluster.turn_housekeeper(),
            thread if thread == 2 * shards + 2 => self.cluster.turn_keepers(),
            client => self.act((client - 2 * shards - 3) as usize),
        }
        if with_cleaner && self.random.chance(CLEANER_ONE_IN) {
            self.clean();
        }
        self.check();
    }

    fn advance(&mut self, by: Duration) {
        self.cluster.advance(by);
        self.history.now = self.cluster.world.now();
    }

    fn act(&mut self, client: usize) {
        let others = self.others.len();
        if client < others {
            let mut actor = std::mem::replace(&mut self.others[client], Box::new(Nobody::default()));
            actor.act(&mut self.scene());
            self.others[client] = actor;
        } else {
            let mut member = std::mem::replace(&mut self.members[client - others], Box::new(Nobody::default()));
            member.act(&mut self.scene());
            self.members[client - others] = member;
        }
    }

    pub(super) fn clients(&self) -> usize {
        self.others.len() + self.members.len()
    }

    pub(super) fn wire(&mut self, client: usize) -> &mut Wire {
        let others = self.others.len();
        if client < others { self.others[client].wire() } else { self.members[client - others].wire() }
    }

    fn clean(&mut self) {
        let Some(mut cleaner) = self.cleaner.take() else { return };
        let lives = self.faults.lives;
        cleaner.step(&mut Beside { run: self });
        if self.faults.lives == lives && self.cluster.is_running() {
            self.cleaner = Some(cleaner);
        }
    }

    /// What must hold at any time.
    fn check(&mut self) {
        self.judge_start();
        if let Some(view) = self.cluster.view() {
            self.invariants.check(&view, &mut self.oracle);
        }
    }

    pub(super) fn open_cleaner(&mut self) {
        self.cleaner = Some(self.cluster.open_cleaner());
    }

    pub(super) fn drop_cleaner(&mut self) {
        self.cleaner = None;
    }

    // ---- Rest -------------------------------------------------------------------------------------------------------

    /// Everybody has a turn.
    fn round(&mut self) {
        self.history.step += 1;
        self.advance(ROUND);
        // The last of what went wrong before may come in only now.
        if self.cluster.is_lost() || self.cluster.has_failed_directory() {
            self.end(Some(Crash::Process));
            self.start();
        }
        for shard in 0..self.plan.shards {
            self.cluster.turn_shard(shard);
        }
        self.cluster.turn_controller();
        self.cluster.turn_housekeeper();
        self.cluster.turn_keepers();
        if self.random.chance(CLEANER_ONE_IN) {
            self.clean();
        }
        (0..self.clients()).for_each(|client| self.act(client));
        self.check();
    }

    fn rest(&mut self) {
        if self.is_over() {
            return;
        }
        self.calm();
        // Those that are throttled go on when their time is over, and are throttled no more then.
        self.set_quotas(false);
        self.is_resting = true;
        self.settle();
    }

    fn settle(&mut self) {
        // A loop may not have seen yet what the others have just committed.
        let (mut calm, needed) = (0, if self.plan.workers.is_empty() { 0 } else { CALM_ROUNDS });
        for _ in 0..SETTLING_ROUNDS {
            let is_settled = !self.is_over() && self.is_settled();
            if self.is_over() || (is_settled && calm >= needed) {
                return;
            }
            calm = if is_settled { calm + 1 } else { 0 };
            self.round();
        }
        self.tell_who_does_not_settle();
    }

    fn is_settled(&self) -> bool {
        let are_settled = self.others.iter().all(|actor| actor.is_settled(&self.topics))
            && self.members.iter().all(|member| member.is_settled(&self.topics));
        are_settled && self.plan.groups.iter().all(|group| self.settled_group(&group.name).is_ok())
    }

    fn settled_group(&self, name: &str) -> Result<(), String> {
        let Some(plan) = self.plan.groups.iter().find(|group| group.name == name) else { return Ok(()) };
        let mut standing = Vec::new();
        for member in self.members.iter().filter(|member| member.group() == name) {
            let (id, epoch, owned) = member.standing().ok_or_else(|| format!("{} is on its way", member.name()))?;
            standing.push((id, epoch, owned));
        }
        if standing.iter().any(|(_, epoch, _)| *epoch != standing[0].1) {
            return Err(format!("they are of different epochs: {standing:?}"));
        }
        let all = |at: &usize| {
            let known = &self.topics[*at];
            (0..known.partitions).map(|partition| (known.plan.name.clone(), partition)).collect::<Vec<_>>()
        };
        let all: Owned = plan.topics.iter().flat_map(all).collect();
        let members: Vec<_> = standing.into_iter().map(|(id, _, owned)| (id, owned)).collect();
        Ownership::settled(&members, &all).map_err(|wrong| format!("{}: {}", wrong.0, wrong.1))
    }

    fn tell_who_does_not_settle(&mut self) {
        let groups: Vec<_> = self.plan.groups.iter().map(|group| group.name.clone()).collect();
        for group in groups {
            if let Err(why) = self.settled_group(&group) {
                self.oracle.violate("a group settles", &[Object::Group(group)], why);
            }
        }
        let waiting = self.others.iter().filter(|one| !one.is_settled(&self.topics));
        let names: Vec<_> = waiting.map(|one| one.name()).collect();
        if !names.is_empty() {
            let objects = self.topics.iter().flat_map(|known| (0..known.partitions).map(|p| known.object(p)));
            let objects: Vec<_> = objects.chain([ledger::object()]).collect();
            self.oracle.violate("everybody is answered at rest", &objects, format!("{names:?}"));
        }
    }

    /// Sends one request and lets everything go on until it is answered.
    fn ask<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        let mut wire = Wire::default();
        wire.post(&mut self.scene(), version, request);
        for _ in 0..ANSWER_ROUNDS {
            match wire.poll(&mut self.scene()) {
                Got::Nothing if wire.is_connected() => {}
                Got::Answer(_, body) => return decode::<R>(&mut self.scene(), version, body),
                Got::Lost | Got::Nothing => {
                    wire.post(&mut self.scene(), version, request);
                }
            }
            self.round();
            if self.is_over() {
                return None;
            }
        }
        self.oracle.violate("everybody is answered at rest", &[Object::Broker], format!("api {}", R::KEY));
        None
    }

    /// Everything is read and looked at.
    fn verify(&mut self) {
        for topic in 0..self.topics.len() {
            self.read_topic(topic);
        }
        self.look_at_offsets();
        if !self.plan.workers.is_empty() {
            self.read_ledgers();
        }
        if !self.is_over() {
            self.check_replay();
        }
    }

    fn read_topic(&mut self, topic: usize) {
        let version = 4 + self.random.below(14) as i16;
        let mut reader = Consumer::of_everything(READER, topic, version);
        for _ in 0..ANSWER_ROUNDS {
            if self.is_over() {
                return;
            }
            let partitions = self.topics[topic].partitions;
            let id = self.topics[topic].id;
            let is_hole = |partition, span| self.oracle.is_hole((id, partition), span);
            if let Some(everything) = reader.everything(partitions, is_hole) {
                for (partition, found) in everything {
                    let judge = |known: &mut Records| known.read_whole(found.start, found.end, &found.records);
                    self.oracle.judge((id, *partition), judge);
                }
                return;
            }
            reader.act(&mut self.scene());
            self.round();
        }
        let known = &self.topics[topic];
        let objects: Vec<_> = (0..known.partitions).map(|partition| known.object(partition)).collect();
        let name = known.plan.name.clone();
        self.oracle.violate("everything can be read at rest", &objects, name);
    }

    /// Transactions are there whole or not at all, for every reader.
    fn read_ledgers(&mut self) {
        self.oracle.transactions.forget_reader(READER);
        for ledger in [ledger::INPUT, ledger::OUTPUT] {
            for is_committed in [true, false] {
                let mut reader = Ledger::new(READER, ledger, is_committed);
                let mut rounds = 0..ANSWER_ROUNDS;
                while !self.is_over() && !reader.has_ended(self.ledgers[ledger].partitions) {
                    if rounds.next().is_none() {
                        let name = self.ledgers[ledger].plan.name.clone();
                        self.oracle.violate("everything can be read at rest", &[ledger::object()], name);
                        return;
                    }
                    reader.act(&mut self.scene());
                    self.round();
                }
            }
        }
        if self.is_over() {
            return;
        }
        self.oracle.judge_transactions(&[ledger::object()], |known| known.check_whole(READER));
        if self.plan.workers.iter().any(|worker| worker.is_loop) {
            let input = self.ledgers[ledger::INPUT].id;
            self.oracle.judge_transactions(&[ledger::object()], |known| known.check_loop(READER, |key| key.0 == input));
        }
    }

    fn look_at_offsets(&mut self) {
        let groups: Vec<_> = self.plan.groups.iter().map(|group| group.name.clone()).collect();
        for group in groups {
            let slots = self.oracle.offsets(&group).slots();
            for slot in slots {
                self.look_at_offset(&group, &slot);
                if self.is_over() {
                    return;
                }
            }
        }
    }

    fn look_at_offset(&mut self, group: &str, slot: &(String, i32)) {
        let mut wire = Wire::default();
        let mut before = None;
        for _ in 0..ANSWER_ROUNDS {
            match wire.poll(&mut self.scene()) {
                Got::Answer(_, body) => {
                    let is_told =
                        before.is_some_and(|before| member::looked(&mut self.scene(), group, slot, before, body));
                    if is_told {
                        return;
                    }
                }
                _ if wire.is_waiting() => {}
                _ => before = member::look(&mut self.scene(), &mut wire, group, slot),
            }
            self.round();
            if self.is_over() {
                return;
            }
        }
        self.oracle.violate("everybody is answered at rest", &[Object::Group(group.into())], format!("{slot:?}"));
    }

    /// What stands in the metadata log means what is shown.
    fn check_replay(&mut self) {
        let Some(view) = self.cluster.view() else { return };
        let Some(replayed) = self.cluster.replayed() else {
            return self.oracle.violate("the metadata can be replayed", &[Object::Broker], String::new());
        };
        if let Some(difference) = super::invariants::difference(&view.image, &replayed.image) {
            self.oracle.violate("a replay gives the same metadata", &[Object::Broker], difference);
        }
    }

    /// A last stop or crash, and a start.
    fn end_once_more(&mut self) {
        if self.is_over() {
            return;
        }
        let keeps_power = !self.plan.workers.is_empty() && !self.plan.is_synced;
        match self.random.below(4) {
            0 => self.end(Some(Crash::Process)),
            1 | 2 if keeps_power => self.end(Some(Crash::Process)),
            1 => self.end(Some(Crash::Power)),
            2 => {
                let seed = self.random.next_u64();
                self.end(Some(Crash::Torn { seed }));
            }
            _ => self.end(None),
        }
        self.start();
        self.settle();
    }
}

/// The world goes on while the cleaner works.
struct Beside<'r> {
    run: &'r mut Run,
}

impl Pace for Beside<'_> {
    fn spend(&mut self, _: u64) -> bool {
        let lives = self.run.faults.lives;
        for _ in 0..if self.run.is_resting { 0 } else { STEPS_PER_SPEND } {
            if !self.run.is_over() {
                self.run.step(false);
            }
        }
        self.run.faults.lives == lives && self.run.cluster.is_running()
    }
}

impl Speed for Beside<'_> {
    fn set_bytes_per_second(&mut self, _: f64) {}
}

/// Stands in for a client that has its turn.
#[derive(Default)]
struct Nobody(Wire);

impl Actor for Nobody {
    fn act(&mut self, _: &mut Scene<'_>) {}

    fn wire(&mut self) -> &mut Wire {
        &mut self.0
    }

    fn is_settled(&self, _: &[Known]) -> bool {
        true
    }

    fn name(&self) -> String {
        String::new()
    }
}

impl Member for Nobody {
    fn group(&self) -> &str {
        ""
    }

    fn standing(&self) -> Option<(String, i32, Owned)> {
        None
    }
}

/// How many steps a seed's run has before it comes to rest.
pub fn planned_steps(seed: u64) -> u64 {
    Plan::new(seed).steps
}

/// For whoever looks at what a seed means.
pub fn describe(seed: u64) -> String {
    let plan = Plan::new(seed);
    format!(
        "faults: {}\nsettings: {:?}\ntopics: {:?}\nproducers: {:?}\nconsumers: {:?}\ngroups: {:?}\nworkers: {:?}\nledgers: {:?}\nquotas: {:?}\nshards: {}, admins: {}, steps: {}",
        plan.kinds,
        plan.overrides,
        plan.topics,
        plan.producers,
        plan.consumers,
        plan.groups,
        plan.workers,
        plan.ledgers,
        plan.quotas,
        plan.shards,
        plan.admins,
        plan.steps
    )
}
