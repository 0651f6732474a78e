//! The entry points over the inputs that are kept, and over changed copies of them.

use std::path::PathBuf;

use proptest::prelude::*;

use super::{ENTRIES, NOW};
use crate::coordinator::record::offsets::{
    ConsumerGroupMetadataKey, GroupMetadataKey, GroupMetadataValue, Key, OffsetCommitKey, OffsetCommitValue, Value,
};
use crate::coordinator::record::transaction::{self, PartitionsSchema, TransactionLogKey, TransactionLogValue};
use crate::metadata::Record;
use crate::metadata::record::{ConfigRecord, FeatureLevelRecord, PartitionRecord, RemoveTopicRecord, TopicRecord};
use crate::model::{CompressionType, LeaderEpoch, Offset, Uuid};
use crate::record::builder::{self, Builder, Codec, Options};
use crate::record::compression::compress;
use crate::record::control::EndTxnMarker;

/// What is kept for an entry: seeds, and whatever a fuzzer found.
fn corpus(entry: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(entry);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn the_corpus_holds() {
    for (name, entry) in ENTRIES {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "no input for {name}");
        inputs.iter().for_each(|input| entry(input));
    }
}

/// What may happen to an input.
#[derive(Clone, Debug)]
enum Change {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), 1..=u8::MAX).prop_map(|(at, mask)| Change::Flip(at, mask)),
        any::<usize>().prop_map(Change::Cut),
        (any::<usize>(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
    ]
}

fn changed(mut input: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = input.len();
        match change {
            Change::Flip(at, mask) if length > 0 => input[at % length] ^= mask,
            Change::Flip(..) => {}
            Change::Cut(at) => input.truncate(at % (length + 1)),
            Change::Insert(at, bytes) => {
                let at = at % (length + 1);
                drop(input.splice(at..at, bytes.iter().copied()));
            }
        }
    }
    input
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn changed_inputs_hold(which in any::<usize>(), changes in prop::collection::vec(change(), 0..6)) {
        for (name, entry) in ENTRIES {
            let inputs = corpus(name);
            entry(&changed(inputs[which % inputs.len()].clone(), &changes));
        }
    }

    #[test]
    fn nonsense_holds(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        ENTRIES.iter().for_each(|(_, entry)| entry(&bytes));
    }
}

fn framed(parts: &[Vec<u8>]) -> Vec<u8> {
    let length = |part: &Vec<u8>| u16::try_from(part.len()).unwrap().to_be_bytes();
    parts.iter().flat_map(|part| length(part).into_iter().chain(part.iter().copied())).collect()
}

fn batch(kind: CompressionType) -> Vec<u8> {
    let mut builder = Builder::new(Options { codec: Codec { kind, level: None }, ..Options::default() });
    for number in 0..5u8 {
        let (key, value) = ([number; 3], [b'v'; 40]);
        let headers = [(&b"name"[..], Some(&b"value"[..])), (b"null", None)];
        builder.append(&builder::Record { timestamp: NOW, key: Some(&key), value: Some(&value), headers: &headers });
    }
    builder.build()
}

fn metadata_seed() -> Vec<u8> {
    let topic = TopicRecord { name: "t".into(), topic_id: Uuid::ONE };
    let partition = PartitionRecord { topic_id: Uuid::ONE, replicas: vec![1], isr: vec![1], ..Default::default() };
    let feature = FeatureLevelRecord { name: "metadata.version".into(), feature_level: 30 };
    let config = ConfigRecord {
        resource_type: 2,
        resource_name: "t".into(),
        name: "retention.ms".into(),
        value: Some("5".into()),
    };
    let records = [
        Record::FeatureLevel(feature),
        Record::Topic(topic),
        Record::Partition(partition),
        Record::Config(config),
        Record::BeginTransaction(Default::default()),
        Record::RemoveTopic(RemoveTopicRecord { topic_id: Uuid::ONE }),
        Record::EndTransaction(Default::default()),
    ];
    let frame = |record: &Record<'_>| {
        let mut frame = Vec::new();
        record.encode(&mut frame, 0).unwrap();
        frame
    };
    framed(&records.iter().map(frame).collect::<Vec<_>>())
}

