//! Names that have been seen, as many as there is room for: for log lines that come once per name.
//!
//! Names come from outside, so both their number and their length are bounded. When the set is full, no further name is new.

use std::collections::BTreeSet;

/// Bytes of a name that are kept and told.
const MOST_NAME_BYTES: usize = 100;
const _: () = assert!(MOST_NAME_BYTES >= char::MAX.len_utf8(), "a name that is cut keeps a character");

/// The names that have been seen so far.
#[derive(Clone, Debug)]
pub struct Seen {
    most: usize,
    names: BTreeSet<Box<str>>,
}

impl Seen {
    pub fn new(most: usize) -> Seen {
        Seen { most, names: BTreeSet::new() }
    }

    /// Whether this name is seen for the first time.
    pub fn is_new(&mut self, name: &str) -> bool {
        let is_new = self.names.len() < self.most && self.names.insert(shorten(name).into());
        assert!(self.names.len() <= self.most, "names come from outside, so their number has a bound");
        is_new
    }
}

/// The beginning of a name that may be of any length.
pub fn shorten(name: &str) -> &str {
    let end = (0..=MOST_NAME_BYTES.min(name.len())).rev().find(|at| name.is_char_boundary(*at));
    &name[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_once_and_memory_is_bounded() {
        let mut seen = Seen::new(2);
        assert_eq!(["a", "a", "b", "c", "c"].map(|name| seen.is_new(name)), [true, false, true, false, false]);
        assert_eq!(seen.names.len(), 2);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(shorten("ü"), "ü");
        let long = format!("{}ü{}", "x".repeat(99), "y".repeat(50));
        assert_eq!(shorten(&long), "x".repeat(99));
        let mut seen = Seen::new(9);
        assert!(seen.is_new(&long) && !seen.is_new(&format!("{}z", "x".repeat(99)).replace('z', "ü")));
    }
}
