//! Rules by which a broker in a test breaks on purpose: which requests they are for, and what happens to those.
//!
//! A [`Board`] holds the rules of one broker. Shards ask it about each request while there is any rule; the HTTP side adds
//! rules and takes them away. The first rule in their order that is for a request strikes it, others do not see it. What
//! happens then is the server's to do. Without `klamm.faults` there is no board.
//!
//! The verbs are a superset of those of franz-go's `kfake` (Control, SleepControl) and of librdkafka's mock cluster
//! (`rd_kafka_mock_push_request_errors`, `…_broker_push_request_error_rtts`).

mod accusation;
mod rule;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

pub use self::accusation::accuse;
pub use self::rule::{Deed, FaultRule, RequestFacts};
use crate::model::Instant;
use crate::replica::view::View;
use crate::stdx::mutex::Mutex;

/// Rules of one broker at most.
const MOST_RULES: usize = 1000;

/// A request that a rule has struck.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Struck {
    pub rule: u64,
    /// The how many-th that the rule has struck, from 1 on.
    pub nth: u64,
    pub deed: Deed,
    /// It happens to the answer, when the request has had its effect.
    pub is_after: bool,
    /// How long the request, or its answer, waits before that.
    pub delay_ms: u32,
}

impl Struck {
    /// What is left of it when the delay is over.
    pub fn without_delay(self) -> Option<Struck> {
        (self.deed != Deed::Delay).then_some(Struck { delay_ms: 0, ..self })
    }
}

#[derive(Default)]
struct Rules {
    last: u64,
    all: Vec<(u64, FaultRule)>,
}

/// The rules of one broker.
#[derive(Default)]
pub struct Board {
    count: AtomicUsize,
    rules: Mutex<Rules>,
}

impl Board {
    /// Whether there is anything to be asked: what a request costs while there is no rule.
    pub fn is_on(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Adds rules behind those that are there, all or none; answers their ids. Where there is no room, the oldest go that are over.
    /// `view` is what the cluster looks like now.
    pub fn add(&self, new: Vec<FaultRule>, view: &Arc<View>, now: Instant) -> Result<Vec<u64>, String> {
        let mut rules = self.rules.lock();
        let mut lacking = (rules.all.len() + new.len()).saturating_sub(MOST_RULES);
        if lacking > rules.all.iter().filter(|(_, rule)| rule.is_done(now)).count() {
            return Err(format!("there are {MOST_RULES} rules at most"));
        }
        rules.all.retain(|(_, rule)| {
            let goes = lacking > 0 && rule.is_done(now);
            lacking -= usize::from(goes);
            !goes
        });
        let mut ids = Vec::new();
        for mut rule in new {
            rule.as_of = (rule.deed == Deed::Stale).then(|| view.clone());
            rules.last += 1;
            let id = rules.last;
            rules.all.push((id, rule));
            ids.push(id);
        }
        self.count.store(rules.all.len(), Ordering::Relaxed);
        Ok(ids)
    }

    /// Takes rules away, all of them without an id; what they hold goes on. Answers how many there were.
    pub fn remove(&self, id: Option<u64>) -> usize {
        let mut rules = self.rules.lock();
        let before = rules.all.len();
        rules.all.retain(|(of, _)| id.is_some_and(|id| id != *of));
        self.count.store(rules.all.len(), Ordering::Relaxed);
        before - rules.all.len()
    }

    /// Lets go on what a rule holds, or what all of them hold; answers whether there is such a rule.
    pub fn release(&self, id: Option<u64>) -> bool {
        let mut rules = self.rules.lock();
        let mut found = false;
        for (_, rule) in rules.all.iter_mut().filter(|(of, _)| id.is_none_or(|id| id == *of)) {
            rule.release();
            found = true;
        }
        found
    }

    /// Whether what a rule held goes on: it was released since, or the rule is gone.
    pub fn is_released(&self, struck: &Struck) -> bool {
        let rules = self.rules.lock();
        let rule = rules.all.iter().find(|(id, _)| *id == struck.rule);
        rule.is_none_or(|(_, rule)| rule.has_released(struck.nth))
    }

    /// The rule that strikes a request, if one does.
    pub fn strike(&self, facts: &RequestFacts<'_>, now: Instant) -> Option<Struck> {
        let mut rules = self.rules.lock();
        rules.all.iter_mut().find_map(|(id, rule)| {
            let nth = rule.strike(facts, now)?;
            Some(Struck { rule: *id, nth, deed: rule.deed, is_after: rule.is_after, delay_ms: rule.delay_ms })
        })
    }

    /// Whether a rule is for a topic, by its name or its id, and for which partition; `None`: it is gone.
    pub fn scope(&self, id: u64) -> Option<(Option<String>, Option<i64>)> {
        let rules = self.rules.lock();
        let rule = rules.all.iter().find(|(of, _)| *of == id);
        rule.map(|(_, rule)| rule.scope())
    }

    /// Puts into a list of ApiVersions what a rule offers.
    pub fn offer(&self, id: u64, api_keys: &mut Vec<Value>) {
        let rules = self.rules.lock();
        if let Some((_, rule)) = rules.all.iter().find(|(of, _)| *of == id) {
            rule.offer(api_keys);
        }
    }

    /// What the cluster looked like when a rule was added that shows that.
    pub fn as_of(&self, id: u64) -> Option<Arc<View>> {
        let rules = self.rules.lock();
        let rule = rules.all.iter().find(|(of, _)| *of == id);
        rule.and_then(|(_, rule)| rule.as_of.clone())
    }

    /// The rules with what they have done. A rule that is over is shown until its place is needed.
    pub fn show(&self, now: Instant) -> Vec<Value> {
        self.rules.lock().all.iter().map(|(id, rule)| rule.show(*id, now)).collect()
    }
}

#[cfg(test)]
mod tests;
