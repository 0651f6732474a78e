//! What every client was promised, and whether it was kept. Pure: it is told what clients saw and what befell the broker,
//! and knows neither the broker nor the simulated machine.

pub(super) mod groups;
pub(super) mod offsets;
pub(super) mod records;
#[cfg(test)]
mod tests;
pub(super) mod transactions;

use std::collections::BTreeMap;

use uuid::Uuid;

use self::groups::Ownership;
use self::offsets::Offsets;
use self::records::Records;
use self::transactions::Transactions;
use super::history::Object;

/// A promise that was not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Violation {
    pub(super) rule: &'static str,
    pub(super) objects: Vec<Object>,
    pub(super) text: String,
}

/// A rule, and how it was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wrong(pub(super) &'static str, pub(super) String);

pub(super) fn wrong<T>(rule: &'static str, text: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong(rule, text.into()))
}

/// A partition by its topic's id: a topic of the same name that comes later is another one.
pub(super) type Key = (Uuid, i32);

#[derive(Default)]
pub(super) struct Oracle {
    pub(super) violations: Vec<Violation>,
    names: BTreeMap<Uuid, String>,
    records: BTreeMap<Key, Records>,
    groups: BTreeMap<String, Ownership>,
    offsets: BTreeMap<String, Offsets>,
    pub(super) transactions: Transactions,
}

impl Oracle {
    pub(super) fn violate(&mut self, rule: &'static str, objects: &[Object], text: String) {
        self.violations.push(Violation { rule, objects: objects.to_vec(), text });
    }

    pub(super) fn name_topic(&mut self, id: Uuid, name: &str) {
        self.names.insert(id, name.to_string());
    }

    fn object(&self, key: Key) -> Object {
        Object::Partition(self.names.get(&key.0).cloned().unwrap_or_else(|| key.0.to_string()), key.1)
    }

    pub(super) fn records(&mut self, key: Key) -> &mut Records {
        self.records.entry(key).or_default()
    }

    pub(super) fn is_hole(&self, key: Key, span: std::ops::Range<i64>) -> bool {
        self.records.get(&key).is_some_and(|records| records.is_hole(span))
    }

    pub(super) fn offsets(&mut self, group: &str) -> &mut Offsets {
        self.offsets.entry(group.to_string()).or_default()
    }

    /// Asks a partition's records, and keeps what is wrong.
    pub(super) fn judge(&mut self, key: Key, judge: impl FnOnce(&mut Records) -> Result<(), Wrong>) {
        if let Err(wrong) = judge(self.records(key)) {
            let object = self.object(key);
            self.violate(wrong.0, &[object], wrong.1);
        }
    }

    pub(super) fn judge_transactions(
        &mut self,
        objects: &[Object],
        judge: impl FnOnce(&mut Transactions) -> Result<(), Wrong>,
    ) {
        if let Err(wrong) = judge(&mut self.transactions) {
            self.violate(wrong.0, objects, wrong.1);
        }
    }

    pub(super) fn judge_group(&mut self, group: &str, judge: impl FnOnce(&mut Ownership) -> Result<(), Wrong>) {
        if let Err(wrong) = judge(self.groups.entry(group.to_string()).or_default()) {
            self.violate(wrong.0, &[Object::Group(group.to_string())], wrong.1);
        }
    }

    pub(super) fn judge_offsets(&mut self, group: &str, judge: impl FnOnce(&mut Offsets) -> Result<(), Wrong>) {
        if let Err(wrong) = judge(self.offsets(group)) {
            self.violate(wrong.0, &[Object::Group(group.to_string())], wrong.1);
        }
    }

    /// The log of the groups has lost something that had been written.
    pub(super) fn groups_may_be_lost(&mut self) {
        self.groups.values_mut().for_each(Ownership::forget);
        self.offsets.values_mut().for_each(Offsets::doubt);
    }
}
