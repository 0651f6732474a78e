//! Transactions that do not go well: what must be aborted, what is fatal, and who is fenced.

use crate::scenarios;
use crate::stage::{Sender, Stage, code, numbers};
use crate::transactions::send_offsets;
use compat_tests::http::PATIENCE;
use compat_tests::{Context, Result, bail, ensure};
use rdkafka::error::{KafkaError, RDKafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::Producer;
use serde_json::json;

scenarios! { "librdkafka";
    an_unknown_producer_aborts_a_transaction: "librdkafka 0105 `do_test_txn_fatal_idempo_errors`",
        "`error` UNKNOWN_PRODUCER_ID for a Produce: the commit must be an abort, and the next transaction goes through";
    an_order_that_is_lost_aborts_a_transaction: "librdkafka 0105 `do_test_out_of_order_seq`",
        "`error` NOT_LEADER_OR_FOLLOWER twice, then OUT_OF_ORDER_SEQUENCE_NUMBER, with three records in flight: no new epoch before the abort";
    a_producer_that_cannot_begin_anew_is_fenced: "librdkafka 0105 `do_test_txn_fenced_reinit`",
        "UNKNOWN_PRODUCER_ID for a Produce, INVALID_PRODUCER_EPOCH or PRODUCER_FENCED for the InitProducerId behind it: fatal";
    an_abort_that_is_fenced_is_fatal: "librdkafka 0105 `do_test_txn_fenced_abort`",
        "UNKNOWN_PRODUCER_ID for a Produce, PRODUCER_FENCED for the EndTxn behind it: fatal, and no InitProducerId follows";
    ends_fail_by_their_errors: "librdkafka 0105 `do_test_txn_endtxn_errors`",
        "eleven `error`s of EndTxn, for commits and aborts: what is retried, must be aborted, is fatal";
    each_step_can_require_an_abort: "librdkafka 0105 `do_test_txn_requires_abort_errors`",
        "authorization errors of Produce, AddPartitionsToTxn, AddOffsetsToTxn and TxnOffsetCommit, an abort behind each";
    a_beginning_that_is_not_allowed_is_fatal: "librdkafka 0105 `do_test_txn_auth_failure`",
        "`error` CLUSTER_AUTHORIZATION_FAILED of InitProducerId and of FindCoordinator";
    a_broker_without_transactions_is_told_apart: "librdkafka 0105 `do_test_txns_not_supported`",
        "`offer` without InitProducerId: the beginning fails, and so does each record";
    a_record_that_times_out_fails_its_commit: "librdkafka 0105 `do_test_commit_after_msg_timeout`",
        "`hold` for AddPartitionsToTxn for longer than `message.timeout.ms`: the commit must be an abort, the next transaction goes through";
    a_second_producer_fences_the_first: "librdkafka 0103 `do_test_fenced_txn`",
        "the deed `fence_producer` in an open transaction: the commit is fatal, nothing of it is seen";
    a_record_of_an_ended_epoch_is_refused: "franz-go kfake `TestTxnInitProducerIDAbortOngoing`",
        "two producers with one id: the second's beginning aborts what the first has open, and the first one's next record is fatal";
}

fn of_transaction(result: Result<(), KafkaError>) -> Result<RDKafkaError> {
    match result {
        Err(KafkaError::Transaction(error)) => Ok(error),
        other => bail!("{other:?} is no error of a transaction"),
    }
}

fn must_abort(result: Result<(), KafkaError>) -> Result<()> {
    let error = of_transaction(result)?;
    ensure!(error.txn_requires_abort() && !error.is_fatal() && !error.is_retriable(), "{error:?}");
    Ok(())
}

fn is_fatal(result: Result<(), KafkaError>) -> Result<RDKafkaError> {
    let error = of_transaction(result)?;
    ensure!(error.is_fatal() && !error.txn_requires_abort() && !error.is_retriable(), "{error:?}");
    Ok(error)
}

/// A transaction with a record that is acknowledged and one that is refused so.
fn refused(stage: &Stage, error: &str) -> Result<Sender> {
    let sender = stage.transactional(&[("batch.num.messages", "1")])?;
    sender.producer.begin_transaction()?;
    sender.send("kept")?;
    sender.flush()?;
    stage.errors("Produce", &[error])?;
    sender.send("refused")?;
    sender.wait(2)?;
    Ok(sender)
}

fn an_unknown_producer_aborts_a_transaction() -> Result<()> {
    let stage = Stage::one()?;
    let sender = refused(&stage, "UNKNOWN_PRODUCER_ID")?;
    must_abort(sender.producer.commit_transaction(PATIENCE))?;
    sender.producer.abort_transaction(PATIENCE)?;
    sender.transaction("0")?;
    stage.expect(&numbers(1))
}

fn an_order_that_is_lost_aborts_a_transaction() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.transactional(&[("batch.num.messages", "1")])?;
    sender.producer.begin_transaction()?;
    sender.send("a")?;
    sender.flush()?;
    let slow = stage.fault(json!({ "match": { "api": "Produce" }, "action": { "hold": true }, "count": 1 }))?;
    stage.errors("Produce", &["NOT_LEADER_OR_FOLLOWER", "OUT_OF_ORDER_SEQUENCE_NUMBER"])?;
    for value in ["b", "c", "d"] {
        sender.send(value)?;
    }
    slow.until_struck(1)?;
    slow.release()?;
    sender.wait(4)?;
    let error = sender.try_send("t", "e").err().and_then(|error| error.rdkafka_error_code());
    ensure!(error == Some(Code::State), "{error:?}");
    ensure!(stage.count("api=InitProducerId")? == 1, "no other epoch in a transaction");
    must_abort(sender.producer.commit_transaction(PATIENCE))?;
    sender.producer.abort_transaction(PATIENCE)?;
    sender.transaction("0")?;
    stage.expect(&numbers(1))
}

