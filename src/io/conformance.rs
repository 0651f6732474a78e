//! What every real driver must do alike: the same tests on each back end.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::io::driver::{ConnectionKey, Done, Driver, Event, Listening, Operation};
use crate::io::machine::{self, Backend};

const PATIENCE: Duration = Duration::from_secs(10);
const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// Runs a test on every back end that this machine has; the ring must be there where the kernel allows it.
fn on_each(test: impl Fn(&mut dyn Driver)) {
    test(&mut *machine::open(Backend::Readiness, Duration::ZERO, Arc::default(), Arc::default()).unwrap());
    if cfg!(target_os = "linux") && machine::choose(machine::Preference::Uring).is_ok() {
        for spin in [Duration::ZERO, Duration::from_micros(50)] {
            test(&mut *machine::open(Backend::Uring, spin, Arc::default(), Arc::default()).unwrap());
        }
    }
}

fn wait_for<T>(driver: &mut dyn Driver, mut find: impl FnMut(&Event) -> Option<T>) -> T {
    let until = driver.now() + PATIENCE;
    loop {
        let mut events = Vec::new();
        driver.wait(Some(until), &mut events).unwrap();
        if let Some(found) = events.iter().find_map(&mut find) {
            return found;
        }
        assert!(driver.now() < until, "{}: nothing came", driver.name());
    }
}

fn connect(driver: &mut dyn Driver) -> (TcpStream, ConnectionKey) {
    let (_, address) = driver.listen(SocketAddr::from(LOCAL), &Listening::default()).unwrap();
    let client = TcpStream::connect(address).unwrap();
    let key = wait_for(driver, |event| match event {
        Event::Accepted { connection, .. } => Some(*connection),
        _ => None,
    });
    (client, key)
}

fn wait_readable(driver: &mut dyn Driver, key: ConnectionKey) {
    wait_for(driver, |event| matches!(event, Event::Readable(k) if *k == key).then_some(()));
}

#[test]
fn bytes_go_both_ways_and_the_end_is_told() {
    on_each(|driver| {
        let (mut client, key) = connect(driver);
        let mut buffer = Vec::new();
        assert_eq!(driver.receive(key, &mut buffer, 64).unwrap_err().kind(), ErrorKind::WouldBlock);
        client.write_all(b"one").unwrap();
        wait_readable(driver, key);
        assert_eq!(driver.receive(key, &mut buffer, 64).unwrap(), 3);
        assert_eq!(driver.receive(key, &mut buffer, 64).unwrap_err().kind(), ErrorKind::WouldBlock);
        // A second edge comes although the first was consumed.
        client.write_all(b"two!").unwrap();
        wait_readable(driver, key);
        assert_eq!(driver.receive(key, &mut buffer, 64).unwrap(), 4);
        assert_eq!(driver.send(key, &[IoSlice::new(b"a"), IoSlice::new(b"bc")], false).unwrap(), 3);
        assert_eq!(buffer, b"onetwo!");
        let mut answer = [0; 3];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"abc");
        drop(client);
        wait_for(driver, |event| matches!(event, Event::Ended(k) if *k == key).then_some(()));
        assert_eq!(driver.receive(key, &mut buffer, 64).unwrap(), 0);
        driver.close(key);
        assert_eq!(driver.receive(key, &mut buffer, 64).unwrap_err().kind(), ErrorKind::NotConnected);
    });
}

#[test]
fn what_was_sent_before_a_half_close_is_there_and_the_answer_goes_out() {
    on_each(|driver| {
        let (mut client, key) = connect(driver);
        client.write_all(b"last").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        wait_for(driver, |event| matches!(event, Event::Ended(k) if *k == key).then_some(()));
        let mut buffer = Vec::new();
        assert_eq!(driver.receive(key, &mut buffer, 64).unwrap(), 4);
        assert_eq!(driver.receive(key, &mut buffer, 64).unwrap(), 0);
        assert_eq!(driver.send(key, &[IoSlice::new(b"answer")], false).unwrap(), 6);
        driver.close(key);
        driver.wait(Some(driver.now()), &mut Vec::new()).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"answer");
    });
}

