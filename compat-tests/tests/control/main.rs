//! The HTTP side of a running broker, asked as any client asks: health, metrics (every query of the dashboard and of the alert
//! rules finds what it names, and dashboards that were made for others find theirs), the journal of requests, and what is refused.

mod logs;
mod waits;

use compat_tests::broker::{Broker, Setup};
use compat_tests::clients::librdkafka;
use compat_tests::http::Http;
use compat_tests::program::{self, Input, Lines, wait_within};
use compat_tests::raw::Raw;
use compat_tests::suite::{BOTH, ONE, Suite};
use compat_tests::{Context, Result, ensure, klamm};
use promql_parser::parser::{self, Expr};
use promql_parser::util::{ExprVisitor, walk_expr};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const HTTP: (&str, &str) = ("klamm.http.listeners", "http://127.0.0.1:0");
const JOURNAL: (&str, &str) = ("klamm.http.requests", "1000");
const FAULTS: (&str, &str) = ("klamm.faults", "true");
const TOKEN: &str = "an-open-secret-of-tests";
const PATIENCE: Duration = Duration::from_secs(10);
/// What Prometheus adds to every sample.
const OF_PROMETHEUS: [&str; 2] = ["job", "instance"];

fn main() -> ExitCode {
    Suite::new("control")
        .test("health", BOTH, &[HTTP, ("klamm.log.format", "json")], health)
        .test("off", ONE, &[], off)
        .test("metrics", BOTH, &[HTTP], metrics)
        .test("token", ONE, &[HTTP, ("klamm.http.token", TOKEN)], token)
        .test("journal", BOTH, &[HTTP, JOURNAL], journal)
        .test("journal_lost", ONE, &[HTTP, ("klamm.http.requests", "5")], lost)
        .test("follow", ONE, &[HTTP, JOURNAL], follow)
        .test("tap", ONE, &[HTTP, JOURNAL], tap)
        .test("records", BOTH, &[HTTP], records)
        .test("wait", BOTH, &[HTTP, JOURNAL], waits::wait)
        .test("wait_committed", BOTH, &[HTTP], waits::committed)
        .test("wait_fetched", BOTH, &[HTTP, JOURNAL], waits::fetched)
        .test("wait_lag", ONE, &[HTTP], waits::lag)
        .test("clock", BOTH, &[HTTP, ("klamm.clock", "settable")], clock)
        .test("faults", BOTH, &[HTTP, FAULTS, JOURNAL], faults)
        .test("deeds", BOTH, &[HTTP, FAULTS, JOURNAL, ("group.initial.rebalance.delay.ms", "0")], deeds)
        .test("logs_compact", BOTH, &[HTTP, FAULTS], logs::compact)
        .test("logs_retain", ONE, &[HTTP, FAULTS], logs::retain)
        .own_start("refused", ONE, &[HTTP], refused)
        .run()
}

fn client(broker: &Broker) -> ClientConfig {
    let mut config = librdkafka(broker);
    config.set("client.id", "app");
    config
}

fn produce(broker: &Broker, topic: &str, records: usize) -> Result<()> {
    let producer: BaseProducer = client(broker).set("linger.ms", "0").create()?;
    for number in 0..records {
        let value = format!("value {number}");
        producer.send(BaseRecord::<str, str>::to(topic).payload(&value).partition(0)).map_err(|(error, _)| error)?;
        producer.flush(PATIENCE)?;
    }
    Ok(())
}

fn commit(broker: &Broker, topic: &str, offset: i64) -> Result<()> {
    let consumer: BaseConsumer = client(broker).set("group.id", "readers").create()?;
    let mut at = TopicPartitionList::new();
    at.add_partition_offset(topic, 0, Offset::Offset(offset))?;
    consumer.commit(&at, CommitMode::Sync)?;
    Ok(())
}

fn health(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    http.until_ready()?;
    ensure!(http.json("/livez")?["live"] == true, "it lives");
    ensure!(http.json("/readyz")?["ready"] == true, "it is ready");
    let version = http.json("/version")?;
    ensure!(version["node_id"] == 1 && version["cluster_id"].is_string(), "{version}");
    let described = http.json("/openapi.json")?;
    let (status, body) = http.get("/nothing")?;
    let listed: Value = serde_json::from_str(&body)?;
    let paths: Vec<_> = described["paths"].as_object().context("paths")?.keys().cloned().map(Value::from).collect();
    let mut told = listed["paths"].as_array().context("paths")?.clone();
    told.sort_by_key(|path| path.to_string());
    ensure!(status == 404 && told == paths, "{body} and {paths:?}");
    let (status, body) = http.post("/metrics", &json!({}))?;
    ensure!(status == 405 && body["error"] == "this path answers GET only", "{status} {body}");
    for line in broker.log_text().lines().filter(|line| line.contains("Kafka Server started")) {
        let object: Value = serde_json::from_str(line)?;
        ensure!(object["level"] == "INFO" && object["module"] == "klamm.cli", "{line}");
    }
    let (stopped, began) = (broker.stop(), Instant::now());
    stopped?;
    ensure!(began.elapsed() < PATIENCE, "it stops");
    Ok(())
}

