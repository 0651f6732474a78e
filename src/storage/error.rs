//! What can go wrong with a log: an operating error ([`Error`]) or a refusal that the client is told ([`AppendError`]).

use crate::io::disk;
use crate::model::ErrorCode;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// An operating error: the log, or its directory, cannot be used as it is.
#[derive(Debug)]
pub enum Error {
    /// The file system refused or failed. Never what a file holds, nor what the log itself refuses.
    Io { doing: &'static str, path: PathBuf, cause: io::Error },
    /// A file is there but cannot be what Kafka would have written, and may not be thrown away on that account.
    Unusable { path: PathBuf, why: String },
    /// The directory belongs to another process, cluster, node or topic.
    NotOurs { path: PathBuf, why: String },
    /// The disk failed earlier; since then the log takes nothing more.
    Offline,
    /// The log is about to be replaced by its copy in another directory: the copy will accept appends shortly.
    Moving,
    /// The log has refused what the broker itself would append: a bug of ours, or damage in what it copies from.
    Refused(String),
}

impl Error {
    /// The disk has no room; nothing else is wrong with it.
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Error::Io { cause, .. } if matches!(cause.kind(), StorageFull | QuotaExceeded))
    }

    /// The device has failed: nothing on it can be relied on.
    pub fn is_device_failure(&self) -> bool {
        matches!(self, Error::Io { cause, .. } if disk::is_device_failure(cause))
    }

    /// The file system refused or failed, for want of room or otherwise.
    pub fn is_io(&self) -> bool {
        matches!(self, Error::Io { .. })
    }

    /// For `map_err`: an input or output error with what was being done to what.
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |cause| match cause.kind() {
            // No call of the system answers this: our own reading has found what a sound file cannot hold.
            io::ErrorKind::InvalidData => {
                Error::Unusable { path: path.to_path_buf(), why: format!("cannot {doing} it: {cause}") }
            }
            _ => Error::Io { doing, path: path.to_path_buf(), cause },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { doing, path, cause } => write!(f, "cannot {doing} {}: {cause}", path.display()),
            Error::Unusable { path, why } | Error::NotOurs { path, why } => write!(f, "{}: {why}", path.display()),
            Error::Offline => write!(f, "the log is offline since an earlier failure of its disk"),
            Error::Moving => write!(f, "the log is being moved to another directory"),
            Error::Refused(why) => write!(f, "the log has refused what the broker would append itself: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// Why batches were not taken.
#[derive(Debug)]
pub enum AppendError {
    /// The bytes are not one or several whole batches.
    NotBatches(&'static str),
    /// One batch would not fit into a segment (`segment.bytes`).
    LargerThanSegment {
        size_bytes: usize,
        segment_bytes: u64,
    },
    /// A producer sent several batches at once, or none of its sequence numbers make sense.
    InvalidRecord(String),
    OutOfOrderSequence(String),
    InvalidProducerEpoch(String),
    InvalidTxnState(String),
    TransactionCoordinatorFenced(String),
    /// The disk failed, now or earlier.
    Storage(Error),
}

impl AppendError {
    /// Kafka's answer for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            AppendError::NotBatches(_) => ErrorCode::CorruptMessage,
            AppendError::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            AppendError::InvalidRecord(_) => ErrorCode::InvalidRecord,
            AppendError::OutOfOrderSequence(_) => ErrorCode::OutOfOrderSequenceNumber,
            AppendError::InvalidProducerEpoch(_) => ErrorCode::InvalidProducerEpoch,
            AppendError::InvalidTxnState(_) => ErrorCode::InvalidTxnState,
            AppendError::TransactionCoordinatorFenced(_) => ErrorCode::TransactionCoordinatorFenced,
            // Clients ask again where the leader is, and find it here in a moment.
            AppendError::Storage(Error::Moving) => ErrorCode::NotLeaderOrFollower,
            AppendError::Storage(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl AppendError {
    /// As an operating error, for an append of the broker's own that no client can be told about.
    pub fn into_error(self) -> Error {
        match self {
            AppendError::Storage(error) => error,
            refusal => Error::Refused(refusal.to_string()),
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::NotBatches(why) => f.write_str(why),
            AppendError::LargerThanSegment { size_bytes, segment_bytes } => {
                write!(f, "a batch of {size_bytes} bytes does not fit into a segment of {segment_bytes}")
            }
            AppendError::InvalidRecord(why)
            | AppendError::OutOfOrderSequence(why)
            | AppendError::InvalidProducerEpoch(why)
            | AppendError::InvalidTxnState(why)
            | AppendError::TransactionCoordinatorFenced(why) => f.write_str(why),
            AppendError::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AppendError {}

impl From<Error> for AppendError {
    fn from(error: Error) -> Self {
        AppendError::Storage(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::simulated_disk::SimulatedDisk;
    use crate::storage::health::Health;
    use std::sync::Arc;

    fn note(error: &Error) -> Health {
        let health = Health::new(Arc::new(SimulatedDisk::default()), Path::new("/data"));
        health.note(error);
        health
    }

    #[test]
    fn a_refusal_says_nothing_about_the_disk() {
        let refused = AppendError::NotBatches("a copy may not go back").into_error();
        assert!(!refused.is_io() && !note(&refused).is_offline());
        assert!(refused.to_string().contains("a copy may not go back"));
    }

    #[test]
    fn a_file_that_cannot_be_what_it_should_be_says_nothing_about_the_disk() {
        let damaged = io::Error::new(io::ErrorKind::InvalidData, "has 5000 bytes, more than the 4096 allowed");
        let damaged = Error::io("read", Path::new("/data/t-0/partition.metadata"))(damaged);
        assert!(!damaged.is_io() && !note(&damaged).is_offline());
        assert!(damaged.to_string().starts_with("/data/t-0/partition.metadata: "));
        assert!(damaged.to_string().contains("5000 bytes"));
    }
}
