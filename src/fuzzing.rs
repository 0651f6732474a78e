//! What the fuzzers feed (`fuzz/`), and what must hold whatever they feed: one function for each kind of bytes that come
//! from outside. The same functions run in the tests, over `fuzz/corpus` and over changed copies of it.
//!
//! Compiled for tests and with the feature `fuzzing` only.

extern crate self as klamm;

mod acls;
mod frames;
mod logins;
mod quotas;
mod recovery;
mod secured;
#[cfg(test)]
mod tests;
mod tokens;
mod transactions;

use crate::codec::{Message, Reader};
use crate::config::{Config, Layers, properties};
use crate::coordinator::groups::Groups;
use crate::coordinator::machine::{Machine, Producer};
use crate::coordinator::record::offsets::Key;
use crate::metadata::{Image, Record};
use crate::model::{CompressionType, LeaderEpoch, Offset, TimestampMs};
use crate::record::batches::{Batch, Batches};
use crate::record::builder::Codec;
use crate::record::compression::{compress, decompress};
use crate::record::control::{ControlType, EndTxnMarker};
use crate::record::header::{self, HEADER_SIZE, LOG_OVERHEAD, MAGIC_V2};
use crate::record::validate::{Rules, validate};
use crate::wire::header::RequestHeader;
use crate::wire::produce::RequestView;

pub use acls::acls;
pub use frames::{http_bodies, refusals};
pub use logins::{sasl_tokens, scram};
pub use quotas::quota_scripts;
pub use recovery::recovery;
pub use secured::{jaas, principals, short_names, stores, tls_records};
pub use tokens::{jwks, jwts};
pub use transactions::{transaction_records, transaction_requests};

/// How far anything is unpacked here; a megabyte of nothing packs into some hundred bytes.
const MAX_UNPACKED_BYTES: usize = 1 << 20;
const NOW: TimestampMs = TimestampMs(1_767_225_600_000);

/// What takes any bytes at all, and panics where something does not hold.
pub type Entry = fn(&[u8]);

/// The entries, by the name of their fuzz target.
pub const ENTRIES: [(&str, Entry); 23] = [
    ("messages", messages),
    ("batches", batches),
    ("produced", produced),
    ("decompression", decompression),
    ("metadata_records", metadata_records),
    ("group_records", group_records),
    ("transaction_records", transaction_records),
    ("transaction_requests", transaction_requests),
    ("recovery", recovery),
    ("config", config),
    ("acls", acls),
    ("sasl_tokens", sasl_tokens),
    ("scram", scram),
    ("quota_scripts", quota_scripts),
    ("tls_records", tls_records),
    ("stores", stores),
    ("principals", principals),
    ("jaas", jaas),
    ("jwts", jwts),
    ("jwks", jwks),
    ("short_names", short_names),
    ("refusals", refusals),
    ("http_bodies", http_bodies),
];

fn again<'a, M: Message<'a>>(bytes: &'a [u8], version: i16) -> Option<Vec<u8>> {
    let message = M::decode(&mut Reader::new(bytes), version).ok()?;
    let mut out = Vec::new();
    // A version that the message does not have may read what it cannot write.
    message.encode(&mut out, version).ok()?;
    Some(out)
}

include!(concat!(env!("OUT_DIR"), "/every_message.rs"));

type Check = fn(&[u8], i16);

fn checks() -> Vec<Check> {
    let mut all: Vec<Check> = Vec::new();
    macro_rules! one {
        ($name:literal, $type:ty) => {
            all.push(|bytes, version| {
                let Some(once) = again::<$type>(bytes, version) else { return };
                let twice = again::<$type>(&once, version);
                assert_eq!(Some(once), twice, "{} version {version}", $name);
            });
        };
    }
    every_message!(one);
    all.push(|bytes, version| {
        // What the view reads, the table's decoder reads too, and the other way round.
        let view = RequestView::parse(bytes, version).is_ok();
        let table = crate::wire::api::produce::Request::decode(&mut Reader::new(bytes), version).is_ok();
        assert_eq!(view, table, "Produce version {version}");
    });
    all.push(|bytes, version| {
        let _ = RequestHeader::decode(&mut Reader::new(bytes), version.clamp(0, 2));
    });
    all
}

/// Every decoder in every version: two bytes say which, one the version. What is read and written is read as the same.
pub fn messages(data: &[u8]) {
    let [high, low, version, body @ ..] = data else { return };
    let checks = checks();
    let which = usize::from(u16::from_be_bytes([*high, *low])) % checks.len();
    checks[which](body, i16::from(*version % 20));
}

/// Whatever lies in a segment: batches one after the other, and their records.
pub fn batches(data: &[u8]) {
    let mut walked = 0;
    for batch in Batches::new(data).map_while(Result::ok) {
        walked += batch.size_bytes();
        if let Ok(unpacked) = batch.unpack(MAX_UNPACKED_BYTES) {
            assert!(unpacked.len() <= MAX_UNPACKED_BYTES.max(data.len()));
            look_at_records(&batch, &unpacked);
        }
    }
    assert!(walked <= data.len());
}

fn look_at_records(batch: &Batch<'_>, unpacked: &[u8]) -> Option<usize> {
    let mut count = 0;
    for record in batch.records(unpacked) {
        let record = record.ok()?;
        let bytes: usize = record.headers.iter().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len)).sum();
        assert!(bytes <= unpacked.len());
        if let (true, Some(key)) = (batch.header.is_control(), record.key) {
            look_at_control(key, record.value.unwrap_or_default());
        }
        count += 1;
    }
    Some(count)
}

