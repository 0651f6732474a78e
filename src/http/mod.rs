//! The HTTP side: health, metrics, the journal of requests and the clock of a broker in a test, for people and programs that run or test a broker.
//!
//! It has a thread of its own, which is there only if `klamm.http.listeners` is set, and takes no part in serving Kafka's
//! clients: what it shows it reads without locks (the view, the shards' counters), or under a lock that it holds for
//! microseconds (coordinators, in slices; a shard's ring of requests). What other machines could reach asks for a token.
//!
//! [`routes::ROUTES`] is the one list of paths: the router and the description in `/openapi.json` are made of it. The sockets
//! are `io/web.rs`'s.

mod brokers;
mod clock;
mod control;
mod deeds;
mod disk_deeds;
mod dispatch;
mod faults;
mod fixtures;
mod groups;
mod guard;
mod health;
mod log_deeds;
mod log_pieces;
mod metrics;
mod openapi;
mod page;
mod records;
mod reply;
mod requests;
mod reset;
mod routes;
#[cfg(test)]
mod tests;
mod topics;
mod wait;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

pub use self::control::{BrokerStage, Control};
pub use self::reset::{RestartError, Restarts, SnapshotSummary};
use crate::io::web::{self, WebLimits, WebStopped};

const LIMITS: WebLimits = WebLimits {
    connections: 256,
    head_bytes: 16 << 10,
    head: Duration::from_secs(30),
    unread: Duration::from_secs(30),
};

/// Reads a body as each of the requests does that have one, for the fuzzers. What is refused has a sentence.
#[cfg(any(test, feature = "fuzzing"))]
pub fn read_bodies(body: &[u8]) {
    for refused in [
        requests::read_body(body),
        clock::read_body(body),
        reset::read_body(body),
        fixtures::lines::parse(body).err(),
        deeds::read_body(body),
    ]
    .into_iter()
    .flatten()
    {
        assert!(!refused.is_empty());
    }
}

/// Serves until it is told to stop. Blocks.
pub fn run(listeners: Vec<TcpListener>, control: &Arc<Control>, stopped: WebStopped) -> io::Result<()> {
    web::serve(listeners, &dispatch::router(control), LIMITS, stopped)
}
