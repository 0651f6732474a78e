//! Each kind of broken promise is planted once by hand in a small history, and at random in histories that a model of a
//! right broker gave.

use super::*;
use crate::records::Bytes;

fn write(partition: &str, value: &str) -> Step {
    Step::Write(Write { partition: partition.into(), value: value.into(), source: None })
}

fn made_of(value: &str, source: (&str, i64)) -> Step {
    let source = Some((source.0.into(), source.1));
    Step::Write(Write { partition: "out-0".into(), value: value.into(), source })
}

fn sends_offset(offset: i64) -> Step {
    Step::Offset { partition: "in-0".into(), offset }
}

fn client(name: &str, group: Option<&str>, steps: Vec<Step>) -> Client {
    Client { name: name.into(), group: group.map(String::from), steps }
}

fn reading(reader: usize, isolation: Isolation, partition: &str, records: &[(i64, &str, Moment)]) -> Reading {
    let read = |(offset, value, at): &(i64, &str, Moment)| Read { offset: *offset, value: value.to_string(), at: *at };
    let records = records.iter().map(read).collect();
    Reading { reader, isolation, partition: partition.into(), records, has_ended: true }
}

fn look(offset: i64, began: Moment) -> Look {
    Look { group: "g".into(), partition: "in-0".into(), offset, began, ended: began + 1 }
}

/// One producer: a committed transaction in two partitions, an aborted one, one of unknown end that was committed; and one
/// record without a transaction. A loop processes what is in `in-0`: its first attempt aborts.
fn good() -> Ledger {
    let (begin, ask, committed) =
        (|number| Step::Begin { number }, |at| Step::AskCommit { at }, |at| Step::Committed { at });
    let producer = vec![
        begin(0),
        write("in-0", "a"),
        write("other-0", "b"),
        write("in-0", "c"),
        ask(10),
        committed(12),
        begin(1),
        write("in-0", "x"),
        Step::Aborted,
        begin(2),
        write("in-0", "d"),
        write("other-0", "e"),
        ask(20),
    ];
    let looper = vec![
        begin(0),
        made_of("a'", ("in-0", 0)),
        sends_offset(1),
        Step::Aborted,
        begin(1),
        made_of("a", ("in-0", 0)),
        made_of("c", ("in-0", 1)),
        sends_offset(2),
        ask(40),
        committed(42),
        begin(2),
        made_of("d", ("in-0", 5)),
        made_of("end", ("in-0", 7)),
        sends_offset(8),
        ask(50),
        committed(52),
    ];
    let looper = looper.into_iter().map(|step| match step {
        Step::Write(write) => Step::Write(Write { value: format!("of {}", write.value), ..write }),
        step => step,
    });
    let (yes, no) = (Isolation::Committed, Isolation::Uncommitted);
    Ledger {
        clients: vec![client("p", None, producer), client("l", Some("g"), looper.collect())],
        plain: BTreeSet::from(["end".to_string()]),
        readings: vec![
            reading(1, yes, "in-0", &[(0, "a", 11), (1, "c", 11), (5, "d", 22), (7, "end", 60)]),
            reading(1, yes, "other-0", &[(0, "b", 13), (2, "e", 22)]),
            reading(2, no, "in-0", &[(0, "a", 5), (1, "c", 5), (3, "x", 15), (5, "d", 18), (7, "end", 60)]),
            reading(2, no, "other-0", &[(0, "b", 5), (2, "e", 18)]),
            reading(3, yes, "out-0", &[(2, "of a", 45), (3, "of c", 45), (5, "of d", 60), (6, "of end", 60)]),
        ],
        looks: vec![look(-1, 30), look(2, 44), look(8, 55)],
        loops: vec![Loop { group: "g".into(), from: "in".into(), to: "out".into() }],
    }
}

/// What is found after something has been planted.
fn found(plant: impl FnOnce(&mut Ledger)) -> Vec<Finding> {
    let mut ledger = good();
    plant(&mut ledger);
    ledger.check()
}

fn place(partition: &str, offset: i64) -> Place {
    (partition.into(), offset)
}

