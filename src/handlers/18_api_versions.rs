//! ApiVersions (key 18), versions 0–5: what this broker offers.
//!
//! A request of a version from the future is answered in version 0 with UNSUPPORTED_VERSION and our own range, so that
//! the client can ask again (KIP-511). 3 carries the client's name and version, which must look like one, and which the
//! session keeps; 4 may tell of features from level 0 on (KIP-584); 5 says whom the client believes to talk to (KIP-1242):
//! cluster and node, or neither.
//!
//! With `klamm.as.version` the answer is what a broker of that release tells, as far as it is built here; what that one does
//! not offer is refused like what is not built.

use super::table::OfferedVersions;
use super::{HANDLERS, Handler, Head, Outcome, Request, State};
use crate::config::Config;
use crate::model::{ApiKey, ErrorCode};
use crate::replica::view::Feature;
use crate::shard::context::Context;
use crate::wire::api::api_versions::{self as message, ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};

/// The first version that says who the client is.
const CLIENT_SOFTWARE_SINCE: i16 = 3;
/// The node of a client that does not say whom it believes to talk to.
const NO_NODE: i32 = -1;
/// The first version whose readers understand a feature that may be off.
const FEATURES_FROM_ZERO_SINCE: i16 = 4;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if let Err(refused) = note_client(request, &body) {
        return refused;
    }
    if believes_in_another(context, &body) {
        return error(request.head, ErrorCode::RebootstrapRequired);
    }
    tell(context, request.head)
}

/// The answer to a client that has not logged in, and whether it was told what is offered: it is not asked whom it believes
/// to talk to (`SaslServerAuthenticator.handleApiVersionsRequest`).
pub(super) fn before_login(context: &Context<'_>, request: &Request<'_>) -> (Outcome, bool) {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return (early, false),
    };
    match note_client(request, &body) {
        Ok(()) => (tell(context, request.head), true),
        Err(refused) => (refused, false),
    }
}

/// Keeps what the client says of itself; an answer where it says it wrong.
fn note_client(request: &Request<'_>, body: &message::Request<'_>) -> Result<(), Outcome> {
    let version = request.head.version;
    if !is_valid(body, version) {
        return Err(error(request.head, ErrorCode::InvalidRequest));
    }
    if version >= CLIENT_SOFTWARE_SINCE {
        request.session.set_software(&body.client_software_name, &body.client_software_version);
    }
    Ok(())
}

