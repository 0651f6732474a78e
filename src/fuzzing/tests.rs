//! The entry points over the inputs that are kept, and over changed copies of them.

use std::path::PathBuf;

use proptest::prelude::*;

use super::{ENTRIES, NOW};
use crate::coordinator::record::offsets::{
    ConsumerGroupMetadataKey, GroupMetadataKey, GroupMetadataValue, Key, OffsetCommitKey, OffsetCommitValue, Value,
};
use crate::metadata::Record;
use crate::metadata::record::{ConfigRecord, FeatureLevelRecord, PartitionRecord, RemoveTopicRecord, TopicRecord};
use crate::model::{CompressionType, Uuid};
use crate::record::builder::{self, Builder, Codec, Options};
use crate::record::compression::compress;

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
        ("batches", [batches.concat()].into_iter().chain(batches).collect()),
        ("decompression", KINDS.map(packed).to_vec()),
        ("metadata_records", vec![metadata_seed()]),
        ("group_records", vec![groups_seed()]),
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
    for (entry, seeds) in seeds() {
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
