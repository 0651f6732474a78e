//! The shards' counters: turns, connections, requests with their errors and times.

use super::family::{Family, Page, counter, families, gauge, histogram};
use crate::metrics::{ApiCounts, Counts, Ending, Idle};
use crate::model::{ApiKey, ErrorCode};
use crate::shard::context::Shared;

const SHARD: &[&str] = &["shard"];
const REQUEST: &[&str] = &["request"];

families! {
    TURNS = counter("klamm_shard_turns_total", SHARD, "Rounds of a shard's loop.");
    WAKE_UPS = counter("klamm_shard_wake_ups_total", SHARD, "How often another thread has woken a shard.");
    ACCEPTED = counter("klamm_shard_connections_accepted_total", SHARD, "Connections that a shard has served.");
    ENDED = counter("klamm_shard_connections_ended_total", &["shard", "reason"], "Connections that have ended, and requests without one that have no answer, by the reason.");
    RECEIVED = counter("klamm_shard_bytes_received_total", SHARD, "Bytes that came in by sockets.");
    SENT = counter("klamm_shard_bytes_sent_total", SHARD, "Bytes that left by sockets.");
    WAITED = counter("klamm_shard_waited_seconds_total", SHARD, "Time that a shard has waited for something to do.");
    HANDLER_IDLE = gauge("kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent", &[], "The part of the last half minute, or up to a minute, that the shards have waited for something to do, from 0 to 1.");
    NETWORK_IDLE = gauge("kafka_network_socketserver_networkprocessoravgidle_percent", &[], "The same: the threads that handle requests are those that have the connections.");
    CONNECTIONS = gauge("kafka_server_socket_server_metrics_connection_count", &["listener", "networkProcessor"], "Connections of a listener on a shard.");
    REQUEST_MEMORY = gauge("klamm_request_memory_bytes", &[], "Memory that large requests and answers in flight hold.");
    REQUESTS = counter("kafka_network_requestmetrics_requests_total", REQUEST, "Requests by API.");
    ERRORS = counter("kafka_network_requestmetrics_errors_total", &["request", "error"], "Errors in answers by API and code, each as often as it stands in them; NONE is not counted.");
    BYTES_IN = counter("klamm_request_bytes_received_total", REQUEST, "Bytes of requests by API.");
    BYTES_OUT = counter("klamm_request_bytes_sent_total", REQUEST, "Bytes of answers by API.");
    TIMES = histogram("klamm_request_duration_seconds", REQUEST, "Times from the turn that took in a request to its answer, by API.");
}

pub(super) fn write(page: &mut Page, shared: &Shared) {
    let counts = shared.metrics.read();
    let numbers: Vec<String> = (0..counts.len()).map(|number| number.to_string()).collect();
    let mut of_shards = |family, count: fn(&Counts) -> u64| {
        let mut samples = page.begin(family);
        numbers.iter().zip(&counts).for_each(|(number, counts)| samples.add(&[number], count(counts)));
    };
    of_shards(&TURNS, |counts| counts.turns);
    of_shards(&WAKE_UPS, |counts| counts.wake_ups);
    of_shards(&ACCEPTED, |counts| counts.accepted);
    of_shards(&RECEIVED, |counts| counts.bytes_in);
    of_shards(&SENT, |counts| counts.bytes_out);
    let mut samples = page.begin(&ENDED);
    for (number, counts) in numbers.iter().zip(&counts) {
        Ending::ALL.iter().zip(counts.ended).for_each(|(ending, count)| samples.add(&[number, ending.name()], count));
    }
    let mut samples = page.begin(&CONNECTIONS);
    for (number, counts) in numbers.iter().zip(&counts) {
        let of_listeners = shared.config.listeners.iter().zip(&counts.open);
        of_listeners.for_each(|(listener, count)| samples.add(&[&listener.name, number], count));
    }
    idle(page, &numbers, &shared.metrics.idle(shared.environment.now().0));
    page.single(&REQUEST_MEMORY, shared.memory.held_bytes());
    let mut sum = Counts::default();
    counts.iter().for_each(|counts| sum.add(counts));
    requests(page, &sum);
}

/// How much of their time the shards wait. A shard that has never turned, or whose clock a test has stopped, tells no share.
fn idle(page: &mut Page, numbers: &[String], idle: &[Idle]) {
    let mut samples = page.begin(&WAITED);
    numbers.iter().zip(idle).for_each(|(number, idle)| samples.add(&[number], idle.waited.as_secs_f64()));
    let shares: Vec<f64> = idle.iter().filter_map(|idle| idle.share).collect();
    for family in [&HANDLER_IDLE, &NETWORK_IDLE] {
        let mut samples = page.begin(family);
        if !shares.is_empty() {
            samples.add(&[], shares.iter().sum::<f64>() / shares.len() as f64);
        }
    }
}

fn requests(page: &mut Page, sum: &Counts) {
    let asked: Vec<(&str, &ApiCounts)> = ApiKey::ALL
        .iter()
        .filter_map(|api| Some((api.name(), sum.apis.get(*api as usize)?)))
        .filter(|(_, api)| api.requests > 0)
        .collect();
    let mut of_apis = |family, count: fn(&ApiCounts) -> u64| {
        let mut samples = page.begin(family);
        asked.iter().for_each(|(name, api)| samples.add(&[name], count(api)));
    };
    of_apis(&REQUESTS, |api| api.requests);
    of_apis(&BYTES_IN, |api| api.bytes_in);
    of_apis(&BYTES_OUT, |api| api.bytes_out);
    let mut samples = page.begin(&ERRORS);
    for (name, api) in &asked {
        for (code, count) in &api.errors {
            let code = ErrorCode::from_code(*code).map_or_else(|| code.to_string(), |code| code.name().to_string());
            samples.add(&[name, &code], count);
        }
    }
    let mut samples = page.begin(&TIMES);
    for (name, api) in &asked {
        let buckets = api.times.doublings();
        let bounds: Vec<(f64, u64)> = buckets.iter().map(|(bound, within)| (bound.as_secs_f64(), *within)).collect();
        samples.add_histogram(&[name], &bounds, api.times.count(), api.times.sum().as_secs_f64());
    }
}
