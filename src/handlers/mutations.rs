//! What clients may change of the cluster's topics: partitions that are made or deleted are counted against
//! `controller_mutation_rate` (KIP-599).
//!
//! Asked before a change is handed to the metadata thread. Newer requests are refused item by item once a client has used
//! too much; older ones, which do not know that error, are done and throttled (`ControllerMutationQuotaManager`). What the
//! metadata thread then refuses is given back.

use std::collections::BTreeMap;

use super::{Answer, Request};
use crate::metadata::TopicResult;
use crate::model::{ErrorCode, Instant, Refusal};
use crate::security::quota::Kind;
use crate::shard::context::Context;
use crate::shard::quotas::Metered;

/// What a request may change.
pub(super) struct Mutations {
    metered: Option<Metered>,
    is_strict: bool,
    began: Instant,
    throttle_ms: u32,
    /// The partitions that topics were granted, by name.
    granted: BTreeMap<String, usize>,
}

impl Mutations {
    /// `strict_since` is the first version that can be told THROTTLING_QUOTA_EXCEEDED.
    pub(super) fn of(context: &Context<'_>, request: &Request<'_>, strict_since: i16) -> Mutations {
        let metered = context.meter(Kind::Mutation, request.session, request.client_id);
        let is_strict = request.head.version >= strict_since;
        Mutations { metered, is_strict, began: context.now, throttle_ms: 0, granted: BTreeMap::new() }
    }

    /// Asks for the partitions of each topic; takes out those that are too many, and answers with their results.
    pub(super) fn grant<T, R>(
        &mut self,
        topics: &mut Vec<T>,
        asked: impl Fn(&T) -> (&String, usize),
    ) -> Vec<TopicResult<R>> {
        let mut throttled = Vec::new();
        topics.retain(|topic| {
            let (name, partitions) = asked(topic);
            match self.take(partitions) {
                Ok(()) => {
                    *self.granted.entry(name.clone()).or_insert(0) += partitions;
                    true
                }
                Err(refusal) => {
                    throttled.push(TopicResult { name: name.clone(), result: Err(refusal) });
                    false
                }
            }
        });
        throttled
    }

    /// Gives back what those topics were granted that the metadata thread has refused.
    pub(super) fn give_back_refused<R>(&self, now: Instant, results: &[TopicResult<R>]) {
        let refused = results.iter().filter(|topic| topic.result.is_err());
        self.give_back(now, refused.map(|topic| self.granted.get(&topic.name).copied().unwrap_or(0)).sum());
    }

    /// Asks for so many partitions.
    pub(super) fn take(&mut self, partitions: usize) -> Result<(), Refusal> {
        let Some(metered) = self.metered.as_ref().filter(|_| partitions > 0) else { return Ok(()) };
        let value = partitions as f64;
        if !self.is_strict {
            self.throttle_ms = metered.charge(value, self.began);
            return Ok(());
        }
        metered.take(value, self.began).map_err(|throttle_ms| {
            self.throttle_ms = throttle_ms;
            Refusal::of(ErrorCode::ThrottlingQuotaExceeded)
        })
    }

    /// What was refused by others has changed nothing.
    pub(super) fn give_back(&self, now: Instant, partitions: usize) {
        if let Some(metered) = self.metered.as_ref().filter(|_| partitions > 0) {
            metered.charge(-(partitions as f64), now);
        }
    }

    /// The answer, with what is left of the time for which its client is throttled.
    pub(super) fn throttle(&self, now: Instant, answer: Answer) -> Answer {
        let passed = u32::try_from(now.since(self.began).as_millis()).unwrap_or(u32::MAX);
        Answer { throttle_ms: self.throttle_ms.saturating_sub(passed), ..answer }
    }
}