/// Without the setting there is neither thread nor listener.
fn off(broker: &mut Broker) -> Result<()> {
    ensure!(Http::of(broker).is_err(), "no address is told");
    for task in std::fs::read_dir(format!("/proc/{}/task", broker.pid()))? {
        let name = std::fs::read_to_string(task?.path().join("comm"))?;
        ensure!(name.trim() != "klamm-http", "there is a thread for it");
    }
    Ok(())
}

fn metrics(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic("t", 2, &[])?;
    produce(broker, "t", 5)?;
    commit(broker, "t", 3)?;
    ensure!(raw.offset("nothing", 0, -1)?.0 == 3, "an error is told");
    let reader: BaseConsumer =
        client(broker).set("group.id", "readers").set("auto.offset.reset", "earliest").create()?;
    reader.assign(&{
        let mut at = TopicPartitionList::new();
        at.add_partition_offset("t", 0, Offset::Beginning)?;
        at
    })?;
    reader.poll(PATIENCE).context("a record")??;
    let samples = http.samples()?;
    for sample in [
        "kafka_brokers 1",
        "kafka_topic_partitions{topic=\"t\"} 2",
        "kafka_topic_partition_current_offset{topic=\"t\",partition=\"0\"} 5",
        "kafka_topic_partition_under_replicated_partition{topic=\"t\",partition=\"1\"} 0",
        "kafka_server_brokertopicmetrics_messagesin_total{topic=\"t\"} 5",
        "kafka_server_brokertopicmetrics_totalproducerequests_total{topic=\"t\"} 5",
        "kafka_server_brokertopicmetrics_failedproducerequests_total{topic=\"t\"} 0",
        "kafka_server_brokertopicmetrics_failedfetchrequests_total{topic=\"t\"} 0",
        "kafka_controller_controllerstats_uncleanleaderelections_total 0",
        "kafka_consumergroup_group_lag{group=\"readers\",topic=\"t\",partition=\"0\"} 2",
        "kafka_consumergroup_current_offset{consumergroup=\"readers\",topic=\"t\",partition=\"0\"} 3",
        "kafka_consumergroup_lag{consumergroup=\"readers\",topic=\"t\",partition=\"0\"} 2",
        "kafka_consumergroup_lag_sum{consumergroup=\"readers\",topic=\"t\"} 2",
        "kafka_consumergroup_members{consumergroup=\"readers\"} 0",
        "kafka_network_requestmetrics_errors_total{request=\"ListOffsets\",error=\"UNKNOWN_TOPIC_OR_PARTITION\"} 1",
        "kafka_server_replicamanager_underreplicatedpartitions 0",
    ] {
        let name = sample.split(['{', ' ']).next().unwrap_or_default();
        let of_name = samples.get(name).with_context(|| format!("nothing is called {name}"))?;
        ensure!(of_name.iter().any(|line| line == sample), "{sample} is not among\n{}", of_name.join("\n"));
    }
    let late = sum(&samples, "kafka_consumergroup_group_lag_seconds", "")?;
    ensure!(late > 0.0 && late < 60.0, "{late}");
    for name in ["bytesout", "totalfetchrequests"] {
        let of_topic = sum(&samples, &format!("kafka_server_brokertopicmetrics_{name}_total"), "\"t\"")?;
        ensure!(of_topic > 0.0, "what was fetched is counted");
    }
    // Two clients and this one are there, and the broker does next to nothing.
    ensure!(sum(&samples, "kafka_server_socket_server_metrics_connection_count", "")? >= 2.0, "clients are there");
    let idle = sum(&samples, "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent", "")?;
    ensure!(idle > 0.0 && idle <= 1.0, "{idle}");
    dashboards_of_others_find_their_names(&samples)?;
    queries_find_what_they_name(&samples)
}

/// The sum of a metric's samples that hold a text.
fn sum(samples: &BTreeMap<String, Vec<String>>, name: &str, part: &str) -> Result<f64> {
    let lines = samples.get(name).with_context(|| format!("nothing is called {name}"))?.iter();
    let values = lines.filter(|line| line.contains(part)).map(|line| line.rsplit(' ').next().unwrap_or_default());
    Ok(values.map(str::parse::<f64>).sum::<Result<_, _>>()?)
}

