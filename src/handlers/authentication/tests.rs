//! Every stage of a login with every kind of frame (`testdata/logins.txt`), sessions that are begun again, and what clients
//! are told.

use std::num::NonZeroU32;
use std::path::Path;

use super::tokens::open;
use super::*;
use crate::handlers::testing::{Broker, frame};
use crate::metadata::scram_record;
use crate::security::crypto::Hash;
use crate::security::sasl::Authenticated;
use crate::security::sasl::scram::Credential;
use crate::wire::api::{api_versions as versions, metadata, produce};
use crate::wire::header::ResponseHeader;

const PLAIN: &str =
    "org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"secret\" user_bob=\"b\";";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
const GOOD: &[u8] = b"\0alice\0secret";
const WRONG: &[u8] = b"\0alice\0Secret";
const SCRAM_FIRST: &[u8] = b"n,,n=carol,r=abc";

/// A broker whose listener asks for logins; carol has a SCRAM credential.
fn broker(more: &[(&str, &str)]) -> Broker {
    let own = [
        ("listener.security.protocol.map", "PLAINTEXT:SASL_PLAINTEXT"),
        ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256"),
        ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
        ("listener.name.plaintext.plain.sasl.jaas.config", PLAIN),
        ("listener.name.plaintext.scram-sha-256.sasl.jaas.config", SCRAM),
    ];
    let mut broker = Broker::start(&own.iter().chain(more).copied().collect::<Vec<_>>());
    let credential = Credential::of_password(Hash::Sha256, b"c", b"salt".to_vec(), NonZeroU32::new(4096).unwrap());
    broker.commit(vec![scram_record("carol", 1, &credential)]);
    connect(&mut broker);
    broker
}

fn connect(broker: &mut Broker) {
    broker.session = Session::unauthenticated(0, ([127, 0, 0, 1], 1).into());
}

fn versions(version: i16) -> Vec<u8> {
    let body = versions::Request {
        client_software_name: "test".into(),
        client_software_version: "1".into(),
        ..Default::default()
    };
    frame(ApiKey::ApiVersions, version, &body)
}

fn handshake(version: i16, mechanism: &'static str) -> Vec<u8> {
    frame(ApiKey::SaslHandshake, version, &sasl_handshake::Request { mechanism: mechanism.into() })
}

fn authenticate(version: i16, token: &'static [u8]) -> Vec<u8> {
    frame(ApiKey::SaslAuthenticate, version, &sasl_authenticate::Request { auth_bytes: token.into() })
}

/// The frame with another version written into it.
fn of_version(version: i16, mut frame: Vec<u8>) -> Vec<u8> {
    frame[2..4].copy_from_slice(&version.to_be_bytes());
    frame
}

fn stage(session: &Session) -> String {
    match &session.authentication {
        Authentication::Open => format!("open as {}", session.principal),
        Authentication::Failed => "refused".into(),
        Authentication::Pending(login) => {
            let stage = match &login.stage {
                Stage::Begin => "begin",
                Stage::Handshake => "handshake",
                Stage::Tokens { .. } => "tokens",
                Stage::OtherMechanism(_) => "other mechanism",
            };
            let again = if login.again.is_some() { " again" } else { "" };
            format!("{stage}{again}")
        }
    }
}

