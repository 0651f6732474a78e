//! UnregisterBroker (key 64), version 0: forgets a broker that will not come back (KIP-631).
//!
//! Decided by `metadata::unregister_broker`. Success has an empty sentence, as Kafka's.
//!
//! Deviation: this broker itself, which runs, is refused with INVALID_REQUEST. Kafka unregisters a running broker, too, and
//! with the only one the whole cluster is without leaders and without brokers until it is started again.

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, code_and_message};
use crate::metadata::{Change, Decided, Refusal};
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::unregister_broker as message;

/// How long a request waits for its records; then the client shall ask again.
const TIMEOUT_MS: i32 = 30_000;

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if let Err(refusal) = request.must_cluster(context, AclOperation::Alter) {
        let (error_code, error_message) = code_and_message::<()>(&Err(refusal));
        return request.head.answer(&message::Response { error_code, error_message, ..Default::default() });
    }
    let finish = Finish::UnregisterBroker(Waiting { head: request.head });
    metadata_job::submit(context, TIMEOUT_MS, Change::UnregisterBroker { id: body.broker_id }, finish)
}

impl Waiting {
    pub(super) fn finish(self, decided: metadata_job::Result) -> Result<Answer, String> {
        let result = match decided {
            Ok(Decided::Whole(result)) => result,
            other => Err(Refusal::of(metadata_job::why_not(other))),
        };
        let (error_code, message) = code_and_message(&result);
        let error_message = message.or_else(|| result.is_ok().then(|| "".into()));
        self.head.encode(&message::Response { error_code, error_message, ..Default::default() })
    }
}
