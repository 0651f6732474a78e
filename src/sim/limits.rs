//! Stories of limits of connections: who finds no place waits for one or is closed, each place comes back, and a connection
//! that waits is not an idle one.

use std::time::Duration;

use super::client::Client;
use super::cluster::SharedCluster;
use super::quotas::set_quota;
use super::stories::cluster;
use crate::model::ApiKey;
use crate::wire::api::metadata;

const METADATA: i16 = 12;
const STEP: Duration = Duration::from_millis(4);
/// What tells that an answer is not coming.
const SILENCE: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Served,
    Closed,
    Nothing,
}

/// A client that has asked at once.
fn asking(cluster: &SharedCluster) -> Client {
    ask(Client::connect(&cluster.borrow()))
}

fn ask(mut client: Client) -> Client {
    client.send(ApiKey::Metadata, METADATA, &metadata::Request { topics: Some(Vec::new()), ..Default::default() });
    client
}

fn pass(cluster: &SharedCluster, time: Duration) {
    let until = cluster.borrow().world.now() + time;
    while cluster.borrow().world.now() < until {
        cluster.borrow_mut().advance(STEP);
        cluster.borrow_mut().step();
    }
}

fn seen(client: &mut Client) -> Seen {
    let is_open = client.pump();
    match client.take_answer(ApiKey::Metadata, METADATA) {
        Some(_) => Seen::Served,
        None if is_open => Seen::Nothing,
        None => Seen::Closed,
    }
}

/// What becomes of a client in some time.
fn look(cluster: &SharedCluster, client: &mut Client, patience: Duration) -> Seen {
    let until = cluster.borrow().world.now() + patience;
    loop {
        let seen = seen(client);
        if seen != Seen::Nothing || cluster.borrow().world.now() >= until {
            return seen;
        }
        pass(cluster, STEP);
    }
}

fn served(cluster: &SharedCluster) -> Client {
    let mut client = asking(cluster);
    assert_eq!(look(cluster, &mut client, SILENCE), Seen::Served);
    client
}

#[test]
fn who_finds_no_place_waits_for_one() {
    for seed in 0..8 {
        let cluster = cluster(seed, &[("max.connections", "3")]);
        let mut open: Vec<_> = (0..3).map(|_| served(&cluster)).collect();
        let mut waiting: Vec<_> = (0..3).map(|_| asking(&cluster)).collect();
        for client in &mut waiting {
            assert_eq!(look(&cluster, client, SILENCE), Seen::Nothing, "seed {seed}");
        }
        assert_eq!((cluster.borrow().places(), cluster.borrow().connections().iter().sum()), (3, 3));
        // Each place is for one of them.
        for left in (0..3).rev() {
            drop(open.remove(0));
            pass(&cluster, SILENCE);
            for mut client in std::mem::take(&mut waiting) {
                match seen(&mut client) {
                    Seen::Served => open.push(client),
                    other => {
                        assert_eq!(other, Seen::Nothing);
                        waiting.push(client);
                    }
                }
            }
            assert_eq!((waiting.len(), open.len()), (left, 3), "seed {seed}");
        }
        // Of those that have gone while they waited nothing is left.
        waiting.extend((0..3).map(|_| asking(&cluster)));
        pass(&cluster, SOON);
        drop((open, waiting));
        pass(&cluster, SILENCE);
        assert_eq!((cluster.borrow().places(), cluster.borrow().connections()), (0, vec![0, 0]), "seed {seed}");
    }
}

#[test]
fn an_address_with_all_of_its_connections_gets_no_more() {
    for settings in
        [[("max.connections.per.ip", "2"), ("max.connections", "50")], [("max.connections.per.ip", "9"), OVERRIDE]]
    {
        let cluster = cluster(1, &settings);
        let mut open: Vec<_> = (0..2).map(|_| served(&cluster)).collect();
        for _ in 0..5 {
            assert_eq!(look(&cluster, &mut asking(&cluster), SOON), Seen::Closed);
        }
        open.pop();
        pass(&cluster, SOON);
        open.push(served(&cluster));
        assert_eq!(cluster.borrow().places(), 2);
    }
}

const OVERRIDE: (&str, &str) = ("max.connections.per.ip.overrides", "127.0.0.1:2");

/// They are kept for the time of the throttle, which is a window at most, and closed then, so that they do not come again at
/// once. More than a shard keeps are closed without it.
#[test]
fn an_address_that_comes_too_often_is_put_off() {
    const MANY: usize = 3000;
    let cluster = cluster(2, &[]);
    set_quota(&cluster, ("ip", Some("127.0.0.1")), "connection_creation_rate", Some(1.0));
    pass(&cluster, SOON);
    let before = cluster.borrow().places();
    let mut clients: Vec<_> = (0..MANY).map(|_| asking(&cluster)).collect();
    clients.iter_mut().for_each(|client| assert!(client.push()));
    pass(&cluster, Duration::from_millis(900));
    let count = |clients: &mut [Client]| {
        let all: Vec<_> = clients.iter_mut().map(seen).collect();
        [Seen::Served, Seen::Closed, Seen::Nothing].map(|one| all.iter().filter(|seen| **seen == one).count())
    };
    let [served, closed, kept] = count(&mut clients);
    assert_eq!(served, 10, "what ten seconds before this hold");
    assert!(kept <= 2 * 1024 && kept + closed == MANY - 10, "{kept} kept, {closed} closed");
    assert!(kept > 1024, "{kept} kept");
    assert_eq!(cluster.borrow().places(), before + 10, "what is put off has no place");
    pass(&cluster, Duration::from_millis(200));
    // Those that were served have no other answer.
    assert_eq!(count(&mut clients), [0, MANY - 10, 10]);
    drop(clients);
    pass(&cluster, Duration::from_secs(20));
    assert_eq!(look(&cluster, &mut asking(&cluster), SOON), Seen::Served);
}

