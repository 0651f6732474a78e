//! What rules of a test do to logins: what their clients are told, and that a rule lets in none that has not logged in.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::cluster::SharedCluster;
use super::logins::{
    ALICE, AUTHENTICATE, BOB, CAROL, METADATA, ended, handled, handshake, log_in, logged_in, metadata, secured, token,
    wait_for_end, works,
};
use crate::codec::{Message, Reader};
use crate::faults::FaultRule;
use crate::metrics::Ending;
use crate::model::{ApiKey, ErrorCode};
use crate::replica::view::View;
use crate::wire::api::{api_versions, sasl_authenticate, sasl_handshake};

/// SASL_AUTHENTICATION_FAILED
const REFUSED: i16 = 58;
const OF_ALICE: &[u8] = b"\0alice\0of alice";

fn start(more: &[(&str, &str)]) -> SharedCluster {
    let all: Vec<_> = [("klamm.faults", "true")].iter().chain(more).copied().collect();
    secured(7, &all)
}

fn add(cluster: &SharedCluster, api: &str, action: &Value) -> u64 {
    let cluster = cluster.borrow();
    let rule = json!({ "match": { "api": api }, "action": action, "count": 1 });
    let rule = FaultRule::parse(&rule, cluster.world.now()).unwrap();
    cluster.board().unwrap().add(vec![rule], &Arc::new(View::new("test")), cluster.world.now()).unwrap()[0]
}

/// What a client has sent comes to the broker, and comes no further while it is held.
fn settle(cluster: &SharedCluster, client: &mut Client) {
    for _ in 0..500 {
        assert!(client.pump(), "the connection stays");
        cluster.borrow_mut().step();
    }
}

/// A client that has shaken hands and sent its password.
fn asking(cluster: &SharedCluster) -> Client {
    let mut client = Client::connect(&cluster.borrow());
    client.call(cluster, ApiKey::SaslHandshake, 1, &handshake("PLAIN"));
    client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(OF_ALICE));
    client
}

/// What becomes of a login: the error code that is told, `None` where nothing is; and whether the connection stays.
fn told(cluster: &SharedCluster, client: &mut Client) -> (Option<i16>, bool) {
    let mut code = None;
    for _ in 0..2000 {
        let is_open = client.pump();
        if let Some(answer) = client.take_answer(ApiKey::SaslAuthenticate, AUTHENTICATE) {
            let response = sasl_authenticate::Response::decode(&mut Reader::new(&answer), AUTHENTICATE).unwrap();
            code = Some(response.error_code);
        }
        if !is_open {
            return (code, false);
        }
        cluster.borrow_mut().step();
    }
    (code, true)
}

#[test]
fn each_action_is_told_to_a_client_that_logs_in() {
    let cases = [
        (json!({ "error": "SASL_AUTHENTICATION_FAILED" }), (Some(REFUSED), false)),
        (json!({ "error": REFUSED, "delay_ms": 5 }), (Some(REFUSED), false)),
        (json!({ "error": REFUSED, "after": true }), (Some(REFUSED), true)),
        (json!({ "close": true }), (None, false)),
        (json!({ "close": true, "after": true }), (None, false)),
        (json!({ "close": true, "delay_ms": 5 }), (None, false)),
        (json!({ "truncate": 7 }), (None, false)),
        (json!({ "delay_ms": 5 }), (Some(0), true)),
        (json!({ "delay_ms": 5, "after": true }), (Some(0), true)),
        (json!({ "no_answer": true }), (None, true)),
        (json!({ "no_answer": true, "after": true }), (None, true)),
        (json!({ "throttle_ms": 5 }), (Some(0), true)),
    ];
    for (action, expected) in cases {
        let cluster = start(&[]);
        add(&cluster, "SaslAuthenticate", &action);
        let mut client = asking(&cluster);
        assert_eq!(told(&cluster, &mut client), expected, "{action}");
        // The rule is over, or is none for logins.
        works(&cluster, &mut logged_in(&cluster, CAROL));
    }
}

