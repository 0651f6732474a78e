//! What tools and consoles ask for besides topics and groups. What is expected here was answered by Apache Kafka 4.3.1 to
//! the same requests; orders that Kafka leaves to a hash map are ours.

use super::versions::versions;
use crate::handlers::testing::{Broker, NOW};
use crate::metadata::Record;
use crate::metadata::record::{ClientQuotaRecord, EntityData, RegisterBrokerRecord, UserScramCredentialRecord};
use crate::model::{ApiKey, ErrorCode, TimestampMs};
use crate::record;
use crate::record::builder::{Builder, Options};
use crate::record::control::EndTxnMarker;
use crate::storage::log::Admission;
use crate::wire::api::{
    create_acls, create_delegation_token, delete_acls, describe_acls, describe_client_quotas,
    describe_delegation_token, describe_producers, describe_transactions, describe_user_scram_credentials,
    expire_delegation_token, list_transactions, produce, renew_delegation_token, unregister_broker,
};

const ACLS: [ApiKey; 3] = [ApiKey::DescribeAcls, ApiKey::CreateAcls, ApiKey::DeleteAcls];

#[test]
fn acls_are_disabled_without_an_authorizer() {
    let mut broker = Broker::start(&[]);
    for version in ACLS.map(versions).into_iter().flatten() {
        let asked =
            describe_acls::Request { resource_type_filter: 1, operation: 1, permission_type: 99, ..Default::default() };
        let answer: describe_acls::Response = broker.ask(ApiKey::DescribeAcls, version, &asked);
        assert_eq!(answer.error_code, ErrorCode::SecurityDisabled.code());
        assert_eq!(answer.error_message.as_deref(), Some("No Authorizer is configured on the broker"));
        let acl = create_acls::AclCreation { resource_type: 2, operation: 3, permission_type: 3, ..Default::default() };
        let asked = create_acls::Request { creations: vec![acl.clone(), acl] };
        let answer: create_acls::Response = broker.ask(ApiKey::CreateAcls, version, &asked);
        let refused = create_acls::AclCreationResult {
            error_code: 54,
            error_message: Some("No Authorizer is configured.".into()),
        };
        assert_eq!(answer.results, [refused.clone(), refused]);
        let filter = delete_acls::DeleteAclsFilter {
            resource_type_filter: 1,
            operation: 1,
            permission_type: 1,
            ..Default::default()
        };
        let answer: delete_acls::Response =
            broker.ask(ApiKey::DeleteAcls, version, &delete_acls::Request { filters: vec![filter] });
        let refused = &answer.filter_results[0];
        assert_eq!((refused.error_code, refused.error_message.as_deref()), (54, Some("No Authorizer is configured.")));
    }
    let none: create_acls::Response = broker.ask(ApiKey::CreateAcls, 3, &create_acls::Request::default());
    assert!(none.results.is_empty());
}

#[test]
fn unknown_elements_of_acls_close_the_connection() {
    let mut broker = Broker::start(&[]);
    for unknown in 0..4 {
        let of = |element: usize| if element == unknown { 0 } else { 2 };
        let acl = create_acls::AclCreation {
            resource_type: of(0),
            resource_pattern_type: of(1),
            operation: of(2),
            permission_type: of(3),
            ..Default::default()
        };
        assert!(broker.closes(ApiKey::CreateAcls, 3, &create_acls::Request { creations: vec![acl] }));
        let filter = delete_acls::DeleteAclsFilter {
            resource_type_filter: of(0),
            pattern_type_filter: of(1),
            operation: of(2),
            permission_type: of(3),
            ..Default::default()
        };
        assert!(broker.closes(ApiKey::DeleteAcls, 3, &delete_acls::Request { filters: vec![filter] }));
        let asked = describe_acls::Request {
            resource_type_filter: of(0),
            pattern_type_filter: of(1),
            operation: of(2),
            permission_type: of(3),
            ..Default::default()
        };
        assert!(broker.closes(ApiKey::DescribeAcls, 3, &asked));
    }
}

