//! What DescribeConfigs says about each key in words (KIP-569): a sentence of our own, not Apache Kafka's pages.
//!
//! A key that nothing acts on says so, and why it may stop the start. A broker's key that stands in for one of topics or
//! groups says what that one does. Unknown keys have none.

use super::definitions::{self, Effect};
use std::borrow::Cow;

type Texts = &'static [(&'static str, &'static str)];

/// The texts of topics' keys.
const TOPIC: Texts = &[
    ("cleanup.policy", "Whether old segments are deleted, compacted (the newest record of each key stays), or both."),
    ("compression.gzip.level", "The level of gzip where records are compressed by the broker."),
    ("compression.lz4.level", "The level of LZ4 where records are compressed by the broker."),
    ("compression.type", "How batches are stored: as the producer sent them, or with this codec."),
    ("compression.zstd.level", "The level of Zstandard where records are compressed by the broker."),
    ("delete.retention.ms", "How long a tombstone stays readable in a compacted log."),
    ("file.delete.delay.ms", "How long the files of what was deleted stay on the disk."),
    ("flush.messages", "After how many records the log is synced; 1 syncs before each acknowledgement."),
    ("flush.ms", "After what time what was written is synced."),
    ("index.interval.bytes", "How many bytes of records lie between two entries of the offset index."),
    ("internal.segment.bytes", "The size of a segment without a lower bound, for tests."),
    ("max.compaction.lag.ms", "The longest time a record stays uncompacted."),
    ("max.decompressed.message.bytes", "The largest record of a compressed batch after decompression."),
    ("max.message.bytes", "The largest batch that is accepted."),
    ("message.timestamp.after.max.ms", "How far a record's timestamp may lie after the broker's time."),
    ("message.timestamp.before.max.ms", "How far a record's timestamp may lie before the broker's time."),
    ("message.timestamp.type", "Whether records keep the producer's timestamp or get the time of their append."),
    ("min.cleanable.dirty.ratio", "The share of uncompacted bytes from which on a log is compacted."),
    ("min.compaction.lag.ms", "The shortest time a record stays uncompacted."),
    ("min.insync.replicas", "How many replicas must have a record before it is acknowledged to acks=all."),
    ("preallocate", "Whether the file of a new segment gets its full size at once."),
    ("retention.bytes", "The size of a partition from which on its oldest segments are deleted; -1 is no limit."),
    ("retention.ms", "The age from which on segments are deleted; -1 is no limit."),
    ("segment.bytes", "The size at which a segment ends and the next one begins."),
    ("segment.index.bytes", "The largest offset index of a segment; a full one ends the segment."),
    ("segment.jitter.ms", "How much sooner a segment may end, so that not all end at once."),
    ("segment.ms", "The age at which a segment ends even if it is not full."),
];

/// The texts of groups' keys.
const GROUP: Texts = &[
    ("consumer.assignment.interval.ms", "The least time between two assignments of a consumer group."),
    ("consumer.heartbeat.interval.ms", "How often members of a consumer group are told to send heartbeats."),
    ("consumer.session.timeout.ms", "After what silence a member of a consumer group is removed."),
];

