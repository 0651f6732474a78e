//! The router, called without sockets, before a broker that has no threads.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;

use super::control::{BrokerStage, Control, MOST_STAYING};
use super::dispatch::router;
use super::metrics;
use super::routes::ROUTES;
use crate::assembly::{self, Disks, Parts};
use crate::config::{Config, Layers};
use crate::io::driver::Waker;
use crate::io::environment::fixed;
use crate::io::settable_clock::SettableClock;
use crate::io::simulated_disk::SimulatedDisk;
use crate::model::TimestampMs;
use crate::shard::context::Endpoint;

struct NoShardSleeps;

impl Waker for NoShardSleeps {
    fn wake(&self) {}
}

struct Side {
    control: Arc<Control>,
    router: Router,
    runtime: tokio::runtime::Runtime,
    config: Config,
}

impl Side {
    fn new(overrides: &[(&str, &str)]) -> Side {
        Side::with_clock(overrides, None)
    }

    fn with_clock(overrides: &[(&str, &str)], clock: Option<&Arc<SettableClock>>) -> Side {
        let given = overrides.iter().chain(&[("log.dirs", "/data"), ("klamm.http.listeners", "http://127.0.0.1:0")]);
        let overrides = given.rev().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let (config, _) = Config::load(&Layers { overrides, ..Layers::default() }).unwrap();
        let control = Arc::new(Control::new(&config).unwrap());
        control.begin(clock.cloned());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Side { router: router(&control), control, runtime, config }
    }

    /// A broker behind it whose one shard has turned.
    fn with_broker(&self) -> Parts {
        let now = TimestampMs(1_700_000_000_000);
        let disk = Arc::new(SimulatedDisk::default());
        let opened = assembly::open(Disks::one(disk), fixed::environment(now), self.config.clone(), "test").unwrap();
        let endpoint =
            Endpoint { listener: "PLAINTEXT".into(), host: "broker.test".into(), port: 9092, is_by_connection: false };
        let parts = opened.connect(vec![Arc::new(NoShardSleeps)]).register(vec![endpoint]).unwrap();
        self.control.share(&parts.shared);
        parts
    }

    fn ask(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(uri);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header(header::HOST, "localhost:8080");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        self.runtime.block_on(async {
            let answer = self.router.clone().oneshot(request).await.unwrap();
            let status = answer.status();
            let body = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        })
    }

    fn get(&self, uri: &str) -> (StatusCode, String) {
        self.ask("GET", uri, &[], "")
    }

    fn status(&self, method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
        self.ask(method, uri, headers, "").0.as_u16()
    }
}

fn error(body: &str) -> String {
    serde_json::from_str::<Value>(body).unwrap()["error"].as_str().unwrap().to_string()
}

