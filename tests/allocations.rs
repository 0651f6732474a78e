//! How often a shard asks for memory while it serves the steady path: one producer, one consumer of the tail; the same over TLS.
//! And what a client of TLS holds of it, one that rests and one that does not end its handshake.
//!
//! The ceilings are what was counted, and only fall. One test function, because the count is the process's; it counts what
//! the broker's threads ask for, not the client's.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use klamm::broker::Broker;
use klamm::codec::{Message, Reader};
use klamm::config::{Config, Layers};
use klamm::metadata::{Acl, AclIndex, AclOperation, AclResource, Action, Authorizer, HostAddress, Principal, Subject};
use klamm::model::{ApiKey, TimestampMs};
use klamm::record::builder::{Builder, Options, Record};
use klamm::wire::api::{self, create_acls, create_topics, fetch, produce};
use klamm::wire::header::{RequestHeader, ResponseHeader};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Allocations of a request on the steady path, in hundredths.
const PRODUCE_CEILING: usize = 1;
const FETCH_CEILING: usize = 1100;
/// The same over TLS. What is more is of `rustls`: a buffer for each record that it decrypts and for each that it encrypts, and
/// the list of the pieces of what is encrypted.
const PRODUCE_OVER_TLS_CEILING: usize = 201;
const FETCH_OVER_TLS_CEILING: usize = 1500;
/// Clients that are counted together, and what one of them may hold: one that rests, and one that does not end its handshake.
const CLIENTS: usize = 64;
const IDLE_BYTES: usize = 12 * 1024;
const HANDSHAKE_BYTES: usize = 24 * 1024;
/// Requests before counting, so that what is used again has its size, and while counting. Some buffers grow with the log:
/// its indexes, the list of its producers. They may ask once in so many requests.
const WARM_UP: usize = 2000;
const COUNTED: usize = 2000;

struct Counting;
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// Bytes that the broker's threads have asked for and not given back.
static HELD: AtomicIsize = AtomicIsize::new(0);
/// Shows where memory is asked for (`KLAMM_TRACE=1`).
static TRACES: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The client's thread does not count; neither does printing a trace.
    static IS_LEFT_OUT: Cell<bool> = const { Cell::new(false) };
}

fn hold(bytes: isize) {
    if !IS_LEFT_OUT.try_with(Cell::get).unwrap_or(true) {
        HELD.fetch_add(bytes, Relaxed);
    }
}

fn count() {
    if IS_LEFT_OUT.try_with(Cell::get).unwrap_or(true) {
        return;
    }
    COUNT.fetch_add(1, Relaxed);
    if TRACES.load(Relaxed) {
        IS_LEFT_OUT.set(true);
        eprintln!("{}", std::backtrace::Backtrace::force_capture());
        IS_LEFT_OUT.set(false);
    }
}

// SAFETY: every call goes to the system's allocator as it came; counting beside it touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        hold(size as isize - layout.size() as isize);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        hold(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`, and the memory came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

struct Client {
    stream: Box<dyn Stream>,
    answer: Vec<u8>,
}

impl Client {
    fn ask<'m>(&mut self, key: ApiKey, version: i16, body: &impl Message<'m>) -> &[u8] {
        let description = api::describe(key).unwrap();
        let header = RequestHeader {
            request_api_key: key.id(),
            request_api_version: version,
            correlation_id: 7,
            client_id: Some("counting".into()),
        };
        let mut frame = vec![0; 4];
        header.encode(&mut frame, description.request_header_version(version)).unwrap();
        body.encode(&mut frame, version).unwrap();
        let size = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&size.to_be_bytes());
        self.stream.write_all(&frame).unwrap();
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).unwrap();
        self.answer.resize(u32::from_be_bytes(size) as usize, 0);
        self.stream.read_exact(&mut self.answer).unwrap();
        let mut reader = Reader::new(&self.answer);
        ResponseHeader::decode(&mut reader, description.response_header_version(version)).unwrap();
        &self.answer[self.answer.len() - reader.remaining()..]
    }

    fn produce(&mut self, records: &[u8]) -> i64 {
        const VERSION: i16 = 12;
        let partition = produce::PartitionProduceData { index: 0, records: Some(records.into()) };
        let topic =
            produce::TopicProduceData { name: "stream".into(), partition_data: vec![partition], ..Default::default() };
        let request =
            produce::Request { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data: vec![topic] };
        let answer = self.ask(ApiKey::Produce, VERSION, &request);
        let response = produce::Response::decode(&mut Reader::new(answer), VERSION).unwrap();
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, 0);
        partition.base_offset
    }

    /// Fetches from an offset without a session, as librdkafka does.
    fn fetch(&mut self, from: i64) {
        const VERSION: i16 = 12;
        let partition = fetch::FetchPartition {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: from,
            last_fetched_epoch: -1,
            partition_max_bytes: 1 << 20,
            ..Default::default()
        };
        let topic = fetch::FetchTopic { topic: "stream".into(), partitions: vec![partition], ..Default::default() };
        let request = fetch::Request {
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: 1 << 20,
            session_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let answer = self.ask(ApiKey::Fetch, VERSION, &request);
        let response = fetch::Response::decode(&mut Reader::new(answer), VERSION).unwrap();
        assert!(response.responses[0].partitions[0].records.as_ref().is_some_and(|records| !records.is_empty()));
    }
}