#[test]
fn tokens_are_not_for_connections_without_authentication() {
    let mut broker = Broker::start(&[]);
    let refused = ErrorCode::DelegationTokenRequestNotAllowed.code();
    for version in versions(ApiKey::CreateDelegationToken) {
        let answer: create_delegation_token::Response =
            broker.ask(ApiKey::CreateDelegationToken, version, &create_delegation_token::Request::default());
        let expected = create_delegation_token::Response {
            error_code: refused,
            principal_type: "User".into(),
            principal_name: "ANONYMOUS".into(),
            token_requester_principal_type: if version < 3 { "".into() } else { "User".into() },
            token_requester_principal_name: if version < 3 { "".into() } else { "ANONYMOUS".into() },
            issue_timestamp_ms: -1,
            expiry_timestamp_ms: -1,
            max_timestamp_ms: -1,
            ..Default::default()
        };
        assert_eq!(answer, expected);
    }
    for (owner, answered) in [("bob", ("Robot", "bob")), ("", ("User", "ANONYMOUS"))] {
        let asked = create_delegation_token::Request {
            owner_principal_type: Some("Robot".into()),
            owner_principal_name: Some(owner.into()),
            ..Default::default()
        };
        let answer: create_delegation_token::Response = broker.ask(ApiKey::CreateDelegationToken, 3, &asked);
        assert_eq!((&*answer.principal_type, &*answer.principal_name), answered);
    }
    for version in versions(ApiKey::RenewDelegationToken) {
        let answer: renew_delegation_token::Response =
            broker.ask(ApiKey::RenewDelegationToken, version, &renew_delegation_token::Request::default());
        assert_eq!((answer.error_code, answer.expiry_timestamp_ms), (refused, -1));
        let answer: expire_delegation_token::Response =
            broker.ask(ApiKey::ExpireDelegationToken, version, &expire_delegation_token::Request::default());
        assert_eq!((answer.error_code, answer.expiry_timestamp_ms), (refused, -1));
    }
    for version in versions(ApiKey::DescribeDelegationToken) {
        let answer: describe_delegation_token::Response =
            broker.ask(ApiKey::DescribeDelegationToken, version, &describe_delegation_token::Request::default());
        assert_eq!((answer.error_code, answer.tokens.len()), (refused, 0));
    }
}

type Component = (&'static str, i8, Option<&'static str>);

fn quotas(broker: &mut Broker, strict: bool, components: &[Component]) -> describe_client_quotas::Response<'static> {
    let component = |(entity_type, match_type, name): &Component| describe_client_quotas::ComponentData {
        entity_type: (*entity_type).into(),
        match_type: *match_type,
        r#match: name.map(Into::into),
    };
    let request = describe_client_quotas::Request { components: components.iter().map(component).collect(), strict };
    let answers: Vec<describe_client_quotas::Response> = versions(ApiKey::DescribeClientQuotas)
        .map(|version| broker.ask(ApiKey::DescribeClientQuotas, version, &request))
        .collect();
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    answers.into_iter().next().unwrap()
}

#[test]
fn filters_of_quotas_are_judged_as_by_kafka() {
    const SPECIFIED: &str = "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.";
    const COMBINED: &str = "Invalid entity filter component combination. IP filter component should not be used with \
                            user or clientId filter component.";
    let mut broker = Broker::start(&[]);
    let table: &[(&[Component], i16, &str)] = &[
        (&[("", 0, Some("a"))], 42, "Invalid empty entity type."),
        (&[("user", 0, None)], 42, "Request specified MATCH_TYPE_EXACT, but set match string to null."),
        (&[("user", 1, Some("a"))], 42, "Request specified MATCH_TYPE_DEFAULT, but also specified a match string."),
        (&[("user", 2, Some("a"))], 42, SPECIFIED),
        (&[("user", 3, None)], 42, "Unknown match type 3"),
        (&[("user", -1, Some("a"))], 42, "Unknown match type -1"),
        (
            &[("user", 0, Some("a")), ("user", 2, None)],
            42,
            "Entity type user cannot appear more than once in the filter.",
        ),
        (&[("robot", 9, None)], 35, "Unsupported entity type robot"),
        (&[("User", 0, Some("a"))], 35, "Unsupported entity type User"),
        (&[("ip", 2, None), ("user", 0, Some("x"))], 42, COMBINED),
        (&[("client-id", 2, None), ("ip", 1, None)], 42, COMBINED),
    ];
    for (components, error, message) in table {
        let answer = quotas(&mut broker, false, components);
        assert_eq!((answer.error_code, answer.error_message.as_deref()), (*error, Some(*message)));
        assert_eq!(answer.entries, None);
    }
    for components in [&[][..], &[("ip", 0, Some("nonsense"))], &[("user", 0, Some(""))]] {
        let answer = quotas(&mut broker, true, components);
        assert_eq!((answer.error_code, answer.error_message.as_deref()), (0, Some("")));
        assert_eq!(answer.entries, Some(Vec::new()));
    }
}