/// What dashboards ask for that were made for others: Strimzi's of a broker, kafka_exporter's and kafka-lag-exporter's. Each name
/// with the labels by which they select and group.
const OF_OTHERS: &[(&[&str], &[&str])] = &[
    (
        &[
            "kafka_server_replicamanager_leadercount",
            "kafka_server_replicamanager_partitioncount",
            "kafka_server_replicamanager_underreplicatedpartitions",
            "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent",
            "kafka_network_socketserver_networkprocessoravgidle_percent",
            "kafka_controller_kafkacontroller_activecontrollercount",
            "kafka_controller_kafkacontroller_offlinepartitionscount",
            "kafka_controller_controllerstats_uncleanleaderelections_total",
            "kafka_server_kafkaserver_linux_disk_read_bytes",
            "kafka_server_kafkaserver_linux_disk_write_bytes",
            "process_open_fds",
            "process_cpu_seconds_total",
            "kafka_brokers",
        ],
        &[],
    ),
    (
        &[
            "kafka_server_brokertopicmetrics_messagesin_total",
            "kafka_server_brokertopicmetrics_bytesin_total",
            "kafka_server_brokertopicmetrics_bytesout_total",
            "kafka_server_brokertopicmetrics_totalproducerequests_total",
            "kafka_server_brokertopicmetrics_totalfetchrequests_total",
            "kafka_server_brokertopicmetrics_failedproducerequests_total",
            "kafka_server_brokertopicmetrics_failedfetchrequests_total",
            "kafka_topic_partitions",
        ],
        &["topic"],
    ),
    (
        &[
            "kafka_log_log_size",
            "kafka_cluster_partition_underminisr",
            "kafka_cluster_partition_atminisr",
            "kafka_cluster_partition_replicascount",
            "kafka_topic_partition_current_offset",
            "kafka_topic_partition_oldest_offset",
            "kafka_topic_partition_in_sync_replica",
            "kafka_topic_partition_leader",
            "kafka_topic_partition_leader_is_preferred",
            "kafka_topic_partition_replicas",
            "kafka_topic_partition_under_replicated_partition",
        ],
        &["topic", "partition"],
    ),
    (&["kafka_server_socket_server_metrics_connection_count"], &["listener", "networkProcessor"]),
    (&["kafka_broker_info"], &["id", "address"]),
    (&["kafka_consumergroup_members"], &["consumergroup"]),
    (&["kafka_consumergroup_current_offset_sum", "kafka_consumergroup_lag_sum"], &["consumergroup", "topic"]),
    (&["kafka_consumergroup_current_offset", "kafka_consumergroup_lag"], &["consumergroup", "topic", "partition"]),
    (
        &[
            "kafka_consumergroup_group_max_lag",
            "kafka_consumergroup_group_max_lag_seconds",
            "kafka_consumergroup_group_sum_lag",
        ],
        &["group"],
    ),
    (&["kafka_consumergroup_group_lag", "kafka_consumergroup_group_lag_seconds"], &["group", "topic", "partition"]),
];

fn dashboards_of_others_find_their_names(samples: &BTreeMap<String, Vec<String>>) -> Result<()> {
    let known = labels(samples);
    for (names, asked) in OF_OTHERS {
        for name in *names {
            let has = known.get(name).with_context(|| format!("nothing is called {name}"))?;
            ensure!(*has == asked.iter().copied().collect(), "{name} has the labels {has:?} instead of {asked:?}");
        }
    }
    Ok(())
}

/// The labels of each metric.
fn labels(samples: &BTreeMap<String, Vec<String>>) -> BTreeMap<&str, BTreeSet<&str>> {
    let of_line = |line: &'_ str| -> Vec<String> {
        let Some((_, rest)) = line.split_once('{') else { return Vec::new() };
        // Values of these tests hold neither commas nor quotes.
        rest.split(',').filter_map(|pair| Some(pair.split_once('=')?.0.to_string())).collect()
    };
    let mut found = BTreeMap::new();
    for (name, lines) in samples {
        let all = lines.iter().flat_map(|line| of_line(line)).map(|label| &*label.leak());
        found.insert(name.as_str(), all.collect());
    }
    found
}

/// What a query names: metrics with the labels that are asked of each, and labels by which it groups.
#[derive(Default)]
struct Named {
    metrics: Vec<(String, Vec<String>)>,
    groupings: Vec<String>,
}

impl ExprVisitor for Named {
    type Error = String;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, String> {
        let mut select = |selector: &parser::VectorSelector| {
            let labels = selector.matchers.matchers.iter().map(|matcher| matcher.name.clone());
            self.metrics.push((selector.name.clone().unwrap_or_default(), labels.collect()));
        };
        match expression {
            Expr::VectorSelector(selector) => select(selector),
            Expr::MatrixSelector(selector) => select(&selector.vs),
            Expr::Aggregate(aggregate) => {
                let labels = aggregate.modifier.iter().flat_map(|modifier| modifier.labels().labels.clone());
                self.groupings.extend(labels);
            }
            Expr::Binary(binary) => {
                let matching = binary.modifier.iter().filter_map(|modifier| modifier.matching.as_ref());
                self.groupings.extend(matching.flat_map(|matching| matching.labels().labels.clone()));
            }
            _ => {}
        }
        Ok(true)
    }
}

