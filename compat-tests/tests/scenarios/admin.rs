//! Admin clients: errors that are told, answers that do not come, groups whose coordinator is elsewhere.

use crate::scenarios;
use crate::stage::{Stage, Told, numbers};
use compat_tests::raw::{Raw, topic_name};
use compat_tests::{Context, Result, ensure};
use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::CommitMode;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use serde_json::json;
use std::time::Duration;

scenarios! { "librdkafka";
    errors_of_a_topic_are_told: "ours, beside librdkafka 0138 `do_test_AlterConsumerGroupOffsets_errors`",
        "`error`s of CreateTopics that are not retried: each is the topic's result";
    an_answer_that_comes_late_times_out: "librdkafka 0080",
        "`hold` for CreateTopics and a call of 500 ms: OperationTimedOut; released, it has its effect, which the next call is told of";
    groups_are_deleted_elsewhere: "librdkafka 0081 `do_test_DeleteGroups`",
        "three brokers, `move_coordinator` between the commit and the deletion";
}

/// Makes a topic of one partition that only one broker has.
pub fn create_on(port: u16, name: &str, broker: i32) -> Result<()> {
    let replicas = CreatableReplicaAssignment::default().with_partition_index(0).with_broker_ids(vec![broker.into()]);
    let topic =
        CreatableTopic::default().with_name(topic_name(name)).with_num_partitions(-1).with_replication_factor(-1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic.with_assignments(vec![replicas])]);
    let answer = Raw::connect(port)?.call(&request.with_timeout_ms(10_000), 5)?;
    let error = answer.topics.first().context("a topic")?.error_code;
    ensure!(error == 0, "error {error}");
    Ok(())
}

fn admin(stage: &Stage) -> Result<AdminClient<Told>> {
    Ok(stage.config(&[]).create_with_context(Told::default())?)
}

fn create(admin: &AdminClient<Told>, name: &str, time: Duration) -> Result<Result<(), Code>> {
    let options = AdminOptions::new().request_timeout(Some(time));
    let topic = NewTopic::new(name, 1, TopicReplication::Fixed(1));
    let results = match pollster::block_on(admin.create_topics([&topic], &options)) {
        Ok(results) => results,
        Err(KafkaError::AdminOp(code)) => return Ok(Err(code)),
        Err(error) => return Err(error.into()),
    };
    Ok(results.into_iter().next().context("a result")?.map(drop).map_err(|(_, code)| code))
}

const TIME: Duration = Duration::from_secs(20);

fn errors_of_a_topic_are_told() -> Result<()> {
    let stage = Stage::one()?;
    let admin = admin(&stage)?;
    let errors = [
        ("POLICY_VIOLATION", Code::PolicyViolation),
        ("TOPIC_AUTHORIZATION_FAILED", Code::TopicAuthorizationFailed),
        ("INVALID_REPLICATION_FACTOR", Code::InvalidReplicationFactor),
        ("NOT_CONTROLLER", Code::NotController),
        ("REQUEST_TIMED_OUT", Code::RequestTimedOut),
    ];
    for (name, expected) in errors {
        stage.errors("CreateTopics", &[name])?;
        let found = create(&admin, "u", TIME)?;
        ensure!(found == Err(expected), "{name}: {found:?}");
    }
    ensure!(create(&admin, "u", TIME)? == Ok(()), "it is made");
    let found = create(&admin, "u", TIME)?;
    ensure!(found == Err(Code::TopicAlreadyExists), "{found:?}");
    Ok(())
}

fn an_answer_that_comes_late_times_out() -> Result<()> {
    let stage = Stage::one()?;
    let admin = admin(&stage)?;
    let held = stage.fault(json!({ "match": { "api": "CreateTopics" }, "action": { "hold": true }, "count": 1 }))?;
    let found = create(&admin, "u", Duration::from_millis(500))?;
    ensure!(found == Err(Code::OperationTimedOut), "{found:?}");
    ensure!(held.struck()? == 1, "it was sent");
    held.release()?;
    stage.wait("topic=u")?;
    let found = create(&admin, "u", TIME)?;
    ensure!(found == Err(Code::TopicAlreadyExists), "{found:?}");
    Ok(())
}

fn groups_are_deleted_elsewhere() -> Result<()> {
    let stage = Stage::three()?;
    stage.seed("t", &numbers(1))?;
    let reader = stage.subscriber(&[])?;
    reader.expect(&numbers(1))?;
    reader.consumer.commit_consumer_state(CommitMode::Sync)?;
    drop(reader);
    let admin = admin(&stage)?;
    let delete = || -> Result<Result<String, (String, Code)>> {
        let results =
            pollster::block_on(admin.delete_groups(&["g"], &AdminOptions::new().request_timeout(Some(TIME))))?;
        results.into_iter().next().context("a result")
    };
    stage.errors("FindCoordinator", &["COORDINATOR_NOT_AVAILABLE"])?;
    stage.deed(json!({ "move_coordinator": { "group": "g", "to": 2 } }))?;
    let found = delete()?;
    ensure!(found == Ok("g".into()), "{found:?}");
    let found = delete()?;
    ensure!(found == Err(("g".into(), Code::GroupIdNotFound)), "{found:?}");
    let deleted = stage.requests("api=DeleteGroups")?;
    ensure!(deleted.iter().all(|request| request["broker"] == 2), "{deleted:?}");
    Ok(())
}