/// What an answer to this frame says.
fn shown(frame: &[u8], answer: &Answer, is_request: bool) -> String {
    let mut reader = Reader::new(&answer.bytes[4..]);
    if !is_request {
        return format!("token {:?}", String::from_utf8_lossy(&answer.bytes[4..]));
    }
    let key = i16::from_be_bytes([frame[0], frame[1]]);
    let version = i16::from_be_bytes([frame[2], frame[3]]);
    let row = table::find(key).unwrap();
    let header_version = api::describe(row.key).unwrap().response_header_version(version);
    let header = ResponseHeader::decode(&mut reader, header_version).unwrap();
    assert_eq!(header.correlation_id, 7);
    let said = match row.key {
        ApiKey::ApiVersions => {
            let read = if version > row.max_version { 0 } else { version };
            let body = versions::Response::decode(&mut reader, read).unwrap();
            format!("{} with {} keys", body.error_code, if body.api_keys.len() > 1 { "all" } else { "few" })
        }
        ApiKey::SaslHandshake => {
            let body = sasl_handshake::Response::decode(&mut reader, version).unwrap();
            let names: Vec<_> = body.mechanisms.iter().map(|name| name.to_string()).collect();
            format!("{} [{}]", body.error_code, names.join(" "))
        }
        ApiKey::SaslAuthenticate => {
            let body = sasl_authenticate::Response::decode(&mut reader, version).unwrap();
            let token = String::from_utf8_lossy(&body.auth_bytes).replace(|c: char| c.is_ascii_digit(), "#");
            let message = body.error_message.unwrap_or_default();
            let length = token.split(",s=").next().map_or(0, str::len);
            format!("{} {message:?} token of {length}, {} ms", body.error_code, body.session_lifetime_ms)
        }
        ApiKey::Metadata => {
            let body = metadata::Response::decode(&mut reader, version).unwrap();
            let topic = |topic: &metadata::MetadataResponseTopic<'_>| {
                format!("{} {}", topic.name.as_deref().unwrap_or_default(), topic.error_code)
            };
            let topics: Vec<_> = body.topics.iter().map(topic).collect();
            format!("{} [{}] of {} brokers", body.error_code, topics.join(" "), body.brokers.len())
        }
        key => panic!("{key}"),
    };
    assert_eq!(reader.remaining(), 0);
    said
}

/// Sends a frame; what came of it.
fn send(broker: &mut Broker, frame: &[u8]) -> String {
    let has_request = match &broker.session.authentication {
        Authentication::Pending(login) => !matches!(login.stage, Stage::Tokens { with_headers: false, .. }),
        _ => true,
    };
    let said = match broker.authenticate(frame) {
        Progress::Computes(_) => panic!("it is computed at once here"),
        Progress::Answer { answer, .. } => shown(frame, &answer, has_request),
        Progress::Refused(refused) => {
            let Refused { answer, at_once, reason, .. } = *refused;
            assert!(answer.is_none() || !at_once, "what is answered waits");
            let answer = answer.map_or("-".into(), |answer| shown(frame, &answer, has_request));
            let when = if at_once { "at once" } else { "later" };
            format!("{answer}, {when} ({reason})")
        }
    };
    format!("{said} → {}", stage(&broker.session))
}

/// A session in which alice has logged in by PLAIN and begins again.
fn begin_again(broker: &mut Broker) {
    send(broker, &handshake(1, "PLAIN"));
    send(broker, &authenticate(1, GOOD));
    let now = broker.now();
    assert!(begins_again(&mut broker.session, now));
}

type Prepare = fn(&mut Broker);

