//! `klamm test --brokers`: several brokers in one process, as clients of a cluster see them. Leaders and coordinators move, brokers go
//! down and come back, and clients find out by what they are told.

use compat_tests::clients::{Acks, librdkafka_send};
use compat_tests::http::{Http, PATIENCE};
use compat_tests::raw::{Batch, Raw, produce_request, text, topic_name};
use compat_tests::suite::Suite;
use compat_tests::test_process::TestProcess;
use compat_tests::{Context, Result, ensure, tools};
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, HeartbeatRequest, InitProducerIdRequest, MetadataRequest, TransactionalId,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const NOT_COORDINATOR: i16 = 16;
const UNKNOWN_MEMBER_ID: i16 = 25;
/// Records of a story, of which each is sent before or after something moves.
const RECORDS: usize = 60;

fn main() -> ExitCode {
    Suite::new("brokers")
        .leaving_nothing()
        .at_once(2)
        .plain("each_answers_for_its_own", each_answers_for_its_own)
        .plain("a_producer_and_a_consumer_follow_a_leader", a_producer_and_a_consumer_follow_a_leader)
        .plain("clients_survive_a_broker", clients_survive_a_broker)
        .plain("groups_follow_their_coordinator", groups_follow_their_coordinator)
        .plain("transactions_follow_their_coordinator", transactions_follow_their_coordinator)
        .plain("metadata_can_be_stale", || metadata_can_be_stale(&["--as-version", "3.6"], false))
        .plain("a_refusal_tells_what_stale_metadata_hide", || metadata_can_be_stale(&[], true))
        .plain("one_broker_can_break", one_broker_can_break)
        .plain("tools_see_a_cluster", tools_see_a_cluster)
        .plain("what_cannot_be_done_is_told", what_cannot_be_done_is_told)
        .plain("a_reset_begins_anew", a_reset_begins_anew)
        .run()
}

struct Cluster {
    process: TestProcess,
    http: Http,
    ports: BTreeMap<i64, u16>,
}

impl Cluster {
    fn start(arguments: &[&str]) -> Result<Cluster> {
        let process = TestProcess::start(&[&["--brokers", "3"], arguments].concat())?;
        let http = Http::of_test(&process)?;
        let brokers = http.json("/v1/brokers")?;
        let port = |broker: &Value| Some((broker["broker"].as_i64()?, broker["listeners"][0]["port"].as_u64()? as u16));
        let ports: Option<BTreeMap<_, _>> =
            brokers["brokers"].as_array().context("brokers")?.iter().map(port).collect();
        Ok(Cluster { process, http, ports: ports.context("ports")? })
    }

    fn raw(&self, broker: i64) -> Result<Raw> {
        Raw::connect(self.ports[&broker])
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.process.bootstrap()).set("group.id", "readers");
        config.set("auto.offset.reset", "earliest").set("reconnect.backoff.ms", "10").set("retry.backoff.ms", "10");
        config.set("topic.metadata.refresh.interval.ms", "1000").set("reconnect.backoff.max.ms", "200");
        config
    }

    fn deed(&self, deed: Value) -> Result<Value> {
        self.http.change("/v1/deeds", &deed)
    }

    fn leader(&self, topic: &str, partition: usize) -> Result<i64> {
        let told = self.http.json(&format!("/v1/topics?topic={topic}"))?;
        told["topics"][0]["partitions"][partition]["leader"].as_i64().context("a leader")
    }

    fn move_leader(&self, topic: &str, to: i64) -> Result<()> {
        self.deed(json!({ "move_leader": { "topic": topic, "partition": 0, "to": to } })).map(drop)
    }

    /// A broker that is not this one.
    fn other(&self, than: i64) -> i64 {
        if than == 3 { 1 } else { than + 1 }
    }
}

fn coordinator_of(raw: &mut Raw, key_type: i8, key: &str) -> Result<i64> {
    let request = FindCoordinatorRequest::default().with_key_type(key_type).with_coordinator_keys(vec![text(key)]);
    let found = raw.call(&request, 4)?.coordinators.into_iter().next().context("a coordinator")?;
    ensure!(found.error_code == 0, "error {}", found.error_code);
    Ok(i64::from(found.node_id.0))
}

/// All that a consumer's partitions have, until there are so many.
fn read(consumer: &BaseConsumer, count: usize) -> Result<Vec<String>> {
    let (began, mut found) = (Instant::now(), Vec::new());
    while found.len() < count {
        ensure!(began.elapsed() < PATIENCE, "{} of {count} came", found.len());
        // What a consumer tells of brokers that go is no failure: it goes on.
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            found.push(String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned());
        }
    }
    Ok(found)
}

