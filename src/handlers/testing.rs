//! A broker without sockets and threads, for tests of handlers: real handlers, a real controller, a simulated disk.

use std::sync::Arc;
use std::time::Duration;

use super::{Outcome, Parked, Polled, State, authentication, handle, table, unknown, write_markers};
use crate::assembly::{self, Disks, Parts};
use crate::codec::{Message, Reader};
use crate::config::{AuthorizerSettings, Config, Layers};
use crate::controller;
use crate::io::driver::Waker;
use crate::io::environment::fixed;
use crate::io::simulated_disk::SimulatedDisk;
use crate::metadata;
use crate::model::{ApiKey, Instant, TimestampMs, Uuid};
use crate::record::builder::{Builder, Options, Record};
use crate::replica::played::Staging;
use crate::replica::view::View;
use crate::replica::watch::ShardId;
use crate::security::access::{AclOperation, AclResource};
use crate::security::authorizer::CLUSTER_NAME;
use crate::security::principal::Principal;
use crate::shard::context::{Context, Endpoint, Note, Shared, Turn};
use crate::shard::session::Session;
use crate::stdx::slab::Key;
use crate::wire::api;
use crate::wire::api::create_acls::{self, AclCreation};
use crate::wire::api::create_topics::{self, CreatableTopic};
use crate::wire::api::delete_acls::{self, DeleteAclsFilter};
use crate::wire::header::{RequestHeader, ResponseHeader};

const SHARD: ShardId = ShardId(0);
/// One request is handled at a time.
const TICKET: Key = Key { index: 0, generation: 0 };
pub(super) const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

struct NoShardSleeps;

impl Waker for NoShardSleeps {
    fn wake(&self) {}
}

/// Numbers of ACLs on the wire.
const ANY: i8 = 1;
const LITERAL: i8 = 3;
const DENY: i8 = 2;
const ALLOW: i8 = 3;

/// The wildcard of ACLs.
pub(super) const EVERY: &str = "*";

pub(super) struct Broker {
    parts: Parts,
    pub(super) shared: Arc<Shared>,
    state: State,
    turn: Turn,
    pub(super) session: Session,
    /// The broker's own work that waits.
    own: Vec<Parked>,
}

impl Broker {
    pub(super) fn start(overrides: &[(&str, &str)]) -> Broker {
        Broker::start_with(overrides, None)
    }

    pub(super) fn start_with(overrides: &[(&str, &str)], authorizer: Option<AuthorizerSettings>) -> Broker {
        Broker::start_several(1, overrides, authorizer)
    }

    /// Brokers of one process, each behind the listener with its place. The session chooses whom it asks.
    pub(super) fn start_several(
        brokers: usize,
        overrides: &[(&str, &str)],
        authorizer: Option<AuthorizerSettings>,
    ) -> Broker {
        let given = overrides.iter().chain(&[("log.dirs", "/data")]);
        let layers = Layers {
            overrides: given.map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            ..Layers::default()
        };
        let (config, _) = Config::load(&layers).unwrap();
        let mut config = Config { authorizer, ..config };
        config.play(brokers);
        let disk = Arc::new(SimulatedDisk::default());
        let opened = assembly::open(Disks::one(disk), fixed::environment(NOW), config, "test").unwrap();
        let endpoint = |place: usize| Endpoint {
            listener: "PLAINTEXT".into(),
            host: "broker.test".into(),
            port: 9092 + place as u16,
            is_by_connection: false,
        };
        let endpoints = (0..brokers).map(endpoint).collect();
        let parts = opened.connect(vec![Arc::new(NoShardSleeps)]).register(endpoints).unwrap();
        let shared = parts.shared.clone();
        let (state, turn) = (State::new(&shared, SHARD), Turn::new(SHARD, shared.clone(), Instant(0), NOW));
        let session = Session::anonymous(0, ([127, 0, 0, 1], 1).into());
        Broker { parts, shared, state, turn, session, own: Vec::new() }
    }

    /// A broker with an authorizer, the super user `admin`, and a client that may do nothing yet.
    pub(super) fn guarded(overrides: &[(&str, &str)]) -> Broker {
        let super_users = vec!["User:admin".to_string()];
        let authorizer = AuthorizerSettings { super_users, allow_everyone_if_no_acl_found: false };
        let mut broker = Broker::start_with(overrides, Some(authorizer));
        broker.session.principal = Principal::new(Principal::USER, "alice");
        broker
    }

    /// Does something as the super user of a guarded broker.
    pub(super) fn as_admin<T>(&mut self, work: impl FnOnce(&mut Broker) -> T) -> T {
        let client = std::mem::replace(&mut self.session.principal, Principal::new(Principal::USER, "admin"));
        let done = work(self);
        self.session.principal = client;
        done
    }

    /// From now on the client may do this.
    pub(super) fn allow(&mut self, operation: AclOperation, resource: AclResource, name: &str) {
        self.rule(true, operation, resource, name);
    }

