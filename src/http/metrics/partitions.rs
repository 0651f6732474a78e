//! The cluster, its topics and partitions, and the logs on this broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::family::{Family, Page, counter, families, gauge};
use crate::config::TopicConfig;
use crate::metadata;
use crate::replica::partition::Partition;
use crate::replica::traffic::TrafficCounts;
use crate::replica::view::View;
use crate::shard::context::Shared;

const TOPIC: &[&str] = &["topic"];
const PARTITION: &[&str] = &["topic", "partition"];

families! {
    BROKERS = gauge("kafka_brokers", &[], "Brokers of the cluster that are not fenced.");
    BROKER_INFO = gauge("kafka_broker_info", &["id", "address"], "Brokers of the cluster with an address of each.");
    ACTIVE_CONTROLLERS = gauge("kafka_controller_kafkacontroller_activecontrollercount", &[], "1 if this node is the active controller.");
    ACTIVE_BROKERS = gauge("kafka_controller_kafkacontroller_activebrokercount", &[], "Brokers that are registered and not fenced.");
    FENCED_BROKERS = gauge("kafka_controller_kafkacontroller_fencedbrokercount", &[], "Brokers that are registered and fenced.");
    GLOBAL_TOPICS = gauge("kafka_controller_kafkacontroller_globaltopiccount", &[], "Topics of the cluster.");
    GLOBAL_PARTITIONS = gauge("kafka_controller_kafkacontroller_globalpartitioncount", &[], "Partitions of the cluster.");
    OFFLINE_PARTITIONS = gauge("kafka_controller_kafkacontroller_offlinepartitionscount", &[], "Partitions without a leader.");
    UNCLEAN_ELECTIONS = counter("kafka_controller_controllerstats_uncleanleaderelections_total", &[], "Elections of leaders that were not in sync, since the broker started.");
    RAFT_LEADER = gauge("kafka_server_raft_metrics_current_leader", &[], "The node that leads the metadata quorum.");
    RAFT_EPOCH = gauge("kafka_server_raft_metrics_current_epoch", &[], "The epoch of the metadata quorum's leader.");
    RAFT_HIGH_WATERMARK = gauge("kafka_server_raft_metrics_high_watermark", &[], "The offset behind the last metadata record that this broker shows.");
    LEADERS = gauge("kafka_server_replicamanager_leadercount", &[], "Partitions that this broker leads.");
    PARTITIONS = gauge("kafka_server_replicamanager_partitioncount", &[], "Partitions that this broker has.");
    OFFLINE_REPLICAS = gauge("kafka_server_replicamanager_offlinereplicacount", &[], "Partitions of this broker whose log directory is offline.");
    UNDER_REPLICATED = gauge("kafka_server_replicamanager_underreplicatedpartitions", &[], "Partitions led by this broker of which not all replicas are in sync.");
    UNDER_MIN_ISRS = gauge("kafka_server_replicamanager_underminisrpartitioncount", &[], "Partitions led by this broker with fewer replicas in sync than min.insync.replicas.");
    AT_MIN_ISRS = gauge("kafka_server_replicamanager_atminisrpartitioncount", &[], "Partitions led by this broker with exactly min.insync.replicas in sync.");
    TOPIC_PARTITIONS = gauge("kafka_topic_partitions", TOPIC, "Partitions of a topic.");
    CURRENT_OFFSET = gauge("kafka_topic_partition_current_offset", PARTITION, "The high watermark of a partition of this broker.");
    OLDEST_OFFSET = gauge("kafka_topic_partition_oldest_offset", PARTITION, "The first offset of a partition of this broker.");
    LEADER = gauge("kafka_topic_partition_leader", PARTITION, "The broker that leads a partition; -1 is none.");
    LEADER_IS_PREFERRED = gauge("kafka_topic_partition_leader_is_preferred", PARTITION, "1 if the leader is the first of the replicas.");
    REPLICAS = gauge("kafka_topic_partition_replicas", PARTITION, "Replicas of a partition.");
    IN_SYNC = gauge("kafka_topic_partition_in_sync_replica", PARTITION, "Replicas of a partition that are in sync.");
    IS_UNDER_REPLICATED = gauge("kafka_topic_partition_under_replicated_partition", PARTITION, "1 if not all replicas of a partition are in sync.");
    CLUSTER_REPLICAS = gauge("kafka_cluster_partition_replicascount", PARTITION, "Replicas of a partition that this broker leads.");
    CLUSTER_IN_SYNC = gauge("kafka_cluster_partition_insyncreplicascount", PARTITION, "Replicas in sync of a partition that this broker leads.");
    CLUSTER_UNDER_REPLICATED = gauge("kafka_cluster_partition_underreplicated", PARTITION, "1 if not all replicas are in sync of a partition that this broker leads.");
    UNDER_MIN_ISR = gauge("kafka_cluster_partition_underminisr", PARTITION, "1 if fewer replicas are in sync than min.insync.replicas, of a partition that this broker leads.");
    AT_MIN_ISR = gauge("kafka_cluster_partition_atminisr", PARTITION, "1 if exactly min.insync.replicas are in sync, of a partition that this broker leads.");
    LOG_SIZE = gauge("kafka_log_log_size", PARTITION, "Bytes of a partition's log.");
    LOG_START = gauge("kafka_log_log_logstartoffset", PARTITION, "The first offset of a partition's log.");
    LOG_END = gauge("kafka_log_log_logendoffset", PARTITION, "The offset behind the last record of a partition's log.");
    LOG_SEGMENTS = gauge("kafka_log_log_numlogsegments", PARTITION, "Segments of a partition's log.");
    MESSAGES_IN = counter("kafka_server_brokertopicmetrics_messagesin_total", TOPIC, "Records that producers have written to a topic since the broker started.");
    BYTES_IN = counter("kafka_server_brokertopicmetrics_bytesin_total", TOPIC, "Bytes of batches that producers have written to a topic since the broker started.");
    BYTES_OUT = counter("kafka_server_brokertopicmetrics_bytesout_total", TOPIC, "Bytes of batches of a topic in answers to consumers since the broker started.");
    PRODUCES = counter("kafka_server_brokertopicmetrics_totalproducerequests_total", TOPIC, "Batches that producers have sent for partitions of a topic since the broker started, refused ones among them.");
    FAILED_PRODUCES = counter("kafka_server_brokertopicmetrics_failedproducerequests_total", TOPIC, "Batches that producers have sent for partitions of a topic and that failed, but for those that Kafka does not count: too large, corrupt, or the disk has failed.");
    FETCHES = counter("kafka_server_brokertopicmetrics_totalfetchrequests_total", TOPIC, "Looks of fetches at partitions of a topic since the broker started; one that waits counts once.");
    FAILED_FETCHES = counter("kafka_server_brokertopicmetrics_failedfetchrequests_total", TOPIC, "Reads of partitions of a topic that failed by what is neither the client's doing nor a failed disk, since the broker started.");
}