#[test]
fn a_good_history_is_good() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn what_readers_have_not_come_to_is_not_missed() {
    let unread = |ledger: &mut Ledger| {
        ledger.readings[0].records.truncate(1);
        ledger.readings[0].has_ended = false;
        ledger.loops.clear();
    };
    assert_eq!(found(unread), []);
}

#[test]
fn an_aborted_record_that_is_read() {
    let aborted = found(|ledger| ledger.readings[0].records.insert(2, Read { offset: 3, value: "x".into(), at: 30 }));
    let read =
        Finding::AbortedRead { reader: 1, place: place("in-0", 3), value: "x".into(), transaction: "p 1".into() };
    assert!(aborted.contains(&read), "{aborted:?}");
}

#[test]
fn a_record_that_is_read_before_its_commit() {
    let early = found(|ledger| ledger.readings[0].records[0].at = 9);
    let read = Finding::EarlyRead { reader: 1, place: place("in-0", 0), value: "a".into(), transaction: "p 0".into() };
    assert_eq!(early, [read]);
}

#[test]
fn a_torn_transaction() {
    let torn = |transaction: &str, seen, of, lacks: &str| Finding::Torn {
        reader: 1,
        transaction: transaction.into(),
        seen,
        of,
        lacks: lacks.into(),
    };
    // The other partition's marker was an abort.
    let acknowledged = found(|ledger| drop(ledger.readings[1].records.remove(0)));
    assert_eq!(acknowledged, [torn("p 0", 2, 3, "b")]);
    let unknown = found(|ledger| drop(ledger.readings[1].records.pop()));
    assert_eq!(unknown, [torn("p 2", 1, 2, "e")]);
}

#[test]
fn a_lost_transaction() {
    let lost = found(|ledger| {
        ledger.readings[0].records.drain(..2);
        ledger.readings[1].records.remove(0);
        ledger.loops.clear();
    });
    assert_eq!(lost, [Finding::Lost { reader: 1, transaction: "p 0".into(), records: 3 }]);
    let uncommitted = found(|ledger| drop(ledger.readings[3].records.remove(0)));
    let part = Finding::Torn { reader: 2, transaction: "p 0".into(), seen: 2, of: 3, lacks: "b".into() };
    assert_eq!(uncommitted, [part]);
}

#[test]
fn a_transaction_of_unknown_end() {
    let never = |ledger: &mut Ledger| {
        ledger.readings[0].records.remove(2);
        ledger.readings[1].records.pop();
        ledger.loops.clear();
    };
    assert_eq!(found(never), []);
    let two_minds = found(|ledger| {
        let more: Vec<Reading> = ledger.readings[..2].iter().map(|r| Reading { reader: 4, ..r.clone() }).collect();
        never(ledger);
        ledger.readings.extend(more);
    });
    assert_eq!(two_minds, [Finding::Undecided { transaction: "p 2".into(), seen_by: 4, not_by: 1 }]);
}

#[test]
fn a_wrong_order() {
    let wrong = |earlier: &str, later: &str| Finding::OutOfOrder {
        reader: 1,
        partition: "in-0".into(),
        earlier: earlier.into(),
        later: later.into(),
    };
    let swap = |ledger: &mut Ledger| {
        for reading in [0, 2] {
            ledger.readings[reading].records[0].value = "c".into();
            ledger.readings[reading].records[1].value = "a".into();
        }
    };
    assert!(found(swap).contains(&wrong("c", "a")));
    let twice = found(|ledger| ledger.readings[0].records.insert(3, Read { offset: 6, value: "d".into(), at: 30 }));
    assert!(twice.contains(&wrong("d", "d")), "{twice:?}");
    let again = found(|ledger| ledger.readings[0].records[1].offset = 0);
    assert!(again.contains(&Finding::Repeated { reader: 1, place: place("in-0", 0) }), "{again:?}");
}

#[test]
fn records_that_no_transaction_wrote_there() {
    let stranger = found(|ledger| ledger.readings[1].records.push(Read { offset: 3, value: "z".into(), at: 60 }));
    assert_eq!(stranger, [Finding::NeverSent { reader: 1, place: place("other-0", 3), value: "z".into() }]);
    let elsewhere = found(|ledger| ledger.readings[3].records.push(Read { offset: 3, value: "x".into(), at: 60 }));
    let there = Finding::NeverSent { reader: 2, place: place("other-0", 3), value: "x".into() };
    assert!(elsewhere.contains(&there), "{elsewhere:?}");
    let other = found(|ledger| ledger.readings[2].records[2].offset = 5);
    assert!(other.iter().any(|finding| matches!(finding, Finding::Disagreement { .. })), "{other:?}");
}

