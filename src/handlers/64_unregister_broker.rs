//! UnregisterBroker (key 64), version 0: forgets a broker that will not come back (KIP-631).
//!
//! Decided by `metadata::unregister_broker`. Success has an empty sentence, as Kafka's.
//!
//! Deviation: this broker itself, which runs, is refused with INVALID_REQUEST. Kafka unregisters a running broker, too, and
//! with the only one the whole cluster is without leaders and without brokers until it is started again.

use super::{Outcome, Request, State, code_and_message, effective, metadata_job};
use crate::metadata::{self, Image, Refusal};
use crate::shard::context::Context;
use crate::wire::api::unregister_broker as message;

/// How long a request waits for its records; then the client shall ask again.
const TIMEOUT_MS: i32 = 30_000;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let (head, shared, id) = (request.head, context.shared.clone(), body.broker_id);
    let decide = move |image: &Image, _: &mut metadata_job::Inputs| {
        let settings = effective::settings(&shared, image);
        match metadata::unregister_broker(image, &settings, shared.config.node_id, id) {
            Ok(records) => (records, Ok(())),
            Err(refusal) => (Vec::new(), Err(refusal)),
        }
    };
    let finish = move |_: &mut State, _: &Context<'_>, decided: metadata_job::Decided<Result<(), Refusal>>| {
        let result = decided.unwrap_or_else(|error| Err(Refusal::of(error)));
        let (error_code, message) = code_and_message(&result);
        let error_message = message.or_else(|| result.is_ok().then(|| "".into()));
        head.encode(&message::Response { error_code, error_message, ..Default::default() })
    };
    metadata_job::submit(context, TIMEOUT_MS, decide, finish)
}
