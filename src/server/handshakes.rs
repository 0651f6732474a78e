//! Steps of handshakes and logins, which are computed on other threads: a signature of RSA, or a key made of a password,
//! takes as long as a hundred requests. So many of a shard are away at once, and the others wait in their order, so that a
//! storm of clients does not hold up a few.

use std::collections::VecDeque;

use crate::hosting::doors::Door;
use crate::io::driver::{ConnectionKey, Operation};
use crate::metrics::Ending;
use crate::security::principal::Principal;
use crate::server::connection::Connection;
use crate::server::writing::DiskJob;
use crate::server::{End, Server};
use crate::shard::audit::RefusedTls;

/// Steps of one shard that are away at once: enough that no thread waits for the next.
pub(super) const HANDSHAKES_AWAY: usize = 4;

#[derive(Default)]
pub(super) struct Handshakes {
    away: usize,
    /// Some may have gone, or be here twice.
    waiting: VecDeque<ConnectionKey>,
    #[cfg(test)]
    pub(super) most_away: usize,
}

impl Server {
    /// A connection's handshake or login has come to a step that is to be computed.
    pub(super) fn begin_computing(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if self.handshakes.away >= HANDSHAKES_AWAY {
            if !std::mem::replace(&mut connection.awaits_computing, true) {
                self.handshakes.waiting.push_back(key);
            }
            return;
        }
        connection.awaits_computing = false;
        // Never both: a login begins behind the handshake.
        let work = connection.transport.begin_computing().or_else(|| connection.login_work.take());
        let Some(work) = work else { return };
        self.handshakes.away += 1;
        #[cfg(test)]
        {
            self.handshakes.most_away = self.handshakes.most_away.max(self.handshakes.away);
        }
        let token = self.jobs.insert(DiskJob::Computed(key)).to_u64();
        self.driver.submit(token, Operation::Compute(work));
    }

    /// A step has ended: its connection goes on, if it is still there, and the next one's is begun.
    pub(super) fn handle_computed(&mut self, key: ConnectionKey) {
        assert!(self.handshakes.away > 0, "what ends was away");
        self.handshakes.away -= 1;
        match self.connections.get_mut(key) {
            Some(connection) if connection.session.authentication.is_computing() => self.resume_login(key),
            Some(connection) => {
                connection.transport.end_computing();
                self.enqueue(key);
                self.touch(key);
                self.identify(key);
                self.let_in(key);
            }
            None => {}
        }
        while self.handshakes.away < HANDSHAKES_AWAY
            && let Some(next) = self.handshakes.waiting.pop_front()
        {
            self.begin_computing(next);
        }
    }

    /// A client that has shown a certificate is whom it stands for.
    fn identify(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if !connection.is_let_in() {
            // Where clients log in, their certificates do not say who they are (`DefaultKafkaPrincipalBuilder`).
            return;
        }
        let Some(certificate) = connection.transport.peer_certificate() else { return };
        let door = self.turn.shared.doors.get(connection.session.route.listener);
        let principal = match door {
            Door::Tls(door) => door.principal(certificate),
            Door::Plain => Ok(Principal::ANONYMOUS),
        };
        match principal {
            Ok(principal) => connection.session.principal = principal,
            Err(reason) => self.close(key, End::told(Ending::Tls, reason)),
        }
    }

    /// One line of the audit log.
    pub(super) fn tell_refused_tls(&self, connection: &Connection, reason: &str) {
        let session = &connection.session;
        let listener =
            self.turn.shared.config.listeners.get(session.route.listener).map_or("", |listener| &listener.name);
        let certificate = connection.transport.peer_certificate();
        let refused = RefusedTls { certificate, host: session.peer.ip(), listener, reason };
        self.turn.audit.tell_refused(&refused, self.turn.now);
    }
}
