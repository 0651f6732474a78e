//! What a broker is given before its first client comes: topics, users, and rules by which it breaks. Topics and users are asked
//! for as a client would, through a shard's inlet, so that the metadata log tells of them as of any others. No rule and no
//! release that the broker is to be taken for stand against them: their session says that they are the broker's own.

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::Value;

use crate::broker::Broker;
use crate::codec::Str;
use crate::faults::FaultRule;
use crate::io::random;
use crate::model::ApiKey;
use crate::replica::watch::ShardId;
use crate::security::crypto::Hash;
use crate::security::sasl::scram::{MIN_ITERATIONS, mechanism_id};
use crate::server::inlet;
use crate::stdx::secret::Secret;
use crate::wire::api::{alter_user_scram_credentials as scram, create_topics};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
const HASHES: [Hash; 2] = [Hash::Sha256, Hash::Sha512];

/// A topic that is there from the beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FirstTopic {
    pub name: String,
    pub partitions: i32,
    pub configs: Vec<(String, String)>,
}

/// A user who can log in from the beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FirstUser {
    pub name: String,
    pub password: Secret,
}

impl Broker {
    /// Makes topics. The error is a sentence. Blocks.
    pub fn create_topics(&self, topics: &[FirstTopic]) -> Result<(), String> {
        if topics.is_empty() {
            return Ok(());
        }
        let config = |(name, value): &'_ (String, String)| create_topics::CreatableTopicConfig {
            name: Str::from(name.clone()),
            value: Some(value.clone().into()),
        };
        let topic = |topic: &'_ FirstTopic| create_topics::CreatableTopic {
            name: topic.name.clone().into(),
            num_partitions: topic.partitions,
            replication_factor: -1,
            configs: topic.configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request = create_topics::Request {
            topics: topics.iter().map(topic).collect(),
            timeout_ms: TIMEOUT.as_millis() as i32,
            ..Default::default()
        };
        let answer = self.inlet(ShardId(0)).call_as_broker(ApiKey::CreateTopics, 7, &request)?;
        let response: create_topics::Response<'_> = inlet::body(ApiKey::CreateTopics, 7, &answer)?;
        let refused = response.topics.iter().find(|topic| topic.error_code != 0);
        refused.map_or(Ok(()), |topic| {
            let why = topic.error_message.as_deref().unwrap_or_default();
            Err(format!("topic {}: error {} {why}", topic.name, topic.error_code))
        })
    }

    /// Adds rules by which it breaks. The error is a sentence.
    pub fn add_faults(&self, rules: &[Value]) -> Result<(), String> {
        if rules.is_empty() {
            return Ok(());
        }
        let board =
            self.shared.faults.as_ref().ok_or("this broker does not break by rules: klamm.faults=true lets it")?;
        let now = self.shared.environment.now();
        let rules = rules.iter().map(|rule| FaultRule::parse(rule, now)).collect::<Result<_, _>>()?;
        board.add(rules).map(drop)
    }

    /// Lets users log in by SCRAM. The error is a sentence. Blocks.
    pub fn add_scram_users(&self, users: &[FirstUser]) -> Result<(), String> {
        if users.is_empty() {
            return Ok(());
        }
        // A request may name each user once.
        for hash in HASHES {
            let upsertions = users.iter().map(|user| upsertion(user, hash, None)).collect();
            let request = scram::Request { upsertions, ..Default::default() };
            let answer = self.inlet(ShardId(0)).call_as_broker(ApiKey::AlterUserScramCredentials, 0, &request)?;
            let response: scram::Response<'_> = inlet::body(ApiKey::AlterUserScramCredentials, 0, &answer)?;
            if let Some(user) = response.results.iter().find(|user| user.error_code != 0) {
                let why = user.error_message.as_deref().unwrap_or_default();
                return Err(format!("user {}: error {} {why}", user.user, user.error_code));
            }
        }
        Ok(())
    }
}

/// What lets a user log in by a mechanism; `iterations` is the least that there may be where it is not named.
pub(crate) fn upsertion(
    user: &FirstUser,
    hash: Hash,
    iterations: Option<NonZeroU32>,
) -> scram::ScramCredentialUpsertion<'static> {
    let salt: [u8; 16] = random::bytes();
    let least = NonZeroU32::new(MIN_ITERATIONS as u32).unwrap_or(NonZeroU32::MIN);
    let iterations = iterations.unwrap_or(least);
    let salted = hash.pbkdf2(user.password.expose(), &salt, iterations);
    scram::ScramCredentialUpsertion {
        name: user.name.clone().into(),
        mechanism: mechanism_id(hash),
        iterations: iterations.get() as i32,
        salt: salt.to_vec().into(),
        salted_password: salted.expose().to_vec().into(),
    }
}