fn groups_seed() -> Vec<u8> {
    let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 1 };
    let group = GroupMetadataKey { group: "g".into() };
    let epoch = ConsumerGroupMetadataKey { group_id: "c".into() };
    let pairs = [
        (Key::OffsetCommit(key), Value::OffsetCommit(OffsetCommitValue { offset: 5, ..Default::default() }), 4),
        (
            Key::GroupMetadata(group),
            Value::GroupMetadata(GroupMetadataValue { generation: 3, ..Default::default() }),
            3,
        ),
        (Key::ConsumerGroupMetadata(epoch), Value::ConsumerGroupMetadata(Default::default()), 0),
    ];
    let mut parts = Vec::new();
    for (key, value, version) in pairs {
        let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
        key.encode(&mut key_bytes).unwrap();
        value.encode(&mut value_bytes, version).unwrap();
        parts.extend([key_bytes, value_bytes]);
    }
    framed(&parts)
}

/// Offsets within transactions, of which one is committed, one aborted and one open at the end.
fn pending_seed() -> Vec<u8> {
    let mut parts = Vec::new();
    for (partition, padding) in [(0, 0), (1, 1), (2, 2), (1, 2)] {
        let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition };
        let value = OffsetCommitValue { offset: 5, metadata: "m".repeat(padding).into(), ..Default::default() };
        let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
        Key::OffsetCommit(key).encode(&mut key_bytes).unwrap();
        Value::OffsetCommit(value).encode(&mut value_bytes, 3).unwrap();
        parts.extend([key_bytes, value_bytes]);
    }
    for (commit, producer) in [(1, 0), (0, 1)] {
        parts.extend([vec![0, 0, 0, commit], vec![0, 0, 0, 0, 0, producer]]);
    }
    framed(&parts)
}

/// A state of the transactional id `id`, its producer being 1.
fn transaction(id: &'static str, status: i8, epoch: i16) -> (&'static str, TransactionLogValue<'static>) {
    let topic = PartitionsSchema { topic: "t".into(), partition_ids: vec![0, 2] };
    let value = TransactionLogValue {
        producer_id: 1,
        producer_epoch: epoch,
        transaction_timeout_ms: 60_000,
        transaction_status: status,
        transaction_partitions: (status != 0).then(|| vec![topic]),
        transaction_start_timestamp_ms: NOW.0,
        transaction_last_update_timestamp_ms: NOW.0,
        ..Default::default()
    };
    (id, value)
}

/// In a cluster of this transaction version; one without a value is removed.
fn transactions_seed(version: u8, records: &[(&'static str, TransactionLogValue<'_>)]) -> Vec<u8> {
    let mut parts = Vec::new();
    for (id, value) in records {
        let (mut key, mut bytes) = (Vec::new(), Vec::new());
        transaction::Key::TransactionLog(TransactionLogKey { transactional_id: (*id).into() })
            .encode(&mut key)
            .unwrap();
        if value.transaction_timeout_ms != 0 {
            let value_version = i16::from(version.min(1));
            transaction::Value::TransactionLog(value.clone()).encode(&mut bytes, value_version).unwrap();
        }
        parts.extend([key, bytes]);
    }
    [vec![version], framed(&parts)].concat()
}

fn transactions_seeds() -> Vec<Vec<u8>> {
    let each = |version| {
        let ids = ["a", "b", "c", "d", "e", "f"].into_iter().zip(0..);
        let mut all: Vec<_> = ids.map(|(id, status)| transaction(id, status, 4)).collect();
        all.extend([transaction("a", 1, 5), ("b", TransactionLogValue::default())]);
        transactions_seed(version, &all)
    };
    // What goes on with another id, as its epochs are used up.
    let used_up = |next_producer_id| {
        let (id, value) = transaction("a", 2, i16::MAX);
        let previous_producer_id = value.producer_id;
        (id, TransactionLogValue { next_producer_id, previous_producer_id, client_transaction_version: 2, ..value })
    };
    let next = |next_producer_id| transactions_seed(2, &[used_up(next_producer_id)]);
    // The producer id that the broker gives next is one that the record has.
    let known = |status, version| {
        let (id, value) = transaction("a", status, i16::MAX - 1);
        transactions_seed(version, &[(id, TransactionLogValue { producer_id: 3, ..value })])
    };
    vec![each(0), each(1), each(2), next(2), next(1), next(-7), known(0, 2), known(1, 2), known(1, 0)]
}

