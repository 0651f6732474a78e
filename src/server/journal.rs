//! Puts requests and their answers into the shard's journal, where one is kept. Without one each step is a look at `None`.

use crate::codec::ToldErrors;
use crate::handlers::Answer;
use crate::io::driver::ConnectionKey;
use crate::model::ApiKey;
use crate::server::Server;
use crate::server::throttle::header_of;
use crate::shard::journal::{AskedRequest, ToldAnswer};
use crate::stdx::slab::Key;
use crate::wire::frame::SIZE_BYTES;

/// What the journal says of a request whose connection ended first.
pub(super) const GONE: &str = "the client has gone";

/// Their bodies have passwords and keys.
fn has_secrets(api: ApiKey) -> bool {
    use ApiKey::*;
    matches!(
        api,
        SaslHandshake
            | SaslAuthenticate
            | AlterUserScramCredentials
            | CreateDelegationToken
            | RenewDelegationToken
            | ExpireDelegationToken
            | DescribeDelegationToken
    )
}

impl Server {
    /// A request is about to be handled.
    #[inline]
    pub(super) fn begin_exchange(&mut self, key: ConnectionKey, api: ApiKey, frame: &[u8]) -> Option<Key> {
        let takes = self.journal.as_mut()?.takes(api, self.turn.now, self.turn.wall);
        takes.then(|| self.begin_kept(key, api, frame)).flatten()
    }

    #[cold]
    fn begin_kept(&mut self, key: ConnectionKey, api: ApiKey, frame: &[u8]) -> Option<Key> {
        let header = header_of(frame);
        let session = &self.connections.get(key)?.session;
        let asked = AskedRequest {
            connection: key.0.to_u64(),
            peer: session.peer,
            listener: session.route.listener,
            principal: session.principal.to_string(),
            client_id: header.as_ref().and_then(|header| header.client_id.as_deref()).unwrap_or_default(),
            software: session.software(),
            api,
            version: header.as_ref().map_or(-1, |header| header.request_api_version),
            frame,
            keeps_bodies: !has_secrets(api),
        };
        let now = self.driver.now();
        self.journal.as_mut()?.begin(asked, (self.turn.now, self.turn.wall), now)
    }

    /// Its handler has come back.
    #[inline]
    pub(super) fn end_handling(&mut self, noted: Option<Key>) {
        if let (Some(key), Some(journal)) = (noted, &mut self.journal) {
            journal.handled(key, self.driver.now());
        }
    }

    /// It is answered, or there is no answer.
    #[inline]
    pub(super) fn end_exchange(&mut self, noted: Option<Key>, answer: Option<&Answer>, errors: &ToldErrors) {
        let (Some(key), Some(journal)) = (noted, &mut self.journal) else { return };
        let told = answer.map(|answer| ToldAnswer {
            frame: answer.bytes.get(SIZE_BYTES..).unwrap_or_default(),
            holes: answer.holes.iter().map(|(at, slice)| (at.saturating_sub(SIZE_BYTES), slice.length)).collect(),
            size_bytes: answer.size_bytes(),
            errors: errors.clone(),
        });
        journal.answer(key, told, self.driver.now());
    }

    /// It is not answered, because its connection ends.
    #[inline]
    pub(super) fn fail_exchange(&mut self, noted: Option<Key>, reason: &str) {
        if let (Some(key), Some(journal)) = (noted, &mut self.journal) {
            journal.close(key, reason, self.driver.now());
        }
    }
}
