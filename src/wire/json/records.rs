//! Records of a log as JSON, for people who look at a topic: the newest of some batches, within bounds.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::budget::MOST_UNPACKED_BYTES;
use super::text_or_base64;
use crate::record::batches::{Batch, Batches};
use crate::record::control::ControlType;
use crate::record::header::Header;
use crate::record::records::Record;

/// Bytes of one key or value that are shown; of a longer one its beginning.
const MOST_FIELD_BYTES: usize = 16 << 10;
/// Bytes of keys, values and headers that are shown together.
const MOST_SHOWN_BYTES: usize = 4 << 20;
/// Headers of one record that are shown.
const MOST_HEADERS: usize = 100;

/// Which records are wanted.
pub struct RecordsWanted<'a> {
    /// The offsets that are wanted.
    pub offsets: Range<i64>,
    /// So many at most.
    pub limit: usize,
    /// Texts that are objects or arrays of JSON are shown as these.
    pub as_json: bool,
    /// What became of the transaction of a record, by its offset.
    pub transaction: &'a dyn Fn(i64) -> &'static str,
}

/// The records of whole batches, the newest first, and whether some that are wanted are not among them. What cannot be read
/// is an element that says so.
pub fn show_newest(batches: &[u8], wanted: &RecordsWanted<'_>) -> (Vec<Value>, bool) {
    let mut newest =
        Newest { wanted, shown: Vec::new(), left_bytes: MOST_SHOWN_BYTES, unpacked_bytes: MOST_UNPACKED_BYTES };
    let found: Vec<_> = Batches::new(batches).collect();
    for batch in found.iter().rev() {
        let is_all = match batch {
            Ok(batch) => newest.batch(batch),
            Err(error) => newest.push(json!({ "error": error.to_string() }), 0),
        };
        if !is_all {
            return (newest.shown, true);
        }
    }
    (newest.shown, false)
}

struct Newest<'a> {
    wanted: &'a RecordsWanted<'a>,
    shown: Vec<Value>,
    left_bytes: usize,
    unpacked_bytes: usize,
}

