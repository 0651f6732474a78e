//! What one frame may come to as JSON, however it was packed: one budget for all of its arrays and batches.

use std::cell::Cell;

use serde_json::{Value, json};

/// Elements of arrays and batches that are shown of one frame.
pub(super) const MOST_ELEMENTS: usize = 10_000;
/// Records and headers of records that are shown of one frame.
pub(super) const MOST_RECORDS: usize = 2000;
/// Bytes that the batches of one frame may unpack to for being shown.
pub(super) const MOST_UNPACKED_BYTES: usize = 16 << 20;

/// What may still be shown.
pub(super) struct Budget {
    pub(super) elements: Units,
    pub(super) records: Units,
    pub(super) unpacked_bytes: Cell<usize>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget::of_elements(MOST_ELEMENTS)
    }
}

impl Budget {
    pub(super) fn of_elements(elements: usize) -> Budget {
        let (elements, records) = (Units::new(elements), Units::new(MOST_RECORDS));
        Budget { elements, records, unpacked_bytes: Cell::new(MOST_UNPACKED_BYTES) }
    }

    /// Something was cut.
    pub(super) fn is_exceeded(&self) -> bool {
        self.elements.is_exceeded.get() || self.records.is_exceeded.get()
    }
}

pub(super) struct Units {
    left: Cell<usize>,
    is_exceeded: Cell<bool>,
}

impl Units {
    fn new(left: usize) -> Units {
        Units { left: Cell::new(left), is_exceeded: Cell::new(false) }
    }
}

/// An array that ends where the budget does, and says how many elements there are beyond.
pub(super) struct Cut<'b> {
    units: &'b Units,
    shown: Vec<Value>,
    hidden: usize,
}

impl<'b> Cut<'b> {
    pub(super) fn new(units: &'b Units) -> Cut<'b> {
        Cut { units, shown: Vec::new(), hidden: 0 }
    }

    /// Pays for the next element; `false`: it is not shown. It is paid for before what is within it.
    pub(super) fn has_room(&mut self, cost: usize) -> bool {
        let left = self.units.left.get().checked_sub(cost).filter(|_| self.hidden == 0);
        match left {
            Some(left) => self.units.left.set(left),
            None => {
                self.units.is_exceeded.set(true);
                self.hidden += 1;
            }
        }
        left.is_some()
    }

    /// An element that there was room for.
    pub(super) fn push(&mut self, element: Value) {
        self.shown.push(element);
    }

    pub(super) fn finish(mut self) -> Value {
        if self.hidden > 0 {
            self.shown.push(json!({ "more": self.hidden }));
        }
        Value::Array(self.shown)
    }
}
