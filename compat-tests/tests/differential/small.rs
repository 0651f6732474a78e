//! The commands for the small answers that tools and consoles ask for. Each shows the whole answer, its sentences word for
//! word; versions with the same answer share a line.
//!
//! | command | what it asks |
//! | --- | --- |
//! | `acls describe TYPE,PATTERN,OPERATION,PERMISSION` | DescribeAcls, all as numbers |
//! | `acls create …`, `acls delete …` | the same for any number of ACLs or filters |
//! | `tokens create [TYPE/NAME]`, `tokens renew`, `tokens expire`, `tokens describe` | delegation tokens |
//! | `quotas strict` or `quotas loose`, `TYPE:MATCH[:NAME] ...` | DescribeClientQuotas; `-` is an empty type |
//! | `scram all`, `scram of USER ...` | DescribeUserScramCredentials |
//! | `producers TOPIC INDEX ...` | DescribeProducers |
//! | `transactions describe ID ...` | DescribeTransactions; `-` is an empty id |
//! | `transactions list [state=S ...] [pattern=P]` | ListTransactions |
//! | `unregister ID` | UnregisterBroker |

use crate::produce::number;
use crate::session::Session;
use compat_tests::raw::{self, text};
use compat_tests::{Context, Result, bail};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::{
    BrokerId, CreateAclsRequest, CreateDelegationTokenRequest, DeleteAclsRequest, DescribeAclsRequest,
    DescribeClientQuotasRequest, DescribeDelegationTokenRequest, DescribeProducersRequest, DescribeTransactionsRequest,
    DescribeUserScramCredentialsRequest, ExpireDelegationTokenRequest, ListTransactionsRequest,
    RenewDelegationTokenRequest, TransactionalId, UnregisterBrokerRequest,
};
use kafka_protocol::protocol::{Request, StrBytes};
use std::ops::RangeInclusive;

impl Session {
    /// `None`: no command of this file.
    pub fn small(&mut self, verb: &str, subject: &str, rest: &[&str]) -> Option<Result<()>> {
        let done = match verb {
            "acls" => self.acls(subject, rest),
            "tokens" => self.tokens(subject, rest),
            "quotas" => self.quotas(subject == "strict", rest),
            "scram" => self.scram(rest),
            "producers" => self.producers_of(subject, rest),
            "transactions" => self.transactions(subject, rest),
            "unregister" => self.unregister(subject),
            _ => return None,
        };
        Some(done)
    }

    /// `order` puts an answer that Kafka leaves to a hash map into an order.
    fn ask<R: Request>(
        &mut self,
        request: &R,
        versions: RangeInclusive<i16>,
        order: impl Fn(&mut R::Response),
    ) -> Result<()>
    where
        R::Response: std::fmt::Debug,
    {
        let mut lines: Vec<(String, String)> = Vec::new();
        for version in versions {
            let shown = match self.raw.call(request, version) {
                Ok(mut response) => {
                    order(&mut response);
                    // What stands in quotes is not compared elsewhere.
                    format!("{response:?}").replace(", unknown_tagged_fields: {}", "").replace('"', "'")
                }
                Err(_) => {
                    self.reconnect()?;
                    "the connection was closed".into()
                }
            };
            match lines.last_mut().filter(|(_, same)| *same == shown) {
                Some((versions, _)) => *versions += &format!(" v{version}"),
                None => lines.push((format!("v{version}"), shown)),
            }
        }
        lines.into_iter().for_each(|(versions, shown)| self.say(format!("{versions}: {shown}")));
        Ok(())
    }

    fn acls(&mut self, what: &str, words: &[&str]) -> Result<()> {
        let elements = words.iter().map(|word| {
            let all = word.split(',').map(|code| Ok(code.parse::<i8>()?)).collect::<Result<Vec<_>>>()?;
            <[i8; 4]>::try_from(all).ok().context("an ACL has four elements")
        });
        let elements = elements.collect::<Result<Vec<_>>>()?;
        match what {
            "describe" => {
                let [resource, pattern, operation, permission] = *elements.first().context("no filter")?;
                let request = DescribeAclsRequest::default()
                    .with_resource_type_filter(resource)
                    .with_pattern_type_filter(pattern)
                    .with_operation(operation)
                    .with_permission_type(permission);
                self.ask(&request, 1..=3, |_| ())
            }
            "create" => {
                let creation = |[resource, pattern, operation, permission]: [i8; 4]| {
                    AclCreation::default()
                        .with_resource_type(resource)
                        .with_resource_pattern_type(pattern)
                        .with_operation(operation)
                        .with_permission_type(permission)
                };
                let creations = elements.into_iter().map(creation).collect();
                self.ask(&CreateAclsRequest::default().with_creations(creations), 1..=3, |_| ())
            }
            "delete" => {
                let filter = |[resource, pattern, operation, permission]: [i8; 4]| {
                    DeleteAclsFilter::default()
                        .with_resource_type_filter(resource)
                        .with_pattern_type_filter(pattern)
                        .with_operation(operation)
                        .with_permission_type(permission)
                };
                let filters = elements.into_iter().map(filter).collect();
                self.ask(&DeleteAclsRequest::default().with_filters(filters), 1..=3, |_| ())
            }
            other => bail!("nothing is done to ACLs by {other}"),
        }
    }

