//! Record batches with keys, headers and codecs: every field of one that is sent can be wrong, and every field of one that
//! was read can be seen.

use crate::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::compression::{Compressor, Decompressor, Gzip, Lz4, Snappy, Zstd};

pub const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
/// Bits of the attributes of a batch.
const CODEC: i16 = 7;
const LOG_APPEND_TIME: i16 = 8;
pub const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;
/// Base offset and length.
const PREFIX_BYTES: usize = 12;
const HEADER_BYTES: usize = 61;

#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A batch to send. What is `None` is computed.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub records: Vec<Record>,
    pub codec: i16,
    pub attributes: i16,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub magic: i8,
    pub base_offset: i64,
    pub crc_error: u32,
    pub length_error: i32,
    pub count: Option<i32>,
    pub last_offset_delta: Option<i32>,
    pub max_timestamp: Option<i64>,
    /// Bytes instead of the records.
    pub payload: Option<Vec<u8>>,
}

impl Default for Outgoing {
    fn default() -> Outgoing {
        Outgoing {
            records: Vec::new(),
            codec: 0,
            attributes: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            magic: 2,
            base_offset: 0,
            crc_error: 0,
            length_error: 0,
            count: None,
            last_offset_delta: None,
            max_timestamp: None,
            payload: None,
        }
    }
}

impl Outgoing {
    pub fn encode(&self) -> Result<Vec<u8>> {
        let base_timestamp = self.records.first().map_or(-1, |record| record.timestamp);
        let max = self.records.iter().map(|record| record.timestamp).max().unwrap_or(-1);
        let mut payload = Vec::new();
        for (delta, record) in self.records.iter().enumerate() {
            payload.extend(encode_record(record, delta as i64, base_timestamp));
        }
        let payload = match &self.payload {
            Some(bytes) => bytes.clone(),
            None => compress(self.codec, &payload)?,
        };
        let mut checked = (self.attributes | self.codec).to_be_bytes().to_vec();
        let last = self.last_offset_delta.unwrap_or(self.records.len() as i32 - 1);
        checked.extend(last.to_be_bytes());
        checked.extend(base_timestamp.to_be_bytes());
        checked.extend(self.max_timestamp.unwrap_or(max).to_be_bytes());
        checked.extend(self.producer_id.to_be_bytes());
        checked.extend(self.producer_epoch.to_be_bytes());
        checked.extend(self.base_sequence.to_be_bytes());
        checked.extend(self.count.unwrap_or(self.records.len() as i32).to_be_bytes());
        checked.extend(payload);
        let mut bytes = self.base_offset.to_be_bytes().to_vec();
        bytes.extend((9 + checked.len() as i32 + self.length_error).to_be_bytes());
        bytes.extend((-1_i32).to_be_bytes());
        bytes.push(self.magic as u8);
        bytes.extend((crc32c::crc32c(&checked) ^ self.crc_error).to_be_bytes());
        bytes.extend(checked);
        Ok(bytes)
    }
}

