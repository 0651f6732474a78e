//! Logins of the whole broker: what comes before them, beside them and instead of them; and sessions that end.

use std::time::Duration;

use super::client::Client;
use super::cluster::SharedCluster;
use super::login::{ClientLogin, Says, User, salted};
use super::stories::cluster;
use crate::codec::{Message, Reader};
use crate::metrics::Ending;
use crate::model::{ApiKey, Instant};
use crate::stdx::random::Random;
use crate::wire::api::{
    alter_user_scram_credentials as alter, api_versions, metadata, sasl_authenticate, sasl_handshake,
};

pub(super) const METADATA: i16 = 12;
pub(super) const AUTHENTICATE: i16 = 2;
const JAAS: &str =
    "org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"of alice\" user_bob=\"of bob\";";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
pub(super) const ALICE: User = User { mechanism: "PLAIN", name: "alice", password: "of alice", is_token: false };
pub(super) const BOB: User = User { mechanism: "PLAIN", name: "bob", password: "of bob", is_token: false };
pub(super) const CAROL: User =
    User { mechanism: "SCRAM-SHA-256", name: "carol", password: "of carol", is_token: false };
const DAVE: User = User { mechanism: "SCRAM-SHA-512", name: "dave", password: "of dave", is_token: false };
const USERS: [User; 4] = [ALICE, BOB, CAROL, DAVE];

/// A broker whose clients must log in, with [`USERS`].
pub(super) fn secured(seed: u64, more: &[(&str, &str)]) -> SharedCluster {
    let own = [
        ("listener.security.protocol.map", "PLAINTEXT:SASL_PLAINTEXT"),
        ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
        ("listener.name.plaintext.plain.sasl.jaas.config", JAAS),
        ("listener.name.plaintext.scram-sha-256.sasl.jaas.config", SCRAM),
        ("listener.name.plaintext.scram-sha-512.sasl.jaas.config", SCRAM),
    ];
    let cluster = cluster(seed, &own.iter().chain(more).copied().collect::<Vec<_>>());
    let mut admin = logged_in(&cluster, ALICE);
    keep(&cluster, &mut admin, CAROL);
    keep(&cluster, &mut admin, DAVE);
    cluster
}

/// Has a user's password kept.
fn keep(cluster: &SharedCluster, admin: &mut Client, user: User) {
    let salted_password = salted(user.mechanism, user.password, b"salt", 4096);
    let upsertion = alter::ScramCredentialUpsertion {
        name: user.name.into(),
        mechanism: if user.mechanism == "SCRAM-SHA-256" { 1 } else { 2 },
        iterations: 4096,
        salt: b"salt".to_vec().into(),
        salted_password: salted_password.into(),
    };
    let request = alter::Request { deletions: Vec::new(), upsertions: vec![upsertion] };
    let answer = admin.call(cluster, ApiKey::AlterUserScramCredentials, 0, &request);
    let response = alter::Response::decode(&mut Reader::new(&answer), 0).unwrap();
    assert_eq!(response.results[0].error_code, 0);
}

pub(super) fn metadata() -> metadata::Request<'static> {
    metadata::Request { topics: None, ..Default::default() }
}

pub(super) fn handshake(mechanism: &'static str) -> sasl_handshake::Request<'static> {
    sasl_handshake::Request { mechanism: mechanism.into() }
}

pub(super) fn token(bytes: &[u8]) -> sasl_authenticate::Request<'_> {
    sasl_authenticate::Request { auth_bytes: bytes.into() }
}