/// The texts of brokers' keys, where no topic's and no group's key has the same.
const BROKER: Texts = &[
    (
        "add.partitions.to.txn.retry.backoff.max.ms",
        "How long a produce may wait for the producer's last transaction to be completed.",
    ),
    ("advertised.listeners", "The addresses that clients are told; those of listeners where it is not set."),
    (
        "authorizer.class.name",
        "The class that decides what clients may do; every client may do all where it is not set.",
    ),
    ("auto.create.topics.enable", "Whether a topic is created when a client first asks for it."),
    ("broker.id", "The old name of node.id."),
    ("broker.rack", "The rack or zone of this broker, which clients are told."),
    ("config.providers", "Where values come from that are written `${provider:path:key}`."),
    ("connections.max.idle.ms", "After what silence a connection is closed."),
    (
        "controller.listener.names",
        "The listeners of controllers, which are not opened: the metadata is kept in this process.",
    ),
    ("controller.quota.window.num", "Over how many windows changes of topics are measured for quotas."),
    ("controller.quota.window.size.seconds", "How long each of these windows is."),
    ("cordoned.log.dirs", "Log directories that get no new partitions; * stands for all."),
    ("default.replication.factor", "How many replicas topics get that do not say."),
    ("delegation.token.expiry.check.interval.ms", "How often delegation tokens that have expired are removed."),
    ("delegation.token.expiry.time.ms", "How long a delegation token lasts that is not renewed."),
    ("delegation.token.max.lifetime.ms", "How long a delegation token lasts at most, however often it is renewed."),
    ("delegation.token.secret.key", "The key that delegation tokens follow from; without one there are none."),
    ("delete.topic.enable", "Whether topics may be deleted."),
    ("fetch.max.bytes", "The most that one fetch is answered with, but for a batch that is larger."),
    ("group.consumer.assignors", "The server-side assignors of consumer groups; the first one is the default."),
    ("group.consumer.max.assignment.interval.ms", "The most that a group may set as its interval between assignments."),
    ("group.consumer.max.heartbeat.interval.ms", "The most that a group may set as its interval of heartbeats."),
    ("group.consumer.max.session.timeout.ms", "The most that a group may set as its session timeout."),
    ("group.consumer.max.size", "How many members a consumer group may have."),
    ("group.consumer.migration.policy", "Which groups may change between the classic and the consumer protocol."),
    (
        "group.consumer.min.assignment.interval.ms",
        "The least that a group may set as its interval between assignments.",
    ),
    ("group.consumer.min.heartbeat.interval.ms", "The least that a group may set as its interval of heartbeats."),
    ("group.consumer.min.session.timeout.ms", "The least that a group may set as its session timeout."),
    ("group.consumer.regex.refresh.interval.ms", "How often patterns of topics are matched anew."),
    ("group.coordinator.rebalance.protocols", "The protocols of groups that are served."),
    ("group.initial.rebalance.delay.ms", "How long a new classic group waits for more members."),
    ("group.max.session.timeout.ms", "The longest session timeout of a member of a classic group."),
    ("group.max.size", "How many members a classic group may have."),
    ("group.min.session.timeout.ms", "The shortest session timeout of a member of a classic group."),
    ("inter.broker.listener.name", "The listener that other brokers use."),
    (
        "klamm.answer.max.bytes",
        "The largest answer, records apart; a client that asks for a larger one has its connection closed.",
    ),
    (
        "klamm.as.version",
        "The release of Apache Kafka whose APIs and features are offered, as far as they are built; all where it is not set.",
    ),
    (
        "klamm.authentication.timeout.ms",
        "How long a client may take for its TLS handshake and its login; 0 is for ever.",
    ),
    ("klamm.clock", "The clock that the broker goes by: the machine's, or one that tests can freeze, move and set."),
    ("klamm.copy.max.bytes", "A larger batch is written to its file at once, smaller ones together."),
    ("klamm.crypto.threads", "How many threads compute handshakes of TLS; one per four cores where it is not set."),
    ("klamm.faults", "Whether rules over HTTP may make the broker fail on purpose, for tests of clients."),
    ("klamm.http.hosts", "Names that HTTP requests may be addressed to, beside the loopback's and the listeners'."),
    ("klamm.http.listeners", "Where the HTTP side listens, as http://host:port; none where it is not set."),
    ("klamm.http.requests", "How many of its last requests each thread keeps for /v1/requests; 0 is none."),
    ("klamm.http.requests.bytes", "How many bytes of the bodies of its last requests each thread keeps."),
    ("klamm.http.token", "The token that HTTP requests must carry; needed where other machines reach the listener."),
    ("klamm.io", "How the threads wait for sockets and disks: uring, epoll, or the first one that works."),
    ("klamm.log.format", "Whether a line of the log is text or a JSON object."),
    ("klamm.shards", "How many threads serve clients; one per core where it is not set."),
    ("klamm.spin.us", "How many microseconds a thread looks for the next request before it sleeps."),
    ("klamm.stop.grace.ms", "How long clients are served on while the broker stops."),
    ("klamm.stop.patience.ms", "How long a stop then waits for the answers to what has begun."),
    ("klamm.tail.buffer.bytes", "What each thread keeps in memory of its last writes for consumers that wait."),
    ("listener.security.protocol.map", "The security protocol of each listener; PLAINTEXT is supported."),
    ("listeners", "The addresses that are listened on, each with a name."),
    ("log.cleaner.backoff.ms", "How long the cleaner rests when no log wants to be compacted."),
    ("log.cleaner.dedupe.buffer.size", "The memory of the cleaner's map of keys."),
    ("log.cleaner.enable", "Whether logs are compacted."),
    ("log.cleaner.io.buffer.load.factor", "How full the cleaner's map of keys may become."),
    ("log.cleaner.io.buffer.size", "The memory of the cleaner's buffers for reading and writing."),
    ("log.cleaner.io.max.bytes.per.second", "How much the cleaner reads and writes in a second at most."),
    ("log.dir", "The log directory where log.dirs is not set."),
    ("log.dirs", "The log directories, separated by commas."),
    ("log.flush.offset.checkpoint.interval.ms", "How often the recovery points are written down."),
    ("log.flush.start.offset.checkpoint.interval.ms", "How often the start offsets of the logs are written down."),
    ("log.initial.task.delay.ms", "How long after the start the periodic tasks of the logs begin."),
    ("log.retention.check.interval.ms", "How often it is looked for segments to delete."),
    (
        "max.connection.creation.rate",
        "How many new connections there may be in a second, of the broker or of one listener.",
    ),
    ("max.connections", "How many connections there may be, of the broker or of one listener."),
    ("max.connections.per.ip", "How many connections an address may have."),
    (
        "max.connections.per.ip.overrides",
        "How many connections single addresses may have: ADDRESS:NUMBER, separated by commas.",
    ),
    ("max.incremental.fetch.session.cache.slots", "How many incremental fetch sessions are kept."),
    ("max.request.partition.size.limit", "How many partitions one answer to DescribeTopicPartitions has at most."),
    ("metadata.log.dir", "The directory of the metadata log; the first of the log directories where it is not set."),
    ("metadata.log.max.record.bytes.between.snapshots", "After how many bytes of metadata a snapshot is written."),
    ("metadata.log.max.snapshot.interval.ms", "After what time a snapshot of the metadata is written; 0 is never."),
    ("metadata.log.segment.bytes", "The size of a segment of the metadata log."),
    ("metadata.log.segment.ms", "The age at which a segment of the metadata log ends."),
    ("metadata.max.retention.bytes", "How many bytes of the metadata log and its snapshots are kept."),
    ("metadata.max.retention.ms", "How long the metadata log and its snapshots are kept."),
    ("node.id", "The number of this node in its cluster."),
    ("num.partitions", "How many partitions topics get that do not say."),
    ("num.recovery.threads.per.data.dir", "How many threads open the logs of each directory at the start."),
    ("offset.metadata.max.bytes", "The longest text that may be committed beside an offset."),
    ("offsets.commit.timeout.ms", "How long a commit of offsets may wait to be written."),
    ("offsets.retention.check.interval.ms", "How often it is looked for offsets that have expired."),
    ("offsets.retention.minutes", "How long the offsets of a group are kept after its last member has left."),
    ("offsets.topic.compression.codec", "The codec of the records in __consumer_offsets."),
    ("offsets.topic.num.partitions", "How many partitions __consumer_offsets gets."),
    ("offsets.topic.replication.factor", "How many replicas __consumer_offsets gets, as far as there are brokers."),
    ("offsets.topic.segment.bytes", "The size of a segment of __consumer_offsets."),
    ("producer.id.expiration.check.interval.ms", "How often it is looked for idempotent producers to forget."),
    ("producer.id.expiration.ms", "After what silence an idempotent producer is forgotten."),
    ("queued.max.request.bytes", "How much memory requests in flight may take before large ones wait."),
    ("quota.window.num", "Over how many windows bytes, time and new connections are measured for quotas."),
    ("quota.window.size.seconds", "How long each of these windows is."),
    ("replica.high.watermark.checkpoint.interval.ms", "How often the high watermarks are written down."),
    (
        "replica.selector.class",
        "The class that sends consumers to replicas of their rack; they read from leaders where it is not set.",
    ),
    ("request.timeout.ms", "The longest that add.partitions.to.txn.retry.backoff.max.ms may be."),
    ("security.inter.broker.protocol", "The security protocol that other brokers use."),
    ("socket.listen.backlog.size", "How many connections may wait to be accepted."),
    ("socket.receive.buffer.bytes", "The receive buffer of a connection's socket; -1 leaves it to the kernel."),
    ("socket.request.max.bytes", "The largest request that is accepted."),
    ("socket.send.buffer.bytes", "The send buffer of a connection's socket; -1 leaves it to the kernel."),
    (
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "How often it is looked for transactions to abort that have timed out.",
    ),
    ("transaction.max.timeout.ms", "The longest timeout that a transactional producer may ask for."),
    (
        "transaction.partition.verification.enable",
        "Whether a produce of before version 12 must find its partition in the transaction.",
    ),
    (
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        "How often it is looked for transactional ids that have expired.",
    ),
    ("transaction.state.log.min.isr", "The min.insync.replicas of __transaction_state."),
    ("transaction.state.log.num.partitions", "How many partitions __transaction_state gets."),
    (
        "transaction.state.log.replication.factor",
        "How many replicas __transaction_state gets, as far as there are brokers.",
    ),
    ("transaction.state.log.segment.bytes", "The size of a segment of __transaction_state."),
    (
        "transaction.two.phase.commit.enable",
        "Whether producers may leave it to another coordinator when a transaction ends.",
    ),
    ("transactional.id.expiration.ms", "After what time without a transaction a transactional id is forgotten."),
    ("unstable.api.versions.enable", "Whether versions of APIs are offered that Kafka may still change."),
];

