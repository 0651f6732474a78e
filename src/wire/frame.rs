//! Frames of the byte stream: four bytes of size, then so many bytes. Pure; who reads and writes the bytes is no matter
//! here.

use super::api::Description;
use super::header;
use crate::codec::{Buffer, Counter, EncodeError, EncodeErrorKind, Message, Sink, ToldErrors};

/// Bytes of the size in front of a frame.
pub const SIZE_BYTES: usize = 4;

/// What stands at the front of received bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Split<'a> {
    /// A whole frame, without its size. It took [`SIZE_BYTES`] more from the stream.
    Complete(&'a [u8]),
    /// So many bytes more are needed for the next step: the size, or all of the frame.
    Need(usize),
    /// No frame: the stream is not of this protocol, or the sender ignores the limit. There is no way to go on.
    Bad(BadSize),
}

/// A size that cannot be accepted, as it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadSize {
    pub size: i32,
    pub max_size_bytes: usize,
}

impl std::fmt::Display for BadSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.size {
            ..0 => write!(f, "a frame of negative size {}", self.size),
            size => write!(f, "a frame of {size} bytes, the limit being {}", self.max_size_bytes),
        }
    }
}

impl std::error::Error for BadSize {}

/// Looks at the front of `bytes`. `max_size_bytes` is `socket.request.max.bytes`; the size is judged as soon as its
/// four bytes are there.
pub fn split(bytes: &[u8], max_size_bytes: usize) -> Split<'_> {
    let Some((size, rest)) = bytes.split_first_chunk::<SIZE_BYTES>() else {
        return Split::Need(SIZE_BYTES - bytes.len());
    };
    let size = i32::from_be_bytes(*size);
    match usize::try_from(size) {
        Ok(length) if length <= max_size_bytes => match rest.get(..length) {
            Some(frame) => Split::Complete(frame),
            None => Split::Need(length - rest.len()),
        },
        _ => Split::Bad(BadSize { size, max_size_bytes }),
    }
}

