//! Who gets the next partition of a topic and who gives one (`MemberAssignmentBalancer`).
//!
//! The topic's subscribers, sorted by load. Two ranges grow towards each other: the least loaded from the left, the most
//! loaded from the right; within each all have the same load, the left one rising as its members are served in turn, the
//! right one falling. When the loads of the two differ by one or less, nothing that moves improves the balance. Members
//! that have none of this topic to give are swapped out of the right range. The loads themselves belong to the caller;
//! they are read only where a range grows, from members that nothing has happened to yet.

#[derive(Default)]
pub(super) struct Balancer {
    sorted: Vec<usize>,
    /// `[0, least_end)` are the least loaded, who have `least_load`; the next partition goes to `least_next`.
    least_end: usize,
    least_load: isize,
    least_next: usize,
    /// `[most_start, most_end)` are the most loaded, who have `most_load`. The next to give is the one before
    /// `most_next`.
    most_start: usize,
    most_end: usize,
    most_load: isize,
    most_next: usize,
}

impl Balancer {
    /// Begins with the subscribers of another topic, of whom there is at least one.
    pub(super) fn start(&mut self, members: &[usize], sizes: &[usize]) {
        self.sorted.clear();
        self.sorted.extend_from_slice(members);
        self.sorted.sort_unstable_by_key(|member| (sizes[*member], *member));
        let end = self.sorted.len();
        *self = Balancer {
            least_end: 0,
            least_load: sizes[self.sorted[0]] as isize - 1,
            least_next: 0,
            most_start: end,
            most_end: end,
            most_load: sizes[self.sorted[end - 1]] as isize + 1,
            most_next: end,
            sorted: std::mem::take(&mut self.sorted),
        };
    }

    fn load(&self, place: usize, sizes: &[usize]) -> isize {
        sizes[self.sorted[place]] as isize
    }

    /// The member that gets the next partition; it counts as given.
    pub(super) fn next_least_loaded(&mut self, sizes: &[usize]) -> usize {
        if self.least_next >= self.least_end {
            // All of the range have got one: they are one level higher, where others may stand already.
            self.least_load += 1;
            while self.least_end < self.sorted.len() && self.load(self.least_end, sizes) == self.least_load {
                self.least_end += 1;
            }
            self.least_next = 0;
        }
        assert!(self.least_next < self.least_end && self.least_end <= self.sorted.len(), "the range has a next member");
        self.least_next += 1;
        self.sorted[self.least_next - 1]
    }

    /// The member that gives the next partition, which counts as taken; nothing if none is left that could.
    pub(super) fn next_most_loaded(&mut self, sizes: &[usize]) -> Option<usize> {
        if self.most_next <= self.most_start {
            if self.most_end <= self.most_start && self.most_start > 0 {
                // All of the range were excluded: it begins anew with the next level that has members.
                self.most_load = self.load(self.most_start - 1, sizes);
            } else {
                self.most_load -= 1;
            }
            while self.most_start > 0 && self.load(self.most_start - 1, sizes) == self.most_load {
                self.most_start -= 1;
            }
            self.most_next = self.most_end;
        }
        self.most_next = self.most_next.checked_sub(1)?;
        Some(self.sorted[self.most_next])
    }

    /// Excludes the member that [`Balancer::next_most_loaded`] has just named: it goes behind the range.
    pub(super) fn exclude_most_loaded(&mut self) {
        assert!(self.most_start <= self.most_next && self.most_next < self.most_end, "the member is in the range");
        self.most_end -= 1;
        self.sorted.swap(self.most_next, self.most_end);
    }

    pub(super) fn is_balanced(&self) -> bool {
        self.most_load - self.least_load <= 1
    }
}
