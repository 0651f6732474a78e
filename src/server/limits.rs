//! New connections, until they have their place among those that there may be.
//!
//! One that must wait is accepted and not looked at, which to its client is the same as a place in the kernel's queue; those
//! behind it on its listener wait, too. Beyond a number that a shard keeps of them, new ones are closed.

use std::collections::{BTreeSet, VecDeque};

use log::{error, info};

use crate::config::ConnectionLimits;
use crate::io::driver::{ConnectionKey, Ends, ListenerKey};
use crate::metrics::Ending;
use crate::model::Instant;
use crate::replica::watch::ShardId;
use crate::server::connection::Connection;
use crate::server::{End, Server};
use crate::shard::limits::{Arrival, ConnectionPlace, Judged};

/// Connections that a shard keeps without serving them; the kernel keeps fewer.
const MOST_KEPT: usize = 1024;

struct Entering {
    key: ConnectionKey,
    ends: Ends,
    waiting: Arrival,
}

/// Connections of a shard that are not served.
#[derive(Default)]
pub(super) struct Entrance {
    /// Those that wait, by listener.
    queues: Vec<VecDeque<Entering>>,
    /// Those that are kept until they are closed.
    closing: BTreeSet<(Instant, ConnectionKey)>,
    look_again: Option<Instant>,
    /// What limits connections, as the metadata has it that the shard has read.
    limits: Option<ConnectionLimits>,
    /// Listeners of brokers that are down.
    refusing: BTreeSet<usize>,
}

impl Entrance {
    /// When it has something to do.
    pub(super) fn next(&self) -> Instant {
        let closing = self.closing.first().map_or(Instant::NEVER, |(until, _)| *until);
        self.look_again.map_or(closing, |again| again.min(closing))
    }

    fn len(&self) -> usize {
        self.closing.len() + self.queues.iter().map(VecDeque::len).sum::<usize>()
    }
}

impl Server {
    /// A connection was accepted.
    pub(super) fn enter(&mut self, key: ConnectionKey, listener: usize, ends: Ends) {
        if self.leaving.is_some() || self.entrance.len() >= MOST_KEPT {
            return self.driver.close(key);
        }
        let queues = &mut self.entrance.queues;
        if queues.len() <= listener {
            queues.resize_with(listener + 1, VecDeque::new);
        }
        queues[listener].push_back(Entering { key, ends, waiting: Arrival::default() });
        if queues[listener].len() == 1 {
            self.give_places();
        }
    }

    /// Whether the broker behind a listener is down, of several that are played.
    pub(super) fn is_down(&self, listener: usize) -> bool {
        let cast = self.turn.cast();
        let broker = || self.turn.view.image.broker(cast.broker_of(listener));
        !cast.is_one() && broker().is_some_and(|broker| broker.fenced)
    }

    /// A broker that goes down takes its connections with it and refuses new ones, until it is up again.
    pub(super) fn follow_brokers(&mut self) {
        if self.turn.cast().is_one() || self.leaving.is_some() {
            return;
        }
        for listener in 0..self.turn.shared.config.listeners.len() {
            let is_down = self.is_down(listener);
            if is_down != self.entrance.refusing.contains(&listener) {
                self.refuse(listener, is_down);
            }
        }
        let is_gone = |(key, connection): (ConnectionKey, &Connection)| {
            self.is_down(connection.session.route.listener).then_some(key)
        };
        for key in self.connections.iter().filter_map(is_gone).collect::<Vec<_>>() {
            self.close(key, End::refused("the broker was taken down".to_string()));
        }
    }

    fn refuse(&mut self, listener: usize, refuses: bool) {
        match self.driver.set_refuses(ListenerKey(listener as u32), refuses) {
            Ok(()) if refuses => drop(self.entrance.refusing.insert(listener)),
            Ok(()) => drop(self.entrance.refusing.remove(&listener)),
            // Connections that come all the same are closed; the next change of the metadata tries again.
            Err(error) => {
                let (broker, what) = (self.turn.cast().broker_of(listener), if refuses { "refuse" } else { "listen" });
                error!("a listener of broker {broker} cannot {what}: {error}");
            }
        }
    }

