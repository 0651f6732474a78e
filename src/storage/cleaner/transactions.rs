//! Which transaction a batch belongs to while the cleaner walks through a log (`CleanedTransactionMetadata`).
//!
//! Records of aborted transactions go; a marker goes once nothing of its transaction is left, and not before its delete
//! horizon; an entry of `.txnindex` stays as long as its marker has something to say.

use super::super::append::marker_of;
use super::super::transactions::AbortedTxn;
use crate::model::Offset;
use crate::record::batches::Batch;
use crate::record::header::Header;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The transactions that the cleaner's walk is in, and those that it has yet to come to.
#[derive(Default)]
pub(super) struct Transactions {
    /// Aborted ones that the walk has not come to yet, by first offset and producer.
    ahead: BTreeMap<(Offset, i64), AbortedTxn>,
    /// Aborted ones that the walk is in, and whether it has met a batch of them.
    aborted: HashMap<i64, (AbortedTxn, bool)>,
    /// Producers of which it has met a batch that no abort takes back.
    committed: HashSet<i64>,
    /// Entries whose markers stay.
    kept: Vec<AbortedTxn>,
}

impl Transactions {
    pub fn add(&mut self, aborted: Vec<AbortedTxn>) {
        self.ahead.extend(aborted.into_iter().map(|txn| ((txn.first_offset, txn.producer_id), txn)));
    }

    /// The entries kept since the last time.
    pub fn take_kept(&mut self) -> Vec<AbortedTxn> {
        std::mem::take(&mut self.kept)
    }

    fn enter(&mut self, offset: Offset) {
        while let Some(next) = self.ahead.first_entry().filter(|next| next.key().0 <= offset) {
            let txn = next.remove();
            self.aborted.entry(txn.producer_id).or_insert((txn, false));
        }
    }

    /// Takes note of a data batch; whether it belongs to an aborted transaction.
    pub fn read_data(&mut self, batch: &Header) -> bool {
        self.enter(batch.last_offset());
        if !batch.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&batch.producer_id) {
            Some((_, is_met)) => {
                *is_met = true;
                true
            }
            None => {
                self.committed.insert(batch.producer_id);
                false
            }
        }
    }

    /// Takes note of a control batch; whether nothing is left that it speaks of.
    pub fn read_control(&mut self, batch: &Batch<'_>) -> bool {
        self.enter(batch.header.last_offset());
        // One without its record was cleaned before.
        if batch.header.records_count == 0 {
            return true;
        }
        let producer_id = batch.header.producer_id;
        match marker_of(&batch.header, batch.bytes) {
            Some(marker) if marker.commit => !self.committed.remove(&producer_id),
            Some(_) => match self.aborted.remove(&producer_id) {
                Some((txn, true)) => {
                    self.kept.push(txn);
                    false
                }
                _ => true,
            },
            None => false,
        }
    }
}
