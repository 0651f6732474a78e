//! Stories with TLS itself between the sockets and the frames. Its bytes are random and differ from run to run, so that it is in
//! no run whose schedule is compared; the network cuts it as the seed says.

use std::cell::RefCell;
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use rustls::ClientConnection;

use super::client::Client;
use super::cluster::{ADDRESS, Cluster, SharedCluster};
use super::layered::round_trip;
use super::link::{Cipher, Link};
use super::stories::{PRODUCE, alter_config, batch, create_topic_by, produce_answer, produce_request};
use crate::metrics::Ending;
use crate::model::ApiKey;
use crate::security::tls::tests::{client_config, connect};
use crate::server::{HANDSHAKE_BYTES, RECORD_BYTES};
use crate::shard::login::{UNAUTHENTICATED_BYTES, UNAUTHENTICATED_FRAME_BYTES};

const SEEDS: u64 = 6;
const KEY: &str = include_str!("../security/store/testdata/key.pem");
const CHAIN: &str = include_str!("../security/store/testdata/chain.pem");
const AUTHORITY: &str = include_str!("../security/store/testdata/ca.pem");

impl Cipher for ClientConnection {
    fn is_open(&self) -> bool {
        !self.is_handshaking()
    }

    fn feed(&mut self, mut bytes: &[u8]) -> usize {
        let length = bytes.len();
        if self.reader().fill_buf().is_ok_and(|waits| !waits.is_empty()) || length == 0 {
            return 0;
        }
        self.read_tls(&mut bytes).unwrap();
        self.process_new_packets().unwrap();
        length - bytes.len()
    }

    fn take(&mut self, into: &mut Vec<u8>, most: usize) -> usize {
        let mut reader = self.reader();
        let length = match reader.fill_buf() {
            Ok(chunk) => {
                let length = chunk.len().min(most);
                into.extend_from_slice(&chunk[..length]);
                length
            }
            Err(_) => 0,
        };
        reader.consume(length);
        length
    }

    fn put(&mut self, plain: &[u8]) {
        self.set_buffer_limit(None);
        self.writer().write_all(plain).unwrap();
    }

    fn take_ciphertext(&mut self, into: &mut Vec<u8>) {
        while self.wants_write() {
            self.write_tls(into).unwrap();
        }
    }
}

fn cluster(seed: u64, client_auth: &str) -> SharedCluster {
    cluster_with(seed, &[("ssl.client.auth", client_auth)])
}

fn cluster_with(seed: u64, more: &[(&str, &str)]) -> SharedCluster {
    let settings = [
        ("listener.security.protocol.map", "PLAINTEXT:SSL"),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.key", KEY),
        ("ssl.keystore.certificate.chain", CHAIN),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.certificates", AUTHORITY),
    ];
    // The last one counts.
    let settings: Vec<_> = settings.iter().chain(more).copied().collect();
    Rc::new(RefCell::new(Cluster::start(seed, 2, &settings)))
}

fn client(cluster: &Cluster, shown: Option<&[u8]>) -> Client {
    let socket = cluster.world.connect(SocketAddr::from(ADDRESS)).unwrap();
    Client::over(Link::with(socket, Box::new(connect(client_config(shown)))))
}

/// Large requests and answers, tails in memory and ranges of files, by clients that show certificates.
#[test]
fn what_is_produced_comes_back_through_tls() {
    for seed in 0..SEEDS {
        let cluster = cluster(seed, "required");
        let mut client = client(&cluster.borrow(), Some(CHAIN.as_bytes()));
        create_topic_by(&mut client, &cluster, 1);
        round_trip(&mut client, &cluster, seed);
        let principals = cluster.borrow().principals();
        assert_eq!(principals, ["User:CN=localhost,OU=a,O=Klamm\\, Inc.,C=AT"]);
    }
}