fn queries_find_what_they_name(samples: &BTreeMap<String, Vec<String>>) -> Result<()> {
    let known = labels(samples);
    let queries = queries()?;
    ensure!(queries.len() > 35, "{} queries", queries.len());
    for query in queries {
        let text = query.replace("$__rate_interval", "5m").replace("$topic", ".*").replace("$group", ".*");
        let expression = parser::parse(&text).map_err(|error| compat_tests::Error::msg(format!("{query}: {error}")))?;
        let mut named = Named::default();
        walk_expr(&mut named, &expression).map_err(|error| compat_tests::Error::msg(format!("{query}: {error}")))?;
        ensure!(!named.metrics.is_empty(), "{query} asks for nothing");
        let mut all: BTreeSet<&str> = OF_PROMETHEUS.into();
        for (name, asked) in &named.metrics {
            if name == "up" {
                continue;
            }
            let has = known.get(name.as_str()).with_context(|| format!("{query}: nothing is called {name}"))?;
            all.extend(has);
            for label in asked.iter().filter(|label| !OF_PROMETHEUS.contains(&label.as_str())) {
                ensure!(has.contains(label.as_str()), "{query}: {name} has no label {label}");
            }
        }
        for label in &named.groupings {
            ensure!(all.contains(label.as_str()), "{query}: nothing has a label {label}");
        }
    }
    Ok(())
}

/// Every query of the dashboard, its variables as queries of their own, and of the alert rules.
fn queries() -> Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("klamm.json"))?)?;
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().context("panels")? {
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push(target["expr"].as_str().context("an expression")?.to_string());
        }
    }
    for variable in dashboard["templating"]["list"].as_array().context("variables")? {
        if variable["type"] == "query" {
            let query = variable["query"]["query"].as_str().context("a query")?;
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (metric, label) =
                inner.and_then(|inner| inner.split_once(", ")).context("label_values(metric, label)")?;
            queries.push(format!("sum by ({label}) ({metric})"));
        }
    }
    let rules = yaml_rust2::YamlLoader::load_from_str(&std::fs::read_to_string(folder.join("alerts.yml"))?)?;
    for group in rules[0]["groups"].as_vec().context("groups")? {
        for rule in group["rules"].as_vec().context("rules")? {
            ensure!(rule["alert"].as_str().is_some() && rule["labels"]["severity"].as_str().is_some(), "{rule:?}");
            ensure!(rule["annotations"]["summary"].as_str().is_some(), "{rule:?}");
            queries.push(rule["expr"].as_str().context("an expression")?.to_string());
        }
    }
    Ok(queries)
}

fn token(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    http.until_ready()?;
    ensure!(http.status("/livez")? == 200, "it tells without a token that it lives");
    let (status, body) = http.get("/metrics")?;
    ensure!(status == 401, "{status} {body}");
    let shown = http.getting("/metrics").header("authorization", format!("Bearer {TOKEN}"));
    ensure!(shown.call()?.status() == 200, "the token is taken");
    ensure!(!broker.log_text().contains(TOKEN), "the log shows the token");
    Ok(())
}

fn journal(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    Raw::connect(broker.port())?.create_topic("t", 1, &[])?;
    produce(broker, "t", 3)?;
    commit(broker, "t", 1)?;
    let listed = await_requests(&http, "/v1/requests?api=Produce&client_id=app&topic=t&records=true", 3)?;
    let first = &listed[0];
    ensure!(first["version"].as_i64() >= Some(3) && first["errors"] == json!({}), "{first}");
    ensure!(first["principal"] == "User:ANONYMOUS" && first["software"]["name"] == "librdkafka", "{first}");
    let data = &first["request"]["topicData"][0]["partitionData"][0];
    let batch = &data["records"]["batches"][0];
    ensure!(batch["count"] == 1 && batch["records"][0]["value"] == "value 0", "{first}");
    let told = &listed[2]["answer"]["responses"][0]["partitionResponses"][0];
    ensure!(told["baseOffset"] == 2 && told["errorCode"] == 0, "{}", listed[2]);
    let micros = &first["micros"];
    let total =
        ["queued", "handled", "waited"].iter().map(|part| micros[part].as_u64().unwrap_or(u64::MAX)).sum::<u64>();
    ensure!(micros["total"].as_u64().is_some_and(|sum| sum.abs_diff(total) <= 2), "{micros}");
    await_requests(&http, "/v1/requests?group=readers&api=OffsetCommit", 1)?;
    ensure!(http.json("/v1/requests?topic=other")?["requests"] == json!([]), "no request names that topic");

    let judge = |body: Value| http.post("/v1/requests/assert", &body);
    let matched = json!({ "api": "Produce", "client_id": "app" });
    let (status, told) = judge(json!({ "match": matched, "at_most": 3, "at_least": 3 }))?;
    ensure!(status == 200 && told["matched"] == 3, "{status} {told}");
    let (status, told) = judge(json!({ "match": matched, "at_most": 2 }))?;
    ensure!(status == 409 && told["error"] == "3 requests match, not more than 2 were expected", "{status} {told}");
    ensure!(told["requests"].as_array().is_some_and(|shown| shown.len() == 3), "{told}");
    let (status, told) = judge(json!({ "match": { "colour": "red" }, "at_most": 2 }))?;
    ensure!(status == 400, "{status} {told}");
    let foreign = http.posting("/v1/requests/assert").header("origin", "http://evil.example");
    ensure!(foreign.send_json(json!({}))?.status() == 403, "a foreign page may not ask");
    let large = http.posting("/v1/requests/assert").send("x".repeat(70_000).as_str())?;
    ensure!(large.status() == 413, "{}", large.status());
    Ok(())
}

