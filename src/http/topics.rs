//! `/v1/topics`: topics with their partitions, as the metadata and the logs of this broker have them. Reads memory only.

use std::sync::Arc;

use serde_json::{Value, json};

use super::control::Control;
use super::reply::{self, Reply};
use super::routes::Parameter;
use crate::metadata::Topic;
use crate::replica::view::View;

/// Partitions that one answer shows.
const MOST_PARTITIONS: usize = 10_000;

pub(super) const PARAMETERS: &[Parameter] =
    &[Parameter { name: "topic", summary: "One topic, by its name; all where it is left out." }];

pub(super) async fn list(control: Arc<Control>, parameters: Vec<(String, String)>) -> Reply {
    let view = match control.ready() {
        Ok(shared) => shared.view.load_full(),
        Err(refused) => return *refused,
    };
    control.looks.run(move || show_all(&view, parameters.first().map(|(_, topic)| topic.as_str()))).await
}

fn show_all(view: &View, wanted: Option<&str>) -> Reply {
    if let Some(name) = wanted.filter(|name| view.topic(name).is_none()) {
        return reply::not_found(format!("there is no topic {name}"));
    }
    let (mut topics, mut partitions, mut more) = (Vec::new(), 0, 0);
    for topic in view.image.topics().filter(|topic| wanted.is_none_or(|wanted| *topic.name == *wanted)) {
        partitions += topic.partitions.len();
        if partitions > MOST_PARTITIONS && !topics.is_empty() {
            more += 1;
            continue;
        }
        topics.push(show(view, topic));
    }
    reply::ok(&json!({ "topics": topics, "more": more }))
}

fn show(view: &View, topic: &Topic) -> Value {
    let (mut records, mut bytes) = (0, 0);
    let shown = topic.partitions.iter().take(MOST_PARTITIONS).map(|described| {
        let mut shown = json!({
            "partition": described.index,
            "leader": described.leader,
            "leader_epoch": described.leader_epoch,
            "replicas": described.replicas,
            "isr": described.isr,
        });
        // One that is not on this broker, or is offline, has no figures.
        if let Ok(hosted) = view.partition_by_name(&topic.name, described.index) {
            let (start, end) = (hosted.log.log_start_offset().0, hosted.high_watermark().0);
            records += end.saturating_sub(start).max(0);
            bytes += hosted.log.size_bytes();
            shown["start"] = start.into();
            shown["end"] = end.into();
            shown["last_stable"] = hosted.last_stable_offset().0.into();
            shown["bytes"] = hosted.log.size_bytes().into();
            shown["segments"] = hosted.log.segment_count().into();
        }
        shown
    });
    let shown: Vec<Value> = shown.collect();
    json!({
        "topic": &*topic.name,
        "id": topic.id.to_string(),
        "internal": view.is_internal(&topic.name),
        "records": records,
        "bytes": bytes,
        "configs": view.image.topic_configs(&topic.name),
        "partitions": shown,
    })
}
