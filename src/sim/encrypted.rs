//! Stories with TLS itself between the sockets and the frames. Its bytes are random and differ from run to run, so that it is in
//! no run whose schedule is compared; the network cuts it as the seed says.

use std::cell::RefCell;
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::rc::Rc;

use rustls::ClientConnection;

use super::client::Client;
use super::cluster::{ADDRESS, Cluster, SharedCluster};
use super::layered::round_trip;
use super::link::{Cipher, Link};
use super::stories::{PRODUCE, batch, create_topic_by, produce_answer, produce_request};
use crate::metrics::Ending;
use crate::model::ApiKey;
use crate::security::tls::tests::{client_config, connect};

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
    let settings = [
        ("listener.security.protocol.map", "PLAINTEXT:SSL"),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.key", KEY),
        ("ssl.keystore.certificate.chain", CHAIN),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.certificates", AUTHORITY),
        ("ssl.client.auth", client_auth),
    ];
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
