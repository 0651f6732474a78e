//! What a run has written, by the broker's own knowledge, and how that differs from the runs without a harm: records that are lost,
//! doubled or out of order. Pure.
//!
//! A record is known by its key, value and headers. Where two runs without a harm do not agree on those (a time or a random id is in
//! the value), records of the topic are known by their keys, else by their number, else they are not compared. Order is that of the
//! records with one key, or of a partition's records without keys, where the two runs agree on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

/// Records that one sentence shows.
const MOST_EXAMPLES: usize = 3;
/// Characters of a record that are shown.
const MOST_SHOWN: usize = 60;

/// A record that a reader of committed records sees.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct WrittenRecord {
    partition: i64,
    /// As JSON; `null` where there is none.
    key: String,
    /// Value and headers.
    content: String,
}

/// The records of each topic, partition by partition in the order of the log.
pub(super) type Written = BTreeMap<String, Vec<WrittenRecord>>;

/// Reads the lines of `/v1/fixtures`.
pub(super) fn parse(lines: &str) -> Result<Vec<WrittenRecord>, String> {
    let mut records = Vec::new();
    for line in lines.lines().filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_str(line).map_err(|error| format!("a record is no JSON: {error}"))?;
        if line.get("partitions").is_some() {
            continue;
        }
        let content = match line.get("headers") {
            None => line["value"].to_string(),
            Some(headers) => json!([line["value"], headers]).to_string(),
        };
        let partition = line["partition"].as_i64().unwrap_or_default();
        records.push(WrittenRecord { partition, key: line["key"].to_string(), content });
    }
    Ok(records)
}

/// What tells a topic's records apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Known {
    Whole,
    ByKey,
    ByNumber,
}

impl Known {
    fn name(self, record: &WrittenRecord) -> String {
        match self {
            Known::Whole if record.key == "null" => record.content.clone(),
            Known::Whole => format!("{}: {}", record.key, record.content),
            Known::ByKey => record.key.clone(),
            Known::ByNumber => String::new(),
        }
    }

    fn counted(self, records: &[WrittenRecord]) -> BTreeMap<String, u64> {
        let mut counted = BTreeMap::new();
        for record in records {
            *counted.entry(self.name(record)).or_default() += 1;
        }
        counted
    }
}

/// Within what records have an order: a key, or a partition.
type Lane = (Option<String>, i64);

/// The first of each record, in their order, lane by lane.
fn lanes(records: &[WrittenRecord]) -> BTreeMap<Lane, Vec<String>> {
    let (mut lanes, mut seen) = (BTreeMap::<Lane, Vec<String>>::new(), BTreeSet::new());
    for record in records {
        let lane = match record.key == "null" {
            true => (None, record.partition),
            false => (Some(record.key.clone()), 0),
        };
        let name = Known::Whole.name(record);
        if seen.insert((lane.clone(), name.clone())) {
            lanes.entry(lane).or_default().push(name);
        }
    }
    lanes
}

struct TopicBase {
    known: Known,
    counted: BTreeMap<String, u64>,
    lanes: BTreeMap<Lane, Vec<String>>,
}

/// What runs without a harm write.
pub(super) struct Base {
    topics: BTreeMap<String, TopicBase>,
    /// Those on which the two runs agree in nothing.
    pub(super) not_compared: Vec<String>,
}

impl Base {
    pub(super) fn of(first: &Written, second: &Written) -> Base {
        let (mut topics, mut not_compared) = (BTreeMap::new(), Vec::new());
        for name in first.keys().chain(second.keys()).collect::<BTreeSet<_>>() {
            let none = Vec::new();
            let [one, other] = [first, second].map(|run| run.get(name).unwrap_or(&none));
            let agrees = |known: &Known| known.counted(one) == known.counted(other);
            let Some(known) = [Known::Whole, Known::ByKey, Known::ByNumber].into_iter().find(agrees) else {
                not_compared.push(name.clone());
                continue;
            };
            let mut agreed = BTreeMap::new();
            if known == Known::Whole {
                let others = lanes(other);
                agreed = lanes(one);
                agreed.retain(|lane, order| others.get(lane) == Some(order));
            }
            topics.insert(name.clone(), TopicBase { known, counted: known.counted(one), lanes: agreed });
        }
        Base { topics, not_compared }
    }

