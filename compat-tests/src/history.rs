//! What clients did and saw, judged afterwards in the manner of Jepsen's Kafka workload: a pure function over a recorded
//! history. It knows what was promised to whom and says which promise was not kept.
//!
//! Values are unique in a history. Transactions have a history of their own, `history/transactions.rs`. Not judged here: logs
//! that are compacted or trimmed meanwhile.

pub mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A moment on a clock that all clients share; only the order counts.
pub type Moment = u64;
type Place = (i32, i64);

/// How a send ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The offset, if the client was told.
    Acknowledged(Option<i64>),
    /// It was refused for good: the record is not there and never will be.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// In the order in which its producer sent it.
#[derive(Clone, Debug)]
pub struct Send {
    pub producer: usize,
    pub partition: i32,
    pub value: String,
    pub ended: Moment,
    pub outcome: Outcome,
}

/// What a consumer did with one partition, in its order.
#[derive(Clone, Debug)]
pub enum Step {
    /// It got the partition, or sought in it, and goes on from this offset.
    Start {
        from: i64,
        began: Moment,
    },
    Poll {
        records: Vec<(i64, String)>,
    },
    /// A commit that was answered without an error: the next offset to be read.
    Commit {
        offset: i64,
        ended: Moment,
    },
}

/// One consumer's way through one partition, as a member of a group if it is one.
#[derive(Clone, Debug)]
pub struct Way {
    pub consumer: usize,
    pub group: Option<String>,
    pub partition: i32,
    pub steps: Vec<Step>,
}

/// The end of a partition as somebody was told.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub partition: i32,
    pub offset: i64,
    pub began: Moment,
}

#[derive(Clone, Default, Debug)]
pub struct History {
    pub sends: Vec<Send>,
    pub ways: Vec<Way>,
    pub ends: Vec<End>,
    /// Whether the ways together, and those of each group together, have read every partition to its end after the last send.
    pub is_complete: bool,
}

/// What a producer was promised.
#[derive(Clone, Copy, Default, Debug)]
pub struct Promise {
    /// Nothing acknowledged is lost, under the faults of this run.
    pub durable: bool,
    /// Nothing is there twice.
    pub once: bool,
    /// Records are in the order of their sending.
    pub ordered: bool,
}

/// A promise that was not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    Lost {
        value: String,
        partition: i32,
        offset: Option<i64>,
    },
    Twice {
        value: String,
        places: Vec<Place>,
    },
    /// Two were told different things about one place.
    Disagreement {
        place: Place,
        values: [String; 2],
    },
    OutOfOrder {
        producer: usize,
        earlier: String,
        later: String,
    },
    NeverSent {
        place: Place,
        value: String,
    },
    RefusedYetThere {
        place: Place,
        value: String,
    },
    Skipped {
        consumer: usize,
        partition: i32,
        from: i64,
        to: i64,
    },
    Repeated {
        consumer: usize,
        partition: i32,
        offset: i64,
    },
    /// A member of a group began behind what the group had committed.
    WentBack {
        group: String,
        partition: i32,
        committed: i64,
        began_at: i64,
    },
    /// No member of the group ever saw what is there.
    Unprocessed {
        group: String,
        place: Place,
        value: String,
    },
    /// Somebody was told of an end below what had been acknowledged before it asked.
    Stale {
        partition: i32,
        end: i64,
        acknowledged: i64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The log as all have seen it together.
struct Log<'h> {
    values: BTreeMap<Place, &'h str>,
    places: BTreeMap<&'h str, BTreeSet<Place>>,
}

impl History {
    /// All broken promises; `promise` says what a producer was promised.
    pub fn check(&self, promise: impl Fn(usize) -> Promise) -> Vec<Finding> {
        let mut findings = Vec::new();
        let log = self.log(&mut findings);
        self.check_sends(&log, &promise, &mut findings);
        self.check_strangers(&log, &mut findings);
        self.ways.iter().for_each(|way| way.check(&log, &mut findings));
        self.check_groups(&mut findings);
        self.check_processed(&log, &mut findings);
        self.check_ends(&mut findings);
        findings
    }

