//! Whether what a producer sent for one partition may be appended, and in which form.
//!
//! The checks, their order and their error codes are Kafka's: `ProduceRequest.validateRecords`, then
//! `UnifiedLog.analyzeAndValidateRecords`, then `LogValidator`. Sequence numbers and transactions are not judged here
//! but where the producer's state is.
//!
//! There are two paths. The *shallow* one reads the header and the checksum and nothing else; it can only accept. The
//! *deep* one unpacks and reads every record; a batch takes it when the topic's configuration asks for it (compaction,
//! recompression, a lower bound for timestamps), when the header gives a reason to doubt (see [`must_look_inside`]), or
//! when [`Rules::deep`] says so.
//!
//! Deviation from Kafka: it reads every record of every batch, so it also refuses records that do not add up although
//! the checksum is right, and corrects a wrong `maxTimestamp`. On the shallow path the producer's checksum vouches for
//! both, which is also how Redpanda does it. Nothing in the broker relies on the inside of a batch being sound.

#[cfg(test)]
mod answers_tests;

use std::borrow::Cow;

use crate::model::{CompressionType, ErrorCode, TimestampMs, TimestampType};
use crate::record::batches::{self, Batch};
use crate::record::builder::{self, Codec};
use crate::record::header::{self, Header};
use crate::record::{compression, records};

const NO_TIMESTAMP: i64 = -1;
/// The first Produce version whose clients may send zstd (KIP-110).
const FIRST_VERSION_WITH_ZSTD: i16 = 7;
/// The most records that an answer names (KIP-467). Kafka names all, but a batch of a few kilobytes can unpack into
/// millions of bad records; clients treat the unnamed ones as failed along with their batch.
const MAX_RECORD_ERRORS: usize = 10_000;
/// Default of [`Rules::max_unpacked_bytes`]; Kafka, which unpacks as a stream, has no such limit.
pub const DEFAULT_MAX_UNPACKED_BYTES: usize = 128 * 1024 * 1024;

/// Default of [`Rules::max_decompressed_message_bytes`], as in Kafka: no limit.
pub const NO_DECOMPRESSED_LIMIT: usize = 2_147_483_639;
/// No payload longer than this is packed anew: whatever packing or renumbering adds, the length of the result fits into
/// the header's 32 bits. Requests are far smaller unless the operator raises every limit.
const MAX_REPACKED_BYTES: usize = 512 * 1024 * 1024;
const _: () =
    assert!(2 * MAX_REPACKED_BYTES + header::HEADER_SIZE < i32::MAX as usize, "the length fits even if it doubles");
const _: () =
    assert!(DEFAULT_MAX_UNPACKED_BYTES <= MAX_REPACKED_BYTES, "what is unpacked by default can be packed anew");

