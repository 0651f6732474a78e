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
//! | tokens | any other request | 34, in the form of its own answer (`wire::refusal`) | refused |
//!
//! A login by a delegation token (SCRAM with `tokenauth=true`) or by GSSAPI stands still among the tokens while another thread
//! has its exchange: a credential takes as long to compute as a hundred requests, and Kerberos reads files. No frame is handled
//! meanwhile.
//!
//! Who is refused is answered, and closed, after `connection.failed.authentication.delay.ms`. Deviation: Kafka closes at
//! once, without the delay, on a token without a request that a mechanism other than PLAIN refuses.

mod tokens;

use super::table::{self, Handler};
use super::{Answer, Head, Outcome, Request, api_versions};
use crate::codec::{Message, Reader};
use crate::io::driver::Computing;
use crate::model::{ApiKey, ErrorCode, Instant, Mechanism};
use crate::security::sasl::{Exchange, Failure};
use crate::shard::context::Context;
use crate::shard::login::{Again, Awaited, CountedRequest, Login, Stage};
use crate::shard::session::{Authentication, Session};
use crate::wire::api::{self, sasl_authenticate, sasl_handshake};
use crate::wire::frame::SIZE_BYTES;
use crate::wire::header::RequestHeader;
use crate::wire::refusal::WhyRefused;
use std::time::Duration;
use tokens::{Opened, Taken};

/// A session is begun again once in this time at most (`KafkaChannel.MIN_REAUTH_INTERVAL_ONE_SECOND_NANOS`).
const MIN_AGAIN: Duration = Duration::from_secs(1);

/// What became of a frame.
pub enum Progress {
    Answer {
        answer: Answer,
        /// `None`: a token that was no request.
        asked: Option<CountedRequest>,
    },
    /// This is for another thread, then [`resume`] goes on.
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
    /// Who the client has said to be, where it has.
    pub claimed: Option<String>,
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
    /// The client's token was not taken.
    Failed(Option<Answer>, Failure),
    Close(String),
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
    refuse(session, None, "Failing SASL authentication due to invalid receive size".into())
}

/// The broker ends a client's login, at whatever stage the client is.
pub fn refuse(session: &mut Session, answer: Option<Answer>, reason: String) -> Refused {
    let (mechanism, is_again) = about(&session.authentication);
    session.authentication = Authentication::Failed;
    Refused { answer, at_once: false, mechanism, is_again, claimed: None, reason }
}

/// The row of a frame that is a request of the session's login.
pub fn row_of(session: &Session, frame: &[u8]) -> Option<&'static Handler> {
    let Authentication::Pending(login) = &session.authentication else { return None };
    let has_request = !matches!(login.stage, Stage::Tokens { with_headers: false, .. });
    let is_of_login =
        |row: &&Handler| matches!(row.key, ApiKey::ApiVersions | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate);
    table::of_frame(frame).filter(|_| has_request).filter(is_of_login)
}

/// Handles a frame of a session whose login goes on.
pub fn handle(context: &mut Context<'_>, session: &mut Session, frame: &[u8]) -> Progress {
    let about = about(&session.authentication);
    let mut login = take(session);
    assert!(login.awaits.is_none(), "no frame is handled while something is computed");
    let has_request = !matches!(login.stage, Stage::Tokens { with_headers: false, .. });
    let (since, frame_bytes) = (context.now, SIZE_BYTES + frame.len());
    let row = table::of_frame(frame).filter(|_| has_request);
    let version = table::version_of(frame);
    let asked = row.map(|row| CountedRequest { api: row.key, version, since, frame_bytes });
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
    let (answer, at_once, claimed, reason) = match next {
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
        Next::Refused(answer, reason) => (answer, false, None, reason),
        Next::Failed(answer, failure) => (answer, false, failure.claimed, failure.reason),
        Next::Close(reason) => (None, true, None, reason),
    };
    Progress::Refused(Box::new(Refused { answer, at_once, mechanism, is_again, claimed, reason }))
}

fn about(authentication: &Authentication) -> (Option<Mechanism>, bool) {
    let Authentication::Pending(login) = authentication else { return (None, false) };
    (mechanism_of(&login.stage), login.again.is_some())
}

