//! What a broker is given before its first client comes: topics, users, and rules by which it breaks. Topics and users are asked
//! for as a client would, through a shard's inlet, so that the metadata log tells of them as of any others. No ACL and no
//! `klamm.as.version` stops these requests: their session says that they are the broker's own.

use std::num::NonZeroU32;

use serde_json::Value;

use crate::broker::Broker;
use crate::faults::FaultRule;
use crate::io::random;
use crate::model::ApiKey;
use crate::replica::watch::ShardId;
use crate::security::crypto::Hash;
use crate::security::sasl::scram::{MIN_ITERATIONS, mechanism_id};
use crate::server::inlet::{self, NotMade, WantedTopic};
use crate::stdx::secret::Secret;
use crate::wire::api::alter_user_scram_credentials as scram;

const HASHES: [Hash; 2] = [Hash::Sha256, Hash::Sha512];

/// A topic that is there from the beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FirstTopic {
    pub name: String,
    pub partitions: i32,
    pub configs: Vec<(String, String)>,
}

impl FirstTopic {
    fn wanted(&self) -> WantedTopic<'_> {
        WantedTopic { name: &self.name, partitions: Some(self.partitions), configs: &self.configs }
    }
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
        self.inlet(ShardId(0)).create_topics(topics.iter().map(FirstTopic::wanted)).map_err(NotMade::into_sentence)
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
        board.add(rules, &self.shared.view.load_full(), self.shared.environment.now()).map(drop)
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