/// A shard that found less than there was room for asks again only after an edge; none may be missing, however the bytes come.
#[test]
fn every_byte_is_told_of() {
    const TOTAL_BYTES: usize = 2_000_000;
    on_each(|driver| {
        let (mut client, key) = connect(driver);
        let writer = std::thread::spawn(move || {
            let (bytes, mut random) = (vec![7; 3000], crate::stdx::random::Random::new(1));
            let mut left = TOTAL_BYTES;
            while left > 0 {
                let length = (1 + random.below(bytes.len() as u64) as usize).min(left);
                client.write_all(&bytes[..length]).unwrap();
                left -= length;
                (0..random.below(3)).for_each(|_| std::thread::yield_now());
            }
        });
        let mut received = Vec::new();
        loop {
            match driver.receive(key, &mut received, 2048) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait_readable(driver, key),
                Err(error) => panic!("{}: {error}", driver.name()),
            }
        }
        assert!(received.len() == TOTAL_BYTES && received.iter().all(|byte| *byte == 7));
        writer.join().unwrap();
    });
}

#[test]
fn a_connection_goes_on_at_another_driver() {
    on_each(|driver| {
        let backend = if driver.name() == "io_uring" { Backend::Uring } else { Backend::Readiness };
        let mut other = machine::open(backend, Duration::ZERO, Arc::default(), Arc::default()).unwrap();
        let (mut client, key) = connect(driver);
        client.write_all(b"early").unwrap();
        let moved = other.adopt(driver.release(key).unwrap()).unwrap();
        assert_eq!(driver.receive(key, &mut Vec::new(), 8).unwrap_err().kind(), ErrorKind::NotConnected);
        wait_readable(&mut *other, moved);
        let mut buffer = Vec::new();
        assert_eq!(other.receive(moved, &mut buffer, 8).unwrap(), 5);
        client.write_all(b"late").unwrap();
        wait_readable(&mut *other, moved);
        assert_eq!(other.receive(moved, &mut buffer, 8).unwrap(), 4);
        assert_eq!(other.send(moved, &[IoSlice::new(b"answer")], false).unwrap(), 6);
        assert_eq!(buffer, b"earlylate");
        client.read_exact(&mut [0; 6]).unwrap();
        // The first driver hears of it no more; one that no driver takes is closed.
        let mut events = Vec::new();
        driver.wait(Some(driver.now()), &mut events).unwrap();
        assert!(!events.iter().any(|event| matches!(event, Event::Readable(k) if *k == key)), "{events:?}");
        drop(other.release(moved));
        other.wait(Some(other.now()), &mut Vec::new()).unwrap();
        assert_eq!(client.read(&mut buffer).unwrap(), 0);
    });
}

#[test]
fn closing_reaches_the_client_and_later_events_do_not_name_the_dead() {
    on_each(|driver| {
        let (mut client, key) = connect(driver);
        driver.close(key);
        let until = driver.now() + Duration::from_millis(20);
        let mut events = Vec::new();
        while driver.now() < until {
            driver.wait(Some(until), &mut events).unwrap();
        }
        assert!(events.iter().all(|e| !matches!(e, Event::Readable(_) | Event::Accepted { .. })), "{events:?}");
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    });
}

