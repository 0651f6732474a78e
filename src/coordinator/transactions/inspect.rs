//! DescribeTransactions and ListTransactions (KIP-664): what the coordinator knows.

use std::collections::{BTreeMap, BTreeSet};

use super::state::State;
use super::{Transaction, Transactions};
use crate::coordinator::machine::Producer;
use crate::model::{ErrorCode, TimestampMs};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    pub state: State,
    pub producer: Producer,
    pub timeout_ms: i32,
    /// -1 if there was none yet.
    pub start_ms: i64,
    /// The partitions of the transaction by topic.
    pub topics: BTreeMap<String, Vec<i32>>,
}

/// One line of ListTransactions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedTransaction {
    pub transactional_id: String,
    pub producer_id: i64,
    pub state: State,
}

/// What is to be listed; what is empty lets everything through.
pub struct Filter<'a> {
    pub producer_ids: BTreeSet<i64>,
    /// `None` lets every state through; states that Kafka knows and no id can have let nothing through.
    pub states: Option<Vec<State>>,
    /// Transactions that began longer ago than this; negative lets everything through (KIP-994).
    pub duration_ms: i64,
    /// KIP-1152
    pub matches_id: &'a dyn Fn(&str) -> bool,
    pub now: TimestampMs,
}

impl Filter<'_> {
    fn lets_through(&self, id: &str, transaction: &Transaction) -> bool {
        let age = self.now.0.saturating_sub(transaction.start_ms);
        (self.producer_ids.is_empty() || self.producer_ids.contains(&transaction.producer_id))
            && self.states.as_ref().is_none_or(|states| states.contains(&transaction.state))
            && (self.duration_ms < 0 || age > self.duration_ms)
            && (self.matches_id)(id)
    }
}

impl Transactions {
    pub fn describe(&self, transactional_id: &str) -> Result<Described, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let known = self.by_id.get(transactional_id).ok_or(ErrorCode::TransactionalIdNotFound)?;
        let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in &known.partitions {
            match topics.get_mut(&**topic) {
                Some(partitions) => partitions.push(*partition),
                None => drop(topics.insert(topic.to_string(), vec![*partition])),
            }
        }
        let (state, producer) = (known.state, known.producer());
        Ok(Described { state, producer, timeout_ms: known.timeout_ms, start_ms: known.start_ms, topics })
    }

    pub fn list(&self, filter: &Filter<'_>) -> Vec<ListedTransaction> {
        let listed = self.by_id.iter().filter(|(id, transaction)| filter.lets_through(id, transaction));
        let listed = listed.map(|(id, transaction)| ListedTransaction {
            transactional_id: id.to_string(),
            producer_id: transaction.producer_id,
            state: transaction.state,
        });
        listed.collect()
    }
}
