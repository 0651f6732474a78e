//! The transactions' machine: whatever its log holds, and whatever clients ask for in whatever order. What it writes is read
//! again as what it is, and nothing that it has said is taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{NOW, parts};
use crate::coordinator::machine::{Machine, Output, Producer, Record};
use crate::coordinator::record::transaction::{Entry, Key, TransactionLogKey, TransactionLogValue, Value};
use crate::coordinator::settings::TransactionSettings;
use crate::coordinator::transactions::{
    Described, Filter, InitProducerId, Markers, State, Step, TransactionCommand, Transactions,
};
use crate::model::{ErrorCode, Instant, TimestampMs};

const IDS: [&str; 4] = ["a", "b", "c", ""];
const TOPICS: [&str; 2] = ["t", "u"];
/// The first producer id that is given; those below are of the records.
const FIRST_GIVEN: i64 = 3;
/// A time that is over in any case, if it is ever over.
const LONG: Duration = Duration::from_secs(1 << 32);

/// What a machine says of itself.
type Told = BTreeMap<String, Result<Described, ErrorCode>>;

fn told(machine: &Transactions) -> Told {
    let filter = Filter {
        producer_ids: BTreeSet::new(),
        states: None,
        duration_ms: -1,
        matches_id: &|_| true,
        now: TimestampMs(0),
    };
    let listed = machine.list(&filter).into_iter();
    listed.map(|listed| (listed.transactional_id.clone(), machine.describe(&listed.transactional_id))).collect()
}

fn apply(machine: &mut Transactions, record: &Record) {
    let entry = Transactions::decode(&record.key, record.value.as_deref()).expect("what was written can be read");
    machine.apply(&entry, None).expect("what was written has a meaning");
}

/// A coordinator, and beside it the machine that its log says.
#[derive(Default)]
struct World {
    machine: Transactions,
    log: Vec<Record>,
    replayed: Transactions,
    settings: TransactionSettings,
    version: i16,
    now: Instant,
    given: i64,
    /// Whether the broker has producer ids to give.
    lacks_ids: bool,
    commands: Vec<Markers>,
    /// What producers were told to be when their markers are written.
    promised: BTreeMap<String, Producer>,
}

impl World {
    fn new() -> World {
        let settings = TransactionSettings { two_phase_commit: true, ..TransactionSettings::default() };
        World { settings, given: FIRST_GIVEN, ..World::default() }
    }

    /// Puts a record into the log that this coordinator has not written.
    fn load(&mut self, record: Record) {
        let entry = Transactions::decode(&record.key, record.value.as_deref()).expect("it was read before");
        if self.machine.apply(&entry, None).is_ok() {
            self.machine.assert_sound();
            self.replayed.apply(&entry, None).expect("it was just applied");
            self.log.push(record);
        }
    }

