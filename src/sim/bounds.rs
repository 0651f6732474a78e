//! What many, slow and greedy clients cost: memory for requests in flight is bounded, connections are shared out evenly.

use super::client::Client;
use super::cluster::SharedCluster;
use super::stories::{PRODUCE, batch, cluster, create_topic, produce_answer, produce_request, read_all};
use crate::io::driver::Listening;
use crate::model::ApiKey;
use crate::wire::api::metadata;

const METADATA: i16 = 12;

/// Clients that begin large requests and stand still cost themselves, not the others, and not more than the limit.
#[test]
fn large_requests_in_flight_hold_no_more_than_they_may() {
    const LIMIT_BYTES: usize = 1_000_000;
    const REQUEST_BYTES: usize = 800_000;
    let cluster = cluster(5, &[("queued.max.request.bytes", &LIMIT_BYTES.to_string())]);
    create_topic(&cluster, 1);
    let large = batch(-1, -1, 1, REQUEST_BYTES);
    let begin = || {
        let mut client = Client::connect(&cluster.borrow());
        client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &large, -1));
        let rest = client.hold_back(100);
        (client, rest)
    };
    let mut all: Vec<_> = (0..8).map(|_| begin()).collect();
    let mut most = 0;
    for _ in 0..3000 {
        all.iter_mut().for_each(|(client, _)| assert!(client.pump()));
        cluster.borrow_mut().step();
        most = most.max(cluster.borrow().request_memory_bytes());
    }
    // A shard's one frame that goes on, in a buffer of up to twice its size, and what a turn brings before it is counted.
    assert!((LIMIT_BYTES..LIMIT_BYTES + 4 * REQUEST_BYTES + 500_000).contains(&most), "{most}");
    let mut other = Client::connect(&cluster.borrow());
    let answer = other.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 1, 1), -1));
    assert_eq!(produce_answer(&answer), (0, 0), "small requests are not held up");
    // Whoever goes on in time is served; those that stand still are closed, as far as others need what they hold.
    let (mut last, rest) = all.pop().unwrap();
    last.send_raw(&rest);
    let answer = last.wait(&cluster, ApiKey::Produce, PRODUCE);
    assert_eq!(produce_answer(&answer), (0, 1));
    drop(all);
    cluster.borrow_mut().step_until(100_000, |cluster| cluster.request_memory_bytes() == 0);
}

/// As many clients as like ask and do not read what is answered.
#[test]
fn answers_that_nobody_takes_hold_no_more_than_they_may() {
    const LIMIT_BYTES: usize = 300_000;
    let cluster = cluster(6, &[("queued.max.request.bytes", &LIMIT_BYTES.to_string())]);
    create_topic(&cluster, 20);
    let request = metadata::Request { topics: None, ..Default::default() };
    let mut all: Vec<_> = (0..8).map(|_| Client::connect(&cluster.borrow())).collect();
    let ask = |client: &mut Client| (0..500).for_each(|_| client.send(ApiKey::Metadata, METADATA, &request));
    all.iter_mut().for_each(ask);
    let mut most = 0;
    for _ in 0..2000 {
        all.iter_mut().for_each(|client| assert!(client.push()));
        cluster.borrow_mut().step();
        most = most.max(cluster.borrow().request_memory_bytes());
    }
    assert!((LIMIT_BYTES..LIMIT_BYTES + 8 * 40_000).contains(&most), "{most}");
    let mut other = Client::connect(&cluster.borrow());
    other.call(&cluster, ApiKey::Metadata, METADATA, &request);
    for mut client in all {
        (0..500).for_each(|_| drop(client.wait(&cluster, ApiKey::Metadata, METADATA)));
    }
    assert_eq!(cluster.borrow().request_memory_bytes(), 0);
}

/// A connection that was held up by the shortage goes on after it, whatever it has sent meanwhile.
#[test]
fn a_shortage_leaves_nobody_standing_still() {
    for seed in 1..20 {
        let cluster = cluster(seed, &[("queued.max.request.bytes", "300000")]);
        create_topic(&cluster, 20);
        let request = metadata::Request { topics: None, ..Default::default() };
        let mut victim = Client::connect(&cluster.borrow());
        let mut hogs = hogs(&cluster);
        assert!(cluster.borrow().request_memory_bytes() > 300_000);
        victim.call(&cluster, ApiKey::Metadata, METADATA, &request);
        for hog in &mut hogs {
            (0..500).for_each(|_| drop(hog.wait(&cluster, ApiKey::Metadata, METADATA)));
        }
        for _ in 0..3 {
            (0..4).for_each(|_| victim.send(ApiKey::Metadata, METADATA, &request));
            (0..4).for_each(|_| drop(victim.wait(&cluster, ApiKey::Metadata, METADATA)));
        }
    }
}

/// Clients that ask for much and read nothing of it: memory is short as long as they are there.
fn hogs(cluster: &SharedCluster) -> Vec<Client> {
    let metadata = metadata::Request { topics: None, ..Default::default() };
    let mut hogs: Vec<_> = (0..6).map(|_| Client::connect(&cluster.borrow())).collect();
    for hog in &mut hogs {
        (0..500).for_each(|_| hog.send(ApiKey::Metadata, METADATA, &metadata));
    }
    for _ in 0..1000 {
        hogs.iter_mut().for_each(|hog| assert!(hog.push()));
        cluster.borrow_mut().step();
    }
    hogs
}

