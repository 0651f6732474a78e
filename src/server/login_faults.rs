//! What rules of a test do to the requests of a login: ApiVersions, SaslHandshake and SaslAuthenticate of a client that is not let
//! in, or that logs in again.
//!
//! A rule changes how a login is answered, and never who is let in: a request goes on to `authentication` or is refused as
//! that refuses one, with its delay. A login that is kept back has no more time than others (`klamm.authentication.timeout.ms`),
//! and what is kept of it counts to what clients hold that have not logged in. A login that the broker itself refuses is
//! refused as ever.

use crate::faults::{Deed, Struck};
use crate::handlers::authentication;
use crate::handlers::{Answer, Handler, Order, table};
use crate::io::driver::ConnectionKey;
use crate::model::{ApiKey, Instant};
use crate::server::faults::{What, by, closes, refusal};
use crate::server::parking::{Asker, Begun};
use crate::server::slots::Sequence;
use crate::server::{End, Server};
use crate::shard::login::CountedRequest;

/// A request of a login: its row and its frame.
type Asked<'a> = (&'static Handler, &'a [u8]);

impl Server {
    /// Handles a frame of a login as the rules want it.
    pub(super) fn handle_login_frame(&mut self, key: ConnectionKey, frame: &[u8]) -> Result<(), End> {
        match self.strike_login(key, frame) {
            None => self.authenticate(key, frame, None),
            Some((row, struck)) => self.suffer_login(key, (row, frame), struck),
        }
    }

    /// The rule that strikes a request of a login. A token that comes without a request is none.
    fn strike_login(&self, key: ConnectionKey, frame: &[u8]) -> Option<(&'static Handler, Struck)> {
        self.turn.shared.faults.as_ref().filter(|board| board.is_on())?;
        let row = authentication::row_of(&self.connections.get(key)?.session, frame)?;
        Some((row, self.strike(key, row, frame, true)?))
    }

    fn suffer_login(&mut self, key: ConnectionKey, (row, frame): Asked<'_>, struck: Struck) -> Result<(), End> {
        if struck.is_after {
            return self.authenticate(key, frame, Some(struck));
        }
        if struck.delay_ms > 0 || matches!(struck.deed, Deed::Hold | Deed::NoAnswer) {
            let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
            let sequence = connection.answer_later(Order::Alone);
            let begun = login_begun(key, sequence, row.key, frame, self.turn.now);
            self.keep_back(begun, struck, What::Login(row, frame.to_vec()));
            return Ok(());
        }
        self.go_on_struck(key, (row, frame), struck)
    }

    /// Does what a rule wants instead of a step of a login, if it wants that.
    fn go_on_struck(&mut self, key: ConnectionKey, (row, frame): Asked<'_>, struck: Struck) -> Result<(), End> {
        match struck.deed {
            Deed::Close => Err(closes(&struck)),
            Deed::Error(code) => self.refuse_struck(key, (row, frame), (code, struck)),
            _ => self.authenticate(key, frame, None),
        }
    }

    /// A step of a login is answered by an error. That ends the login, but for ApiVersions, which may be asked for again.
    fn refuse_struck(
        &mut self,
        key: ConnectionKey,
        (row, frame): Asked<'_>,
        (code, struck): (i16, Struck),
    ) -> Result<(), End> {
        let answer = refusal(row, frame, code).map_err(|reason| End::refused(by(&struck, &reason)))?;
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        if row.key != ApiKey::ApiVersions {
            let reason = by(&struck, "the login is refused");
            let refused = authentication::refuse(&mut connection.session, answer, reason);
            return self.refuse_login(key, refused);
        }
        let sequence = connection.answer_later(Order::Alone);
        self.turn.metrics.request(row.key as usize, frame.len());
        self.fill(login_begun(key, sequence, row.key, frame, self.turn.now), answer);
        Ok(())
    }

    /// Goes on with a request of a login that was kept back. The place that was kept for its answer stays empty: what comes of
    /// it has one of its own.
    pub(super) fn go_on_with_kept_login(&mut self, begun: Begun, struck: Struck, asked: Asked<'_>) {
        let Asker::Connection(key, sequence) = begun.asker else { return };
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.fill(sequence, None);
        match self.go_on_struck(key, asked, struck) {
            Ok(()) => self.enqueue(key),
            Err(end) => self.close(key, end),
        }
    }

    /// Gives an answer of a login to the rule that wants it.
    pub(super) fn answer_struck_login(
        &mut self,
        key: ConnectionKey,
        struck: Struck,
        (answer, asked): (Answer, Option<CountedRequest>),
    ) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(CountedRequest { api, version, since, frame_bytes }) = asked else {
            connection.answer_now(Some(answer));
            return self.touch(key);
        };
        let sequence = connection.answer_later(Order::Alone);
        self.turn.metrics.request(api as usize, frame_bytes);
        let begun = Begun::uncharged(Asker::Connection(key, sequence), api, since);
        self.fill(Begun { version, struck: Some(struck), ..begun }, Some(answer));
    }

    /// What is kept of a client's login.
    pub(super) fn kept_login_bytes(&self, key: ConnectionKey) -> usize {
        self.kept_back.iter().filter(|kept| kept.is_of(key)).map(|kept| kept.frame_bytes()).sum()
    }
}

fn login_begun(key: ConnectionKey, sequence: Sequence, api: ApiKey, frame: &[u8], now: Instant) -> Begun {
    Begun { version: table::version_of(frame), ..Begun::uncharged(Asker::Connection(key, sequence), api, now) }
}