/// A control record; a marker is written and read again as the same.
fn look_at_control(key: &[u8], value: &[u8]) {
    let kind = ControlType::from_key(key);
    let Some(marker) = EndTxnMarker::parse(key, value) else { return };
    assert_eq!(kind, Some(if marker.commit { ControlType::Commit } else { ControlType::Abort }));
    let bytes = marker.batch((1, 2), NOW, Offset(3), LeaderEpoch(4));
    let batch = Batch::first(&bytes).expect("it was just written");
    let record = batch.records(batch.packed_records()).next().expect("there is one").expect("it can be read");
    let (key, value) = (record.key.unwrap_or_default(), record.value.unwrap_or_default());
    assert_eq!(EndTxnMarker::parse(key, value), Some(marker));
}

/// A batch that a producer sent, its length and checksum put right so that more than these is looked at. What is
/// accepted can be read whole, by everybody, and fits the topic's rules.
pub fn produced(data: &[u8]) {
    let [rules, data @ ..] = data else { return };
    let mut bytes = data.to_vec();
    if bytes.len() >= HEADER_SIZE && rules & 0x80 == 0 {
        seal(&mut bytes);
    }
    let codec = CompressionType::from_id(rules >> 3 & 7).map(|kind| Codec { kind, level: None });
    let rules = Rules {
        compacted: rules & 1 != 0,
        deep: rules & 2 != 0,
        codec: codec.filter(|_| rules & 4 != 0),
        max_unpacked_bytes: MAX_UNPACKED_BYTES,
        ..Rules::default()
    };
    let Ok(accepted) = validate(&rules, 13, NOW, &bytes) else { return };
    let mut stored = accepted.bytes().to_vec();
    accepted.stamp(&mut stored);
    let batch = Batch::first(&stored).expect("what is accepted is a batch");
    let sent = Batch::first(&bytes).expect("it was accepted").header.compression();
    let is_repacked = rules.codec.is_some_and(|target| Some(target.kind) != sent);
    // What nothing gives a reason to look into is stored as it came: the producer's checksum vouches for it.
    if !(rules.compacted || rules.deep || is_repacked) {
        return;
    }
    let unpacked = batch.unpack(MAX_UNPACKED_BYTES).expect("it can be unpacked");
    assert_eq!(look_at_records(&batch, &unpacked), Some(accepted.header.records_count as usize));
    let keyless = batch.records(&unpacked).any(|record| record.is_ok_and(|record| record.key.is_none()));
    assert!(!rules.compacted || !keyless || batch.header.is_control(), "no record without a key on a compacted topic");
}

/// Puts the fields right that would end every look too early.
fn seal(bytes: &mut [u8]) {
    bytes[..8].fill(0);
    let length = (bytes.len() - LOG_OVERHEAD) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[16] = MAGIC_V2;
    let crc = header::checksum(bytes);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// Each decompressor: never more than it may, and what was packed here comes out again.
pub fn decompression(data: &[u8]) {
    let [kind, body @ ..] = data else { return };
    let kind = CompressionType::from_id(kind % 5).expect("there are five");
    if let Ok(bytes) = decompress(kind, body, MAX_UNPACKED_BYTES) {
        assert!(bytes.len() <= MAX_UNPACKED_BYTES.max(body.len()));
    }
    let packed = compress(kind, None, body);
    assert_eq!(decompress(kind, &packed, body.len()).expect("it was packed here"), body);
}

/// The parts of an input: two bytes of length each, then so many bytes.
fn parts(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let [high, low, rest @ ..] = data else { return None };
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (part, left) = rest.split_at(length);
        data = left;
        Some(part)
    })
}

/// Records of the metadata log, applied one after the other; what is read and written is read as the same.
pub fn metadata_records(data: &[u8]) {
    let mut image = Image::default();
    for (offset, frame) in parts(data).enumerate() {
        let Ok((record, version)) = Record::decode(frame) else { continue };
        let mut once = Vec::new();
        if record.encode(&mut once, version).is_ok() {
            let (read, _) = Record::decode(&once).expect("what was written can be read");
            let mut twice = Vec::new();
            read.encode(&mut twice, version).expect("and written again");
            assert_eq!(once, twice);
        }
        image.apply(&record, offset as i64);
    }
    assert!(image.topics().all(|topic| image.topic(&topic.name).is_some_and(|found| found.id == topic.id)));
}

/// Records of `__consumer_offsets`: keys and values by turns; where the two are a marker, a transaction ends. A commit counts,
/// or is pending in the transaction of one of three producers.
pub fn group_records(data: &[u8]) {
    let (mut groups, mut key) = (Groups::default(), None);
    let producer = |number: usize| Producer { id: number as i64 % 4, epoch: 0 };
    for part in parts(data) {
        let Some(key) = key.take() else {
            key = Some(part).filter(|part| part.len() == 4 || matches!(Key::decode(part), Ok(Some(_))));
            continue;
        };
        if let Some(marker) = EndTxnMarker::parse(key, part) {
            groups.end_transaction(producer(marker.coordinator_epoch as usize), marker.commit);
            continue;
        }
        let Ok(entry) = Groups::decode(key, Some(part).filter(|part| !part.is_empty())) else { continue };
        let _ = groups.apply(&entry, Some(producer(part.len()).id).filter(|id| *id < 3));
    }
    groups.assert_sound();
    (0..3).for_each(|number| groups.end_transaction(producer(number), number % 2 == 0));
    groups.assert_sound();
}

/// `server.properties`: it is understood or refused with a sentence.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let layers = Layers { file: properties::parse(text), ..Layers::default() };
    match Config::load(&layers) {
        Ok(_) => {}
        Err(invalid) => assert!(!invalid.to_string().is_empty()),
    }
}
