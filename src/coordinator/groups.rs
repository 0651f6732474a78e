//! The groups of one partition of `__consumer_offsets`, whatever their protocol: where requests come in and records are
//! applied (`GroupCoordinatorShard`, `GroupMetadataManager`).
//!
//! This file knows which machine a group belongs to; what the machine does stands in `classic`, `consumer` and
//! `offsets`, each of which adds its own requests to [`Groups`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::offsets::Offsets;
use super::record::offsets::{Key, Value};
use super::step::{Record, Step};
use super::timers::Timers;
use super::{classic, consumer};
use crate::model::Instant;

/// One line of ListGroups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    pub group_id: String,
    pub protocol_type: String,
    /// As Kafka spells it: `Stable`, `Empty`, ...
    pub state: &'static str,
    /// `Classic` or `Consumer`.
    pub group_type: &'static str,
}

pub(super) enum Group {
    Classic(classic::Group),
    Consumer(consumer::Group),
}

/// What a timer is for; one of each at a time.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct TimerKey {
    pub group_id: Arc<str>,
    pub timer: Timer,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    Classic(classic::Timer),
    Consumer(consumer::Timer),
}

/// See the module.
#[derive(Default)]
pub struct Groups {
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    pub(super) offsets: Offsets,
    pub(super) timers: Timers<TimerKey>,
}

impl Groups {
    /// Applies a record of the log, in a replay or just written. A record about something that is not there changes
    /// nothing. `None` is a tombstone.
    pub fn apply(&mut self, key: &Key<'_>, value: Option<&Value<'_>>) {
        let _ = (key, value);
    }

    /// Once, when all records are applied: sessions begin anew, as no member is known to be gone (`onLoaded`).
    pub fn handle_loaded(&mut self, step: &mut Step<'_>) {
        let _ = step;
    }

    /// When [`Groups::handle_timers`] must be called at the latest.
    pub fn next_deadline(&self) -> Instant {
        self.timers.next().unwrap_or(Instant::NEVER)
    }

    /// Does what is due.
    pub fn handle_timers(&mut self, step: &mut Step<'_>) {
        while let Some(key) = self.timers.pop(step.now) {
            match &key.timer {
                Timer::Classic(timer) => self.handle_classic_timer(step, &key.group_id, timer),
                Timer::Consumer(timer) => self.handle_consumer_timer(step, &key.group_id, timer),
            }
        }
    }

    /// Writes a record and applies it. The value with the version that it is written in.
    pub(super) fn emit(&mut self, step: &mut Step<'_>, key: &Key<'_>, value: Option<(&Value<'_>, i16)>) {
        write(step, key, value);
        self.apply(key, value.map(|(value, _)| value));
    }
}

/// Writes a record whose meaning the state shows already.
pub(super) fn write(step: &mut Step<'_>, key: &Key<'_>, value: Option<(&Value<'_>, i16)>) {
    let mut record = Record { key: Vec::new(), value: None };
    key.encode(&mut record.key).expect("keys are made of what fits into requests");
    if let Some((value, version)) = value {
        let bytes = record.value.insert(Vec::new());
        value.encode(bytes, version).expect("values are made of what fits into requests");
    }
    step.out.records.push(record);
}