#[test]
fn every_path_is_described_and_every_description_is_a_path() {
    let side = Side::new(&[("klamm.http.requests", "1")]);
    let (status, text) = side.get("/openapi.json");
    assert_eq!(status, StatusCode::OK);
    let description: Value = serde_json::from_str(&text).unwrap();
    let described = description["paths"].as_object().unwrap();
    for route in ROUTES {
        let operation = &described[route.path][route.verb.name().to_lowercase()];
        assert_eq!(operation["summary"], route.summary);
        let is_sentence = |text: &str| text.ends_with('.') && text.starts_with(|c: char| c.is_uppercase());
        assert!(is_sentence(route.summary) && route.answers.iter().all(|answer| is_sentence(answer.summary)));
        assert_ne!(side.status(route.verb.name(), route.path, &[]), 404, "{}", route.path);
    }
    let body_of = |path: &str| &described[path]["post"]["requestBody"];
    assert_eq!((&body_of("/v1/reset")["required"], &body_of("/v1/deeds")["required"]), (&false.into(), &true.into()));
    assert!(body_of("/v1/fixtures")["content"]["application/x-ndjson"].is_object());
    assert!(body_of("/v1/faults")["content"]["application/json"]["schema"]["oneOf"][1]["items"].is_object());
    let answers = |path: &str, verb: &str| -> Vec<_> {
        described[path][verb]["responses"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(answers("/livez", "get"), ["200", "400", "403"]);
    assert_eq!(answers("/v1/requests/assert", "post"), ["200", "400", "401", "403", "404", "408", "409", "413"]);
    let missed = &described["/v1/wait"]["get"]["responses"]["408"]["description"];
    assert!(missed.as_str().unwrap().contains("what was missing"), "a path's own words go before {missed}");
    let operations: usize = described.values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(operations, ROUTES.len());
    let in_order: Vec<_> = ROUTES.chunk_by(|a, b| a.path == b.path).map(|routes| routes[0].path).collect();
    assert_eq!(in_order.len(), described.len(), "the verbs of a path stand together");
}

#[test]
fn a_clock_for_tests_is_shown_frozen_and_moved() {
    let side = Side::new(&[]);
    let (status, body) = side.get("/v1/clock");
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(error(&body).contains("klamm.clock=settable"), "{body}");

    let clock = Arc::new(SettableClock::default());
    let side = Side::with_clock(&[], Some(&clock));
    let change = |body: &str| {
        let (status, body) = side.ask("POST", "/v1/clock", &[], body);
        (status.as_u16(), serde_json::from_str::<Value>(&body).unwrap())
    };
    let (status, frozen) = change(r#"{"frozen":true}"#);
    assert_eq!((status, &frozen["frozen"]), (200, &Value::Bool(true)));
    let (status, moved) = change(r#"{"advance_ms":60000}"#);
    assert_eq!((status, moved["wall_ms"].as_i64()), (200, frozen["wall_ms"].as_i64().map(|ms| ms + 60_000)));
    let (_, body) = side.get("/v1/clock");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["wall_ms"], moved["wall_ms"]);
    assert_eq!(change(r#"{"wall_ms":5}"#).1["wall_ms"], 5);
    assert_eq!(change(r#"{"frozen":false}"#).1["frozen"], false);
    assert_eq!(change("{}").0, 400);
}

#[test]
fn what_is_not_there_is_said() {
    let side = Side::new(&[]);
    let (status, body) = side.get("/nothing");
    assert_eq!(status, StatusCode::NOT_FOUND);
    let listed = serde_json::from_str::<Value>(&body).unwrap()["paths"].clone();
    assert!(listed.as_array().unwrap().contains(&"/readyz".into()), "{body}");
    let (status, body) = side.ask("DELETE", "/livez", &[], "");
    assert_eq!((status, error(&body).as_str()), (StatusCode::METHOD_NOT_ALLOWED, "this path answers GET only"));
    let (status, body) = side.get("/livez?colour=red");
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(error(&body), "no parameter is named \"colour\": there are none");
    let large = "x".repeat((64 << 10) + 1);
    assert_eq!(side.ask("GET", "/livez", &[], &large).0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(side.status("HEAD", "/livez", &[]), 200);
}

#[test]
fn requests_are_addressed_to_this_broker_and_changes_come_from_its_own_pages() {
    let side = Side::new(&[("klamm.http.hosts", "broker.example")]);
    let of = |host: &str| side.status("GET", "/livez", &[("host", host)]);
    for own in ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "broker.example:80"] {
        assert_eq!(of(own), 200, "{own}");
    }
    for foreign in ["evil.example", "localhost.evil.example:8080", "10.0.0.1", "broker.example.evil", "", "[::2]:1"] {
        assert_eq!(of(foreign), 403, "{foreign}");
    }
    let origin =
        |method: &str, origin: &str| side.status(method, "/livez", &[("host", "localhost:8080"), ("origin", origin)]);
    assert_eq!(origin("POST", "http://localhost:8080"), 405);
    for foreign in ["http://evil.example", "null", "http://localhost:9999"] {
        assert_eq!((origin("POST", foreign), origin("GET", foreign)), (403, 200), "{foreign}");
    }
    let from = |path: &str, site: &str| side.status("GET", path, &[("sec-fetch-site", site)]);
    assert_eq!(
        (from("/version", "same-origin"), from("/version", "none"), from("/version", "cross-site")),
        (200, 200, 403)
    );
    assert_eq!(from("/", "cross-site"), 200, "a link leads to the page");
}

#[test]
fn a_token_opens_all_but_the_health() {
    let side = Side::new(&[("klamm.http.token", "0123456789abcdef")]);
    let with = |shown: &str| side.status("GET", "/version", &[("authorization", shown)]);
    assert_eq!(side.status("GET", "/livez", &[]), 200);
    assert_eq!(side.status("GET", "/version", &[]), 401);
    assert_eq!(with("Bearer 0123456789abcdef"), 200);
    for wrong in ["Bearer 0123456789abcdeg", "Bearer 0123456789abcde", "Basic 0123456789abcdef", "0123456789abcdef"] {
        assert_eq!(with(wrong), 401, "{wrong}");
    }
    assert_eq!(side.status("GET", "/nothing", &[]), 401, "paths are not told without it");
    let (_, body) = side.get("/version");
    assert!(!body.contains("0123456789"), "{body}");
}

#[test]
fn a_broker_is_ready_when_its_shards_turn() {
    let side = Side::new(&[]);
    let why = |side: &Side| {
        let (status, body) = side.get("/readyz");
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        error(&body)
    };
    assert_eq!(why(&side), "the broker starts: it opens its log directories and replays the metadata log");
    assert_eq!(side.get("/metrics").0, StatusCode::SERVICE_UNAVAILABLE);
    let parts = side.with_broker();
    side.control.set_stage(BrokerStage::Turns);
    assert_eq!(why(&side), "the broker starts: shard 0 has not begun to turn");
    parts.shared.metrics.recorder(0).turn();
    assert_eq!(side.get("/readyz"), (StatusCode::OK, "{\"ready\":true}\n".into()));
    let (_, version) = side.get("/version");
    let version: Value = serde_json::from_str(&version).unwrap();
    assert_eq!((&version["cluster_id"], &version["node_id"]), (&"test".into(), &1.into()));
    side.control.set_stage(BrokerStage::Stops);
    assert_eq!(why(&side), "the broker stops");
}

#[test]
fn the_page_of_metrics_has_every_family_once() {
    let side = Side::new(&[]);
    let parts = side.with_broker();
    parts.shared.metrics.recorder(0).request(0, 100);
    let (status, page) = side.get("/metrics");
    assert_eq!(status, StatusCode::OK);
    let told: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let mut known: Vec<&str> = metrics::families().map(|(name, ..)| name).collect();
    let mut sorted = told.clone();
    known.sort_unstable();
    sorted.sort_unstable();
    // The limit of descriptors is left out where there is none.
    sorted.retain(|name| *name != "process_max_fds");
    known.retain(|name| *name != "process_max_fds");
    assert_eq!(sorted, known);
    assert!(page.contains("\nkafka_network_requestmetrics_requests_total{request=\"Produce\"} 1\n"), "{page}");
    assert!(
        page.contains("\nkafka_brokers 1\n")
            && page.contains("\nkafka_server_replicamanager_underreplicatedpartitions 0\n")
    );
}

const BEGIN: &str = "<!-- metrics -->\n";
const END: &str = "<!-- /metrics -->";

/// Keeps the table of `docs/http.md` equal to the families. `UPDATE=1` writes it.
#[test]
fn the_documentation_has_every_family() {
    let mut table = String::from("| metric | labels | what it tells |\n| --- | --- | --- |\n");
    for (name, labels, help) in metrics::families() {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        table.push_str(&format!("| `{name}` | {} | {help} |\n", labels.join(", ")));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/http.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(shown, table, "run UPDATE=1 cargo test the_documentation");
    }
    for route in ROUTES {
        assert!(page.contains(&format!("`{}`", route.path)), "docs/http.md does not tell of {}", route.path);
    }
}

#[test]
fn requests_that_are_not_kept_are_not_listed() {
    let side = Side::new(&[]);
    let (status, body) = side.get("/v1/requests");
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(error(&body).contains("klamm.http.requests"), "{body}");
    let keeps = Side::new(&[("klamm.http.requests", "5")]);
    assert_eq!(keeps.get("/v1/requests").0, StatusCode::SERVICE_UNAVAILABLE);
    let _parts = keeps.with_broker();
    assert_eq!(keeps.get("/v1/requests"), (StatusCode::OK, "{\"requests\":[],\"forgotten\":0}\n".into()));
    for wrong in ["api=Nothing", "error=NOTHING", "since=yesterday", "limit=all", "limit=10001"] {
        assert_eq!(keeps.get(&format!("/v1/requests?{wrong}")).0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let judged = |body: &str| keeps.ask("POST", "/v1/requests/assert", &[], body).0.as_u16();
    assert_eq!(judged(r#"{"at_most":0}"#), 200);
    assert_eq!(judged(r#"{"match":{"api":"Fetch"},"at_least":1}"#), 409);
    for wrong in ["", "[]", "{}", r#"{"match":3,"at_most":1}"#, r#"{"at_most":-1}"#, r#"{"atmost":1}"#] {
        assert_eq!(judged(wrong), 400, "{wrong}");
    }
}

#[test]
fn waits_that_cannot_end_are_refused() {
    let side = Side::new(&[]);
    for wrong in [
        "",
        "?group=g",
        "?members=1",
        "?records=1",
        "?topic=t&records=many",
        "?fetched=1",
        "?topic=t&partition=0",
        "?topic=t&client_id=x",
    ] {
        assert_eq!(side.get(&format!("/v1/wait{wrong}")).0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let _parts = side.with_broker();
    let (status, body) = side.get("/v1/wait?topic=t&timeout_ms=1");
    assert_eq!((status, error(&body).as_str()), (StatusCode::REQUEST_TIMEOUT, "after 1 ms there is no topic t"));
    let (status, body) = side.get("/v1/wait?topic=t&fetched=1&timeout_ms=1");
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(error(&body).contains("klamm.http.requests"), "{body}");
}

#[test]
fn those_who_wait_leave_places_for_others() {
    const { assert!(MOST_STAYING < super::LIMITS.connections) };
    let side = Side::new(&[("klamm.http.requests", "5")]);
    let _parts = side.with_broker();
    let mut staying: Vec<_> = (0..MOST_STAYING).map(|_| side.control.stay().unwrap()).collect();
    for stays in ["wait?topic=t&timeout_ms=1", "requests?follow"] {
        let (status, body) = side.get(&format!("/v1/{stays}"));
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(error(&body), "192 requests wait or follow already: wait for one of them to end");
    }
    assert_eq!(side.get("/livez").0, StatusCode::OK);
    assert_eq!(side.get("/v1/requests").0, StatusCode::OK);
    staying.pop();
    assert_eq!(side.get("/v1/wait?topic=t&timeout_ms=1").0, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(side.get("/v1/wait?topic=t&timeout_ms=1").0, StatusCode::REQUEST_TIMEOUT, "its place was given back");
}

/// The page has no data, runs no script but its own, and loads nothing from elsewhere.
#[test]
fn the_page_is_served_without_a_token() {
    let side = Side::new(&[("klamm.http.token", "0123456789abcdef")]);
    let (status, page) = side.get("/");
    assert_eq!(status, StatusCode::OK);
    for path in ["page.js", "page.css"] {
        assert!(page.contains(&format!("\"{path}\"")), "{path}");
        assert_eq!(side.get(&format!("/{path}")).0, StatusCode::OK);
    }
    let (_, script) = side.get("/page.js");
    for file in [&page, &script, &side.get("/page.css").1] {
        assert!(!file.contains("://") && !file.contains("innerHTML") && !file.contains("eval("), "it is its own");
    }
    assert!(
        !page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick"),
        "the policy refuses these"
    );
    assert_eq!(side.status("GET", "/v1/topics", &[]), 401);
}

fn json(answer: (StatusCode, String)) -> Value {
    assert_eq!(answer.0, StatusCode::OK, "{}", answer.1);
    serde_json::from_str(&answer.1).unwrap()
}

#[test]
fn topics_and_records_of_a_broker_without_any() {
    let side = Side::new(&[]);
    for path in ["/v1/topics", "/v1/groups", "/v1/records?topic=t"] {
        assert_eq!(side.get(path).0, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    let _parts = side.with_broker();
    assert_eq!(json(side.get("/v1/topics")), serde_json::json!({ "topics": [], "more": 0 }));
    assert_eq!(json(side.get("/v1/groups")), serde_json::json!({ "groups": [], "more": 0 }));
    for missing in ["/v1/topics?topic=t", "/v1/records?topic=t", "/v1/groups?group=g"] {
        assert_eq!(side.get(missing).0, StatusCode::NOT_FOUND, "{missing}");
    }
    for wrong in [
        "records",
        "records?topic=t&limit=0",
        "records?topic=t&partition=-1",
        "records?topic=t&before=x",
        "groups?limit=1001",
    ] {
        assert_eq!(side.get(&format!("/v1/{wrong}")).0, StatusCode::BAD_REQUEST, "{wrong}");
    }
}
