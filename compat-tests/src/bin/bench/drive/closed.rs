//! As much as the broker takes: each connection keeps its requests under way and sends the next when one is answered.

use super::consume::{self, Stop};
use super::frame::{ProduceFrame, Shape, check_produced, read_answer};
use super::{Order, Outcome, Producers, Quantiles, Tally, connect, histogram, note};
use compat_tests::{Context, Result};
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::io::Write;
use std::time::{Duration, Instant};

pub(super) fn run(order: &Order, in_flight: usize) -> Result<Outcome> {
    let producers = order.producers.as_ref().context("nobody produces")?;
    let stop = Stop::default();
    let consumers = consume::start(order, &stop, None)?;
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(order.seconds);
    let (mut tally, mut latencies) = (Tally::default(), histogram());
    let results: Vec<Result<(Tally, Histogram<u64>)>> = std::thread::scope(|scope| {
        let one = |number| scope.spawn(move || produce(order, producers, number, in_flight, until));
        let threads: Vec<_> = (0..producers.connections).map(one).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    for result in results {
        let (one, seen) = result?;
        tally.add(one);
        latencies.add(&seen)?;
    }
    stop.now();
    let consumed = consumers.join()?.tally;
    Ok(Outcome { seconds, produced: tally, consumed, acknowledged_us: Quantiles::of(&latencies), ..Outcome::default() })
}

/// Which partitions a connection writes to: with fewer partitions than connections several share one.
pub(super) fn partitions_of(order: &Order, number: usize, connections: usize) -> Vec<i32> {
    let own: Vec<i32> = (0..order.partitions).filter(|p| *p as usize % connections == number).collect();
    if own.is_empty() { vec![number as i32 % order.partitions] } else { own }
}

pub(super) fn frames(order: &Order, producers: &Producers, number: usize) -> Result<Vec<ProduceFrame>> {
    let shape = Shape {
        records: producers.records_per_request,
        value_bytes: producers.value_bytes,
        codec: producers.codec,
        acks: producers.acks,
        has_keys: producers.has_keys,
    };
    let partitions = partitions_of(order, number, producers.connections);
    partitions.into_iter().map(|partition| ProduceFrame::new(&order.topic, partition, &shape)).collect()
}

fn produce(
    order: &Order,
    producers: &Producers,
    number: usize,
    in_flight: usize,
    until: Instant,
) -> Result<(Tally, Histogram<u64>)> {
    let frames = frames(order, producers, number)?;
    let mut stream = connect(order)?;
    let (mut tally, mut latencies, mut answer) = (Tally::default(), histogram(), Vec::new());
    let mut sent = VecDeque::with_capacity(in_flight);
    let one = Tally {
        requests: 1,
        records: producers.records_per_request as u64,
        bytes: (producers.records_per_request * producers.value_bytes) as u64,
    };
    let mut next = frames.iter().cycle();
    let each = |all: u64| all.div_ceil(one.records * producers.connections as u64);
    let mut left = producers.at_most_records.map_or(u64::MAX, each);
    loop {
        while sent.len() < in_flight && left > 0 && Instant::now() < until {
            left -= 1;
            sent.push_back(Instant::now());
            stream.write_all(&next.next().context("no partition")?.bytes)?;
        }
        let Some(when) = sent.pop_front() else { return Ok((tally, latencies)) };
        read_answer(&mut stream, &mut answer)?;
        check_produced(&answer)?;
        note(&mut latencies, when.elapsed().as_nanos() as u64, 1);
        tally.add(one);
    }
}
