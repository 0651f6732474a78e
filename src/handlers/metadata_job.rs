//! A request that changes the cluster's metadata: decided by the metadata thread on the newest image, answered when the
//! records are on the platter.
//!
//! The handler gives two functions. `decide` runs on the metadata thread and leaves its results; `finish` makes the
//! answer from them on the request's own shard, with the image that already shows the change.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Answer, Looked, Outcome, Parked, State};
use crate::metadata::{Image, Record};
use crate::model::ErrorCode;
pub(super) use crate::replication::controller::Inputs;
use crate::replication::controller::{Decide, Job, Work};
use crate::shard::context::{Context, News, Reply};
use crate::stdx::slab::Key;

/// What a finished request gets: what its decision has left, or why there is none.
pub(super) type Decided<T> = Result<T, ErrorCode>;

type Finish = Box<dyn FnOnce(&mut State, &Context<'_>, Decided<()>) -> Result<Answer, String>>;

/// A request on its way through the metadata thread.
pub struct Waiting {
    decide: Option<Decide>,
    result: Option<Result<(), ErrorCode>>,
    finish: Option<Finish>,
}

/// Hands a request to the metadata thread. `finish` gets what `decide` has left, or why nothing was decided: the
/// request's time is over, or the metadata log has failed.
pub(super) fn submit<T: Send + 'static>(
    context: &Context<'_>,
    timeout_ms: i32,
    decide: impl FnOnce(&Image, &mut Inputs) -> (Vec<Record<'static>>, T) + Send + 'static,
    finish: impl FnOnce(&mut State, &Context<'_>, Decided<T>) -> Result<Answer, String> + 'static,
) -> Outcome {
    let results = Arc::new(Mutex::new(None));
    let left = results.clone();
    let decide = move |image: &Image, inputs: &mut Inputs| {
        let (records, decided) = decide(image, inputs);
        *left.lock().unwrap_or_else(PoisonError::into_inner) = Some(decided);
        records
    };
    let finish = move |state: &mut State, context: &Context<'_>, committed: Decided<()>| {
        let decided = results.lock().unwrap_or_else(PoisonError::into_inner).take();
        let result = committed.and_then(|()| decided.ok_or(ErrorCode::UnknownServerError));
        finish(state, context, result)
    };
    let waiting = Waiting { decide: Some(Box::new(decide)), result: None, finish: Some(Box::new(finish)) };
    let deadline = context.now + Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    Outcome::Wait { parked: Parked::Metadata(waiting), deadline, watched: Vec::new() }
}

impl Waiting {
    /// Sends the job, now that it is known under which key the request waits.
    pub(super) fn start(&mut self, context: &Context<'_>, parked: Key) {
        let Some(decide) = self.decide.take() else { return };
        let mailbox = context.shared.mailbox(context.shard).clone();
        let reply = Box::new(move |result| mailbox.reply(Reply { parked, news: News::Metadata(result) }));
        context.shared.send_to_controller(Work::Decide(Job { decide, reply }));
    }

    pub(super) fn receive(&mut self, result: Result<(), ErrorCode>) {
        self.result = Some(result);
    }

    pub(super) fn look(&mut self, state: &mut State, context: &Context<'_>, expired: bool) -> Looked {
        let result = match self.result.take() {
            Some(result) => result,
            None if expired => Err(ErrorCode::RequestTimedOut),
            None => return Looked::Wait,
        };
        let Some(finish) = self.finish.take() else { return Looked::Silent };
        match finish(state, context, result) {
            Ok(answer) => Looked::Answer(answer),
            Err(error) => {
                log::error!("{error}");
                Looked::Silent
            }
        }
    }
}