fn encode_record(record: &Record, offset_delta: i64, base_timestamp: i64) -> Vec<u8> {
    let mut inner = vec![0];
    put_varint(&mut inner, record.timestamp - base_timestamp);
    put_varint(&mut inner, offset_delta);
    put_bytes(&mut inner, record.key.as_deref());
    put_bytes(&mut inner, record.value.as_deref());
    put_varint(&mut inner, record.headers.len() as i64);
    for (name, value) in &record.headers {
        put_bytes(&mut inner, Some(name.as_bytes()));
        put_bytes(&mut inner, value.as_deref());
    }
    let mut bytes = Vec::new();
    put_varint(&mut bytes, inner.len() as i64);
    bytes.extend(inner);
    bytes
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend(bytes.unwrap_or_default());
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn compress(codec: i16, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = BytesMut::new();
    let fill = |buffer: &mut BytesMut| {
        buffer.extend_from_slice(bytes);
        Ok(())
    };
    match codec {
        1 => Gzip::compress(&mut out, fill)?,
        2 => Snappy::compress(&mut out, fill)?,
        3 => Lz4::compress(&mut out, fill)?,
        4 => Zstd::compress(&mut out, fill)?,
        _ => out.extend_from_slice(bytes),
    }
    Ok(out.to_vec())
}

fn decompress(codec: i16, mut bytes: Bytes) -> Result<Bytes> {
    let take = |buffer: &mut Bytes| Ok(buffer.split_off(0));
    Ok(match codec {
        0 => bytes,
        1 => Gzip::decompress(&mut bytes, take)?,
        2 => Snappy::decompress(&mut bytes, take)?,
        3 => Lz4::decompress(&mut bytes, take)?,
        4 => Zstd::decompress(&mut bytes, take)?,
        other => bail!("codec {other}"),
    })
}

/// A batch that was read.
pub struct Incoming {
    pub base_offset: i64,
    pub last_offset: i64,
    pub leader_epoch: i32,
    pub attributes: i16,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub size_bytes: usize,
    /// With their offsets.
    pub records: Vec<(i64, Record)>,
}

impl Incoming {
    /// The first batch of these bytes; the bytes behind it remain. `None` where it is cut.
    pub fn take(bytes: &mut Bytes) -> Result<Option<Incoming>> {
        if bytes.len() < HEADER_BYTES {
            return Ok(None);
        }
        let size_bytes = PREFIX_BYTES + u32::from_be_bytes(bytes[8..12].try_into()?) as usize;
        if bytes.len() < size_bytes {
            return Ok(None);
        }
        let mut batch = bytes.split_to(size_bytes);
        let base_offset = batch.get_i64();
        batch.advance(4);
        let leader_epoch = batch.get_i32();
        ensure!(batch.get_i8() == 2, "magic is not 2");
        ensure!(batch.get_u32() == crc32c::crc32c(&batch), "the checksum of the batch at {base_offset} is wrong");
        let attributes = batch.get_i16();
        let last_offset = base_offset + i64::from(batch.get_i32());
        let (base_timestamp, max_timestamp) = (batch.get_i64(), batch.get_i64());
        let (producer_id, producer_epoch, base_sequence) = (batch.get_i64(), batch.get_i16(), batch.get_i32());
        let count = batch.get_i32();
        let mut rest = decompress(attributes & CODEC, batch)?;
        let mut records = Vec::new();
        for _ in 0..count {
            records.push(take_record(&mut rest, base_offset, base_timestamp).context("a record")?);
        }
        ensure!(rest.is_empty(), "{} bytes behind the records at {base_offset}", rest.len());
        if attributes & LOG_APPEND_TIME != 0 {
            records.iter_mut().for_each(|(_, record)| record.timestamp = max_timestamp);
        }
        let (leader_epoch, attributes) = (leader_epoch, attributes);
        Ok(Some(Incoming {
            base_offset,
            last_offset,
            leader_epoch,
            attributes,
            base_timestamp,
            max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            size_bytes,
            records,
        }))
    }

    /// The attributes in words.
    pub fn kind(&self) -> String {
        let mut words = vec![CODECS.get((self.attributes & CODEC) as usize).copied().unwrap_or("?")];
        let flags = [
            (LOG_APPEND_TIME, "append-time"),
            (TRANSACTIONAL, "transactional"),
            (CONTROL, "control"),
            (DELETE_HORIZON, "horizon"),
        ];
        words.extend(flags.iter().filter(|(bit, _)| self.attributes & bit != 0).map(|(_, word)| word));
        words.join(",")
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub fn is_compressed(&self) -> bool {
        self.attributes & CODEC != 0
    }
}

fn take_record(bytes: &mut Bytes, base_offset: i64, base_timestamp: i64) -> Result<(i64, Record)> {
    let size = take_varint(bytes)?;
    ensure!(size >= 0 && size as usize <= bytes.len(), "a record of {size} bytes");
    let mut record = bytes.split_to(size as usize);
    record.advance(1);
    let timestamp = base_timestamp + take_varint(&mut record)?;
    let offset = base_offset + take_varint(&mut record)?;
    let (key, value) = (take_bytes(&mut record)?, take_bytes(&mut record)?);
    let mut headers = Vec::new();
    for _ in 0..take_varint(&mut record)? {
        let name = take_bytes(&mut record)?.context("a header without a name")?;
        headers.push((String::from_utf8(name)?, take_bytes(&mut record)?));
    }
    ensure!(record.is_empty(), "bytes behind the headers");
    Ok((offset, Record { timestamp, key, value, headers }))
}

fn take_bytes(bytes: &mut Bytes) -> Result<Option<Vec<u8>>> {
    let size = take_varint(bytes)?;
    if size < 0 {
        return Ok(None);
    }
    ensure!(size as usize <= bytes.len(), "{size} bytes");
    Ok(Some(bytes.split_to(size as usize).to_vec()))
}

fn take_varint(bytes: &mut Bytes) -> Result<i64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        ensure!(bytes.has_remaining() && shift < 64, "a varint without end");
        let byte = bytes.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
}