/// Clients that show no certificate where one is asked for, that send plain text, that stop in the middle: none harms another.
#[test]
fn handshakes_that_fail_harm_no_neighbour() {
    for seed in 0..SEEDS {
        let cluster = cluster(seed, "required");
        let mut neighbour = client(&cluster.borrow(), Some(CHAIN.as_bytes()));
        create_topic_by(&mut neighbour, &cluster, 1);
        let plain = cluster.borrow().world.connect(SocketAddr::from(ADDRESS)).unwrap();
        plain.send(b"\0\0\0\x0e\0\x12\0\0\0\0\0\x01").unwrap();
        let mut hello = Vec::new();
        connect(client_config(None)).take_ciphertext(&mut hello);
        let cut = cluster.borrow().world.connect(SocketAddr::from(ADDRESS)).unwrap();
        cut.send(&hello[..hello.len() / 2]).unwrap();
        let stopped = cluster.borrow().world.connect(SocketAddr::from(ADDRESS)).unwrap();
        stopped.send(&hello).unwrap();
        let answer = neighbour.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, 0, 1, 10), 1));
        assert_eq!(produce_answer(&answer).0, 0, "seed {seed}");
        drop((cut, stopped, neighbour));
        cluster.borrow_mut().step_until(40_000, |cluster| cluster.connections().iter().sum::<usize>() == 0);
        let ended = cluster.borrow().metrics().iter().map(|counts| counts.ended[Ending::Tls as usize]).sum::<u64>();
        assert_eq!(ended, 1, "seed {seed}: the one that sent plain text");
    }
}

fn ended(cluster: &Cluster, ending: Ending) -> u64 {
    cluster.metrics().iter().map(|counts| counts.ended[ending as usize]).sum()
}

/// The beginning of a hello that is said to have 65,535 bytes, in records.
fn endless_hello(length: usize) -> Vec<u8> {
    let message = [&[1, 0, 0xff, 0xff][..], &vec![0; length]].concat();
    let records = message
        .chunks(1000)
        .flat_map(|chunk| [&[22, 3, 1, (chunk.len() >> 8) as u8, chunk.len() as u8], chunk].concat());
    records.take(length).collect()
}

/// A client whose handshake never ends is closed when it has sent what it may.
#[test]
fn a_handshake_is_so_long_and_no_longer() {
    for seed in 0..SEEDS {
        let cluster = cluster(seed, "none");
        let socket = cluster.borrow().world.connect(SocketAddr::from(ADDRESS)).unwrap();
        let bytes = endless_hello(3 * HANDSHAKE_BYTES);
        let (mut sent, mut most) = (0, 0);
        for _ in 0..20_000 {
            sent += socket.send(&bytes[sent..]).unwrap_or(0);
            cluster.borrow_mut().step();
            most = most.max(cluster.borrow().unauthenticated_bytes());
            if ended(&cluster.borrow(), Ending::Tls) > 0 {
                break;
            }
        }
        assert_eq!(ended(&cluster.borrow(), Ending::Tls), 1, "seed {seed}");
        assert!(most > HANDSHAKE_BYTES / 2 && most <= HANDSHAKE_BYTES, "seed {seed}: {most}");
        assert_eq!(cluster.borrow().unauthenticated_bytes(), 0, "seed {seed}");
    }
}

