//! A type without a value, for a choice that is empty.

/// A `match` on it needs no arm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Never {}