/// Appends a whole frame, size included: a header and a body; answers the error codes in it. Nothing is appended in case of
/// an error.
pub fn append<'h, 'b>(
    out: &mut Vec<u8>,
    header: (&impl Message<'h>, i16),
    body: (&impl Message<'b>, i16),
) -> Result<ToldErrors, EncodeError> {
    append_within(out, header, body, usize::MAX)
}

/// The same, if the frame behind its size is not larger than this. Of a larger one nothing is reserved.
fn append_within<'h, 'b>(
    out: &mut Vec<u8>,
    (header, header_version): (&impl Message<'h>, i16),
    (body, version): (&impl Message<'b>, i16),
    max_size_bytes: usize,
) -> Result<ToldErrors, EncodeError> {
    let mut counter = Counter::default();
    header.write(&mut counter, header_version);
    body.write(&mut counter, version);
    let size = counter.finish()?;
    if size > max_size_bytes {
        return Err(EncodeError { kind: EncodeErrorKind::TooLarge, field: "frame" });
    }
    out.reserve(SIZE_BYTES + size);
    let mut buffer = Buffer::new(out);
    buffer.length(false, size, "frame");
    header.write(&mut buffer, header_version);
    body.write(&mut buffer, version);
    Ok(buffer.into_errors())
}

/// Appends a request's frame. `version` is that of the body.
pub fn append_request<'b>(
    out: &mut Vec<u8>,
    description: &Description,
    (correlation_id, client_id): (i32, &str),
    body: &impl Message<'b>,
    version: i16,
) -> Result<(), EncodeError> {
    let header = header::RequestHeader {
        request_api_key: description.key.id(),
        request_api_version: version,
        correlation_id,
        client_id: Some(client_id.into()),
    };
    append(out, (&header, description.request_header_version(version)), (body, version)).map(drop)
}

/// Appends a response's frame. `version` is that of the body.
pub fn append_response<'b>(
    out: &mut Vec<u8>,
    description: &Description,
    correlation_id: i32,
    body: &impl Message<'b>,
    version: i16,
) -> Result<ToldErrors, EncodeError> {
    append_response_within(out, description, correlation_id, (body, version), usize::MAX)
}

/// The same, if the frame behind its size is not larger than this.
pub fn append_response_within<'b>(
    out: &mut Vec<u8>,
    description: &Description,
    correlation_id: i32,
    (body, version): (&impl Message<'b>, i16),
    max_size_bytes: usize,
) -> Result<ToldErrors, EncodeError> {
    let header = (&header::ResponseHeader { correlation_id }, description.response_header_version(version));
    append_within(out, header, (body, version), max_size_bytes)
}

/// Writes the tagged fields of a response that has one at most: an array under tag 0, which is left out where it is empty.
pub(super) fn tagged_array<'m, M: Message<'m>>(
    sink: &mut impl Sink,
    elements: &[M],
    version: i16,
    field: &'static str,
) {
    if elements.is_empty() {
        return sink.uvarint(0);
    }
    let mut content = Vec::new();
    let mut buffer = Buffer::new(&mut content);
    buffer.length(true, elements.len(), field);
    for element in elements {
        match element.size_bytes(version) {
            Ok(_) => element.write(&mut buffer, version),
            Err(error) => sink.fail(error.kind, error.field),
        }
    }
    sink.uvarint(1);
    sink.tag(0, content.len(), field);
    sink.put(&content);
}

/// A response's frame that is written in one go, without counting its bytes first.
pub(super) struct Frame<'o> {
    out: &'o mut Vec<u8>,
    /// Where the frame begins in `out`.
    start: usize,
    error: Option<EncodeError>,
    errors: ToldErrors,
}

impl<'o> Frame<'o> {
    /// Writes room for the size, and the header.
    pub(super) fn begin(out: &'o mut Vec<u8>, correlation_id: i32, header_version: i16) -> Frame<'o> {
        let start = out.len();
        let mut frame = Frame { out, start, error: None, errors: ToldErrors::default() };
        frame.i32(0);
        header::ResponseHeader { correlation_id }.write(&mut frame, header_version);
        frame
    }

    /// Writes the size; answers the error codes in the frame. In case of an error nothing is left of it; `name` is that of the
    /// message.
    pub(super) fn finish(self, name: &'static str) -> Result<ToldErrors, EncodeError> {
        let Frame { out, start, error, errors } = self;
        let size = i32::try_from(out.len() - start - SIZE_BYTES);
        let error = match (error, size) {
            (None, Ok(size)) => {
                out[start..start + SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
                return Ok(errors);
            }
            (Some(error), _) => error,
            (None, Err(_)) => EncodeError { kind: EncodeErrorKind::TooLong, field: name },
        };
        out.truncate(start);
        Err(error)
    }
}

impl Sink for Frame<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn error_code(&mut self, code: i16) {
        self.errors.note(code);
        self.i16(code);
    }

    fn fail(&mut self, kind: EncodeErrorKind, field: &'static str) {
        self.error.get_or_insert(EncodeError { kind, field });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ApiKey;
    use crate::wire::api;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_judged_at_once() {
        assert_eq!(split(b"", 9), Split::Need(4));
        assert_eq!(split(b"\0\0\0", 9), Split::Need(1));
        assert_eq!(split(b"\0\0\0\x02a", 9), Split::Need(1));
        assert_eq!(split(b"\0\0\0\x02abc", 9), Split::Complete(b"ab"));
        assert_eq!(split(b"\0\0\0\0", 9), Split::Complete(b""));
        for size in [-1, i32::MIN, 10, i32::MAX] {
            assert_eq!(split(&size.to_be_bytes(), 9), Split::Bad(BadSize { size, max_size_bytes: 9 }));
        }
    }

    proptest! {
        #[test]
        fn a_stream_of_frames_comes_apart_again(frames: Vec<Vec<u8>>) {
            let whole = |f: &Vec<u8>| [&(f.len() as i32).to_be_bytes(), f.as_slice()].concat();
            let stream: Vec<u8> = frames.iter().flat_map(whole).collect();
            let mut rest = stream.as_slice();
            for frame in &frames {
                prop_assert_eq!(split(rest, 1 << 20), Split::Complete(frame));
                rest = &rest[SIZE_BYTES + frame.len()..];
            }
            prop_assert_eq!(split(rest, 1 << 20), Split::Need(SIZE_BYTES));
        }
    }

    #[test]
    fn a_request_has_its_header() {
        let heartbeat = api::describe(ApiKey::Heartbeat).unwrap();
        let body = api::heartbeat::Request { generation_id: 1, ..Default::default() };
        let mut out = Vec::new();
        append_request(&mut out, heartbeat, (7, "c"), &body, 0).unwrap();
        assert_eq!(out, b"\0\0\0\x13\0\x0c\0\0\0\0\0\x07\0\x01c\0\0\0\0\0\x01\0\0");
        out.clear();
        append_request(&mut out, heartbeat, (7, "c"), &body, 4).unwrap();
        assert_eq!(out, b"\0\0\0\x14\0\x0c\0\x04\0\0\0\x07\0\x01c\0\x01\0\0\0\x01\x01\0\0");
    }

    #[test]
    fn a_response_has_its_header() {
        let heartbeat = api::describe(ApiKey::Heartbeat).unwrap();
        let body = api::heartbeat::Response { throttle_time_ms: 1, error_code: 2 };
        let mut out = Vec::new();
        append_response(&mut out, heartbeat, 7, &body, 3).unwrap();
        assert_eq!(out, b"\0\0\0\x0a\0\0\0\x07\0\0\0\x01\0\x02");
        out.clear();
        append_response(&mut out, heartbeat, 7, &body, 4).unwrap();
        assert_eq!(out, b"\0\0\0\x0c\0\0\0\x07\0\0\0\0\x01\0\x02\0");
    }

    #[test]
    fn of_a_response_above_the_limit_nothing_is_written() {
        let heartbeat = api::describe(ApiKey::Heartbeat).unwrap();
        let body = api::heartbeat::Response::default();
        let mut out = Vec::new();
        let refused = append_response_within(&mut out, heartbeat, 7, (&body, 3), 9);
        assert_eq!(refused, Err(EncodeError { kind: EncodeErrorKind::TooLarge, field: "frame" }));
        assert_eq!(out.capacity(), 0);
        append_response_within(&mut out, heartbeat, 7, (&body, 3), 10).unwrap();
        assert_eq!(out.len(), SIZE_BYTES + 10);
    }
}