    /// Places those for whom there is room.
    fn give_places(&mut self) {
        self.entrance.look_again = None;
        let limits = self.entrance.limits.take().unwrap_or_else(|| self.connection_limits());
        for listener in 0..self.entrance.queues.len() {
            while let Some(mut entering) = self.entrance.queues[listener].pop_front() {
                let (ip, quotas) = (entering.ends.peer.ip(), self.turn.view.image.client_quotas());
                let admissions = &self.turn.shared.admissions;
                match admissions.judge((listener, ip), &limits, quotas, &mut entering.waiting, self.turn.now) {
                    Judged::Admitted(admission) => self.place(entering.key, listener, entering.ends, admission),
                    Judged::Waits(until) => {
                        self.entrance.queues[listener].push_front(entering);
                        let again = self.entrance.look_again.map_or(until, |again| again.min(until));
                        self.entrance.look_again = Some(again);
                        break;
                    }
                    Judged::ClosedAt(until) => drop(self.entrance.closing.insert((until, entering.key))),
                    Judged::Closed(most) => {
                        info!(
                            "Rejected connection from {ip}, address already has the configured maximum of {most} connections."
                        );
                        self.driver.close(entering.key);
                    }
                }
            }
        }
        self.entrance.limits = Some(limits);
    }

    fn connection_limits(&self) -> ConnectionLimits {
        let (config, image) = (&self.turn.shared.config, &self.turn.view.image);
        let settings = config.settings(image.default_broker_configs(), image.broker_configs(config.node_id));
        ConnectionLimits::resolve(&settings, config.listeners.iter().map(|listener| listener.name.as_str()))
    }

    /// A connection has its place: other shards may have to make room for it.
    fn place(&mut self, key: ConnectionKey, listener: usize, ends: Ends, admission: ConnectionPlace) {
        if self.is_down(listener) {
            return self.driver.close(key);
        }
        self.accept(key, listener, ends, admission);
        self.tell_of_too_many();
    }

    fn tell_of_too_many(&self) {
        if self.turn.shared.admissions.is_exceeded() {
            let shards = self.turn.shared.shards();
            (0..shards).for_each(|shard| self.turn.shared.mailbox(ShardId(shard as u8)).nudge());
        }
    }

    /// What is due of those that are not served.
    pub(super) fn mind_entrance(&mut self) {
        while let Some((_, key)) = self.entrance.closing.first().copied().filter(|(until, _)| *until <= self.turn.now) {
            self.entrance.closing.pop_first();
            self.driver.close(key);
        }
        if self.entrance.look_again.is_some_and(|again| again <= self.turn.now) {
            self.give_places();
        }
        self.make_room();
    }

    /// The metadata has changed, and with it perhaps how many connections there may be.
    pub(super) fn read_limits(&mut self) {
        let limits = self.connection_limits();
        self.turn.shared.admissions.set_most(limits.broker.connections);
        self.entrance.limits = Some(limits);
        self.tell_of_too_many();
    }

    /// Where there are more connections than there may be, the least recently used one goes, unless it is of the listener
    /// that is protected. One in a turn, as the other shards have some, too (`Processor.closeExcessConnections`).
    fn make_room(&mut self) {
        let admissions = &self.turn.shared.admissions;
        if !admissions.is_exceeded() {
            return;
        }
        let candidates = self.connections.iter().filter(|(_, c)| !admissions.is_protected(c.session.route.listener));
        let Some((key, _)) = candidates.min_by_key(|(_, connection)| connection.last_active) else { return };
        self.close(key, End::told(Ending::Refused, "there are more connections than max.connections"));
        self.tell_of_too_many();
    }

    /// The shard takes no new ones any more.
    pub(super) fn close_entrance(&mut self) {
        let entrance = std::mem::take(&mut self.entrance);
        let waiting = entrance.queues.into_iter().flatten().map(|entering| entering.key);
        waiting.chain(entrance.closing.into_iter().map(|(_, key)| key)).for_each(|key| self.driver.close(key));
    }
}