    /// How many records there are.
    pub(super) fn count(&self) -> u64 {
        self.topics.values().flat_map(|topic| topic.counted.values()).sum()
    }

    /// How a run differs. Topics that only it has are none of these.
    pub(super) fn changes(&self, run: &Written) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, base) in &self.topics {
            let none = Vec::new();
            let records = run.get(name).unwrap_or(&none);
            let counted = base.known.counted(records);
            let mut add = |kind, differing: Vec<(String, u64)>| {
                let count = differing.iter().map(|(_, count)| count).sum();
                let examples = differing.into_iter().map(|(record, _)| record).filter(|record| !record.is_empty());
                let examples = examples.take(MOST_EXAMPLES).collect();
                if count > 0 {
                    changes.push(Change { topic: name.clone(), kind, count, examples });
                }
            };
            let of = |counted: &BTreeMap<String, u64>, record: &str| counted.get(record).copied().unwrap_or_default();
            let beyond = |from: &BTreeMap<String, u64>, than: &BTreeMap<String, u64>| {
                let more = from.iter().map(|(record, count)| (record.clone(), count.saturating_sub(of(than, record))));
                more.filter(|(_, count)| *count > 0).collect::<Vec<_>>()
            };
            add(ChangeKind::Lost, beyond(&base.counted, &counted));
            // A record that no run without a harm has written is another one, and not one that came twice.
            let mut twice = beyond(&counted, &base.counted);
            twice.retain(|(record, _)| base.counted.contains_key(record));
            add(ChangeKind::Doubled, twice);
            add(ChangeKind::OutOfOrder, out_of_order(&base.lanes, &lanes(records)));
        }
        changes
    }
}

/// The records of a lane that stand in front of one that they should stand behind: of each lane the first.
fn out_of_order(base: &BTreeMap<Lane, Vec<String>>, run: &BTreeMap<Lane, Vec<String>>) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for (lane, order) in base {
        let Some(now) = run.get(lane) else { continue };
        let places: BTreeMap<&String, usize> = order.iter().enumerate().map(|(at, record)| (record, at)).collect();
        let now = now.iter().filter_map(|record| Some((record, *places.get(record)?))).collect::<Vec<_>>();
        if let Some(pair) = now.windows(2).find(|pair| pair[0].1 > pair[1].1) {
            found.push((pair[0].0.clone(), 1));
        }
    }
    found
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum ChangeKind {
    Lost,
    Doubled,
    OutOfOrder,
}

impl ChangeKind {
    pub(super) const NAMES: [(&'static str, ChangeKind); 3] =
        [("lost", ChangeKind::Lost), ("doubled", ChangeKind::Doubled), ("out-of-order", ChangeKind::OutOfOrder)];
}

/// What became of some records of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Change {
    pub(super) topic: String,
    pub(super) kind: ChangeKind,
    count: u64,
    examples: Vec<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = if self.count == 1 { "record" } else { "records" };
        let Change { topic, count, .. } = self;
        match self.kind {
            ChangeKind::Lost => write!(f, "{topic} lacks {count} {records}")?,
            ChangeKind::Doubled => write!(f, "{topic} has {count} {records} too many, written twice")?,
            ChangeKind::OutOfOrder => write!(f, "{topic} has {count} {records} in front of what should stand before")?,
        }
        let shown = |text: &String| match text.char_indices().nth(MOST_SHOWN) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.clone(),
        };
        match self.examples.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.examples.iter().map(shown).collect::<Vec<_>>().join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `0 k=v` is a record of partition 0; without `=` it has no key.
    fn written(records: &[&str]) -> Written {
        let line = |text: &&str| {
            let (partition, record) = text.split_once(' ').unwrap();
            let (key, value) = record.split_once('=').map_or((Value::Null, record), |(key, value)| (key.into(), value));
            json!({ "topic": "t", "partition": partition.parse::<i64>().unwrap(), "key": key, "value": value })
                .to_string()
        };
        let lines = records.iter().map(line).collect::<Vec<_>>().join("\n");
        let topic = r#"{"topic":"t","partitions":2,"configs":{}}"#;
        Written::from([("t".to_string(), parse(&format!("{topic}\n{lines}")).unwrap())])
    }

