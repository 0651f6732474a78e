//! What holds between two steps of the groups' machine. It follows from our own code alone: no request and no record, also a
//! damaged one, can break it.

use super::classic;
use super::groups::{Group, Groups, Timer, TimerKey};

impl Groups {
    /// Asserts it of all groups, which takes as long as there are members.
    pub(super) fn assert_groups_sound(&self) {
        for (id, group) in &self.groups {
            match group {
                Group::Classic(group) => {
                    assert_eq!(id, group.id(), "a group is found by its id");
                    let key = |timer| TimerKey { group_id: id.clone(), timer: Timer::Classic(timer) };
                    group.assert_sound(|timer: classic::Timer| self.timers.get(&key(timer)));
                }
                Group::Consumer(group) => group.assert_sound(id),
            }
        }
        for (key, _) in self.timers.iter() {
            let is_its_own = match (self.groups.get(&key.group_id), &key.timer) {
                (Some(Group::Classic(group)), Timer::Classic(timer)) => group.is_timer_of_member(timer),
                (Some(Group::Consumer(group)), Timer::Consumer(timer)) => group.is_timer_of_member(timer),
                _ => false,
            };
            assert!(is_its_own, "{key:?} is a timer of what is gone");
        }
        self.offsets.assert_sound();
    }
}