fn a_producer_that_cannot_begin_anew_is_fenced() -> Result<()> {
    for error in ["INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED"] {
        let stage = Stage::one()?;
        let sender = stage.transactional(&[("batch.num.messages", "1")])?;
        sender.producer.begin_transaction()?;
        sender.send("kept")?;
        sender.flush()?;
        stage.errors("InitProducerId", &[error])?;
        stage.errors("Produce", &["UNKNOWN_PRODUCER_ID"])?;
        sender.send("refused")?;
        sender.wait(2)?;
        is_fatal(sender.producer.abort_transaction(PATIENCE))?;
        let (fatal, _) = sender.producer.client().fatal_error().context("a fatal error")?;
        ensure!(fatal == Code::Fenced, "{error}: {fatal:?}");
    }
    Ok(())
}

fn an_abort_that_is_fenced_is_fatal() -> Result<()> {
    for error in ["INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED"] {
        let stage = Stage::one()?;
        let sender = refused(&stage, "UNKNOWN_PRODUCER_ID")?;
        stage.errors("EndTxn", &[error])?;
        is_fatal(sender.producer.abort_transaction(PATIENCE))?;
        ensure!(sender.producer.client().fatal_error().is_some(), "{error}: a fatal error");
        ensure!(stage.count("api=InitProducerId")? == 1, "{error}: it does not begin anew");
    }
    Ok(())
}

/// What becomes of an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Done,
    /// A commit must be aborted, an abort is done.
    AbortDone,
    MustAbort,
    Fatal,
}

const ENDS: &[(&str, usize, End)] = &[
    ("COORDINATOR_NOT_AVAILABLE", 2, End::Done),
    ("NOT_COORDINATOR", 2, End::Done),
    ("COORDINATOR_LOAD_IN_PROGRESS", 1, End::Done),
    ("CONCURRENT_TRANSACTIONS", 3, End::Done),
    ("UNKNOWN_PRODUCER_ID", 1, End::AbortDone),
    ("INVALID_PRODUCER_ID_MAPPING", 1, End::AbortDone),
    ("INVALID_PRODUCER_EPOCH", 1, End::Fatal),
    ("PRODUCER_FENCED", 1, End::Fatal),
    ("TRANSACTIONAL_ID_AUTHORIZATION_FAILED", 1, End::Fatal),
    ("GROUP_AUTHORIZATION_FAILED", 1, End::MustAbort),
    ("INVALID_FETCH_SIZE", 1, End::MustAbort),
];

fn ends_fail_by_their_errors() -> Result<()> {
    let stage = Stage::one()?;
    let (mut sender, mut committed) = (stage.transactional(&[])?, Vec::new());
    for (number, (error, count, expected)) in ENDS.iter().enumerate() {
        for commits in [true, false] {
            let value = format!("{number}");
            sender.producer.begin_transaction()?;
            sender.send(&value)?;
            sender.flush()?;
            send_offsets(&stage, &sender)??;
            stage.errors("EndTxn", &vec![*error; *count])?;
            let ended = match commits {
                true => sender.producer.commit_transaction(PATIENCE),
                false => sender.producer.abort_transaction(PATIENCE),
            };
            let what = || format!("{error} at {}", if commits { "a commit" } else { "an abort" });
            match (expected, commits) {
                (End::Done, _) | (End::AbortDone, false) => {
                    ended.with_context(what)?;
                    committed.extend(Some(value).filter(|_| commits && *expected == End::Done));
                }
                (End::AbortDone, true) | (End::MustAbort, _) => {
                    must_abort(ended).with_context(what)?;
                    sender.producer.abort_transaction(PATIENCE).with_context(what)?;
                }
                (End::Fatal, _) => {
                    is_fatal(ended).with_context(what)?;
                    sender = stage.transactional(&[])?;
                }
            }
        }
    }
    stage.expect(&committed)
}

