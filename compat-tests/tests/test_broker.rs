//! `klamm test`, as tests of applications use it: how fast it is there, what it takes, how it ends, what clients find.
//!
//! Its memory is checked where `KLAMM_BIN` is a release build; times are only printed.
//! `KLAMM_STARTS` is how often it is started in a row (100).

use compat_tests::clients::{self, Acks, group_member, librdkafka_at};
use compat_tests::http::Http;
use compat_tests::program::{self, Input, wait_within};
use compat_tests::raw::{Batch, Raw};
use compat_tests::suite::Suite;
use compat_tests::test_process::{Limits, TestProcess, command, first_line};
use compat_tests::{Context, Result, bail, cache, ensure, klamm};
use kafka_protocol::messages::{FindCoordinatorRequest, MetadataRequest};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// What is promised of a release build.
const RESIDENT_BYTES: u64 = 12 << 20;
const STARTS: usize = 100;
const SIDE_BY_SIDE: usize = 50;
/// What no machine takes, however busy it is.
const PATIENCE: Duration = Duration::from_secs(30);
const RELEASES: &[&str] =
    &["2.8", "3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "4.0", "4.1", "4.2", "4.3", "4.4"];

fn main() -> ExitCode {
    Suite::new("test_broker")
        .leaving_nothing()
        // Figures are taken by one at a time.
        .at_once(1)
        .plain("ready_stops_and_memory", ready_stops_and_memory)
        .plain("http", http)
        .plain("reset_and_snapshots", reset_and_snapshots)
        .plain("fixtures", fixtures)
        .plain("faults_from_the_beginning", faults_from_the_beginning)
        .plain("starts_in_a_row", starts_in_a_row)
        .plain("side_by_side", side_by_side)
        .plain("without_rings_in_little_memory", without_rings_in_little_memory)
        .plain("ends_with_its_input", ends_with_its_input)
        .plain("ends_with_its_parent", ends_with_its_parent)
        .plain("stays_where_it_is_asked_to", stays_where_it_is_asked_to)
        .plain("directories", directories)
        .plain("three_addresses", three_addresses)
        .plain("records_from_memory", records_from_memory)
        .plain("full_memory", full_memory)
        .plain("disk_and_batches", disk_and_batches)
        .plain("topics_and_profile", topics_and_profile)
        .plain("users", users)
        .plain("certificates", certificates)
        .plain("releases", releases)
        .run()
}

/// Whether it is what is promised of memory that this binary takes: debug builds are larger. What else runs on the machine does not
/// matter to it.
fn keeps_figures() -> bool {
    std::env::var("KLAMM_BIN").is_ok_and(|path| path.contains("/release/"))
}

fn middle<T: Copy + Ord>(values: &mut [T]) -> T {
    values.sort();
    values[values.len() / 2]
}

fn first_answer(process: &TestProcess) -> Result<()> {
    Raw::connect(process.port())?.api_versions().map(drop)
}

fn stop(process: &mut TestProcess) -> Result<Duration> {
    process.signal(libc::SIGTERM);
    let (status, took, said) = process.ended_within(PATIENCE)?;
    ensure!(status.success(), "{status}: {said}");
    Ok(took)
}

fn ready_stops_and_memory() -> Result<()> {
    let (mut ready, mut answered, mut stopped, mut resident) = (vec![], vec![], vec![], vec![]);
    for _ in 0..21 {
        let began = Instant::now();
        let mut process = TestProcess::start(&[])?;
        first_answer(&process)?;
        answered.push(began.elapsed());
        ready.push(process.ready_after);
        resident.push(process.resident_bytes()?);
        // With a client that waits for records.
        let (group, _keeps) = waiting_consumer(&process)?;
        stopped.push(stop(&mut process)?);
        drop(group);
    }
    let figures = (middle(&mut ready), middle(&mut answered), middle(&mut stopped), middle(&mut resident));
    let (ready, answered, stopped, resident) = figures;
    println!("ready {ready:?}, first answer {answered:?}, stop {stopped:?}, resident {} KiB", resident / 1024);
    // Times are for those who read them: the machine may be busy.
    ensure!(!keeps_figures() || resident <= RESIDENT_BYTES, "more memory than is promised");
    Ok(())
}

/// A connection whose fetch waits, and its topic's name.
fn waiting_consumer(process: &TestProcess) -> Result<(String, Raw)> {
    let mut raw = Raw::connect(process.port())?;
    raw.create_topic("waiting", 1, &[])?;
    let request = kafka_protocol::messages::FetchRequest::default()
        .with_max_wait_ms(20_000)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![
            kafka_protocol::messages::fetch_request::FetchTopic::default()
                .with_topic(compat_tests::raw::topic_name("waiting"))
                .with_partitions(vec![
                    kafka_protocol::messages::fetch_request::FetchPartition::default()
                        .with_partition_max_bytes(1 << 20),
                ]),
        ]);
    raw.post(&request, 12)?;
    Ok(("waiting".into(), raw))
}