fn mechanism_of(stage: &Stage) -> Option<Mechanism> {
    match stage {
        Stage::Tokens { mechanism, .. } | Stage::OtherMechanism(mechanism) => Some(*mechanism),
        Stage::Begin | Stage::Handshake => None,
    }
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

/// Goes on with what another thread has made of an exchange.
fn resumed(context: &Context<'_>, session: &Session, login: &mut Login, awaited: Awaited) -> Next {
    let Awaited { request, ended, .. } = awaited;
    let taken = tokens::come_back(context, login, session.route.listener, &ended);
    match (request, api::describe(ApiKey::SaslAuthenticate)) {
        (Some((version, correlation_id)), Some(description)) => {
            let max_answer_bytes = context.shared.config.max_answer_bytes;
            answer_request(login, Head { description, version, correlation_id, max_answer_bytes }, taken)
        }
        _ => answer_token(login, taken),
    }
}

/// A request with its row, if it is one that can be read.
fn request<'a>(
    context: &Context<'_>,
    session: &'a Session,
    frame: &'a [u8],
) -> Option<(&'static Handler, Request<'a>)> {
    let row = table::of_frame(frame)?;
    let version = i16::from_be_bytes([*frame.get(2)?, *frame.get(3)?]);
    let description = api::describe(row.key)?;
    let mut reader = Reader::new(frame);
    // A request of a version from the future is read as far as its correlation id.
    let header = RequestHeader::decode(&mut reader, description.request_header_version(version)).ok()?;
    let max_answer_bytes = context.shared.config.max_answer_bytes;
    let head = Head { description, version, correlation_id: header.correlation_id, max_answer_bytes };
    let body = &frame[frame.len() - reader.remaining()..];
    Some((row, Request { head, client_id: "", body, session }))
}

fn handle_begin(context: &mut Context<'_>, session: &Session, login: &mut Login, frame: &[u8]) -> Next {
    let Some((row, request)) = request(context, session, frame) else {
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
    let Some((row, request)) = request(context, session, frame) else {
        return Next::Close("a frame among the tokens that is no request".into());
    };
    let head = request.head;
    if row.key != ApiKey::SaslAuthenticate {
        let api = constant_of(row.key.name());
        let reason = format!("Unexpected Kafka request of type {api} during SASL authentication.");
        return Next::Refused(out_of_order(row.key, &request, &reason), reason);
    }
    if !row.offers(head.version, &context.shared.config) {
        return Next::Close(format!("Version {} is not supported for apiKey SASL_AUTHENTICATE", head.version));
    }
    let Ok(body) = request.decode::<sasl_authenticate::Request<'_>>() else {
        return Next::Close("a SaslAuthenticate request that cannot be read".into());
    };
    let taken = tokens::take(context, login, session.route.listener, &body.auth_bytes);
    answer_request(login, head, taken)
}

/// The answer to a token that came in a request.
fn answer_request(login: &Login, head: Head, taken: Result<Taken, Failure>) -> Next {
    match taken {
        Ok(Taken::Away(away)) => away.begin(Some((head.version, head.correlation_id))),
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
            let told = failure.told.clone().unwrap_or_else(|| generic(login));
            let response = sasl_authenticate::Response {
                error_code: ErrorCode::SaslAuthenticationFailed.code(),
                error_message: Some(told.into()),
                ..Default::default()
            };
            Next::Failed(head.encode(&response).ok(), failure)
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

/// An API as Kafka's code names it: `DESCRIBE_ACLS`.
fn constant_of(name: &str) -> String {
    let mut constant = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !constant.is_empty() {
            constant.push('_');
        }
        constant.push(letter.to_ascii_uppercase());
    }
    constant
}

/// The answer to a request that must not come among the tokens. Clients that take the broker's complaint about a token of
/// OAUTHBEARER for the end of the exchange go on with one.
fn out_of_order(key: ApiKey, request: &Request<'_>, told: &str) -> Option<Answer> {
    const STANDARD: &str = "Request is not valid given the current SASL state.";
    let code = ErrorCode::IllegalSaslState.code();
    let refused = WhyRefused { code, told: Some(told), standard: Some(STANDARD) };
    match key {
        // Kafka takes what it cannot read for version 0.
        ApiKey::ApiVersions if !request.head.description.has_version(request.head.version) => {
            let head = Head { version: 0, ..request.head };
            Request { head, body: &[], ..*request }.refuse(&refused)
        }
        _ => request.refuse(&refused),
    }
    .ok()?
}

/// A token as it is.
fn handle_token(context: &mut Context<'_>, session: &Session, login: &mut Login, token: &[u8]) -> Next {
    let taken = tokens::take(context, login, session.route.listener, token);
    answer_token(login, taken)
}

/// The answer to a token that came as it is.
fn answer_token(login: &Login, taken: Result<Taken, Failure>) -> Next {
    match taken {
        Ok(Taken::Away(away)) => away.begin(None),
        Ok(Taken::Token(token, opened)) => {
            // `GssKrb5Server` has no word for the end, not even an empty one.
            let is_silent = opened.is_some() && mechanism_of(&login.stage) == Some(Mechanism::Gssapi);
            let mut bytes = Vec::new();
            if !is_silent {
                bytes.extend_from_slice(&(token.len() as u32).to_be_bytes());
                bytes.extend_from_slice(&token);
            }
            let answer = Answer { bytes, ..Answer::default() };
            match opened {
                None => Next::Answer(answer),
                Some((opened, _)) => Next::Open(answer, opened),
            }
        }
        Err(failure) => Next::Failed(None, failure),
    }
}

#[cfg(test)]
mod tests;
