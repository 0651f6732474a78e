//! The HTTP side: health, metrics and the journal of requests, for people and programs that run or test a broker.
//!
//! It has a thread of its own, which is there only if `klamm.http.listeners` is set, and takes no part in serving Kafka's
//! clients: what it shows it reads without locks (the view, the shards' counters), or under a lock that it holds for
//! microseconds (coordinators, in slices; a shard's ring of requests). What other machines could reach asks for a token.
//!
//! [`routes::ROUTES`] is the one list of paths: the router and the description in `/openapi.json` are made of it. The sockets
//! are `io/web.rs`'s.

mod control;
mod guard;
mod health;
mod metrics;
mod openapi;
mod reply;
mod requests;
mod routes;
#[cfg(test)]
mod tests;
mod wait;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

pub use self::control::{BrokerStage, Control};
use crate::io::web::{self, WebLimits, WebStopped};

const LIMITS: WebLimits =
    WebLimits { connections: 64, head_bytes: 16 << 10, head: Duration::from_secs(30), unread: Duration::from_secs(30) };

/// Serves until it is told to stop. Blocks.
pub fn run(listeners: Vec<TcpListener>, control: &Arc<Control>, stopped: WebStopped) -> io::Result<()> {
    web::serve(listeners, &routes::router(control), LIMITS, stopped)
}
