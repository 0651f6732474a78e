//! The messages of all live APIs, one module for each API, and the table that describes them.
//!
//! Generated from `src/codec/schema/api/*.klamm`.

use super::frame;
use crate::codec::Reader;
use crate::model::ApiKey;

/// What is known of an API before any of its messages is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Description {
    pub key: ApiKey,
    pub min_version: i16,
    pub max_version: i16,
    /// The first version with compact lengths and tagged fields.
    pub flexible_since: Option<i16>,
    /// The newest version is not for clients yet; Kafka shows it only with `unstable.api.versions.enable`.
    pub is_latest_unstable: bool,
    /// Whether Kafka serves it on a broker's listener.
    pub on_broker: bool,
    pub on_controller: bool,
    /// `None`: its answers do not say for how long the client is throttled.
    pub throttle: Option<Throttle>,
}

/// Where an answer says for how long its client is throttled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Throttle {
    /// The first version that says so.
    pub since: i16,
    /// It is the first field.
    pub is_first: bool,
}

impl Description {
    pub fn is_flexible(&self, version: i16) -> bool {
        self.flexible_since.is_some_and(|since| version >= since)
    }

    pub fn has_version(&self, version: i16) -> bool {
        (self.min_version..=self.max_version).contains(&version)
    }

    /// The newest version that is for clients.
    pub fn max_stable_version(&self) -> i16 {
        self.max_version - i16::from(self.is_latest_unstable)
    }

    /// The version of the header in front of a request. Versions that we do not know count as the nearest known one,
    /// so that the header of an ApiVersions request from the future can be read.
    pub fn request_header_version(&self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the header in front of a response. That of ApiVersions is always 0: its reader does not know
    /// yet what we speak (KIP-511).
    pub fn response_header_version(&self, version: i16) -> i16 {
        if self.key != ApiKey::ApiVersions && self.is_flexible(version) { 1 } else { 0 }
    }

    /// Where in a response's frame, size included, the four bytes stand that tell of throttling; `None` if this version has
    /// none. Where they are the last field, nothing may be tagged behind it: this broker knows of no other leaders' addresses.
    pub fn throttle_at(&self, version: i16, frame: &[u8]) -> Option<usize> {
        let throttle = self.throttle.filter(|throttle| self.has_version(version) && version >= throttle.since)?;
        let body = frame::SIZE_BYTES + size_of::<i32>() + self.response_header_version(version) as usize;
        let at = match (throttle.is_first, self.key) {
            (true, _) => body,
            (false, ApiKey::OffsetDelete) => body + size_of::<i16>(),
            (
                false,
                ApiKey::Produce
                | ApiKey::CreateDelegationToken
                | ApiKey::RenewDelegationToken
                | ApiKey::ExpireDelegationToken
                | ApiKey::DescribeDelegationToken,
            ) => frame.len().checked_sub(size_of::<i32>() + usize::from(self.is_flexible(version)))?,
            (false, ApiKey::ApiVersions) => body + behind_api_keys(frame.get(body..)?, self.is_flexible(version))?,
            _ => return None,
        };
        (at >= body && at + size_of::<i32>() <= frame.len()).then_some(at)
    }
}

/// Where the list of keys ends in the body of an ApiVersions response.
fn behind_api_keys(body: &[u8], is_flexible: bool) -> Option<usize> {
    const FIELD: &str = "ApiVersionsResponse.ApiKeys";
    let mut reader = Reader::new(body);
    reader.i16(FIELD).ok()?;
    // A key, two versions, and no tags.
    let key_bytes = 3 * size_of::<i16>() + usize::from(is_flexible);
    let count = reader.count(is_flexible, key_bytes, FIELD).ok()??;
    Some(body.len() - reader.remaining() + count * key_bytes)
}

/// The description of an API; `None` for the retired ones.
pub fn describe(key: ApiKey) -> Option<&'static Description> {
    DESCRIPTIONS.get(key as usize)?.as_ref()
}

