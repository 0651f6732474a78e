//! ApiVersions (key 18), versions 0–5: what this broker offers.
//!
//! A request of a version from the future is answered in version 0 with UNSUPPORTED_VERSION and our own range, so that
//! the client can ask again (KIP-511). 3 carries the client's name and version, which must look like one; 4 may tell of
//! features from level 0 on (KIP-584); 5 says whom the client believes to talk to (KIP-1242).

use super::{HANDLERS, Handler, Head, Outcome, Request, State};
use crate::model::{ApiKey, ErrorCode};
use crate::shard::context::Context;
use crate::wire::api::api_versions::{self as message, ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};

/// The first version that says who the client is.
const CLIENT_SOFTWARE_SINCE: i16 = 3;
/// The first version whose readers understand a feature that may be off.
const FEATURES_FROM_ZERO_SINCE: i16 = 4;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let version = request.head.version;
    if version >= CLIENT_SOFTWARE_SINCE
        && !(is_software_word(&body.client_software_name) && is_software_word(&body.client_software_version))
    {
        return error(request.head, ErrorCode::InvalidRequest);
    }
    if believes_in_another(context, &body) {
        return error(request.head, ErrorCode::RebootstrapRequired);
    }
    let features = context.view.features();
    let supported = features.iter().filter(|f| f.min_level > 0 || version >= FEATURES_FROM_ZERO_SINCE);
    let finalized = features.iter().filter(|feature| feature.level > 0);
    request.head.answer(&message::Response {
        api_keys: HANDLERS.iter().map(offered).collect(),
        supported_features: supported
            .map(|f| SupportedFeatureKey { name: f.name.into(), min_version: f.min_level, max_version: f.max_level })
            .collect(),
        finalized_features_epoch: context.view.applied_offset().0,
        finalized_features: finalized
            .map(|f| FinalizedFeatureKey {
                name: f.name.into(),
                max_version_level: f.level,
                min_version_level: f.level,
            })
            .collect(),
        ..Default::default()
    })
}

/// The answer to a version that we do not have.
pub(super) fn unsupported(head: Head) -> Outcome {
    let own = HANDLERS.iter().filter(|handler| handler.key == ApiKey::ApiVersions);
    let head = Head { version: 0, ..head };
    head.answer(&message::Response {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: own.map(offered).collect(),
        ..Default::default()
    })
}

fn offered(handler: &Handler) -> ApiVersion {
    ApiVersion {
        api_key: handler.key.id(),
        min_version: handler.advertised_min_version,
        max_version: handler.max_version,
    }
}

fn error(head: Head, error: ErrorCode) -> Outcome {
    head.answer(&message::Response { error_code: error.code(), ..Default::default() })
}

/// Letters, digits, dashes and dots, with a letter or digit at both ends (`ApiVersionsRequest.isValid`).
fn is_software_word(word: &str) -> bool {
    let inner = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'.';
    let outer = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = word.as_bytes();
    outer(bytes.first()) && outer(bytes.last()) && bytes.iter().all(|c| inner(*c))
}

fn believes_in_another(context: &Context<'_>, body: &message::Request<'_>) -> bool {
    let other_cluster = body.cluster_id.as_deref().is_some_and(|id| id != context.view.cluster_id());
    let other_node = body.node_id >= 0 && body.node_id != context.shared.config.node_id;
    other_cluster || other_node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_words() {
        for (word, valid) in
            [("apache-kafka-java", true), ("4.3.1", true), ("a", true), ("", false), ("-a", false), ("a b", false)]
        {
            assert_eq!(is_software_word(word), valid, "{word:?}");
        }
    }
}
