//! The protocol: frames, headers, and the messages of all live APIs.
//!
//! The messages are generated from the table in `src/codec/schema` (by `build/`). [`api`] has a module for each API,
//! named as the API: `api::create_topics::{Request, Response, CreatableTopic, ...}` with Kafka's own names for the
//! nested structs. Where request and response each have a struct of the same name, these are named through
//! `request::` and `response::` (`api::vote::request::TopicData`), where all of them can be found anyway.
//!
//! Fields are Kafka's in snake case; `Str` and `Bytes` borrow from the frame; what may be null is an `Option`;
//! `Default` gives the protocol's defaults. All structs are [`Message`]s:
//!
//! ```
//! use klamm::codec::{Message, Reader};
//! use klamm::wire::api::metadata::{MetadataRequestTopic, Request};
//!
//! let topic = MetadataRequestTopic { name: Some("stream".into()), ..Default::default() };
//! let request = Request { topics: Some(vec![topic]), ..Default::default() };
//! let mut bytes = Vec::new();
//! request.encode(&mut bytes, 12).unwrap();
//! assert_eq!(Request::decode(&mut Reader::new(&bytes), 12), Ok(request));
//! ```
//!
//! - Decoding a field that the version lacks gives its default. Unknown tagged fields are skipped. Bytes behind a
//!   request's body are ignored, as Kafka ignores them (`AbstractRequest.parseRequest`).
//! - Encoding drops a value that the version cannot carry where Kafka calls the field ignorable; else it is an error
//!   (Kafka: `UnsupportedVersionException`).
//! - [`api::describe`] says which versions there are and which headers belong to them; [`frame`] splits the stream and
//!   writes whole response frames.
//! - Record bytes never pass through a message: [`produce`] reads them in place, [`fetch`] leaves holes for them.

pub mod api;
pub mod fetch;
pub mod frame;
pub mod header;
pub mod json;
pub mod produce;
pub mod refusal;

pub use crate::codec::Message;