    fn told(first: &[&str], second: &[&str], run: &[&str]) -> Vec<String> {
        let base = Base::of(&written(first), &written(second));
        base.changes(&written(run)).iter().map(Change::to_string).collect()
    }

    #[test]
    fn lost_doubled_and_out_of_order_are_told_apart() {
        let base = ["0 k=a", "0 k=b", "0 l=c", "1 x", "1 y"];
        let told = |run: &[&str]| told(&base, &base, run);
        assert!(told(&base).is_empty());
        assert_eq!(told(&["0 k=a", "0 l=c", "1 x", "1 y"]), [r#"t lacks 1 record: "k": "b""#]);
        let twice = ["0 k=a", "0 k=a", "0 k=b", "0 l=c", "1 x", "1 y", "1 x"];
        assert_eq!(told(&twice), [r#"t has 2 records too many, written twice: "k": "a", "x""#]);
        // Other keys may change places, and records without a key within other partitions.
        assert!(told(&["0 l=c", "0 k=a", "0 k=b", "1 x", "1 y"]).is_empty());
        let turned = told(&["0 k=b", "0 k=a", "0 l=c", "1 y", "1 x"]);
        assert_eq!(turned, [r#"t has 2 records in front of what should stand before: "y", "k": "b""#]);
        let others = told(&["0 k=a", "0 k=z", "0 l=c", "1 x", "1 y"]);
        assert_eq!(others, [r#"t lacks 1 record: "k": "b""#], "one that is new is not one that came twice");
        assert_eq!(told(&[]).len(), 1);
    }

    #[test]
    fn what_two_runs_do_not_agree_on_is_not_compared() {
        let (first, second) = (["0 k=1", "0 l=2"], ["0 k=3", "1 l=4"]);
        assert_eq!(
            told(&first, &second, &["0 k=5", "0 k=6"]),
            [r#"t lacks 1 record: "l""#, r#"t has 1 record too many, written twice: "k""#]
        );
        let (first, second) = (["0 k1=1", "0 l1=2"], ["0 k2=3", "1 l2=4"]);
        assert_eq!(told(&first, &second, &["0 k3=5"]), ["t lacks 1 record"]);
        assert_eq!(told(&first, &second, &["0 k=5", "0 l=6", "0 m=7"]), ["t has 1 record too many, written twice"]);
        let base = Base::of(&written(&first), &written(&["0 k=1"]));
        assert_eq!((base.not_compared.as_slice(), base.count()), (&["t".to_string()][..], 0));
        // An order that is another in each run is none.
        assert!(told(&["0 a", "0 b"], &["0 b", "0 a"], &["0 b", "0 a"]).is_empty());
    }

    #[test]
    fn a_topic_that_is_not_there_has_no_records() {
        let base = Base::of(&written(&["0 a"]), &written(&["0 a"]));
        assert_eq!(base.changes(&Written::new())[0].kind, ChangeKind::Lost);
        assert!(Base::of(&Written::new(), &Written::new()).changes(&written(&["0 a"])).is_empty());
        let long = "x".repeat(99);
        let long = Change { topic: "t".into(), kind: ChangeKind::Lost, count: 1, examples: vec![long] };
        assert!(long.to_string().ends_with("x…"));
    }
}