/// Logs in; the error's code and message, or how long the session lasts.
pub(super) fn log_in(cluster: &SharedCluster, client: &mut Client, user: User) -> Result<i64, (i16, String)> {
    let answer = client.call(cluster, ApiKey::SaslHandshake, 1, &handshake(user.mechanism));
    let response = sasl_handshake::Response::decode(&mut Reader::new(&answer), 1).unwrap();
    assert_eq!((response.error_code, response.mechanisms.len()), (0, 3));
    let mut login = ClientLogin::new(user, cluster.borrow().steps);
    let mut told = Vec::new();
    let mut lifetime_ms = 0;
    loop {
        match login.next(&told) {
            Says::Token(bytes) => {
                let answer = client.call(cluster, ApiKey::SaslAuthenticate, AUTHENTICATE, &token(&bytes));
                let response = sasl_authenticate::Response::decode(&mut Reader::new(&answer), AUTHENTICATE).unwrap();
                if response.error_code != 0 {
                    return Err((response.error_code, response.error_message.unwrap().to_string()));
                }
                (told, lifetime_ms) = (response.auth_bytes.to_vec(), response.session_lifetime_ms);
            }
            Says::Done => return Ok(lifetime_ms),
            Says::Distrusts => panic!("the broker does not know the password of {user:?}"),
        }
    }
}

pub(super) fn logged_in(cluster: &SharedCluster, user: User) -> Client {
    let mut client = Client::connect(&cluster.borrow());
    assert!(log_in(cluster, &mut client, user).is_ok());
    client
}

/// Steps until the broker has closed the connection; when that was.
pub(super) fn wait_for_end(cluster: &SharedCluster, client: &mut Client) -> Instant {
    for _ in 0..100_000 {
        if !client.pump() {
            return cluster.borrow().world.now();
        }
        cluster.borrow_mut().step();
    }
    panic!("the connection is still there")
}

pub(super) fn works(cluster: &SharedCluster, client: &mut Client) {
    client.call(cluster, ApiKey::Metadata, METADATA, &metadata());
}

/// Requests of an API that were handled.
pub(super) fn handled(cluster: &SharedCluster, api: ApiKey) -> u64 {
    cluster.borrow().metrics().iter().map(|shard| shard.apis[api as usize].requests).sum()
}

pub(super) fn ended(cluster: &SharedCluster, ending: Ending) -> u64 {
    cluster.borrow().metrics().iter().map(|shard| shard.ended[ending as usize]).sum()
}

#[test]
fn users_log_in_by_each_mechanism_and_work() {
    for seed in 0..6 {
        let cluster = secured(seed, &[]);
        for user in USERS {
            let mut client = Client::connect(&cluster.borrow());
            let request = api_versions::Request {
                client_software_name: "sim".into(),
                client_software_version: "1".into(),
                ..Default::default()
            };
            client.call(&cluster, ApiKey::ApiVersions, 3, &request);
            assert_eq!(log_in(&cluster, &mut client, user), Ok(0));
            works(&cluster, &mut client);
        }
    }
}

#[test]
fn a_wrong_password_is_answered_late_and_ends_the_connection() {
    for user in USERS {
        let cluster = secured(3, &[("connection.failed.authentication.delay.ms", "250")]);
        let mut neighbour = logged_in(&cluster, BOB);
        let mut client = Client::connect(&cluster.borrow());
        let began = cluster.borrow().world.now();
        let (code, message) = log_in(&cluster, &mut client, User { password: "another", ..user }).unwrap_err();
        let waited = cluster.borrow().world.now().since(began);
        assert!((250..400).contains(&waited.as_millis()), "{waited:?}");
        let expected = match user.mechanism {
            "PLAIN" => "Authentication failed: Invalid username or password".to_string(),
            name => format!(
                "Authentication failed during authentication due to invalid credentials with SASL mechanism {name}"
            ),
        };
        assert_eq!((code, message), (58, expected));
        wait_for_end(&cluster, &mut client);
        works(&cluster, &mut neighbour);
        assert_eq!(ended(&cluster, Ending::Authentication), 1);
    }
}