/// Requests of which each does something: a transaction that is committed, one that is fenced, one whose epochs are used up.
fn requests_seeds() -> Vec<Vec<u8>> {
    let request = |kind: u8, argument: u8| [kind, 0, 7, 0b0110, 2, argument];
    let (init, add, verify, end, complete) =
        (request(0, 0x82), request(2, 0), request(5, 0), request(6, 0), request(9, 0));
    let (wait, restart, used_up) = (request(11, 120), request(12, 0), request(15, 1));
    let all = |version: u8, requests: &[[u8; 6]]| [vec![version], requests.concat()].concat();
    vec![
        all(2, &[init, add, verify, end, complete, end, add, request(6, 1), restart, complete]),
        all(0, &[init, add, init, complete, init, add, wait, complete, request(14, 0)]),
        all(2, &[init, used_up, add, end, complete, add, end, complete]),
        all(2, &[init, used_up, init, init, request(0, 2)]),
        all(1, &[init, add, request(13, 4), end, restart, complete]),
    ]
}

fn markers() -> Vec<u8> {
    let marker = |commit| EndTxnMarker { commit, coordinator_epoch: 3 };
    [true, false].map(|commit| marker(commit).batch((7, 1), NOW, Offset(0), LeaderEpoch(2))).concat()
}

const KINDS: [CompressionType; 5] = [
    CompressionType::None,
    CompressionType::Gzip,
    CompressionType::Snappy,
    CompressionType::Lz4,
    CompressionType::Zstd,
];

/// What the fuzzers begin with, made by the code that they try.
fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let prefixed = |byte: u8, bytes: &[u8]| [&[byte], bytes].concat();
    let batches: Vec<Vec<u8>> = KINDS.map(batch).to_vec();
    let packed = |kind: CompressionType| prefixed(kind as u8, &compress(kind, None, &b"klamm".repeat(30)));
    vec![
        ("messages", (0..12).map(|which| [&[0, which * 7, 1][..], &[0; 60]].concat()).collect()),
        ("produced", batches.iter().zip([0, 1, 2, 4, 0x1c]).map(|(batch, rules)| prefixed(rules, batch)).collect()),
        ("batches", [batches.concat()].into_iter().chain(batches).chain([markers()]).collect()),
        ("decompression", KINDS.map(packed).to_vec()),
        ("metadata_records", vec![metadata_seed()]),
        ("group_records", vec![groups_seed(), pending_seed()]),
        ("transaction_records", transactions_seeds()),
        ("transaction_requests", requests_seeds()),
        (
            "recovery",
            vec![vec![0], vec![1], vec![0, 1, 0, 0, 30, 255, 4], vec![1, 2, 1, 0, 200, 0, 0, 3, 3, 0, 0, 0, 0]],
        ),
        ("config", vec![b"log.retention.ms=5\nlisteners=PLAINTEXT://127.0.0.1:9092\nlog.dirs=/a,/b\n".to_vec()]),
    ]
}

/// `UPDATE=1` writes them.
#[test]
fn the_seeds_are_kept() {
    let others = [super::frames::seeds(), super::logins::seeds(), super::secured::seeds(), super::tokens::seeds()];
    for (entry, seeds) in seeds().into_iter().chain(others.into_iter().flatten()) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(entry);
        for (number, seed) in seeds.iter().enumerate() {
            let path = folder.join(format!("seed-{number}"));
            if std::env::var_os("UPDATE").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, seed).unwrap();
            }
            assert!(std::fs::read(&path).is_ok_and(|kept| kept == *seed), "{}", path.display());
        }
    }
}
