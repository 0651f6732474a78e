//! The 27 records of `__cluster_metadata`, and the frame around each one in a record's value.
//!
//! Generated from `src/codec/schema/metadata.klamm`. The frame: unsigned varints of the frame's version (1), the
//! record's type and its version, then the record, and nothing behind it (Kafka's `MetadataRecordSerde`).

use crate::codec::generated::*;

/// The one frame that released brokers write; 0 was that of the 2.8 preview.
pub const FRAME_VERSION: u32 = 1;

include!(concat!(env!("OUT_DIR"), "/metadata.rs"));

impl<'a> Record<'a> {
    /// Reads a record's value: the record and the version it was written in.
    pub fn decode(frame: &'a [u8]) -> Result<(Record<'a>, i16), DecodeError> {
        let mut reader = Reader::new(frame);
        if reader.uvarint("Frame.FrameVersion")? != FRAME_VERSION {
            return Err(reader.error(DecodeErrorKind::Version, "Frame.FrameVersion"));
        }
        let unknown = |reader: &Reader<'_>, kind, field| Err(reader.error(kind, field));
        let Ok(type_id) = i16::try_from(reader.uvarint("Frame.ApiKey")?) else {
            return unknown(&reader, DecodeErrorKind::Type, "Frame.ApiKey");
        };
        let Ok(version) = i16::try_from(reader.uvarint("Frame.Version")?) else {
            return unknown(&reader, DecodeErrorKind::Version, "Frame.Version");
        };
        match Record::read(type_id, version, &mut reader)? {
            Some(record) => {
                reader.finish("Frame")?;
                Ok((record, version))
            }
            None => unknown(&reader, DecodeErrorKind::Type, "Frame.ApiKey"),
        }
    }

    /// Appends the record's value: the frame and the record in this version.
    pub fn encode(&self, out: &mut Vec<u8>, version: i16) -> Result<(), EncodeError> {
        let mut counter = Counter::default();
        self.write_frame(&mut counter, version);
        out.reserve(counter.finish()?);
        self.write_frame(&mut Buffer::new(out), version);
        Ok(())
    }

    fn write_frame<S: Sink>(&self, sink: &mut S, version: i16) {
        sink.uvarint(FRAME_VERSION);
        sink.uvarint(self.type_id() as u32);
        sink.uvarint(version as u32);
        self.write(sink, version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Record<'static> {
        Record::Topic(TopicRecord { name: "stream".into(), topic_id: Uuid::ONE })
    }

    #[test]
    fn a_record_comes_back_out_of_its_frame() {
        let mut frame = Vec::new();
        topic().encode(&mut frame, 0).unwrap();
        assert_eq!(frame[..3], [FRAME_VERSION as u8, 2, 0]);
        assert_eq!(Record::decode(&frame), Ok((topic(), 0)));
        assert_eq!((topic().type_id(), topic().max_version()), (2, 0));
    }

    #[test]
    fn wrong_frames_say_why() {
        let mut frame = Vec::new();
        topic().encode(&mut frame, 0).unwrap();
        let kind = |frame: &[u8]| Record::decode(frame).unwrap_err().kind;
        assert_eq!(kind(&[0, 2, 0]), DecodeErrorKind::Version, "the preview's frame");
        assert_eq!(kind(&[1, 6, 0]), DecodeErrorKind::Type, "a number without a record");
        assert_eq!(kind(&[1, 2, 1]), DecodeErrorKind::Version);
        assert_eq!(kind(&[1, 0x80, 0x80, 0x04, 0]), DecodeErrorKind::Type, "beyond 16 bits");
        assert_eq!(kind(&[&frame[..], &[0]].concat()), DecodeErrorKind::Trailing);
        for cut in 0..frame.len() {
            assert_eq!(kind(&frame[..cut]), DecodeErrorKind::Truncated);
        }
        let error = topic().encode(&mut frame, 1).unwrap_err();
        assert_eq!((error.kind, error.field), (EncodeErrorKind::Version, "TopicRecord"));
    }
}