fn tell(context: &Context<'_>, head: Head) -> Outcome {
    let version = head.version;
    let config = &context.shared.config;
    let features = features(context);
    let supported = features.iter().filter(|f| f.min_level > 0 || version >= FEATURES_FROM_ZERO_SINCE);
    let finalized = features.iter().filter(|feature| feature.level > 0);
    head.answer(&message::Response {
        api_keys: HANDLERS.iter().filter_map(|handler| offered(handler, config)).collect(),
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

/// The features, as far as the release has them that this broker is to be taken for.
fn features(context: &Context<'_>) -> Vec<Feature> {
    let own = context.view.features();
    let Some(release) = &context.shared.config.as_version else { return own };
    let as_there = own.into_iter().filter_map(|feature| {
        let there = release.feature(feature.name)?;
        let (min_level, max_level) = (feature.min_level.max(there.lowest), feature.max_level.min(there.highest));
        Some(Feature { min_level, max_level, level: feature.level.min(max_level).min(there.default), ..feature })
    });
    as_there.collect()
}

/// The answer to a version that we do not have.
pub(super) fn unsupported(context: &Context<'_>, head: Head) -> Outcome {
    let own = HANDLERS.iter().filter(|handler| handler.key == ApiKey::ApiVersions);
    let head = Head { version: 0, ..head };
    head.answer(&message::Response {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: own.filter_map(|handler| offered(handler, &context.shared.config)).collect(),
        ..Default::default()
    })
}

fn offered(handler: &Handler, config: &Config) -> Option<ApiVersion> {
    let OfferedVersions { told_min, max_version, .. } = handler.offer(config)?;
    Some(ApiVersion { api_key: handler.key.id(), min_version: told_min, max_version })
}

fn error(head: Head, error: ErrorCode) -> Outcome {
    head.answer(&message::Response { error_code: error.code(), ..Default::default() })
}

/// `ApiVersionsRequest.isValid`; what a version does not carry has its default.
fn is_valid(body: &message::Request<'_>, version: i16) -> bool {
    let names_both_or_none = body.cluster_id.is_some() == (body.node_id != NO_NODE);
    let words = [&body.client_software_name, &body.client_software_version];
    names_both_or_none && (version < CLIENT_SOFTWARE_SINCE || words.iter().all(|word| is_software_word(word)))
}

/// Letters, digits, dashes and dots, with a letter or digit at both ends.
fn is_software_word(word: &str) -> bool {
    let inner = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'.';
    let outer = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = word.as_bytes();
    outer(bytes.first()) && outer(bytes.last()) && bytes.iter().all(|c| inner(*c))
}

fn believes_in_another(context: &Context<'_>, body: &message::Request<'_>) -> bool {
    let (cluster_id, node_id) = (context.view.cluster_id(), context.broker);
    body.cluster_id.as_deref().is_some_and(|id| id != cluster_id || body.node_id != node_id)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Broker;
    use super::*;
    use crate::shard::session::Session;

    fn ask(broker: &mut Broker, version: i16, body: &message::Request<'_>) -> i16 {
        let response: message::Response<'_> = broker.ask(ApiKey::ApiVersions, version, body);
        response.error_code
    }

    fn says(name: &'static str, version: &'static str) -> message::Request<'static> {
        message::Request {
            client_software_name: name.into(),
            client_software_version: version.into(),
            ..Default::default()
        }
    }

    #[test]
    fn the_session_keeps_what_a_valid_request_says() {
        let mut broker = Broker::start(&[]);
        assert_eq!(ask(&mut broker, 2, &message::Request::default()), 0);
        assert_eq!(broker.session.software(), None);
        for (name, version) in [("", "1"), ("a b", "1"), ("a", "-1"), ("a", "")] {
            assert_eq!(ask(&mut broker, 3, &says(name, version)), ErrorCode::InvalidRequest.code());
            assert_eq!(broker.session.software(), None);
        }
        assert_eq!(ask(&mut broker, 3, &says("librdkafka", "2.11.0")), 0);
        assert_eq!(ask(&mut broker, 4, &says("?", "?")), ErrorCode::InvalidRequest.code());
        let software = broker.session.software().unwrap();
        assert_eq!((software.name.as_str(), software.version.as_str()), ("librdkafka", "2.11.0"));
    }

    /// `ApiVersionsRequest.isValid` and `KafkaApis.clusterIdOrNodeIdIsInvalid` (KIP-1242).
    #[test]
    fn a_client_names_cluster_and_node_or_neither() {
        let mut broker = Broker::start(&[]);
        let ours = broker.view().cluster_id().to_string();
        let (node, other) = (broker.shared.config.node_id, broker.shared.config.node_id + 1);
        let (fine, invalid, elsewhere) = (0, ErrorCode::InvalidRequest.code(), ErrorCode::RebootstrapRequired.code());
        let cases = [
            (None, -1, fine),
            (Some(ours.as_str()), node, fine),
            (None, node, invalid),
            (Some(ours.as_str()), -1, invalid),
            (Some(ours.as_str()), other, elsewhere),
            (Some(ours.as_str()), -2, elsewhere),
            (Some("another"), node, elsewhere),
        ];
        for (cluster_id, node_id, expected) in cases {
            let body = message::Request { cluster_id: cluster_id.map(Into::into), node_id, ..says("a", "1") };
            assert_eq!(ask(&mut broker, 5, &body), expected, "{cluster_id:?} {node_id}");
        }
    }

    #[test]
    fn software_words() {
        for (word, valid) in
            [("apache-kafka-java", true), ("4.3.1", true), ("a", true), ("", false), ("-a", false), ("a b", false)]
        {
            assert_eq!(is_software_word(word), valid, "{word:?}");
        }
    }

    /// What a broker tells that is to be taken for one of a release.
    #[test]
    fn a_broker_as_of_a_release_tells_no_more_than_that_release() {
        for name in crate::config::release::NAMES {
            let release = crate::config::Release::named(name).unwrap();
            let mut broker = Broker::start(&[("klamm.as.version", name)]);
            let told: message::Response<'_> = broker.ask(ApiKey::ApiVersions, 3, &says("a", "1"));
            let expected = HANDLERS.iter().filter_map(|row| {
                let (low, high) = release.api(row.key)?;
                let (lowest, highest) = (row.min_version.max(low), row.max_version.min(high));
                (lowest <= highest).then_some((row.key.id(), row.advertised_min_version.max(low), highest))
            });
            let told_apis: Vec<_> = told.api_keys.iter().map(|a| (a.api_key, a.min_version, a.max_version)).collect();
            assert_eq!(told_apis, expected.collect::<Vec<_>>(), "{name}");
            for feature in &told.supported_features {
                let there = release.feature(&feature.name).unwrap();
                let is_inside = there.lowest <= feature.min_version && feature.max_version <= there.highest;
                assert!(is_inside, "{name}: {}", feature.name);
            }
            let level = told.finalized_features.iter().find(|f| f.name == crate::metadata::METADATA_VERSION);
            let expected = release.feature(crate::metadata::METADATA_VERSION).map(|levels| levels.highest);
            assert_eq!(level.map(|feature| feature.max_version_level), expected, "{name}");
        }
    }

    /// What a new cluster of the release has not turned on is off, though it is on here.
    #[test]
    fn finalized_levels_are_those_of_a_new_cluster_of_the_release() {
        let told = |release: Option<&str>| {
            let settings: Vec<_> = release.map(|name| ("klamm.as.version", name)).into_iter().collect();
            let mut broker = Broker::start(&settings);
            let told: message::Response<'_> = broker.ask(ApiKey::ApiVersions, 3, &says("a", "1"));
            let finalized = told.finalized_features.iter().map(|f| (f.name.to_string(), f.max_version_level));
            let mut finalized: Vec<_> = finalized.collect();
            finalized.sort();
            finalized
        };
        let expected = |levels: &[(&str, i16)]| levels.iter().map(|(n, l)| (n.to_string(), *l)).collect::<Vec<_>>();
        let (elr, group) = (("eligible.leader.replicas.version", 1), ("group.version", 1));
        let (metadata, transaction) = (|level| ("metadata.version", level), ("transaction.version", 2));
        assert_eq!(told(Some("4.0")), expected(&[group, metadata(25), transaction]));
        assert_eq!(told(Some("4.1")), expected(&[elr, group, metadata(27), transaction]));
        assert_eq!(told(Some("4.4")), told(None));
    }

    #[test]
    fn what_the_release_does_not_offer_is_refused() {
        let mut broker = Broker::start(&[("klamm.as.version", "2.8")]);
        let refused: message::Response<'_> = broker.ask(ApiKey::ApiVersions, 0, &message::Request::default());
        assert_eq!(refused.error_code, 0);
        let config = &broker.shared.config;
        let offers = |key, version| HANDLERS.iter().find(|row| row.key == key).unwrap().offers(version, config);
        assert!(offers(ApiKey::Fetch, 12) && !offers(ApiKey::Fetch, 13) && !offers(ApiKey::Fetch, 3));
        assert!(offers(ApiKey::ApiVersions, 3) && !offers(ApiKey::ApiVersions, 4));
        assert!(!offers(ApiKey::ConsumerGroupHeartbeat, 0));
    }

    /// Kafka 3.3 with KRaft has no credentials to alter.
    #[test]
    fn the_brokers_own_requests_need_not_be_of_the_release() {
        use crate::wire::api::describe_user_scram_credentials as scram;
        let mut broker = Broker::start(&[("klamm.as.version", "3.3")]);
        let body = scram::Request::default();
        let key = ApiKey::DescribeUserScramCredentials;
        assert!(!HANDLERS.iter().find(|row| row.key == key).unwrap().offers(0, &broker.shared.config));
        broker.session = Session::of_the_broker();
        let told: scram::Response<'_> = broker.ask(key, 0, &body);
        assert_eq!(told.error_code, 0);
    }
}