/// One that sends large requests without a pause lets the others have their turn, however long memory is short.
#[test]
fn large_requests_take_turns() {
    let cluster = cluster(4, &[("queued.max.request.bytes", "300000")]);
    create_topic(&cluster, 20);
    let large = batch(-1, -1, 1, 500_000);
    let request = produce_request(0, &large, -1);
    let begin = |times: usize| {
        let mut client = Client::connect(&cluster.borrow());
        (0..times).for_each(|_| client.send(ApiKey::Produce, PRODUCE, &request));
        client
    };
    let _hogs = hogs(&cluster);
    let step = |clients: &mut [Client]| {
        clients.iter_mut().for_each(|client| assert!(client.pump()));
        cluster.borrow_mut().step();
    };
    let mut busy = [begin(60), begin(60)];
    (0..100).for_each(|_| step(&mut busy));
    let mut others = [begin(1), begin(1)];
    let mut answered = [false; 2];
    while answered != [true; 2] {
        assert!(cluster.borrow().request_memory_bytes() > 300_000);
        step(&mut busy);
        step(&mut others);
        for (client, is_answered) in others.iter_mut().zip(&mut answered) {
            *is_answered |= client.take_answer(ApiKey::Produce, PRODUCE).is_some();
        }
        assert!(busy.iter().any(Client::has_unsent), "the others come last: {answered:?}");
    }
}

/// Who goes away in the middle of a large request leaves the turn to the next, as short as memory is.
#[test]
fn large_requests_do_not_wait_for_one_that_has_gone() {
    let cluster = cluster(4, &[("queued.max.request.bytes", "300000")]);
    create_topic(&cluster, 20);
    let _hogs = hogs(&cluster);
    let large = batch(-1, -1, 1, 500_000);
    let request = produce_request(0, &large, -1);
    let begin = |rest_bytes: usize| {
        let mut client = Client::connect(&cluster.borrow());
        client.send(ApiKey::Produce, PRODUCE, &request);
        client.hold_back(rest_bytes);
        client
    };
    // One of each at both shards.
    let mut all: Vec<_> = [100, 100, 0, 0].map(begin).into();
    for _ in 0..100 {
        all.iter_mut().for_each(|client| assert!(client.pump()));
        cluster.borrow_mut().step();
    }
    let mut waiting = all.split_off(2);
    assert!(waiting.iter().all(Client::has_unsent), "they wait for their turn");
    drop(all);
    for client in &mut waiting {
        client.wait(&cluster, ApiKey::Produce, PRODUCE);
        assert!(cluster.borrow().request_memory_bytes() > 300_000);
    }
}

/// A shard that is in the middle of much lets others have its processor; one with little to do keeps it.
#[test]
fn who_sends_much_gives_way_after_each_turn() {
    const VALUE_BYTES: usize = 50_000;
    // A turn of this seed sends 1000 bytes.
    let cluster = cluster(3, &[("klamm.tail.buffer.bytes", "0")]);
    create_topic(&cluster, 2);
    let mut client = Client::connect(&cluster.borrow());
    for (partition, value_bytes) in [(0, 10), (1, VALUE_BYTES)] {
        let batch = batch(-1, -1, 1, value_bytes);
        client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(partition, &batch, -1));
    }
    read_all(&cluster, 0);
    assert_eq!(cluster.borrow().times_yielded(), 0);
    read_all(&cluster, 1);
    assert!(cluster.borrow().times_yielded() >= VALUE_BYTES as u64 / 1000);
}

#[test]
fn sockets_are_as_they_were_configured() {
    let as_told = |settings: &[(&str, &str)]| cluster(1, settings).borrow().last_listening().unwrap();
    let shared = Listening { shared: true, ..Listening::default() };
    assert_eq!(as_told(&[]), shared);
    let settings = [
        ("socket.listen.backlog.size", "7"),
        ("socket.send.buffer.bytes", "30000"),
        ("socket.receive.buffer.bytes", "50000"),
    ];
    let sized = Listening { backlog: 7, send_buffer_bytes: Some(30_000), receive_buffer_bytes: Some(50_000), ..shared };
    assert_eq!(as_told(&settings), sized);
}

#[test]
fn shards_have_equally_many_connections_however_they_come() {
    for seed in 1..20 {
        let cluster = cluster(seed, &[]);
        create_topic(&cluster, 1);
        let mut clients: Vec<_> = (0..6).map(|_| Client::connect(&cluster.borrow())).collect();
        for client in &mut clients {
            client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 1, 1), -1));
        }
        assert_eq!(cluster.borrow().connections(), [3, 3], "seed {seed}");
        clients.truncate(4);
        cluster.borrow_mut().step_until(10_000, |cluster| cluster.connections().iter().sum::<usize>() == 4);
        clients.extend((0..4).map(|_| Client::connect(&cluster.borrow())));
        cluster.borrow_mut().step_until(10_000, |cluster| cluster.connections() == [4, 4]);
    }
}
