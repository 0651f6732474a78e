//! The commands of groups' offsets in transactions.
//!
//! | command | what it does, what it shows |
//! | --- | --- |
//! | `add-offsets ID GROUP` | AddOffsetsToTxn |
//! | `commit-offsets ID GROUP [member=NAME] [generation=N] [instance=I] TOPIC:INDEX@OFFSET ...` | TxnOffsetCommit |
//! | `commit GROUP [member=NAME] TOPIC:INDEX@OFFSET ...` | OffsetCommit |
//! | `offsets GROUP [stable] TOPIC:INDEX ...` | OffsetFetch, in version 7 unless it says another; no partitions: all |
//! | `delete-offsets GROUP TOPIC:INDEX ...` | OffsetDelete |
//! | `delete-group GROUP` | DeleteGroups |
//! | `join GROUP member=NAME [instance=I] [protocol=P]` | JoinGroup and SyncGroup, alone in a classic group |
//! | `consume GROUP member=NAME [epoch=N] TOPIC` | ConsumerGroupHeartbeat |
//! | `leave-group GROUP member=NAME` | LeaveGroup |
//!
//! A member is named by the script; its id and its generation or epoch are those that the broker said last, unless
//! `generation=` or `id=` say others.

use crate::produce::number;
use crate::session::{Session, show_bytes, show_error};
use crate::transactions::{Words, partition, show_partition, worst};
use bytes::Bytes;
use compat_tests::raw::{Raw, text, topic_name};
use compat_tests::transactional::{self, Member, Offsets, Partition};
use compat_tests::{Context, Result, ensure};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, GroupId, JoinGroupRequest, LeaveGroupRequest,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest,
};

const MEMBER_ID_REQUIRED: i16 = 79;
/// While a coordinator of groups comes to be.
const PASSING: &[i16] = &[14, 15, 16];
const SESSION_MS: i32 = 300_000;

impl Session {
    /// `None`: no command of this file.
    pub fn group(&mut self, verb: &str, subject: &str, rest: &[&str]) -> Option<Result<()>> {
        let words = Words::of(rest);
        let done = match verb {
            "add-offsets" => self.add_offsets(subject, &words),
            "commit-offsets" => self.commit_offsets(subject, &words),
            "commit" => self.commit_plainly(subject, &words),
            "offsets" => self.offsets(subject, &words),
            "delete-offsets" => self.delete_offsets(subject, &words),
            "delete-group" => self.delete_group(subject),
            "join" => self.join(subject, &words),
            "consume" => self.consume(subject, &words),
            "leave-group" => self.leave_group(subject, &words),
            _ => return None,
        };
        Some(done)
    }

    fn add_offsets(&mut self, id: &str, words: &Words) -> Result<()> {
        let group = words.plain.first().context("no group")?.to_string();
        for version in words.versions(4)? {
            let request = transactional::add_offsets(&self.identity(id, words)?, group_text(&group));
            let answer = self.tell(words.has("once"), |raw| raw.call(&request, version), |answer| answer.error_code)?;
            let Some(answer) = answer else { continue };
            self.say(format!("v{version}: {}", show_error(answer.error_code)));
        }
        Ok(())
    }

    fn member(&self, words: &Words) -> Result<Member> {
        let known = words.get("member").and_then(|name| self.transactions.members.get(name)).cloned();
        let (id, generation) = known.unwrap_or((String::new(), -1));
        Ok(Member {
            generation: words.number("generation", generation)?,
            id: words.get("id").map_or(id, str::to_string),
            instance: words.get("instance").map(str::to_string),
        })
    }

    fn commit_offsets(&mut self, id: &str, words: &Words) -> Result<()> {
        let group = group_text(words.plain.first().context("no group")?).to_string();
        let (member, offsets) = (self.member(words)?, offsets_of(words)?);
        for version in words.versions(5)? {
            let identity = self.identity(id, words)?;
            let (group, member, offsets) = (group.clone(), member.clone(), offsets.clone());
            let request = Offsets { identity, group, member, offsets };
            let ask = |raw: &mut Raw| request.commit(raw, version);
            let error_of = |errors: &Vec<(Partition, i16)>| worst(errors.iter().map(|(_, error)| *error));
            let Some(mut errors) = self.tell(words.has("once"), ask, error_of)? else { continue };
            errors.sort();
            for (partition, error) in errors {
                self.say(format!("v{version} {} {}", show_partition(&partition), show_error(error)));
            }
        }
        Ok(())
    }

