//! Transactions that go well in the end, whatever comes between: errors that are retried, coordinators that move or go down, calls
//! that are made again.

use crate::scenarios;
use crate::stage::{Sender, Stage, code, numbers};
use compat_tests::http::PATIENCE;
use compat_tests::{Context, Result, ensure};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::Producer;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;
use std::time::{Duration, Instant};

scenarios! { "librdkafka";
    a_transaction_goes_through_recoverable_errors: "librdkafka 0105 `do_test_txn_recoverable_errors`",
        "`error` for InitProducerId (3), Produce, AddPartitionsToTxn, TxnOffsetCommit (2) and EndTxn (3)";
    offsets_are_sent_again: "librdkafka 0105 `do_test_txn_req_cnt`",
        "`error` for AddOffsetsToTxn (2) and TxnOffsetCommit (2), then an abort: EndTxn is in the journal, nothing is committed";
    concurrent_transactions_are_waited_for: "librdkafka 0105 `do_test_txns_send_offsets_concurrent_is_retried`",
        "`error` CONCURRENT_TRANSACTIONS for six AddOffsetsToTxn";
    no_offsets_are_no_request: "librdkafka 0105 `do_test_txns_send_offsets_non_eligible`",
        "an empty list of offsets, twice: no AddOffsetsToTxn in the journal";
    an_end_is_retried_as_long_as_it_takes: "librdkafka 0105 `do_test_txn_endtxn_infinite`",
        "`error` NOT_COORDINATOR and others for ten EndTxn, commit and abort";
    an_end_whose_time_is_over_can_be_resumed: "librdkafka 0105 `do_test_txn_endtxn_timeout`",
        "the same with a time of 100 ms: retriable, and the same call goes through later";
    an_end_in_flight_can_be_resumed: "librdkafka 0105 `do_test_txn_endtxn_timeout_inflight`",
        "`hold` for EndTxn, a commit of 500 ms, `release`, the commit again";
    a_beginning_can_be_resumed: "librdkafka 0105 `do_test_txn_resumable_init`",
        "`hold` for InitProducerId, a call of 500 ms, `release`, the call again";
    the_coordinator_goes_down_in_a_transaction: "librdkafka 0105 `do_test_txn_broker_down_in_txn` (coordinator)",
        "three brokers, `broker_down` of the coordinator between records and commit";
    the_leader_goes_down_in_a_transaction: "librdkafka 0105 `do_test_txn_broker_down_in_txn` (leader)",
        "three brokers, `broker_down` of the partition's leader between records and commit";
    the_coordinator_moves_before_each_step: "librdkafka 0105 `do_test_txn_switch_coordinator`",
        "three brokers, `move_coordinator` before each of eight transactions, committed and aborted";
    offsets_go_to_a_group_whose_coordinator_is_down: "librdkafka 0105 `do_test_disconnected_group_coord`",
        "three brokers, `broker_down` of the group's coordinator while offsets are sent";
    a_topic_that_vanishes_for_a_while_loses_nothing: "librdkafka 0105 `do_test_topic_disappears_for_awhile`",
        "`error` UNKNOWN_TOPIC_OR_PARTITION for the topic's Metadata between two transactions";
    unstable_offsets_are_asked_for_again: "librdkafka 0105 `do_test_unstable_offset_commit`",
        "`error` UNSTABLE_OFFSET_COMMIT at the partition of OffsetFetch: `committed` with and without enough time, and a consumer that begins at the offset";
}

/// Offset 1 of `t`, for the group `g`.
pub fn send_offsets(stage: &Stage, sender: &Sender) -> Result<Result<(), KafkaError>> {
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("t", 0, Offset::Offset(1))?;
    let group = stage.consumer(&[])?.consumer.group_metadata().context("a group")?;
    Ok(sender.producer.send_offsets_to_transaction(&offsets, &group, PATIENCE))
}

/// The broker that coordinates the keys of a partition.
fn coordinator(stage: &Stage, topic: &str, partition: usize) -> Result<i64> {
    let told = stage.http.json(&format!("/v1/topics?topic={topic}"))?;
    told["topics"][0]["partitions"][partition]["leader"].as_i64().context("a leader")
}