/// The line tells where it can be looked at, broken and moved in time.
fn http() -> Result<()> {
    let broker = TestProcess::start(&["--topic", "orders"])?;
    ensure!(broker.text("http").starts_with("http://127.0.0.1:"), "{}", broker.ready);
    let http = Http::of_test(&broker)?;
    ensure!(http.json("/readyz")?["ready"] == true, "it is ready when it says so");
    ensure!(http.json("/v1/clock")?["frozen"] == false, "its clock goes");
    ensure!(http.json("/v1/faults")?["faults"].as_array().is_some_and(Vec::is_empty), "no rule is there");
    ensure!(http.json("/v1/wait?topic=orders&timeout_ms=1")?["waited"] == true, "the topic is there");
    let without = TestProcess::start(&["--override", "klamm.http.listeners="])?;
    ensure!(without.ready.get("http").is_none(), "{}", without.ready);
    Ok(())
}

/// A reset leaves what was there at the beginning, a snapshot what was there when it was made; clients connect again.
fn reset_and_snapshots() -> Result<()> {
    let broker = TestProcess::start(&["--topic", "orders", "--memory", "16M"])?;
    let http = Http::of_test(&broker)?;
    let post = |path: &str, body: Value| http.post(path, &body);
    let has = |query: &str| http.has(query);
    let config = rdkafka_of(broker.bootstrap());
    produce_and_consume(&config, "orders", 5)?;
    let (status, told) = post("/v1/snapshots", json!({ "name": "five" }))?;
    ensure!(status == 200 && told["bytes"].as_u64() > Some(0), "{status} {told}");
    ensure!(has("topic=orders&records=5")?, "they are still there");
    // A client that stays, what it did since, a rule, and a clock that stands still.
    let producer: ThreadedProducer<_> = config.clone().set("enable.idempotence", "true").create()?;
    let send = || -> Result<()> {
        producer.send(BaseRecord::<str, str>::to("orders").payload("x").partition(0)).map_err(|(error, _)| error)?;
        Ok(producer.flush(PATIENCE)?)
    };
    send()?;
    // By a client that goes: one that stays and knows the topic would make it anew when it asks for it behind a reset.
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic("others", 1, &[])?;
    ensure!(raw.produce("others", Batch::of(&[b"x"]).encode())?.error_code == 0, "it is taken");
    drop(raw);
    ensure!(has("topic=orders&records=6")? && has("topic=others&records=1")?, "both were taken");
    let rule = json!({ "match": { "api": "Heartbeat" }, "action": { "close": true } });
    ensure!(post("/v1/faults", rule)?.0 == 200 && post("/v1/clock", json!({ "frozen": true }))?.0 == 200, "in a test");
    let (status, told) = post("/v1/reset", json!({ "snapshot": "five" }))?;
    ensure!(status == 200, "{status} {told}");
    ensure!(has("topic=orders&records=5")? && !has("topic=orders&records=6")? && !has("topic=others")?, "as it was");
    let is_clean = http.json("/v1/faults")?["faults"] == json!([]) && http.json("/v1/clock")?["frozen"] == false;
    ensure!(is_clean, "nothing is left");
    // The client goes on, on the same port.
    send()?;
    ensure!(has("topic=orders&records=6")?, "its record was taken");
    let mut took = Vec::new();
    for _ in 0..21 {
        let began = Instant::now();
        let (status, told) = post("/v1/reset", json!({}))?;
        ensure!(status == 200, "{status} {told}");
        took.push(began.elapsed());
        ensure!(
            has("topic=orders")? && !has("topic=orders&records=1")? && !has("topic=others")?,
            "as at the beginning"
        );
    }
    println!("reset {:?}", middle(&mut took));
    produce_and_consume(&config, "orders", 3)?;
    // What cannot be done is told, and nothing happens.
    ensure!(post("/v1/reset", json!({ "snapshot": "none" }))?.0 == 404, "there is none");
    ensure!(
        post("/v1/reset", json!({ "snap": "five" }))?.0 == 400 && post("/v1/snapshots", json!({}))?.0 == 400,
        "words"
    );
    ensure!(http.delete("/v1/snapshots?name=five")?.0 == 200, "it is forgotten");
    ensure!(http.json("/v1/snapshots")?["snapshots"] == json!([]), "none is left");
    ensure!(has("topic=orders&records=3")?, "the records are still there");
    let directory = tempfile::tempdir()?;
    let on_disk = TestProcess::start(&["--dir", &directory.path().display().to_string()])?;
    let refused = Http::of_test(&on_disk)?.post_text("/v1/reset", "")?.0;
    ensure!(refused == 409, "what is on the disk stays: {refused}");
    Ok(())
}