/// While it waits for its answer a refused client is not read, and what it has sent is not handled.
#[test]
fn what_a_refused_client_sends_is_not_looked_at() {
    let cluster = secured(4, &[]);
    let mut client = Client::connect(&cluster.borrow());
    client.send(ApiKey::SaslHandshake, 1, &handshake("GSSAPI"));
    client.send(ApiKey::SaslHandshake, 1, &handshake("PLAIN"));
    client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(b"\0alice\0of alice"));
    client.send(ApiKey::Metadata, METADATA, &metadata());
    let before = handled(&cluster, ApiKey::SaslAuthenticate);
    let answer = client.wait(&cluster, ApiKey::SaslHandshake, 1);
    let response = sasl_handshake::Response::decode(&mut Reader::new(&answer), 1).unwrap();
    assert_eq!((response.error_code, response.mechanisms.len()), (33, 3));
    wait_for_end(&cluster, &mut client);
    assert!(client.take_answer(ApiKey::SaslHandshake, 1).is_none());
    assert_eq!((handled(&cluster, ApiKey::SaslAuthenticate), handled(&cluster, ApiKey::Metadata)), (before, 0));
}

/// All of a login, and what comes behind it, may be sent at once.
#[test]
fn requests_behind_a_login_are_handled_after_it() {
    for seed in 0..6 {
        let cluster = secured(seed, &[]);
        let mut client = Client::connect(&cluster.borrow());
        client.send(ApiKey::SaslHandshake, 1, &handshake("PLAIN"));
        client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(b"\0bob\0of bob"));
        (0..50).for_each(|_| client.send(ApiKey::Metadata, METADATA, &metadata()));
        client.wait(&cluster, ApiKey::SaslHandshake, 1);
        client.wait(&cluster, ApiKey::SaslAuthenticate, AUTHENTICATE);
        (0..50).for_each(|_| drop(client.wait(&cluster, ApiKey::Metadata, METADATA)));
    }
}

/// A handshake of version 0 is followed by tokens as they are.
#[test]
fn tokens_without_requests_log_in_too() {
    let cluster = secured(5, &[]);
    let mut client = Client::connect(&cluster.borrow());
    client.call(&cluster, ApiKey::SaslHandshake, 0, &handshake("PLAIN"));
    let bytes = b"\0alice\0of alice";
    client.send_raw(&(bytes.len() as u32).to_be_bytes());
    client.send_raw(bytes);
    let answer = loop {
        assert!(client.pump());
        match client.take_frame() {
            Some(answer) => break answer,
            None => cluster.borrow_mut().step(),
        }
    };
    assert_eq!(answer, b"");
    works(&cluster, &mut client);
}

#[test]
fn no_request_is_handled_before_the_login() {
    for seed in 0..4 {
        let cluster = secured(seed, &[]);
        let mut client = Client::connect(&cluster.borrow());
        client.send(ApiKey::Metadata, METADATA, &metadata());
        let began = cluster.borrow().world.now();
        let at = wait_for_end(&cluster, &mut client);
        assert!(at.since(began) < Duration::from_millis(50), "at once");
        let mut client = Client::connect(&cluster.borrow());
        client.call(&cluster, ApiKey::SaslHandshake, 1, &handshake("PLAIN"));
        client.send(ApiKey::Metadata, METADATA, &metadata());
        let began = cluster.borrow().world.now();
        let at = wait_for_end(&cluster, &mut client);
        assert!(at.since(began) >= Duration::from_millis(100), "when the delay is over");
        assert_eq!(handled(&cluster, ApiKey::Metadata), 0);
        assert_eq!(ended(&cluster, Ending::Authentication), 2);
    }
}

#[test]
fn a_frame_too_large_for_a_login_ends_it() {
    for size in [16 * 1024 + 1, 100 << 20, -1] {
        let cluster = secured(6, &[]);
        let mut client = Client::connect(&cluster.borrow());
        client.send_raw(&i32::to_be_bytes(size));
        client.send_raw(&[0; 100]);
        let began = cluster.borrow().world.now();
        let at = wait_for_end(&cluster, &mut client);
        assert!(at.since(began) >= Duration::from_millis(100));
        assert_eq!(ended(&cluster, Ending::Authentication), 1);
    }
}

