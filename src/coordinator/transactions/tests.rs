//! The machine alone: what each request does in each state, and that its log says what it is.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::coordinator::settings::TransactionSettings;
use crate::model::TimestampMs;

/// A machine with a clock that stands still.
struct World {
    machine: Transactions,
    settings: TransactionSettings,
    version: i16,
    now: Instant,
    next_producer_id: i64,
    /// How many producer ids are left.
    producer_ids: usize,
    log: Vec<Record>,
    commands: Vec<Markers>,
    /// How often more producer ids were asked for.
    asked_for_ids: usize,
}

impl World {
    fn new(version: i16) -> World {
        World {
            machine: Transactions::default(),
            settings: TransactionSettings { two_phase_commit: true, ..TransactionSettings::default() },
            version,
            now: Instant(0),
            next_producer_id: 100,
            producer_ids: usize::MAX,
            log: Vec::new(),
            commands: Vec::new(),
            asked_for_ids: 0,
        }
    }

    fn step<T>(&mut self, work: impl FnOnce(&mut Transactions, &mut Step<'_>) -> T) -> T {
        let (next, left) = (&mut self.next_producer_id, &mut self.producer_ids);
        let mut step = Step {
            now: self.now,
            wall: TimestampMs(1_000_000 + (self.now.0 / 1_000_000) as i64),
            settings: &self.settings,
            version: self.version,
            new_producer_id: &mut || {
                *left = left.checked_sub(1)?;
                *next += 1;
                Some(*next - 1)
            },
            out: Output::default(),
        };
        let value = work(&mut self.machine, &mut step);
        self.machine.assert_sound();
        self.log.extend(step.out.records);
        for command in step.out.commands {
            match command {
                TransactionCommand::Markers(markers) => self.commands.push(markers),
                TransactionCommand::MoreProducerIds => self.asked_for_ids += 1,
            }
        }
        value
    }

    fn init(&mut self, expected: Option<Producer>) -> Result<Producer, ErrorCode> {
        let request = InitProducerId {
            transactional_id: "t",
            timeout_ms: 60_000,
            enable_two_phase: false,
            keep_prepared: false,
            expected,
        };
        self.step(|machine, step| machine.init_producer_id(step, &request))
    }

    fn add(&mut self, producer: Producer, partition: i32, version: i16) -> Result<(), ErrorCode> {
        let partitions = [("a".into(), partition)];
        self.step(|machine, step| machine.add_partitions(step, "t", producer, &partitions, version)).map(drop)
    }

    fn end(&mut self, producer: Producer, commit: bool, version: i16) -> Ended {
        self.step(|machine, step| machine.end_transaction(step, "t", producer, commit, version))
    }

    /// The markers that were commanded are written.
    fn complete(&mut self) {
        for markers in std::mem::take(&mut self.commands) {
            let Markers { transactional_id: id, producer, commit, .. } = markers;
            self.step(|machine, step| machine.complete(step, &id, producer, commit));
        }
    }

    fn state(&self) -> String {
        match self.machine.describe("t") {
            Ok(Described { state, producer: Producer { id, epoch }, topics, .. }) => {
                let partitions = topics.values().map(Vec::len).sum::<usize>();
                format!("{} {id}/{epoch} with {partitions}", state.name())
            }
            Err(error) => error.name().to_string(),
        }
    }

    /// The machine that a replay of the log gives.
    fn replayed(&self) -> Transactions {
        let mut machine = Transactions::default();
        for record in &self.log {
            let entry = Transactions::decode(&record.key, record.value.as_deref()).unwrap();
            machine.apply(&entry, None).unwrap();
        }
        machine.assert_sound();
        machine
    }
}

fn producer(id: i64, epoch: i16) -> Producer {
    Producer { id, epoch }
}

/// The states that a transactional id may be in, and how it comes there; the client has transaction version `version`.
fn in_state(name: &str, version: i16) -> World {
    let mut world = World::new(version);
    if name == "unknown" {
        return world;
    }
    let mut at = world.init(None).unwrap();
    // So that there are older epochs.
    at = world.init(Some(at)).unwrap();
    if name == "Empty" {
        return world;
    }
    world.add(at, 0, version).unwrap();
    if name == "Ongoing" {
        return world;
    }
    world.end(at, name.ends_with("Commit"), version).unwrap();
    if name.starts_with("Complete") {
        world.complete();
    }
    world
}

const STATES: [&str; 7] =
    ["unknown", "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"];

/// What a request does to an id in a state.
fn outcome(state: &str, version: i16, request: &str) -> String {
    let mut world = in_state(state, version);
    let known = world.machine.describe("t").map_or(producer(100, 0), |described| described.producer);
    let (kind, who) = request.split_once(' ').unwrap();
    let asks = match who {
        "right" => known,
        "older" => producer(known.id, known.epoch - 1),
        "newer" => producer(known.id, known.epoch + 1),
        _ => producer(known.id + 7, known.epoch),
    };
    let result = match kind {
        "init" => world.init((who != "none").then_some(asks)).map(|given| format!("{}/{}", given.id, given.epoch)),
        "add" => world.add(asks, 1, version).map(|()| "added".to_string()),
        "verify" => {
            let partitions = [("a".into(), 0), ("a".into(), 1)];
            let verified = world.machine.verify_partitions("t", asks, &partitions);
            verified.map(|(_, errors)| errors.iter().map(|error| error.name()).collect::<Vec<_>>().join("+"))
        }
        "commit" | "abort" => {
            world.end(asks, kind == "commit", version).map(|after| format!("then {}/{}", after.id, after.epoch))
        }
        other => panic!("no request {other:?}"),
    };
    let (commands, before) = (world.commands.len(), world.state());
    world.complete();
    let result = result.unwrap_or_else(|error| error.name().to_string());
    format!("{result}; {before}; {commands} commands; {}", world.state())
}

/// Every state × every request × right, older and newer epochs and another id. The answers are those that Apache Kafka 4.4.0
/// gives (`differential`, transactions); this table shows what changes.
#[test]
fn every_request_in_every_state() {
    let mut table = String::new();
    for version in [0, 2] {
        for state in STATES {
            for kind in ["init", "add", "verify", "commit", "abort"] {
                let all = ["none", "right", "older", "newer", "other"];
                for who in all.into_iter().filter(|who| *who != "none" || kind == "init") {
                    let request = format!("{kind} {who}");
                    let outcome = outcome(state, version, &request);
                    writeln!(table, "TV{version} {state}, {request}: {outcome}").unwrap();
                }
            }
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/coordinator/testdata/transactions.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap();
    for (line, expected) in table.lines().zip(expected.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(table.lines().count(), expected.lines().count());
}

/// A used up epoch is followed by another producer id, of which a client that repeats its request hears again.
#[test]
fn used_up_epochs_are_followed_by_another_id() {
    let last = i16::MAX - 1;
    let mut world = World::new(2);
    let first = world.init(None).unwrap();
    let raise = |world: &mut World, to: i16| world.machine.by_id.get_mut("t").unwrap().epoch = to;
    raise(&mut world, last);
    let at = producer(first.id, last);
    world.add(at, 0, 2).unwrap();
    world.producer_ids = 0;
    assert_eq!(world.end(at, true, 2), Err(ErrorCode::CoordinatorLoadInProgress));
    assert_eq!(world.state(), "Ongoing 100/32766 with 1", "nothing has happened");
    world.producer_ids = 9;
    let next = producer(101, 0);
    assert_eq!(world.end(at, true, 2), Ok(next));
    assert_eq!(world.commands[0].producer, producer(first.id, i16::MAX), "the markers are of the last epoch");
    assert_eq!(world.end(at, true, 2), Err(ErrorCode::ConcurrentTransactions));
    world.complete();
    assert_eq!(world.state(), "CompleteCommit 101/0 with 0");
    assert_eq!(world.end(at, true, 2), Ok(next), "a repeated request");
    assert_eq!(world.end(at, false, 2), Err(ErrorCode::InvalidTxnState));
    // The id before is known to a coordinator that has loaded, too.
    world.machine = world.replayed();
    assert_eq!(world.end(at, true, 2), Ok(next));

    // With InitProducerId.
    raise(&mut world, last);
    let at = producer(next.id, last);
    assert_eq!(world.init(Some(producer(next.id, 5))), Err(ErrorCode::UnknownServerError));
    assert_eq!(world.init(Some(at)), Ok(producer(102, 0)));
    assert_eq!(world.init(Some(at)), Ok(producer(102, 0)), "a repeated request");
    assert_eq!(world.init(Some(producer(next.id, 3))), Err(ErrorCode::ProducerFenced));
    // A producer that is gone, when the broker has no producer id left, ends with the next look.
    raise(&mut world, last);
    world.add(producer(102, last), 0, 2).unwrap();
    world.producer_ids = 0;
    let look = |world: &mut World| {
        world.now = world.now + Duration::from_secs(100);
        world.step(Transactions::handle_timers);
        (world.asked_for_ids, world.state())
    };
    assert_eq!(look(&mut world), (1, "Ongoing 102/32766 with 1".to_string()));
    world.producer_ids = 9;
    assert_eq!(look(&mut world), (1, "PrepareAbort 102/32767 with 1".to_string()));
    world.complete();
    assert_eq!(world.state(), "CompleteAbort 103/0 with 0");
    // A producer that should never have got so far ends all the same.
    raise(&mut world, i16::MAX);
    world.add(producer(103, i16::MAX), 0, 2).unwrap();
    assert_eq!(world.end(producer(103, i16::MAX), false, 2), Ok(producer(104, 0)));
}

#[test]
fn what_is_open_for_too_long_is_aborted_and_fenced() {
    for (version, commands) in [(0, 1), (2, 1)] {
        let mut world = World::new(version);
        let at = world.init(None).unwrap();
        world.add(at, 0, version).unwrap();
        let mut sweeps = 0;
        while world.commands.is_empty() {
            world.now = world.machine.next_deadline();
            world.step(Transactions::handle_timers);
            sweeps += 1;
        }
        // The first look is ten seconds behind the beginning, and the time is over after sixty.
        assert_eq!((sweeps, world.commands.len()), (7, commands));
        assert_eq!(world.commands[0].producer, producer(at.id, at.epoch + 1));
        world.complete();
        // With transaction version 2 it looks like a repeated request, of the other kind.
        let refused = if version == 0 { ErrorCode::ProducerFenced } else { ErrorCode::InvalidTxnState };
        assert_eq!(world.end(at, true, version), Err(refused));
        assert_eq!(
            (world.state().as_str(), world.machine.next_deadline()),
            ("CompleteAbort 100/1 with 0", Instant::NEVER)
        );
    }
}

#[test]
fn two_phase_commit_has_no_time() {
    let mut world = World::new(2);
    let request = InitProducerId {
        transactional_id: "t",
        timeout_ms: -5,
        enable_two_phase: true,
        keep_prepared: false,
        expected: None,
    };
    world.settings.two_phase_commit = false;
    let init = |world: &mut World, request: InitProducerId<'_>| {
        world.step(|machine, step| machine.init_producer_id(step, &request))
    };
    assert_eq!(init(&mut world, request), Err(ErrorCode::TransactionalIdAuthorizationFailed));
    world.settings.two_phase_commit = true;
    let keeps = InitProducerId { keep_prepared: true, ..request };
    assert_eq!(init(&mut world, keeps), Err(ErrorCode::UnsupportedVersion));
    let at = init(&mut world, request).unwrap();
    world.add(at, 0, 2).unwrap();
    world.now = Instant(0) + Duration::from_secs(1_000_000);
    world.step(Transactions::handle_timers);
    assert!(world.commands.is_empty());
}

#[test]
fn times_and_ids_are_checked() {
    let mut world = World::new(2);
    for (timeout_ms, id, expected) in [
        (0, "t", ErrorCode::InvalidTransactionTimeout),
        (-1, "t", ErrorCode::InvalidTransactionTimeout),
        (900_001, "t", ErrorCode::InvalidTransactionTimeout),
        (1, "", ErrorCode::InvalidRequest),
    ] {
        let (enable_two_phase, keep_prepared, expected_producer) = (false, false, None);
        let request = InitProducerId {
            transactional_id: id,
            timeout_ms,
            enable_two_phase,
            keep_prepared,
            expected: expected_producer,
        };
        assert_eq!(world.step(|machine, step| machine.init_producer_id(step, &request)), Err(expected));
    }
    assert!(world.log.is_empty());
}

#[test]
fn ids_expire_without_a_transaction() {
    let mut world = World::new(2);
    let at = world.init(None).unwrap();
    world.add(at, 0, 2).unwrap();
    world.now = Instant(0) + world.settings.id_expiration + Duration::from_secs(1);
    world.step(Transactions::expire);
    assert_eq!(world.machine.count(), 1, "its transaction is open");
    world.end(at, false, 2).unwrap();
    world.complete();
    world.now = world.now + (world.settings.id_expiration - Duration::from_secs(1));
    world.step(Transactions::expire);
    assert_eq!(world.machine.count(), 1);
    world.now = world.now + Duration::from_secs(1);
    world.step(Transactions::expire);
    assert_eq!((world.machine.count(), world.replayed().count()), (0, 0));
    assert_eq!(world.log.last().unwrap().value, None);
}

/// Between the decision and the result, a coordinator that loads sends the markers again.
#[test]
fn prepared_transactions_go_on_after_a_load() {
    let mut world = in_state("PrepareCommit", 2);
    let before = std::mem::take(&mut world.commands);
    world.machine = world.replayed();
    world.step(Transactions::handle_loaded);
    assert_eq!(world.commands, before);
    world.complete();
    assert_eq!(world.state(), "CompleteCommit 100/2 with 0");
    world.machine = world.replayed();
    world.step(Transactions::handle_loaded);
    assert!(world.commands.is_empty());
}

#[test]
fn markers_that_come_late_complete_nothing() {
    let mut world = in_state("PrepareAbort", 0);
    let late = world.commands[0].clone();
    world.complete();
    let at = world.machine.describe("t").unwrap().producer;
    world.add(at, 0, 0).unwrap();
    world.end(at, true, 0).unwrap();
    let complete = |world: &mut World, commit| {
        world.step(|machine, step| machine.complete(step, "t", late.producer, commit));
        world.state()
    };
    assert_eq!(complete(&mut world, false), "PrepareCommit 100/1 with 1");
    assert_eq!(complete(&mut world, true), "CompleteCommit 100/1 with 0");
}

/// A transaction of a producer is not taken for its next one.
#[test]
fn each_transaction_has_its_own_admission() {
    let mut world = World::new(0);
    let at = world.init(None).unwrap();
    let partition: TopicPartition = ("a".into(), 0);
    let add = |world: &mut World| {
        world.step(|machine, step| machine.add_partitions(step, "t", at, std::slice::from_ref(&partition), 0)).unwrap()
    };
    let first = add(&mut world);
    assert_eq!(add(&mut world), first);
    assert!(world.machine.is_open("t", at, first, &partition));
    assert!(!world.machine.is_open("t", at, first, &("a".into(), 1)));
    world.end(at, true, 0).unwrap();
    assert!(!world.machine.is_open("t", at, first, &partition), "it is ending");
    world.complete();
    let second = add(&mut world);
    assert!(!world.machine.is_open("t", at, first, &partition) && world.machine.is_open("t", at, second, &partition));
}

#[test]
fn listing_filters() {
    let mut world = World::new(2);
    let at = world.init(None).unwrap();
    world.add(at, 0, 2).unwrap();
    let list = |world: &World, filter: Filter<'_>| world.machine.list(&filter).len();
    let all = || Filter {
        producer_ids: BTreeSet::new(),
        states: None,
        duration_ms: -1,
        matches_id: &|_| true,
        now: TimestampMs(1_000_500),
    };
    assert_eq!(list(&world, all()), 1);
    assert_eq!(list(&world, Filter { producer_ids: [5].into(), ..all() }), 0);
    assert_eq!(list(&world, Filter { states: Some(vec![State::Ongoing]), ..all() }), 1);
    assert_eq!(list(&world, Filter { states: Some(vec![]), ..all() }), 0);
    assert_eq!(list(&world, Filter { duration_ms: 499, ..all() }), 1);
    assert_eq!(list(&world, Filter { duration_ms: 500, ..all() }), 0);
    assert_eq!(list(&world, Filter { matches_id: &|id| id == "u", ..all() }), 0);
}

#[test]
fn values_of_states_that_are_none_are_skipped() {
    for status in [6, 7, -1, 9] {
        let value = TransactionLogValue { transaction_status: status, ..Default::default() };
        assert!(matches!(Transaction::read(&value), Err(Unreadable::Value { .. })));
    }
    let value = TransactionLogValue { producer_id: -1, ..Default::default() };
    assert!(matches!(Transaction::read(&value), Err(Unreadable::Value { .. })));
}

#[derive(Clone, Debug)]
enum Act {
    Init(Option<i16>),
    Add(i16, i32),
    End(i16, bool),
    Complete,
    Wait(u64),
    Load,
    Version(i16),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        prop::option::of(-1..2i16).prop_map(Act::Init),
        (-1..2i16, 0..3).prop_map(|(epoch, partition)| Act::Add(epoch, partition)),
        (-1..2i16, any::<bool>()).prop_map(|(epoch, commit)| Act::End(epoch, commit)),
        Just(Act::Complete),
        (0..40u64).prop_map(Act::Wait),
        Just(Act::Load),
        (0..3i16).prop_map(Act::Version),
    ]
}

/// What the records can say of a machine.
fn told(machine: &Transactions, version: i16) -> Vec<(Arc<str>, Transaction)> {
    let all = machine.by_id.iter().map(|(id, transaction)| (id.clone(), transaction.clone()));
    let of_records = all.map(|(id, transaction)| {
        let mut told = Transaction { last_epoch: NO_PRODUCER_EPOCH, serial: 0, ..transaction };
        if version == 0 {
            (told.previous_producer_id, told.next_producer_id, told.client_version) = (-1, -1, 0);
        }
        (id, told)
    });
    of_records.collect()
}

proptest! {
    /// Whatever clients ask for, the machine is what its log says, and `put` asserts that every change is one that Kafka
    /// allows.
    #[test]
    fn the_log_says_what_the_machine_is(acts in prop::collection::vec(act(), 1..60)) {
        let (mut world, mut version) = (World::new(2), 2);
        for act in acts {
            let known = world.machine.describe("t").map_or(producer(100, 0), |described| described.producer);
            let at = |by: i16| producer(known.id, known.epoch.saturating_add(by));
            match act {
                Act::Init(by) => drop(world.init(by.map(at))),
                Act::Add(by, partition) => drop(world.add(at(by), partition, version)),
                Act::End(by, commit) => drop(world.end(at(by), commit, version)),
                Act::Complete => world.complete(),
                Act::Wait(seconds) => {
                    world.now = world.now + Duration::from_secs(seconds);
                    world.step(Transactions::handle_timers);
                }
                Act::Load => {
                    world.commands.clear();
                    world.machine = world.replayed();
                    world.step(Transactions::handle_loaded);
                }
                // The feature, and with it the clients.
                Act::Version(to) => (world.version, version) = (to, to),
            }
            // A value of version 0 leaves out what older ones did not have.
            let shown = if world.version == 0 { 0 } else { 1 };
            if shown == 1 && told(&world.machine, 1) != told(&world.replayed(), 1) {
                // Records written before the feature rose.
                prop_assert_eq!(told(&world.machine, 0), told(&world.replayed(), 0));
            } else {
                prop_assert_eq!(told(&world.machine, shown), told(&world.replayed(), shown));
            }
        }
    }
}
