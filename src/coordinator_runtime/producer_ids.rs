//! Producer ids that this broker may give out (`ProducerIdManager`).

use std::ops::Range;

use crate::stdx::mutex::Mutex;

/// What is left of the blocks that the metadata log has given to this broker. Shared by all that give out ids.
#[derive(Default)]
pub struct ProducerIds(Mutex<Vec<Range<i64>>>);

impl ProducerIds {
    /// The next id; `None` if another block must be asked for.
    pub fn take(&self) -> Option<i64> {
        let mut blocks = self.0.lock();
        loop {
            match blocks.first_mut()?.next() {
                Some(id) => return Some(id),
                None => drop(blocks.remove(0)),
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().iter().all(Range::is_empty)
    }

    /// Adds a block, behind those that are not used up.
    pub fn add(&self, block: Range<i64>) {
        assert!(block.start >= 0, "producer ids are not negative: {block:?}");
        self.0.lock().push(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_used_up_one_after_the_other() {
        let ids = ProducerIds::default();
        assert_eq!(ids.take(), None);
        ids.add(5..7);
        ids.add(10..10);
        ids.add(20..21);
        assert_eq!(std::iter::from_fn(|| ids.take()).collect::<Vec<_>>(), [5, 6, 20]);
        ids.add(30..31);
        assert_eq!((ids.take(), ids.take()), (Some(30), None));
    }
}