/// Hundredths of an allocation per request.
fn per_request(requests: usize, mut ask: impl FnMut()) -> usize {
    (0..WARM_UP).for_each(|_| ask());
    let traces = std::env::var_os("KLAMM_TRACE").is_some();
    let before = COUNT.load(Relaxed);
    TRACES.store(traces, Relaxed);
    (0..requests).for_each(|_| ask());
    TRACES.store(false, Relaxed);
    (COUNT.load(Relaxed) - before) * 100 / requests
}

/// Counts for a decision of the authorizer, among a thousand rules: one that is allowed, and one that is denied.
fn of_decisions() -> usize {
    let mut index = AclIndex::default();
    for number in 0..1000usize {
        index.insert(&Acl {
            resource_type: AclResource::Topic as i8,
            resource_name: format!("topic-{number}"),
            pattern_type: if number.is_multiple_of(2) { 3 } else { 4 },
            principal: "User:client".into(),
            host: if number.is_multiple_of(3) { "*".into() } else { "10.0.0.0/8".into() },
            operation: AclOperation::Write as i8,
            permission_type: 3,
        });
    }
    let (authorizer, principal) = (Authorizer::new(&["User:admin".into()], false), Principal::new("User", "client"));
    let who = Subject { principal: &principal, host: HostAddress::from(SocketAddr::from(([10, 0, 0, 1], 9))) };
    let may = |name, operation| {
        authorizer.authorize(&index, &who, &Action { operation, resource: AclResource::Topic, name }).allows()
    };
    IS_LEFT_OUT.set(false);
    let count = per_request(COUNTED, || {
        assert!(may("topic-77", AclOperation::Describe) && !may("topic-77", AclOperation::Read));
    });
    IS_LEFT_OUT.set(true);
    count
}

/// An authorizer that leaves to everyone what no rule is for, so that a client without a name can make rules.
const GUARDED: &[(&str, &str)] = &[
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("allow.everyone.if.no.acl.found", "true"),
];

/// A thousand rules: the client may write and read its topic by two of them, and the others are for other topics and clients.
fn add_rules(client: &mut Client) {
    let rule = |number: usize| create_acls::AclCreation {
        resource_type: AclResource::Topic as i8,
        resource_name: if number < 2 { "stream".into() } else { format!("stream-{number}").into() },
        resource_pattern_type: if number.is_multiple_of(3) { 4 } else { 3 },
        principal: if number < 2 { "User:ANONYMOUS".into() } else { format!("User:client-{}", number % 10).into() },
        host: if number.is_multiple_of(5) { "127.0.0.0/8".into() } else { "*".into() },
        operation: [AclOperation::Write, AclOperation::Read][number % 2] as i8,
        permission_type: 3,
    };
    let request = create_acls::Request { creations: (0..1000).map(rule).collect() };
    let answer = client.ask(ApiKey::CreateAcls, 3, &request);
    let response = create_acls::Response::decode(&mut Reader::new(answer), 3).unwrap();
    assert!(response.results.len() == 1000 && response.results.iter().all(|result| result.error_code == 0));
}

const KEY: &str = include_str!("../src/security/store/testdata/key.pem");
const CHAIN: &str = include_str!("../src/security/store/testdata/chain.pem");
const AUTHORITY: &[u8] = include_bytes!("../src/security/store/testdata/ca.pem");

fn start(io: &str, protocol: &str, guard: &[(&str, &str)]) -> (Broker, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let own = [
        ("log.dirs", directory.path().to_str().unwrap()),
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("listener.security.protocol.map", protocol),
        ("klamm.shards", "1"),
        ("klamm.io", io),
    ];
    let of_tls = [("ssl.keystore.type", "PEM"), ("ssl.keystore.key", KEY), ("ssl.keystore.certificate.chain", CHAIN)];
    let of_tls = of_tls.iter().filter(|_| protocol == TLS);
    let overrides =
        own.iter().chain(of_tls).chain(guard).map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let (config, _) = Config::load(&Layers { overrides, ..Layers::default() }).unwrap();
    (Broker::start(config, None).unwrap(), directory)
}

