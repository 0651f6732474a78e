//! Runs of the whole broker with its housekeeper: what happens by the clock when no client asks for anything.

use std::path::{Path, PathBuf};

use super::client::Client;
use super::cluster::{Cluster, SharedCluster};
use super::stories::{LIST_OFFSETS, PRODUCE, TOPIC, batch_at, cluster, create_topic};
use super::stories::{produce_answer, produce_request, read_all, read_from};
use crate::codec::{Message, Reader};
use crate::io::disk::Disk;
use crate::io::simulated_disk::Crash;
use crate::model::{ApiKey, TimestampMs};
use crate::wire::api::list_offsets;

const HOUR_MS: i64 = 3_600_000;
const EARLIEST: i64 = -2;
/// Steps in which everything here happens that is to happen.
const PATIENCE_STEPS: u64 = 20_000;

fn produce(cluster: &SharedCluster, count: i32, age_ms: i64) {
    let mut client = Client::connect(&cluster.borrow());
    let timestamp = TimestampMs(cluster.borrow().world.wall().0 - age_ms);
    for _ in 0..count {
        let records = batch_at(timestamp, -1, -1, 1, 10);
        let answer = client.call(cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &records, -1));
        assert_eq!(produce_answer(&answer).0, 0);
    }
}

fn earliest(cluster: &SharedCluster) -> i64 {
    let mut client = Client::connect(&cluster.borrow());
    let partition =
        list_offsets::ListOffsetsPartition { partition_index: 0, timestamp: EARLIEST, ..Default::default() };
    let topic = list_offsets::ListOffsetsTopic { name: TOPIC.into(), partitions: vec![partition] };
    let request = list_offsets::Request { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answer = client.call(cluster, ApiKey::ListOffsets, LIST_OFFSETS, &request);
    let response = list_offsets::Response::decode(&mut Reader::new(&answer), LIST_OFFSETS).unwrap();
    response.topics[0].partitions[0].offset
}

fn has(cluster: &Cluster, file: &str) -> bool {
    let path: PathBuf = ["data", &format!("{TOPIC}-0"), file].iter().collect();
    cluster.disk.exists(&path)
}

fn text(cluster: &Cluster, file: &str) -> String {
    let content = cluster.disk.read_small(&Path::new("data").join(file), 1 << 20).unwrap_or_default();
    String::from_utf8(content).unwrap()
}

#[test]
fn old_records_go_and_their_files_after_the_delay() {
    let overrides = [
        ("log.retention.ms", "1000"),
        ("log.initial.task.delay.ms", "200"),
        ("log.retention.check.interval.ms", "50"),
        ("log.segment.delete.delay.ms", "200"),
    ];
    let cluster = cluster(11, &overrides);
    create_topic(&cluster, 1);
    produce(&cluster, 5, HOUR_MS);
    cluster.borrow_mut().step_until(PATIENCE_STEPS, |c| has(c, "00000000000000000000.log.deleted"));
    let renamed = cluster.borrow().world.now();
    produce(&cluster, 2, 0);
    assert_eq!((earliest(&cluster), read_from(&cluster, 0, 5)[0].0), (5, 5));
    cluster.borrow_mut().step_until(PATIENCE_STEPS, |c| !has(c, "00000000000000000000.log.deleted"));
    let waited_ms = cluster.borrow().world.now().since(renamed).as_millis();
    assert!((200..210).contains(&waited_ms), "unlinked after {waited_ms} ms");
    cluster.borrow_mut().crash(Crash::Process);
    cluster.borrow_mut().restart();
    assert_eq!(earliest(&cluster), 5);
    assert_eq!(read_from(&cluster, 0, 5).iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn an_idle_log_is_flushed_when_its_time_has_come() {
    let cluster = cluster(12, &[("log.flush.interval.ms", "300")]);
    create_topic(&cluster, 1);
    produce(&cluster, 3, 0);
    let recovery_point = |c: &Cluster| c.recovery_point(TOPIC, 0).0;
    assert_eq!(recovery_point(&cluster.borrow()), 0, "the last flush was no 300 ms ago");
    cluster.borrow_mut().step_until(PATIENCE_STEPS, |c| recovery_point(c) == 3);
    let (_, syncs) = cluster.borrow().disk.writes_and_syncs();
    (0..5_000).for_each(|_| cluster.borrow_mut().step());
    assert_eq!(cluster.borrow().disk.writes_and_syncs().1, syncs, "an idle log is flushed once");
    // The metadata log and the directory were synced by the topic's creation: nothing of the power's loss is felt.
    cluster.borrow_mut().crash(Crash::Power);
    cluster.borrow_mut().restart();
    assert_eq!(read_all(&cluster, 0).len(), 3);
}

#[test]
fn checkpoints_are_written_at_kafkas_intervals() {
    let overrides = [
        ("log.initial.task.delay.ms", "10"),
        ("log.flush.interval.messages", "1"),
        ("log.flush.offset.checkpoint.interval.ms", "400"),
        ("log.flush.start.offset.checkpoint.interval.ms", "0"),
        ("replica.high.watermark.checkpoint.interval.ms", "100"),
    ];
    let cluster = cluster(13, &overrides);
    create_topic(&cluster, 1);
    (0..100).for_each(|_| cluster.borrow_mut().step());
    produce(&cluster, 4, 0);
    let line = format!("{TOPIC} 0 4");
    cluster.borrow_mut().step_until(PATIENCE_STEPS, |c| text(c, "replication-offset-checkpoint").contains(&line));
    assert!(!text(&cluster.borrow(), "recovery-point-offset-checkpoint").contains(&line), "not its turn yet");
    cluster.borrow_mut().step_until(PATIENCE_STEPS, |c| text(c, "recovery-point-offset-checkpoint").contains(&line));
}