/// A refusal by a rule is one like any other: late, with a line of the audit log, and the end of its connection.
#[test]
fn a_login_that_a_rule_refuses_is_answered_late() {
    let cluster = start(&[("connection.failed.authentication.delay.ms", "250")]);
    for (api, version) in [("SaslHandshake", 1), ("SaslAuthenticate", AUTHENTICATE)] {
        add(&cluster, api, &json!({ "error": REFUSED }));
        let mut client = Client::connect(&cluster.borrow());
        let began = cluster.borrow().world.now();
        client.send(ApiKey::SaslHandshake, 1, &handshake("PLAIN"));
        client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(OF_ALICE));
        client.send(ApiKey::Metadata, METADATA, &metadata());
        if version != 1 {
            client.wait(&cluster, ApiKey::SaslHandshake, 1);
        }
        let answer =
            client.wait(&cluster, if version == 1 { ApiKey::SaslHandshake } else { ApiKey::SaslAuthenticate }, version);
        assert!(cluster.borrow().world.now().since(began) >= Duration::from_millis(250), "{api}");
        let mut reader = Reader::new(&answer);
        let code = match version {
            1 => sasl_handshake::Response::decode(&mut reader, 1).unwrap().error_code,
            _ => sasl_authenticate::Response::decode(&mut reader, version).unwrap().error_code,
        };
        assert_eq!(code, REFUSED);
        wait_for_end(&cluster, &mut client);
    }
    assert_eq!((ended(&cluster, Ending::Authentication), handled(&cluster, ApiKey::Metadata)), (2, 0));
}

/// What stands behind a login that is held is handled when that has come to its end, and not before.
#[test]
fn a_login_that_is_held_lets_nothing_pass() {
    for after in [false, true] {
        let cluster = start(&[]);
        let id = add(&cluster, "SaslAuthenticate", &json!({ "hold": true, "after": after }));
        let mut client = asking(&cluster);
        client.send(ApiKey::Metadata, METADATA, &metadata());
        settle(&cluster, &mut client);
        assert!(client.take_answer(ApiKey::SaslAuthenticate, AUTHENTICATE).is_none());
        assert_eq!(handled(&cluster, ApiKey::Metadata), 0);
        assert!(cluster.borrow().board().unwrap().release(Some(id)));
        cluster.borrow().nudge_all();
        client.wait(&cluster, ApiKey::SaslAuthenticate, AUTHENTICATE);
        client.wait(&cluster, ApiKey::Metadata, METADATA);
    }
    // With a wrong password it is refused as ever.
    let cluster = start(&[]);
    let id = add(&cluster, "SaslAuthenticate", &json!({ "hold": true }));
    let mut client = Client::connect(&cluster.borrow());
    client.call(&cluster, ApiKey::SaslHandshake, 1, &handshake("PLAIN"));
    client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(b"\0alice\0of bob"));
    settle(&cluster, &mut client);
    assert_eq!(cluster.borrow().board().unwrap().show(cluster.borrow().world.now())[0]["struck"], 1);
    cluster.borrow().board().unwrap().remove(Some(id));
    cluster.borrow().nudge_all();
    assert_eq!(told(&cluster, &mut client), (Some(REFUSED), false));
}

#[test]
fn a_login_that_is_held_or_never_answered_has_no_more_time_than_others() {
    for action in [json!({ "hold": true }), json!({ "no_answer": true }), json!({ "delay_ms": 60_000 })] {
        let cluster = start(&[("klamm.authentication.timeout.ms", "3000")]);
        add(&cluster, "SaslAuthenticate", &action);
        let mut client = asking(&cluster);
        assert_eq!(told(&cluster, &mut client), (None, true), "{action}");
        cluster.borrow_mut().advance(Duration::from_millis(3100));
        wait_for_end(&cluster, &mut client);
        (0..100).for_each(|_| cluster.borrow_mut().step());
        assert_eq!((ended(&cluster, Ending::Authentication), cluster.borrow().unauthenticated_bytes()), (1, 0));
    }
}

