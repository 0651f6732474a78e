//! Delegation tokens before the whole broker: made, used to log in, renewed, swept, and kept over crashes.

use std::time::Duration;

use super::client::Client;
use super::cluster::SharedCluster;
use super::login::{ClientLogin, Says, User};
use super::logins::{
    ALICE, AUTHENTICATE, BOB, CAROL, METADATA, handled, handshake, log_in, logged_in, metadata, secured, token,
    wait_for_end, works,
};
use crate::codec::{Message, Reader};
use crate::io::simulated_disk::Crash;
use crate::model::ApiKey;
use crate::stdx::base64;
use crate::wire::api::{
    create_delegation_token as create, describe_delegation_token as describe, renew_delegation_token as renew,
    sasl_authenticate,
};

const CREATE: i16 = 3;
const RENEW: i16 = 2;
const NOT_ALLOWED: i16 = 64;
const REFUSED: i16 = 58;
const GENERIC: &str =
    "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256";

/// A broker with tokens that last five seconds, and ten at most.
fn cluster(seed: u64, more: &[(&str, &str)]) -> SharedCluster {
    let own = [
        ("delegation.token.secret.key", "key of the cluster"),
        ("delegation.token.expiry.time.ms", "5000"),
        ("delegation.token.max.lifetime.ms", "10000"),
        ("delegation.token.expiry.check.interval.ms", "1000"),
    ];
    secured(seed, &[&own, more].concat())
}

fn ask_for_token(cluster: &SharedCluster, client: &mut Client) -> create::Response<'static> {
    let request = create::Request { max_lifetime_ms: -1, ..Default::default() };
    let answer: &'static [u8] = client.call(cluster, ApiKey::CreateDelegationToken, CREATE, &request).leak();
    create::Response::decode(&mut Reader::new(answer), CREATE).unwrap()
}

/// A token of a client, as another client logs in by it.
fn make(cluster: &SharedCluster, client: &mut Client, mechanism: &'static str) -> User {
    let made = ask_for_token(cluster, client);
    assert_eq!(made.error_code, 0);
    let (name, password) = (made.token_id.to_string().leak(), base64::encode(&made.hmac).leak());
    User { mechanism, name, password, is_token: true }
}

/// The new end, or the error.
fn renew(cluster: &SharedCluster, client: &mut Client, token: User, renew_period_ms: i64) -> Result<i64, i16> {
    let hmac = base64::decode(token.password.as_bytes()).unwrap();
    let request = renew::Request { hmac: hmac.into(), renew_period_ms };
    let answer = client.call(cluster, ApiKey::RenewDelegationToken, RENEW, &request);
    let response = renew::Response::decode(&mut Reader::new(&answer), RENEW).unwrap();
    match response.error_code {
        0 => Ok(response.expiry_timestamp_ms - cluster.borrow().world.wall().0),
        error => Err(error),
    }
}

/// The ids of the tokens that a client is told.
fn told(cluster: &SharedCluster, client: &mut Client) -> Vec<String> {
    let answer = client.call(cluster, ApiKey::DescribeDelegationToken, 3, &describe::Request { owners: None });
    let response = describe::Response::decode(&mut Reader::new(&answer), 3).unwrap();
    assert_eq!(response.error_code, 0);
    response.tokens.iter().map(|token| token.token_id.to_string()).collect()
}

fn wait(cluster: &SharedCluster, ms: u64) {
    cluster.borrow_mut().advance(Duration::from_millis(ms));
    (0..200).for_each(|_| cluster.borrow_mut().step());
}

#[test]
fn a_client_logs_in_by_a_token_as_its_owner_and_makes_no_other() {
    for seed in 0..6 {
        let cluster = cluster(seed, &[]);
        let mut alice = logged_in(&cluster, ALICE);
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let token = make(&cluster, &mut alice, mechanism);
            let mut client = Client::connect(&cluster.borrow());
            let lifetime_ms = log_in(&cluster, &mut client, token).unwrap();
            assert!((4_000..=5_000).contains(&lifetime_ms), "{lifetime_ms}");
            works(&cluster, &mut client);
            assert_eq!(cluster.borrow().principals(), ["User:alice", "User:alice"]);
            assert_eq!(ask_for_token(&cluster, &mut client).error_code, NOT_ALLOWED);
            assert_eq!(renew(&cluster, &mut client, token, -1), Err(NOT_ALLOWED));
            drop(client);
            cluster.borrow_mut().step_until(10_000, |cluster| cluster.connections().iter().sum::<usize>() == 1);
        }
        assert_eq!(told(&cluster, &mut alice).len(), 2);
    }
}