impl Newest<'_> {
    /// `false`: it is not shown, and nothing behind it.
    fn push(&mut self, record: Value, size_bytes: usize) -> bool {
        let has_room = self.shown.len() < self.wanted.limit && size_bytes <= self.left_bytes;
        if has_room {
            self.left_bytes -= size_bytes;
            self.shown.push(record);
        }
        has_room
    }

    fn batch(&mut self, batch: &Batch<'_>) -> bool {
        let unpacked = match batch.unpack(self.unpacked_bytes) {
            Ok(unpacked) => unpacked,
            Err(error) => {
                let sentence = format!("its {} records cannot be shown: {error}", batch.header.records_count);
                return self.push(json!({ "offset": batch.header.base_offset, "error": sentence }), 0);
            }
        };
        self.unpacked_bytes -= unpacked.len();
        let records = batch.records(&unpacked);
        let places = records.clone();
        let mut found = Vec::new();
        for record in records {
            match record {
                Ok(record) => found.push(record),
                Err(error) => return self.push(json!({ "error": error.to_string() }), 0),
            }
        }
        found.iter().rev().filter(|record| self.wanted.offsets.contains(&places.offset(record))).all(|record| {
            let (offset, timestamp) = (places.offset(record), places.timestamp(record));
            let (shown, size_bytes) = self.record(&batch.header, record, offset, timestamp);
            self.push(shown, size_bytes)
        })
    }

    fn record(&self, batch: &Header, record: &Record<'_>, offset: i64, timestamp: i64) -> (Value, usize) {
        let mut size_bytes = 0;
        let mut field = |of: &[u8]| {
            size_bytes += of.len().min(MOST_FIELD_BYTES);
            self.field(of)
        };
        let mut shown = json!({ "offset": offset, "timestamp": timestamp, "bytes": record.body_bytes });
        if batch.is_control() {
            let kind = record.key.and_then(ControlType::from_key);
            shown["control"] = kind.map_or_else(|| "unknown".into(), |kind| format!("{kind:?}").into());
        } else {
            shown["key"] = record.key.map(&mut field).into();
            shown["value"] = record.value.map(&mut field).into();
            let headers = record.headers.iter().take(MOST_HEADERS);
            shown["headers"] = headers.map(|(key, value)| json!([field(key), value.map(&mut field)])).collect();
            let more = record.headers.count().saturating_sub(MOST_HEADERS);
            if more > 0 {
                shown["more_headers"] = more.into();
            }
        }
        if batch.has_producer_id() {
            shown["producer_id"] = batch.producer_id.into();
        }
        if batch.is_transactional() && !batch.is_control() {
            shown["transaction"] = (self.wanted.transaction)(offset).into();
        }
        (shown, size_bytes)
    }

    fn field(&self, of: &[u8]) -> Value {
        if of.len() > MOST_FIELD_BYTES {
            let end = (0..=MOST_FIELD_BYTES).rev().take(4).find(|end| str::from_utf8(&of[..*end]).is_ok());
            let begin = &of[..end.unwrap_or(MOST_FIELD_BYTES)];
            return json!({ "bytes": of.len(), "begin": text_or_base64(begin) });
        }
        let first = of.iter().find(|byte| !byte.is_ascii_whitespace());
        if self.wanted.as_json
            && matches!(first, Some(b'{' | b'['))
            && let Ok(value) = serde_json::from_slice::<Value>(of)
        {
            return Value::Object(Map::from_iter([("json".to_string(), value)]));
        }
        text_or_base64(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CompressionType;
    use crate::record::builder::{Builder, Codec, Options, Record as Built};

    fn batch(base_offset: i64, values: &[&[u8]], kind: CompressionType) -> Vec<u8> {
        let mut builder = Builder::new(Options { codec: Codec { kind, level: None }, ..Options::default() });
        for value in values {
            builder.append(&Built { key: Some(b"k"), value: Some(value), ..Built::default() });
        }
        let mut bytes = builder.build();
        bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
        bytes
    }

    fn shown(batches: &[u8], from: i64, limit: usize, as_json: bool) -> (Vec<Value>, bool) {
        show_newest(batches, &RecordsWanted { offsets: from..i64::MAX, limit, as_json, transaction: &|_| "open" })
    }

    #[test]
    fn the_newest_come_first_and_the_bounds_hold() {
        let packed = batch(10, &[b"a", b"{\"n\":1}", b"\xff\x00"], CompressionType::Zstd);
        let batches = [packed, batch(13, &[b"d"], CompressionType::None)].concat();
        let offsets = |(records, cut): (Vec<Value>, bool)| {
            (records.iter().map(|record| record["offset"].as_i64().unwrap()).collect::<Vec<_>>(), cut)
        };
        assert_eq!(offsets(shown(&batches, 0, 9, false)), (vec![13, 12, 11, 10], false));
        assert_eq!(offsets(shown(&batches, 11, 9, false)), (vec![13, 12, 11], false));
        assert_eq!(offsets(shown(&batches, 0, 2, false)), (vec![13, 12], true));
        let (records, _) = shown(&batches, 0, 9, true);
        assert_eq!(
            (&records[1]["value"], &records[2]["value"]),
            (&json!({ "base64": "/wA=" }), &json!({ "json": { "n": 1 } }))
        );
        assert_eq!(shown(&batches, 0, 9, false).0[2]["value"], "{\"n\":1}");
    }

    #[test]
    fn long_values_show_their_beginning_and_much_is_cut() {
        let long = "é".repeat(MOST_FIELD_BYTES);
        let (records, _) = shown(&batch(0, &[long.as_bytes()], CompressionType::None), 0, 9, true);
        assert_eq!(records[0]["value"]["bytes"], long.len());
        assert_eq!(records[0]["value"]["begin"].as_str().map(str::len), Some(MOST_FIELD_BYTES));
        let whole = vec![b'x'; MOST_FIELD_BYTES];
        let many = vec![&whole[..]; MOST_SHOWN_BYTES / MOST_FIELD_BYTES + 5];
        let (records, is_cut) = shown(&batch(0, &many, CompressionType::None), 0, 10_000, false);
        assert!(is_cut && records.len() < many.len() && records.len() > 200, "{}", records.len());
        let zeros = vec![0; MOST_UNPACKED_BYTES];
        let (records, _) = shown(&batch(0, &[&zeros], CompressionType::Zstd), 0, 9, false);
        assert!(records[0]["error"].is_string(), "what is small when it is packed may be large");
        assert!(
            shown(b"no batch at all, but bytes enough for one, so it seems to be", 0, 9, false).0[0]["error"]
                .is_string()
        );
    }
}
