//! A list that is taken whole, again and again, and asks for no memory once it has had its size.

/// What was pushed since it was last taken.
pub struct Queue<T> {
    items: Vec<T>,
    /// Empty; its room is for what is pushed while the other list is worked through.
    spare: Vec<T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { items: Vec::new(), spare: Vec::new() }
    }
}

impl<T> Queue<T> {
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Takes all; give the list back once it is worked through.
    pub fn take(&mut self) -> Vec<T> {
        std::mem::replace(&mut self.items, std::mem::take(&mut self.spare))
    }

    /// The room of a list that was taken, for later.
    pub fn give_back(&mut self, mut taken: Vec<T>) {
        taken.clear();
        if taken.capacity() > self.spare.capacity() {
            self.spare = taken;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_used_again() {
        let mut queue = Queue::default();
        for round in 0..3 {
            (0..10).for_each(|item| queue.push(item));
            let taken = queue.take();
            assert_eq!(taken, (0..10).collect::<Vec<_>>());
            queue.push(round);
            queue.give_back(taken);
            assert!(queue.spare.capacity() >= 10);
            assert_eq!(queue.take(), [round]);
        }
    }
}
