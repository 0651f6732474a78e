//! Producers and transactions. The producers that are named here are known to no coordinator: what is compared is how far a
//! request comes.

use super::{About, Case, each, id};
use crate::brokers::NOBODYS_PRODUCER_ID as NOBODY;
use serde_json::{Value, json};

const TOPICS: &[&str] = &["r-seen", "r-none", "f-seen", "__consumer_offsets"];

pub fn cases() -> Vec<Case> {
    [producers(), transactions()].into_iter().flatten().collect()
}

fn init(id: Option<&str>, two_phases: bool) -> Value {
    json!({ "TransactionalId": id, "TransactionTimeoutMs": 60_000, "Enable2Pc": two_phases })
}

fn producers() -> Vec<Case> {
    use About::*;
    vec![
        Case::of("InitProducerId", "idempotent", Nothing, |_| init(None, false)),
        Case::of("InitProducerId", "of an id", Ids, |names| init(Some(names[0]), false)),
        Case::of("InitProducerId", "of an id with an epoch and no producer", Ids, |names| {
            json!({ "TransactionalId": names[0], "TransactionTimeoutMs": 60_000, "ProducerId": -1, "ProducerEpoch": 3 })
        })
        .from(3),
        Case::of("InitProducerId", "of two phases", Ids, |names| init(Some(names[0]), true)).from(6),
        Case::of("InitProducerId", "without an id, of two phases", Nothing, |_| init(None, true)).from(6),
        Case::of("AddPartitionsToTxn", "of an id", Ids, |names| added(names[0], &["r-seen", "f-seen"])).to(3),
        Case::of("AddPartitionsToTxn", "of topics", Topics, |names| added("r-txn", names)).to(3),
        Case::of("AddPartitionsToTxn", "from a broker", Ids, |names| {
            let transactions = each(names, |name| {
                json!({ "TransactionalId": name, "ProducerId": NOBODY, "VerifyOnly": true, "Topics": partitions(&["r-seen"]) })
            });
            json!({ "Transactions": transactions })
        })
        .from(4),
        Case::of("AddOffsetsToTxn", "of an id", Ids, |names| with_group(names[0], "r-group")),
        Case::of("AddOffsetsToTxn", "of a group", Groups, |names| with_group("r-txn", names[0])),
        Case::of("EndTxn", "of an id", Ids, |names| {
            json!({ "TransactionalId": names[0], "ProducerId": NOBODY, "ProducerEpoch": 0, "Committed": true })
        }),
    ]
}

fn partitions(topics: &[&str]) -> Value {
    each(topics, |name| json!({ "Name": name, "Partitions": [0, 7] }))
}

fn added(id: &str, topics: &[&str]) -> Value {
    json!({ "V3AndBelowTransactionalId": id, "V3AndBelowProducerId": NOBODY, "V3AndBelowTopics": partitions(topics) })
}

fn with_group(id: &str, group: &str) -> Value {
    json!({ "TransactionalId": id, "ProducerId": NOBODY, "ProducerEpoch": 0, "GroupId": group })
}

fn transactions() -> Vec<Case> {
    use About::*;
    vec![
        Case::of("WriteTxnMarkers", "of topics", Topics, |names| {
            let topics = each(&[names[0], "r-nowhere"], |name| json!({ "Name": name, "PartitionIndexes": [7] }));
            json!({ "Markers": [{ "ProducerId": NOBODY, "ProducerEpoch": 0, "TransactionResult": true, "Topics": topics }] })
        }),
        Case::of("WriteTxnMarkers", "none", Nothing, |_| json!({})),
        Case::of("TxnOffsetCommit", "of an id", Ids, |names| offsets(names[0], "r-group", TOPICS)).also(&[5]),
        Case::of("TxnOffsetCommit", "of a group", Groups, |names| offsets("r-txn", names[0], TOPICS)).also(&[5]),
        Case::of("TxnOffsetCommit", "of topics", Topics, |names| offsets("r-txn", "r-group", names)).also(&[5]),
        Case::of("DescribeTransactions", "of ids", Ids, |names| json!({ "TransactionalIds": names })),
        Case::of("DescribeTransactions", "with partitions", Nothing, |_| json!({ "TransactionalIds": ["r-open"] })),
        Case::of("ListTransactions", "all", Nothing, |_| json!({})),
        Case::of("ListTransactions", "ongoing", Nothing, |_| json!({ "StateFilters": ["Ongoing"] })),
    ]
}

fn offsets(transactional_id: &str, group: &str, topics: &[&str]) -> Value {
    let partitions = json!([{ "PartitionIndex": 0, "CommittedOffset": 1, "CommittedMetadata": "" }]);
    let topics = each(topics, |name| json!({ "Name": name, "TopicId": id(name), "Partitions": partitions }));
    json!({ "TransactionalId": transactional_id, "GroupId": group, "ProducerId": NOBODY, "ProducerEpoch": 0,
            "Topics": topics })
}