    fn step<T>(&mut self, work: impl FnOnce(&mut Transactions, &mut Step<'_>) -> T) -> (T, usize) {
        let before = told(&self.machine);
        let (given, lacks_ids) = (&mut self.given, self.lacks_ids);
        let mut step = Step {
            now: self.now,
            wall: TimestampMs(NOW.0.saturating_add_unsigned(self.now.0 / 1_000_000)),
            settings: &self.settings,
            version: self.version,
            new_producer_id: &mut || {
                *given += 1;
                (!lacks_ids).then_some(*given - 1)
            },
            out: Output::default(),
        };
        let value = work(&mut self.machine, &mut step);
        let Output { records, commands, .. } = step.out;
        self.machine.assert_sound();
        let written = records.len();
        for record in records {
            apply(&mut self.replayed, &record);
            self.log.push(record);
        }
        self.replayed.assert_sound();
        let after = told(&self.machine);
        assert_eq!(after, told(&self.replayed), "the log says what the machine is");
        before.iter().for_each(|(id, before)| check_follows(id, before, after.get(id)));
        for command in commands {
            let TransactionCommand::Markers(markers) = command else { continue };
            let Markers { transactional_id: id, producer, commit, .. } = &markers;
            assert!(self.machine.is_ending(id, *producer, *commit), "markers end what is prepared");
            self.commands.push(markers);
        }
        (value, written)
    }

    /// Markers are written: those of one transaction, which then is over.
    fn complete(&mut self, at: usize) {
        if self.commands.is_empty() {
            return;
        }
        let Markers { transactional_id: id, producer, commit, .. } =
            self.commands.swap_remove(at % self.commands.len());
        let is_ending = self.machine.is_ending(&id, producer, commit);
        let ((), written) = self.step(|machine, step| machine.complete(step, &id, producer, commit));
        assert_eq!(written, usize::from(is_ending), "markers that come late complete nothing");
        assert!(!self.machine.is_ending(&id, producer, commit));
        if is_ending && let Some(promised) = self.promised.remove(&*id) {
            assert_eq!(self.machine.describe(&id).map(|is| is.producer), Ok(promised), "{id}: a promise is kept");
        }
    }

    fn complete_all(&mut self) {
        while !self.commands.is_empty() {
            self.complete(0);
        }
    }

    /// Another broker takes over.
    fn restart(&mut self) {
        let mut machine = Transactions::default();
        self.log.iter().for_each(|record| apply(&mut machine, record));
        self.machine = machine;
        self.commands.clear();
        let ((), written) = self.step(Transactions::handle_loaded);
        assert_eq!(written, 0);
        let prepared = |is: &Result<Described, _>| is.as_ref().is_ok_and(|is| is.state.is_prepared());
        let prepared = told(&self.machine).values().filter(|is| prepared(is)).count();
        assert!(self.commands.len() >= prepared, "the markers of each are sent again");
    }
}

/// The epoch of a producer id never falls, and another id begins with its first.
fn check_follows(id: &str, before: &Result<Described, ErrorCode>, after: Option<&Result<Described, ErrorCode>>) {
    // It expired, or has no name.
    let (Ok(before), Some(Ok(after))) = (before, after) else { return };
    if before.producer.id == after.producer.id {
        assert!(before.producer.epoch <= after.producer.epoch, "{id}: {before:?} becomes {after:?}");
    } else {
        assert_eq!(after.producer.epoch, 0, "{id}: {before:?} becomes {after:?}");
    }
    let is_over = |is: &Described| matches!(is.state, State::Empty | State::CompleteCommit | State::CompleteAbort);
    assert!(!is_over(after) || after.topics.is_empty(), "{id}: {after:?} is over");
}

/// Records of `__transaction_state`: keys and values by turns. What is written is read again as the same; what a coordinator
/// has loaded can go on, whatever it was.
pub fn transaction_records(data: &[u8]) {
    let (mut world, mut key) = (World::new(), None);
    let [version, data @ ..] = data else { return };
    world.version = i16::from(version % 3);
    for part in parts(data) {
        let Some(key) = key.take() else {
            key = Some(part).filter(|part| matches!(Key::decode(part), Ok(Some(_))));
            continue;
        };
        let value = Some(part).filter(|part| !part.is_empty());
        let Ok(Entry::TransactionLog(read, _)) = Transactions::decode(key, value) else { continue };
        let mut once = Vec::new();
        Key::TransactionLog(read).encode(&mut once).expect("it was read");
        assert!(key.starts_with(&once), "a key is written as it was");
        value.into_iter().for_each(check_value);
        world.load(Record { key: key.to_vec(), value: value.map(<[u8]>::to_vec) });
    }
    world.restart();
    world.complete_all();
    world.now = world.now + LONG;
    world.step(Transactions::handle_timers);
    world.complete_all();
    let ids: Vec<String> = told(&world.machine).into_keys().collect();
    for id in ids.iter().filter(|id| !id.is_empty()) {
        go_on(&mut world, id);
    }
    world.now = world.now + LONG;
    world.step(Transactions::expire);
}

fn check_value(bytes: &[u8]) {
    let Ok(Some((value, version))) = Value::decode(0, bytes) else { return };
    let mut once = Vec::new();
    value.encode(&mut once, version).expect("it was read");
    let (read, same) = Value::decode(0, &once).expect("what was written can be read").expect("of the same type");
    assert_eq!((&read, same), (&value, version));
}

/// A producer comes back to what it finds, and makes a transaction.
fn go_on(world: &mut World, id: &str) {
    let request = InitProducerId {
        transactional_id: id,
        timeout_ms: 1000,
        enable_two_phase: false,
        keep_prepared: false,
        expected: None,
    };
    let init = |world: &mut World| world.step(|machine, step| machine.init_producer_id(step, &request)).0;
    let mut given = init(world);
    if given == Err(ErrorCode::ConcurrentTransactions) {
        // Two-phase: no time has ended it.
        world.complete_all();
        given = init(world);
    }
    let producer = given.expect("an id whose transaction is over can be used");
    let partitions = [("t".into(), 0)];
    let version = world.version;
    let (added, _) = world.step(|machine, step| machine.add_partitions(step, id, producer, &partitions, version));
    added.expect("its producer may write");
    let (ended, _) = world.step(|machine, step| machine.end_transaction(step, id, producer, true, version));
    ended.expect("and end what it has written");
    world.complete_all();
    assert_eq!(world.machine.describe(id).map(|is| is.state), Ok(State::CompleteCommit));
}

/// A request of eight bytes.
struct Request {
    kind: u8,
    id: &'static str,
    producer: Producer,
    partitions: Vec<(std::sync::Arc<str>, i32)>,
    version: i16,
    argument: u8,
}

impl Request {
    fn read(world: &World, bytes: &[u8; 6]) -> Request {
        let [kind, ids, epoch, partitions, version, argument] = *bytes;
        let name = |at: u8| IDS[usize::from(at) % IDS.len()];
        let id = name(ids);
        let known = |id: &str| world.machine.describe(id).map(|is| is.producer).ok();
        let of = match ids >> 4 {
            // Another one's, or none's.
            14 => known(name(ids >> 2)),
            15 => Some(Producer { id: i64::from(epoch), epoch: 0 }),
            _ => known(id),
        };
        let of = of.unwrap_or(Producer { id: -1, epoch: -1 });
        let epoch = match epoch % 16 {
            at @ 0..4 => of.epoch.saturating_add(i16::from(at) - 2),
            4 => i16::MAX,
            5 => i16::MAX - 1,
            6 => -1,
            _ => of.epoch,
        };
        let is_named = |at: &i32| partitions & 1 << at != 0;
        let partition = |at: i32| (TOPICS[at as usize / 4].into(), at % 4 - 1);
        Request {
            kind,
            id,
            producer: Producer { id: of.id, epoch },
            partitions: (0..8).filter(is_named).map(partition).collect(),
            version: i16::from(version % 3),
            argument,
        }
    }
}

/// Requests in any order, with what time and restarts do between them. Every refusal leaves all as it was.
pub fn transaction_requests(data: &[u8]) {
    let mut world = World::new();
    let [version, data @ ..] = data else { return };
    world.version = i16::from(version % 3);
    for bytes in data.as_chunks().0.iter().take(200) {
        let request = Request::read(&world, bytes);
        handle(&mut world, &request);
    }
    world.complete_all();
    assert!(told(&world.machine).values().all(|is| is.as_ref().is_ok_and(|is| !is.state.is_prepared())));
}

fn handle(world: &mut World, request: &Request) {
    let Request { kind, id, producer, ref partitions, version, argument } = *request;
    match kind % 16 {
        0 | 1 => init(world, request),
        2..5 => {
            let (added, written) =
                world.step(|machine, step| machine.add_partitions(step, id, producer, partitions, version));
            assert!(added.is_ok() || written == 0);
            let is_in = |partition| added.is_ok_and(|begun| world.machine.is_open(id, producer, begun, partition));
            assert!(added.is_err() || partitions.iter().all(is_in), "what was added is in");
        }
        5 => {
            let verified = world.machine.verify_partitions(id, producer, partitions);
            assert!(verified.is_err() || verified.is_ok_and(|(_, errors)| errors.len() == partitions.len()));
        }
        6..9 => end(world, request),
        9 | 10 => world.complete(usize::from(argument)),
        11 => {
            world.now = world.now + Duration::from_secs(u64::from(argument));
            world.step(Transactions::handle_timers);
        }
        12 => {
            // Before the first one a value has no word for what comes behind the epochs of an id.
            if world.version == 0 {
                world.promised.clear();
            }
            world.restart();
        }
        13 => (world.version, world.lacks_ids) = (version, argument % 4 == 0),
        14 => {
            world.now = world.now + if argument % 8 == 0 { LONG } else { Duration::ZERO };
            world.step(Transactions::expire);
        }
        _ => use_up(world, request),
    }
}

fn init(world: &mut World, request: &Request) {
    let argument = request.argument;
    let asked = InitProducerId {
        transactional_id: request.id,
        timeout_ms: [0, 1, 60_000, 900_000, 900_001, i32::MAX, i32::MIN, 1000][usize::from(argument % 8)],
        enable_two_phase: argument & 8 != 0,
        keep_prepared: argument & 0x70 == 0x70,
        expected: (argument & 0x80 == 0).then_some(request.producer),
    };
    let was_open = world.machine.describe(request.id).is_ok_and(|is| is.state == State::Ongoing);
    let (given, written) = world.step(|machine, step| machine.init_producer_id(step, &asked));
    match given {
        Ok(producer) => {
            assert_eq!(written, 1);
            assert_eq!(
                world.machine.describe(request.id).map(|is| (is.state, is.producer)),
                Ok((State::Empty, producer))
            );
        }
        // What was open is being ended.
        Err(ErrorCode::ConcurrentTransactions) => assert_eq!(written, usize::from(was_open)),
        Err(_) => assert_eq!(written, 0),
    }
}

fn end(world: &mut World, request: &Request) {
    let (id, producer, commit, version) = (request.id, request.producer, request.argument & 1 == 0, request.version);
    let (ended, written) = world.step(|machine, step| machine.end_transaction(step, id, producer, commit, version));
    assert!(ended.is_ok() || written == 0);
    let Ok(after) = ended else { return };
    assert_eq!(world.machine.is_prepared(id), written > 0, "it ends, or has ended so before");
    if version == 2 && written > 0 && world.version > 0 {
        world.promised.insert(id.to_string(), after);
    } else if written > 0 {
        world.promised.remove(id);
    }
    // The same request again changes nothing.
    if written == 0 {
        let (again, written) = world.step(|machine, step| machine.end_transaction(step, id, producer, commit, version));
        assert_eq!((again, written), (Ok(after), 0));
    }
}

/// The log of a coordinator in which the epochs of an id are nearly used up.
fn use_up(world: &mut World, request: &Request) {
    let known = world.machine.describe(request.id);
    let Ok(Described { state: State::Empty | State::CompleteCommit, producer, timeout_ms, .. }) = known else { return };
    let value = TransactionLogValue {
        producer_id: producer.id,
        producer_epoch: producer.epoch.max(i16::MAX - i16::from(request.argument % 4)),
        transaction_timeout_ms: timeout_ms,
        transaction_start_timestamp_ms: -1,
        ..Default::default()
    };
    let (mut key, mut bytes) = (Vec::new(), Vec::new());
    Key::TransactionLog(TransactionLogKey { transactional_id: request.id.into() }).encode(&mut key).expect("it fits");
    Value::TransactionLog(value).encode(&mut bytes, 0).expect("it fits");
    world.load(Record { key, value: Some(bytes) });
}
