//! `/v1/reset` and `/v1/snapshots`: a broker in memory goes back to its beginning, or to what it was when a snapshot was made.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::control::Control;
use super::reply::{self, Reply};
use super::routes::{Call, Parameter};
use crate::io::memory_disk::DiskTrouble;
use crate::io::{clock, web};

/// Why a broker does not restart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RestartError {
    /// Its data are on the machine's disk.
    OnDisk,
    NoSuchSnapshot,
    /// A sentence that says what cannot be done; nothing has happened.
    Refused(String),
    /// It has stopped and could not be started again, for this reason.
    Failed(String),
    /// It runs again, without all of its first topics and users, for this reason.
    Unprepared(String),
}

/// A snapshot, as it is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotSummary {
    pub name: String,
    /// What its data take in memory.
    pub bytes: u64,
}

/// What a broker can do that restarts on other data. All of it blocks.
pub trait Restarts: Send + Sync {
    /// Goes back to a snapshot, or to the beginning.
    fn reset(&self, snapshot: Option<&str>) -> Result<(), RestartError>;
    /// Keeps what there is under a name, which replaces an older one.
    fn snapshot(&self, name: &str) -> Result<SnapshotSummary, RestartError>;
    fn snapshots(&self) -> Vec<SnapshotSummary>;
    fn forget(&self, name: &str) -> Result<(), RestartError>;
    /// What may be done to the disk of the run that is under way; `None`: its data are on the machine's.
    fn disk(&self) -> Option<Arc<DiskTrouble>>;
}

pub(super) const BODY: &str = "Nothing, or the name of a snapshot: {\"snapshot\":\"seeded\"}.";
pub(super) const SNAPSHOT_BODY: &str = "The snapshot's name: {\"name\":\"seeded\"}.";
pub(super) const PARAMETERS: &[Parameter] = &[Parameter { name: "name", summary: "The snapshot's name." }];

fn refused(error: RestartError) -> Reply {
    let (status, sentence) = match error {
        RestartError::OnDisk => {
            (StatusCode::CONFLICT, "its data are on the disk: only `klamm test` without --dir can go back".to_string())
        }
        RestartError::NoSuchSnapshot => (StatusCode::NOT_FOUND, "there is no such snapshot".into()),
        RestartError::Refused(sentence) => (StatusCode::CONFLICT, sentence),
        RestartError::Failed(reason) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("the broker could not be started again: {reason}"))
        }
        RestartError::Unprepared(reason) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("the broker runs without all that it begins with: {reason}"))
        }
    };
    reply::refuse(status, sentence)
}

fn restarts(control: &Control) -> Result<Arc<dyn Restarts>, RestartError> {
    control.restarts().ok_or(RestartError::OnDisk)
}

/// The text under the only key that a body may have; `None`: it is empty.
fn word(body: &[u8], key: &str) -> Result<Option<String>, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let form = || format!("the body is an object with {key}, a text");
    let body: Value = serde_json::from_slice(body).map_err(|_| form())?;
    let object = body.as_object().ok_or_else(form)?;
    match (object.len(), object.get(key).map(Value::as_str)) {
        (0, _) => Ok(None),
        (1, Some(Some(text))) => Ok(Some(text.to_string())),
        _ => Err(form()),
    }
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn read_body(body: &[u8]) -> Option<String> {
    word(body, "snapshot").err()
}

pub(super) async fn reset(control: Arc<Control>, body: Bytes) -> Reply {
    let snapshot = match word(&body, "snapshot") {
        Ok(snapshot) => snapshot,
        Err(sentence) => return reply::bad_request(sentence),
    };
    let restarts = match restarts(&control) {
        Ok(restarts) => restarts,
        Err(error) => return refused(error),
    };
    let began = clock::now();
    match web::blocking(move || restarts.reset(snapshot.as_deref())).await {
        Ok(()) => reply::ok(&json!({ "ms": clock::now().since(began).as_secs_f64() * 1e3 })),
        Err(error) => refused(error),
    }
}

pub(super) async fn snapshot(control: Arc<Control>, body: Bytes) -> Reply {
    let name = match word(&body, "name") {
        Ok(Some(name)) => name,
        Ok(None) => return reply::bad_request("a snapshot has a name"),
        Err(sentence) => return reply::bad_request(sentence),
    };
    let restarts = match restarts(&control) {
        Ok(restarts) => restarts,
        Err(error) => return refused(error),
    };
    match web::blocking(move || restarts.snapshot(&name)).await {
        Ok(made) => reply::ok(&shown(&made)),
        Err(error) => refused(error),
    }
}

pub(super) async fn list(control: Arc<Control>) -> Reply {
    let restarts = match restarts(&control) {
        Ok(restarts) => restarts,
        Err(error) => return refused(error),
    };
    let all = web::blocking(move || restarts.snapshots()).await;
    reply::ok(&json!({ "snapshots": all.iter().map(shown).collect::<Vec<_>>() }))
}

pub(super) async fn forget(control: Arc<Control>, call: Call) -> Reply {
    let Some((_, name)) = call.parameters.into_iter().find(|(name, _)| name == "name") else {
        return reply::bad_request("name says which snapshot is meant");
    };
    let restarts = match restarts(&control) {
        Ok(restarts) => restarts,
        Err(error) => return refused(error),
    };
    match web::blocking(move || restarts.forget(&name)).await {
        Ok(()) => reply::ok(&json!({ "forgotten": true })),
        Err(error) => refused(error),
    }
}

fn shown(of: &SnapshotSummary) -> Value {
    json!({ "name": of.name, "bytes": of.bytes })
}