    /// From now on the client may not do this, whatever else it may.
    pub(super) fn deny(&mut self, operation: AclOperation, resource: AclResource, name: &str) {
        self.rule(false, operation, resource, name);
    }

    /// An ACL of the client.
    fn rule(&mut self, allows: bool, operation: AclOperation, resource: AclResource, name: &str) {
        let creation = AclCreation {
            resource_type: resource as i8,
            resource_name: if resource == AclResource::Cluster { CLUSTER_NAME } else { name }.into(),
            resource_pattern_type: LITERAL,
            principal: self.session.principal.to_string().into(),
            host: EVERY.into(),
            operation: operation as i8,
            permission_type: if allows { ALLOW } else { DENY },
        };
        let request = create_acls::Request { creations: vec![creation] };
        let response: create_acls::Response<'_> = self.as_admin(|broker| broker.ask(ApiKey::CreateAcls, 3, &request));
        assert_eq!(response.results.iter().map(|result| result.error_code).collect::<Vec<_>>(), [0]);
    }

    /// Takes back what the client may and may not do.
    pub(super) fn forget_rules(&mut self) {
        let filter = DeleteAclsFilter {
            resource_type_filter: ANY,
            resource_name_filter: None,
            pattern_type_filter: ANY,
            host_filter: None,
            principal_filter: Some(self.session.principal.to_string().into()),
            operation: ANY,
            permission_type: ANY,
        };
        let request = delete_acls::Request { filters: vec![filter] };
        let response: delete_acls::Response<'_> = self.as_admin(|broker| broker.ask(ApiKey::DeleteAcls, 3, &request));
        assert_eq!(response.filter_results[0].error_code, 0);
    }

    /// A topic with this many partitions; its id.
    pub(super) fn create_topic(&mut self, name: &str, num_partitions: i32) -> Uuid {
        let topic = CreatableTopic { name: name.into(), num_partitions, replication_factor: -1, ..Default::default() };
        let request = create_topics::Request { topics: vec![topic], ..Default::default() };
        let response: create_topics::Response = self.ask(ApiKey::CreateTopics, 7, &request);
        assert_eq!(response.topics[0].error_code, 0);
        response.topics[0].topic_id
    }

    /// Writes records into the metadata log that no request would cause.
    pub(super) fn commit(&mut self, records: Vec<metadata::Record<'static>>) {
        self.parts.metadata.machine.write(&records);
    }

    /// The metadata thread removes the delegation tokens that have expired.
    pub(super) fn sweep_tokens(&mut self) {
        self.parts.metadata.machine.step(vec![controller::Task::SweepTokens]);
    }

    pub(super) fn view(&self) -> Arc<View> {
        self.shared.view.load_full()
    }

    /// Sends a request and reads the answer, letting the metadata thread work where the request waits for it.
    pub(super) fn ask<'m, R: Message<'static>>(&mut self, key: ApiKey, version: i16, body: &impl Message<'m>) -> R {
        let answer = self.handle(&frame(key, version, body));
        read_answer(key, version, answer)
    }

    /// The same where records come out of files, for what is answered at once.
    pub(super) fn ask_for_records<'m, R: Message<'static>>(
        &mut self,
        key: ApiKey,
        version: i16,
        body: &impl Message<'m>,
    ) -> R {
        let Outcome::Answer(mut answer) = self.begin(&frame(key, version, body)) else { panic!("no answer at once") };
        for (at, slice) in answer.holes.drain(..).rev() {
            let mut records = vec![0; slice.length as usize];
            assert_eq!(slice.file.read_at(&mut records, slice.position.0).unwrap(), records.len());
            answer.bytes.splice(at..at, records);
        }
        read_answer(key, version, answer.bytes)
    }

