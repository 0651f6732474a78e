//! The steps that every produced and every fetched batch goes through, one by one: what a change of the data path costs
//! or saves before a whole broker is measured.
//!
//! Knows nothing of shards and sockets. `cargo bench -- --test` runs each step once, which is how the tests run them.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use klamm::codec::Message;
use klamm::io::disk::Disk;
use klamm::io::real_disk::RealDisk;
use klamm::metrics::Metrics;
use klamm::model::{LeaderEpoch, Offset, PartitionIndex, TimestampMs, Uuid};
use klamm::record::builder::{Builder, Options, Record};
use klamm::record::validate::{Rules, validate};
use klamm::storage::log::{Admission, Checkpointed, Identity, Log, LogConfig, Origin};
use klamm::wire::api::fetch::PartitionData;
use klamm::wire::api::produce;
use klamm::wire::fetch;
use klamm::wire::produce::RequestView;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);
const PRODUCE_VERSION: i16 = 12;
const FETCH_VERSION: i16 = 17;
/// Records and bytes of each: a producer that lingers, and the largest batch of one that does not (`batch.size`).
const SHAPES: [(&str, usize, usize); 2] = [("1KiB_x100", 100, 1024), ("16KiB", 1, 16 * 1024)];
/// Appends before a log makes room for the next: as much as a small machine's page cache holds.
const MAX_LOG_BYTES: u64 = 512 << 20;
const LOOKUP_BATCHES: i64 = 4096;
/// A number without a common factor with the count of batches: it visits all of them in an order that no cache guesses.
const STRIDE: i64 = 2654435761;

fn batch(records: usize, size_bytes: usize) -> Vec<u8> {
    let mut builder = Builder::new(Options::default());
    let value: Vec<u8> = (0..size_bytes).map(|i| (i % 251) as u8).collect();
    for _ in 0..records {
        builder.append(&Record { timestamp: NOW, value: Some(&value), ..Record::default() });
    }
    builder.build()
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("produce_request_decode");
    for partitions in [1, 16] {
        let records = batch(1, 1024);
        let partition = |index| produce::PartitionProduceData { index, records: Some(records.as_slice().into()) };
        let topic_data = vec![produce::TopicProduceData {
            name: "stream".into(),
            topic_id: Uuid::ZERO,
            partition_data: (0..partitions).map(partition).collect(),
        }];
        let request = produce::Request { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data };
        let mut body = Vec::new();
        request.encode(&mut body, PRODUCE_VERSION).expect("the request can be said");
        group.bench_function(format!("{partitions}_partitions"), |bench| {
            bench.iter(|| {
                let view = RequestView::parse(black_box(&body), PRODUCE_VERSION).expect("a request");
                let records = view.topics().flat_map(|topic| topic.partitions()).filter_map(|p| p.records);
                records.map(<[u8]>::len).sum::<usize>()
            });
        });
    }
    group.finish();
}

fn validation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("validate");
    for (name, records, size_bytes) in SHAPES {
        let bytes = batch(records, size_bytes);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        for (depth, deep) in [("", false), ("_deep", true)] {
            let rules = Rules { deep, ..Rules::default() };
            group.bench_function(format!("{name}{depth}"), |bench| {
                bench.iter(|| validate(&rules, PRODUCE_VERSION, NOW, black_box(&bytes)).expect("valid").header);
            });
        }
    }
    group.finish();
}

/// A log in a directory of its own, which goes with it.
struct TemporaryLog {
    log: Log,
    _directory: tempfile::TempDir,
}

fn open() -> TemporaryLog {
    let directory = tempfile::tempdir().expect("a directory");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::default());
    let identity = Identity { topic: "stream".into(), partition: PartitionIndex(0), topic_id: Uuid::ONE };
    let path = directory.path().join("stream-0");
    let log = Log::open(disk, path, LogConfig::default(), identity, Checkpointed::default(), NOW);
    TemporaryLog { log: log.expect("a new log opens"), _directory: directory }
}

fn append(log: &Log, bytes: &[u8]) {
    log.append(bytes, Origin::Client(Admission::None), LeaderEpoch(0), NOW).expect("the log takes it");
    log.write_pending().expect("the disk takes it");
}

fn appending(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append_and_write");
    for (name, records, size_bytes) in SHAPES {
        let bytes = batch(records, size_bytes);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let mut current = open();
        group.bench_function(name, |bench| {
            bench.iter(|| {
                if current.log.size_bytes() > MAX_LOG_BYTES {
                    current = open();
                }
                append(&current.log, black_box(&bytes));
            });
        });
    }
    group.finish();
}

fn reading(criterion: &mut Criterion) {
    let current = open();
    let (records, bytes) = (16, batch(16, 1024));
    (0..LOOKUP_BATCHES).for_each(|_| append(&current.log, &bytes));
    let end = current.log.log_end_offset();
    let mut at = 0;
    let mut next = || {
        at = (at + STRIDE) % (LOOKUP_BATCHES * records);
        Offset(at)
    };
    let mut group = criterion.benchmark_group("read_by_offset");
    group.bench_function("locate", |bench| {
        bench.iter(|| current.log.read(next(), end, 64 * 1024, true).expect("in the log").map(|slice| slice.length));
    });
    let mut buffer = vec![0; 64 * 1024];
    group.bench_function("locate_and_read_64KiB", |bench| {
        bench.iter(|| {
            let slice = current.log.read(next(), end, 64 * 1024, true).expect("in the log").expect("records");
            let wanted = &mut buffer[..slice.length as usize];
            slice.file.read_at(wanted, slice.position.0).expect("the file is readable")
        });
    });
    group.finish();
}

fn fetch_head(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fetch_response_head");
    for partitions in [1, 100] {
        let opening = fetch::Opening { correlation_id: 7, topic_count: 1, ..Default::default() };
        let write = |(mut out, mut holes): (Vec<u8>, Vec<fetch::Hole>)| {
            let mut response = fetch::ResponseWriter::new(&mut out, &mut holes, FETCH_VERSION, &opening);
            response.topic("stream", Uuid::ONE, partitions);
            for partition_index in 0..partitions as i32 {
                let data = PartitionData { partition_index, high_watermark: 5, ..Default::default() };
                response.partition(&data, Some(64 * 1024));
            }
            response.finish(&[]).expect("the response can be said")
        };
        group.bench_function(format!("{partitions}_partitions"), |bench| {
            // As on a connection: the vectors have the room of the last answer.
            let room = || (Vec::with_capacity(64 * 1024), Vec::with_capacity(partitions));
            bench.iter_batched(room, write, BatchSize::SmallInput);
        });
    }
    group.finish();
}

/// What each request costs for being counted: its frame, its answer, its time, and the bytes of both on the socket.
fn counting(criterion: &mut Criterion) {
    let metrics = Metrics::new(1, 1, 95);
    let recorder = metrics.recorder(0);
    let mut micros = 0;
    criterion.bench_function("count_a_request", |bench| {
        bench.iter(|| {
            micros = (micros + 7) % 2000;
            recorder.receive(black_box(1100));
            recorder.request(black_box(0), black_box(1100));
            recorder.answer(black_box(0), black_box(60));
            recorder.took(black_box(0), Duration::from_micros(micros));
            recorder.send(black_box(60));
        });
    });
    assert_eq!(metrics.read()[0].apis[0].requests, metrics.read()[0].apis[0].times.count());
}

criterion_group!(steps, decode, validation, appending, reading, fetch_head, counting);
criterion_main!(steps);