fn each_answers_for_its_own() -> Result<()> {
    let cluster = Cluster::start(&["--topic", "t:3"])?;
    let leaders: Vec<i64> = (0..3).map(|partition| cluster.leader("t", partition)).collect::<Result<_>>()?;
    let mut sorted = leaders.clone();
    sorted.sort_unstable();
    ensure!(sorted == [1, 2, 3], "each leads one: {leaders:?}");
    let batch = || Batch::of(&[b"x"]).encode();
    for broker in 1..=3 {
        let mut raw = cluster.raw(broker)?;
        let told = raw.call(&MetadataRequest::default().with_topics(None), 9)?;
        let ports: Vec<u16> = told.brokers.iter().map(|broker| broker.port as u16).collect();
        ensure!(ports == cluster.ports.values().copied().collect::<Vec<_>>(), "{ports:?}");
        let racks: Vec<_> = told.brokers.iter().filter_map(|broker| broker.rack.as_deref()).collect();
        ensure!(racks == ["rack-1", "rack-2", "rack-3"], "{racks:?}");
        let expected = if leaders[0] == broker { 0 } else { NOT_LEADER_OR_FOLLOWER };
        // In the first version that is told who leads instead (KIP-951).
        let answer = raw.call(&produce_request("t", batch()), 10)?;
        let told =
            &answer.responses.first().and_then(|topic| topic.partition_responses.first()).context("an answer")?;
        let leader = if expected == 0 { -1 } else { leaders[0] };
        ensure!((told.error_code, i64::from(told.current_leader.leader_id.0)) == (expected, leader), "{told:?}");
        let at: Vec<_> = answer.node_endpoints.iter().map(|of| (i64::from(of.node_id.0), of.port as u16)).collect();
        ensure!(at == if expected == 0 { vec![] } else { vec![(leader, cluster.ports[&leader])] }, "{at:?}");
        ensure!(raw.produce("t", batch())?.error_code == expected, "broker {broker}");
        ensure!(raw.fetch_by(10, "t", 0)?.error_code == expected, "broker {broker}");
        ensure!(raw.fetch("t", 0)?.error_code == 0, "broker {broker} has a replica (KIP-392)");
        ensure!(raw.offset("t", 0, -1)?.0 == expected, "broker {broker}");
    }
    let group = coordinator_of(&mut cluster.raw(1)?, 0, "g")?;
    let transactional = coordinator_of(&mut cluster.raw(1)?, 1, "x")?;
    for broker in 1..=3 {
        let mut raw = cluster.raw(broker)?;
        ensure!(coordinator_of(&mut raw, 0, "g")? == group, "all tell the same");
        let request = HeartbeatRequest::default().with_group_id(GroupId(text("g"))).with_member_id(text("m"));
        let error = raw.call(&request, 4)?.error_code;
        let expected = if broker == group { UNKNOWN_MEMBER_ID } else { NOT_COORDINATOR };
        ensure!(error == expected, "broker {broker}: {error}");
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text("x"))))
            .with_transaction_timeout_ms(1000);
        let error = raw.call(&request, 2)?.error_code;
        ensure!(error == if broker == transactional { 0 } else { NOT_COORDINATOR }, "broker {broker}: {error}");
    }
    Ok(())
}

fn a_producer_and_a_consumer_follow_a_leader() -> Result<()> {
    let cluster = Cluster::start(&["--topic", "t"])?;
    let consumer: BaseConsumer = cluster.config().create()?;
    consumer.subscribe(&["t"])?;
    let producer: ThreadedProducer<Acks> =
        cluster.config().set("enable.idempotence", "true").create_with_context(Acks::default())?;
    for number in 0..RECORDS {
        if number % 10 == 5 {
            cluster.move_leader("t", cluster.other(cluster.leader("t", 0)?))?;
        }
        librdkafka_send(&producer, "t", number.to_string().as_bytes())?;
        producer.context().wait_for(number + 1)?;
    }
    let expected: Vec<_> = (0..RECORDS).map(|number| number.to_string()).collect();
    ensure!(read(&consumer, RECORDS)? == expected, "each once, in order");
    // The producer was told by the old leader, not only by the metadata that it asks for now and then.
    let refused = cluster.http.json("/v1/requests?api=Produce&error=NOT_LEADER_OR_FOLLOWER")?;
    ensure!(refused["requests"].as_array().is_some_and(|all| !all.is_empty()), "{refused}");
    Ok(())
}