fn each_step_can_require_an_abort() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.transactional(&[])?;
    let abort = |step: &str| sender.producer.abort_transaction(PATIENCE).with_context(|| step.to_string());
    sender.producer.begin_transaction()?;
    stage.errors("Produce", &["TOPIC_AUTHORIZATION_FAILED"])?;
    sender.send("a")?;
    sender.wait(1)?;
    must_abort(send_offsets(&stage, &sender)?)?;
    abort("Produce")?;
    // The topic is known to be forbidden until it is asked for again.
    sender.producer.client().fetch_metadata(Some("t"), PATIENCE)?;
    sender.producer.begin_transaction()?;
    stage.errors("AddPartitionsToTxn", &["TOPIC_AUTHORIZATION_FAILED"])?;
    sender.send("b")?;
    must_abort(sender.producer.commit_transaction(PATIENCE))?;
    abort("AddPartitionsToTxn")?;
    for step in ["AddOffsetsToTxn", "TxnOffsetCommit"] {
        sender.producer.client().fetch_metadata(Some("t"), PATIENCE)?;
        sender.producer.begin_transaction()?;
        sender.send(step)?;
        sender.flush()?;
        stage.errors(step, &["GROUP_AUTHORIZATION_FAILED"])?;
        must_abort(send_offsets(&stage, &sender)?)?;
        abort(step)?;
    }
    sender.transaction("0")?;
    stage.expect(&numbers(1))
}

fn a_beginning_that_is_not_allowed_is_fatal() -> Result<()> {
    for api in ["InitProducerId", "FindCoordinator"] {
        let stage = Stage::one()?;
        stage.errors(api, &["CLUSTER_AUTHORIZATION_FAILED"])?;
        let sender = stage.producer(&[("transactional.id", "x")])?;
        let error = is_fatal(sender.producer.init_transactions(PATIENCE)).with_context(|| api.to_string())?;
        ensure!(error.code() == Code::ClusterAuthorizationFailed, "{api}: {error:?}");
    }
    Ok(())
}

fn a_broker_without_transactions_is_told_apart() -> Result<()> {
    let stage = Stage::one()?;
    stage.fault(json!({ "match": { "api": "ApiVersions" }, "action": { "offer": { "InitProducerId": null } } }))?;
    let sender = stage.producer(&[("transactional.id", "x")])?;
    let error = is_fatal(sender.producer.init_transactions(PATIENCE))?;
    ensure!(error.code() == Code::UnsupportedFeature, "{error:?}");
    let error = code(sender.try_send("t", "a"))?;
    ensure!(error == Code::Fatal, "{error:?}");
    Ok(())
}

fn a_record_that_times_out_fails_its_commit() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.transactional(&[("message.timeout.ms", "1000"), ("transaction.timeout.ms", "10000")])?;
    sender.transaction("0")?;
    sender.producer.begin_transaction()?;
    // The record is not sent before its partition is in the transaction.
    let held = stage.fault(json!({ "match": { "api": "AddPartitionsToTxn" }, "action": { "hold": true } }))?;
    sender.send("lost")?;
    must_abort(sender.producer.commit_transaction(PATIENCE))?;
    ensure!(held.struck()? == 1, "it was asked for");
    held.remove()?;
    sender.producer.abort_transaction(PATIENCE)?;
    let last = sender.told().deliveries().pop().context("a report")?;
    ensure!(last == ("lost".into(), Err(Code::MessageTimedOut)), "{last:?}");
    sender.transaction("1")?;
    stage.expect(&numbers(2))
}

fn a_second_producer_fences_the_first() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.transactional(&[])?;
    sender.producer.begin_transaction()?;
    sender.send("a")?;
    sender.flush()?;
    stage.deed(json!({ "fence_producer": { "transactional_id": "x" } }))?;
    is_fatal(sender.producer.commit_transaction(PATIENCE))?;
    let (fatal, _) = sender.producer.client().fatal_error().context("a fatal error")?;
    ensure!(fatal == Code::Fenced, "{fatal:?}");
    stage.expect(&[])
}

fn a_record_of_an_ended_epoch_is_refused() -> Result<()> {
    let stage = Stage::one()?;
    let first = stage.transactional(&[])?;
    first.producer.begin_transaction()?;
    first.send("a")?;
    first.flush()?;
    let second = stage.transactional(&[])?;
    first.send("b")?;
    first.wait(2)?;
    let (fatal, _) = first.producer.client().fatal_error().context("a fatal error")?;
    ensure!(fatal == Code::Fenced, "{fatal:?}");
    second.transaction("0")?;
    stage.expect(&numbers(1))
}
