//! Who owns which partitions of one group: nobody shares, in one generation or at one time.

use std::collections::{BTreeMap, BTreeSet};

use super::{Wrong, wrong};
use crate::model::Instant;

pub(in crate::sim) type Owned = BTreeSet<(String, i32)>;

/// What one member of the consumer protocol has.
struct Claim {
    owned: Owned,
    epoch: i32,
    /// The coordinator may give it to others from here on.
    until: Instant,
}

/// See the module.
#[derive(Default)]
pub(in crate::sim) struct Ownership {
    /// By generation of the classic protocol.
    owners: BTreeMap<(i32, String, i32), String>,
    /// By member of the consumer protocol.
    claims: BTreeMap<String, Claim>,
    /// All of the consumer protocol of whom the coordinator may have heard.
    members: BTreeSet<String>,
    /// Those who have asked to join and not been answered.
    joining: BTreeSet<String>,
    /// Those of whom the coordinator may have forgotten what they have: they hear of it when they join anew.
    doubtful: BTreeSet<String>,
}

impl Ownership {
    /// A member was given partitions in a generation.
    pub(in crate::sim) fn assigned(&mut self, generation: i32, member: &str, owned: &Owned) -> Result<(), Wrong> {
        for (topic, partition) in owned {
            let slot = (generation, topic.clone(), *partition);
            let before = self.owners.insert(slot, member.to_string());
            if let Some(other) = before.filter(|before| before != member) {
                let text = format!("{topic}-{partition} of generation {generation}: {other} and {member}");
                return wrong("a partition has one owner in a generation", text);
            }
        }
        Ok(())
    }

    /// A member speaks to the coordinator, which may remember it without an answer that arrives.
    pub(in crate::sim) fn speaks(&mut self, member: &str) {
        if !self.members.contains(member) {
            self.members.insert(member.to_string());
        }
    }

    /// A member asks to join. Where it has asked before, on a connection that it has given up, that request may come behind
    /// this one, and says that the member has nothing.
    pub(in crate::sim) fn joins(&mut self, member: &str) {
        if !self.joining.insert(member.to_string()) {
            self.doubtful.insert(member.to_string());
        }
    }

    /// A member has partitions now, and nobody else may until `until`.
    pub(in crate::sim) fn holds(
        &mut self,
        member: &str,
        epoch: i32,
        owned: &Owned,
        (now, until): (Instant, Instant),
    ) -> Result<(), Wrong> {
        self.joining.remove(member);
        // Whoever hears too late that it has something has nothing.
        if until <= now || self.doubtful.contains(member) {
            self.claims.remove(member);
            return Ok(());
        }
        for (other, claim) in self.claims.iter().filter(|(other, claim)| *other != member && claim.until > now) {
            if let Some((topic, partition)) = claim.owned.intersection(owned).next() {
                let until = claim.until.0 as f64 / 1e9;
                let text = format!(
                    "{topic}-{partition}: {other} in epoch {} until {until:.3}s, and {member} in epoch {epoch}",
                    claim.epoch
                );
                return wrong("a partition has one owner at a time", text);
            }
        }
        self.claims.insert(member.to_string(), Claim { owned: owned.clone(), epoch, until });
        Ok(())
    }

    /// A member has nothing any more.
    pub(in crate::sim) fn released(&mut self, member: &str) {
        self.claims.remove(member);
    }

    /// What the coordinator knew may be lost.
    pub(in crate::sim) fn forget(&mut self) {
        (self.owners, self.claims) = (BTreeMap::new(), BTreeMap::new());
        self.doubtful.clone_from(&self.members);
    }

    /// At rest: what all who are left own together is everything, once.
    pub(in crate::sim) fn settled(members: &[(String, Owned)], all: &Owned) -> Result<(), Wrong> {
        let mut together = Owned::new();
        for (member, owned) in members {
            for slot in owned {
                if !together.insert(slot.clone()) {
                    return wrong("a settled group shares nothing", format!("{slot:?}, also of {member}"));
                }
            }
        }
        if together != *all && !members.is_empty() {
            let differing: Vec<_> = all.symmetric_difference(&together).collect();
            return wrong("a settled group covers its subscription", format!("{differing:?}"));
        }
        Ok(())
    }
}