fn connect(broker: &Broker, protocol: &str) -> Client {
    let stream = TcpStream::connect(broker.addresses()[0]).unwrap();
    stream.set_nodelay(true).unwrap();
    if protocol != TLS {
        return Client { stream: Box::new(stream), answer: Vec::new() };
    }
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let tls = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    Client { stream: Box::new(StreamOwned::new(tls, stream)), answer: Vec::new() }
}

const PLAINTEXT: &str = "PLAINTEXT:PLAINTEXT";
const TLS: &str = "PLAINTEXT:SSL";

/// What each of some clients holds of the broker.
fn held_by_each<C>(open: impl Fn() -> C) -> usize {
    let settled = || {
        let mut last = isize::MIN;
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let held = HELD.load(Relaxed);
            if std::mem::replace(&mut last, held) == held {
                return held;
            }
        }
    };
    // What a first one leaves behind is not theirs.
    drop(open());
    let before = settled();
    let clients: Vec<C> = (0..CLIENTS).map(|_| open()).collect();
    let each = (settled() - before).max(0) as usize / CLIENTS;
    drop(clients);
    each
}

/// A client that rests after a request, and one that sends what it may of a handshake and no more.
fn held_over_tls() -> (usize, usize) {
    let (broker, _directory) = start("auto", TLS, &[]);
    let idle = held_by_each(|| {
        let mut client = connect(&broker, TLS);
        client.ask(ApiKey::ApiVersions, 0, &api::api_versions::Request::default());
        client
    });
    let in_handshake = held_by_each(|| {
        let mut stream = TcpStream::connect(broker.addresses()[0]).unwrap();
        // A hello of 65,535 bytes, which does not come.
        let record = [&[22, 3, 1, 0x3f, 0][..], &[1, 0, 0xff, 0xff], &[0; 0x3efc]].concat();
        stream.write_all(&record).unwrap();
        stream
    });
    println!("held over TLS: {idle} bytes at rest, {in_handshake} in a handshake");
    broker.stop().unwrap();
    (idle, in_handshake)
}

/// Counts for a produce and a fetch, with this back end.
fn counts(io: &str, protocol: &str, guard: &[(&str, &str)]) -> (usize, usize) {
    let (broker, _directory) = start(io, protocol, guard);
    let mut client = connect(&broker, protocol);
    let topic = create_topics::CreatableTopic {
        name: "stream".into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    client.ask(ApiKey::CreateTopics, 7, &create_topics::Request { topics: vec![topic], ..Default::default() });
    if !guard.is_empty() {
        add_rules(&mut client);
    }
    let mut builder = Builder::new(Options::default());
    builder.append(&Record { timestamp: TimestampMs(1), value: Some(&[7; 100]), ..Record::default() });
    let batch = builder.build();

    let requests = if std::env::var_os("KLAMM_TRACE").is_some() { 3 } else { COUNTED };
    let mut end = 0;
    let produce = per_request(requests, || end = client.produce(&batch));
    let fetch = per_request(requests, || client.fetch(end));
    let who = if guard.is_empty() { "all clients" } else { "1,000 rules" };
    println!(
        "allocations with {io} ({protocol}), {who}: produce {produce} in 100 requests, fetch {fetch} in 100 requests"
    );
    drop(client);
    broker.stop().unwrap();
    (produce, fetch)
}

#[test]
fn the_steady_path_asks_for_no_memory() {
    IS_LEFT_OUT.set(true);
    assert_eq!(of_decisions(), 0, "a decision asks for memory");
    // `auto` is the ring where the machine has one.
    for io in ["epoll", "auto"] {
        for guard in [&[], GUARDED] {
            let (produce, fetch) = counts(io, PLAINTEXT, guard);
            assert!(produce <= PRODUCE_CEILING, "{io}: a produce asks for memory {produce} times in 100 requests");
            assert!(fetch <= FETCH_CEILING, "{io}: a fetch asks for memory {fetch} times in 100 requests");
        }
        let (produce, fetch) = counts(io, TLS, &[]);
        assert!(produce <= PRODUCE_OVER_TLS_CEILING, "{io}: a produce over TLS asks for memory {produce} times in 100");
        assert!(fetch <= FETCH_OVER_TLS_CEILING, "{io}: a fetch over TLS asks for memory {fetch} times in 100");
    }
    let (idle, in_handshake) = held_over_tls();
    assert!(idle <= IDLE_BYTES, "a connection of TLS at rest holds {idle} bytes");
    assert!(in_handshake <= HANDSHAKE_BYTES, "a handshake that does not end holds {in_handshake} bytes");
}