fn quota(entity: &[(&'static str, Option<&'static str>)], key: &'static str, value: f64) -> Record<'static> {
    let entity = entity.iter().map(|(entity_type, name)| EntityData {
        entity_type: (*entity_type).into(),
        entity_name: name.map(Into::into),
    });
    Record::ClientQuota(ClientQuotaRecord { entity: entity.collect(), key: key.into(), value, remove: false })
}

#[test]
fn quotas_of_the_metadata_log_are_found() {
    let mut broker = Broker::start(&[]);
    broker.commit(vec![
        quota(&[("user", Some("alice")), ("client-id", Some("app"))], "request_percentage", 50.0),
        quota(&[("user", None), ("client-id", None)], "request_percentage", 60.0),
        quota(&[("client-id", None)], "producer_byte_rate", 7.0),
        quota(&[("user", None)], "producer_byte_rate", 8.0),
        quota(&[("ip", Some("10.0.0.1"))], "connection_creation_rate", 9.0),
    ]);
    let user = |name| ("user", 0, Some(name));
    let (default_user, any_user) = (("user", 1, None), ("user", 2, None));
    let (default_client, any_client) = (("client-id", 1, None), ("client-id", 2, None));
    // The filter, the values that it finds, and those that it finds where it is strict.
    let table: &[(&[Component], &[f64], &[f64])] = &[
        (&[], &[7.0, 60.0, 50.0, 9.0, 8.0], &[]),
        (&[user("alice")], &[50.0], &[]),
        (&[default_user], &[60.0, 8.0], &[8.0]),
        (&[any_user], &[60.0, 50.0, 8.0], &[8.0]),
        (&[any_user, any_client], &[60.0, 50.0], &[60.0, 50.0]),
        (&[user("alice"), any_client], &[50.0], &[50.0]),
        (&[default_user, default_client], &[60.0], &[60.0]),
        (&[any_client], &[7.0, 60.0, 50.0], &[7.0]),
        (&[("ip", 2, None)], &[9.0], &[9.0]),
        (&[("ip", 1, None)], &[], &[]),
        (&[user("nobody"), any_client], &[], &[]),
    ];
    for (components, loose, strict) in table {
        for (is_strict, expected) in [(false, loose), (true, strict)] {
            let entries = quotas(&mut broker, is_strict, components).entries.unwrap();
            let found: Vec<f64> = entries.iter().map(|entry| entry.values[0].value).collect();
            assert_eq!(&found, expected, "{components:?} {is_strict}");
        }
    }
    let both = quotas(&mut broker, true, &[user("alice"), any_client]).entries.unwrap().remove(0);
    let entity: Vec<_> = both.entity.iter().map(|part| (&*part.entity_type, part.entity_name.as_deref())).collect();
    assert_eq!(entity, [("client-id", Some("app")), ("user", Some("alice"))]);
    assert_eq!(&*both.values[0].key, "request_percentage");
}

#[test]
fn scram_credentials_are_told_without_their_keys() {
    let mut broker = Broker::start(&[]);
    let credential = |name: &'static str, mechanism, iterations| {
        Record::UserScramCredential(UserScramCredentialRecord {
            name: name.into(),
            mechanism,
            salt: b"salt".into(),
            stored_key: b"secret".into(),
            server_key: b"secret".into(),
            iterations,
        })
    };
    let ask = |broker: &mut Broker, users: Option<&[&'static str]>| {
        let user = |name: &&'static str| describe_user_scram_credentials::UserName { name: (*name).into() };
        let users = users.map(|users| users.iter().map(user).collect());
        let request = describe_user_scram_credentials::Request { users };
        let answer: describe_user_scram_credentials::Response =
            broker.ask(ApiKey::DescribeUserScramCredentials, 0, &request);
        assert_eq!((answer.error_code, answer.error_message.as_deref()), (0, Some("")));
        let shown = |result: &describe_user_scram_credentials::DescribeUserScramCredentialsResult| {
            let infos: Vec<_> = result.credential_infos.iter().map(|info| (info.mechanism, info.iterations)).collect();
            format!("{} {} {:?} {infos:?}", result.user, result.error_code, result.error_message.as_deref().unwrap())
        };
        answer.results.iter().map(shown).collect::<Vec<_>>()
    };
    let nobody: [&str; 0] = [];
    assert_eq!(ask(&mut broker, None), nobody);
    assert_eq!(ask(&mut broker, Some(&[])), nobody);
    broker.commit(vec![credential("alice", 2, 4098), credential("alice", 1, 4097), credential("bob", 2, 4099)]);
    let all = ["alice 0 \"\" [(1, 4097), (2, 4098)]", "bob 0 \"\" [(2, 4099)]"];
    assert_eq!(ask(&mut broker, None), all);
    assert_eq!(ask(&mut broker, Some(&["bob"])), all[1..]);
    let named = ask(&mut broker, Some(&["bob", "carol", "bob", "bob", ""]));
    let expected = [
        " 91 \"Attempt to describe a user credential that does not exist: \" []",
        "bob 92 \"Cannot describe SCRAM credentials for the same user twice in a single request: bob\" []",
        "carol 91 \"Attempt to describe a user credential that does not exist: carol\" []",
    ];
    assert_eq!(named, expected);
}

