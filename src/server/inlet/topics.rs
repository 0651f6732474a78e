//! Topics that the broker makes for itself: those that it begins with, and those of fixtures.

use super::{Inlet, body};
use crate::codec::Str;
use crate::model::ApiKey;
use crate::wire::api::create_topics;

/// The last version that names topics and needs no id.
const CREATE_TOPICS: i16 = 7;
const TIMEOUT_MS: i32 = 30_000;

pub struct WantedTopic<'a> {
    pub name: &'a str,
    /// `None`: as many as a topic gets that does not say.
    pub partitions: Option<i32>,
    pub configs: &'a [(String, String)],
}

/// Why topics were not made; a sentence.
pub enum NotMade {
    Unanswered(String),
    Refused(String),
}

impl NotMade {
    pub fn into_sentence(self) -> String {
        let (NotMade::Unanswered(sentence) | NotMade::Refused(sentence)) = self;
        sentence
    }
}

impl Inlet {
    /// Makes topics. Blocks.
    pub fn create_topics<'t>(&self, topics: impl Iterator<Item = WantedTopic<'t>>) -> Result<(), NotMade> {
        let topics: Vec<_> = topics.map(creatable).collect();
        if topics.is_empty() {
            return Ok(());
        }
        let request = create_topics::Request { topics, timeout_ms: TIMEOUT_MS, ..Default::default() };
        let answer = self.call_as_broker(ApiKey::CreateTopics, CREATE_TOPICS, &request);
        let answer = answer.map_err(NotMade::Unanswered)?;
        let told: create_topics::Response<'_> =
            body(ApiKey::CreateTopics, CREATE_TOPICS, &answer).map_err(NotMade::Unanswered)?;
        let refused = told.topics.iter().find(|topic| topic.error_code != 0);
        refused.map_or(Ok(()), |topic| {
            let why = topic.error_message.as_deref().unwrap_or_default();
            Err(NotMade::Refused(format!("topic {}: error {} {why}", topic.name, topic.error_code)))
        })
    }
}

fn creatable(wanted: WantedTopic<'_>) -> create_topics::CreatableTopic<'_> {
    let config = |(name, value): &'_ (String, String)| create_topics::CreatableTopicConfig {
        name: Str::from(name.clone()),
        value: Some(value.clone().into()),
    };
    create_topics::CreatableTopic {
        name: wanted.name.into(),
        num_partitions: wanted.partitions.unwrap_or(-1),
        replication_factor: -1,
        configs: wanted.configs.iter().map(config).collect(),
        ..Default::default()
    }
}