fn find(texts: Texts, name: &str) -> Option<&'static str> {
    texts.binary_search_by(|(key, _)| (*key).cmp(name)).ok().map(|at| texts[at].1)
}

/// The text of a key that Klamm does not act on.
fn of_effect(effect: Effect) -> Option<Cow<'static, str>> {
    match effect {
        Effect::Effective => None,
        Effect::NoEffect => Some("Accepted because Apache Kafka has it; of no meaning in Klamm.".into()),
        Effect::NotYet => Some("Not supported yet: it is kept and shown, and has no effect.".into()),
        Effect::OfSecureListeners => Some("Of listeners with TLS or SASL.".into()),
        Effect::Refused(why) => Some(format!("Not supported: {why}.").into()),
        Effect::OpensDoor(why) | Effect::SplitsData(why) => Some(format!("Not supported yet: {why}.").into()),
    }
}

pub(super) fn of_topic(name: &str) -> Option<Cow<'static, str>> {
    let definition = definitions::topic_named(name)?;
    of_effect(definition.effect).or_else(|| find(TOPIC, name).map(Cow::from))
}

pub(super) fn of_group(name: &str) -> Option<Cow<'static, str>> {
    let definition = definitions::group_named(name)?;
    of_effect(definition.effect).or_else(|| find(GROUP, name).map(Cow::from))
}

