//! What holds of every group of the consumer protocol between two steps, whatever clients ask and logs hold: what is counted
//! over the members is what the members are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::group::{Subscribers, owned};
use super::{Group, Timer};
use crate::model::TopicId;

impl Group {
    /// Asserts that the group, which is found by this id, is one that our own code can have made.
    pub(in crate::coordinator) fn assert_sound(&self, group_id: &str) {
        assert_eq!(&*self.id, group_id, "a group is found by its id");
        let mut subscribed: BTreeMap<&Arc<str>, Subscribers> = BTreeMap::new();
        let mut regexes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        let mut assignors: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        let mut owners: HashMap<(TopicId, i32), usize> = HashMap::new();
        for (id, member) in &self.members {
            assert_eq!(id, &member.id, "a member is found by its id");
            member.metadata.topics.iter().for_each(|topic| subscribed.entry(topic).or_default().by_name += 1);
            member.metadata.subscribed_regex().into_iter().for_each(|regex| *regexes.entry(regex).or_default() += 1);
            member.metadata.assignor.iter().for_each(|name| *assignors.entry(name).or_default() += 1);
            owned(&member.current).for_each(|partition| *owners.entry(partition).or_default() += 1);
        }
        for topic in self.resolved.values().flat_map(|resolved| &resolved.topics) {
            subscribed.entry(topic).or_default().by_regex += 1;
        }
        assert!(
            self.subscribed.iter().eq(subscribed.iter().map(|(topic, of)| (*topic, of))),
            "subscribers are counted"
        );
        assert!(self.subscribed_regexes.iter().eq(regexes.iter().map(|(regex, of)| (*regex, of))));
        assert!(self.assignors.iter().eq(assignors.iter().map(|(name, of)| (*name, of))), "votes are counted");
        assert_eq!(self.owners, owners, "each owner of a partition is counted");
        let classic = self.members.values().filter(|member| member.is_classic()).count();
        assert_eq!(self.classic_members, classic, "members of the classic protocol are counted");
        assert!(self.classic_members > 0 || self.classic_protocols.is_empty(), "their protocols go with them");
    }

    /// Whether a timer is one of a member.
    pub(in crate::coordinator) fn is_timer_of_member(&self, timer: &Timer) -> bool {
        let (Timer::Session(id) | Timer::Rebalance(id) | Timer::Join(id) | Timer::Sync(id)) = timer;
        self.members.contains_key(id)
    }
}
