//! Whether the broker lives, whether it should be sent requests, and what it is.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;

use super::control::Control;
use super::reply::{self, Reply};

/// The thread that answers lives, and a panic of any other ends the process with it.
pub(super) fn livez() -> Reply {
    reply::ok(&json!({ "live": true }))
}

pub(super) fn readyz(control: &Control) -> Reply {
    match control.why_not_ready() {
        None => reply::ok(&json!({ "ready": true })),
        Some(why) => reply::refuse(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

pub(super) fn version(control: &Arc<Control>) -> Reply {
    let view = control.shared().map(|shared| shared.view.load_full());
    let metadata_version = view.as_ref().map(|view| view.image.metadata_version());
    reply::ok(&json!({
        "name": "klamm",
        "version": env!("CARGO_PKG_VERSION"),
        "node_id": control.node_id,
        "cluster_id": view.as_ref().map(|view| view.cluster_id()),
        "metadata_version": metadata_version,
    }))
}
