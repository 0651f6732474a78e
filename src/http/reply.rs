//! Answers: JSON, and errors as JSON with a sentence for people.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

pub(super) type Reply = Response<Body>;

pub(super) const JSON: &str = "application/json";

pub(super) fn text(status: StatusCode, content_type: &'static str, text: impl Into<Body>) -> Reply {
    let mut reply = Response::new(text.into());
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // No page of another origin may guess at what this is, and no cache keeps what is true for a moment.
    reply.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

pub(super) fn json(status: StatusCode, value: &Value) -> Reply {
    text(status, JSON, format!("{value}\n"))
}

pub(super) fn ok(value: &Value) -> Reply {
    json(StatusCode::OK, value)
}

/// An error; the sentence says what can be done about it.
pub(super) fn refuse(status: StatusCode, sentence: impl AsRef<str>) -> Reply {
    json(status, &json!({ "error": sentence.as_ref() }))
}

pub(super) fn bad_request(sentence: impl AsRef<str>) -> Reply {
    refuse(StatusCode::BAD_REQUEST, sentence)
}

pub(super) fn not_found(sentence: impl AsRef<str>) -> Reply {
    refuse(StatusCode::NOT_FOUND, sentence)
}

pub(super) fn with_header(mut reply: Reply, name: HeaderName, value: &str) -> Reply {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
    reply
}