/// The requests that a path lists, when there are so many: a shard hands them over at the end of its turn.
/// What is not kept hinders a judgement only of what it may have been.
fn lost(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    Raw::connect(broker.port())?.create_topic("t", 1, &[])?;
    produce(broker, "t", 12)?;
    let judged = |body: Value| http.post("/v1/requests/assert", &body);
    let (status, told) = judged(json!({ "match": { "api": "Produce" }, "at_most": 100 }))?;
    let sentence = told["error"].as_str().unwrap_or_default();
    ensure!(status == 409 && sentence.contains("that may match are not kept"), "{status} {told}");
    let (status, told) = judged(json!({ "match": { "api": "JoinGroup" }, "at_most": 0 }))?;
    ensure!(status == 200 && told["forgotten"] == 0, "no such request was lost: {status} {told}");
    let later = sentence.rsplit(' ').next().and_then(|newest| newest.parse::<i64>().ok()).context("it says when")? + 1;
    let (status, told) = judged(json!({ "match": { "api": "Produce", "since": later }, "at_most": 5 }))?;
    ensure!(status == 200 && told["forgotten"] == 0, "what was lost came before: {status} {told}");
    let listed = http.json("/v1/requests")?;
    ensure!(listed["forgotten"].as_u64() > Some(0), "a list tells of all: {listed}");
    Ok(())
}

fn await_requests(http: &Http, path: &str, count: usize) -> Result<Vec<Value>> {
    http.until(&format!("{path} lists {count} requests"), |http| {
        let listed = http.json(path)?["requests"].as_array().context("a list")?.clone();
        Ok((listed.len() == count).then_some(listed))
    })
}

fn follow(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    Raw::connect(broker.port())?.create_topic("t", 1, &[])?;
    let mut page = http.follow("/v1/requests?follow&api=Produce")?;
    page.find(": following")?;
    produce(broker, "t", 1)?;
    let event: Value = serde_json::from_str(&page.find("data: ")?["data: ".len()..])?;
    ensure!(event["api"] == "Produce" && event["request"]["topicData"][0].is_object(), "{event}");
    broker.stop()?;
    page.ends()
}

/// `klamm tap` with these arguments.
fn tap_of(arguments: &[&str]) -> Result<Command> {
    klamm::command(&[&["tap"], arguments].concat())
}

/// What it prints, from the moment on at which it follows: records are written until a line is wanted.
fn tapped(broker: &Broker, lines: &Lines) -> Result<String> {
    let began = Instant::now();
    loop {
        produce(broker, "t", 1)?;
        match lines.next_within(Duration::from_millis(100)) {
            Ok(line) => return line.context("it has ended"),
            Err(error) => ensure!(began.elapsed() < PATIENCE, "nothing is followed: {error}"),
        }
    }
}

/// The command that follows requests shows those that match, ends quietly with its reader, and says in a sentence why it cannot.
fn tap(broker: &mut Broker) -> Result<()> {
    let at = Http::of(broker)?.url("");
    Raw::connect(broker.port())?.create_topic("t", 1, &[])?;
    let mut command = tap_of(&["--bodies", "api=Produce", "topic=t"])?;
    command.env("KLAMM_HTTP", &at).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut following = command.spawn()?;
    let lines = Lines::of(following.stdout.take().context("its output")?);
    let first = tapped(broker, &lines)?;
    ensure!(first.contains("  app ") && first.contains("Produce v") && first.ends_with(" ms  ok"), "{first}");
    // The bodies stand further in, up to the answer's last field.
    lines.find_within(PATIENCE, "a record's value", |line| line.contains("\"value\": \"value 0\""))?;
    lines.find_within(PATIENCE, "the answer", |line| line.contains("\"throttleTimeMs\""))?;
    drop(lines);
    // Its reader has gone: the requests that come next end it.
    let began = Instant::now();
    let status = loop {
        produce(broker, "t", 1)?;
        if let Some(status) = following.try_wait()? {
            break status;
        }
        ensure!(began.elapsed() < PATIENCE, "it ends with its reader");
    };
    ensure!(status.success(), "{status}");
    let says = |arguments: &[&str], sentence: &str| -> Result<()> {
        let told = program::output(tap_of(arguments)?, Input::Nothing, PATIENCE)?;
        let errors = String::from_utf8_lossy(&told.stderr).into_owned();
        ensure!(
            told.code != Some(0) && errors.lines().count() == 1 && errors.contains(sentence),
            "{arguments:?}: {errors}"
        );
        Ok(())
    };
    says(&["--http", &at, "api=Nothing"], "there is no API \"Nothing\"")?;
    says(&["--http", &at, "colour=red"], "no parameter is named \"colour\"")?;
    says(&["--http", "http://127.0.0.1:1"], "no broker answers at http://127.0.0.1:1: ")?;
    let mut command = tap_of(&["--http", &at, "--json"])?;
    let mut last = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let lines = Lines::of(last.stdout.take().context("its output")?);
    let errors = Lines::of(last.stderr.take().context("its errors")?);
    let line = tapped(broker, &lines)?;
    ensure!(serde_json::from_str::<Value>(&line)?["end"] == "answered", "{line}");
    broker.stop()?;
    ensure!(!wait_within(&mut last, PATIENCE)?.success(), "it ends with the broker");
    let ended = format!("{at} has ended");
    errors.find_within(PATIENCE, &ended, |line| line.contains(&ended)).map(drop)
}