#[test]
fn who_does_not_know_the_hmac_does_not_come_in() {
    let cluster = cluster(1, &[]);
    let mut alice = logged_in(&cluster, ALICE);
    let token = make(&cluster, &mut alice, "SCRAM-SHA-256");
    let of_another = make(&cluster, &mut alice, "SCRAM-SHA-256").password;
    for wrong in [
        User { password: of_another, ..token },
        User { password: "", ..token },
        User { name: "no-such-token", ..token },
        // A user is no token, and a token no user.
        User { is_token: true, ..CAROL },
        User { is_token: false, ..token },
    ] {
        let mut client = Client::connect(&cluster.borrow());
        assert_eq!(log_in(&cluster, &mut client, wrong), Err((REFUSED, GENERIC.into())), "{wrong:?}");
        wait_for_end(&cluster, &mut client);
    }
    logged_in(&cluster, token);
    works(&cluster, &mut alice);
}

/// A broker without a key knows no token.
#[test]
fn without_a_key_no_token_is_known() {
    let cluster = secured(2, &[]);
    let mut client = Client::connect(&cluster.borrow());
    assert_eq!(log_in(&cluster, &mut client, User { is_token: true, ..CAROL }), Err((REFUSED, GENERIC.into())));
}

#[test]
fn a_session_lasts_as_long_as_its_token_did_when_it_began() {
    let cluster = cluster(3, &[("connections.max.reauth.ms", "8000")]);
    let mut alice = logged_in(&cluster, ALICE);
    let token = make(&cluster, &mut alice, "SCRAM-SHA-256");
    let (mut silent, mut faithful) = (logged_in(&cluster, token), logged_in(&cluster, token));
    wait(&cluster, 3_000);
    let end = renew(&cluster, &mut alice, token, -1).unwrap();
    assert!((4_900..=5_000).contains(&end), "{end}");
    let lifetime_ms = log_in(&cluster, &mut faithful, token).unwrap();
    assert!((3_500..=5_000).contains(&lifetime_ms), "{lifetime_ms}");
    works(&cluster, &mut silent);
    wait(&cluster, 2_500);
    works(&cluster, &mut faithful);
    silent.send(ApiKey::Metadata, METADATA, &metadata());
    wait_for_end(&cluster, &mut silent);
    // The shortest holds: what is left of the token's life, or what the listener allows.
    log_in(&cluster, &mut alice, ALICE).unwrap();
    let end = renew(&cluster, &mut alice, token, -1).unwrap();
    assert!((3_000..4_600).contains(&end), "no longer than ten seconds in all: {end}");
    // A session by a token goes on by a token alone of the same user.
    let mut bob = logged_in(&cluster, BOB);
    let of_bob = make(&cluster, &mut bob, "SCRAM-SHA-256");
    let (code, message) = log_in(&cluster, &mut faithful, of_bob).unwrap_err();
    let expected = "Cannot change principals during re-authentication from User.alice: User.bob";
    assert_eq!((code, message.as_str()), (REFUSED, expected));
    wait_for_end(&cluster, &mut faithful);
}

#[test]
fn a_listener_that_allows_less_than_the_token_has_its_way() {
    let cluster = cluster(4, &[("connections.max.reauth.ms", "2000")]);
    let mut alice = logged_in(&cluster, ALICE);
    let token = make(&cluster, &mut alice, "SCRAM-SHA-512");
    let mut client = Client::connect(&cluster.borrow());
    assert_eq!(log_in(&cluster, &mut client, token), Ok(2000));
}

#[test]
fn what_has_expired_is_swept_and_what_is_renewed_stays() {
    let cluster = cluster(5, &[]);
    let mut alice = logged_in(&cluster, ALICE);
    let (left, kept) = (make(&cluster, &mut alice, "SCRAM-SHA-256"), make(&cluster, &mut alice, "SCRAM-SHA-256"));
    wait(&cluster, 4_000);
    assert_eq!(told(&cluster, &mut alice).len(), 2);
    renew(&cluster, &mut alice, kept, -1).unwrap();
    wait(&cluster, 2_500);
    assert_eq!(told(&cluster, &mut alice), [kept.name]);
    let mut client = Client::connect(&cluster.borrow());
    assert_eq!(log_in(&cluster, &mut client, left), Err((REFUSED, GENERIC.into())));
    logged_in(&cluster, kept);
    assert_eq!(renew(&cluster, &mut alice, left, -1), Err(62));
    // Its last day comes, whatever is done.
    wait(&cluster, 3_000);
    let _ = renew(&cluster, &mut alice, kept, -1);
    wait(&cluster, 2_000);
    assert_eq!(told(&cluster, &mut alice), [""; 0]);
}

/// Kafka lets a client in by a token that has expired and was not swept; its session is over at once.
#[test]
fn a_token_that_has_expired_and_is_still_there_is_good_for_no_request() {
    let cluster = cluster(6, &[("delegation.token.expiry.check.interval.ms", "60000")]);
    let mut alice = logged_in(&cluster, ALICE);
    let token = make(&cluster, &mut alice, "SCRAM-SHA-256");
    wait(&cluster, 6_000);
    assert_eq!(told(&cluster, &mut alice).len(), 1);
    let mut client = Client::connect(&cluster.borrow());
    assert_eq!(log_in(&cluster, &mut client, token), Ok(0));
    let before = handled(&cluster, ApiKey::Metadata);
    client.send(ApiKey::Metadata, METADATA, &metadata());
    wait_for_end(&cluster, &mut client);
    assert_eq!(handled(&cluster, ApiKey::Metadata), before);
}