    fn tokens(&mut self, what: &str, words: &[&str]) -> Result<()> {
        match what {
            "create" => {
                let Some(owner) = words.first() else {
                    return self.ask(&CreateDelegationTokenRequest::default(), 1..=3, |_| ());
                };
                let (owner_type, name) = owner.split_once('/').context("no owner")?;
                let request = CreateDelegationTokenRequest::default()
                    .with_owner_principal_type(Some(text(owner_type)))
                    .with_owner_principal_name(Some(text(name)));
                self.ask(&request, 3..=3, |_| ())
            }
            "renew" => self.ask(&RenewDelegationTokenRequest::default(), 1..=2, |_| ()),
            "expire" => self.ask(&ExpireDelegationTokenRequest::default(), 1..=2, |_| ()),
            "describe" => self.ask(&DescribeDelegationTokenRequest::default(), 1..=3, |_| ()),
            other => bail!("nothing is done to tokens by {other}"),
        }
    }

    fn quotas(&mut self, strict: bool, words: &[&str]) -> Result<()> {
        let component = |word: &&str| {
            let mut parts = word.splitn(3, ':');
            let entity_type = parts.next().filter(|entity_type| *entity_type != "-").unwrap_or_default();
            let match_type = parts.next().context("no kind of match")?.parse()?;
            Ok(ComponentData::default()
                .with_entity_type(text(entity_type))
                .with_match_type(match_type)
                .with_match(parts.next().map(text)))
        };
        let components = words.iter().map(component).collect::<Result<Vec<_>>>()?;
        let request = DescribeClientQuotasRequest::default().with_components(components).with_strict(strict);
        self.ask(&request, 0..=1, |_| ())
    }

    fn scram(&mut self, users: &[&str]) -> Result<()> {
        let users: Vec<_> = users.iter().map(|user| UserName::default().with_name(text(user))).collect();
        let request = DescribeUserScramCredentialsRequest::default().with_users((!users.is_empty()).then_some(users));
        self.ask(&request, 0..=0, |response| response.results.sort_by(|a, b| a.user.as_str().cmp(b.user.as_str())))
    }

    /// Ids by the script's names, times as scripts write them.
    fn producers_of(&mut self, topic: &str, indexes: &[&str]) -> Result<()> {
        let indexes = indexes.iter().map(|index| number(index)).collect::<Result<Vec<i32>>>()?;
        let named = TopicRequest::default().with_name(raw::topic_name(topic)).with_partition_indexes(indexes);
        let response = self.raw.call(&DescribeProducersRequest::default().with_topics(vec![named]), 0)?;
        for partition in response.topics.into_iter().flat_map(|topic| topic.partitions) {
            let message = partition.error_message.map_or("null".into(), |message| message.to_string());
            self.say(format!("{} error {} {message}", partition.partition_index, partition.error_code));
            let mut lines = Vec::new();
            for producer in partition.active_producers {
                let line = format!(
                    "{} epoch {} sequence {} at {} coordinator {} transaction {}",
                    self.show_producer(producer.producer_id.0),
                    producer.producer_epoch,
                    producer.last_sequence,
                    self.show_time(producer.last_timestamp),
                    producer.coordinator_epoch,
                    producer.current_txn_start_offset
                );
                lines.push(line);
            }
            // Not by the ids: brokers give them in different orders.
            lines.sort();
            lines.into_iter().for_each(|line| self.say(line));
        }
        Ok(())
    }

    fn transactions(&mut self, what: &str, words: &[&str]) -> Result<()> {
        let id = |word: &str| text(if word == "-" { "" } else { word });
        match what {
            "describe" => {
                let ids = words.iter().map(|word| TransactionalId(id(word))).collect();
                self.ask(&DescribeTransactionsRequest::default().with_transactional_ids(ids), 0..=0, |_| ())
            }
            "list" => {
                let states: Vec<StrBytes> =
                    words.iter().filter_map(|word| Some(id(word.strip_prefix("state=")?))).collect();
                let pattern = words.iter().find_map(|word| word.strip_prefix("pattern=")).map(text);
                let request = ListTransactionsRequest::default()
                    .with_state_filters(states)
                    .with_transactional_id_pattern(pattern.clone());
                let since = if pattern.is_some() { 2 } else { 0 };
                let order = |response: &mut kafka_protocol::messages::ListTransactionsResponse| {
                    response.unknown_state_filters.sort_by(|a, b| a.as_str().cmp(b.as_str()));
                };
                self.ask(&request, since..=2, order)
            }
            other => bail!("nothing is done to transactions by {other}"),
        }
    }

    fn unregister(&mut self, id: &str) -> Result<()> {
        self.ask(&UnregisterBrokerRequest::default().with_broker_id(BrokerId(number(id)?)), 0..=0, |_| ())
    }
}