/// Rules of a file strike the first client, and are there again when the broker is put back to its beginning.
fn faults_from_the_beginning() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("faults.json");
    let path = file.display().to_string();
    let rule = json!({ "match": { "api": "ApiVersions" }, "action": { "close": true }, "count": 1 });
    std::fs::write(&file, json!([rule]).to_string())?;
    let broker = TestProcess::start(&["--faults", &path])?;
    let at = broker.text("http").to_string();
    let struck = || -> Result<Value> {
        let told: Value = ureq::get(format!("{at}/v1/faults")).call()?.body_mut().read_json()?;
        Ok(told["faults"][0]["struck"].clone())
    };
    ensure!(first_answer(&broker).is_err() && struck()? == 1, "the connection is closed");
    first_answer(&broker)?;
    ureq::post(format!("{at}/v1/reset")).send_json(json!({}))?;
    ensure!(struck()? == 0 && first_answer(&broker).is_err(), "it is there again");
    for (wrong, why) in
        [("[1]", "an object"), ("5", "an array"), ("[", "no JSON"), (r#"{"action":{}}"#, "one of error")]
    {
        std::fs::write(&file, wrong)?;
        let refused = TestProcess::start(&["--faults", &path]).err().context("it started")?.to_string();
        ensure!(refused.contains(why), "{wrong}: {refused}");
    }
    Ok(())
}

/// What comes out goes in again, and is what a client reads.
fn fixtures() -> Result<()> {
    let broker = TestProcess::start(&[])?;
    let http = Http::of_test(&broker)?;
    let put = |text: &str| http.post_text("/v1/fixtures", text);
    let get = |words: &str| http.get(&format!("/v1/fixtures{words}"));
    let lines = [
        json!({ "topic": "orders", "partitions": 3, "configs": { "cleanup.policy": "compact" } }),
        json!({ "topic": "orders", "key": "foobar", "value": { "json": { "n": 1 } }, "timestamp": 1_767_225_600_000_u64 }),
        json!({ "topic": "orders", "key": "k", "value": { "base64": "/w==" }, "headers": [["h", null]], "partition": 2 }),
        json!({ "topic": "plain", "value": "0" }),
        json!({ "topic": "plain", "value": "1" }),
    ];
    let text = lines.map(|line| line.to_string()).join("\n");
    let (status, told) = put(&text)?;
    ensure!(status == 200 && told == json!({ "topics": 2, "records": 4 }), "{status} {told}");
    // Java's `Utils.murmur2("foobar")` is -790332482: of three partitions the first.
    let mut raw = Raw::connect(broker.port())?;
    for (partition, end) in [(0, 1), (1, 0), (2, 1)] {
        ensure!(raw.end_offset("orders", partition)? == end, "orders-{partition}");
    }
    let read = clients::read_values(&group_member(&rdkafka_of(broker.bootstrap()), "readers", "plain")?, 2)?;
    ensure!(read == [b"0", b"1"], "{read:?}");
    let (status, out) = get("")?;
    ensure!(status == 200 && out.lines().count() == 6, "{status} {out}");
    let (_, of_one) = get("?topic=orders")?;
    ensure!(of_one.lines().count() == 3 && out.contains(&of_one), "{of_one}");
    ensure!(of_one.contains(r#""timestamp":1767225600000"#) && of_one.contains(r#"{"base64":"/w=="}"#), "{of_one}");
    let (status, told) = put("{\"topic\":\"new\"}\n{\"topic\":\"orders\",\"value\":5}")?;
    ensure!(
        status == 400 && told["error"].as_str().is_some_and(|text| text.starts_with("line 2: ")),
        "{status} {told}"
    );
    ensure!(get("?topic=new")?.0 == 404, "nothing was done");
    ensure!(put(r#"{"topic":"orders","value":"v","partition":7}"#)?.0 == 400, "there is no such partition");
    // Into another broker, and out of it: the same.
    let reset = http.post_text("/v1/reset", "")?.0;
    ensure!(reset == 200 && get("")?.1.is_empty(), "nothing is left");
    ensure!(put(&out)?.0 == 200 && get("")?.1 == out, "{out}");
    Ok(())
}

fn starts_in_a_row() -> Result<()> {
    let starts = std::env::var("KLAMM_STARTS").ok().and_then(|count| count.parse().ok()).unwrap_or(STARTS);
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    for start in 0..starts {
        let mut process = TestProcess::start(&[]).with_context(|| format!("start {start}"))?;
        first_answer(&process).with_context(|| format!("start {start}"))?;
        slowest = slowest.max(process.ready_after);
        process.close_input();
        let (status, _, said) = process.ended_within(PATIENCE).with_context(|| format!("start {start}"))?;
        ensure!(status.success(), "start {start}: {status}: {said}");
    }
    println!("{starts} starts in {:?}, the slowest was ready after {slowest:?}", began.elapsed());
    Ok(())
}

/// Each with as many descriptors as it needs for a test, and clients in all of them.
fn side_by_side() -> Result<()> {
    let limits = Limits { descriptors: Some(128), ..Limits::default() };
    let began = Instant::now();
    let mut processes = Vec::new();
    for _ in 0..SIDE_BY_SIDE {
        processes.push(TestProcess::start_under(limits, &["--topic", "t:60"])?);
    }
    let started = began.elapsed();
    for (number, process) in processes.iter().enumerate() {
        let mut raw = Raw::connect(process.port())?;
        let value = format!("of {number}");
        raw.produce("t", Batch::of(&[value.as_bytes()]).encode())?;
        ensure!(raw.fetch("t", 0)?.records.is_some_and(|records| records.len() > 60), "broker {number}");
        let open = std::fs::read_dir(format!("/proc/{}/fd", process.pid()))?.count();
        ensure!(open < 64, "broker {number} has {open} descriptors open");
    }
    let resident: u64 = processes.iter().map(|process| process.resident_bytes().unwrap_or(0)).sum();
    let each = resident / SIDE_BY_SIDE as u64 / 1024;
    println!("{SIDE_BY_SIDE} side by side, 60 partitions each, in {started:?}, {each} KiB each");
    Ok(())
}

fn without_rings_in_little_memory() -> Result<()> {
    let limits = Limits { no_rings: true, memory_bytes: Some(64 << 20), descriptors: Some(128) };
    let mut process = TestProcess::start_under(limits, &["--memory", "16M"])?;
    produce_and_consume(&rdkafka_of(process.bootstrap()), "t", 1000)?;
    process.signal(libc::SIGTERM);
    let (status, _, said) = process.ended_within(PATIENCE)?;
    ensure!(status.success() && said.contains("io=epoll"), "{status}: {said}");
    Ok(())
}

fn rdkafka_of(bootstrap: &str) -> ClientConfig {
    let mut config = librdkafka_at(bootstrap);
    config.set("broker.address.family", "any");
    config
}

/// Writes records and reads them back as a member of a group. The topic is made by that.
fn produce_and_consume(config: &ClientConfig, topic: &str, count: usize) -> Result<()> {
    let producer: ThreadedProducer<Acks> = config.create_with_context(Acks::default())?;
    for number in 0..count {
        let value = number.to_string();
        producer.send(BaseRecord::<(), _>::to(topic).payload(&value)).map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE)?;
    ensure!(producer.context().delivered().len() == count, "{:?}", producer.context().failed());
    let mut next = 0..count;
    clients::read(&group_member(config, "readers", topic)?, count, |message| {
        let wanted = next.next().map(|number| number.to_string());
        ensure!(message.payload() == wanted.as_deref().map(str::as_bytes), "record {wanted:?}");
        Ok(())
    })
}

fn ends_with_its_input() -> Result<()> {
    let mut process = TestProcess::start(&[])?;
    process.close_input();
    let (status, took, said) = process.ended_within(PATIENCE)?;
    ensure!(status.success() && said.contains("its standard input has ended"), "{status}: {said}");
    println!("ended {took:?} after its input");
    Ok(())
}

/// The shell that has started it ends; its input does not.
fn ends_with_its_parent() -> Result<()> {
    let mut shell = shell("\"$0\" test & read line", Stdio::null())?;
    let (line, _output) = first_line(&mut shell)?;
    let ready: serde_json::Value = serde_json::from_str(&line)?;
    let pid = ready["pid"].as_u64().context("pid")?;
    ensure!(is_there(pid), "it runs");
    // `read` ends with the shell's input.
    drop(shell.stdin.take());
    wait_within(&mut shell, PATIENCE)?;
    let began = Instant::now();
    while is_there(pid) {
        ensure!(began.elapsed() < PATIENCE, "it outlives its parent");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn shell(script: &str, errors: Stdio) -> Result<std::process::Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(klamm::binary()?);
    program::die_with_us(&mut shell);
    Ok(shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn()?)
}

fn is_there(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}/exe")).read_link().is_ok()
}

/// `< /dev/null` tells nothing; with `--stay` it ends by a signal only.
fn stays_where_it_is_asked_to() -> Result<()> {
    let mut shell = shell("\"$0\" test --stay < /dev/null & read line", Stdio::null())?;
    let (line, _output) = first_line(&mut shell)?;
    let ready: serde_json::Value = serde_json::from_str(&line)?;
    let (pid, address) =
        (ready["pid"].as_u64().context("pid")?, ready["bootstrap_servers"].as_str().context("address")?);
    drop(shell.stdin.take());
    wait_within(&mut shell, PATIENCE)?;
    let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).context("port")?;
    // SAFETY: the process runs, so that the number is its own. Its terminal goes, and it stays.
    unsafe { libc::kill(pid as i32, libc::SIGHUP) };
    // Longer than it takes others to end.
    for _ in 0..20 {
        Raw::connect(port)?.api_versions()?;
        std::thread::sleep(Duration::from_millis(10));
    }
    // SAFETY: the process has answered, so that the number is its own.
    unsafe { libc::kill(pid as i32, libc::SIGINT) };
    let began = Instant::now();
    while is_there(pid) {
        ensure!(began.elapsed() < PATIENCE, "it does not end by a signal");
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut quiet = command(&[]);
    let mut quiet = quiet.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (line, _output) = first_line(&mut quiet)?;
    let is_running = quiet.try_wait()?.is_none();
    quiet.kill()?;
    quiet.wait()?;
    ensure!(line.starts_with('{') && is_running, "it ends at once: {line}");
    Ok(())
}

fn directories() -> Result<()> {
    let home = tempfile::tempdir()?;
    let [old, new] = ["old", "new"].map(|name| home.path().join(name));
    std::fs::create_dir(&old)?;
    for path in [&old, &new] {
        let (directory, tls) = (path.display().to_string(), path.join("tls"));
        let arguments = ["--dir", &directory, "--tls", &tls.display().to_string(), "--topic", "t"];
        let mut process = TestProcess::start(&arguments)?;
        ensure!(path.join("t-0").is_dir() && tls.join("ca.pem").is_file(), "all is in {}", path.display());
        process.signal(libc::SIGTERM);
        let (status, _, said) = process.ended_within(PATIENCE)?;
        ensure!(status.success() && !said.contains("stays"), "{status}: {said}");
    }
    ensure!(
        old.join("t-0").is_dir() && !old.join("tls").exists() && !new.exists(),
        "what it made, and that alone, goes"
    );
    Ok(())
}

/// One broker that listens everywhere tells each client the address that the client came to.
fn three_addresses() -> Result<()> {
    let process = TestProcess::start(&["--override", "listeners=PLAINTEXT://:0"])?;
    let port = process.port();
    for (host, told) in [("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("[::1]", "::1"), ("localhost", "")] {
        let config = rdkafka_of(&format!("{host}:{port}"));
        let consumer: BaseConsumer = config.create()?;
        let metadata = consumer.fetch_metadata(None, PATIENCE)?;
        let (found, found_port) = (metadata.brokers()[0].host(), metadata.brokers()[0].port());
        let is_right = if told.is_empty() { ["127.0.0.1", "::1"].contains(&found) } else { found == told };
        ensure!(is_right && found_port == i32::from(port), "by {host} it says {found}:{found_port}");
        produce_and_consume(&config, &format!("t{}", told.replace([':', '.'], "-")), 10)?;
    }
    // What is told where the answer must wait for a topic to be made first, and by FindCoordinator.
    for address in ["127.0.0.2", "127.0.0.3"] {
        let mut raw = Raw::connect_to(address.parse()?, port)?;
        let topic = kafka_protocol::messages::metadata_request::MetadataRequestTopic::default()
            .with_name(Some(compat_tests::raw::topic_name(&format!("new-{address}"))));
        let request = MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(true);
        let response = raw.call(&request, 9)?;
        ensure!(response.brokers[0].host.as_str() == address, "Metadata: {:?}", response.brokers);
        let request = FindCoordinatorRequest::default()
            .with_coordinator_keys(vec![compat_tests::raw::text("group")])
            .with_key_type(0);
        let response = raw.call(&request, 4)?;
        ensure!(response.coordinators[0].host.as_str() == address, "FindCoordinator: {:?}", response.coordinators);
        let response = raw.call(&kafka_protocol::messages::DescribeClusterRequest::default(), 0)?;
        ensure!(response.brokers[0].host.as_str() == address, "DescribeCluster: {:?}", response.brokers);
    }
    let of_six = TestProcess::start(&["--override", "listeners=PLAINTEXT://[::1]:0"])?;
    ensure!(of_six.bootstrap().starts_with("[::1]:"), "{}", of_six.ready);
    produce_and_consume(&rdkafka_of(of_six.bootstrap()), "t", 10)?;
    let named = TestProcess::start(&["--override", "advertised.listeners=PLAINTEXT://localhost:7"])?;
    let response = Raw::connect(named.port())?.call(&MetadataRequest::default().with_topics(None), 9)?;
    let told = (response.brokers[0].host.as_str(), response.brokers[0].port);
    ensure!(told == ("localhost", 7), "what is set is told: {told:?}");
    Ok(())
}

/// Records of all sizes come back as they were sent, though no file has them.
fn records_from_memory() -> Result<()> {
    let process = TestProcess::start(&["--topic", "t:1:segment.bytes=3000000"])?;
    let config = rdkafka_of(process.bootstrap());
    let producer: ThreadedProducer<Acks> = config.create_with_context(Acks::default())?;
    let payload = |number: usize| vec![number as u8; (number * 7919) % 200_000];
    const COUNT: usize = 300;
    for number in 0..COUNT {
        let payload = payload(number);
        let mut sent = producer.send(BaseRecord::<(), _>::to("t").payload(&payload));
        while let Err((error, record)) = sent {
            ensure!(error.to_string().contains("Queue full"), "{error}");
            producer.flush(PATIENCE)?;
            sent = producer.send(record);
        }
    }
    producer.flush(PATIENCE)?;
    let mut next = 0..COUNT;
    clients::read(&group_member(&config, "readers", "t")?, COUNT, |message| {
        let number = next.next().unwrap_or_default();
        ensure!(message.payload().unwrap_or_default() == payload(number), "record {number} has changed");
        Ok(())
    })
}

/// What does not fit is refused, what was acknowledged stays, and there is room again when something is deleted.
/// What deeds do to what is stored, and that a reset ends it.
fn disk_and_batches() -> Result<()> {
    const KAFKA_STORAGE_ERROR: i16 = 56;
    let mut process = TestProcess::start(&["--topic", "t:1:retention.ms=-1", "--topic", "synced:1:flush.messages=1"])?;
    let (http, mut raw) = (Http::of_test(&process)?, Raw::connect(process.port())?);
    let deed = |deed: Value| http.change("/v1/deeds", &deed);
    let produce =
        |raw: &mut Raw, topic: &str| -> Result<i16> { Ok(raw.produce(topic, Batch::of(&[b"x"]).encode())?.error_code) };
    ensure!(produce(&mut raw, "t")? == 0, "there is room");
    deed(json!({ "disk": { "full": true } }))?;
    ensure!(produce(&mut raw, "t")? == KAFKA_STORAGE_ERROR, "it is full");
    deed(json!({ "disk": { "full": false } }))?;
    http.until("there is room again", |_| Ok((produce(&mut raw, "t")? == 0).then_some(())))?;
    deed(json!({ "disk": { "sync_ms": 300 } }))?;
    let began = Instant::now();
    ensure!(
        produce(&mut raw, "synced")? == 0 && began.elapsed() >= Duration::from_millis(300),
        "it waits for its sync"
    );
    deed(json!({ "disk": { "sync_ms": 0 } }))?;
    // The second of two batches: what stands before it can be read.
    let told = deed(json!({ "corrupt": { "topic": "t", "partition": 0, "offset": 1 } }))?;
    ensure!(told["base_offset"] == 1, "{told}");
    let checking = librdkafka_at(process.bootstrap()).set("check.crcs", "true").clone();
    let consumer = group_member(&checking, "checks", "t")?;
    let (mut read, began) = (0, Instant::now());
    let told = loop {
        ensure!(began.elapsed() < PATIENCE, "the broken batch is not told: {read} records");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(_)) => read += 1,
            Some(Err(error)) => break error.to_string(),
            None => {}
        }
    };
    ensure!(read == 1 && told.contains("BadMessage"), "{read} records, {told}");
    let (status, told) =
        http.post("/v1/deeds", &json!({ "corrupt": { "topic": "t", "partition": 0, "offset": 99 } }))?;
    ensure!(status == 404, "{status} {told}");
    deed(json!({ "disk": { "sync_ms": 200, "full": true } }))?;
    http.change("/v1/reset", &json!({}))?;
    let mut raw = Raw::connect(process.port())?;
    ensure!(produce(&mut raw, "t")? == 0, "a reset ends it");
    // A device that fails is the end of a broker without another directory, as of Kafka's.
    deed(json!({ "disk": { "syncs_fail": true } }))?;
    let _ = produce(&mut raw, "synced");
    let (status, _, said) = process.ended_within(PATIENCE)?;
    ensure!(!status.success() && said.contains("has failed"), "{status}: {said}");
    Ok(())
}

fn full_memory() -> Result<()> {
    let mut process = TestProcess::start(&["--memory", "4M", "--topic", "large", "--topic", "small"])?;
    let mut raw = Raw::connect(process.port())?;
    let value = vec![7; 100_000];
    let mut acknowledged = 0;
    let refused = loop {
        let answer = raw.produce("large", Batch::of(&[&value]).encode())?;
        match answer.error_code {
            0 => acknowledged += 1,
            error => break error,
        }
        ensure!(acknowledged < 100, "it is never full");
    };
    // KAFKA_STORAGE_ERROR
    ensure!(refused == 56 && acknowledged > 20, "error {refused} after {acknowledged}");
    ensure!(raw.end_offset("large", 0)? == acknowledged, "what was refused has no offset");
    while raw.produce("small", Batch::of(&[b"x"]).encode())?.error_code == 0 {}
    // More than there is room for: what the metadata log needs is kept for it, and for the deletion last.
    for number in 0..1000 {
        raw.alter_topic("small", "retention.ms", &format!("99999{number}"))?;
    }
    raw.delete_topic("large")?;
    let began = Instant::now();
    while raw.produce("small", Batch::of(&[&value]).encode())?.error_code != 0 {
        ensure!(began.elapsed() < PATIENCE, "no room, though a topic is gone");
        std::thread::sleep(Duration::from_millis(5));
    }
    process.signal(libc::SIGTERM);
    let (status, _, said) = process.ended_within(PATIENCE)?;
    ensure!(status.success() && said.contains("the disk in memory is full, it has 4194304 bytes"), "{status}: {said}");
    Ok(())
}

fn topics_and_profile() -> Result<()> {
    let process = TestProcess::start(&["--topic", "one", "--topic", "three:3:cleanup.policy=compact:retention.ms=5"])?;
    let config = rdkafka_of(process.bootstrap());
    let consumer: BaseConsumer = config.create()?;
    let metadata = consumer.fetch_metadata(None, PATIENCE)?;
    let mut topics: Vec<_> = metadata.topics().iter().map(|t| (t.name().to_string(), t.partitions().len())).collect();
    // A consumer looks for its coordinator by itself, so that its topic may be there already.
    topics.retain(|(name, _)| name != "__consumer_offsets");
    topics.sort();
    ensure!(topics == [("one".to_string(), 1), ("three".to_string(), 3)], "{topics:?}");
    // A group is there without the three seconds that Kafka waits for others.
    let began = Instant::now();
    produce_and_consume(&config, "one", 10)?;
    println!("a group's first records after {:?}", began.elapsed());
    let metadata = consumer.fetch_metadata(Some("__consumer_offsets"), PATIENCE)?;
    ensure!(metadata.topics()[0].partitions().len() == 1, "one coordinator");
    let explained = program::run(command(&["--explain", "--override", "klamm.shards=2"]), Input::Nothing)?.text();
    for line in ["group.initial.rebalance.delay.ms=0", "    instead of 3000: ", "klamm.shards=2"] {
        ensure!(explained.contains(line), "{line} is not in {explained}");
    }
    let refused = program::output(command(&["--topic", "a b"]), Input::Nothing, PATIENCE)?;
    ensure!(refused.code != Some(0) && refused.stdout.is_empty(), "a wrong topic is refused");
    Ok(())
}

fn kcat(process: &TestProcess, settings: &[(&str, &str)]) -> Result<bool> {
    let mut arguments = vec!["-L".to_string(), "-b".into(), process.bootstrap().into(), "-m".into(), "5".into()];
    for (key, value) in settings {
        arguments.extend(["-X".into(), format!("{key}={value}")]);
    }
    let mut command = program::command("kcat", &arguments);
    // Cargo puts another librdkafka there, which has no TLS.
    command.env_remove("LD_LIBRARY_PATH");
    Ok(program::output(command, Input::Nothing, PATIENCE)?.code == Some(0))
}

/// Whether franz-go is let in by SCRAM: the `kcat` of Debian is not, by any broker (README says why).
fn franz(process: &TestProcess, mechanism: &str, (user, password): (&str, &str), ca: &str) -> Result<bool> {
    let way = json!({
        "bootstrap": process.bootstrap(),
        "topic": "logins",
        "tls": !ca.is_empty(),
        "mechanism": mechanism,
        "user": user,
        "password": password,
        "ca": ca,
    });
    let mut command = program::command(&cache::root().join("go/franz").display().to_string(), &["login", "franz-go"]);
    command.env_remove("LD_LIBRARY_PATH");
    let output = program::output(command, Input::Bytes(format!("{way}\n").into_bytes()), PATIENCE)?;
    let told: Value = serde_json::from_str(output.text().lines().next().context(output.tail())?)?;
    Ok(told.get("read").is_some())
}

fn users() -> Result<()> {
    let home = tempfile::tempdir()?;
    let directory = home.path().display().to_string();
    let login = ["--topic", "logins", "--user", "alice:a\"b\\c", "--user", "bob:secret"];
    for tls in [false, true] {
        let extra: &[&str] = if tls { &["--tls", &directory] } else { &[] };
        let process = TestProcess::start(&[&login[..], extra].concat())?;
        let protocol = if tls { "SASL_SSL" } else { "SASL_PLAINTEXT" };
        ensure!(process.text("security_protocol") == protocol, "{}", process.ready);
        let mechanisms = process.ready["sasl_mechanisms"].as_array().context("mechanisms")?.clone();
        ensure!(mechanisms.len() == 3 && process.ready.to_string().find("secret").is_none(), "{}", process.ready);
        let ca = process.ready["tls"]["ca_pem"].as_str().unwrap_or_default();
        for mechanism in mechanisms.iter().filter_map(|mechanism| mechanism.as_str()) {
            for (user, password, is_let_in) in
                [("alice", "a\"b\\c", true), ("bob", "secret", true), ("bob", "no", false)]
            {
                let settings = [
                    ("security.protocol", protocol),
                    ("sasl.mechanisms", mechanism),
                    ("sasl.username", user),
                    ("sasl.password", password),
                    ("ssl.ca.location", ca),
                ];
                let settings = if tls { &settings[..] } else { &settings[..4] };
                let found = match mechanism {
                    "PLAIN" => kcat(&process, settings)?,
                    _ => franz(&process, mechanism, (user, password), ca)?,
                };
                ensure!(found == is_let_in, "{protocol} {mechanism} {user} {password}");
            }
        }
    }
    Ok(())
}

/// OpenSSL takes the PEM files, Java the stores of both kinds.
fn certificates() -> Result<()> {
    let home = tempfile::tempdir()?;
    let directory = home.path().join("tls");
    let process = TestProcess::start(&["--tls", &directory.display().to_string(), "--topic", "shown"])?;
    let tls = &process.ready["tls"];
    let path = |key: &str| tls[key].as_str().unwrap_or_default().to_string();
    let pem = [
        ("security.protocol", "SSL".to_string()),
        ("ssl.ca.location", path("ca_pem")),
        ("ssl.certificate.location", path("client_pem")),
        ("ssl.key.location", path("client_key")),
    ];
    let pem: Vec<_> = pem.iter().map(|(key, value)| (*key, value.as_str())).collect();
    ensure!(kcat(&process, &pem)?, "with the PEM files");
    ensure!(!kcat(&process, &pem[..1])?, "an authority that is not trusted");
    for kind in ["PKCS12", "JKS"] {
        let ending = if kind == "JKS" { "jks" } else { "p12" };
        let file = home.path().join(kind);
        let lines = [
            "security.protocol=SSL".to_string(),
            format!("ssl.truststore.type={kind}"),
            format!("ssl.truststore.location={}", path(&format!("truststore_{ending}"))),
            format!("ssl.truststore.password={}", path("password")),
            format!("ssl.keystore.type={kind}"),
            format!("ssl.keystore.location={}", path(&format!("client_{ending}"))),
            format!("ssl.keystore.password={}", path("password")),
        ];
        std::fs::write(&file, lines.join("\n"))?;
        let file = file.display().to_string();
        let arguments = ["--list", "--bootstrap-server", process.bootstrap(), "--command-config", &file];
        let command = program::java("org.apache.kafka.tools.TopicCommand", &arguments);
        let shown = program::run(command, Input::Nothing)?.text();
        ensure!(shown.lines().any(|line| line == "shown"), "{kind}: {shown}");
    }
    Ok(())
}

/// A client works with a broker as of each release, which offers what that release did and refuses the rest.
fn releases() -> Result<()> {
    let fetch_of = |release: &str| match release {
        "2.8" | "3.0" => 12,
        "3.1" | "3.2" | "3.3" | "3.4" => 13,
        "3.5" | "3.6" => 15,
        "3.7" | "3.8" => 16,
        "3.9" | "4.0" => 17,
        _ => 18,
    };
    for release in RELEASES {
        let process = TestProcess::start(&["--as-version", release])?;
        let mut raw = Raw::connect(process.port())?;
        let told = raw.api_versions()?;
        let fetch = told.api_keys.iter().find(|api| api.api_key == 1).context("Fetch")?.max_version;
        ensure!(fetch == fetch_of(release), "{release}: Fetch up to {fetch}");
        let has_new_groups = told.api_keys.iter().any(|api| api.api_key == 68);
        ensure!(has_new_groups == (*release >= "3.7"), "{release}: ConsumerGroupHeartbeat");
        let level = told.finalized_features.iter().find(|feature| feature.name.as_str() == "metadata.version");
        ensure!(level.is_some() == (*release >= "3.3"), "{release}: {:?}", told.finalized_features);
        // A request that the release did not know ends the connection, as there.
        let beyond = compat_tests::raw::frame(1, fetch + 1, 1, 2, &[]);
        raw.send_frame(&beyond);
        raw.expect_closed().with_context(|| format!("{release}: Fetch {}", fetch + 1))?;
        produce_and_consume(&rdkafka_of(process.bootstrap()), "t", 10).with_context(|| release.to_string())?;
    }
    // What is there from the beginning needs no API that the release lacks and no rule that allows it.
    let authorizer = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    let prepared = ["--as-version", "3.3", "--user", "alice:secret", "--topic", "t", "--override", authorizer];
    TestProcess::start(&prepared).context("3.3 with a user, a topic and an authorizer")?;
    let refused = program::output(command(&["--as-version", "2.7"]), Input::Nothing, PATIENCE)?;
    if refused.code == Some(0) {
        bail!("2.7 is not known");
    }
    Ok(())
}
