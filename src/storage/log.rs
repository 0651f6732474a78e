//! One partition's log: appended to by one writer at a time, read by any thread without a lock.
//!
//! Life of a batch: [`Log::append`] gives it its offset and copies it behind what is pending; [`Log::write_pending`]
//! writes all that is pending with one call and publishes the new end (a large batch is not copied: `append` itself
//! writes it, with what is pending before it); [`Log::flush`] says what must be synced, and
//! [`Log::flushed`] notes that it was. Only published offsets are ever read. What was pending when a write failed was
//! never published and is refused: for want of space alone the log goes on as if it had never come (its offsets are
//! given anew, in another generation: [`Mark`]); after any other failure of the disk it takes nothing more
//! ([`Error::Offline`]), and neither do the others in its directory (`health`).

#[cfg(test)]
mod tests;

pub use super::append::{Appended, Mark};
pub use super::config::{Checkpointed, Identity, LogConfig};
use super::epochs::{EpochStart, Epochs};
use super::error::{AppendError, Error};
pub use super::flush::Flush;
use super::health::Health;
use super::index;
use super::loss::Loss;
use super::names::{self, Kind};
pub use super::producers::{Admission, Origin, Producer};
pub use super::read::{ReadError, Slice};
pub use super::removal::Removal;
pub use super::retention::{Deletion, RetentionConfig};
pub use super::transactions::AbortedTxn;
use super::view::View;
use super::writer::Writer;
use crate::io::disk::Disk;
use crate::model::{LeaderEpoch, Offset, TimestampMs};
use crate::record::header::Header;
use arc_swap::ArcSwap;
use log::warn;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Number of failed generations whose end offset is remembered. A produce that has waited for longer is refused, though
/// its records may be there.
const MAX_TAKEN_BACK: usize = 64;

/// A partition's log; shared by reference between all that append and read.
pub struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) directory: PathBuf,
    pub(super) identity: Identity,
    pub(super) view: ArcSwap<View>,
    pub(super) epochs: ArcSwap<Epochs>,
    pub(super) config: ArcSwap<LogConfig>,
    /// Everything below is committed, as its partition says. A log without a partition has no readers who ask.
    pub(super) high_watermark: AtomicI64,
    pub(super) recovery_point: AtomicI64,
    pub(super) last_flush_ms: AtomicI64,
    /// The version of the directory's names that is durable.
    pub(super) names_synced: AtomicU64,
    pub(super) offline: AtomicBool,
    /// Nothing is appended any more, because a copy is about to take its place.
    pub(super) sealed: AtomicBool,
    pub(super) health: Arc<Health>,
    pub(super) loss: Option<Loss>,
    /// Counts the times that pending batches were taken back.
    pub(super) generation: AtomicU32,
    /// Where each generation ended.
    pub(super) taken_back: Mutex<BTreeMap<u32, Offset>>,
    pub(super) deleted: AtomicBool,
    pub(super) writer: Mutex<Writer>,
}

impl Log {
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What its opening has given up.
    pub fn loss(&self) -> Option<&Loss> {
        self.loss.as_ref()
    }

    /// Says what its opening has given up.
    pub fn tell_loss(&self) {
        if let Some(loss) = &self.loss {
            warn!("{}-{} was cut: {loss}", self.identity.topic, self.identity.partition);
        }
    }

    pub fn log_start_offset(&self) -> Offset {
        self.view.load().log_start_offset
    }

    /// The offset behind the last record that can be read.
    pub fn log_end_offset(&self) -> Offset {
        self.view.load().end_offset
    }

    pub fn high_watermark(&self) -> Offset {
        Offset(self.high_watermark.load(Ordering::Acquire))
    }

    /// Moves the high watermark up to what is committed by now, never down.
    pub fn advance_high_watermark(&self, committed: Offset) {
        assert!(committed <= self.log_end_offset(), "what is committed is in the log");
        self.high_watermark.fetch_max(committed.0, Ordering::AcqRel);
    }

    /// How far `read_committed` may see: all below is committed, and belongs to no transaction that is open, or whose marker
    /// is not committed yet.
    pub fn last_stable_offset(&self) -> Offset {
        // The high watermark first: the picture is then at least as new, so that no transaction is overlooked.
        let high_watermark = self.high_watermark();
        self.view.load().last_stable_offset(high_watermark)
    }

    pub fn size_bytes(&self) -> u64 {
        self.view.load().size_bytes()
    }

    pub fn segment_count(&self) -> usize {
        self.view.load().segments.len()
    }