include!(concat!(env!("OUT_DIR"), "/api.rs"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{EncodeErrorKind, Message, Reader};

    #[test]
    fn all_live_keys_are_described() {
        for key in ApiKey::ALL {
            use ApiKey::*;
            let is_retired = matches!(key, LeaderAndIsr | StopReplica | UpdateMetadata | ControlledShutdown);
            assert_eq!(describe(*key).map(|d| d.key), (!is_retired).then_some(*key));
        }
        assert_eq!(DESCRIPTIONS.len(), ApiKey::ALL.len());
        let unstable = DESCRIPTIONS.iter().flatten().filter(|d| d.is_latest_unstable);
        assert_eq!(
            unstable.map(|d| (d.key, d.max_stable_version())).collect::<Vec<_>>(),
            [(ApiKey::InitProducerId, 5)]
        );
    }

    #[test]
    fn headers_follow_flexibility_but_for_api_versions() {
        let headers = |key, version| {
            let description = describe(key).unwrap();
            (description.request_header_version(version), description.response_header_version(version))
        };
        assert_eq!(headers(ApiKey::Metadata, 8), (1, 0));
        assert_eq!(headers(ApiKey::Metadata, 9), (2, 1));
        assert_eq!(headers(ApiKey::ApiVersions, 2), (1, 0));
        assert_eq!(headers(ApiKey::ApiVersions, 99), (2, 0));
        assert_eq!(headers(ApiKey::SaslHandshake, 1), (1, 0));
    }

    #[test]
    fn what_a_version_cannot_carry() {
        // Ignorable: dropped.
        let response = heartbeat::Response { throttle_time_ms: 9, error_code: 1 };
        let mut bytes = Vec::new();
        response.encode(&mut bytes, 0).unwrap();
        assert_eq!(bytes, [0, 1]);
        // Not ignorable: refused, and nothing is written.
        let request =
            fetch::Request { session_epoch: 5, forgotten_topics_data: vec![Default::default()], ..Default::default() };
        let error = request.encode(&mut bytes, 4).unwrap_err();
        assert_eq!((error.kind, error.field), (EncodeErrorKind::FieldNotInVersion, "FetchRequest.ForgottenTopicsData"));
        assert_eq!(bytes.len(), 2);
        // Null where the version has none.
        let error = metadata::Request { topics: None, ..Default::default() }.encode(&mut bytes, 0).unwrap_err();
        assert_eq!((error.kind, error.field), (EncodeErrorKind::Null, "MetadataRequest.Topics"));
    }

    #[test]
    fn errors_say_what_and_where() {
        let error = create_topics::Request::decode(&mut Reader::new(b"\0\0\0\x01\0\x09ab"), 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "more elements than there are bytes for, in CreateTopicsRequest.Topics at byte 4"
        );
        let error = find_coordinator::Request::decode(&mut Reader::new(b"\0\x09ab"), 0).unwrap_err();
        assert_eq!(error.to_string(), "the frame ends too early, in FindCoordinatorRequest.Key at byte 2");
    }

    #[test]
    fn unknown_tags_are_skipped_and_known_ones_must_fit() {
        // A Metadata request of version 9, all topics, with tag 77.
        let plain = b"\0\x01\0\0";
        let tagged = [&plain[..], b"\x01\x4d\x02ab"].concat();
        let request = metadata::Request::decode(&mut Reader::new(&tagged), 9).unwrap();
        assert_eq!((request.topics, request.allow_auto_topic_creation), (None, true));
        // FetchRequest's tag 1 exists from version 15 on; its content here is too long.
        let mut bytes = Vec::new();
        fetch::Request::default().encode(&mut bytes, 15).unwrap();
        assert_eq!(bytes.pop(), Some(0));
        bytes.extend([1, 1, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 9]);
        let error = fetch::Request::decode(&mut Reader::new(&bytes), 15).unwrap_err();
        assert_eq!(error.field, "FetchRequest.ReplicaState");
    }
}