#[test]
fn a_client_that_takes_too_long_is_closed() {
    let cluster = secured(7, &[("klamm.authentication.timeout.ms", "3000")]);
    let mut silent = Client::connect(&cluster.borrow());
    let mut slow = Client::connect(&cluster.borrow());
    let mut fine = logged_in(&cluster, CAROL);
    slow.call(&cluster, ApiKey::SaslHandshake, 1, &handshake("PLAIN"));
    cluster.borrow_mut().advance(Duration::from_millis(2500));
    (0..100).for_each(|_| cluster.borrow_mut().step());
    assert!(silent.pump() && slow.pump());
    cluster.borrow_mut().advance(Duration::from_millis(600));
    wait_for_end(&cluster, &mut silent);
    wait_for_end(&cluster, &mut slow);
    cluster.borrow_mut().advance(Duration::from_secs(10));
    works(&cluster, &mut fine);
    assert_eq!(ended(&cluster, Ending::Authentication), 2);
}

/// However many clients begin a frame and leave it, what they hold is bounded, and the others are served.
#[test]
fn clients_that_have_not_logged_in_hold_no_more_than_they_may() {
    use crate::shard::login::{UNAUTHENTICATED_BYTES, UNAUTHENTICATED_FRAME_BYTES};
    let cluster = secured(8, &[]);
    let mut neighbour = logged_in(&cluster, DAVE);
    let clients = UNAUTHENTICATED_BYTES / UNAUTHENTICATED_FRAME_BYTES + 100;
    let begin = |_| {
        let mut client = Client::connect(&cluster.borrow());
        client.send_raw(&(UNAUTHENTICATED_FRAME_BYTES as i32).to_be_bytes());
        client.send_raw(&vec![0; UNAUTHENTICATED_FRAME_BYTES - 1]);
        client
    };
    let mut all: Vec<_> = (0..clients).map(begin).collect();
    for _ in 0..300 {
        all.retain_mut(Client::pump);
        cluster.borrow_mut().step();
        let held = cluster.borrow().unauthenticated_bytes();
        assert!(held <= UNAUTHENTICATED_BYTES + 2 * UNAUTHENTICATED_FRAME_BYTES, "{held}");
    }
    assert!(ended(&cluster, Ending::Authentication) > 0 && all.len() > clients / 2, "{} of {clients}", all.len());
    works(&cluster, &mut neighbour);
    logged_in(&cluster, CAROL);
    drop(all);
    cluster.borrow_mut().step_until(10_000, |cluster| cluster.unauthenticated_bytes() == 0);
}

#[test]
fn a_session_that_is_not_begun_again_in_time_ends_with_its_next_request() {
    let cluster = secured(9, &[("connections.max.reauth.ms", "5000")]);
    let mut in_time = Client::connect(&cluster.borrow());
    assert_eq!(log_in(&cluster, &mut in_time, CAROL), Ok(5000));
    let (mut late, mut silent) = (logged_in(&cluster, ALICE), logged_in(&cluster, BOB));
    cluster.borrow_mut().advance(Duration::from_millis(4000));
    works(&cluster, &mut silent);
    assert_eq!(log_in(&cluster, &mut in_time, CAROL), Ok(5000));
    cluster.borrow_mut().advance(Duration::from_millis(2000));
    works(&cluster, &mut in_time);
    // Late, but with a handshake.
    assert_eq!(log_in(&cluster, &mut late, ALICE), Ok(5000));
    works(&cluster, &mut late);
    (0..100).for_each(|_| cluster.borrow_mut().step());
    assert!(silent.pump(), "no timer ends it");
    let before = handled(&cluster, ApiKey::Metadata);
    silent.send(ApiKey::Metadata, METADATA, &metadata());
    wait_for_end(&cluster, &mut silent);
    assert_eq!(handled(&cluster, ApiKey::Metadata), before);
}