/// However many logins a rule holds, what is kept of them is bounded.
#[test]
fn logins_that_are_held_are_no_more_than_they_may_be() {
    use crate::shard::login::{UNAUTHENTICATED_BYTES, UNAUTHENTICATED_FRAME_BYTES};
    let cluster = start(&[]);
    let mut neighbour = logged_in(&cluster, BOB);
    let hold = json!({ "match": { "api": "SaslAuthenticate" }, "action": { "hold": true } });
    let rule = FaultRule::parse(&hold, cluster.borrow().world.now()).unwrap();
    let now = cluster.borrow().world.now();
    cluster.borrow().board().unwrap().add(vec![rule], &Arc::new(View::new("test")), now).unwrap();
    let password = vec![b'x'; UNAUTHENTICATED_FRAME_BYTES - 100];
    let clients = UNAUTHENTICATED_BYTES / UNAUTHENTICATED_FRAME_BYTES + 100;
    let begin = |_| {
        let mut client = Client::connect(&cluster.borrow());
        client.send(ApiKey::SaslHandshake, 1, &handshake("PLAIN"));
        client.send(ApiKey::SaslAuthenticate, AUTHENTICATE, &token(&password));
        client
    };
    let mut all: Vec<_> = (0..clients).map(begin).collect();
    let mut most = 0;
    for _ in 0..3000 {
        all.retain_mut(Client::pump);
        cluster.borrow_mut().step();
        most = most.max(cluster.borrow().unauthenticated_bytes());
        assert!(most <= UNAUTHENTICATED_BYTES + 2 * UNAUTHENTICATED_FRAME_BYTES, "{most}");
    }
    assert!(most > UNAUTHENTICATED_BYTES / 2, "what is held is counted: {most}");
    works(&cluster, &mut neighbour);
    drop(all);
}

#[test]
fn versions_before_a_login_are_those_that_a_rule_offers() {
    let cluster = start(&[]);
    add(&cluster, "ApiVersions", &json!({ "error": "UNSUPPORTED_VERSION" }));
    add(&cluster, "ApiVersions", &json!({ "offer": { "SaslAuthenticate": [0, 0], "EndTxn": null } }));
    let mut client = Client::connect(&cluster.borrow());
    let mut ask = || {
        let answer = client.call(&cluster, ApiKey::ApiVersions, 2, &api_versions::Request::default());
        let response = api_versions::Response::decode(&mut Reader::new(&answer), 2).unwrap();
        let of = |api: ApiKey| response.api_keys.iter().find(|offered| offered.api_key == api.id());
        (response.error_code, of(ApiKey::SaslAuthenticate).map(|of| of.max_version), of(ApiKey::EndTxn).is_some())
    };
    assert_eq!(ask().0, ErrorCode::UnsupportedVersion.code());
    // A client that was refused its version may ask again.
    assert_eq!(ask(), (0, Some(0), false));
    assert_eq!(log_in(&cluster, &mut client, ALICE), Ok(0));
}

#[test]
fn a_session_that_is_begun_again_is_struck_like_another_login() {
    let cluster = start(&[("connections.max.reauth.ms", "5000")]);
    let mut client = logged_in(&cluster, ALICE);
    add(&cluster, "SaslAuthenticate", &json!({ "delay_ms": 500 }));
    cluster.borrow_mut().advance(Duration::from_millis(2000));
    let began = cluster.borrow().world.now();
    assert_eq!(log_in(&cluster, &mut client, ALICE), Ok(5000));
    assert!(cluster.borrow().world.now().since(began) >= Duration::from_millis(500));
    works(&cluster, &mut client);
    add(&cluster, "SaslHandshake", &json!({ "error": REFUSED }));
    cluster.borrow_mut().advance(Duration::from_millis(2000));
    client.send(ApiKey::SaslHandshake, 1, &handshake("PLAIN"));
    client.send(ApiKey::Metadata, METADATA, &metadata());
    let before = handled(&cluster, ApiKey::Metadata);
    wait_for_end(&cluster, &mut client);
    assert_eq!(handled(&cluster, ApiKey::Metadata), before, "nothing is handled behind the refusal");
}