/// `name` may have the prefix of a listener.
pub(super) fn of_broker(name: &str) -> Option<Cow<'static, str>> {
    let definition = definitions::broker(name).or_else(|| definitions::listener_override(name))?;
    of_effect(definition.effect)
        .or_else(|| find(BROKER, definition.name).map(Cow::from))
        .or_else(|| of_default(definition.name).map(Cow::from))
}

/// The text of a key whose value topics or groups get that do not set it themselves.
fn of_default(name: &str) -> Option<String> {
    let of_topics = definitions::topic_all().iter().find_map(|topic| {
        let (_, factor) = topic.synonyms.iter().find(|(synonym, _)| *synonym == name)?;
        let unit = match factor {
            3_600_000 => " In hours.",
            60_000 => " In minutes.",
            _ => "",
        };
        Some(format!("{}{unit} For topics that do not set {}.", find(TOPIC, topic.name)?, topic.name))
    });
    let of_groups = || {
        let group = definitions::group_all().iter().find(|group| group.synonym == Some(name))?;
        Some(format!("{} For groups that do not set {}.", find(GROUP, group.name)?, group.name))
    };
    of_topics.or_else(of_groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_says_in_words_what_it_does() {
        for texts in [TOPIC, GROUP, BROKER] {
            assert!(texts.is_sorted_by(|a, b| a.0 < b.0));
            assert!(texts.iter().all(|(_, text)| text.ends_with('.') && text.len() < 120), "{texts:?}");
        }
        let known = |name: &str, text: Option<Cow<'static, str>>| assert!(text.is_some(), "{name} has no text");
        definitions::broker_all().iter().for_each(|d| known(d.name, of_broker(d.name)));
        definitions::topic_all().iter().for_each(|d| known(d.name, of_topic(d.name)));
        definitions::group_all().iter().for_each(|d| known(d.name, of_group(d.name)));
        // No text without its key, and none that another one hides.
        let is_shown = |(name, text): &(&str, &str)| of_broker(name).is_some_and(|shown| shown == *text);
        assert!(BROKER.iter().all(is_shown));
        assert!(TOPIC.iter().all(|(name, text)| of_topic(name).is_some_and(|shown| shown == *text)));
        assert!(GROUP.iter().all(|(name, text)| of_group(name).is_some_and(|shown| shown == *text)));
    }

    #[test]
    fn a_default_says_whose_it_is() {
        let said = |name| of_broker(name).unwrap().into_owned();
        assert_eq!(
            said("log.retention.hours"),
            "The age from which on segments are deleted; -1 is no limit. In hours. For topics that do not set retention.ms."
        );
        assert_eq!(said("num.io.threads"), "Accepted because Apache Kafka has it; of no meaning in Klamm.");
        assert!(said("listener.name.x.ssl.keystore.type").contains("TLS"));
        assert_eq!(of_broker("no.such"), None);
    }
}