    fn log(&self, findings: &mut Vec<Finding>) -> Log<'_> {
        let mut log = Log { values: BTreeMap::new(), places: BTreeMap::new() };
        for (place, value) in self.ways.iter().flat_map(Way::polled) {
            let first = *log.values.entry(place).or_insert(value);
            if first != value {
                findings.push(Finding::Disagreement { place, values: [first.into(), value.into()] });
            }
            log.places.entry(value).or_default().insert(place);
        }
        log
    }

    fn check_sends(&self, log: &Log<'_>, promise: &impl Fn(usize) -> Promise, findings: &mut Vec<Finding>) {
        let mut last: BTreeMap<(usize, i32), (i64, &str)> = BTreeMap::new();
        for send in &self.sends {
            let (promise, value) = (promise(send.producer), send.value.as_str());
            let places = log.places.get(value);
            if promise.once && places.is_some_and(|places| places.len() > 1) {
                let places = places.into_iter().flatten().copied().collect();
                findings.push(Finding::Twice { value: value.into(), places });
            }
            let first = places.into_iter().flatten().find(|(partition, _)| *partition == send.partition);
            let told = match send.outcome {
                Outcome::Acknowledged(offset) => {
                    self.check_acknowledged(log, send, offset, promise, findings);
                    offset
                }
                _ => None,
            };
            let Some(offset) = first.map(|(_, offset)| *offset).or(told).filter(|_| promise.ordered) else { continue };
            let key = (send.producer, send.partition);
            if let Some((before, earlier)) = last.get(&key)
                && *before > offset
            {
                let (earlier, later) = (earlier.to_string(), value.to_string());
                findings.push(Finding::OutOfOrder { producer: send.producer, earlier, later });
            }
            last.insert(key, (offset, value));
        }
    }

    fn check_acknowledged(
        &self,
        log: &Log<'_>,
        send: &Send,
        offset: Option<i64>,
        promise: Promise,
        findings: &mut Vec<Finding>,
    ) {
        let partition = send.partition;
        let found = offset.and_then(|offset| log.values.get(&(partition, offset)));
        match (offset, found) {
            (Some(offset), Some(found)) if *found != send.value => {
                let values = [send.value.clone(), found.to_string()];
                findings.push(Finding::Disagreement { place: (partition, offset), values });
            }
            (_, Some(_)) => {}
            (offset, None) => {
                // Somebody has read what is behind it, or everything.
                let is_passed = offset.is_some_and(|offset| {
                    log.values.range((partition, offset)..=(partition, i64::MAX)).next().is_some()
                });
                let is_missing = match offset {
                    Some(_) => is_passed || self.is_complete,
                    None => self.is_complete && !log.places.contains_key(send.value.as_str()),
                };
                if promise.durable && is_missing {
                    findings.push(Finding::Lost { value: send.value.clone(), partition, offset });
                }
            }
        }
    }

    fn check_strangers(&self, log: &Log<'_>, findings: &mut Vec<Finding>) {
        let outcomes: BTreeMap<&str, Outcome> =
            self.sends.iter().map(|send| (send.value.as_str(), send.outcome)).collect();
        for (place, value) in &log.values {
            let (place, text) = (*place, value.to_string());
            match outcomes.get(value) {
                None => findings.push(Finding::NeverSent { place, value: text }),
                Some(Outcome::Refused) => findings.push(Finding::RefusedYetThere { place, value: text }),
                Some(_) => {}
            }
        }
    }

    fn check_groups(&self, findings: &mut Vec<Finding>) {
        let of_groups = || self.ways.iter().filter_map(|way| Some((way.group.as_deref()?, way)));
        let mut commits: BTreeMap<(&str, i32), Vec<(Moment, i64)>> = BTreeMap::new();
        for (group, way) in of_groups() {
            let committed = way.steps.iter().filter_map(|step| match step {
                Step::Commit { offset, ended } => Some((*ended, *offset)),
                _ => None,
            });
            commits.entry((group, way.partition)).or_default().extend(committed);
        }
        for (group, way) in of_groups() {
            let known = &commits[&(group, way.partition)];
            for step in &way.steps {
                let Step::Start { from, began } = step else { continue };
                let before = known.iter().filter(|(ended, _)| ended < began).max();
                if let Some((_, committed)) = before.filter(|(_, committed)| from < committed) {
                    let (partition, committed, began_at) = (way.partition, *committed, *from);
                    findings.push(Finding::WentBack { group: group.into(), partition, committed, began_at });
                }
            }
        }
    }

    /// Whoever takes a partition over goes on where the group has committed: together a group skips nothing.
    fn check_processed(&self, log: &Log<'_>, findings: &mut Vec<Finding>) {
        let mut processed: BTreeMap<&str, BTreeSet<Place>> = BTreeMap::new();
        for (group, way) in self.ways.iter().filter_map(|way| Some((way.group.as_deref()?, way))) {
            processed.entry(group).or_default().extend(way.polled().map(|(place, _)| place));
        }
        for (group, seen) in processed.iter().filter(|_| self.is_complete) {
            for (place, value) in log.values.iter().filter(|(place, _)| !seen.contains(place)) {
                let (group, value) = (group.to_string(), value.to_string());
                findings.push(Finding::Unprocessed { group, place: *place, value });
            }
        }
    }

    fn check_ends(&self, findings: &mut Vec<Finding>) {
        for end in &self.ends {
            let acknowledged = self.sends.iter().filter_map(|send| match send.outcome {
                Outcome::Acknowledged(Some(offset)) if send.partition == end.partition && send.ended < end.began => {
                    Some(offset)
                }
                _ => None,
            });
            if let Some(acknowledged) = acknowledged.max().filter(|offset| *offset >= end.offset) {
                findings.push(Finding::Stale { partition: end.partition, end: end.offset, acknowledged });
            }
        }
    }
}

