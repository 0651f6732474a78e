//! Why something is not done, as an answer tells it.

use super::ErrorCode;

/// A request's item that is not done: the code and message for its answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub error: ErrorCode,
    /// `None`: the code says it all.
    pub message: Option<String>,
}

impl Refusal {
    pub fn new(error: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { error, message: Some(message.into()) }
    }

    pub fn of(error: ErrorCode) -> Refusal {
        Refusal { error, message: None }
    }
}