#[test]
fn a_full_socket_says_when_there_is_room_again() {
    on_each(|driver| {
        let (mut client, key) = connect(driver);
        let chunk = vec![7u8; 1 << 20];
        let mut sent = 0usize;
        loop {
            match driver.send(key, &[IoSlice::new(&chunk)], false) {
                Ok(more) => sent += more,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        let reader = std::thread::spawn(move || {
            let mut taken = vec![0; sent];
            client.read_exact(&mut taken).unwrap();
            client
        });
        // The first edge may be the one of the accepted socket, from before it was full.
        while driver.send(key, &[IoSlice::new(b"x")], false).is_err() {
            wait_for(driver, |event| matches!(event, Event::Writable(k) if *k == key).then_some(()));
        }
        drop(reader.join().unwrap());
    });
}

#[test]
fn a_waker_ends_a_wait_from_another_thread() {
    on_each(|driver| {
        let waker = driver.waker();
        let other = std::thread::spawn(move || waker.wake());
        wait_for(driver, |event| matches!(event, Event::Woken).then_some(()));
        other.join().unwrap();
        driver.waker().wake();
        wait_for(driver, |event| matches!(event, Event::Woken).then_some(()));
    });
}

/// Each job runs elsewhere and is told of once, under its own token.
#[test]
fn what_is_computed_holds_up_no_shard() {
    const JOBS: u64 = 20;
    on_each(|driver| {
        let (own, elsewhere) = (std::thread::current().id(), Arc::new(AtomicUsize::new(0)));
        for token in 0..JOBS {
            let elsewhere = elsewhere.clone();
            let work = move || {
                let is_elsewhere = std::thread::current().id() != own;
                elsewhere.fetch_add(usize::from(is_elsewhere), Ordering::SeqCst);
            };
            driver.submit(token, Operation::Compute(Box::new(work)));
        }
        let (until, mut tokens) = (driver.now() + PATIENCE, Vec::new());
        while tokens.len() < JOBS as usize && driver.now() < until {
            let mut events = Vec::new();
            driver.wait(Some(until), &mut events).unwrap();
            tokens.extend(events.iter().filter_map(|event| match event {
                Event::Done { token, result } => Some((*token, matches!(result, Ok(Done::Ran)))),
                _ => None,
            }));
        }
        tokens.sort_unstable();
        assert!(tokens.into_iter().eq((0..JOBS).map(|token| (token, true))));
        assert_eq!(elsewhere.load(Ordering::SeqCst), JOBS as usize, "{}", driver.name());
    });
}

#[test]
fn a_wait_ends_at_its_time() {
    on_each(|driver| {
        let until = driver.now() + Duration::from_millis(5);
        let mut events = Vec::new();
        while driver.now() < until {
            driver.wait(Some(until), &mut events).unwrap();
        }
        driver.wait(Some(driver.now()), &mut events).unwrap();
        assert!(events.is_empty());
    });
}

#[test]
fn a_listener_that_refuses_takes_connections_again_at_the_same_port() {
    on_each(|driver| {
        let (listener, address) = driver.listen(SocketAddr::from(LOCAL), &Listening::default()).unwrap();
        let accepted = |event: &Event| match event {
            Event::Accepted { listener, connection, .. } => Some((*listener, *connection)),
            _ => None,
        };
        for _ in 0..2 {
            driver.set_refuses(listener, true).unwrap();
            let refused = TcpStream::connect_timeout(&address, PATIENCE).expect_err("nothing listens");
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{}", driver.name());
            let taken = driver.listen(address, &Listening::default()).expect_err("the port is still its own");
            assert_eq!(taken.kind(), ErrorKind::AddrInUse, "{}", driver.name());
            driver.set_refuses(listener, false).unwrap();
            let mut client = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
            let (through, key) = wait_for(driver, accepted);
            assert_eq!(through, listener);
            client.write_all(b"one").unwrap();
            wait_readable(driver, key);
        }
    });
}

#[test]
fn an_address_in_use_is_refused_unless_it_is_shared() {
    on_each(|driver| {
        let (_, address) = driver.listen(SocketAddr::from(LOCAL), &Listening::default()).unwrap();
        assert_eq!(driver.listen(address, &Listening::default()).unwrap_err().kind(), ErrorKind::AddrInUse);
        driver.listen(address, &Listening { shared: true, ..Listening::default() }).unwrap();
        driver.stop_listening();
        assert!(
            TcpStream::connect_timeout(&address, PATIENCE).is_err() || {
                // A ring closes its sockets when the cancelled requests have ended.
                driver.wait(Some(driver.now()), &mut Vec::new()).unwrap();
                TcpStream::connect_timeout(&address, PATIENCE).is_err()
            }
        );
    });
}