#[test]
fn offsets_of_an_aborted_transaction() {
    let dirty = |offset| Finding::DirtyOffset { group: "g".into(), place: place("in-0", offset) };
    assert_eq!(found(|ledger| ledger.looks.push(look(1, 44))), [dirty(1)]);
    // Pending, and shown before the commit was asked for.
    assert_eq!(found(|ledger| ledger.looks.push(look(2, 35))), [dirty(2)]);
}

#[test]
fn offsets_before_what_was_committed() {
    let back =
        |offset, committed| Finding::OffsetWentBack { group: "g".into(), place: place("in-0", offset), committed };
    assert_eq!(found(|ledger| ledger.looks.push(look(2, 56))), [back(2, 8)]);
    assert_eq!(found(|ledger| ledger.looks.push(look(-1, 44))), [back(-1, 2)]);
    // The commit was not answered yet.
    assert_eq!(found(|ledger| ledger.looks.push(look(2, 51))), []);
}

#[test]
fn inputs_that_are_processed_never_twice_or_without_being_there() {
    let (group, reader) = ("g".to_string(), 3);
    let never = found(|ledger| {
        // It was told as one that commits nothing else.
        ledger.clients[1].steps.retain(|step| !matches!(step, Step::Write(write) if write.value == "of c"));
        ledger.readings[4].records.remove(1);
    });
    assert_eq!(never, [Finding::Unprocessed { group: group.clone(), reader, source: place("in-0", 1) }]);
    let sources = |of: &'static str, offset: i64| {
        move |ledger: &mut Ledger| {
            for step in &mut ledger.clients[1].steps {
                match step {
                    Step::Write(write) if write.value == of => write.source = Some(place("in-0", offset)),
                    _ => {}
                }
            }
        }
    };
    let twice = found(sources("of d", 1));
    let outputs = vec!["of c".to_string(), "of d".to_string()];
    let expected = Finding::ProcessedTwice { group: group.clone(), reader, source: place("in-0", 1), outputs };
    assert!(twice.contains(&expected), "{twice:?}");
    // It was aborted, and the loop has read it.
    let dirty = found(sources("of c", 3));
    let output = "of c".to_string();
    assert!(dirty.contains(&Finding::ProcessedDirty { group, reader, source: place("in-0", 3), output }), "{dirty:?}");
}

/// A broker that is right, as small as can be: what its clients did and saw is a good history.
struct Model {
    random: Bytes,
    clock: Moment,
    ledger: Ledger,
    /// By partition: the value and whether it is committed; a marker is no value.
    logs: BTreeMap<String, Vec<Option<(String, bool)>>>,
    /// The group's.
    committed: BTreeMap<String, i64>,
}

const CLIENTS: [(&str, Option<&str>); 4] = [("p", None), ("q", None), ("l", Some("g")), ("m", Some("g"))];

impl Model {
    fn run(seed: u64) -> Ledger {
        let clients = CLIENTS.iter().map(|(name, group)| client(name, *group, Vec::new())).collect();
        let loops = vec![Loop { group: "g".into(), from: "in".into(), to: "out".into() }];
        let ledger = Ledger { clients, loops, ..Ledger::default() };
        let (logs, committed) = (BTreeMap::new(), BTreeMap::new());
        let mut model = Model { random: Bytes::new(seed), clock: 0, ledger, logs, committed };
        for _ in 0..40 {
            let number = model.draw(CLIENTS.len());
            match number {
                0 | 1 => model.produce(number),
                _ => drop(model.process(number, false)),
            }
            model.look();
        }
        while model.process(2, true) {}
        model.look();
        model.read();
        model.ledger
    }

    fn draw(&mut self, below: usize) -> usize {
        self.random.draw() as usize % below
    }

    fn now(&mut self) -> Moment {
        self.clock += 1;
        self.clock
    }