const STAGES: &[(&str, Prepare)] = &[
    ("begin", |_| {}),
    ("begin, versions refused", |broker| drop(send(broker, &of_version(99, versions(5))))),
    ("handshake", |broker| drop(send(broker, &versions(3)))),
    ("tokens of PLAIN", |broker| drop(send(broker, &handshake(1, "PLAIN")))),
    ("tokens of PLAIN without requests", |broker| drop(send(broker, &handshake(0, "PLAIN")))),
    ("tokens of SCRAM", |broker| drop(send(broker, &handshake(1, "SCRAM-SHA-256")))),
    ("tokens of SCRAM, after the first", |broker| {
        send(broker, &handshake(1, "SCRAM-SHA-256"));
        send(broker, &authenticate(1, SCRAM_FIRST));
    }),
    ("begin again", begin_again),
    ("tokens of PLAIN again", |broker| {
        begin_again(broker);
        send(broker, &handshake(1, "PLAIN"));
    }),
    ("other mechanism again", |broker| {
        begin_again(broker);
        send(broker, &handshake(1, "SCRAM-SHA-256"));
    }),
];

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let bad_software = versions::Request { client_software_name: "?".into(), ..Default::default() };
    let elsewhere = versions::Request {
        client_software_name: "a".into(),
        client_software_version: "1".into(),
        cluster_id: Some("another".into()),
        node_id: 9,
    };
    let topic = metadata::MetadataRequestTopic { name: Some("topic".into()), ..Default::default() };
    let of_a_topic = metadata::Request { topics: Some(vec![topic]), ..Default::default() };
    let mut cut = handshake(1, "PLAIN");
    cut.truncate(cut.len() - 1);
    vec![
        ("ApiVersions 0", versions(0)),
        ("ApiVersions 4", versions(4)),
        ("ApiVersions 99", of_version(99, versions(5))),
        ("ApiVersions of bad words", frame(ApiKey::ApiVersions, 3, &bad_software)),
        ("ApiVersions to another", frame(ApiKey::ApiVersions, 5, &elsewhere)),
        ("SaslHandshake 0", handshake(0, "PLAIN")),
        ("SaslHandshake 1", handshake(1, "PLAIN")),
        ("SaslHandshake of SCRAM-SHA-256", handshake(1, "SCRAM-SHA-256")),
        ("SaslHandshake of GSSAPI", handshake(1, "GSSAPI")),
        ("SaslHandshake of plain", handshake(0, "plain")),
        ("SaslHandshake 2", of_version(2, handshake(1, "PLAIN"))),
        ("SaslHandshake cut", cut),
        ("SaslAuthenticate 0", authenticate(0, GOOD)),
        ("SaslAuthenticate 2", authenticate(2, GOOD)),
        ("SaslAuthenticate 3", of_version(3, authenticate(1, GOOD))),
        ("SaslAuthenticate, wrong", authenticate(1, WRONG)),
        ("SaslAuthenticate of another user", authenticate(1, b"\0bob\0b")),
        ("SaslAuthenticate of SCRAM", authenticate(1, SCRAM_FIRST)),
        ("SaslAuthenticate of SCRAM, unknown", authenticate(1, b"n,,n=dave,r=abc")),
        ("SaslAuthenticate, empty", authenticate(1, b"")),
        ("a good token", GOOD.to_vec()),
        ("a wrong token", WRONG.to_vec()),
        ("Metadata 12", frame(ApiKey::Metadata, 12, &metadata::Request::default())),
        ("Metadata 6 of a topic", frame(ApiKey::Metadata, 6, &of_a_topic)),
        ("Produce 9", frame(ApiKey::Produce, 9, &produce::Request::default())),
        ("an unknown request", vec![0, 99, 0, 0, 0, 0, 0, 1, 0, 0]),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a byte", vec![0]),
        ("nothing", Vec::new()),
    ]
}

#[test]
fn every_stage_with_every_frame() {
    let mut broker = broker(&[("connections.max.reauth.ms", "5000")]);
    let mut truth = String::new();
    for (name, prepare) in STAGES {
        truth += &format!("## {name}\n\n");
        for (kind, frame) in frames() {
            connect(&mut broker);
            prepare(&mut broker);
            truth += &format!("{kind}: {}\n", send(&mut broker, &frame));
        }
        truth += "\n";
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/handlers/testdata/logins.txt");
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(&path, truth).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, truth, "{}: UPDATE=1 writes what is true", path.display());
}

#[test]
fn a_session_lasts_as_long_as_the_shorter_of_both() {
    let lifetime = |more: &[(&str, &str)], expires: Option<i64>| {
        let mut broker = broker(more);
        send(&mut broker, &handshake(1, "PLAIN"));
        let (now, wall) = (broker.now(), crate::handlers::testing::NOW);
        let expires = expires.map(|ms| crate::model::TimestampMs(wall.0 + ms));
        let identity = Authenticated { name: "alice".into(), expires, by_delegation_token: false };
        let (opened, told) = broker.with_context(|context| open(context, Mechanism::Plain, None, 0, identity)).unwrap();
        (told, opened.logged_in.expires.map(|at| at.since(now).as_millis()))
    };
    let five = [("connections.max.reauth.ms", "5000")];
    assert_eq!(lifetime(&[], None), (0, None));
    assert_eq!(lifetime(&five, None), (5000, Some(5000)));
    assert_eq!(lifetime(&five, Some(3000)), (3000, Some(3000)));
    assert_eq!(lifetime(&five, Some(9000)), (5000, Some(5000)));
    assert_eq!(lifetime(&[], Some(9000)), (9000, Some(9000)));
    // One that has ended and is not swept yet.
    assert_eq!(lifetime(&five, Some(-1)), (0, Some(0)));
    // Of the mechanism before that of all.
    let of_plain = ("listener.name.plaintext.plain.connections.max.reauth.ms", "7000");
    assert_eq!(lifetime(&[five[0], of_plain], None), (7000, Some(7000)));
}

