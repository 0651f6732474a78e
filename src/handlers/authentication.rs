//! Logins by SASL: what a client may send before its session is open, and when it logs in again (`SaslServerAuthenticator`).
//!
//! | stage | frame | answer | next |
//! | --- | --- | --- | --- |
//! | begin | ApiVersions | as ever, but cluster and node are not looked at | handshake |
//! | begin | ApiVersions that is refused (35, 42) | as ever | begin |
//! | begin, handshake | SaslHandshake of a mechanism that is offered | all mechanisms | tokens |
//! | begin, handshake | SaslHandshake of another | 33, all mechanisms | refused |
//! | begin, handshake | anything else | none | closed at once |
//! | tokens | SaslAuthenticate; or a token, after a handshake of version 0 | the next token; 58 | tokens, open, refused |
//! | tokens | ApiVersions, SaslHandshake | 34 | refused |
//! | tokens | any other request | none | refused |
//!
//! A login by a delegation token (SCRAM with `tokenauth=true`) stands still among the tokens while its credential is computed
//! on another thread, which takes as long as a hundred requests; no frame is handled meanwhile.
//!
//! Who is refused is answered, and closed, after `connection.failed.authentication.delay.ms`. Deviations: Kafka answers every
//! request among the tokens with an error in that request's own form, and closes at once, without the delay, on a token
//! without a request that a mechanism other than PLAIN refuses.

use super::table::{self, Handler};
use super::{Answer, Head, Outcome, Request, api_versions, delegation_tokens, metadata};
use crate::codec::{Message, Reader};
use crate::io::driver::Computing;
use crate::model::{ApiKey, ErrorCode, Instant, Mechanism, TimestampMs};
use crate::security::crypto::Hash;
use crate::security::delegation;
use crate::security::principal::Principal;
use crate::security::sasl::scram::Credential;
use crate::security::sasl::{Authenticated, CredentialNeed, Exchange, Failure, FoundCredential, Step};
use crate::shard::context::Context;
use crate::shard::login::{Again, Awaited, CountedRequest, LoggedIn, Login, Stage};
use crate::shard::session::{Authentication, Session};
use crate::stdx::secret::Secret;
use crate::wire::api::{self, sasl_authenticate, sasl_handshake};
use crate::wire::frame::SIZE_BYTES;
use crate::wire::header::RequestHeader;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A session is begun again once in this time at most (`KafkaChannel.MIN_REAUTH_INTERVAL_ONE_SECOND_NANOS`).
const MIN_AGAIN: Duration = Duration::from_secs(1);

/// What became of a frame.
pub enum Progress {
    Answer {
        answer: Answer,
        /// `None`: a token that was no request.
        asked: Option<CountedRequest>,
    },
    /// This is to be computed, then [`resume`] goes on.
    Computes(Computing),
    Refused(Box<Refused>),
}

/// A login that has come to nothing: its connection ends.
pub struct Refused {
    /// What the client is told when the delay is over.
    pub answer: Option<Answer>,
    /// There is no delay.
    pub at_once: bool,
    pub mechanism: Option<Mechanism>,
    pub is_again: bool,
    /// What the log says of it.
    pub reason: String,
}

/// What a step of a login comes to.
enum Next {
    /// It goes on.
    Answer(Answer),
    Open(Answer, Box<Opened>),
    Compute(Computing, Box<Awaited>),
    Refused(Option<Answer>, String),
    Close(String),
}

struct Opened {
    principal: Principal,
    by_delegation_token: bool,
    logged_in: LoggedIn,
}

/// Whether a SaslHandshake begins another login of a session that is open; else it is a request like any other.
pub fn begins_again(session: &mut Session, now: Instant) -> bool {
    let Some(logged_in) = &mut session.logged_in else { return false };
    let is_too_early = logged_in.began_again.is_some_and(|began| now.since(began) < MIN_AGAIN);
    if !session.authentication.is_open() || logged_in.expires.is_none() || is_too_early {
        return false;
    }
    logged_in.began_again = Some(now);
    let again = Again { mechanism: logged_in.mechanism, principal: session.principal.clone() };
    let login = Login { again: Some(again), ..Login::default() };
    session.authentication = Authentication::Pending(Box::new(login));
    true
}

/// Why a frame that is too large, or has no size, ends a login.
pub fn bad_size(session: &mut Session) -> Refused {
    let (mechanism, is_again) = about(&session.authentication);
    session.authentication = Authentication::Failed;
    let reason = "Failing SASL authentication due to invalid receive size".into();
    Refused { answer: None, at_once: false, mechanism, is_again, reason }
}

