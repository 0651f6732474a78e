//! A request to a group's coordinator that is decided at once, and answered when what the decision has seen is committed.
//!
//! Nearly always it is committed by the end of the same turn. If it never will be, the connection is closed: whether
//! the request was done is not known, and the client looks for the coordinator anew.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Answer, Head, Outcome, Parked, Polled, Request};
use crate::coordinator::groups::Groups;
use crate::coordinator::step::{Client, Step};
use crate::coordinator_runtime::{Barrier, Coordinator};
use crate::model::ErrorCode;
use crate::security::acl::HostAddress;
use crate::shard::context::Context;
use crate::wire::Message;

/// An answer that must not leave yet.
pub struct Waiting {
    answer: Option<Answer>,
    barriers: Vec<Barrier>,
}

/// Lets the coordinator of a group do something; `Err` if this broker cannot at the moment.
pub(super) fn step<T>(
    context: &mut Context<'_>,
    group_id: &str,
    work: impl FnOnce(&mut Groups, &mut Step<'_>) -> T,
) -> Result<(T, Barrier), ErrorCode> {
    let coordinator = context.coordinator(group_id)?;
    context.step(&coordinator, work)
}

/// The same for a client, by whose rights the step sees topics.
pub(super) fn step_for<T>(
    context: &mut Context<'_>,
    request: &Request<'_>,
    group_id: &str,
    work: impl FnOnce(&mut Groups, &mut Step<'_>) -> T,
) -> Result<(T, Barrier), ErrorCode> {
    let coordinator = context.coordinator(group_id)?;
    request.step_of(context, &coordinator, work)
}

/// The name of a group, for requests that refuse an empty one whatever the coordinator does
/// (`GroupCoordinatorService.isGroupIdNotEmpty`). Offsets may be committed without a group.
pub(super) fn named(group_id: &str) -> Result<&str, ErrorCode> {
    if group_id.is_empty() { Err(ErrorCode::InvalidGroupId) } else { Ok(group_id) }
}

/// Looks at the coordinator of a group.
pub(super) fn look<T>(
    context: &Context<'_>,
    group_id: &str,
    work: impl FnOnce(&Groups) -> T,
) -> Result<(T, Barrier), ErrorCode> {
    context.coordinator(group_id)?.look(work)
}

impl Head {
    /// Answers when the barriers are passed.
    pub(super) fn answer_behind<'m>(
        self,
        context: &Context<'_>,
        barriers: impl IntoIterator<Item = Barrier>,
        body: &impl Message<'m>,
    ) -> Outcome {
        let mut ahead: Vec<Barrier> = Vec::new();
        for barrier in barriers {
            match barrier.is_passed() {
                Ok(true) => {}
                Ok(false) => ahead.push(barrier),
                Err(error) => return Outcome::Close(not_committed(error)),
            }
        }
        if ahead.is_empty() {
            return self.answer(body);
        }
        let answer = match self.encode(body) {
            Ok(answer) => Some(answer),
            Err(error) => return Outcome::Close(error),
        };
        let watched = ahead.iter().map(|barrier| barrier.partition().number).collect();
        let mut waiting = Waiting { answer, barriers: ahead };
        let settings = context.shared.coordinators().settings(context.view);
        let deadline = context.now + settings.surroundings.commit_timeout;
        let polled = waiting.poll(context, false, true);
        polled.or_wait(|| Outcome::Wait { parked: Parked::Barrier(waiting), deadline, watched })
    }
}

fn not_committed(error: ErrorCode) -> String {
    format!("the records of a group could not be committed: {error}")
}

impl Waiting {
    pub(super) fn poll(&mut self, context: &Context<'_>, expired: bool, asks: bool) -> Polled {
        for barrier in &self.barriers {
            if asks {
                barrier.partition().waiting.add(context.shard);
            }
            match barrier.is_passed() {
                Ok(true) => {}
                Ok(false) if expired => return Polled::Close(not_committed(ErrorCode::RequestTimedOut)),
                Ok(false) => return Polled::Wait,
                Err(error) => return Polled::Close(not_committed(error)),
            }
        }
        self.answer.take().map_or(Polled::Silent, Polled::Answer)
    }
}

/// A client's address as Kafka prints it (`InetAddress.toString`).
pub(super) fn host(peer: SocketAddr) -> String {
    format!("/{}", HostAddress::from(peer))
}

impl<'a> Request<'a> {
    /// Lets a coordinator do something for this client, by whose rights it sees topics.
    pub(super) fn step_of<T>(
        &self,
        context: &mut Context<'_>,
        coordinator: &Arc<Coordinator>,
        work: impl FnOnce(&mut Groups, &mut Step<'_>) -> T,
    ) -> Result<(T, Barrier), ErrorCode> {
        if !self.is_judged(context) {
            return context.step(coordinator, work);
        }
        let (asker, shared, view) = (self.asker(), context.shared, context.view);
        let may_describe = |topic: &str| asker.may_describe(shared, view, topic);
        context.step_for(coordinator, &may_describe, work)
    }

    /// Who asks; `host` is that of [`host`].
    pub(super) fn client<'c>(&'c self, host: &'c str) -> Client<'c> {
        Client { id: self.client_id, host }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_written_as_by_java() {
        let written = |peer: &str| host(peer.parse().expect("an address"));
        let peers = ["127.0.0.1:9", "[::1]:9", "[::ffff:10.0.0.7]:9", "[2001:db8::a]:9"];
        let hosts = ["/127.0.0.1", "/0:0:0:0:0:0:0:1", "/10.0.0.7", "/2001:db8:0:0:0:0:0:a"];
        assert_eq!(peers.map(written), hosts);
    }
}