#[test]
fn other_brokers_find_a_place_where_clients_find_none() {
    let settings = [
        ("listeners", "INTERNAL://127.0.0.1:9092,EXTERNAL://127.0.0.1:9093"),
        ("listener.security.protocol.map", "INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT"),
        ("inter.broker.listener.name", "INTERNAL"),
        ("max.connections", "3"),
    ];
    for seed in 0..8 {
        let cluster = cluster(seed, &settings);
        let external = || ask(Client::connect_to(&cluster.borrow(), 9093));
        let (mut open, mut internal) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let mut client = external();
            assert_eq!(look(&cluster, &mut client, SILENCE), Seen::Served);
            open.push(client);
        }
        let mut waiting = external();
        assert_eq!(look(&cluster, &mut waiting, SILENCE), Seen::Nothing, "seed {seed}");
        // One of them goes for each that comes by the protected listener, and the one that waits goes on waiting.
        for left in [2, 1] {
            internal.push(served(&cluster));
            pass(&cluster, SOON);
            open.retain_mut(|client| seen(client) != Seen::Closed);
            assert_eq!((open.len(), cluster.borrow().places()), (left, 3), "seed {seed}");
            assert_eq!(seen(&mut waiting), Seen::Nothing);
        }
        for client in open {
            assert_eq!(look(&cluster, &mut ask(client), SOON), Seen::Served, "the others are left alone");
        }
    }
}

/// The limit of the broker may sink below what there is: those that were silent for longest go.
#[test]
fn a_lower_limit_holds_for_those_that_are_there() {
    let cluster = cluster(3, &[]);
    let mut open: Vec<_> = (0..8).map(|_| served(&cluster)).collect();
    let mut admin = Client::connect(&cluster.borrow());
    super::quotas::alter_broker(&cluster, &mut admin, "max.connections", "4");
    pass(&cluster, SOON);
    open.retain_mut(|client| seen(client) != Seen::Closed);
    assert_eq!((open.len() + 1, cluster.borrow().places()), (4, 4));
    assert_eq!(look(&cluster, &mut ask(admin), SOON), Seen::Served, "who has asked last is still there");
}

/// A shard that stops takes over nothing: the place of what it was handed comes back.
#[test]
fn a_refused_handover_gives_its_place_back() {
    for seed in 0..8 {
        let cluster = cluster(seed, &[]);
        cluster.borrow_mut().stop_shard(1);
        let clients: Vec<_> = (0..8).map(|_| asking(&cluster)).collect();
        pass(&cluster, SOON);
        let there: usize = cluster.borrow().connections().iter().sum();
        assert!((1..8).contains(&there), "seed {seed}: {there} of 8 are served");
        assert_eq!(cluster.borrow().places(), there, "seed {seed}");
        drop(clients);
        pass(&cluster, SOON);
        assert_eq!(cluster.borrow().places(), 0, "seed {seed}");
    }
}

/// Idle connections end at their time, and those that wait for their places get them. To wait is not to be idle.
#[test]
fn idle_connections_make_room() {
    const IDLE: Duration = Duration::from_secs(20);
    let cluster = cluster(4, &[("max.connections", "2"), ("connections.max.idle.ms", "20000")]);
    let mut first = [served(&cluster), served(&cluster)];
    pass(&cluster, IDLE / 2);
    let mut waiting = asking(&cluster);
    // One of them goes on, the other one does not.
    for _ in 0..6 {
        assert_eq!(seen(&mut waiting), Seen::Nothing);
        first[0].send(
            ApiKey::Metadata,
            METADATA,
            &metadata::Request { topics: Some(Vec::new()), ..Default::default() },
        );
        assert_eq!(look(&cluster, &mut first[0], SOON), Seen::Served);
        pass(&cluster, IDLE / 20);
    }
    assert_eq!(seen(&mut first[1]), Seen::Nothing);
    // How often idle ones are looked for is coarse.
    pass(&cluster, IDLE / 2);
    assert_eq!(
        (seen(&mut first[0]), seen(&mut first[1]), seen(&mut waiting)),
        (Seen::Nothing, Seen::Closed, Seen::Served)
    );
    assert_eq!(cluster.borrow().places(), 2);
}

#[test]
fn who_waits_does_not_hold_up_the_end() {
    let cluster = cluster(5, &[("max.connections", "1")]);
    let _first = served(&cluster);
    let mut waiting: Vec<_> = (0..4).map(|_| asking(&cluster)).collect();
    waiting.iter_mut().for_each(|client| assert!(client.push()));
    pass(&cluster, SOON);
    cluster.borrow_mut().stop();
    assert!(waiting.iter_mut().all(|client| seen(client) == Seen::Closed));
}