    fn produce(&mut self, number: usize) {
        let count = self.draw(5) + 1;
        let writes = (0..count).map(|_| (format!("in-{}", self.draw(2)), None)).collect();
        self.transact(number, writes, None, false);
    }

    /// Up to four of one partition's committed records; whether there were any.
    fn process(&mut self, number: usize, is_certain: bool) -> bool {
        for n in 0..2 {
            let partition = format!("in-{}", (n + number) % 2);
            let from = self.committed.get(&partition).copied().unwrap_or(0);
            let log = self.logs.get(&partition).cloned().unwrap_or_default();
            let records = log.iter().enumerate().skip(from as usize);
            let sources = records.filter(|(_, entry)| entry.as_ref().is_some_and(|(_, is_there)| *is_there));
            let sources: Vec<Place> = sources.map(|(at, _)| (partition.clone(), at as i64)).take(4).collect();
            let Some((_, last)) = sources.last() else { continue };
            let offset = (partition.clone(), last + 1);
            let writes = sources.into_iter().map(|source| (partition.replace("in", "out"), Some(source))).collect();
            self.transact(number, writes, Some(offset), is_certain);
            return true;
        }
        false
    }

    fn transact(
        &mut self,
        client: usize,
        writes: Vec<(String, Option<Place>)>,
        offset: Option<Place>,
        is_certain: bool,
    ) {
        let number = self.now();
        let is_asked = is_certain || self.draw(3) > 0;
        let is_committed = is_asked && (is_certain || self.draw(3) > 0);
        let is_told = is_committed && (is_certain || self.draw(3) > 0);
        let name = CLIENTS[client].0;
        let mut steps = vec![Step::Begin { number }];
        for (n, (partition, source)) in writes.iter().enumerate() {
            let value = format!("{name}.{number}.{n}");
            self.logs.entry(partition.clone()).or_default().push(Some((value.clone(), is_committed)));
            steps.push(Step::Write(Write { partition: partition.clone(), value, source: source.clone() }));
        }
        let partitions: BTreeSet<&String> = writes.iter().map(|(partition, _)| partition).collect();
        partitions.into_iter().for_each(|partition| self.logs.get_mut(partition).expect("written").push(None));
        steps.extend(offset.clone().map(|(partition, offset)| Step::Offset { partition, offset }));
        steps.extend(is_asked.then(|| Step::AskCommit { at: self.now() }));
        self.committed.extend(offset.filter(|_| is_committed));
        steps.extend(is_told.then(|| Step::Committed { at: self.now() }));
        self.ledger.clients[client].steps.extend(steps);
    }

    fn look(&mut self) {
        for partition in ["in-0", "in-1"] {
            let (began, ended) = (self.now(), self.now());
            let (group, partition) = ("g".to_string(), partition.to_string());
            let offset = self.committed.get(&partition).copied().unwrap_or(-1);
            self.ledger.looks.push(Look { group, partition, offset, began, ended });
        }
    }

    fn read(&mut self) {
        let (yes, no) = (Isolation::Committed, Isolation::Uncommitted);
        for (reader, (isolation, topic)) in [(yes, "in"), (yes, "in"), (no, "in"), (yes, "out")].into_iter().enumerate()
        {
            for (partition, log) in self.logs.iter().filter(|(partition, _)| topic_of(partition) == topic) {
                let is_seen = |is_there: bool| is_there || isolation == Isolation::Uncommitted;
                let seen = log.iter().enumerate().filter_map(|(at, entry)| {
                    entry.as_ref().filter(|(_, is_there)| is_seen(*is_there)).map(|(value, _)| (at as i64, value))
                });
                let records = seen.map(|(offset, value)| Read { offset, value: value.clone(), at: self.clock + 1 });
                let (partition, records) = (partition.clone(), records.collect());
                self.ledger.readings.push(Reading { reader, isolation, partition, records, has_ended: true });
            }
        }
    }
}

const SEEDS: u64 = 300;

#[test]
fn histories_of_a_right_broker_are_good() {
    for seed in 0..SEEDS {
        assert_eq!(Model::run(seed).check(), [], "seed {seed}");
    }
}

