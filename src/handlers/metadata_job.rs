//! A request that changes the cluster's metadata: decided by the metadata thread on the newest image, answered when the
//! records are on the platter.
//!
//! The handler gives two functions. `decide` runs on the metadata thread and leaves its results; `finish` makes the
//! answer from them on the request's own shard, with the image that already shows the change.

use std::sync::Arc;
use std::time::Duration;

use super::{Answer, Outcome, Parked, Polled, State};
pub(super) use crate::controller::Inputs;
use crate::controller::{Decide, Job, Task};
use crate::metadata::{Image, Record};
use crate::model::ErrorCode;
use crate::shard::context::{Context, News, Reply};
use crate::stdx::mutex::Mutex;
use crate::stdx::slab::Key;

/// What a finished request gets: what its decision has left, or why there is none.
pub(super) type Decided<T> = Result<T, ErrorCode>;

type Finish = Box<dyn FnOnce(&mut State, &Context<'_>, Decided<()>) -> Result<Answer, String>>;

/// Whom the metadata thread tells that it is done.
type ReplyTo = Box<dyn FnOnce(Result<(), ErrorCode>) + Send>;

type MakeWork = Box<dyn FnOnce(ReplyTo) -> Task>;

/// A request on its way through the metadata thread.
pub struct Waiting {
    work: Option<MakeWork>,
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
        *left.lock() = Some(decided);
        records
    };
    let finish = move |state: &mut State, context: &Context<'_>, committed: Decided<()>| {
        let decided = results.lock().take();
        let result = committed.and_then(|()| decided.ok_or(ErrorCode::UnknownServerError));
        finish(state, context, result)
    };
    let decide: Decide = Box::new(decide);
    wait_for(context, timeout_ms, Box::new(|reply| Task::Decide(Job { decide, reply })), Box::new(finish))
}

/// Hands the metadata thread work that is no change of metadata. `finish` gets what it has left with `answer`.
pub(super) fn submit_work<T: Send + 'static>(
    context: &Context<'_>,
    timeout_ms: i32,
    work: impl FnOnce(Box<dyn FnOnce(T) + Send>, ReplyTo) -> Task + 'static,
    finish: impl FnOnce(&mut State, &Context<'_>, Decided<T>) -> Result<Answer, String> + 'static,
) -> Outcome {
    let results = Arc::new(Mutex::new(None));
    let left = results.clone();
    let answer = Box::new(move |answer| *left.lock() = Some(answer));
    let finish = move |state: &mut State, context: &Context<'_>, done: Decided<()>| {
        let answer = results.lock().take();
        let result = done.and_then(|()| answer.ok_or(ErrorCode::UnknownServerError));
        finish(state, context, result)
    };
    wait_for(context, timeout_ms, Box::new(|reply| work(answer, reply)), Box::new(finish))
}

fn wait_for(context: &Context<'_>, timeout_ms: i32, work: MakeWork, finish: Finish) -> Outcome {
    let waiting = Waiting { work: Some(work), result: None, finish: Some(finish) };
    let deadline = context.now + Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    Outcome::Wait { parked: Parked::Metadata(waiting), deadline, watched: Vec::new() }
}

impl Waiting {
    /// Sends the job, now that it is known under which key the request waits.
    pub(super) fn start(&mut self, context: &Context<'_>, parked: Key) {
        let Some(work) = self.work.take() else { return };
        let mailbox = context.shared.mailbox(context.shard).clone();
        let reply = Box::new(move |result| mailbox.reply(Reply { parked, news: News::Metadata(result) }));
        context.shared.send_to_controller(work(reply));
    }

    pub(super) fn receive(&mut self, result: Result<(), ErrorCode>) {
        self.result = Some(result);
    }

    pub(super) fn poll(&mut self, state: &mut State, context: &Context<'_>, expired: bool) -> Polled {
        let result = match self.result.take() {
            Some(result) => result,
            None if expired => Err(ErrorCode::RequestTimedOut),
            None => return Polled::Wait,
        };
        let Some(finish) = self.finish.take() else { return Polled::Silent };
        match finish(state, context, result) {
            Ok(answer) => Polled::Answer(answer),
            Err(error) => {
                log::error!("{error}");
                Polled::Silent
            }
        }
    }
}
