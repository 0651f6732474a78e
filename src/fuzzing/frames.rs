//! Frames as JSON, the answers that refuse them, and what the HTTP side is sent about them.

use std::sync::Arc;

use serde_json::Value;

use crate::codec::Reader;
use crate::faults::{FaultRule, accuse};
use crate::http;
use crate::model::{ApiKey, ErrorCode, Instant};
use crate::replica::view::View;
use crate::wire::api;
use crate::wire::frame::SIZE_BYTES;
use crate::wire::json::{self, RecordsShown, Side};
use crate::wire::refusal::{self, ErrorPlace, WhyRefused};

/// How much larger than its request a refusal may be: an element of two bytes may be answered by one with a message.
const MOST_TIMES: usize = 200;

/// A request that is shown and refused: a byte for its API, one for the version. The refusal can be shown, accused and shown
/// again.
pub fn refusals(data: &[u8]) {
    let [key, version, body @ ..] = data else { return };
    let key = ApiKey::ALL[usize::from(*key) % ApiKey::ALL.len()];
    let (version, Some(description)) = (i16::from(*version % 20), api::describe(key)) else { return };
    let shown = json::show(key, Side::Request, version, &mut Reader::new(body), RecordsShown::Whole);
    assert!(shown.is_err() || description.has_version(version), "{key} {version}");
    let code = ErrorCode::NotCoordinator.code();
    let refused = WhyRefused { code, told: Some("why"), standard: Some("the code") };
    let Ok(Some((frame, _))) = refusal::frame(description, version, 7, &mut Reader::new(body), &refused) else {
        return;
    };
    assert!(frame.len() <= MOST_TIMES * (data.len() + 1), "{key} {version}: {} bytes", frame.len());
    let apart = json::take_response_apart(key, version, &frame[SIZE_BYTES..], &[], usize::MAX);
    let (correlation_id, mut answer) = apart.unwrap_or_else(|reason| panic!("{key} {version}: {reason}"));
    assert_eq!(correlation_id, 7);
    accuse(&mut answer, ErrorCode::NotLeaderOrFollower.code(), None, None);
    let again = json::response_frame(description, version, 7, &answer);
    assert!(again.is_ok(), "{key} {version}: {again:?}");
    // As rules of faults refuse.
    let request = json::take_apart(key, Side::Request, version, &mut Reader::new(body), usize::MAX);
    let answer = request.map(|request| refusal::refuse(key, version, &request, &refused, ErrorPlace::AtElements));
    let answer = answer.expect("it was taken apart before").expect("it has an answer");
    let framed = json::response_frame(description, version, 7, &answer);
    assert!(framed.is_ok(), "{key} {version}: {framed:?}");
}

/// Bodies of requests to the HTTP side. Each is taken or refused with a sentence; a rule that was taken can be shown.
pub fn http_bodies(data: &[u8]) {
    let (now, mut rules) = (Instant(1_000_000_000), Vec::new());
    http::read_bodies(data);
    if let Ok(text) = serde_json::from_slice::<Value>(data) {
        match FaultRule::parse(&text, now) {
            Ok(rule) => rules.push(rule),
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
    let board = crate::faults::Board::default();
    let taken = rules.len();
    board.add(rules, &Arc::new(View::new("fuzzed")), Instant(0)).expect("there is room for one");
    assert_eq!(board.show(now).len(), taken);
}

#[cfg(test)]
pub(super) fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let bodies = [
        r#"{"match":{"api":["Produce",1],"versions":"3-9","client_id":"a.*","topic":"t","partition":3,"nth":2},"action":{"error":"NOT_COORDINATOR","after":true},"count":2,"expires_ms":10}"#,
        r#"{"match":{"api":"ApiVersions","probability":0.5,"seed":7},"action":{"offer":{"Produce":[3,9],"EndTxn":null}}}"#,
        r#"{"match":{"api":"Fetch","every":2},"action":{"truncate":100}}"#,
        r#"{"match":{"api":"Produce","since":5},"at_most":3,"at_least":1}"#,
        r#"{"advance_ms":1000}"#,
        r#"{"snapshot":"seeded"}"#,
        r#"{"expire_member":{"group":"g","member":"m"}}"#,
        r#"{"fence_producer":{"transactional_id":"x"}}"#,
        "{\"topic\":\"t\",\"partitions\":3,\"configs\":{\"cleanup.policy\":\"compact\"}}\n\
         {\"topic\":\"t\",\"partition\":1,\"key\":{\"base64\":\"AAE=\"},\"value\":{\"json\":{\"a\":5}},\"headers\":[[\"h\",null]],\"timestamp\":7}",
    ];
    // Metadata 12 of a topic, Fetch 12 and OffsetFetch 1 of a partition, each with its body.
    let metadata = [&[3, 12, 2][..], &[0; 16], &[2, b't', 0, 0, 0, 0]].concat();
    let offsets = [&[9, 1, 0, 1, b'g', 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1][..], &[0, 0, 0, 3]].concat();
    let heartbeat = vec![12, 0, 0, 1, b'g', 0, 0, 0, 1, 0, 1, b'm'];
    vec![
        ("refusals", vec![metadata, offsets, heartbeat]),
        ("http_bodies", bodies.map(|body| body.as_bytes().to_vec()).to_vec()),
    ]
}
