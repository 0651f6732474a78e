//! Stories with a cipher between the sockets and the frames: the order of handshake, frames and ends, whatever the network
//! makes of it. The cipher is the null one, which has the flights, steps and failures of TLS.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::client::Client;
use super::cluster::{ADDRESS, Cluster, SharedCluster};
use super::stories::{FETCH, PRODUCE, batch, create_topic, fetch_request, produce_answer, produce_request};
use crate::codec::{Message, Reader};
use crate::metrics::Ending;
use crate::model::ApiKey;
use crate::server::null::Cipher;
use crate::wire::api::fetch;

const SEEDS: u64 = 24;

fn cluster(seed: u64) -> SharedCluster {
    Rc::new(RefCell::new(Cluster::start_with(seed, 2, &[], true)))
}

fn ended_in(cluster: &Cluster, ending: Ending) -> u64 {
    cluster.metrics().iter().map(|counts| counts.ended[ending as usize]).sum()
}

/// Produces large batches and fetches them from the beginning.
pub(super) fn round_trip(client: &mut Client, cluster: &SharedCluster, seed: u64) {
    let batches: Vec<Vec<u8>> = (0..4).map(|n| batch(-1, n, 3, 60_000)).collect();
    for (n, batch) in batches.iter().enumerate() {
        let answer = client.call(cluster, ApiKey::Produce, PRODUCE, &produce_request(0, batch, 1));
        assert_eq!(produce_answer(&answer), (0, n as i64 * 3), "seed {seed}");
    }
    let answer = client.call(cluster, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 100));
    let response = fetch::Response::decode(&mut Reader::new(&answer), FETCH).unwrap();
    let records = response.responses[0].partitions[0].records.as_deref().unwrap();
    let values = |bytes: &[u8]| bytes.windows(9).filter(|window| *window == [b'x'; 9]).count();
    assert_eq!(values(records), values(&batches.concat()), "seed {seed}");
}

/// Large requests and answers, tails in memory and ranges of files, in the pieces that the seed makes of them.
#[test]
fn what_is_produced_comes_back_through_the_cipher() {
    for seed in 0..SEEDS {
        let cluster = cluster(seed);
        create_topic(&cluster, 1);
        let mut client = Client::connect(&cluster.borrow());
        round_trip(&mut client, &cluster, seed);
    }
}

/// Clients that go in the middle of the handshake, in each of its flights, leave nothing behind and harm no neighbour.
#[test]
fn a_handshake_may_end_anywhere() {
    for seed in 0..SEEDS {
        let cluster = cluster(seed);
        let mut neighbour = Client::connect(&cluster.borrow());
        let mut going: Vec<Client> = (0..10).map(|_| Client::connect(&cluster.borrow())).collect();
        for step in 0..400 {
            going.iter_mut().for_each(|client| _ = client.pump());
            if step % 20 == 19 {
                going.pop();
            }
            cluster.borrow_mut().step();
        }
        let request = produce_request(0, &[], 1);
        neighbour.call(&cluster, ApiKey::Produce, PRODUCE, &request);
        drop(neighbour);
        cluster.borrow_mut().step_until(20_000, |cluster| cluster.connections().iter().sum::<usize>() == 0);
        assert_eq!(ended_in(&cluster.borrow(), Ending::Tls), 0, "seed {seed}");
    }
}

/// What is no record ends the connection, before the handshake and behind it.
#[test]
fn bytes_that_are_no_records_end_the_connection() {
    for seed in 0..SEEDS {
        let cluster = cluster(seed);
        let early = cluster.borrow().world.connect(SocketAddr::from(ADDRESS)).unwrap();
        early.send(b"\0\0\0\x0e\0\x12\0\0\0\0\0\x01").unwrap();
        cluster.borrow_mut().step_until(20_000, |cluster| ended_in(cluster, Ending::Tls) == 1);
        // A flight that comes twice.
        let mut hello = Vec::new();
        Cipher::client().take_ciphertext(&mut hello);
        let twice = cluster.borrow().world.connect(SocketAddr::from(ADDRESS)).unwrap();
        twice.send(&[&hello[..], &hello[..]].concat()).unwrap();
        cluster.borrow_mut().step_until(20_000, |cluster| ended_in(cluster, Ending::Tls) == 2);
        assert_eq!(cluster.borrow().connections().iter().sum::<usize>(), 0, "seed {seed}");
    }
}