/// Handles a frame of a session whose login goes on.
pub fn handle(context: &mut Context<'_>, session: &mut Session, frame: &[u8]) -> Progress {
    let about = about(&session.authentication);
    let mut login = take(session);
    assert!(login.awaits.is_none(), "no frame is handled while something is computed");
    let has_request = !matches!(login.stage, Stage::Tokens { with_headers: false, .. });
    let (since, frame_bytes) = (context.now, SIZE_BYTES + frame.len());
    let row = table::of_frame(frame).filter(|_| has_request);
    let asked = row.map(|row| CountedRequest { api: row.key, since, frame_bytes });
    let next = step(context, session, &mut login, frame);
    conclude(session, login, next, about, asked)
}

/// Goes on with what was computed for a login.
pub fn resume(context: &mut Context<'_>, session: &mut Session) -> Progress {
    let about = about(&session.authentication);
    let mut login = take(session);
    let awaited = login.awaits.take().expect("something was computed");
    let asked = awaited.asked;
    let next = resumed(context, session, &mut login, *awaited);
    conclude(session, login, next, about, asked)
}

/// The session is refused unless the login is put back.
fn take(session: &mut Session) -> Box<Login> {
    match std::mem::replace(&mut session.authentication, Authentication::Failed) {
        Authentication::Pending(login) => login,
        _ => panic!("only a login that goes on has frames"),
    }
}

fn conclude(
    session: &mut Session,
    mut login: Box<Login>,
    next: Next,
    (mechanism, is_again): (Option<Mechanism>, bool),
    asked: Option<CountedRequest>,
) -> Progress {
    let (answer, at_once, reason) = match next {
        Next::Answer(answer) => {
            session.authentication = Authentication::Pending(login);
            return Progress::Answer { answer, asked };
        }
        Next::Compute(work, awaited) => {
            login.awaits = Some(Box::new(Awaited { asked, ..*awaited }));
            session.authentication = Authentication::Pending(login);
            return Progress::Computes(work);
        }
        Next::Open(answer, opened) => {
            let Opened { principal, by_delegation_token, mut logged_in } = *opened;
            logged_in.began_again = session.logged_in.as_ref().and_then(|before| before.began_again);
            (session.principal, session.by_delegation_token) = (principal, by_delegation_token);
            (session.logged_in, session.authentication) = (Some(logged_in), Authentication::Open);
            return Progress::Answer { answer, asked };
        }
        Next::Refused(answer, reason) => (answer, false, reason),
        Next::Close(reason) => (None, true, reason),
    };
    Progress::Refused(Box::new(Refused { answer, at_once, mechanism, is_again, reason }))
}

fn about(authentication: &Authentication) -> (Option<Mechanism>, bool) {
    let Authentication::Pending(login) = authentication else { return (None, false) };
    let mechanism = match &login.stage {
        Stage::Tokens { mechanism, .. } | Stage::OtherMechanism(mechanism) => Some(*mechanism),
        Stage::Begin | Stage::Handshake => None,
    };
    (mechanism, login.again.is_some())
}

fn step(context: &mut Context<'_>, session: &Session, login: &mut Login, frame: &[u8]) -> Next {
    match &login.stage {
        Stage::Begin | Stage::Handshake => handle_begin(context, session, login, frame),
        Stage::Tokens { with_headers: true, .. } => handle_authenticate(context, session, login, frame),
        Stage::Tokens { with_headers: false, .. } => handle_token(context, session, login, frame),
        Stage::OtherMechanism(other) => {
            let before = login.again.as_ref().map_or("", |again| again.mechanism.name());
            let reason = format!(
                "SASL mechanism '{}' requested by client is not supported for re-authentication of mechanism '{before}'",
                other.name()
            );
            Next::Refused(None, reason)
        }
    }
}

/// A request with its row, if it is one that can be read.
fn request<'a>(session: &'a Session, frame: &'a [u8]) -> Option<(&'static Handler, Request<'a>)> {
    let row = table::of_frame(frame)?;
    let version = i16::from_be_bytes([*frame.get(2)?, *frame.get(3)?]);
    let description = api::describe(row.key)?;
    let mut reader = Reader::new(frame);
    // A request of a version from the future is read as far as its correlation id.
    let header = RequestHeader::decode(&mut reader, description.request_header_version(version)).ok()?;
    let head = Head { description, version, correlation_id: header.correlation_id };
    let body = &frame[frame.len() - reader.remaining()..];
    Some((row, Request { head, client_id: "", body, session }))
}