fn clients_survive_a_broker() -> Result<()> {
    let cluster = Cluster::start(&["--topic", "t"])?;
    let consumer: BaseConsumer = cluster.config().create()?;
    consumer.subscribe(&["t"])?;
    let producer: ThreadedProducer<Acks> =
        cluster.config().set("enable.idempotence", "true").create_with_context(Acks::default())?;
    let mut next = 0;
    let mut send_some = || -> Result<()> {
        for _ in 0..RECORDS / 3 {
            librdkafka_send(&producer, "t", next.to_string().as_bytes())?;
            next += 1;
        }
        producer.context().wait_for(next)
    };
    send_some()?;
    let down = cluster.leader("t", 0)?;
    cluster.deed(json!({ "broker_down": { "broker": down } }))?;
    ensure!(cluster.leader("t", 0)? != down, "another one leads");
    let refused = || TcpStream::connect(("127.0.0.1", cluster.ports[&down])).err().map(|error| error.kind());
    for _ in 0..20 {
        ensure!(refused() == Some(ErrorKind::ConnectionRefused), "{:?}", refused());
    }
    send_some()?;
    let shown = cluster.http.json("/v1/brokers")?;
    let of_it = &shown["brokers"][down as usize - 1];
    ensure!(of_it["up"] == false && of_it["leads"] == 0, "{shown}");
    cluster.deed(json!({ "broker_up": { "broker": down } }))?;
    for _ in 0..20 {
        cluster.raw(down)?.api_versions()?;
    }
    let told = cluster.http.json("/v1/topics?topic=t")?;
    ensure!(told["topics"][0]["partitions"][0]["isr"].as_array().map(Vec::len) == Some(3), "in sync again: {told}");
    cluster.move_leader("t", down)?;
    send_some()?;
    let expected: Vec<_> = (0..RECORDS / 3 * 3).map(|number| number.to_string()).collect();
    ensure!(read(&consumer, expected.len())? == expected, "each once, in order");
    Ok(())
}