/// A partition as the metadata and this broker know it.
struct Row<'a> {
    topic: &'a str,
    index: String,
    described: &'a metadata::Partition,
    min_isr: usize,
    /// It is on this broker.
    hosted: Option<&'a Arc<Partition>>,
    is_led: bool,
}

impl Row<'_> {
    fn isr(&self) -> usize {
        self.described.isr.len()
    }

    fn is_under_replicated(&self) -> bool {
        self.isr() < self.described.replicas.len()
    }
}

pub(super) fn write(page: &mut Page, shared: &Shared, view: &View) {
    let rows = rows(shared, view);
    cluster(page, shared, view, &rows);
    topics(page, &rows);
    logs(page, &rows);
}

fn rows<'a>(shared: &'a Shared, view: &'a View) -> Vec<Row<'a>> {
    let (image, config) = (&view.image, &shared.config);
    let settings = config.settings(image.default_broker_configs(), image.broker_configs(config.node_id));
    let defaults = TopicConfig::resolve(&settings, &BTreeMap::new()).min_insync_replicas;
    let mut rows = Vec::new();
    for topic in image.topics() {
        let overrides = image.topic_configs(&topic.name);
        let min_isr = match overrides.is_empty() {
            true => defaults,
            false => TopicConfig::resolve(&settings, overrides).min_insync_replicas,
        };
        let hosted = view.hosted(topic.id);
        for described in &topic.partitions {
            let hosted = hosted.and_then(|all| all.get(usize::try_from(described.index).ok()?)?.as_ref());
            rows.push(Row {
                topic: &topic.name,
                index: described.index.to_string(),
                described,
                min_isr: min_isr.max(0) as usize,
                hosted,
                is_led: hosted.is_some() && config.cast().plays(described.leader),
            });
        }
    }
    rows
}