#[test]
fn tokens_outlive_a_power_cut_and_a_stop() {
    let cluster = cluster(7, &[]);
    let token = make(&cluster, &mut logged_in(&cluster, ALICE), "SCRAM-SHA-256");
    cluster.borrow_mut().crash(Crash::Power);
    cluster.borrow_mut().restart();
    logged_in(&cluster, token);
    cluster.borrow_mut().stop();
    cluster.borrow_mut().restart();
    logged_in(&cluster, token);
    assert_eq!(told(&cluster, &mut logged_in(&cluster, ALICE)), [token.name]);
}

/// The first message of a login by a token.
fn first(token: User) -> Vec<u8> {
    match ClientLogin::new(token, 1).next(&[]) {
        Says::Token(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

/// While the credential of a token is computed, what the client has sent behind waits, and others are served.
#[test]
fn what_comes_behind_a_token_waits_until_its_credential_is_computed() {
    for seed in 0..20 {
        let cluster = cluster(seed, &[]);
        let mut alice = logged_in(&cluster, ALICE);
        let token_of_alice = make(&cluster, &mut alice, "SCRAM-SHA-256");
        let mut client = Client::connect(&cluster.borrow());
        client.send(ApiKey::SaslHandshake, 1, &handshake("SCRAM-SHA-256"));
        client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(&first(token_of_alice)));
        client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(b"c=biws,r=wrong,p=AAAA"));
        client.send(ApiKey::Metadata, METADATA, &metadata());
        client.pump();
        works(&cluster, &mut alice);
        client.wait(&cluster, ApiKey::SaslHandshake, 1);
        let mut answers = Vec::new();
        for _ in 0..2 {
            let answer = client.wait(&cluster, ApiKey::SaslAuthenticate, AUTHENTICATE);
            let response = sasl_authenticate::Response::decode(&mut Reader::new(&answer), AUTHENTICATE).unwrap();
            answers.push(response.error_code);
        }
        assert_eq!(answers, [0, REFUSED]);
        wait_for_end(&cluster, &mut client);
        works(&cluster, &mut alice);
    }
}

/// A handshake of version 0 is followed by tokens as they are.
#[test]
fn a_token_logs_in_without_requests_too() {
    let cluster = cluster(8, &[]);
    let mut alice = logged_in(&cluster, ALICE);
    let token_of_alice = make(&cluster, &mut alice, "SCRAM-SHA-256");
    let mut client = Client::connect(&cluster.borrow());
    client.call(&cluster, ApiKey::SaslHandshake, 0, &handshake("SCRAM-SHA-256"));
    let (mut login, mut told) = (ClientLogin::new(token_of_alice, 1), Vec::new());
    while let Says::Token(bytes) = login.next(&told) {
        client.send_raw(&(bytes.len() as u32).to_be_bytes());
        client.send_raw(&bytes);
        told = loop {
            assert!(client.pump());
            match client.take_frame() {
                Some(answer) => break answer,
                None => cluster.borrow_mut().step(),
            }
        };
    }
    assert!(told.starts_with(b"v="));
    assert_eq!(ask_for_token(&cluster, &mut client).error_code, NOT_ALLOWED);
}

/// More clients than are computed for at once, some of which leave meanwhile.
#[test]
fn clients_that_leave_while_they_are_computed_for_hold_up_nobody() {
    for seed in 0..6 {
        let cluster = cluster(seed, &[]);
        let mut alice = logged_in(&cluster, ALICE);
        let token_of_alice = make(&cluster, &mut alice, "SCRAM-SHA-512");
        let begin = |_| {
            let mut client = Client::connect(&cluster.borrow());
            client.send(ApiKey::SaslHandshake, 1, &handshake("SCRAM-SHA-512"));
            client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(&first(token_of_alice)));
            client.pump();
            client
        };
        let mut clients: Vec<Client> = (0..30).map(begin).collect();
        (0..seed).for_each(|_| cluster.borrow_mut().step());
        clients.truncate(15);
        for client in &mut clients {
            client.wait(&cluster, ApiKey::SaslHandshake, 1);
            client.wait(&cluster, ApiKey::SaslAuthenticate, AUTHENTICATE);
        }
        logged_in(&cluster, token_of_alice);
        assert!(cluster.borrow().most_handshakes_away() <= 4);
        drop(clients);
        cluster.borrow_mut().step_until(100_000, |cluster| cluster.connections().iter().sum::<usize>() == 1);
        assert_eq!(cluster.borrow().unauthenticated_bytes(), 0);
    }
}
