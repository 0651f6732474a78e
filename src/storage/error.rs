//! What can go wrong with a log: an operating error ([`Error`]) or a refusal that the client is told ([`AppendError`]).

use crate::model::ErrorCode;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// An operating error: the log, or its directory, cannot be used as it is.
#[derive(Debug)]
pub enum Error {
    /// The file system refused or failed.
    Io { doing: &'static str, path: PathBuf, cause: io::Error },
    /// A file is there but cannot be what Kafka would have written, and may not be thrown away on that account.
    Unusable { path: PathBuf, why: String },
    /// The directory belongs to another process, cluster, node or topic.
    NotOurs { path: PathBuf, why: String },
    /// A write, roll or sync failed earlier; since then the log takes nothing more.
    Offline,
}

impl Error {
    /// For `map_err`: an input or output error with what was being done to what.
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |cause| Error::Io { doing, path: path.to_path_buf(), cause }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { doing, path, cause } => write!(f, "cannot {doing} {}: {cause}", path.display()),
            Error::Unusable { path, why } | Error::NotOurs { path, why } => write!(f, "{}: {why}", path.display()),
            Error::Offline => write!(f, "the log is offline since an earlier failure of its disk"),
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
            AppendError::Storage(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl AppendError {
    /// For an append of the broker's own, which nobody but it could have got wrong.
    pub fn into_error(self) -> Error {
        match self {
            AppendError::Storage(error) => error,
            other => {
                Error::Io { doing: "append to", path: "the log".into(), cause: io::Error::other(other.to_string()) }
            }
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