fn cluster(page: &mut Page, shared: &Shared, view: &View, rows: &[Row<'_>]) {
    let image = &view.image;
    let (fenced, active): (Vec<_>, Vec<_>) = image.brokers().partition(|broker| broker.fenced);
    page.single(&BROKERS, active.len());
    let mut infos = page.begin(&BROKER_INFO);
    for broker in image.brokers() {
        if let Some(endpoint) = broker.endpoints.first() {
            infos.add(&[&broker.id.to_string(), &format!("{}:{}", endpoint.host, endpoint.port)], 1);
        }
    }
    // The quorum has one voter, which leads it.
    page.single(&ACTIVE_CONTROLLERS, u8::from(view.leadership.leader_epoch.0 > 0));
    page.single(&ACTIVE_BROKERS, active.len());
    page.single(&FENCED_BROKERS, fenced.len());
    page.single(&GLOBAL_TOPICS, image.topics().count());
    page.single(&GLOBAL_PARTITIONS, rows.len());
    let count = |wanted: &dyn Fn(&Row<'_>) -> bool| rows.iter().filter(|row| wanted(row)).count();
    page.single(&OFFLINE_PARTITIONS, count(&|row| row.described.leader == metadata::NO_LEADER));
    page.single(&UNCLEAN_ELECTIONS, view.unclean_elections);
    page.single(&RAFT_LEADER, shared.config.node_id);
    page.single(&RAFT_EPOCH, view.leadership.leader_epoch);
    page.single(&RAFT_HIGH_WATERMARK, view.applied_offset().next());
    page.single(&LEADERS, count(&|row| row.is_led));
    page.single(&PARTITIONS, count(&|row| row.hosted.is_some()));
    let is_offline = |row: &Row<'_>| match row.hosted {
        Some(hosted) => hosted.log.is_offline(),
        // Its directory could not be opened at the start.
        None => row.described.replicas.iter().any(|replica| shared.config.cast().plays(*replica)),
    };
    page.single(&OFFLINE_REPLICAS, count(&is_offline));
    page.single(&UNDER_REPLICATED, count(&|row| row.is_led && row.is_under_replicated()));
    page.single(&UNDER_MIN_ISRS, count(&|row| row.is_led && row.isr() < row.min_isr));
    page.single(&AT_MIN_ISRS, count(&|row| row.is_led && row.isr() == row.min_isr));
}

fn topics(page: &mut Page, rows: &[Row<'_>]) {
    let by_topic = || rows.chunk_by(|a, b| a.topic == b.topic);
    let mut counts = page.begin(&TOPIC_PARTITIONS);
    by_topic().for_each(|rows| counts.add(&[rows[0].topic], rows.len()));
    each(page, &CURRENT_OFFSET, rows, |row| row.hosted.map(|hosted| hosted.high_watermark().0));
    each(page, &OLDEST_OFFSET, rows, |row| row.hosted.map(|hosted| hosted.log.log_start_offset().0));
    each(page, &LEADER, rows, |row| Some(row.described.leader.into()));
    let is_preferred = |row: &Row<'_>| row.described.replicas.first() == Some(&row.described.leader);
    each(page, &LEADER_IS_PREFERRED, rows, |row| Some(is_preferred(row).into()));
    each(page, &REPLICAS, rows, |row| Some(row.described.replicas.len() as i64));
    each(page, &IN_SYNC, rows, |row| Some(row.isr() as i64));
    each(page, &IS_UNDER_REPLICATED, rows, |row| Some(row.is_under_replicated().into()));
    each(page, &CLUSTER_REPLICAS, rows, |row| row.is_led.then_some(row.described.replicas.len() as i64));
    each(page, &CLUSTER_IN_SYNC, rows, |row| row.is_led.then_some(row.isr() as i64));
    each(page, &CLUSTER_UNDER_REPLICATED, rows, |row| row.is_led.then_some(row.is_under_replicated().into()));
    each(page, &UNDER_MIN_ISR, rows, |row| row.is_led.then_some((row.isr() < row.min_isr).into()));
    each(page, &AT_MIN_ISR, rows, |row| row.is_led.then_some((row.isr() == row.min_isr).into()));
}

fn logs(page: &mut Page, rows: &[Row<'_>]) {
    each(page, &LOG_SIZE, rows, |row| row.hosted.map(|hosted| hosted.log.size_bytes() as i64));
    each(page, &LOG_START, rows, |row| row.hosted.map(|hosted| hosted.log.log_start_offset().0));
    each(page, &LOG_END, rows, |row| row.hosted.map(|hosted| hosted.log.log_end_offset().0));
    each(page, &LOG_SEGMENTS, rows, |row| row.hosted.map(|hosted| hosted.log.segment_count() as i64));
    let mut traffic: Vec<(&str, TrafficCounts)> = Vec::new();
    for rows in rows.chunk_by(|a, b| a.topic == b.topic) {
        let mut sum = TrafficCounts::default();
        rows.iter().filter_map(|row| row.hosted).for_each(|hosted| sum += hosted.traffic.read());
        traffic.push((rows[0].topic, sum));
    }
    let mut of_topics = |family, count: fn(&TrafficCounts) -> u64| {
        let mut samples = page.begin(family);
        traffic.iter().for_each(|(topic, counts)| samples.add(&[topic], count(counts)));
    };
    of_topics(&MESSAGES_IN, |counts| counts.records_in);
    of_topics(&BYTES_IN, |counts| counts.bytes_in);
    of_topics(&BYTES_OUT, |counts| counts.bytes_out);
    of_topics(&PRODUCES, |counts| counts.produces);
    of_topics(&FAILED_PRODUCES, |counts| counts.failed_produces);
    of_topics(&FETCHES, |counts| counts.fetches);
    of_topics(&FAILED_FETCHES, |counts| counts.failed_fetches);
}

/// A sample for each partition that has one.
fn each(page: &mut Page, family: &'static Family, rows: &[Row<'_>], value: impl Fn(&Row<'_>) -> Option<i64>) {
    let mut samples = page.begin(family);
    for row in rows {
        if let Some(value) = value(row) {
            samples.add(&[row.topic, &row.index], value);
        }
    }
}