fn handle_begin(context: &mut Context<'_>, session: &Session, login: &mut Login, frame: &[u8]) -> Next {
    let Some((row, request)) = request(session, frame) else {
        return Next::Close(
            "Invalid request, potential reasons: wrong security protocol, or not a Kafka client".into(),
        );
    };
    let is_offered = row.offers(request.head.version, &context.shared.config);
    match row.key {
        ApiKey::ApiVersions if matches!(login.stage, Stage::Handshake) => {
            Next::Close("Unexpected ApiVersions request received during SASL authentication".into())
        }
        ApiKey::ApiVersions if !is_offered => answered(api_versions::unsupported(context, request.head)),
        ApiKey::ApiVersions => {
            let (outcome, is_told) = api_versions::before_login(context, &request);
            if is_told {
                login.stage = Stage::Handshake;
            }
            answered(outcome)
        }
        ApiKey::SaslHandshake if is_offered => match request.decode::<sasl_handshake::Request<'_>>() {
            Ok(body) => handle_handshake(context, login, &request, &body.mechanism),
            Err(_) => Next::Close("a SaslHandshake request that cannot be read".into()),
        },
        key => Next::Close(format!("Unexpected Kafka request of type {key} during SASL handshake.")),
    }
}

fn handle_handshake(context: &Context<'_>, login: &mut Login, request: &Request<'_>, name: &str) -> Next {
    let Some(offer) = context.shared.logins.offer(request.session.route.listener) else {
        return Next::Close("the listener has no mechanism".into());
    };
    let mechanisms = offer.names().map(Into::into).collect();
    let Some(offered) = offer.find(name) else {
        let error_code = ErrorCode::UnsupportedSaslMechanism.code();
        let answer = request.head.encode(&sasl_handshake::Response { error_code, mechanisms }).ok();
        return Next::Refused(answer, format!("Unsupported SASL mechanism {name}"));
    };
    let mechanism = offered.verifier.mechanism();
    login.stage = match &login.again {
        Some(again) if again.mechanism != mechanism => Stage::OtherMechanism(mechanism),
        _ => {
            let exchange = Exchange::begin(&offered.verifier, context.shared.environment.random_bytes());
            Stage::Tokens { exchange, mechanism, with_headers: request.head.version > 0 }
        }
    };
    answered(request.head.answer(&sasl_handshake::Response { error_code: 0, mechanisms }))
}

fn answered(outcome: Outcome) -> Next {
    match outcome {
        Outcome::Answer(answer) => Next::Answer(answer),
        Outcome::Close(reason) => Next::Close(reason),
        _ => Next::Close("a request that is answered at once was not".into()),
    }
}

/// A token in a request.
fn handle_authenticate(context: &mut Context<'_>, session: &Session, login: &mut Login, frame: &[u8]) -> Next {
    let Some((row, request)) = request(session, frame) else {
        return Next::Close("a frame among the tokens that is no request".into());
    };
    let head = request.head;
    if row.key != ApiKey::SaslAuthenticate {
        let reason = format!("Unexpected Kafka request of type {} during SASL authentication.", row.key);
        return Next::Refused(out_of_order(row.key, &request), reason);
    }
    if !row.offers(head.version, &context.shared.config) {
        return Next::Close(format!("Version {} is not supported for apiKey SASL_AUTHENTICATE", head.version));
    }
    let Ok(body) = request.decode::<sasl_authenticate::Request<'_>>() else {
        return Next::Close("a SaslAuthenticate request that cannot be read".into());
    };
    let taken = take_token(context, login, session.route.listener, &body.auth_bytes);
    answer_request(context, login, head, taken)
}

/// The answer to a token that came in a request.
fn answer_request(context: &Context<'_>, login: &Login, head: Head, taken: Result<Taken, Failure>) -> Next {
    match taken {
        Ok(Taken::Needs(token)) => token.compute(context, Some((head.version, head.correlation_id))),
        Ok(Taken::Token(auth_bytes, opened)) => {
            let lifetime = opened.as_ref().map_or(0, |(_, lifetime_ms)| *lifetime_ms);
            let response = sasl_authenticate::Response {
                auth_bytes: auth_bytes.into(),
                session_lifetime_ms: lifetime,
                ..Default::default()
            };
            match (head.encode(&response), opened) {
                (Ok(answer), None) => Next::Answer(answer),
                (Ok(answer), Some((opened, _))) => Next::Open(answer, opened),
                (Err(reason), _) => Next::Close(reason),
            }
        }
        Err(failure) => {
            let told = failure.told.unwrap_or_else(|| generic(login));
            let response = sasl_authenticate::Response {
                error_code: ErrorCode::SaslAuthenticationFailed.code(),
                error_message: Some(told.into()),
                ..Default::default()
            };
            Next::Refused(head.encode(&response).ok(), failure.reason)
        }
    }
}

/// What a client is told that must not know more.
fn generic(login: &Login) -> String {
    let during = if login.again.is_some() { "re-authentication" } else { "authentication" };
    let name = match &login.stage {
        Stage::Tokens { mechanism, .. } => mechanism.name(),
        _ => "",
    };
    format!("Authentication failed during {during} due to invalid credentials with SASL mechanism {name}")
}

