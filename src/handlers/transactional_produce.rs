//! A Produce with a transactional id: the partitions in which its transaction is not open yet are admitted first, which may
//! have to wait; then it is appended as any other (`ReplicaManager.handleProduceAppend`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::produce::{self, Asked};
use super::transactional::{self, ADMISSION_TIMEOUT, Form, Known, Seen, Writer};
use super::{Head, Outcome, Parked, Polled, State};
use crate::coordinator::machine::Producer;
use crate::coordinator::transactions::TopicPartition;
use crate::coordinator_runtime::TransactionCoordinator;
use crate::model::{ErrorCode, Instant};
use crate::record::header::Header;
use crate::replica::partition::{Partition, Refused};
use crate::shard::context::Context;
use crate::storage::log::Admission;
use crate::wire::produce::RequestView;

/// The first version whose clients know TRANSACTION_ABORTABLE, and the first that adds its partitions.
const ABORTABLE_SINCE: i16 = 11;
const ADDS_SINCE: i16 = 12;

/// What a request has waited for.
struct Waited {
    since: Instant,
    seen: Option<Seen>,
}

/// A produce whose coordinator is not ready.
pub struct Waiting {
    head: Head,
    client_id: String,
    body: Vec<u8>,
    denied: Vec<usize>,
    transactional_id: String,
    coordinator: Arc<TransactionCoordinator>,
    waited: Waited,
}

/// Whether a partition takes the request's batch.
enum Verdict {
    Admitted(Admission),
    Refused(Refused),
}

/// A batch that its partition takes only when the coordinator knows of it.
struct Batch {
    partition: Arc<Partition>,
    header: Header,
}

pub(super) fn handle(
    state: &mut State,
    context: &mut Context<'_>,
    asked: Asked<'_>,
    view: &RequestView<'_>,
) -> Outcome {
    let waited = Waited { since: context.now, seen: None };
    go_on(state, context, asked, view, waited)
}

fn go_on(
    state: &mut State,
    context: &mut Context<'_>,
    asked: Asked<'_>,
    view: &RequestView<'_>,
    waited: Waited,
) -> Outcome {
    let mut admitted = Admitted::new(asked.head.version, view.transactional_id.unwrap_or_default());
    if !admitted.look(context, asked, view) {
        let message = Some("Transactional records contained more than one producer ID".to_string());
        let refused = Refused { message, ..ErrorCode::InvalidProducerIdMapping.into() };
        return produce::refuse_all(state, asked, view, &refused);
    }
    match admitted.ask(context, &waited) {
        Ok(Ask::Ready) => {}
        Ok(Ask::Wait { coordinator, seen, deadline }) => {
            let watched = vec![coordinator.partition.number];
            let mut waiting = Box::new(Waiting {
                head: asked.head,
                client_id: asked.client_id.to_string(),
                body: asked.body.to_vec(),
                denied: asked.denied.to_vec(),
                transactional_id: admitted.transactional_id.to_string(),
                coordinator,
                waited: Waited { seen, ..waited },
            });
            return waiting.poll(state, context, false, true).or_wait(|| Outcome::Wait {
                parked: Parked::Transactional(waiting),
                deadline,
                watched,
            });
        }
        Err(error) => admitted.refuse_all(error),
    }
    admitted.append(state, context, asked, view)
}

/// What is known of a request's partitions when the coordinator was asked.
enum Ask {
    /// Each is admitted or refused.
    Ready,
    /// What was seen must be committed first; without it, the transaction before must end.
    Wait { coordinator: Arc<TransactionCoordinator>, seen: Option<Seen>, deadline: Instant },
}

/// What a request's partitions need, and what they got.
struct Admitted<'a> {
    transactional_id: &'a str,
    form: Form,
    producer: Option<Producer>,
    needing: BTreeMap<TopicPartition, Batch>,
    verdicts: BTreeMap<TopicPartition, Verdict>,
    /// What the coordinator has shown.
    known: Option<(Arc<TransactionCoordinator>, Seen)>,
}

impl<'a> Admitted<'a> {
    fn new(version: i16, transactional_id: &'a str) -> Admitted<'a> {
        let form = Form::of(version, ABORTABLE_SINCE, ADDS_SINCE);
        let (needing, verdicts) = (BTreeMap::new(), BTreeMap::new());
        Admitted { transactional_id, form, producer: None, needing, verdicts, known: None }
    }

    /// Finds the partitions that must be admitted; `false` if the request is of more than one producer.
    fn look(&mut self, context: &mut Context<'_>, asked: Asked<'_>, view: &RequestView<'_>) -> bool {
        let settings = || context.shared.transactions().settings(context.view);
        let is_verified = self.form == Form::Adds || settings().transactions.verifies_partitions;
        for (place, topic) in view.topics().enumerate() {
            for of in topic.partitions() {
                let header = Header::parse(of.records.unwrap_or_default());
                let Some(header) = header.filter(|header| header.has_producer_id() && header.is_transactional()) else {
                    continue;
                };
                let Ok(partition) = produce::find(context, asked, view, (place, &topic), of.index) else { continue };
                let producer = Producer { id: header.producer_id, epoch: header.producer_epoch };
                if *self.producer.get_or_insert(producer) != producer {
                    return false;
                }
                let key = (partition.topic.clone(), partition.index.0);
                if !is_verified {
                    self.verdicts.insert(key, Verdict::Admitted(Admission::Verified));
                    continue;
                }
                match partition.has_open_transaction(producer.id, producer.epoch) {
                    Ok(true) => {}
                    Ok(false) => drop(self.needing.insert(key, Batch { partition, header })),
                    Err(refused) => drop(self.verdicts.insert(key, Verdict::Refused(refused.error.into()))),
                }
            }
        }
        true
    }

    fn writer(&self) -> Option<Writer<'a>> {
        self.producer.map(|producer| Writer { transactional_id: self.transactional_id, producer, form: self.form })
    }

