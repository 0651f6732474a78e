//! Connections that come, are greeted, ask one thing and go: what a handshake costs, and how long it takes.

use super::stream::{Lock, Stream, call};
use super::{Handshakes, Key, Order, Outcome, Quantiles, Tally, histogram, note};
use compat_tests::{Context, Result, ensure};
use hdrhistogram::Histogram;
use kafka_protocol::messages::ApiVersionsRequest;
use std::time::{Duration, Instant};

const API_VERSIONS: i16 = 3;

pub(super) fn run(order: &Order, handshakes: &Handshakes) -> Result<Outcome> {
    let key = order.key.as_ref().context("no listener with TLS")?;
    let key = Key { resumes: handshakes.are_resumed, ..key.clone() };
    // Each has its own tickets: one that is used is not used again.
    let open = || {
        let lock = Lock::new(&key)?;
        // The first one has nothing to resume.
        greet(&lock, &key).map(|_| lock)
    };
    let locks = (0..handshakes.at_once).map(|_| open()).collect::<Result<Vec<_>>>()?;
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(order.seconds);
    let results: Vec<Result<(u64, Histogram<u64>)>> = std::thread::scope(|scope| {
        let key = &key;
        let threads: Vec<_> = locks.iter().map(|lock| scope.spawn(move || greet_until(lock, key, until))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let (mut produced, mut latencies) = (Tally::default(), histogram());
    for result in results {
        let (count, seen) = result?;
        produced.add(Tally { requests: count, records: 0, bytes: 0 });
        latencies.add(&seen)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Outcome { seconds, produced, acknowledged_us: Quantiles::of(&latencies), ..Outcome::default() })
}

fn greet_until(lock: &Lock, key: &Key, until: Instant) -> Result<(u64, Histogram<u64>)> {
    let (mut count, mut latencies) = (0, histogram());
    while Instant::now() < until {
        let began = Instant::now();
        let is_resumed = greet(lock, key)?;
        ensure!(is_resumed == key.resumes, "a handshake was of the other kind");
        note(&mut latencies, began.elapsed().as_nanos() as u64, 1);
        count += 1;
    }
    Ok((count, latencies))
}

/// Whether it was resumed. The answer comes behind what can be resumed the next time.
fn greet(lock: &Lock, key: &Key) -> Result<bool> {
    let mut stream = lock.open(key)?;
    ask(&mut stream)?;
    Ok(stream.is_resumed())
}

pub(super) fn ask(stream: &mut Stream) -> Result<()> {
    call(stream, &ApiVersionsRequest::default(), API_VERSIONS).map(drop)
}