    fn commit_plainly(&mut self, group: &str, words: &Words) -> Result<()> {
        let member = self.member(words)?;
        let topics = offsets_of(words)?.into_iter().map(|((topic, index), offset)| {
            let partition = OffsetCommitRequestPartition::default()
                .with_partition_index(index)
                .with_committed_offset(offset)
                .with_committed_metadata(Some(text("plain")));
            OffsetCommitRequestTopic::default().with_name(topic_name(&topic)).with_partitions(vec![partition])
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group_text(group))))
            .with_generation_id_or_member_epoch(member.generation)
            .with_member_id(text(&member.id))
            .with_topics(topics.collect());
        for version in words.versions(8)? {
            let Some(answer) = self.tell(true, |raw| raw.call(&request, version), |_| 0)? else { continue };
            for topic in answer.topics {
                let name = topic.name.to_string();
                for found in topic.partitions {
                    let line = format!("v{version} {name}:{} {}", found.partition_index, show_error(found.error_code));
                    self.say(line);
                }
            }
        }
        Ok(())
    }

    fn offsets(&mut self, group: &str, words: &Words) -> Result<()> {
        let partitions = words.partitions()?;
        let group = group_text(group);
        for version in words.versions(7)? {
            let mut request = OffsetFetchRequest::default();
            if version >= 7 {
                request = request.with_require_stable(words.has("stable"));
            }
            if version >= 8 {
                let topics = partitions.iter().map(|(topic, index)| {
                    let named = OffsetFetchRequestTopics::default().with_name(topic_name(topic));
                    named.with_partition_indexes(vec![*index])
                });
                let topics = (!partitions.is_empty()).then(|| topics.collect());
                let asked = OffsetFetchRequestGroup::default().with_group_id(GroupId(text(group))).with_topics(topics);
                request = request.with_groups(vec![asked]);
            } else {
                let topics = partitions.iter().map(|(topic, index)| {
                    let named = OffsetFetchRequestTopic::default().with_name(topic_name(topic));
                    named.with_partition_indexes(vec![*index])
                });
                let topics = (!partitions.is_empty()).then(|| topics.collect());
                request = request.with_group_id(GroupId(text(group))).with_topics(topics);
            }
            let Some(answer) = self.tell(true, |raw| raw.call(&request, version), |_| 0)? else { continue };
            show_offsets(&answer).into_iter().for_each(|line| self.say(format!("v{version} {line}")));
        }
        Ok(())
    }

    fn delete_offsets(&mut self, group: &str, words: &Words) -> Result<()> {
        let topics = words.partitions()?.into_iter().map(|(topic, index)| {
            let partition = OffsetDeleteRequestPartition::default().with_partition_index(index);
            OffsetDeleteRequestTopic::default().with_name(topic_name(&topic)).with_partitions(vec![partition])
        });
        let request = OffsetDeleteRequest::default()
            .with_group_id(GroupId(text(group_text(group))))
            .with_topics(topics.collect());
        let Some(answer) = self.tell(true, |raw| raw.call(&request, 0), |_| 0)? else { return Ok(()) };
        self.say(show_error(answer.error_code));
        for topic in answer.topics {
            let name = topic.name.to_string();
            for found in topic.partitions {
                self.say(format!("{name}:{} {}", found.partition_index, show_error(found.error_code)));
            }
        }
        Ok(())
    }

    fn delete_group(&mut self, group: &str) -> Result<()> {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group_text(group)))]);
        let Some(answer) = self.tell(true, |raw| raw.call(&request, 2), |_| 0)? else { return Ok(()) };
        answer.results.iter().for_each(|result| self.say(show_error(result.error_code)));
        Ok(())
    }

    /// A member with a known id joins again, which is the next generation.
    fn join(&mut self, group: &str, words: &Words) -> Result<()> {
        let name = words.get("member").context("no member")?;
        let mut id = self.transactions.members.get(name).map_or(String::new(), |(id, _)| id.clone());
        let protocol_type = words.get("protocol").unwrap_or("consumer");
        let subscription = [&[0, 0, 0, 0, 0, 1, 0, 1][..], b"t", &[0xff; 4][..]].concat();
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
        let protocol = protocol.with_metadata(Bytes::from(subscription));
        let joined = self.until("a generation", |session| {
            let request = JoinGroupRequest::default()
                .with_group_id(GroupId(text(group_text(group))))
                .with_session_timeout_ms(SESSION_MS)
                .with_rebalance_timeout_ms(SESSION_MS)
                .with_member_id(text(&id))
                .with_group_instance_id(words.get("instance").map(text))
                .with_protocol_type(text(protocol_type))
                .with_protocols(vec![protocol.clone()]);
            let answer = session.raw.call(&request, 5)?;
            if answer.error_code == MEMBER_ID_REQUIRED {
                id = answer.member_id.to_string();
            }
            let is_passing = answer.error_code == MEMBER_ID_REQUIRED || PASSING.contains(&answer.error_code);
            Ok((!is_passing).then_some(answer))
        })?;
        self.say(format!("{} generation {}", show_error(joined.error_code), joined.generation_id));
        if joined.error_code != 0 {
            return Ok(());
        }
        let (id, generation) = (joined.member_id.to_string(), joined.generation_id);
        let assignment = SyncGroupRequestAssignment::default().with_member_id(text(&id));
        let assignment = assignment.with_assignment(Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
        let request = SyncGroupRequest::default()
            .with_group_id(GroupId(text(group_text(group))))
            .with_generation_id(generation)
            .with_member_id(text(&id))
            .with_group_instance_id(words.get("instance").map(text))
            .with_assignments(vec![assignment]);
        let answer = self.raw.call(&request, 3)?;
        self.say(show_error(answer.error_code));
        self.transactions.members.insert(name.to_string(), (id, generation));
        Ok(())
    }

    fn consume(&mut self, group: &str, words: &Words) -> Result<()> {
        let name = words.get("member").context("no member")?;
        let known = self.transactions.members.get(name).cloned();
        // Members of the consumer protocol choose their ids themselves.
        let (id, epoch) = known.unwrap_or_else(|| (format!("member-{name}"), 0));
        let topics = words.plain.iter().map(|topic| topic_name(topic)).collect();
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text(group_text(group))))
            .with_member_id(text(&id))
            .with_member_epoch(words.number("epoch", epoch)?)
            .with_rebalance_timeout_ms(SESSION_MS)
            .with_subscribed_topic_names(Some(topics))
            .with_topic_partitions(Some(Vec::new()));
        let answer = self.until("a member", |session| {
            let answer = session.raw.call(&request, 1)?;
            Ok((!PASSING.contains(&answer.error_code)).then_some(answer))
        })?;
        self.say(format!("{} epoch {}", show_error(answer.error_code), answer.member_epoch));
        if answer.error_code == 0 {
            self.transactions.members.insert(name.to_string(), (id, answer.member_epoch));
        }
        Ok(())
    }

    fn leave_group(&mut self, group: &str, words: &Words) -> Result<()> {
        let member = self.member(words)?;
        ensure!(!member.id.is_empty(), "no such member");
        let request = LeaveGroupRequest::default()
            .with_group_id(GroupId(text(group_text(group))))
            .with_members(vec![MemberIdentity::default().with_member_id(text(&member.id))]);
        let answer = self.raw.call(&request, 3)?;
        self.say(show_error(answer.error_code));
        answer.members.iter().for_each(|member| self.say(show_error(member.error_code)));
        Ok(())
    }
}