fn last_heartbeat(http: &Http) -> Result<Value> {
    let beats = http.json("/v1/requests?api=Heartbeat&limit=1&bodies=false")?;
    Ok(beats["requests"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default())
}

fn groups_follow_their_coordinator() -> Result<()> {
    let cluster = Cluster::start(&["--topic", "t"])?;
    let consumer: BaseConsumer =
        cluster.config().set("enable.auto.commit", "false").set("heartbeat.interval.ms", "100").create()?;
    consumer.subscribe(&["t"])?;
    let producer: ThreadedProducer<Acks> = cluster.config().create_with_context(Acks::default())?;
    let generation = |cluster: &Cluster| -> Result<Value> {
        Ok(cluster.http.json("/v1/groups?group=readers")?["groups"][0]["members"].clone())
    };
    let mut members = None;
    for number in 0..4 {
        librdkafka_send(&producer, "t", number.to_string().as_bytes())?;
        ensure!(read(&consumer, 1)? == [number.to_string()], "record {number}");
        let coordinator = coordinator_of(&mut cluster.raw(1)?, 0, "readers")?;
        let told =
            cluster.deed(json!({ "move_coordinator": { "group": "readers", "to": cluster.other(coordinator) } }))?;
        ensure!(told["topic"] == "__consumer_offsets" && told["leader"] == cluster.other(coordinator), "{told}");
        ensure!(coordinator_of(&mut cluster.raw(1)?, 0, "readers")? == cluster.other(coordinator), "it has moved");
        let before = last_heartbeat(&cluster.http)?;
        // librdkafka marks the coordinator dead for a commit that is refused, closes the connection to the new one, and tries the
        // commit again on that connection: it commits when a heartbeat has found the new one.
        cluster.http.until("a heartbeat is answered by the new one", |http| {
            consumer.poll(Duration::ZERO);
            let last = last_heartbeat(http)?;
            Ok((last["id"] != before["id"] && last["errors"] == json!({})).then_some(()))
        })?;
        consumer.commit_consumer_state(CommitMode::Sync)?;
        // It stays the same member: the group was read from the log.
        let now = generation(&cluster)?;
        ensure!(members.replace(now.clone()).is_none_or(|before| before == now), "{now}");
    }
    let group = cluster.http.json("/v1/groups?group=readers")?;
    ensure!(group["groups"][0]["lag"] == 0 && group["groups"][0]["state"] == "Stable", "{group}");
    Ok(())
}

fn transactions_follow_their_coordinator() -> Result<()> {
    let cluster = Cluster::start(&["--topic", "t"])?;
    let mut config = cluster.config();
    config.set("transactional.id", "x").set("transaction.timeout.ms", "20000");
    let producer: ThreadedProducer<_> = config.create()?;
    producer.init_transactions(PATIENCE)?;
    for (number, commits) in [true, false, true].into_iter().enumerate() {
        producer.begin_transaction()?;
        let value = number.to_string();
        producer.send(BaseRecord::<str, str>::to("t").payload(&value)).map_err(|(error, _)| error)?;
        producer.flush(PATIENCE)?;
        let coordinator = coordinator_of(&mut cluster.raw(1)?, 1, "x")?;
        cluster.deed(json!({ "move_coordinator": { "transactional_id": "x", "to": cluster.other(coordinator) } }))?;
        if commits { producer.commit_transaction(PATIENCE)? } else { producer.abort_transaction(PATIENCE)? }
    }
    let consumer: BaseConsumer = cluster.config().set("isolation.level", "read_committed").create()?;
    consumer.subscribe(&["t"])?;
    ensure!(read(&consumer, 2)? == ["0", "2"], "what was committed");
    Ok(())
}

/// Who leads `t`, as a broker tells it.
fn told_leader(raw: &mut Raw) -> Result<i64> {
    let asked =
        kafka_protocol::messages::metadata_request::MetadataRequestTopic::default().with_name(Some(topic_name("t")));
    let told = raw.call(&MetadataRequest::default().with_topics(Some(vec![asked])), 9)?;
    let partition = told.topics.first().and_then(|topic| topic.partitions.first()).context("a partition")?;
    Ok(i64::from(partition.leader_id.0))
}

/// `is_told`: by the release that the brokers are taken for, a refusal says who leads instead.
fn metadata_can_be_stale(arguments: &[&str], is_told: bool) -> Result<()> {
    let cluster = Cluster::start(&[&["--topic", "t"], arguments].concat())?;
    let before = cluster.leader("t", 0)?;
    let rule = json!({ "match": { "api": ["Metadata", "FindCoordinator"] }, "action": { "stale": true } });
    let id = cluster.http.change("/v1/faults", &rule)?["ids"][0].clone();
    let after = cluster.other(before);
    cluster.move_leader("t", after)?;
    let mut raw = cluster.raw(1)?;
    ensure!(told_leader(&mut raw)? == before, "as it was");
    ensure!(
        cluster.raw(before)?.produce("t", Batch::of(&[b"x"]).encode())?.error_code == NOT_LEADER_OR_FOLLOWER,
        "it is"
    );
    let producer: ThreadedProducer<Acks> = cluster.config().create_with_context(Acks::default())?;
    librdkafka_send(&producer, "t", b"late")?;
    let refused = "/v1/requests?api=Produce&client_id=rdkafka&error=NOT_LEADER_OR_FOLLOWER";
    cluster.http.until("the producer is told so", |http| {
        Ok(http.json(refused)?["requests"].as_array().filter(|all| !all.is_empty()).map(drop))
    })?;
    if is_told {
        producer.context().wait_for(1)?;
        ensure!(told_leader(&mut raw)? == before, "the metadata are still as they were");
    } else {
        ensure!(producer.context().delivered().is_empty(), "it cannot know");
    }
    ensure!(cluster.http.delete(&format!("/v1/faults?id={id}"))?.0 == 200, "no more of it");
    ensure!(told_leader(&mut raw)? == after, "as it is");
    producer.context().wait_for(1)
}

fn one_broker_can_break() -> Result<()> {
    let cluster = Cluster::start(&["--topic", "t"])?;
    cluster.http.change("/v1/faults", &json!({ "match": { "broker": 2 }, "action": { "close": true } }))?;
    for broker in 1..=3 {
        ensure!(cluster.raw(broker)?.api_versions().is_ok() == (broker != 2), "broker {broker}");
    }
    let rules = cluster.http.json("/v1/faults")?;
    ensure!(rules["faults"][0]["struck"] == 1, "{rules}");
    Ok(())
}

fn tools_see_a_cluster() -> Result<()> {
    const PACKAGE: &str = "org.apache.kafka.tools";
    let cluster = Cluster::start(&["--topic", "t:6"])?;
    let servers = cluster.process.bootstrap().to_string();
    let run = |class: &str, arguments: &[&str]| -> Result<String> {
        let arguments = [&["--bootstrap-server", &servers], arguments].concat();
        Ok(String::from_utf8_lossy(&tools::run(class, &arguments, "")?.stdout).into_owned())
    };
    let described = run(&format!("{PACKAGE}.TopicCommand"), &["--describe", "--topic", "t"])?;
    ensure!(described.contains("ReplicationFactor: 3"), "{described}");
    for broker in 1..=3 {
        ensure!(described.matches(&format!("Leader: {broker}")).count() == 2, "{described}");
    }
    run(
        &format!("{PACKAGE}.TopicCommand"),
        &["--create", "--topic", "many", "--replication-factor", "3", "--partitions", "2"],
    )?;
    let of_broker = ["--describe", "--entity-type", "brokers", "--entity-name", "2", "--all"];
    let configs = run(&format!("{PACKAGE}.ConfigCommand"), &of_broker)?;
    ensure!(configs.contains("broker 2") && configs.contains("offsets.topic.replication.factor=3"), "{configs}");
    let consumer: BaseConsumer = cluster.config().create()?;
    consumer.subscribe(&["t"])?;
    cluster.http.until("the group is there", |http| {
        Ok(http.has("group=readers&members=1")?.then_some(())).inspect(|_| drop(consumer.poll(Duration::ZERO)))
    })?;
    let listed = run(&format!("{PACKAGE}.consumer.group.ConsumerGroupCommand"), &["--list"])?;
    ensure!(listed.matches("readers").count() == 1, "{listed}");
    // A preferred leader comes back by Kafka's own tool.
    let preferred = cluster.leader("t", 0)?;
    cluster.move_leader("t", cluster.other(preferred))?;
    let elect = ["--election-type", "preferred", "--topic", "t", "--partition", "0"];
    run(&format!("{PACKAGE}.LeaderElectionCommand"), &elect)?;
    ensure!(cluster.leader("t", 0)? == preferred, "it leads again");
    Ok(())
}

fn what_cannot_be_done_is_told() -> Result<()> {
    let cluster = Cluster::start(&["--topic", "t"])?;
    let told = |deed: Value| -> Result<u16> { Ok(cluster.http.post("/v1/deeds", &deed)?.0) };
    ensure!(told(json!({ "broker_down": { "broker": 4 } }))? == 404, "there is no broker 4");
    ensure!(told(json!({ "move_leader": { "topic": "none", "partition": 0, "to": 1 } }))? == 404, "no topic");
    ensure!(told(json!({ "move_coordinator": { "group": "g", "to": 1 } }))? == 404, "no coordinators yet");
    cluster.deed(json!({ "broker_down": { "broker": 2 } }))?;
    ensure!(told(json!({ "move_leader": { "topic": "t", "partition": 0, "to": 2 } }))? == 409, "it is down");
    // All of them: clients reach nothing, and the brokers come back.
    cluster.deed(json!({ "broker_down": { "broker": 1 } }))?;
    cluster.deed(json!({ "broker_down": { "broker": 3 } }))?;
    ensure!(cluster.leader("t", 0)? == -1, "nothing leads");
    for broker in [3, 1, 2] {
        cluster.deed(json!({ "broker_up": { "broker": broker } }))?;
    }
    let leader = cluster.leader("t", 0)?;
    ensure!(cluster.raw(leader)?.produce("t", Batch::of(&[b"x"]).encode())?.error_code == 0, "it leads");
    let alone = TestProcess::start(&[])?;
    let (status, told) = Http::of_test(&alone)?.post("/v1/deeds", &json!({ "broker_down": { "broker": 1 } }))?;
    ensure!(status == 409 && told["error"].as_str().is_some_and(|why| why.contains("--brokers")), "{told}");
    Ok(())
}

fn a_reset_begins_anew() -> Result<()> {
    let cluster = Cluster::start(&["--topic", "t"])?;
    cluster.http.change("/v1/snapshots", &json!({ "name": "all up" }))?;
    cluster.deed(json!({ "broker_down": { "broker": 2 } }))?;
    for body in [json!({}), json!({ "snapshot": "all up" })] {
        cluster.http.change("/v1/reset", &body)?;
        let shown = cluster.http.json("/v1/brokers")?;
        let up = |broker: &Value| broker["up"] == true;
        ensure!(shown["brokers"].as_array().is_some_and(|all| all.len() == 3 && all.iter().all(up)), "{shown}");
        for broker in 1..=3 {
            cluster.raw(broker)?.api_versions()?;
        }
        cluster.deed(json!({ "broker_down": { "broker": 2 } }))?;
    }
    Ok(())
}