/// The newest records of a log with several segments, and what became of transactions.
fn records(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    Raw::connect(broker.port())?.create_topic("t", 1, &[("segment.bytes", "1048576")])?;
    let producer: BaseProducer = client(broker).set("transactional.id", "x").set("linger.ms", "0").create()?;
    producer.init_transactions(PATIENCE)?;
    let transaction = |commits: bool, count: usize| -> Result<()> {
        producer.begin_transaction()?;
        for number in 0..count {
            // What is committed takes several segments.
            let more = "x".repeat(if commits { 50_000 } else { 10 });
            let value = json!({ "number": number, "more": more }).to_string();
            producer.send(BaseRecord::<str, str>::to("t").payload(&value).partition(0)).map_err(|(error, _)| error)?;
            producer.flush(PATIENCE)?;
        }
        let ended = if commits { producer.commit_transaction(PATIENCE) } else { producer.abort_transaction(PATIENCE) };
        Ok(ended?)
    };
    transaction(true, 60)?;
    transaction(false, 2)?;
    let newest = http.json("/v1/records?topic=t&limit=5&json=true")?;
    let shown = newest["records"].as_array().context("records")?;
    let offsets: Vec<_> = shown.iter().map(|record| record["offset"].as_i64().unwrap_or(-1)).collect();
    ensure!(offsets == [63, 62, 61, 60, 59] && newest["end"] == 64 && newest["next"] == 59, "{newest}");
    ensure!(shown[0]["control"] == "Abort" && shown[3]["control"] == "Commit", "{newest}");
    ensure!(shown[1]["transaction"] == "aborted" && shown[4]["transaction"] == "committed", "{newest}");
    ensure!(shown[1]["value"]["json"]["number"] == 1, "{newest}");
    ensure!(shown[4]["value"]["bytes"].as_u64() > Some(50_000) && shown[4]["value"]["begin"].is_string(), "{newest}");
    // All of them, page by page, over all segments.
    let (mut before, mut found) = (64, 0);
    while before > 0 {
        let page = http.json(&format!("/v1/records?topic=t&limit=7&before={before}"))?;
        let records = page["records"].as_array().context("records")?;
        ensure!(
            records[0]["offset"] == before - 1 && page["next"].is_null() == (before <= 7),
            "below {before}: {page}"
        );
        found += records.len();
        before = page["next"].as_i64().unwrap_or(0);
    }
    ensure!(found == 64, "{found} records");
    let topics = http.json("/v1/topics?topic=t")?;
    let topic = &topics["topics"][0];
    ensure!(topic["configs"]["segment.bytes"] == "1048576" && topic["records"] == 64, "{topics}");
    ensure!(topic["partitions"][0]["segments"].as_u64() > Some(1), "{topics}");
    Ok(())
}

/// A member that says nothing leaves its group when the clock is moved beyond its session, and not before.
fn clock(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    Raw::connect(broker.port())?.create_topic("t", 1, &[])?;
    let frozen = http.change("/v1/clock", &json!({ "frozen": true }))?;
    let consumer: BaseConsumer = client(broker)
        .set("group.id", "sleepers")
        .set("session.timeout.ms", "45000")
        .set("heartbeat.interval.ms", "40000")
        .create()?;
    consumer.subscribe(&["t"])?;
    // The first rebalance waits for more members by the clock that stands still.
    let began = Instant::now();
    while http.get("/v1/wait?group=sleepers&members=1&timeout_ms=20")?.0 != 200 {
        ensure!(began.elapsed() < PATIENCE, "the group does not settle");
        let _ = consumer.poll(Duration::from_millis(20));
        http.change("/v1/clock", &json!({ "advance_ms": 1000 }))?;
    }
    http.change("/v1/clock", &json!({ "advance_ms": 40_000 }))?;
    ensure!(http.get("/v1/wait?group=sleepers&members=1&timeout_ms=20")?.0 == 200, "its session goes on");
    let moved = http.change("/v1/clock", &json!({ "advance_ms": 60_000 }))?;
    // Nothing is waited for: when the move is answered, the member has been expired.
    let (status, body) = http.get("/v1/wait?group=sleepers&members=0&timeout_ms=1")?;
    ensure!(status == 200, "{status} {body}");
    ensure!(moved["wall_ms"].as_i64() > frozen["wall_ms"].as_i64(), "{moved}, and before {frozen}");
    http.change("/v1/clock", &json!({ "frozen": false }))?;
    Ok(())
}