/// A batch of an idempotent producer.
fn batch_of(producer_id: i64, base_sequence: i32) -> Vec<u8> {
    let options = Options { producer_id, producer_epoch: 3, base_sequence, ..Options::default() };
    let mut builder = Builder::new(options);
    builder.append(&crate::record::builder::Record { timestamp: NOW, key: None, value: Some(b"x"), headers: &[] });
    builder.build()
}

fn producers(
    broker: &mut Broker,
    topics: &[(&'static str, &[i32])],
) -> Vec<describe_producers::TopicResponse<'static>> {
    let topic = |(name, indexes): &(&'static str, &[i32])| describe_producers::TopicRequest {
        name: (*name).into(),
        partition_indexes: indexes.to_vec(),
    };
    let request = describe_producers::Request { topics: topics.iter().map(topic).collect() };
    let answer: describe_producers::Response = broker.ask(ApiKey::DescribeProducers, 0, &request);
    answer.topics
}

#[test]
fn active_producers_are_told() {
    let mut broker = Broker::start(&[]);
    broker.create_topic("t", 2);
    for (producer_id, sequence) in [(12, 0), (7, 0), (7, 1)] {
        let records = batch_of(producer_id, sequence);
        let partition = produce::PartitionProduceData { index: 0, records: Some(records.as_slice().into()) };
        let topic =
            produce::TopicProduceData { name: "t".into(), partition_data: vec![partition], ..Default::default() };
        let request = produce::Request { acks: -1, timeout_ms: 1000, topic_data: vec![topic], ..Default::default() };
        let answer: produce::Response = broker.ask(ApiKey::Produce, 9, &request);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
    let found = producers(&mut broker, &[("t", &[0, 1, 7, -1]), ("t", &[])]);
    let shown: Vec<_> =
        found[0].partitions.iter().map(|p| (p.partition_index, p.error_code, &p.error_message)).collect();
    assert_eq!(shown, [(0, 0, &None), (1, 0, &None), (7, 3, &None), (-1, 3, &None)]);
    let state = |producer_id, last_sequence| describe_producers::ProducerState {
        producer_id,
        producer_epoch: 3,
        last_sequence,
        last_timestamp: NOW.0,
        coordinator_epoch: -1,
        current_txn_start_offset: -1,
    };
    assert_eq!(found[0].partitions[0].active_producers, [state(7, 1), state(12, 0)]);
    assert!(found[0].partitions[1].active_producers.is_empty() && found[1].partitions.is_empty());
}

/// `ProducerStateEntry` as `UnifiedLog.activeProducers` tells it: a transaction while it is open, and after its marker.
#[test]
fn open_transactions_are_told() {
    let mut broker = Broker::start(&[]);
    broker.create_topic("t", 1);
    let partition = broker.view().partition_by_name("t", 0).unwrap().clone();
    let later = |ms| TimestampMs(NOW.0 + ms);
    for (sequence, stamp) in [(0, 5), (1, 9), (2, 7)] {
        let mut builder = Builder::new(Options {
            producer_id: 7,
            producer_epoch: 3,
            base_sequence: sequence,
            is_transactional: sequence > 0,
            ..Options::default()
        });
        builder.append(&record::builder::Record { timestamp: later(stamp), value: Some(b"v"), ..Default::default() });
        partition.append(9, &builder.build(), NOW, Admission::Added).unwrap();
    }
    partition.write_pending(NOW);
    let state = describe_producers::ProducerState {
        producer_id: 7,
        producer_epoch: 3,
        last_sequence: 2,
        last_timestamp: later(7).0,
        coordinator_epoch: -1,
        current_txn_start_offset: 1,
    };
    assert_eq!(producers(&mut broker, &[("t", &[0])])[0].partitions[0].active_producers, std::slice::from_ref(&state));
    // Before version 2 of transactions the epoch stays, and with it what is known of its sequences.
    let marker = EndTxnMarker { commit: true, coordinator_epoch: 6 };
    partition.append_marker((7, 3), marker, 0, later(20)).unwrap();
    partition.write_pending(NOW);
    let state = describe_producers::ProducerState {
        last_timestamp: later(20).0,
        coordinator_epoch: 6,
        current_txn_start_offset: -1,
        ..state
    };
    assert_eq!(producers(&mut broker, &[("t", &[0])])[0].partitions[0].active_producers, std::slice::from_ref(&state));
    partition.append_marker((7, 4), marker, 2, later(21)).unwrap();
    partition.write_pending(NOW);
    let state = describe_producers::ProducerState {
        producer_epoch: 4,
        last_sequence: -1,
        last_timestamp: later(21).0,
        ..state
    };
    assert_eq!(producers(&mut broker, &[("t", &[0])])[0].partitions[0].active_producers, [state]);
}

#[test]
fn producers_of_what_is_not_there_are_refused_by_partition() {
    let mut broker = Broker::start(&[]);
    broker.create_topic("t", 1);
    let found = producers(&mut broker, &[("nix", &[0, 1]), ("a b", &[0]), ("", &[0]), ("t", &[0, 0]), ("t", &[0])]);
    let shown = |topic: &describe_producers::TopicResponse| {
        topic
            .partitions
            .iter()
            .map(|p| (p.error_code, p.error_message.as_deref().map(str::to_string)))
            .collect::<Vec<_>>()
    };
    let unknown = (3, Some("This server does not host this topic-partition.".to_string()));
    assert_eq!(shown(&found[0]), [unknown.clone(), unknown]);
    let illegal = "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' \
                   and '-'";
    assert_eq!(shown(&found[1]), [(17, Some(illegal.to_string()))]);
    assert_eq!(shown(&found[2]), [(17, Some("Topic name is invalid: the empty string is not allowed".to_string()))]);
    // Twice named, once answered.
    assert_eq!((found[3].partitions.len(), found[4].partitions.len()), (1, 0));
}

#[test]
fn sentences_of_refused_partitions_are_bounded() {
    let mut broker = Broker::start(&[]);
    let indexes: Vec<i32> = (0..30_000).collect();
    let found = producers(&mut broker, &[("nix", &indexes)]);
    let partitions = &found[0].partitions;
    assert!(partitions.len() == 30_000 && partitions.iter().all(|partition| partition.error_code == 3));
    let sentences: Vec<_> = partitions.iter().filter_map(|partition| partition.error_message.as_deref()).collect();
    assert_eq!(sentences.len(), 1024 * 1024 / sentences[0].len());
}

#[test]
fn there_are_no_transactions() {
    let mut broker = Broker::start(&[]);
    let ids = ["", "a", "a"].map(Into::into).to_vec();
    let request = describe_transactions::Request { transactional_ids: ids };
    let answer: describe_transactions::Response = broker.ask(ApiKey::DescribeTransactions, 0, &request);
    let states: Vec<_> =
        answer.transaction_states.iter().map(|state| (state.error_code, &*state.transactional_id)).collect();
    assert_eq!(states, [(42, ""), (16, "a"), (16, "a")]);
    for version in versions(ApiKey::ListTransactions) {
        let answer: list_transactions::Response =
            broker.ask(ApiKey::ListTransactions, version, &list_transactions::Request::default());
        assert_eq!(answer, list_transactions::Response::default());
    }
    let filters = [
        "Nix",
        "Empty",
        "",
        "Ongoing",
        "Nix",
        "ongoing",
        "Dead",
        "PrepareCommit",
        "PrepareAbort",
        "CompleteCommit",
        "CompleteAbort",
        "PrepareEpochFence",
    ];
    let state_filters: Vec<_> = filters.map(Into::into).to_vec();
    let asked = list_transactions::Request { state_filters: state_filters.clone(), ..Default::default() };
    let answer: list_transactions::Response = broker.ask(ApiKey::ListTransactions, 2, &asked);
    assert_eq!((answer.error_code, answer.unknown_state_filters), (0, ["Nix", "", "ongoing"].map(Into::into).to_vec()));
    let valid = ["", "a.*", "a{2", "(?<n>a)", "\\Qa"].map(|pattern| (pattern, 0));
    let invalid = ["(", "[a", "*", "\\", "(?=x)a", "a++", "\\p{Foo}", "(?<=a)b", "a{99999999999}"];
    for (pattern, error) in valid.into_iter().chain(invalid.map(|pattern| (pattern, 128))) {
        let pattern_filter = Some(pattern.into());
        let asked = list_transactions::Request {
            state_filters: state_filters.clone(),
            transactional_id_pattern: pattern_filter,
            ..Default::default()
        };
        let answer: list_transactions::Response = broker.ask(ApiKey::ListTransactions, 2, &asked);
        assert_eq!(answer.error_code, error, "{pattern}");
        assert_eq!(answer.unknown_state_filters.is_empty(), error != 0, "{pattern}");
    }
}

fn unregister(broker: &mut Broker, broker_id: i32) -> (i16, Option<String>) {
    let request = unregister_broker::Request { broker_id };
    let answer: unregister_broker::Response = broker.ask(ApiKey::UnregisterBroker, 0, &request);
    (answer.error_code, answer.error_message.map(|message| message.into_owned()))
}

fn registered(broker: &mut Broker) -> Vec<i32> {
    broker.view().image.brokers().map(|broker| broker.id).collect()
}

#[test]
fn a_broker_that_is_gone_is_unregistered() {
    let mut broker = Broker::start(&[]);
    let gone = RegisterBrokerRecord { broker_id: 7, broker_epoch: 5, fenced: true, ..Default::default() };
    broker.commit(vec![Record::RegisterBroker(gone)]);
    assert_eq!(registered(&mut broker), [1, 7]);
    for id in [8, -1] {
        let message = format!("Broker ID {id} is not currently registered");
        assert_eq!(unregister(&mut broker, id), (ErrorCode::BrokerIdNotRegistered.code(), Some(message)));
    }
    assert_eq!(unregister(&mut broker, 7), (0, Some(String::new())));
    assert_eq!(registered(&mut broker), [1]);
    assert_eq!(unregister(&mut broker, 7).0, ErrorCode::BrokerIdNotRegistered.code());
}

/// Kafka would be without brokers and leaders from then on.
#[test]
fn a_running_broker_is_not_unregistered() {
    let mut broker = Broker::start(&[]);
    let (error, message) = unregister(&mut broker, 1);
    assert_eq!(error, ErrorCode::InvalidRequest.code());
    assert!(message.unwrap().contains("running"));
    assert_eq!(registered(&mut broker), [1]);
}