/// Moves a key's coordinator to a broker; answers its partition.
fn move_coordinator(stage: &Stage, key: &str, name: &str, to: i64) -> Result<usize> {
    let told = stage.deed(json!({ "move_coordinator": { key: name, "to": to } }))?;
    Ok(told["partition"].as_u64().context("a partition")? as usize)
}

fn a_transaction_goes_through_recoverable_errors() -> Result<()> {
    let stage = Stage::one()?;
    let errors = ["COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS"];
    stage.errors("InitProducerId", &errors)?;
    let sender = stage.transactional(&[("batch.num.messages", "1")])?;
    ensure!(stage.count("api=InitProducerId")? == 4, "four attempts");
    sender.producer.begin_transaction()?;
    stage.errors("AddPartitionsToTxn", &["UNKNOWN_TOPIC_OR_PARTITION"])?;
    sender.send("0")?;
    sender.flush()?;
    stage.errors("Produce", &["NOT_ENOUGH_REPLICAS"])?;
    sender.send("1")?;
    sender.flush()?;
    stage.errors("TxnOffsetCommit", &["NOT_COORDINATOR", "CONCURRENT_TRANSACTIONS"])?;
    send_offsets(&stage, &sender)??;
    let last = stage.errors("EndTxn", &errors)?;
    sender.producer.commit_transaction(PATIENCE)?;
    ensure!(last[2].struck()? == 1 && stage.count("api=EndTxn")? == 4, "four attempts");
    ensure!(stage.consumer(&[])?.committed()? == Offset::Offset(1), "the offset is committed");
    stage.expect(&numbers(2))
}

fn offsets_are_sent_again() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.transactional(&[])?;
    sender.producer.begin_transaction()?;
    stage.errors("AddOffsetsToTxn", &["REQUEST_TIMED_OUT", "NOT_COORDINATOR"])?;
    stage.errors("TxnOffsetCommit", &["COORDINATOR_LOAD_IN_PROGRESS", "UNKNOWN_TOPIC_OR_PARTITION"])?;
    send_offsets(&stage, &sender)??;
    ensure!(stage.count("api=AddOffsetsToTxn")? >= 3 && stage.count("api=TxnOffsetCommit")? >= 3, "sent again");
    sender.producer.abort_transaction(PATIENCE)?;
    ensure!(stage.count("api=EndTxn")? == 1, "the broker is told of the abort");
    ensure!(stage.consumer(&[])?.committed()? == Offset::Invalid, "nothing is committed");
    Ok(())
}

fn concurrent_transactions_are_waited_for() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.transactional(&[])?;
    sender.producer.begin_transaction()?;
    sender.send("0")?;
    sender.flush()?;
    stage.errors("AddOffsetsToTxn", &["CONCURRENT_TRANSACTIONS"; 6])?;
    send_offsets(&stage, &sender)??;
    ensure!(stage.count("api=AddOffsetsToTxn")? == 7, "seven attempts");
    sender.producer.commit_transaction(PATIENCE)?;
    stage.expect(&numbers(1))
}

fn no_offsets_are_no_request() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.transactional(&[])?;
    let reader = stage.consumer(&[])?;
    let group = reader.consumer.group_metadata().context("a group")?;
    sender.producer.begin_transaction()?;
    sender.send("0")?;
    for _ in 0..2 {
        sender.producer.send_offsets_to_transaction(&TopicPartitionList::new(), &group, PATIENCE)?;
    }
    sender.producer.commit_transaction(PATIENCE)?;
    ensure!(stage.count("api=AddOffsetsToTxn")? == 0, "no request");
    stage.expect(&numbers(1))
}

const TEN: [&str; 10] = [
    "COORDINATOR_NOT_AVAILABLE",
    "NOT_COORDINATOR",
    "NOT_COORDINATOR",
    "NOT_COORDINATOR",
    "NOT_COORDINATOR",
    "NOT_COORDINATOR",
    "NOT_COORDINATOR",
    "COORDINATOR_LOAD_IN_PROGRESS",
    "NOT_COORDINATOR",
    "NOT_COORDINATOR",
];