/// Rules strike the requests of a real client, which does what it does about them.
fn faults(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    Raw::connect(broker.port())?.create_topic("t", 2, &[])?;
    let add = |rule: Value| -> Result<u64> {
        let told = http.change("/v1/faults", &rule)?;
        told["ids"][0].as_u64().context("a rule has an id")
    };
    let struck = |id: u64| -> Result<u64> {
        let listed = http.json("/v1/faults")?;
        let rules = listed["faults"].as_array().context("there are rules")?;
        let rule = rules.iter().find(|rule| rule["id"] == id).context("it is listed")?;
        rule["struck"].as_u64().context("it counts")
    };
    let records = |expected: usize| -> Result<()> {
        let (status, body) = http.get(&format!("/v1/wait?topic=t&records={expected}&timeout_ms=5000"))?;
        ensure!(status == 200, "{expected} records: {status} {body}");
        let (status, _) = http.get(&format!("/v1/wait?topic=t&records={}&timeout_ms=1", expected + 1))?;
        ensure!(status == 408, "no more than {expected} records are there");
        Ok(())
    };
    // An error instead of the effect: the client asks for the leader again, and sends again.
    let produces = |action: Value| json!({ "match": { "api": "Produce", "topic": "t" }, "action": action, "count": 1 });
    let id = add(produces(json!({ "error": "NOT_LEADER_OR_FOLLOWER" })))?;
    produce(broker, "t", 1)?;
    ensure!(struck(id)? == 1, "it was struck once");
    records(1)?;
    // An acknowledgement that is lost behind the effect: without idempotence the record is there twice.
    let id = add(produces(json!({ "close": true, "after": true })))?;
    produce(broker, "t", 1)?;
    ensure!(struck(id)? == 1, "it was struck once");
    records(3)?;
    // The same with idempotence: once.
    add(produces(json!({ "truncate": 9 })))?;
    let idempotent: BaseProducer = client(broker).set("enable.idempotence", "true").create()?;
    let send = |producer: &BaseProducer| -> Result<()> {
        producer.send(BaseRecord::<str, str>::to("t").payload("x").partition(0)).map_err(|(error, _)| error)?;
        Ok(producer.flush(PATIENCE)?)
    };
    send(&idempotent)?;
    records(4)?;
    // A throttle time is told and obeyed, a delay is only long.
    for action in [json!({ "throttle_ms": 150 }), json!({ "delay_ms": 150 }), json!({ "delay_ms": 150, "after": true })]
    {
        let is_told_after = action.get("throttle_ms").is_some();
        let id = add(produces(action.clone()))?;
        let began = Instant::now();
        send(&idempotent)?;
        if is_told_after {
            send(&idempotent)?;
        }
        ensure!(struck(id)? == 1 && began.elapsed() >= Duration::from_millis(150), "{action}: {:?}", began.elapsed());
    }
    records(8)?;
    // What is held goes on when it is released, whether it has had its effect or not.
    for (after, before) in [(false, 8), (true, 10)] {
        let id = add(produces(json!({ "hold": true, "after": after })))?;
        std::thread::scope(|scope| -> Result<()> {
            let sending = scope.spawn(|| send(&idempotent));
            http.until("the rule strikes", |_| Ok((struck(id)? > 0).then_some(())))?;
            records(before)?;
            ensure!(!sending.is_finished(), "it waits for its answer");
            http.change(&format!("/v1/faults/release?id={id}"), &Value::Null)?;
            sending.join().expect("no panic")
        })?;
    }
    records(10)?;
    // An error of an answer whose request only asks.
    let id = add(json!({ "match": { "api": "Metadata", "topic": "t" }, "action": { "error": 3 } }))?;
    let fresh: BaseProducer = client(broker).set("message.timeout.ms", "400").create()?;
    let failed = fresh.send(BaseRecord::<str, str>::to("t").payload("x")).is_err() || {
        fresh.flush(PATIENCE)?;
        struck(id)? > 0
    };
    ensure!(failed, "the topic is unknown");
    records(10)?;
    let (status, told) = http.delete("/v1/faults")?;
    ensure!(status == 200 && told["removed"].as_u64() >= Some(8), "{status} {told}");
    ensure!(http.delete("/v1/faults?id=1")?.0 == 404, "it is gone");
    send(&idempotent)?;
    records(11)?;
    // The journal tells of what a rule has left without an answer.
    let id = add(produces(json!({ "close": true })))?;
    send(&idempotent)?;
    records(12)?;
    let why = format!("fault rule {id}: the connection is closed");
    let listed = http.json("/v1/requests?api=Produce&bodies=false&limit=1000")?;
    let requests = listed["requests"].as_array().context("there are requests")?;
    let told = requests.iter().filter(|request| request["end"] == "closed" && request["reason"] == *why).count();
    ensure!(told == 1, "{listed}");
    let (status, told) = http.post("/v1/faults", &json!({ "action": { "explode": true } }))?;
    ensure!(status == 400 && told["error"].as_str().is_some_and(|text| text.contains("explode")), "{status} {told}");
    Ok(())
}