/// However many they are, they hold no more than all may together.
#[test]
fn handshakes_hold_no_more_than_they_may_together() {
    let cluster = cluster(1, "none");
    let mut neighbour = client(&cluster.borrow(), None);
    create_topic_by(&mut neighbour, &cluster, 1);
    let each = HANDSHAKE_BYTES - 100;
    let bytes = endless_hello(each);
    let clients = UNAUTHENTICATED_BYTES / each + 60;
    let connect = |_| (cluster.borrow().world.connect(SocketAddr::from(ADDRESS)).unwrap(), 0);
    let mut all: Vec<_> = (0..clients).map(connect).collect();
    for _ in 0..4000 {
        for (socket, sent) in &mut all {
            *sent += socket.send(&bytes[*sent..]).unwrap_or(0);
        }
        cluster.borrow_mut().step();
        let held = cluster.borrow().unauthenticated_bytes();
        assert!(held <= UNAUTHENTICATED_BYTES + 2 * HANDSHAKE_BYTES, "{held}");
        if ended(&cluster.borrow(), Ending::Tls) > 10 {
            break;
        }
    }
    assert!(ended(&cluster.borrow(), Ending::Tls) > 10);
    let answer = neighbour.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, 0, 1, 10), 1));
    assert_eq!(produce_answer(&answer).0, 0);
    drop(all);
    cluster.borrow_mut().step_until(20_000, |cluster| cluster.unauthenticated_bytes() == 0);
}

/// A client that has not logged in holds its one frame, and of what is encrypted one record.
#[test]
fn a_login_over_tls_holds_a_frame_and_a_record() {
    let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"a\";";
    let logins = [
        ("listener.security.protocol.map", "PLAINTEXT:SASL_SSL"),
        ("sasl.enabled.mechanisms", "PLAIN"),
        ("listener.name.plaintext.plain.sasl.jaas.config", jaas),
        ("klamm.authentication.timeout.ms", "30000"),
    ];
    for seed in 0..SEEDS {
        let cluster = cluster_with(seed, &logins);
        let mut client = client(&cluster.borrow(), None);
        client.send_raw(&(UNAUTHENTICATED_FRAME_BYTES as i32).to_be_bytes());
        client.send_raw(&vec![0; UNAUTHENTICATED_FRAME_BYTES - 1]);
        let mut most = 0;
        for _ in 0..5000 {
            client.pump();
            cluster.borrow_mut().step();
            most = most.max(cluster.borrow().unauthenticated_bytes());
        }
        assert!((UNAUTHENTICATED_FRAME_BYTES..=UNAUTHENTICATED_FRAME_BYTES + RECORD_BYTES).contains(&most), "{most}");
        // The handshake is over, and the login is not.
        cluster.borrow_mut().advance(Duration::from_secs(31));
        cluster.borrow_mut().step_until(100, |cluster| ended(cluster, Ending::Authentication) == 1);
        assert_eq!(cluster.borrow().unauthenticated_bytes(), 0);
    }
}

/// Alters a config of this broker; the error's code and message.
fn alter(client: &mut Client, cluster: &SharedCluster, name: &str, value: &str) -> (i16, String) {
    alter_config(client, cluster, (4, "1"), name, Some(value))
}

/// What cannot be used is refused before it is a record, so that neither this broker nor its next start has it.
#[test]
fn stores_that_cannot_be_used_are_refused() {
    let cluster = cluster(3, "none");
    let mut admin = client(&cluster.borrow(), None);
    let chain = "listener.name.plaintext.ssl.keystore.certificate.chain";
    let (code, message) = alter(&mut admin, &cluster, chain, "no certificate");
    assert_eq!(code, 42, "{message}");
    let begin = "Validation of dynamic config update of SSLFactory failed: ssl.keystore.key: At least one certificate";
    assert!(message.starts_with(begin), "{message}");
    let trusted = "listener.name.plaintext.ssl.truststore.certificates";
    assert_eq!(alter(&mut admin, &cluster, trusted, "no certificate").0, 42);
    let stranger = include_str!("../security/store/testdata/stranger.pem");
    let (code, message) = alter(&mut admin, &cluster, chain, stranger);
    assert!(code == 42 && message.contains("DistinguishedName does not match"), "{message}");
    assert_eq!(
        alter(&mut admin, &cluster, chain, include_str!("../security/store/testdata/own.pem")),
        (0, String::new())
    );
    // What is kept opens the next start's door.
    cluster.borrow_mut().stop();
    cluster.borrow_mut().restart();
    let mut again = client(&cluster.borrow(), None);
    create_topic_by(&mut again, &cluster, 1);
}
