//! What the APIs of delegation tokens have in common.

use super::{Request, metadata_job};
use crate::metadata::{Decided, TokenPeriod};
use crate::model::{ErrorCode, SecurityProtocol};
use crate::security::principal::Principal;
use crate::shard::context::Context;
use crate::shard::session::Session;
use crate::stdx::secret::Secret;

/// `DelegationTokenManager.ERROR_TIMESTAMP`
pub(super) const NO_TIMESTAMP: i64 = -1;
/// The messages name no time: as long as a client waits by its defaults.
pub(super) const TIMEOUT_MS: i32 = 30_000;

/// Whether the client may speak of tokens at all (`KafkaApis.allowTokenRequests`): it has said who it is, and not by a token.
pub(super) fn are_allowed(context: &Context<'_>, request: &Request<'_>) -> bool {
    let listener = context.shared.config.listeners.get(request.session.route.listener);
    listener.is_some_and(|listener| is_known(listener.security_protocol, request.session))
}

fn is_known(protocol: SecurityProtocol, session: &Session) -> bool {
    let by_protocol = match protocol {
        SecurityProtocol::Plaintext => false,
        // Else it has shown no certificate.
        SecurityProtocol::Ssl => session.principal != Principal::ANONYMOUS,
        SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl => true,
    };
    by_protocol && !session.by_delegation_token
}

/// A token by its HMAC, and what the client wants of its end.
pub(super) fn period(request: &Request<'_>, hmac: &[u8], period_ms: i64) -> TokenPeriod {
    TokenPeriod { hmac: Secret::new(hmac), requester: request.session.principal.clone(), period_ms }
}

/// What a client is told that wanted another end for a token: the error, and the end.
pub(super) fn end(decided: metadata_job::Result) -> (ErrorCode, i64) {
    match decided {
        Ok(Decided::TokenEnds(Ok(end))) => (ErrorCode::None, end),
        Ok(Decided::TokenEnds(Err(error))) => (error, 0),
        other => (metadata_job::why_not(other), 0),
    }
}

/// Type and name of a principal as the metadata log has it (`SecurityUtils.parseKafkaPrincipal`).
pub(super) fn parts(principal: &str) -> (&str, &str) {
    principal.split_once(':').unwrap_or(("", principal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_who_have_said_who_they_are_may_speak_of_tokens() {
        let knows = |principal: Principal, by_delegation_token| {
            let mut session = Session::anonymous(0, ([127, 0, 0, 1], 1).into());
            (session.principal, session.by_delegation_token) = (principal, by_delegation_token);
            SecurityProtocol::ALL.map(|protocol| is_known(protocol, &session))
        };
        let alice = Principal::new(Principal::USER, "alice");
        assert_eq!(SecurityProtocol::ALL.map(|protocol| protocol as i16), [0, 1, 2, 3]);
        assert_eq!(knows(alice.clone(), false), [false, true, true, true]);
        assert_eq!(knows(Principal::ANONYMOUS, false), [false, false, true, true]);
        assert_eq!(knows(alice, true), [false; 4]);
    }
}