impl Way {
    fn polled(&self) -> impl Iterator<Item = (Place, &str)> {
        let records = self.steps.iter().flat_map(|step| match step {
            Step::Poll { records } => records.as_slice(),
            _ => &[],
        });
        records.map(|(offset, value)| ((self.partition, *offset), value.as_str()))
    }

    /// From where it started a consumer sees all that is there, once, in order.
    fn check(&self, log: &Log<'_>, findings: &mut Vec<Finding>) {
        let (consumer, partition) = (self.consumer, self.partition);
        let mut next = None;
        for step in &self.steps {
            match step {
                Step::Start { from, .. } => next = Some(*from),
                Step::Commit { .. } => {}
                Step::Poll { records } => {
                    for (offset, _) in records {
                        if let Some(from) = next {
                            if *offset < from {
                                findings.push(Finding::Repeated { consumer, partition, offset: *offset });
                            } else if log.values.range((partition, from)..(partition, *offset)).next().is_some() {
                                findings.push(Finding::Skipped { consumer, partition, from, to: *offset });
                            }
                        }
                        next = Some(offset + 1);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Promise = Promise { durable: true, once: true, ordered: true };

    fn send(value: &str, outcome: Outcome, ended: Moment) -> Send {
        Send { producer: 1, partition: 0, value: value.into(), ended, outcome }
    }

    fn poll(records: &[(i64, &str)]) -> Step {
        Step::Poll { records: records.iter().map(|(offset, value)| (*offset, value.to_string())).collect() }
    }

    fn way(consumer: usize, steps: Vec<Step>) -> Way {
        Way { consumer, group: Some("g".into()), partition: 0, steps }
    }

    /// Three records, two of which are known to be acknowledged; a member reads two and commits, another one the rest.
    fn good() -> History {
        let acknowledged = |offset| Outcome::Acknowledged(Some(offset));
        let sends = vec![
            send("a", acknowledged(0), 10),
            send("b", Outcome::Unknown, 20),
            send("c", acknowledged(2), 30),
            send("r", Outcome::Refused, 40),
        ];
        let first = vec![
            Step::Start { from: 0, began: 5 },
            poll(&[(0, "a")]),
            poll(&[(1, "b")]),
            Step::Commit { offset: 2, ended: 45 },
        ];
        let second = vec![Step::Start { from: 2, began: 50 }, poll(&[(2, "c")])];
        let ends = vec![End { partition: 0, offset: 1, began: 15 }, End { partition: 0, offset: 3, began: 35 }];
        History { sends, ways: vec![way(1, first), way(2, second)], ends, is_complete: true }
    }

    /// What is found after something has been planted.
    fn found(plant: impl FnOnce(&mut History)) -> Vec<Finding> {
        let mut history = good();
        plant(&mut history);
        history.check(|_| ALL)
    }

    #[test]
    fn a_good_history_is_good() {
        assert_eq!(found(|_| {}), []);
    }

    #[test]
    fn what_nobody_promised_is_not_missed() {
        let mut history = good();
        history.ways.pop();
        assert_eq!(history.check(|_| Promise::default()), []);
    }

    #[test]
    fn a_lost_record() {
        let lost = |offset| Finding::Lost { value: "c".into(), partition: 0, offset };
        assert_eq!(found(|history| drop(history.ways.pop())), [lost(Some(2))]);
        let untold = |history: &mut History| {
            history.ways.pop();
            history.sends[2].outcome = Outcome::Acknowledged(None);
        };
        assert_eq!(found(untold), [lost(None)]);
        // Nobody has looked that far.
        let unread = |history: &mut History| {
            history.ways.pop();
            history.is_complete = false;
        };
        assert_eq!(found(unread), []);
        let hole = |history: &mut History| {
            history.is_complete = false;
            history.ways[0].steps[1] = poll(&[]);
        };
        assert_eq!(found(hole), [Finding::Lost { value: "a".into(), partition: 0, offset: Some(0) }]);
    }

    #[test]
    fn a_record_that_is_there_twice() {
        let again = found(|history| history.ways[1].steps.push(poll(&[(3, "c")])));
        assert_eq!(again, [Finding::Twice { value: "c".into(), places: vec![(0, 2), (0, 3)] }]);
    }

    #[test]
    fn two_that_were_told_different_things() {
        let other = |history: &mut History| {
            history.ways.push(way(3, vec![Step::Start { from: 2, began: 60 }, poll(&[(2, "b")])]));
        };
        let disagreement =
            |values: [&str; 2]| Finding::Disagreement { place: (0, 2), values: values.map(str::to_string) };
        assert!(found(other).contains(&disagreement(["c", "b"])));
        let acknowledged = |history: &mut History| history.ways[1].steps[1] = poll(&[(2, "b")]);
        assert!(found(acknowledged).contains(&disagreement(["c", "b"])));
    }

    #[test]
    fn a_wrong_order() {
        let swapped = |history: &mut History| {
            history.sends.swap(0, 2);
        };
        let wrong = |earlier: &str, later: &str| Finding::OutOfOrder {
            producer: 1,
            earlier: earlier.into(),
            later: later.into(),
        };
        assert_eq!(found(swapped), [wrong("c", "b"), wrong("b", "a")]);
    }

    #[test]
    fn records_that_nobody_sent_or_that_were_refused() {
        let stranger = found(|history| history.ways[1].steps.push(poll(&[(3, "x")])));
        assert_eq!(stranger, [Finding::NeverSent { place: (0, 3), value: "x".into() }]);
        let refused = found(|history| history.ways[1].steps.push(poll(&[(3, "r")])));
        assert_eq!(refused, [Finding::RefusedYetThere { place: (0, 3), value: "r".into() }]);
    }

    #[test]
    fn polls_that_skip_or_repeat() {
        let skips = found(|history| history.ways.push(way(3, vec![poll(&[(0, "a"), (2, "c")])])));
        assert_eq!(skips, [Finding::Skipped { consumer: 3, partition: 0, from: 1, to: 2 }]);
        let repeats = found(|history| history.ways[1].steps.push(poll(&[(2, "c")])));
        assert_eq!(repeats, [Finding::Repeated { consumer: 2, partition: 0, offset: 2 }]);
    }

    #[test]
    fn a_group_that_goes_back() {
        let back = found(|history| history.ways[1].steps[0] = Step::Start { from: 1, began: 50 });
        let went = Finding::WentBack { group: "g".into(), partition: 0, committed: 2, began_at: 1 };
        assert!(back.contains(&went), "{back:?}");
        // The commit was not answered yet.
        let early = found(|history| history.ways[1].steps[0] = Step::Start { from: 1, began: 44 });
        assert!(!early.contains(&went));
    }

    #[test]
    fn what_a_group_leaves_out() {
        let other = |history: &mut History| {
            history.ways.push(Way { group: None, ..history.ways[1].clone() });
            history.ways[1].steps.clear();
        };
        let left_out = Finding::Unprocessed { group: "g".into(), place: (0, 2), value: "c".into() };
        assert_eq!(found(other), [left_out]);
    }

    #[test]
    fn a_stale_end() {
        let stale = found(|history| history.ends[1].offset = 2);
        assert_eq!(stale, [Finding::Stale { partition: 0, end: 2, acknowledged: 2 }]);
    }
}