/// Begins a transaction with a record in it.
fn begin(sender: &Sender, value: &str) -> Result<()> {
    sender.producer.begin_transaction()?;
    sender.send(value)?;
    sender.flush()
}

fn end(sender: &Sender, commits: bool, time: Duration) -> Result<(), KafkaError> {
    if commits { sender.producer.commit_transaction(time) } else { sender.producer.abort_transaction(time) }
}

fn an_end_is_retried_as_long_as_it_takes() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.transactional(&[])?;
    for (value, commits) in [("0", true), ("1", false)] {
        begin(&sender, value)?;
        let faults = stage.errors("EndTxn", &TEN)?;
        end(&sender, commits, PATIENCE)?;
        ensure!(faults[9].struck()? == 1, "all of them were told");
    }
    stage.expect(&numbers(1))
}

fn an_end_whose_time_is_over_can_be_resumed() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.transactional(&[])?;
    for (value, commits) in [("0", true), ("1", false)] {
        begin(&sender, value)?;
        stage.errors("EndTxn", &TEN)?;
        is_retriable(end(&sender, commits, Duration::from_millis(100)))?;
        end(&sender, commits, PATIENCE)?;
    }
    stage.expect(&numbers(1))
}

/// It took too long, and may be called again.
fn is_retriable(result: Result<(), KafkaError>) -> Result<()> {
    let Err(KafkaError::Transaction(error)) = &result else {
        compat_tests::bail!("{result:?} is no error of a transaction")
    };
    ensure!(error.is_retriable() && !error.is_fatal() && !error.txn_requires_abort(), "{error:?}");
    ensure!(code(result)? == Code::OperationTimedOut, "its time is over");
    Ok(())
}

fn an_end_in_flight_can_be_resumed() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.transactional(&[])?;
    for (value, commits) in [("0", true), ("1", false)] {
        begin(&sender, value)?;
        let held = stage.fault(json!({ "match": { "api": "EndTxn" }, "action": { "hold": true } }))?;
        is_retriable(end(&sender, commits, Duration::from_millis(500)))?;
        ensure!(held.struck()? == 1, "it is on its way");
        held.remove()?;
        // Where the answer comes within the call, librdkafka calls its own state wrong: it is asked again then.
        let began = Instant::now();
        while let Err(error) = end(&sender, commits, PATIENCE) {
            let is_raced = error.to_string().contains("not valid in state");
            ensure!(is_raced && began.elapsed() < PATIENCE, "{error}");
        }
    }
    stage.expect(&numbers(1))
}

fn a_beginning_can_be_resumed() -> Result<()> {
    let stage = Stage::one()?;
    let held = stage.fault(json!({ "match": { "api": "InitProducerId" }, "action": { "hold": true } }))?;
    let sender = stage.producer(&[("transactional.id", "x")])?;
    is_retriable(sender.producer.init_transactions(Duration::from_millis(500)))?;
    held.remove()?;
    sender.producer.init_transactions(PATIENCE)?;
    sender.transaction("0")?;
    stage.expect(&numbers(1))
}

fn the_coordinator_goes_down_in_a_transaction() -> Result<()> {
    goes_down(|stage| {
        let partition = move_coordinator(stage, "transactional_id", "x", 2)?;
        ensure!(coordinator(stage, "__transaction_state", partition)? == 2, "it has moved");
        stage.move_leader("t", 3)?;
        Ok(2)
    })
}

fn the_leader_goes_down_in_a_transaction() -> Result<()> {
    goes_down(|stage| {
        move_coordinator(stage, "transactional_id", "x", 2)?;
        stage.move_leader("t", 3)?;
        Ok(3)
    })
}