#[test]
fn a_session_stays_with_its_user_and_mechanism() {
    let cluster = secured(10, &[("connections.max.reauth.ms", "5000")]);
    let mut client = logged_in(&cluster, ALICE);
    let (code, message) = log_in(&cluster, &mut client, BOB).unwrap_err();
    assert_eq!(code, 58);
    assert_eq!(message, "Cannot change principals during re-authentication from User.alice: User.bob");
    wait_for_end(&cluster, &mut client);
    let mut client = logged_in(&cluster, ALICE);
    client.call(&cluster, ApiKey::SaslHandshake, 1, &handshake("SCRAM-SHA-256"));
    client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(b"n,,n=alice,r=abc"));
    wait_for_end(&cluster, &mut client);
    assert!(client.take_answer(ApiKey::SaslAuthenticate, AUTHENTICATE).is_none());
}

#[test]
fn another_password_holds_for_the_next_login() {
    let cluster = secured(11, &[("connections.max.reauth.ms", "60000")]);
    let (mut carol, mut admin) = (logged_in(&cluster, CAROL), logged_in(&cluster, ALICE));
    let changed = User { password: "another", ..CAROL };
    keep(&cluster, &mut admin, changed);
    works(&cluster, &mut carol);
    assert!(log_in(&cluster, &mut carol, CAROL).is_err(), "nor does the old one begin the session again");
    wait_for_end(&cluster, &mut carol);
    logged_in(&cluster, changed);
}

/// What a client of the random runs does.
fn act(cluster: &SharedCluster, random: &mut Random) -> u64 {
    let mut client = Client::connect(&cluster.borrow());
    let user = USERS[random.below(USERS.len() as u64) as usize];
    let step = |times: u64| (0..times).for_each(|_| cluster.borrow_mut().step());
    match random.below(6) {
        0 => assert_eq!(log_in(cluster, &mut client, User { password: "wrong", ..user }).unwrap_err().0, 58),
        // It leaves in the middle of a token.
        1 => {
            client.send(ApiKey::SaslHandshake, 1, &handshake(user.mechanism));
            client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(&[b'x'; 500]));
            let rest = client.hold_back(1 + random.below(500) as usize);
            client.pump();
            step(random.below(30));
            drop(rest);
        }
        // It leaves while it waits for the delay.
        2 => {
            client.send(ApiKey::SaslHandshake, 1, &handshake("none"));
            client.pump();
            step(random.below(400));
        }
        // It asks for more than it may.
        3 => {
            client.send(ApiKey::Metadata, METADATA, &metadata());
            wait_for_end(cluster, &mut client);
        }
        4 => {
            client.send(ApiKey::SaslHandshake, 1, &handshake(user.mechanism));
            client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(b"\0\0\0\0"));
            client.send(ApiKey::Metadata, METADATA, &metadata());
            wait_for_end(cluster, &mut client);
        }
        _ => {
            assert!(log_in(cluster, &mut client, user).is_ok());
            let requests = random.below(5);
            (0..requests).for_each(|_| works(cluster, &mut client));
            return requests;
        }
    }
    0
}

/// However clients come and go: only those that have logged in are served, and nothing of the others is left.
#[test]
fn nothing_is_handled_for_those_who_have_not_logged_in() {
    for seed in 0..8 {
        let cluster = secured(seed, &[]);
        let mut random = Random::new(seed);
        let served: u64 = (0..40).map(|_| act(&cluster, &mut random)).sum();
        assert_eq!(handled(&cluster, ApiKey::Metadata), served);
        cluster.borrow_mut().step_until(100_000, |cluster| cluster.connections().iter().sum::<usize>() == 0);
        assert_eq!(cluster.borrow().unauthenticated_bytes(), 0);
    }
}