    /// Everything below is durable.
    pub fn recovery_point(&self) -> Offset {
        Offset(self.recovery_point.load(Ordering::Acquire))
    }

    pub fn unflushed_messages(&self) -> i64 {
        (self.log_end_offset().0 - self.recovery_point().0).max(0)
    }

    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire) || self.health.is_offline()
    }

    /// The state of its log directory.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// The end as it can be read now.
    pub fn mark(&self) -> Mark {
        // In this order: were records taken back in between, the mark is one that is not held.
        let generation = self.generation.load(Ordering::Acquire);
        Mark { generation, end: self.log_end_offset() }
    }

    /// Whether what was below a mark when it was made is, or may yet be, in the log.
    pub fn holds(&self, mark: Mark) -> bool {
        if self.generation.load(Ordering::Acquire) == mark.generation {
            return true;
        }
        let taken_back = self.taken_back.lock().unwrap_or_else(PoisonError::into_inner);
        taken_back.get(&mark.generation).is_some_and(|kept| mark.end <= *kept)
    }

    /// Its directory is on the way out, and its name may be another log's.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    pub fn config(&self) -> Arc<LogConfig> {
        self.config.load_full()
    }

    pub fn set_config(&self, config: LogConfig) {
        self.config.store(Arc::new(config));
    }

    /// Notes that this replica leads in the epoch from the end of its log on. The file hears of it with the first batch of
    /// the epoch: each start cuts off an epoch without records, as Kafka's does.
    pub fn assign_epoch(&self, epoch: LeaderEpoch) -> Result<(), Error> {
        let writer = self.lock_writer()?;
        let start_offset = writer.next_offset;
        if let Some(epochs) = self.epochs.load().with(EpochStart { epoch, start_offset }) {
            self.epochs.store(Arc::new(epochs));
        }
        Ok(())
    }

    pub(super) fn add_epochs(&self, writer: &mut Writer, added: &[EpochStart]) -> Result<(), Error> {
        for entry in added {
            if let Some(epochs) = self.epochs.load().with(*entry) {
                self.epochs.store(Arc::new(epochs));
            }
        }
        let epochs = self.epochs.load_full();
        if *epochs != writer.epochs_on_disk { self.store_epochs(writer, (*epochs).clone()) } else { Ok(()) }
    }

    pub(super) fn store_epochs(&self, writer: &mut Writer, epochs: Epochs) -> Result<(), Error> {
        if epochs != writer.epochs_on_disk {
            let path = self.directory.join(names::LEADER_EPOCH_CHECKPOINT);
            writer.unsynced.push(index::replace_unsynced(&*self.disk, &path, epochs.encode().as_bytes())?);
            writer.names_version += 1;
            writer.epochs_on_disk = epochs.clone();
        }
        self.epochs.store(Arc::new(epochs));
        Ok(())
    }

    /// Shows readers another picture of the log. What it replaces is used again for the next one, where no reader holds it
    /// by then.
    pub(super) fn publish(&self, writer: &mut Writer, view: View) {
        view.check();
        view.check_follows(&self.view.load());
        let segments = Arc::as_ptr(&view.segments);
        let mut next = writer.retired.take();
        let next = match next.as_mut().and_then(Arc::get_mut) {
            Some(room) => {
                *room = view;
                next.expect("it has room")
            }
            None => Arc::new(view),
        };
        let before = self.view.swap(next);
        // It must not keep files open that have left the log.
        writer.retired = Some(before).filter(|before| std::ptr::eq(Arc::as_ptr(&before.segments), segments));
    }

    /// Takes nothing more from now on. What was published stays readable as far as the disk lets it.
    pub fn set_offline(&self) {
        self.offline.store(true, Ordering::Release);
    }

    /// Writes what is pending, and from now on refuses what comes with [`Error::Moving`]: a copy can be completed.
    pub fn seal(&self) -> Result<(), Error> {
        let config = self.config.load();
        let mut writer = self.lock_writer()?;
        let written = self.write_locked(&mut writer, &config);
        written.map_err(|error| self.fail(&mut writer, error))?;
        assert!(writer.pending.is_empty(), "a copy would lack what is pending");
        self.sealed.store(true, Ordering::Release);
        Ok(())
    }

    /// The copy does not take its place after all.
    pub fn unseal(&self) {
        self.sealed.store(false, Ordering::Release);
    }

    /// A copy knows the producers of the log that it is to replace, when it has the same end: it has read nothing of those
    /// whose records were deleted before they were copied.
    pub fn take_over_producers(&self, from: &Log) -> Result<(), Error> {
        let known = from.lock_writer()?.producers.clone();
        let mut writer = self.lock_writer()?;
        // What its files tell of them is what it had read.
        (writer.producers, writer.snapshot_offset) = (known, Offset(-1));
        Ok(())
    }

    /// Forgets producers that have been silent for `producer.id.expiration.ms`.
    pub fn expire_producers(&self, now: TimestampMs) -> Result<(), Error> {
        let expiration_ms = self.config.load().producer_id_expiration_ms;
        self.lock_writer()?.producers.expire(now, expiration_ms);
        Ok(())
    }

    /// Whether a transaction of exactly this epoch is open; a producer of an older epoch is refused
    /// (`UnifiedLog.maybeStartTransactionVerification`).
    pub fn has_open_transaction(&self, producer_id: i64, epoch: i16) -> Result<bool, AppendError> {
        self.lock_writer()?.producers.has_open_transaction(producer_id, epoch)
    }

    /// Whether a producer may write within a transaction that is open, or admitted.
    pub fn check_transaction(&self, producer: (i64, i16), admission: Admission) -> Result<(), AppendError> {
        self.lock_writer()?.producers.check_transaction(producer.0, producer.1, admission)
    }

    /// A batch was not admitted for now: what its producer sent behind it must not get in before it.
    pub fn note_unverified(&self, batch: &Header) -> Result<(), AppendError> {
        self.lock_writer()?.producers.note_refused(batch);
        Ok(())
    }

    /// Every producer that is remembered, in the order of their ids.
    pub fn active_producers(&self) -> Result<Vec<(i64, Producer)>, Error> {
        let writer = self.lock_writer()?;
        let mut active: Vec<_> = writer.producers.iter().map(|(id, producer)| (id, producer.clone())).collect();
        drop(writer);
        active.sort_unstable_by_key(|(id, _)| *id);
        Ok(active)
    }

    pub(super) fn lock_writer(&self) -> Result<MutexGuard<'_, Writer>, Error> {
        // A poisoned lock means a bug struck in the middle of a change: the state behind it cannot be trusted.
        let writer = self.writer.lock().map_err(|_| Error::Offline)?;
        if self.is_offline() { Err(Error::Offline) } else { Ok(writer) }
    }

    /// The disk has failed the writer: for want of space, then what is pending is taken back; or for good.
    pub(super) fn fail(&self, writer: &mut Writer, error: Error) -> Error {
        let failed = if error.is_full() { self.take_back(writer).err() } else { None };
        self.health.note(failed.as_ref().unwrap_or(&error));
        if failed.is_some() || !error.is_full() {
            self.set_offline();
            writer.pending.clear();
        }
        assert!(writer.pending.is_empty(), "what could not be written is not tried again");
        let is_taken_back = writer.next_offset == self.log_end_offset();
        assert!(is_taken_back || self.is_offline(), "a log that goes on gives the offsets anew");
        failed.unwrap_or(error)
    }

    /// A sync has failed, so it is not known what is durable.
    pub fn fail_sync(&self, why: &str) {
        // The names of a deleted log are gone; that is no fault of the disk.
        if !self.is_deleted() {
            self.health.fail(&why);
        }
        self.set_offline();
    }

    /// Brings the log back to its published end.
    fn take_back(&self, writer: &mut Writer) -> Result<(), Error> {
        let view = self.view.load();
        writer.check(&view);
        let active = &mut writer.active;
        let path = names::file(&self.directory, active.base_offset, Kind::Log);
        // Also gives back what was reserved ahead: others need it now.
        let file = view.active().file(&*self.disk).map_err(Error::io("open", &path))?;
        file.set_size(active.size_bytes).map_err(Error::io("cut", &path))?;
        active.allocated_bytes = active.size_bytes;
        if writer.next_offset > view.end_offset {
            let mut taken_back = self.taken_back.lock().unwrap_or_else(PoisonError::into_inner);
            let generation = self.generation.load(Ordering::Relaxed);
            taken_back.insert(generation, view.end_offset);
            if taken_back.len() > MAX_TAKEN_BACK {
                taken_back.pop_first();
            }
            assert!(taken_back.len() <= MAX_TAKEN_BACK, "what is remembered of full disks has a bound");
            self.generation.store(generation.wrapping_add(1), Ordering::Release);
        }
        writer.take_back(view.end_offset);
        Ok(())
    }
}