/// `empty` is the group without a name.
fn group_text(word: &str) -> &str {
    if word == "empty" { "" } else { word }
}

/// `TOPIC:INDEX@OFFSET`.
fn offsets_of(words: &Words) -> Result<Vec<(Partition, i64)>> {
    let offsets = words.plain.iter().filter_map(|word| word.split_once('@'));
    offsets.map(|(word, offset)| Ok((partition(word)?, number(offset)?))).collect()
}

/// One line for the group and one for each partition.
fn show_offsets(answer: &OffsetFetchResponse) -> Vec<String> {
    let show = |topic: &str, index: i32, error: i16, offset: i64, epoch: i32, metadata: Option<&str>| {
        let metadata = show_bytes(metadata.map(str::as_bytes));
        format!("{topic}:{index} {} offset {offset} epoch {epoch} ({metadata})", show_error(error))
    };
    let mut lines = Vec::new();
    for topic in &answer.topics {
        lines.extend(topic.partitions.iter().map(|p| {
            let metadata = p.metadata.as_ref().map(|metadata| metadata.as_str());
            show(
                topic.name.as_str(),
                p.partition_index,
                p.error_code,
                p.committed_offset,
                p.committed_leader_epoch,
                metadata,
            )
        }));
    }
    let mut error = answer.error_code;
    for group in &answer.groups {
        error = group.error_code;
        for topic in &group.topics {
            lines.extend(topic.partitions.iter().map(|p| {
                let metadata = p.metadata.as_ref().map(|metadata| metadata.as_str());
                let (offset, epoch) = (p.committed_offset, p.committed_leader_epoch);
                show(topic.name.as_str(), p.partition_index, p.error_code, offset, epoch, metadata)
            }));
        }
    }
    lines.sort();
    std::iter::once(show_error(error)).chain(lines).collect()
}