/// A client that reads nothing holds what is sent in one step, and no more; when it reads again, all of it comes.
#[test]
fn a_slow_reader_gets_everything() {
    for seed in 0..SEEDS {
        let cluster = cluster(seed);
        create_topic(&cluster, 1);
        let mut client = Client::connect(&cluster.borrow());
        let records = batch(-1, 0, 4, 200_000);
        client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &records, 1));
        (0..5).for_each(|_| client.send(ApiKey::Fetch, FETCH, &fetch_request(0, 0, 100)));
        for _ in 0..2000 {
            client.push();
            cluster.borrow_mut().step();
        }
        for _ in 0..5 {
            let answer = client.wait(&cluster, ApiKey::Fetch, FETCH);
            assert!(answer.len() > records.len(), "seed {seed}");
        }
    }
}

/// A client that reads a little at a time gets everything, too: what is encrypted leaves when no answer waits behind it.
#[test]
fn a_reader_of_small_pieces_gets_everything() {
    // An answer of this version ends with its records: no few bytes come behind them that always find room.
    const NOT_FLEXIBLE: i16 = 11;
    for seed in 0..SEEDS {
        let cluster = cluster(seed);
        create_topic(&cluster, 1);
        let mut client = Client::connect(&cluster.borrow());
        let records = batch(-1, 0, 2, 80_000);
        client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &records, 1));
        client.send(ApiKey::Fetch, NOT_FLEXIBLE, &fetch_request(0, 0, 100));
        let mut steps = 0;
        let answer = loop {
            client.push();
            client.sip();
            if let Some(answer) = client.take_answer(ApiKey::Fetch, NOT_FLEXIBLE) {
                break answer;
            }
            cluster.borrow_mut().step();
            steps += 1;
            assert!(steps < 20_000, "seed {seed}: the end of the answer does not come");
        };
        assert!(answer.len() > records.len(), "seed {seed}");
    }
}

/// A storm of clients: so many steps of handshakes are away at once and no more, and each client gets its turn.
#[test]
fn only_so_many_handshakes_are_computed_at_once() {
    let mut most = 0;
    for seed in 0..SEEDS {
        let cluster = cluster(seed);
        let mut clients: Vec<Client> = (0..60).map(|_| Client::connect(&cluster.borrow())).collect();
        let request = produce_request(0, &[], 1);
        clients.iter_mut().for_each(|client| client.send(ApiKey::Produce, PRODUCE, &request));
        for _ in 0..300 {
            clients.iter_mut().for_each(|client| _ = client.pump());
            cluster.borrow_mut().step();
        }
        clients.iter_mut().for_each(|client| drop(client.wait(&cluster, ApiKey::Produce, PRODUCE)));
        most = most.max(cluster.borrow().most_handshakes_away());
    }
    assert_eq!(most, 4, "as many as may be away");
}

/// Clients that stop before the handshake or in its middle have so long and no longer; one that is through it stays.
#[test]
fn a_handshake_has_its_time() {
    for seed in 0..SEEDS {
        let limit = [("klamm.authentication.timeout.ms", "3000")];
        let cluster = Rc::new(RefCell::new(Cluster::start_with(seed, 2, &limit, true)));
        let mut neighbour = Client::connect(&cluster.borrow());
        let request = produce_request(0, &[], 1);
        neighbour.call(&cluster, ApiKey::Produce, PRODUCE, &request);
        let mut hello = Vec::new();
        Cipher::client().take_ciphertext(&mut hello);
        let stop_after = |length: usize| {
            let socket = cluster.borrow().world.connect(SocketAddr::from(ADDRESS)).unwrap();
            if length > 0 {
                socket.send(&hello[..length]).unwrap();
            }
            socket
        };
        let stopped = [stop_after(0), stop_after(3), stop_after(hello.len())];
        (0..500).for_each(|_| cluster.borrow_mut().step());
        cluster.borrow_mut().advance(Duration::from_millis(2500));
        (0..100).for_each(|_| cluster.borrow_mut().step());
        assert_eq!((cluster.borrow().connections().iter().sum(), ended_in(&cluster.borrow(), Ending::Tls)), (4, 0));
        assert_eq!(cluster.borrow().unauthenticated_bytes(), 3 + hello.len(), "seed {seed}");
        cluster.borrow_mut().advance(Duration::from_millis(600));
        cluster.borrow_mut().step_until(1000, |cluster| ended_in(cluster, Ending::Tls) == 3);
        cluster.borrow_mut().advance(Duration::from_secs(10));
        neighbour.call(&cluster, ApiKey::Produce, PRODUCE, &request);
        assert_eq!(cluster.borrow().connections().iter().sum::<usize>(), 1, "seed {seed}");
        assert_eq!(cluster.borrow().unauthenticated_bytes(), 0, "seed {seed}");
        drop(stopped);
    }
}
