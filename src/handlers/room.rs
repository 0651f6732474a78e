//! Room for an answer: no request is answered with more than `klamm.answer.max.bytes`, records apart.
//!
//! A request of a few bytes can ask for much: by the name of a group that has a thousand members, which it may repeat a
//! million times. Kafka's handlers have no limit for it. Here the elements that may be large are counted as they
//! are made, one at a time, so that what is held for an answer stays within its limit; and every answer is counted before
//! it is written ([`Head::encode`]). A client that asks for more has its connection closed, as there is no error for it.

use super::{Head, Outcome};
use crate::codec::Message;

/// What is left of the limit of one answer.
pub(super) struct Room {
    head: Head,
    left: usize,
}

impl Head {
    pub(super) fn room(self) -> Room {
        Room { head: self, left: self.max_answer_bytes }
    }

    /// Elements of an answer, as long as there is room for them. What is made of an iterator is made one by one.
    pub(super) fn gather<'m, M: Message<'m>>(self, elements: impl Iterator<Item = M>) -> Result<Vec<M>, Outcome> {
        let mut room = self.room();
        elements.map(|element| room.take(element)).collect()
    }

    /// Why there is no answer.
    pub(super) fn too_large(self) -> String {
        let Head { description, version, max_answer_bytes, .. } = self;
        let key = description.key;
        format!("the answer to a {key} request of version {version} is above klamm.answer.max.bytes={max_answer_bytes}")
    }
}

impl Room {
    /// The element, if there is room for it. One that cannot be encoded takes none: the whole answer will fail for it.
    pub(super) fn take<'m, M: Message<'m>>(&mut self, element: M) -> Result<M, Outcome> {
        self.take_bytes(element.size_bytes(self.head.version).unwrap_or(0))?;
        Ok(element)
    }

    pub(super) fn take_bytes(&mut self, size_bytes: usize) -> Result<(), Outcome> {
        let left = self.left.checked_sub(size_bytes);
        self.left = left.ok_or_else(|| Outcome::Close(self.head.too_large()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::model::ApiKey;
    use crate::wire::api;
    use crate::wire::api::list_groups::ListedGroup;

    #[test]
    fn no_element_is_made_behind_the_first_that_has_no_room() {
        let description = api::describe(ApiKey::ListGroups).unwrap();
        let head = Head { description, version: 0, correlation_id: 7, max_answer_bytes: 1000 };
        let made = Cell::new(0);
        // Each takes 2 + 4 + 2 bytes.
        let group = |_| {
            made.set(made.get() + 1);
            ListedGroup { group_id: "four".into(), ..Default::default() }
        };
        assert_eq!(head.gather((0..125).map(group)).map(|groups| groups.len()).ok(), Some(125));
        made.set(0);
        let refused = head.gather((0..1_000_000).map(group));
        assert_eq!(made.get(), 126);
        let why = "the answer to a ListGroups request of version 0 is above klamm.answer.max.bytes=1000";
        assert!(matches!(refused, Err(Outcome::Close(told)) if told == why));
    }
}