/// What a topic's configuration says about batches.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `max.message.bytes`, for a whole batch.
    pub max_message_bytes: usize,
    /// `segment.bytes`: no batch may be longer than a segment.
    pub segment_bytes: usize,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`; `i64::MAX` is no bound.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// Whether `cleanup.policy` contains `compact`.
    pub compacted: bool,
    /// `compression.type` and its level; `None` is `producer`: keep what was sent.
    pub codec: Option<Codec>,
    /// `max.decompressed.message.bytes` (Kafka 4.4): for one record of a compressed batch.
    pub max_decompressed_message_bytes: usize,
    /// How far a batch is unpacked when it is looked into.
    pub max_unpacked_bytes: usize,
    /// Look into every batch.
    pub deep: bool,
}

impl Default for Rules {
    /// Kafka's defaults for a topic.
    fn default() -> Rules {
        Rules {
            max_message_bytes: 1024 * 1024 + header::LOG_OVERHEAD,
            segment_bytes: 1024 * 1024 * 1024,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            compacted: false,
            codec: None,
            max_decompressed_message_bytes: NO_DECOMPRESSED_LIMIT,
            max_unpacked_bytes: DEFAULT_MAX_UNPACKED_BYTES,
            deep: false,
        }
    }
}

/// A batch that may be appended: place [`Accepted::bytes`], then let [`Accepted::stamp`] and [`header::assign`] patch
/// them where they lie.
#[derive(Debug)]
pub struct Accepted<'a> {
    /// The header as it will be stored, but for base offset, leader epoch and checksum. Producer id, epoch, sequence
    /// and the transactional bit are the producer's.
    pub header: Header,
    bytes: Cow<'a, [u8]>,
    is_stamped: bool,
}

impl Accepted<'_> {
    /// The batch, packed anew if the topic asks for another codec; without what followed it in the request.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether [`Accepted::stamp`] has anything to write.
    pub fn is_stamped(&self) -> bool {
        self.is_stamped
    }

    /// Writes the timestamps that differ from what the producer sent into a copy of [`Accepted::bytes`].
    pub fn stamp(&self, copy: &mut [u8]) {
        if self.is_stamped {
            assert_eq!(copy.len(), self.bytes.len(), "another batch would be stamped");
            header::stamp(copy, self.header.timestamp_type(), TimestampMs(self.header.max_timestamp));
        }
    }
}

/// Why a batch was refused. Kafka sends the message only along with record errors; sending it always does no harm.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    pub error: ErrorCode,
    pub message: String,
    pub record_errors: Vec<RecordError>,
}

/// One record at fault (KIP-467).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordError {
    pub batch_index: i32,
    pub message: Option<String>,
}

fn refuse<T>(error: ErrorCode, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { error, message: message.into(), record_errors: Vec::new() })
}

/// Judges the records of one partition in a Produce request of `version` that arrived at `now`.
pub fn validate<'a>(rules: &Rules, version: i16, now: TimestampMs, bytes: &'a [u8]) -> Result<Accepted<'a>, Refused> {
    let batch = only_batch(version, bytes)?;
    let codec = check_intact(rules, &batch)?;
    check_header(&batch.header)?;
    let accepted = if must_look_inside(rules, codec, now, &batch) {
        look_inside(rules, codec, now, &batch)?
    } else {
        let (time, kind) = match rules.timestamp_type {
            TimestampType::CreateTime => (batch.header.max_timestamp, TimestampType::CreateTime),
            TimestampType::LogAppendTime => (now.0, TimestampType::LogAppendTime),
        };
        stamped(batch.header, Cow::Borrowed(batch.bytes), kind, time)
    };
    let size = accepted.bytes.len();
    let header = &accepted.header;
    assert_eq!(header.size_bytes(), size, "a batch is as long as its header says");
    assert_eq!(header.base_offset, 0, "a producer gives no offsets");
    assert!(!header.is_control(), "control batches are the broker's to write");
    assert_eq!(i64::from(header.last_offset_delta) + 1, i64::from(header.records_count), "every offset has its record");
    if size > rules.max_message_bytes {
        return refuse(ErrorCode::MessageTooLarge, too_large(size, rules.max_message_bytes));
    }
    if size > rules.segment_bytes {
        return refuse(ErrorCode::RecordListTooLarge, format!("{size} bytes do not fit into a segment"));
    }
    Ok(accepted)
}

/// The one batch that a request may hold per partition. Bytes behind it that are no whole batch are dropped, as Kafka
/// does.
fn only_batch(version: i16, bytes: &[u8]) -> Result<Batch<'_>, Refused> {
    use batches::Error::*;
    let batch = match Batch::first(bytes) {
        Ok(batch) => batch,
        Err(Truncated) => return refuse(ErrorCode::InvalidRecord, "there is no whole batch"),
        Err(error @ OldMagic(_)) => return refuse(ErrorCode::InvalidRecord, error.to_string()),
        Err(error) => return refuse(ErrorCode::CorruptMessage, error.to_string()),
    };
    if version < FIRST_VERSION_WITH_ZSTD && batch.header.compression() == Some(CompressionType::Zstd) {
        let message = format!("zstd needs Produce version {FIRST_VERSION_WITH_ZSTD}");
        return refuse(ErrorCode::UnsupportedCompressionType, message);
    }
    match Batch::first(&bytes[batch.size_bytes()..]) {
        Err(Truncated) => Ok(batch),
        Err(error @ (ShortLength(_) | UnknownMagic(_))) => refuse(ErrorCode::CorruptMessage, error.to_string()),
        Ok(_) | Err(OldMagic(_)) => refuse(ErrorCode::InvalidRecord, "there is more than one batch"),
    }
}

/// Whether there is what a request must hold, whatever else may be wrong with it (`ProduceRequest.validateRecords`).
pub fn is_one_batch(version: i16, bytes: &[u8]) -> bool {
    only_batch(version, bytes).is_ok()
}

/// What is checked before anything in the batch is relied upon; the codec that it is packed with.
fn check_intact(rules: &Rules, batch: &Batch<'_>) -> Result<CompressionType, Refused> {
    let base_offset = batch.header.base_offset;
    if base_offset != 0 {
        return refuse(ErrorCode::InvalidRecord, format!("the base offset is {base_offset}, not 0"));
    }
    let size = batch.size_bytes();
    if size > rules.max_message_bytes {
        return refuse(ErrorCode::MessageTooLarge, too_large(size, rules.max_message_bytes));
    }
    if !batch.is_intact() {
        return refuse(ErrorCode::CorruptMessage, format!("the checksum {:#010x} is wrong", batch.header.crc));
    }
    match batch.header.compression() {
        Some(codec) => Ok(codec),
        // Kafka has no answer for these: an exception that is not one of the protocol's.
        None => refuse(ErrorCode::UnknownServerError, "there is no such compression type"),
    }
}

fn too_large(size: usize, limit: usize) -> String {
    format!("the batch has {size} bytes, the limit is {limit}")
}

fn check_header(header: &Header) -> Result<(), Refused> {
    let (delta, count) = (header.last_offset_delta, header.records_count);
    if delta < 0 {
        return refuse(ErrorCode::InvalidRecord, format!("the last offset delta is {delta}"));
    }
    if count <= 0 {
        return refuse(ErrorCode::InvalidRecord, format!("the batch announces {count} records"));
    }
    if i64::from(delta) + 1 != i64::from(count) {
        return refuse(ErrorCode::InvalidRecord, format!("{count} records do not span a last offset delta of {delta}"));
    }
    if header.is_control() {
        return refuse(ErrorCode::InvalidRecord, "control batches are the broker's to write");
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        let message = format!("producer {} sent the sequence number {}", header.producer_id, header.base_sequence);
        return refuse(ErrorCode::InvalidRecord, message);
    }
    // A producer without an epoch (-1) is taken, as Kafka does: every epoch that the log knows fences it.
    if header.has_producer_id() && header.producer_epoch < -1 {
        let message = format!("producer {} sent the epoch {}", header.producer_id, header.producer_epoch);
        return refuse(ErrorCode::InvalidProducerEpoch, message);
    }
    Ok(())
}

/// Whether the header alone cannot decide.
fn must_look_inside(rules: &Rules, codec: CompressionType, now: TimestampMs, batch: &Batch<'_>) -> bool {
    let header = &batch.header;
    // Only the broker may stamp; what Kafka answers depends on the records.
    let stamped_by_producer = header.timestamp_type() == TimestampType::LogAppendTime;
    // The first record's timestamp is normally the base: a maximum below it is not one.
    let max_timestamp = header.max_timestamp;
    let is_no_maximum = max_timestamp < header.base_timestamp || max_timestamp < NO_TIMESTAMP;
    let doubtful = is_no_maximum || out_of_range(rules, now, max_timestamp);
    let by_create_time =
        rules.timestamp_type == TimestampType::CreateTime && (rules.timestamp_before_max_ms != i64::MAX || doubtful);
    let repacked = rules.codec.is_some_and(|target| target.kind != codec);
    let limited = codec != CompressionType::None && rules.max_decompressed_message_bytes < NO_DECOMPRESSED_LIMIT;
    rules.deep
        || rules.compacted
        || repacked
        || limited
        || stamped_by_producer
        || by_create_time
        || is_count_doubtful(codec, batch)
}

/// Whether the batch announces more records than its bytes make likely: a batch of a few bytes must not use up two
/// thousand million offsets. Packed well, several records may take a byte; that costs a look and no more.
fn is_count_doubtful(codec: CompressionType, batch: &Batch<'_>) -> bool {
    let bytes_per_record = if codec == CompressionType::None { records::MIN_SIZE } else { 1 };
    let most = batch.packed_records().len() / bytes_per_record;
    usize::try_from(batch.header.records_count).is_ok_and(|count| count > most)
}

/// Wraps around as Kafka's arithmetic does, so that absurd timestamps get the same answer.
fn out_of_range(rules: &Rules, now: TimestampMs, timestamp: i64) -> bool {
    let age = now.0.wrapping_sub(timestamp);
    timestamp != NO_TIMESTAMP
        && (age > rules.timestamp_before_max_ms || age.wrapping_neg() > rules.timestamp_after_max_ms)
}

/// What a walk over all records found.
struct Findings {
    max_timestamp: i64,
    is_sequential: bool,
}

fn look_inside<'a>(
    rules: &Rules,
    codec: CompressionType,
    now: TimestampMs,
    batch: &Batch<'a>,
) -> Result<Accepted<'a>, Refused> {
    let unpacked = match batch.unpack(rules.max_unpacked_bytes) {
        Ok(unpacked) => unpacked,
        // The Java client answers this one by splitting its batch, which helps.
        Err(error @ compression::Error::TooLarge) => return refuse(ErrorCode::MessageTooLarge, error.to_string()),
        Err(error @ compression::Error::Corrupt) => return refuse(ErrorCode::UnknownServerError, error.to_string()),
    };
    let found = check_records(rules, now, batch, &unpacked)?;
    let target = rules.codec.unwrap_or(Codec { kind: codec, level: None });
    let mut header = batch.header;
    let bytes = if found.is_sequential && target.kind == codec {
        Cow::Borrowed(batch.bytes)
    } else if unpacked.len() > MAX_REPACKED_BYTES {
        return refuse(ErrorCode::MessageTooLarge, too_large(unpacked.len(), MAX_REPACKED_BYTES));
    } else {
        let unpacked = if found.is_sequential { unpacked } else { Cow::Owned(renumber(batch, &unpacked)) };
        header.clear_other_attributes();
        Cow::Owned(builder::pack(header, &unpacked, target))
    };
    let header = Header::parse(&bytes).unwrap_or(header);
    let time = if rules.timestamp_type == TimestampType::LogAppendTime { now.0 } else { found.max_timestamp };
    Ok(stamped(header, bytes, rules.timestamp_type, time))
}

/// Notes what differs between the header as sent and as it must be stored.
fn stamped(mut header: Header, bytes: Cow<'_, [u8]>, kind: TimestampType, max_timestamp: i64) -> Accepted<'_> {
    let is_stamped = header.timestamp_type() != kind || header.max_timestamp != max_timestamp;
    header.set_timestamp_type(kind);
    header.max_timestamp = max_timestamp;
    Accepted { header, bytes, is_stamped }
}

fn check_records(rules: &Rules, now: TimestampMs, batch: &Batch<'_>, unpacked: &[u8]) -> Result<Findings, Refused> {
    let is_packed = batch.header.compression() != Some(CompressionType::None);
    let max_body = if is_packed { rules.max_decompressed_message_bytes } else { usize::MAX };
    let walk = batch.records(unpacked);
    let mut found = Findings { max_timestamp: NO_TIMESTAMP, is_sequential: true };
    let mut errors = RecordErrors::default();
    for (index, record) in (0..).zip(walk.clone()) {
        let record = match record {
            Ok(record) => record,
            Err(error) => return refuse(ErrorCode::InvalidRecord, error.to_string()),
        };
        if record.body_bytes > max_body {
            let message =
                format!("a record has {} bytes, max.decompressed.message.bytes is {max_body}", record.body_bytes);
            return refuse(ErrorCode::InvalidRecord, message);
        }
        let timestamp = walk.timestamp(&record);
        found.max_timestamp = found.max_timestamp.max(timestamp);
        found.is_sequential &= record.offset_delta == index;
        errors.check(rules, now, &batch.header, index, &record, timestamp);
    }
    errors.into_result().map(|()| found)
}

#[derive(Default)]
struct RecordErrors {
    errors: Vec<RecordError>,
    count: usize,
    any_timestamp: bool,
}

impl RecordErrors {
    fn check(
        &mut self,
        rules: &Rules,
        now: TimestampMs,
        header: &Header,
        index: i32,
        record: &records::Record<'_>,
        timestamp: i64,
    ) {
        if rules.compacted && record.key.is_none() {
            return self.push(index, || "a compacted topic takes no record without a key".to_string());
        }
        // Kafka asks for the range first: a producer's own stamp on a batch passes where a timestamp is in range.
        if rules.timestamp_type == TimestampType::CreateTime && timestamp != NO_TIMESTAMP {
            if out_of_range(rules, now, timestamp) {
                self.any_timestamp = true;
                self.push(index, || describe_range(rules, now, timestamp));
            }
        } else if header.timestamp_type() == TimestampType::LogAppendTime {
            self.any_timestamp = true;
            self.push(index, || "the timestamp type LogAppendTime is the broker's to set".to_string());
        }
    }

    fn push(&mut self, batch_index: i32, message: impl FnOnce() -> String) {
        self.count += 1;
        if self.errors.len() < MAX_RECORD_ERRORS {
            self.errors.push(RecordError { batch_index, message: Some(message()) });
        }
        debug_assert!(self.errors.len() <= MAX_RECORD_ERRORS.min(self.count), "an answer names a bounded number");
    }

    fn into_result(self) -> Result<(), Refused> {
        if self.count == 0 {
            return Ok(());
        }
        let (error, why) = match self.any_timestamp {
            true => (ErrorCode::InvalidTimestamp, "because of their timestamps"),
            false => (ErrorCode::InvalidRecord, "as invalid"),
        };
        Err(Refused {
            error,
            message: format!("{} records of the batch were refused {why}", self.count),
            record_errors: self.errors,
        })
    }
}

fn describe_range(rules: &Rules, now: TimestampMs, timestamp: i64) -> String {
    let earliest = now.0.saturating_sub(rules.timestamp_before_max_ms);
    let latest = now.0.saturating_add(rules.timestamp_after_max_ms);
    format!("the timestamp {timestamp} is not within {earliest} and {latest}")
}

/// The records with offsets that count from 0. Kafka rebuilds such batches too where it packs them anew; else it keeps
/// wrong offsets in an uncompressed batch and fails on a compressed one.
fn renumber(batch: &Batch<'_>, unpacked: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(unpacked.len());
    for (offset_delta, record) in (0..).zip(batch.records(unpacked).flatten()) {
        let headers: Vec<_> = record.headers.iter().collect();
        let renumbered =
            builder::Record { key: record.key, value: record.value, headers: &headers, ..Default::default() };
        builder::write_record(&mut out, offset_delta, record.timestamp_delta, &renumbered);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::batches::Batches;
    use crate::record::builder::{Builder, Options};
    use proptest::prelude::*;

    fn batch(options: Options, keys: &[&str]) -> Vec<u8> {
        let mut builder = Builder::new(options);
        for (timestamp, key) in (1000..).zip(keys) {
            let header = [("h", Some(&b"1"[..])), ("", None)].map(|(k, v)| (k.as_bytes(), v));
            let (timestamp, key) = (TimestampMs(timestamp), (!key.is_empty()).then_some(key.as_bytes()));
            builder.append(&builder::Record { timestamp, key, value: Some(b"value"), headers: &header });
        }
        builder.build()
    }

    fn codec(kind: CompressionType) -> Codec {
        Codec { kind, level: None }
    }

    fn any_kind() -> impl Strategy<Value = CompressionType> {
        (0..5u8).prop_map(|id| CompressionType::from_id(id).unwrap())
    }

    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        Batch::first(bytes).unwrap().unpack(1 << 20).unwrap().into_owned()
    }

    proptest! {
        #[test]
        fn repacking_keeps_every_record(from in any_kind(), to in any_kind(), count in 1..50usize) {
            let options = Options { codec: codec(from), producer_id: 7, producer_epoch: 1, base_sequence: 3, ..Options::default() };
            let sent = batch(options, &vec!["key"; count]);
            let rules = Rules { codec: Some(codec(to)), ..Rules::default() };
            let accepted = validate(&rules, 9, TimestampMs(1000), &sent).unwrap();
            prop_assert_eq!(accepted.header.compression(), Some(to));
            prop_assert_eq!(unpacked(accepted.bytes()), unpacked(&sent));
            let now = Batch::first(accepted.bytes()).unwrap();
            prop_assert!(now.is_intact());
            prop_assert_eq!((now.header.producer_id, now.header.base_sequence), (7, 3));
        }

        #[test]
        fn changed_bytes_are_refused_or_sound(
            kind in any_kind(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in proptest::option::of(any::<prop::sample::Index>()),
            mend: bool,
            compacted: bool,
            to in proptest::option::of(any_kind()),
        ) {
            let mut sent = batch(Options { codec: codec(kind), ..Options::default() }, &["a", "b", "c"]);
            for (at, byte) in changes {
                let at = at.index(sent.len());
                sent[at] = byte;
            }
            if let Some(cut) = cut {
                sent.truncate(cut.index(sent.len()));
            }
            if mend && sent.len() >= header::HEADER_SIZE {
                header::write_checksum(&mut sent);
            }
            let rules = Rules { deep: true, compacted, codec: to.map(codec), ..Rules::default() };
            if let Ok(accepted) = validate(&rules, 9, TimestampMs(1000), &sent) {
                let mut stored = accepted.bytes().to_vec();
                accepted.stamp(&mut stored);
                let batch = Batches::new(&stored).next().unwrap().unwrap();
                prop_assert!(batch.is_intact());
                let payload = batch.unpack(1 << 20).unwrap();
                let records: Result<Vec<_>, _> = batch.records(&payload).collect();
                prop_assert_eq!(records.unwrap().len(), batch.header.records_count as usize);
            }
            let _ = validate(&Rules::default(), 3, TimestampMs(1000), &sent);
        }

        #[test]
        fn any_bytes_are_refused(bytes: Vec<u8>) {
            let rules = Rules { deep: true, ..Rules::default() };
            let is_refused = validate(&rules, 9, TimestampMs(0), &bytes).is_err();
            prop_assert!(is_refused);
        }
    }

    #[test]
    fn limits_hold_before_and_after_repacking() {
        let value = vec![0; 100_000];
        let mut builder = Builder::new(Options { codec: codec(CompressionType::Zstd), ..Options::default() });
        builder.append(&builder::Record { value: Some(&value), ..Default::default() });
        let sent = builder.build();
        let ask =
            |rules: Rules| validate(&rules, 9, TimestampMs(0), &sent).map(|a| a.bytes().len()).map_err(|r| r.error);
        assert_eq!(ask(Rules { max_message_bytes: sent.len(), ..Rules::default() }), Ok(sent.len()));
        assert_eq!(
            ask(Rules { max_message_bytes: sent.len() - 1, ..Rules::default() }),
            Err(ErrorCode::MessageTooLarge)
        );
        assert_eq!(
            ask(Rules { segment_bytes: sent.len() - 1, ..Rules::default() }),
            Err(ErrorCode::RecordListTooLarge)
        );
        let to_none = Rules { codec: Some(Codec::NONE), max_message_bytes: 99_999, ..Rules::default() };
        assert_eq!(ask(to_none), Err(ErrorCode::MessageTooLarge));
        let record = Rules { max_decompressed_message_bytes: 99_999, ..Rules::default() };
        assert_eq!(ask(record), Err(ErrorCode::InvalidRecord));
        let record = Rules { max_decompressed_message_bytes: 100_100, ..Rules::default() };
        assert_eq!(ask(record), Ok(sent.len()));
        let limited = Rules { deep: true, max_unpacked_bytes: 99_999, ..Rules::default() };
        assert_eq!(ask(limited), Err(ErrorCode::MessageTooLarge));
    }

    #[test]
    fn offsets_are_renumbered() {
        let mut builder = Builder::new(Options::default());
        builder.append_at(0, &builder::Record { key: Some(b"a"), ..Default::default() });
        builder.append_at(1, &builder::Record { key: Some(b"b"), ..Default::default() });
        let good = builder.build();
        let mut sent = good.clone();
        let second = sent.len() - 5;
        assert_eq!(sent[second], 2);
        sent[second] = 10;
        header::write_checksum(&mut sent);
        let accepted = validate(&Rules { deep: true, ..Rules::default() }, 9, TimestampMs(0), &sent).unwrap();
        let mut stored = accepted.bytes().to_vec();
        header::assign(&mut stored, crate::model::Offset(0), crate::model::LeaderEpoch(-1));
        assert_eq!(stored, good);
    }

    #[test]
    fn no_more_records_are_named_than_the_limit() {
        let sent = batch(Options::default(), &vec![""; MAX_RECORD_ERRORS + 5]);
        let refused = validate(&Rules { compacted: true, ..Rules::default() }, 9, TimestampMs(0), &sent).unwrap_err();
        assert_eq!(refused.error, ErrorCode::InvalidRecord);
        assert_eq!(refused.record_errors.len(), MAX_RECORD_ERRORS);
        assert!(refused.message.contains("10005"));
    }

    #[test]
    fn the_usual_batch_is_taken_as_it_is() {
        let sent = batch(Options::default(), &["a"]);
        let accepted = validate(&Rules::default(), 9, TimestampMs(1000), &sent).unwrap();
        assert!(matches!(accepted.bytes, Cow::Borrowed(_)) && !accepted.is_stamped);
        assert_eq!(accepted.header.timestamp_type(), TimestampType::CreateTime);
        let append = Rules { timestamp_type: TimestampType::LogAppendTime, ..Rules::default() };
        let accepted = validate(&append, 9, TimestampMs(1000), &sent).unwrap();
        assert!(matches!(accepted.bytes, Cow::Borrowed(_)) && accepted.is_stamped);
        let stamped = (accepted.header.timestamp_type(), accepted.header.max_timestamp);
        assert_eq!(stamped, (TimestampType::LogAppendTime, 1000));
    }
}