/// Plants something in the histories of many seeds, where it can, and says what must be found.
fn always_found(mut plant: impl FnMut(&mut Ledger, &mut Bytes) -> bool, is_it: impl Fn(&Finding) -> bool) {
    let mut planted = 0;
    for seed in 0..SEEDS {
        let (mut ledger, mut random) = (Model::run(seed), Bytes::new(seed + SEEDS));
        if plant(&mut ledger, &mut random) {
            planted += 1;
            let findings = ledger.check();
            assert!(findings.iter().any(&is_it), "seed {seed}: {findings:?}");
        }
    }
    assert!(planted > SEEDS / 4, "planted {planted} times");
}

/// A record that a read_committed reader got.
fn any_read(ledger: &Ledger, random: &mut Bytes) -> Option<(usize, usize)> {
    let reading = random.draw() as usize % ledger.readings.len();
    let records = ledger.readings[reading].records.len();
    let is_committed = ledger.readings[reading].isolation == Isolation::Committed;
    (is_committed && records > 0).then(|| (reading, random.draw() as usize % records))
}

#[test]
fn what_a_reader_lacks_is_found_wherever_it_is() {
    let plant = |ledger: &mut Ledger, random: &mut Bytes| {
        let Some((reading, at)) = any_read(ledger, random) else { return false };
        ledger.readings[reading].records.remove(at);
        true
    };
    always_found(plant, |finding| {
        matches!(
            finding,
            Finding::Lost { .. } | Finding::Torn { .. } | Finding::Undecided { .. } | Finding::Unprocessed { .. }
        ) || matches!(finding, Finding::ProcessedDirty { .. })
    });
}

#[test]
fn what_was_aborted_is_found_wherever_it_is_read() {
    let plant = |ledger: &mut Ledger, random: &mut Bytes| {
        let transactions = ledger.transactions();
        let aborted: Vec<Write> = transactions
            .iter()
            .filter(|transaction| transaction.end == End::Aborted)
            .flat_map(|transaction| transaction.writes.iter().map(|write| (*write).clone()))
            .collect();
        let Some(write) = aborted.get(random.draw() as usize % aborted.len().max(1)) else { return false };
        let of_it = |reading: &&mut Reading| reading.partition == write.partition;
        let Some(reading) = ledger.readings.iter_mut().filter(|r| r.isolation == Isolation::Committed).find(of_it)
        else {
            return false;
        };
        reading.records.push(Read { offset: i64::MAX, value: write.value.clone(), at: Moment::MAX });
        true
    };
    always_found(plant, |finding| matches!(finding, Finding::AbortedRead { .. }));
}

#[test]
fn offsets_that_no_commit_explains_are_found() {
    let dirty = |ledger: &mut Ledger, random: &mut Bytes| {
        let at = random.draw() as usize % ledger.looks.len();
        let transactions = ledger.transactions();
        let look = ledger.looks[at].clone();
        let asked = transactions.iter().filter(|transaction| transaction.end != End::Aborted);
        let sent = |offset: i64| asked.clone().any(|t| t.offsets.contains(&(look.partition.as_str(), offset)));
        let Some(offset) = (0..100).map(|n| (look.offset + 1 + n) % 100).find(|offset| !sent(*offset)) else {
            return false;
        };
        ledger.looks[at].offset = offset;
        true
    };
    always_found(dirty, |finding| matches!(finding, Finding::DirtyOffset { .. }));
    let back = |ledger: &mut Ledger, _: &mut Bytes| {
        let last = ledger.looks.len() - 1;
        let partition = ledger.looks[last].partition.clone();
        let of_it = |look: &&Look| look.partition == partition && look.offset < ledger.looks[last].offset;
        let Some(earlier) = ledger.looks.iter().rev().find(of_it).map(|look| look.offset) else { return false };
        ledger.looks[last].offset = earlier;
        // The last to be processed are committed for certain, but they may all lie in the other partition.
        let is_certain = |t: &Transaction<'_>| {
            matches!(t.end, End::Committed(_))
                && t.offsets.iter().any(|(p, offset)| *p == partition && *offset > earlier)
        };
        ledger.transactions().iter().any(is_certain)
    };
    always_found(back, |finding| matches!(finding, Finding::OffsetWentBack { .. }));
}
