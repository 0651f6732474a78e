//! Whole frames, without the size in front: their headers, then what a client has sent or is told. Errors are sentences.

use serde_json::Value;

use super::{RecordsShown, Side, show, take_apart};
use crate::codec::{Message, Reader};
use crate::model::ApiKey;
use crate::wire::api;
use crate::wire::header::{RequestHeader, ResponseHeader};

/// The largest answer that is put together again, with zeros for the bytes that are in files.
const MOST_ANSWER_BYTES: u64 = 64 << 20;

/// Shows a request for people.
pub fn show_request(api: ApiKey, version: i16, frame: &[u8], records: RecordsShown) -> Result<Value, String> {
    let mut reader = body_of_request(api, version, frame)?;
    show(api, Side::Request, version, &mut reader, records).map_err(|error| error.to_string())
}

/// Takes a request apart, without its records.
pub fn take_request_apart(api: ApiKey, version: i16, frame: &[u8], most_elements: usize) -> Result<Value, String> {
    take_apart(api, Side::Request, version, &mut body_of_request(api, version, frame)?, most_elements)
}

/// Shows an answer for people. `holes`: where so many bytes of files belong, which are not there; then records are left out.
pub fn show_response(
    api: ApiKey,
    version: i16,
    frame: &[u8],
    holes: &[(usize, u64)],
    records: RecordsShown,
) -> Result<Value, String> {
    let records = if holes.is_empty() { records } else { RecordsShown::LeftOut };
    let whole = without_holes(frame, holes)?;
    let (mut reader, _) = body_of_response(api, version, &whole)?;
    show(api, Side::Response, version, &mut reader, records).map_err(|error| error.to_string())
}

/// Takes an answer apart, without its records; tells its correlation id.
pub fn take_response_apart(
    api: ApiKey,
    version: i16,
    frame: &[u8],
    holes: &[(usize, u64)],
    most_elements: usize,
) -> Result<(i32, Value), String> {
    let whole = without_holes(frame, holes)?;
    let (mut reader, correlation_id) = body_of_response(api, version, &whole)?;
    Ok((correlation_id, take_apart(api, Side::Response, version, &mut reader, most_elements)?))
}

fn body_of_request(api: ApiKey, version: i16, frame: &[u8]) -> Result<Reader<'_>, String> {
    let mut reader = Reader::new(frame);
    let description = api::describe(api).ok_or("the API is not described")?;
    let header_version = description.request_header_version(version);
    RequestHeader::decode(&mut reader, header_version).map_err(|error| error.to_string())?;
    Ok(reader)
}

fn body_of_response(api: ApiKey, version: i16, frame: &[u8]) -> Result<(Reader<'_>, i32), String> {
    let mut reader = Reader::new(frame);
    let description = api::describe(api).ok_or("the API is not described")?;
    let header_version = description.response_header_version(version);
    let header = ResponseHeader::decode(&mut reader, header_version).map_err(|error| error.to_string())?;
    Ok((reader, header.correlation_id))
}

/// The frame with zeros for the bytes that are in files.
fn without_holes(frame: &[u8], holes: &[(usize, u64)]) -> Result<Vec<u8>, String> {
    let in_files = holes.iter().fold(0, |sum: u64, (_, bytes)| sum.saturating_add(*bytes));
    if in_files > MOST_ANSWER_BYTES {
        return Err("it is too large".into());
    }
    let mut whole = Vec::with_capacity(frame.len() + in_files as usize);
    let mut from = 0;
    for (at, bytes) in holes {
        whole.extend_from_slice(frame.get(from..*at).unwrap_or_default());
        whole.resize(whole.len() + *bytes as usize, 0);
        from = *at;
    }
    whole.extend_from_slice(frame.get(from..).unwrap_or_default());
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::metadata;
    use crate::wire::frame;

    #[test]
    fn what_has_too_many_elements_is_not_taken_apart() {
        let topic = metadata::MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
        let request = metadata::Request { topics: Some(vec![topic; 5]), ..Default::default() };
        let mut bytes = Vec::new();
        let header = RequestHeader {
            request_api_key: ApiKey::Metadata.id(),
            request_api_version: 9,
            ..RequestHeader::default()
        };
        frame::append(&mut bytes, (&header, 2), (&request, 9)).unwrap();
        let apart = |most| take_request_apart(ApiKey::Metadata, 9, &bytes[frame::SIZE_BYTES..], most);
        assert_eq!(apart(5).unwrap()["topics"].as_array().unwrap().len(), 5);
        assert_eq!(apart(4).unwrap_err(), "its arrays have more than 4 elements");
    }
}