/// The answer to a request that must not come among the tokens. Clients that take the broker's complaint about a token of
/// OAUTHBEARER for the end of the exchange go on with one of these; the answer to any other is left out, as it says no more
/// than the end of the connection.
fn out_of_order(key: ApiKey, request: &Request<'_>) -> Option<Answer> {
    let (head, error) = (request.head, ErrorCode::IllegalSaslState);
    let error_code = error.code();
    match key {
        ApiKey::SaslHandshake => head.encode(&sasl_handshake::Response { error_code, ..Default::default() }).ok(),
        ApiKey::ApiVersions => head.encode(&api::api_versions::Response { error_code, ..Default::default() }).ok(),
        ApiKey::Metadata => head.encode(&metadata::refusal(&request.decode().ok()?, error)).ok(),
        _ => None,
    }
}

/// A token as it is.
fn handle_token(context: &mut Context<'_>, session: &Session, login: &mut Login, token: &[u8]) -> Next {
    let taken = take_token(context, login, session.route.listener, token);
    answer_token(context, taken)
}

/// The answer to a token that came as it is.
fn answer_token(context: &Context<'_>, taken: Result<Taken, Failure>) -> Next {
    match taken {
        Ok(Taken::Needs(token)) => token.compute(context, None),
        Ok(Taken::Token(token, opened)) => {
            let mut bytes = (token.len() as u32).to_be_bytes().to_vec();
            bytes.extend_from_slice(&token);
            let answer = Answer { bytes, ..Answer::default() };
            match opened {
                None => Next::Answer(answer),
                Some((opened, _)) => Next::Open(answer, opened),
            }
        }
        Err(failure) => Next::Refused(None, failure.reason),
    }
}

/// What became of a client's token.
enum Taken {
    /// The token for the client and, behind the last one, what its session becomes, with its lifetime in milliseconds as
    /// clients are told it.
    Token(Vec<u8>, Option<(Box<Opened>, i64)>),
    /// The credential of a delegation token must be computed.
    Needs(Box<NamedToken>),
}

/// A delegation token that a client has named.
struct NamedToken {
    /// The name of its owner, and its end.
    token: (String, TimestampMs),
    hmac: Secret,
    hash: Hash,
}

impl NamedToken {
    /// Has the credential computed.
    fn compute(self, context: &Context<'_>, request: Option<(i16, i32)>) -> Next {
        let NamedToken { token, hmac, hash } = self;
        let credential = Arc::new(OnceLock::new());
        let awaited = Awaited { request, asked: None, token, credential: credential.clone() };
        let salt: [u8; 16] = context.shared.environment.random_bytes();
        let work = move || {
            let computed = credential.set(delegation::credential(&hmac, hash, salt.to_vec()));
            assert!(computed.is_ok(), "it is computed once");
        };
        Next::Compute(Box::new(work), Box::new(awaited))
    }
}

/// Takes a client's token.
fn take_token(context: &mut Context<'_>, login: &mut Login, listener: usize, token: &[u8]) -> Result<Taken, Failure> {
    let Stage::Tokens { exchange, .. } = &mut login.stage else { panic!("tokens come after a handshake") };
    let mut step = exchange.step(token, context.wall);
    if let Step::Needs(need) = &step {
        let found = match need {
            CredentialNeed::Scram { user, hash } => find(context, user, *hash),
            CredentialNeed::Token { id, hash } => match named_token(context, id, *hash) {
                Some(named) => return Ok(Taken::Needs(Box::new(named))),
                None => None,
            },
        };
        step = exchange.resume(found);
    }
    taken(context, login, listener, step)
}

/// Goes on with the credential of a delegation token.
fn resumed(context: &Context<'_>, session: &Session, login: &mut Login, awaited: Awaited) -> Next {
    let Awaited { request, token, credential, .. } = awaited;
    let Stage::Tokens { exchange, .. } = &mut login.stage else { panic!("it was a token that waited") };
    let found = credential.get().cloned().map(|credential| FoundCredential { credential, token: Some(token) });
    let step = exchange.resume(found);
    let taken = taken(context, login, session.route.listener, step);
    match (request, api::describe(ApiKey::SaslAuthenticate)) {
        (Some((version, correlation_id)), Some(description)) => {
            answer_request(context, login, Head { description, version, correlation_id }, taken)
        }
        _ => answer_token(context, taken),
    }
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
        Step::Needs(need) => panic!("{need:?} was looked up"),
    }
}

/// A user's credential, from the image.
fn find(context: &Context<'_>, user: &str, hash: Hash) -> Option<FoundCredential> {
    let mechanism = match hash {
        Hash::Sha256 => 1,
        Hash::Sha512 => 2,
    };
    let kept = context.view.image.scram_credential(user, mechanism)?;
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
fn open(
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
        return Err(Failure { told: Some(reason.clone()), reason });
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

#[cfg(test)]
mod tests;