    /// The bytes of an answer.
    pub(super) fn answer<'m>(&mut self, key: ApiKey, version: i16, body: &impl Message<'m>) -> Vec<u8> {
        self.handle(&frame(key, version, body))
    }

    /// Whether the connection is closed for a request.
    pub(super) fn closes<'m>(&mut self, key: ApiKey, version: i16, body: &impl Message<'m>) -> bool {
        matches!(self.begin(&frame(key, version, body)), Outcome::Close(_))
    }

    /// A frame of a client that logs in.
    pub(super) fn authenticate(&mut self, frame: &[u8]) -> authentication::Progress {
        self.turn.view = self.view();
        match authentication::handle(&mut self.turn.context(None), &mut self.session, frame) {
            authentication::Progress::Computes(work) => {
                assert!(self.session.authentication.is_computing(), "its frames wait");
                work();
                authentication::resume(&mut self.turn.context(None), &mut self.session)
            }
            progress => progress,
        }
    }

    pub(super) fn with_context<T>(&mut self, ask: impl FnOnce(&Context<'_>) -> T) -> T {
        ask(&self.turn.context(None))
    }

    pub(super) fn now(&self) -> Instant {
        self.turn.now
    }

    /// Time passes, on both clocks.
    pub(super) fn advance(&mut self, by: Duration) {
        self.turn.begin(self.turn.now + by, TimestampMs(self.turn.wall.0 + by.as_millis() as i64));
    }

    /// The metadata thread does what a test of several brokers asks for.
    pub(super) fn play(&mut self, play: metadata::Play) {
        let tell = Box::new(|told: Result<_, metadata::Refusal>| assert!(told.is_ok(), "{told:?}"));
        self.parts.metadata.machine.step(vec![controller::Task::Play { play, tell }]);
    }

    /// The same for what is no metadata.
    pub(super) fn stage(&mut self, staging: Staging) {
        let tell = Box::new(|told: Result<_, metadata::Refusal>| assert!(told.is_ok(), "{told:?}"));
        self.parts.metadata.machine.step(vec![controller::Task::Stage { staging, tell }]);
    }

    fn begin(&mut self, frame: &[u8]) -> Outcome {
        self.turn.look();
        let Some(row) = table::of_frame(frame) else { return Outcome::Close(unknown(frame)) };
        let mut context = self.turn.context_at(Some(&self.session.route), Some(TICKET));
        handle(&mut self.state, &mut context, row, frame, &self.session)
    }

    fn handle(&mut self, frame: &[u8]) -> Vec<u8> {
        let outcome = self.begin(frame);
        let answer = self.settle(outcome);
        self.work();
        answer
    }

    fn settle(&mut self, outcome: Outcome) -> Vec<u8> {
        match outcome {
            Outcome::Answer(answer) => answer.bytes,
            Outcome::Appended(waiting) => self.wait(Parked::Produce(Box::new(waiting))),
            Outcome::Wait { parked, .. } => self.wait(parked),
            Outcome::Close(reason) => panic!("the connection was closed: {reason}"),
            Outcome::Silent => panic!("no answer"),
        }
    }

    /// Writes what was appended, and ends the transactions whose end is decided.
    fn work(&mut self) {
        while !self.turn.is_done() {
            for partition in self.turn.dirty.take() {
                assert!(partition.write_pending(NOW).is_none(), "no topic of these tests asks for syncs");
            }
            for ending in std::mem::take(&mut self.turn.marker_jobs) {
                let outcome = write_markers(&mut self.turn.context(None), ending);
                self.keep(outcome);
            }
            for mut parked in std::mem::take(&mut self.own) {
                match parked.poll(&mut self.state, &mut self.turn.context(None), false) {
                    Polled::Wait => self.own.push(parked),
                    Polled::Again(outcome) => self.keep(*outcome),
                    Polled::Answer(_) | Polled::Silent | Polled::Close(_) => {}
                }
            }
        }
    }

    fn keep(&mut self, outcome: Outcome) {
        if let Outcome::Wait { parked, .. } = outcome {
            self.own.push(parked);
        }
    }

    fn wait(&mut self, mut parked: Parked) -> Vec<u8> {
        self.turn.context(None).run_coordinator_timers();
        self.work();
        let tasks = self.parts.metadata.take();
        self.parts.metadata.machine.step(tasks);
        for note in self.shared.mailbox(SHARD).take().notes {
            match note {
                Note::Reply { news, .. } => parked.receive(news),
                Note::Markers(job) => self.turn.marker_jobs.push(job),
            }
        }
        self.turn.look();
        let mut context = self.turn.context_at(Some(&self.session.route), None);
        match parked.poll(&mut self.state, &mut context, false) {
            Polled::Answer(answer) => answer.bytes,
            Polled::Again(outcome) => self.settle(*outcome),
            Polled::Close(reason) => panic!("the connection was closed: {reason}"),
            Polled::Wait | Polled::Silent => panic!("no answer"),
        }
    }
}

fn read_answer<R: Message<'static>>(key: ApiKey, version: i16, answer: Vec<u8>) -> R {
    let description = api::describe(key).unwrap();
    let answer: &'static [u8] = answer.leak();
    let mut reader = Reader::new(&answer[4..]);
    let header = ResponseHeader::decode(&mut reader, description.response_header_version(version)).unwrap();
    assert_eq!(header.correlation_id, 7);
    let response = R::decode(&mut reader, version).unwrap();
    assert_eq!(reader.remaining(), 0, "bytes behind the answer of {key} version {version}");
    response
}

pub(super) fn frame<'m>(key: ApiKey, version: i16, body: &impl Message<'m>) -> Vec<u8> {
    let header = RequestHeader {
        request_api_key: key.id(),
        request_api_version: version,
        correlation_id: 7,
        client_id: Some("test".into()),
    };
    let mut frame = Vec::new();
    header.encode(&mut frame, api::describe(key).unwrap().request_header_version(version)).unwrap();
    body.encode(&mut frame, version).unwrap();
    frame
}

/// A batch of one record.
pub(super) fn batch(value: &[u8]) -> Vec<u8> {
    let mut builder = Builder::new(Options::default());
    builder.append(&Record { timestamp: NOW, key: None, value: Some(value), headers: &[] });
    builder.build()
}
