//! Tokens of a login: what its exchange makes of them, here or on another thread, and the session that opens behind the last.

use std::sync::Arc;
use std::time::Duration;

use super::Next;
use crate::handlers::delegation_tokens;
use crate::io::driver::Computing;
use crate::model::{Mechanism, TimestampMs};
use crate::security::crypto::Hash;
use crate::security::delegation;
use crate::security::principal::Principal;
use crate::security::sasl::scram::{Credential, mechanism_id};
use crate::security::sasl::{Authenticated, CredentialNeed, Exchange, Failure, FoundCredential, Step};
use crate::shard::context::Context;
use crate::shard::login::{Again, Awaited, LoggedIn, Login, ReturnedExchange, Stage};
use crate::stdx::mutex::Mutex;
use crate::stdx::secret::Secret;

/// What a session becomes.
pub(super) struct Opened {
    pub(super) principal: Principal,
    pub(super) by_delegation_token: bool,
    pub(super) logged_in: LoggedIn,
}

/// What became of a client's token.
pub(super) enum Taken {
    /// The token for the client and, behind the last one, what its session becomes, with its lifetime in milliseconds as
    /// clients are told it.
    Token(Vec<u8>, Option<(Box<Opened>, i64)>),
    /// Another thread goes on.
    Away(Away),
}

/// A step of an exchange for another thread, and where it leaves what becomes of it.
pub(super) struct Away {
    work: Computing,
    ended: ReturnedExchange,
}

impl Away {
    /// The exchange goes away with its step, and comes back with what has become of it.
    fn new(exchange: &mut Exchange, step: impl FnOnce(&mut Exchange) -> Step + Send + 'static) -> Away {
        let ended = Arc::new(Mutex::new(None));
        let left = ended.clone();
        let mut exchange = std::mem::replace(exchange, Exchange::Over);
        let work = move || {
            let step = step(&mut exchange);
            let before = left.lock().replace((exchange, step));
            assert!(before.is_none(), "a step is made once");
        };
        Away { work: Box::new(work), ended }
    }

    pub(super) fn begin(self, request: Option<(i16, i32)>) -> Next {
        Next::Compute(self.work, Box::new(Awaited { request, asked: None, ended: self.ended }))
    }
}

/// A delegation token that a client has named.
struct NamedToken {
    /// The name of its owner, and its end.
    token: (String, TimestampMs),
    hmac: Secret,
    hash: Hash,
}

impl NamedToken {
    /// Takes long.
    fn credential(self, salt: Vec<u8>) -> FoundCredential {
        let NamedToken { token, hmac, hash } = self;
        FoundCredential { credential: delegation::credential(&hmac, hash, salt), token: Some(token) }
    }
}

/// Takes a client's token.
pub(super) fn take(
    context: &mut Context<'_>,
    login: &mut Login,
    listener: usize,
    token: &[u8],
) -> Result<Taken, Failure> {
    let Stage::Tokens { exchange, .. } = &mut login.stage else { panic!("tokens come after a handshake") };
    let mut step = exchange.step(token, context.wall);
    if let Step::MayWait(token) = step {
        return Ok(Taken::Away(Away::new(exchange, move |exchange| exchange.step_waiting(&token))));
    }
    if let Step::Needs(need) = &step {
        let found = match need {
            CredentialNeed::Scram { user, hash } => find(context, user, *hash),
            CredentialNeed::Token { id, hash } => match named_token(context, id, *hash) {
                Some(named) => {
                    let salt: [u8; 16] = context.shared.environment.random_bytes();
                    let step = move |exchange: &mut Exchange| exchange.resume(Some(named.credential(salt.to_vec())));
                    return Ok(Taken::Away(Away::new(exchange, step)));
                }
                None => None,
            },
        };
        step = exchange.resume(found);
    }
    taken(context, login, listener, step)
}

/// What another thread has made of an exchange.
pub(super) fn come_back(
    context: &Context<'_>,
    login: &mut Login,
    listener: usize,
    ended: &ReturnedExchange,
) -> Result<Taken, Failure> {
    let Stage::Tokens { exchange, .. } = &mut login.stage else { panic!("it was a token that waited") };
    let (back, step) = ended.lock().take().expect("its step has ended");
    *exchange = back;
    taken(context, login, listener, step)
}

fn taken(context: &Context<'_>, login: &Login, listener: usize, step: Step) -> Result<Taken, Failure> {
    let Stage::Tokens { mechanism, .. } = login.stage else { panic!("tokens come after a handshake") };
    match step {
        Step::Challenge(token) => Ok(Taken::Token(token, None)),
        Step::Done { token, identity } => {
            let (opened, lifetime_ms) = open(context, mechanism, login.again.as_ref(), listener, identity)?;
            Ok(Taken::Token(token, Some((Box::new(opened), lifetime_ms))))
        }
        Step::Failed(failure) => Err(failure),
        Step::Needs(_) | Step::MayWait(_) => panic!("what it needs was had"),
    }
}

/// A user's credential, from the image.
fn find(context: &Context<'_>, user: &str, hash: Hash) -> Option<FoundCredential> {
    let kept = context.view.image.scram_credential(user, mechanism_id(hash))?;
    let credential = Credential {
        salt: kept.salt.clone(),
        stored_key: Secret::new(kept.stored_key.clone()),
        server_key: Secret::new(kept.server_key.clone()),
        iterations: kept.iterations,
    };
    Some(FoundCredential { credential, token: None })
}

/// A delegation token, from the image. As in Kafka one that has expired is known until it is swept: its session ends with
/// the first request.
fn named_token(context: &Context<'_>, id: &str, hash: Hash) -> Option<NamedToken> {
    let settings = context.shared.config.delegation_tokens.as_ref()?;
    let token = context.view.image.delegation_token(id)?;
    let (_, owner) = delegation_tokens::parts(&token.owner);
    let expires = TimestampMs(token.expiration_timestamp);
    Some(NamedToken { token: (owner.into(), expires), hmac: delegation::hmac(&settings.secret_key, id), hash })
}

/// The session of a client that has proved who it is, and its lifetime in milliseconds; 0: for ever.
pub(super) fn open(
    context: &Context<'_>,
    mechanism: Mechanism,
    again: Option<&Again>,
    listener: usize,
    identity: Authenticated,
) -> Result<(Opened, i64), Failure> {
    let Authenticated { name, expires, by_delegation_token } = identity;
    let principal = Principal::new(Principal::USER, name);
    if let Some(Again { principal: before, .. }) = again.filter(|again| again.principal != principal) {
        let reason = format!(
            "Cannot change principals during re-authentication from {}.{}: {}.{}",
            before.kind(),
            before.name(),
            principal.kind(),
            principal.name()
        );
        return Err(Failure { told: Some(reason.clone()), reason, claimed: Some(principal.name().into()) });
    }
    let offered = context.shared.logins.offer(listener).and_then(|offer| offer.find(mechanism.name()));
    let most = offered.and_then(|offered| offered.max_reauth).map(|most| most.as_millis() as u64);
    let left = expires.map(|expires| u64::try_from(expires.0 - context.wall.0).unwrap_or(0));
    let lifetime_ms = most.into_iter().chain(left).min();
    let expires = lifetime_ms.map(|ms| context.now + Duration::from_millis(ms));
    let logged_in = LoggedIn { mechanism, expires, began_again: None };
    let told = lifetime_ms.map_or(0, |ms| i64::try_from(ms).unwrap_or(i64::MAX));
    Ok((Opened { principal, by_delegation_token, logged_in }, told))
}