/// A session lasts as long as its token, and a token that is refused is told before the login is.
#[test]
fn tokens_of_oauthbearer_open_sessions_as_long_as_they_last() {
    const MODULE: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
    let mut broker = broker(&[
        ("sasl.enabled.mechanisms", "OAUTHBEARER"),
        ("sasl.mechanism.inter.broker.protocol", "OAUTHBEARER"),
        ("listener.name.plaintext.oauthbearer.sasl.jaas.config", MODULE),
    ]);
    let part = |text: &str| crate::stdx::base64::encode(text.as_bytes()).trim_end_matches('=').replace('+', "-");
    let first = |claims: &str| {
        let token = format!("{}.{}.", part("{\"alg\":\"none\"}"), part(claims));
        let bytes = format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes();
        frame(ApiKey::SaslAuthenticate, 1, &sasl_authenticate::Request { auth_bytes: bytes.into() })
    };
    send(&mut broker, &handshake(1, "OAUTHBEARER"));
    let said = send(&mut broker, &first("{\"sub\":\"alice\",\"exp\":1700000005}"));
    assert_eq!(said, "0 \"\" token of 0, 5000 ms → open as User:alice");
    connect(&mut broker);
    send(&mut broker, &handshake(1, "OAUTHBEARER"));
    let said = send(&mut broker, &first("{\"sub\":\"alice\",\"exp\":1700000000}"));
    assert_eq!(said, "0 \"\" token of 26, 0 ms → tokens");
    let said = send(&mut broker, &authenticate(1, &[1]));
    assert!(said.starts_with("58 \"{\\\"status\\\":\\\"invalid_token\\\"}\" token of 0, 0 ms, later"), "{said}");
}

#[test]
fn a_session_is_begun_again_once_in_a_second_at_most() {
    let mut broker = broker(&[("connections.max.reauth.ms", "5000")]);
    let log_in = |broker: &mut Broker| {
        send(broker, &handshake(1, "PLAIN"));
        assert!(send(broker, &authenticate(1, GOOD)).ends_with("open as User:alice"));
    };
    log_in(&mut broker);
    // The first time it may come at once.
    for (wait_ms, is_begun) in [(0, true), (999, false), (1, true), (0, false), (1000, true), (6000, true)] {
        broker.advance(Duration::from_millis(wait_ms));
        let now = broker.now();
        assert_eq!(broker.session.is_expired(now), wait_ms == 6000);
        assert_eq!(begins_again(&mut broker.session, now), is_begun, "after {wait_ms} ms");
        if is_begun {
            assert!(!begins_again(&mut broker.session, now), "while it goes on");
            log_in(&mut broker);
            assert!(!broker.session.is_expired(now));
        }
    }
}

#[test]
fn a_session_without_an_end_is_not_begun_again() {
    let mut broker = broker(&[]);
    send(&mut broker, &handshake(1, "PLAIN"));
    send(&mut broker, &authenticate(2, GOOD));
    let now = broker.now();
    assert!(broker.session.authentication.is_open() && !begins_again(&mut broker.session, now));
    let mut anonymous = Session::anonymous(0, ([127, 0, 0, 1], 1).into());
    assert!(!begins_again(&mut anonymous, now) && !anonymous.is_expired(now));
}

/// After a login, and on a listener without one, both requests come too late.
#[test]
fn tokens_of_an_open_session_are_out_of_order() {
    let mut broker = Broker::start(&[]);
    for version in 0..=1 {
        let request = sasl_handshake::Request { mechanism: "PLAIN".into() };
        let response: sasl_handshake::Response<'_> = broker.ask(ApiKey::SaslHandshake, version, &request);
        assert_eq!((response.error_code, response.mechanisms.len()), (34, 0));
    }
    for version in 0..=2 {
        let response: sasl_authenticate::Response<'_> =
            broker.ask(ApiKey::SaslAuthenticate, version, &sasl_authenticate::Request { auth_bytes: GOOD.into() });
        let message = "SaslAuthenticate request received after successful authentication";
        assert_eq!((response.error_code, response.error_message.as_deref()), (34, Some(message)));
        assert!(response.auth_bytes.is_empty());
    }
}

#[test]
#[should_panic(expected = "nothing is handled of a client that has not logged in")]
fn no_handler_is_reached_before_the_login() {
    let mut broker = broker(&[]);
    let _: metadata::Response<'_> = broker.ask(ApiKey::Metadata, 12, &metadata::Request::default());
}