    /// Asks the coordinator for what is needed.
    fn ask(&mut self, context: &mut Context<'_>, waited: &Waited) -> Result<Ask, ErrorCode> {
        let Some(writer) = self.writer().filter(|_| !self.needing.is_empty()) else { return Ok(Ask::Ready) };
        let partitions: Vec<TopicPartition> = self.needing.keys().cloned().collect();
        let Known { coordinator, seen, errors } = match writer.ask(context, &partitions) {
            Err(ErrorCode::ConcurrentTransactions) if self.form == Form::Adds => {
                return self.wait_for_the_end(context, waited);
            }
            asked => asked?,
        };
        for (partition, error) in partitions.into_iter().zip(errors) {
            if error.is_error() {
                self.refuse(partition, error);
            }
        }
        if self.needing.is_empty() {
            return Ok(Ask::Ready);
        }
        let deadline = waited.since + ADMISSION_TIMEOUT;
        match seen.clone().lacks(waited.seen.as_ref())? {
            Some(_) if context.now >= deadline => Err(ErrorCode::CoordinatorNotAvailable),
            Some(lacking) => Ok(Ask::Wait { coordinator, seen: Some(lacking), deadline }),
            None => {
                self.known = Some((coordinator, seen));
                Ok(Ask::Ready)
            }
        }
    }

    /// The producer's transaction before this one is ending: that takes no longer than it is worth waiting for, as a rule
    /// (`add.partitions.to.txn.retry.backoff.max.ms`).
    fn wait_for_the_end(&self, context: &Context<'_>, waited: &Waited) -> Result<Ask, ErrorCode> {
        let settings = context.shared.transactions().settings(context.view);
        let deadline = waited.since + settings.transactions.add_timeout;
        if context.now >= deadline {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let coordinator = transactional::coordinator(context, self.transactional_id)?;
        Ok(Ask::Wait { coordinator, seen: None, deadline })
    }

    fn refuse_all(&mut self, error: ErrorCode) {
        for partition in self.needing.keys().cloned().collect::<Vec<_>>() {
            self.refuse(partition, error);
        }
    }

    fn refuse(&mut self, partition: TopicPartition, error: ErrorCode) {
        let Some(Batch { partition: log, header }) = self.needing.remove(&partition) else { return };
        let refused = told(error, self.form);
        // If the client sends it again, what it has sent behind it must not get in before (`VerificationStateEntry`).
        log.note_unverified(&header);
        self.verdicts.insert(partition, Verdict::Refused(refused));
    }

    /// Appends what is admitted while its transaction is seen to be open, and the rest as it comes.
    fn append(self, state: &mut State, context: &mut Context<'_>, asked: Asked<'_>, view: &RequestView<'_>) -> Outcome {
        let (writer, form, version, now) = (self.writer(), self.form, asked.head.version, context.wall);
        let Admitted { needing, mut verdicts, known, .. } = self;
        verdicts.extend(needing.into_keys().map(|partition| (partition, Verdict::Admitted(form.admission()))));
        produce::append_all(state, context, asked, view, |partition, records| {
            let key = (partition.topic.clone(), partition.index.0);
            let admission = match verdicts.remove(&key) {
                None => Admission::None,
                Some(Verdict::Refused(refused)) => return Err(refused),
                Some(Verdict::Admitted(admission)) => admission,
            };
            let (Some(writer), Some((coordinator, seen))) = (&writer, &known) else {
                return partition.append(version, records, now, admission);
            };
            let appended = coordinator.look(|machine| {
                let is_open = admission != Admission::None && writer.is_open(machine, seen, &key);
                partition.append(version, records, now, if is_open { admission } else { Admission::None })
            });
            appended.map_err(|error| told(error, form))?.0
        })
    }
}

/// What the client is told of a partition that is not admitted. A retriable error that older clients may not expect becomes
/// one that they try again without asking for metadata.
fn told(error: ErrorCode, form: Form) -> Refused {
    let message = match error {
        ErrorCode::InvalidTxnState => Some("Partition was not added to the transaction".to_string()),
        ErrorCode::CoordinatorLoadInProgress | ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => {
            return unverified(error);
        }
        ErrorCode::ConcurrentTransactions if form != Form::Adds => return unverified(error),
        _ => None,
    };
    Refused { message, ..error.into() }
}

fn unverified(error: ErrorCode) -> Refused {
    let why = "Unable to verify the partition has been added to the transaction. Underlying error:";
    Refused { message: Some(format!("{why} {}", error.name())), ..ErrorCode::NotEnoughReplicas.into() }
}

impl Waiting {
    pub(super) fn poll(&mut self, state: &mut State, context: &mut Context<'_>, expired: bool, asks: bool) -> Polled {
        if asks {
            self.coordinator.partition.waiting.add(context.shard);
        }
        let is_ready = match &self.waited.seen {
            Some(seen) => seen.is_committed() != Ok(false),
            None => {
                self.coordinator.look(|machine| machine.is_prepared(&self.transactional_id)).is_ok_and(|(is, _)| !is)
            }
        };
        if !is_ready && !expired && !self.coordinator.has_ended() {
            return Polled::Wait;
        }
        let waited = Waited { seen: self.waited.seen.take(), ..self.waited };
        let asked = Asked { head: self.head, client_id: &self.client_id, body: &self.body, denied: &self.denied };
        let outcome = match RequestView::parse(asked.body, asked.head.version) {
            Ok(view) => go_on(state, context, asked, &view, waited),
            Err(error) => Outcome::Close(format!("a produce that waited cannot be read: {error}")),
        };
        Polled::Again(Box::new(outcome))
    }
}
