//! A request that comes without a socket: its frame, its session, and the way back to its asker.
//!
//! Made by the server's inlet, carried by the mailbox. However an inquiry ends, its asker is told once: by the answer, by the
//! reason, or, where it is dropped with its shard, that the broker has stopped.

use std::sync::{Arc, Weak};

use crate::metrics::Ending;
use crate::shard::session::Session;

/// What the asker is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InquiryReply {
    /// Header and body of the response, without the size in front of them.
    Answer(Vec<u8>),
    /// Handled, and there is no answer, as for a produce with `acks=0`.
    Silent,
    /// A connection would have been closed; the sentence says why.
    Ended(Ending, String),
}

/// Takes the reply, on the shard's thread: it must not wait.
pub type Tell = Box<dyn FnOnce(InquiryReply) + Send>;

/// The way back to an asker.
pub struct ReplyTo {
    tell: Option<Tell>,
    asker: Weak<()>,
}

impl ReplyTo {
    /// The asker stays as long as it holds what is given back with this.
    pub fn new(tell: Tell) -> (ReplyTo, Arc<()>) {
        let asker = Arc::new(());
        (ReplyTo { tell: Some(tell), asker: Arc::downgrade(&asker) }, asker)
    }

    /// Whether the asker does not wait for the reply any more.
    pub fn is_abandoned(&self) -> bool {
        self.asker.strong_count() == 0
    }

    pub fn tell(mut self, reply: InquiryReply) {
        if let Some(tell) = self.tell.take() {
            tell(reply);
        }
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        if let Some(tell) = self.tell.take() {
            tell(InquiryReply::Ended(Ending::Stop, "the broker has stopped".into()));
        }
    }
}

/// A request on its way to a shard.
pub struct Inquiry {
    /// The request as on the wire, without the size in front.
    pub frame: Vec<u8>,
    pub session: Session,
    pub reply: ReplyTo,
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn the_asker_is_told_once_however_it_ends() {
        let (sender, told) = channel();
        let tell = || -> Tell {
            let sender = sender.clone();
            Box::new(move |reply| sender.send(reply).unwrap())
        };
        let (reply, asker) = ReplyTo::new(tell());
        assert!(!reply.is_abandoned());
        reply.tell(InquiryReply::Silent);
        let (dropped, other) = ReplyTo::new(tell());
        drop(other);
        assert!(dropped.is_abandoned());
        drop(dropped);
        let all: Vec<_> = told.try_iter().collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], InquiryReply::Silent);
        assert!(matches!(all[1], InquiryReply::Ended(Ending::Stop, _)));
        drop(asker);
    }
}
