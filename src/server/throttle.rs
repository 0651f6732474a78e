//! Clients beyond their quotas: their answers say for how long, leave at once, and then nothing of the connection is
//! received or handled for that time (KIP-219).
//!
//! A produce is charged when it comes, because others may follow it before it is answered; what else there is, when it is
//! answered. Fetches and changes of topics charge what they cost themselves ([`Answer::throttle_ms`]). Deviations: the time
//! that answers take to be sent counts for no `request_percentage`, and a fetch is not answered empty where this is what is
//! exceeded; a request without a connection is charged nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::codec::{Message, Reader};
use crate::handlers::{Answer, Outcome, table};
use crate::io::driver::ConnectionKey;
use crate::model::{ApiKey, Instant};
use crate::security::quota::Kind;
use crate::server::Server;
use crate::server::parking::Begun;
use crate::shard::quotas::Metered;
use crate::wire::api;
use crate::wire::header::RequestHeader;

/// Where a request stands with the quotas of its client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Charge {
    /// There is nothing to charge.
    Free,
    /// It is charged, and its client is throttled for so many milliseconds.
    Known(u32),
    /// So much time of the thread is charged when it is answered.
    Time(Duration),
}

/// The connections that are left alone, by the end of it.
#[derive(Default)]
pub(super) struct Muted(BTreeSet<(Instant, ConnectionKey)>);

impl Muted {
    /// When the first of them goes on.
    pub(super) fn next(&self) -> Instant {
        self.0.first().map_or(Instant::NEVER, |(until, _)| *until)
    }

    pub(super) fn remove(&mut self, until: Option<Instant>, key: ConnectionKey) {
        if let Some(until) = until {
            self.0.remove(&(until, key));
        }
    }

    fn take_due(&mut self, now: Instant) -> Option<ConnectionKey> {
        let first = self.0.first().copied().filter(|(until, _)| *until <= now)?;
        self.0.remove(&first);
        Some(first.1)
    }
}

/// What Kafka never holds back (`sendResponseExemptThrottle`).
fn is_exempt(api: ApiKey) -> bool {
    matches!(api, ApiKey::WriteTxnMarkers | ApiKey::DescribeQuorum)
}

/// How long a thread was busy, as percents of a second.
fn percents(busy: Duration) -> f64 {
    busy.as_secs_f64() * 100.0
}

fn charge_time(metered: Option<Metered>, busy: Duration, now: Instant) -> u32 {
    metered.map_or(0, |metered| metered.charge(percents(busy), now).min(metered.window_ms()))
}

pub(super) fn header_of(frame: &[u8]) -> Option<RequestHeader<'_>> {
    let api = table::of_frame(frame)?.key;
    let asked = i16::from_be_bytes(*frame.get(2..)?.first_chunk()?);
    let version = api::describe(api)?.request_header_version(asked);
    RequestHeader::decode(&mut Reader::new(frame), version).ok()
}

impl Server {
    /// Looks at the clock where the time of requests is measured.
    pub(super) fn begin_charge(&self, api: ApiKey) -> Option<Instant> {
        let is_measured = self.turn.view.image.client_quotas().has(Kind::Request) && !is_exempt(api);
        is_measured.then(|| self.driver.now())
    }

    fn busy_since(&self, began: Option<Instant>) -> Option<Duration> {
        began.map(|began| self.driver.now().since(began))
    }

    /// Charges a request that was handled, as far as it can be known now. Of a produce with `acks=0` the time is not looked
    /// at (`KafkaApis.handleProduceRequest`).
    pub(super) fn charge(
        &mut self,
        key: ConnectionKey,
        api: ApiKey,
        began: Option<Instant>,
        frame: &[u8],
        outcome: &Outcome,
    ) -> Charge {
        let busy = self.busy_since(began);
        if api != ApiKey::Produce {
            // Its client is looked for now, as the answer does not name it.
            let busy = busy.filter(|_| self.meters_of(key, [Kind::Request], frame)[0].is_some());
            return busy.map_or(Charge::Free, Charge::Time);
        }
        if self.turn.view.image.client_quotas().is_empty() {
            return Charge::Free;
        }
        let now = self.turn.now;
        let [of_bytes, of_time] = self.meters_of(key, [Kind::Produce, Kind::Request], frame);
        let bytes = of_bytes.map_or(0, |metered| metered.charge(frame.len() as f64, now));
        let time = match (outcome, busy) {
            (Outcome::Silent, _) | (_, None) => 0,
            (_, Some(busy)) => charge_time(of_time, busy, now),
        };
        let throttle_ms = bytes.max(time);
        self.mute(key, throttle_ms);
        Charge::Known(throttle_ms)
    }

    /// What the client of a request has used.
    fn meters_of<const N: usize>(
        &mut self,
        key: ConnectionKey,
        kinds: [Kind; N],
        frame: &[u8],
    ) -> [Option<Metered>; N] {
        let Some(header) = header_of(frame) else { return [const { None }; N] };
        let client_id = header.client_id.as_deref().unwrap_or_default();
        let Some(connection) = self.connections.get(key) else { return [const { None }; N] };
        let context = self.turn.context(None);
        kinds.map(|kind| context.meter(kind, &connection.session, client_id))
    }

    /// A parked request was looked at, which takes time, too.
    pub(super) fn add_time(&mut self, begun: Begun, began: Option<Instant>) -> Charge {
        match (begun.charge, self.busy_since(began)) {
            (Charge::Time(before), Some(busy)) => Charge::Time(before + busy),
            (charge, _) => charge,
        }
    }

    /// Says in an answer for how long its client is throttled, and mutes the connection.
    pub(super) fn throttle(
        &mut self,
        key: ConnectionKey,
        (api, version, charge): (ApiKey, i16, Charge),
        mut answer: Option<Answer>,
    ) -> Option<Answer> {
        let asked = answer.as_ref().map_or(0, |answer| answer.throttle_ms);
        let own = match charge {
            Charge::Free => 0,
            Charge::Known(ms) => ms,
            Charge::Time(busy) => {
                let session = self.connections.get(key).map(|connection| &connection.session);
                let metered = session.and_then(|session| {
                    let quotas = self.turn.view.image.client_quotas();
                    session.meters.again(&self.turn.shared.meters, quotas, Kind::Request, self.turn.now)
                });
                charge_time(metered, busy, self.turn.now)
            }
        };
        let throttle_ms = asked.max(own);
        if throttle_ms == 0 {
            return answer;
        }
        if let Some(answer) = &mut answer {
            answer.tell_throttle(api, version, throttle_ms);
        }
        // A produce is muted since it came.
        if !matches!(charge, Charge::Known(_)) {
            self.mute(key, throttle_ms);
        }
        answer
    }

    fn mute(&mut self, key: ConnectionKey, throttle_ms: u32) {
        let Some(connection) = self.connections.get_mut(key).filter(|_| throttle_ms > 0) else { return };
        let until = self.turn.now + Duration::from_millis(throttle_ms.into());
        let until = connection.muted_until.map_or(until, |before| before.max(until));
        self.muted.remove(connection.muted_until, key);
        connection.muted_until = Some(until);
        self.muted.0.insert((until, key));
        // Others need not wait for it while memory is short.
        self.admission.finish(key);
    }

    /// Lets those go on whose time is over.
    pub(super) fn unmute(&mut self) {
        while let Some(key) = self.muted.take_due(self.turn.now) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.muted_until = None;
                self.enqueue(key);
            }
        }
    }
}
