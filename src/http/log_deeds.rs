//! What a test wants done now to logs that the clock would see to later: compaction and retention. The threads do it that do it by
//! the clock, the cleaner's and the housekeeper's, as the only ones that may.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::deeds::{Refused, failed};
use crate::hosting::cleaning::{self, CompactedLog, CompactionOrder};
use crate::hosting::housekeeping::{self, RetainedLog};
use crate::shard::context::Shared;

/// How long the thread may take that does it.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LogWork {
    Compact,
    Retain,
}

/// What is done, to a topic or to all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LogDeed {
    work: LogWork,
    topic: Option<String>,
}

impl LogDeed {
    pub(super) fn parse(work: LogWork, of: &Map<String, Value>) -> Option<LogDeed> {
        let topic = match of.get("topic") {
            Some(topic) => Some(topic.as_str().filter(|topic| !topic.is_empty())?.to_string()),
            None => None,
        };
        (of.len() == usize::from(topic.is_some())).then_some(LogDeed { work, topic })
    }

    /// Answers when it is done. Blocks.
    pub(super) fn perform(self, shared: &Shared) -> Result<Value, Refused> {
        let view = shared.view.load_full();
        if let Some(topic) = &self.topic {
            if view.topic(topic).is_none() {
                return Err((StatusCode::NOT_FOUND, format!("there is no topic {topic}")));
            }
            let first = view.partition_by_name(topic, 0);
            if self.work == LogWork::Compact && first.is_ok_and(|partition| !partition.is_compacted()) {
                let sentence = format!("the topic {topic} is not compacted: its cleanup.policy does not say so");
                return Err((StatusCode::CONFLICT, sentence));
            }
        }
        match self.work {
            LogWork::Compact => {
                let (sender, told) = channel();
                let tell = Box::new(move |logs| drop(sender.send(logs)));
                shared.send_to_cleaner(cleaning::Task::Compact(CompactionOrder { topic: self.topic, tell }));
                compacted(told_by(&told, "the cleaner, which is there with log.cleaner.enable,")?)
            }
            LogWork::Retain => {
                let (sender, told) = channel();
                let tell = Box::new(move |logs| drop(sender.send(logs)));
                shared.send_to_housekeeping(housekeeping::Task::Retain(self.topic, tell));
                Ok(retained(&told_by(&told, "the housekeeper")?))
            }
        }
    }
}

fn told_by<T>(told: &Receiver<Vec<T>>, thread: &str) -> Result<Vec<T>, Refused> {
    told.recv_timeout(PATIENCE).map_err(|error| match error {
        RecvTimeoutError::Disconnected => (StatusCode::CONFLICT, format!("{thread} does not run")),
        RecvTimeoutError::Timeout => failed(format!("{thread} was not done after {} s", PATIENCE.as_secs())),
    })
}

fn compacted(logs: Vec<CompactedLog>) -> Result<Value, Refused> {
    if let Some((log, why)) = logs.iter().find_map(|log| Some((log, log.failure.as_ref()?))) {
        return Err(failed(format!("{}-{} is not compacted: {why}", log.topic, log.partition)));
    }
    let show = |log: &CompactedLog| {
        json!({
            "topic": &*log.topic,
            "partition": log.partition,
            "records_read": log.records_read,
            "records_written": log.records_written,
            "bytes_read": log.bytes_read,
            "bytes_written": log.bytes_written,
        })
    };
    Ok(json!({ "compacted": logs.iter().map(show).collect::<Vec<_>>() }))
}

fn retained(logs: &[RetainedLog]) -> Value {
    let show = |log: &RetainedLog| {
        json!({
            "topic": &*log.topic,
            "partition": log.partition,
            "start_before": log.start_before,
            "start": log.start,
        })
    };
    json!({ "retained": logs.iter().map(show).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_is_for_a_topic_or_for_all() {
        let parse = |body: Value| LogDeed::parse(LogWork::Retain, body.as_object().unwrap());
        let deed = |topic: Option<&str>| Some(LogDeed { work: LogWork::Retain, topic: topic.map(String::from) });
        assert_eq!(parse(json!({})), deed(None));
        assert_eq!(parse(json!({ "topic": "t" })), deed(Some("t")));
        for wrong in [json!({ "topic": "" }), json!({ "topic": 1 }), json!({ "topics": "t" }), json!({ "topic": null })]
        {
            assert_eq!(parse(wrong), None);
        }
        assert_eq!(parse(json!({ "topic": "t", "partition": 0 })), None);
    }
}
