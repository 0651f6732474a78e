//! The messages of all live APIs, one module for each API, and the table that describes them.
//!
//! Generated from `src/codec/schema/api/*.klamm`.

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
}

/// The description of an API; `None` for the retired ones.
pub fn describe(key: ApiKey) -> Option<&'static Description> {
    DESCRIPTIONS.get(key as usize)?.as_ref()
}

include!(concat!(env!("OUT_DIR"), "/api.rs"));