/// A broker goes down between records and commit, and comes back.
fn goes_down(which: fn(&Stage) -> Result<i64>) -> Result<()> {
    let stage = Stage::three()?;
    let sender = stage.transactional(&[])?;
    let broker = which(&stage)?;
    sender.transaction("0")?;
    sender.producer.begin_transaction()?;
    sender.send("1")?;
    // One record at a time: one that is refused while the coordinator moves costs those in flight behind it their transaction.
    sender.flush()?;
    stage.down(broker)?;
    sender.send("2")?;
    sender.producer.commit_transaction(PATIENCE)?;
    stage.up(broker)?;
    sender.transaction("3")?;
    stage.expect(&numbers(4))
}

fn the_coordinator_moves_before_each_step() -> Result<()> {
    let stage = Stage::three()?;
    let sender = stage.transactional(&[])?;
    for (number, value) in numbers(8).iter().enumerate() {
        let broker = number as i64 % 3 + 1;
        move_coordinator(&stage, "transactional_id", "x", broker)?;
        begin(&sender, value)?;
        move_coordinator(&stage, "transactional_id", "x", broker % 3 + 1)?;
        end(&sender, number % 2 == 0, PATIENCE)?;
    }
    stage.expect(&["0", "2", "4", "6"].map(String::from))
}

fn offsets_go_to_a_group_whose_coordinator_is_down() -> Result<()> {
    let stage = Stage::three()?;
    // A member of the group makes its coordinator.
    let reader = stage.subscriber(&[])?;
    reader.until_assigned(1)?;
    let sender = stage.transactional(&[])?;
    move_coordinator(&stage, "transactional_id", "x", 1)?;
    let partition = move_coordinator(&stage, "group", "g", 2)?;
    stage.move_leader("t", 3)?;
    sender.producer.begin_transaction()?;
    sender.send("0")?;
    sender.flush()?;
    drop(reader);
    stage.down(2)?;
    ensure!(coordinator(&stage, "__consumer_offsets", partition)? != 2, "another one coordinates");
    send_offsets(&stage, &sender)??;
    stage.up(2)?;
    sender.producer.commit_transaction(PATIENCE)?;
    ensure!(stage.consumer(&[])?.committed()? == Offset::Offset(1), "the offset is committed");
    stage.expect(&numbers(1))
}

fn a_topic_that_vanishes_for_a_while_loses_nothing() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.transactional(&[("topic.metadata.refresh.interval.ms", "100"), ("batch.num.messages", "3")])?;
    sender.producer.begin_transaction()?;
    numbers(10).iter().try_for_each(|value| sender.send(value))?;
    sender.producer.commit_transaction(PATIENCE)?;
    let gone = json!({ "match": { "api": "Metadata" }, "action": { "error": "UNKNOWN_TOPIC_OR_PARTITION" } });
    let gone = stage.fault(gone)?;
    gone.until_struck(3)?;
    gone.remove()?;
    sender.producer.begin_transaction()?;
    (10..20).try_for_each(|number| sender.send(&number.to_string()))?;
    sender.producer.commit_transaction(PATIENCE)?;
    stage.expect(&numbers(20))
}

fn unstable_offsets_are_asked_for_again() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(10))?;
    let reader = stage.consumer(&[("auto.offset.reset", "error")])?;
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("t", 0, Offset::Offset(5))?;
    reader.consumer.commit(&offsets, rdkafka::consumer::CommitMode::Sync)?;
    stage.errors_within("OffsetFetch", &["UNSTABLE_OFFSET_COMMIT"; 6])?;
    ensure!(reader.committed()? == Offset::Offset(5), "asked for again");
    ensure!(stage.count("api=OffsetFetch")? == 7, "seven attempts");
    let always =
        json!({ "match": { "api": "OffsetFetch" }, "action": { "error": "UNSTABLE_OFFSET_COMMIT", "after": true } });
    let always = stage.fault(always)?;
    let error = code(reader.consumer.committed_offsets(offsets, Duration::from_millis(200)))?;
    ensure!(error == Code::OperationTimedOut, "{error:?}");
    always.remove()?;
    stage.errors_within("OffsetFetch", &["UNSTABLE_OFFSET_COMMIT"; 6])?;
    let mut stored = TopicPartitionList::new();
    stored.add_partition_offset("t", 0, Offset::Stored)?;
    reader.consumer.assign(&stored)?;
    reader.expect(&numbers(10)[5..])
}