/// Members that are expired join again, as all do in a rebalance; a producer that is fenced goes no further.
fn deeds(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    Raw::connect(broker.port())?.create_topic("t", 2, &[])?;
    for protocol in ["classic", "consumer"] {
        let mut config = client(broker);
        config.set("group.id", protocol).set("group.protocol", protocol);
        let consumer: BaseConsumer = config.create()?;
        consumer.subscribe(&["t"])?;
        let began = Instant::now();
        // The id and what has been assigned, when the group is stable with its one member.
        let settled = |before: &str| -> Result<String> {
            loop {
                ensure!(began.elapsed() < 6 * PATIENCE, "{protocol}: the group does not settle");
                let _ = consumer.poll(Duration::from_millis(20));
                let (status, body) = http.get(&format!("/v1/groups?group={protocol}"))?;
                let found: Value = serde_json::from_str(&body)?;
                let group = &found["groups"][0];
                let id = group["members"][0]["member_id"].as_str().unwrap_or_default();
                let has_all = group["members"][0]["assignment"][0]["partitions"] == json!([0, 1]);
                if status == 200 && group["state"] == "Stable" && has_all && id != before {
                    return Ok(id.to_string());
                }
            }
        };
        let first = settled("")?;
        let told = http.change("/v1/deeds", &json!({ "expire_member": { "group": protocol, "member": first } }))?;
        ensure!(told["expired"] == json!([first]), "{told}");
        // librdkafka keeps the id that it has made for itself.
        let second = settled(if protocol == "classic" { &first } else { "" })?;
        let unknown = http.json(&format!("/v1/requests?group={protocol}&error=UNKNOWN_MEMBER_ID&limit=1000"))?;
        ensure!(unknown["requests"].as_array().is_some_and(|found| !found.is_empty()), "{protocol}: it heard of it");
        let api = if protocol == "classic" { "JoinGroup" } else { "ConsumerGroupHeartbeat" };
        let epochs = || -> Result<Vec<i64>> {
            let listed = http.json(&format!("/v1/requests?api={api}&group={protocol}&limit=1000"))?;
            let requests = listed["requests"].as_array().context("requests")?.iter();
            let epoch = |request: &Value| {
                let answer = &request["answer"];
                answer["generationId"].as_i64().or(answer["memberEpoch"].as_i64())
            };
            Ok(requests.filter_map(epoch).collect())
        };
        let before = epochs()?.last().copied().context("an epoch")?;
        http.change("/v1/deeds", &json!({ "rebalance": { "group": protocol } }))?;
        while epochs()?.last().copied() <= Some(before) {
            ensure!(began.elapsed() < 6 * PATIENCE, "{protocol}: there is no other epoch than {before}");
            let _ = consumer.poll(Duration::from_millis(20));
        }
        let _ = settled("")?;
        let (status, told) =
            http.post("/v1/deeds", &json!({ "expire_member": { "group": protocol, "member": "x" } }))?;
        ensure!(status == 404, "{second}: {status} {told}");
    }
    let producer: BaseProducer = client(broker).set("transactional.id", "x").create()?;
    producer.init_transactions(PATIENCE)?;
    producer.begin_transaction()?;
    producer.send(BaseRecord::<str, str>::to("t").payload("x").partition(0)).map_err(|(error, _)| error)?;
    producer.flush(PATIENCE)?;
    let told = http.change("/v1/deeds", &json!({ "fence_producer": { "transactional_id": "x" } }))?;
    ensure!(told["producer_epoch"].as_i64() > Some(0), "{told}");
    ensure!(producer.commit_transaction(PATIENCE).is_err(), "it is fenced");
    waits::is_missing(&http, "transactional_id=x", "no transaction of x has begun since its producer began")?;
    waits::is_there(&http, "topic=t&records=0")?;
    ensure!(http.post("/v1/deeds", &json!({ "rebalance": { "group": "none" } }))?.0 == 404, "there is no such group");
    Ok(())
}

/// What other machines reach needs a token.
fn refused(setup: &Setup) -> Result<Broker> {
    let mut broker = Broker::start(setup)?;
    broker.stop()?;
    broker.reconfigure("klamm.http.listeners", "http://0.0.0.0:0");
    broker.restart_refused("other machines reach this address, so that klamm.http.token must be set")?;
    broker.reconfigure("klamm.http.listeners", "http://127.0.0.1:0");
    broker.restart()?;
    Ok(broker)
}
