//! By the clock: whatever the broker does, the next request is due at its time, and late is late.

use super::closed::frames;
use super::consume::{self, Clock, Stop};
use super::frame::{ProduceFrame, check_produced, read_answer};
use super::{Order, Outcome, Producers, Quantiles, Stream, Tally, connect, histogram, note};
use compat_tests::{Context, Result};
use hdrhistogram::Histogram;
use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The part of the time at the beginning that does not count: connections, first segments, compilers.
const WARM_PART: f64 = 0.25;
/// How long what was sent may be on its way after the end.
const GRACE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);
/// Time between the start and the first request, so that all threads are there.
const AHEAD: Duration = Duration::from_millis(50);

pub(super) fn run(order: &Order, records_per_second: f64) -> Result<Outcome> {
    let producers = order.producers.as_ref().context("nobody produces")?;
    let frames = (0..producers.connections).map(|number| frames(order, producers, number));
    let mut frames: Vec<Vec<ProduceFrame>> = frames.collect::<Result<_>>()?;
    let time_in_batch = frames[0][0].time_in_batch().context("compressed records bear no time")?;
    let start = Instant::now() + AHEAD;
    let length = Duration::from_secs_f64(order.seconds);
    let from_ns = length.mul_f64(WARM_PART).as_nanos() as u64;
    let stop = Stop::default();
    let crowd = consume::start(order, &stop, Some(Clock { start, time_in_batch, from_ns }))?;
    let per_connection = records_per_second / producers.records_per_request as f64 / producers.connections as f64;
    let interval = Duration::from_secs_f64(1.0 / per_connection);
    let pace = |number: usize| Pace {
        start: start + interval.mul_f64(number as f64 / producers.connections as f64),
        origin: start,
        interval,
        count: (length.as_secs_f64() / interval.as_secs_f64()) as u64,
        from_ns,
    };
    let results: Vec<Result<(Tally, Histogram<u64>)>> = std::thread::scope(|scope| {
        let paced = frames.iter_mut().enumerate().map(|(number, frames)| (pace(number), frames));
        let threads: Vec<_> =
            paced.map(|(pace, frames)| scope.spawn(move || produce(order, producers, frames, &pace))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let (mut produced, mut acknowledged) = (Tally::default(), histogram());
    for result in results {
        let (tally, latencies) = result?;
        produced.add(tally);
        acknowledged.add(&latencies)?;
    }
    let wanted = produced.records * copies(order);
    let until = Instant::now() + GRACE;
    while crowd.records() < wanted && Instant::now() < until {
        std::thread::sleep(LOOK);
    }
    let missing_records = wanted.saturating_sub(crowd.records());
    stop.now();
    let seen = crowd.join()?;
    Ok(Outcome {
        seconds: length.as_secs_f64(),
        produced,
        consumed: seen.tally,
        acknowledged_us: Quantiles::of(&acknowledged),
        end_to_end_us: seen.latencies.as_ref().map(Quantiles::of).unwrap_or_default(),
        missing_records,
        again: 0,
    })
}

/// How often each record should come to somebody.
fn copies(order: &Order) -> u64 {
    match &order.consumers {
        None => 0,
        Some(consumers) if consumers.manner == super::Reading::Tail => 1,
        Some(consumers) => consumers.connections as u64,
    }
}

/// When a connection's requests are due.
struct Pace {
    start: Instant,
    /// What times in records are counted from.
    origin: Instant,
    interval: Duration,
    count: u64,
    from_ns: u64,
}

impl Pace {
    fn due(&self, number: u64) -> Instant {
        self.start + Duration::from_nanos((self.interval.as_nanos() as u64).saturating_mul(number))
    }
}

fn produce(
    order: &Order,
    producers: &Producers,
    frames: &mut [ProduceFrame],
    pace: &Pace,
) -> Result<(Tally, Histogram<u64>)> {
    let mut stream = connect(order)?;
    let answers = stream.try_clone()?;
    let (sender, sent) = mpsc::channel();
    let one = Tally {
        requests: 1,
        records: producers.records_per_request as u64,
        bytes: (producers.records_per_request * producers.value_bytes) as u64,
    };
    let (origin, from_ns) = (pace.origin, pace.from_ns);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read(answers, &sent, (origin, from_ns), one));
        fine_timers();
        for number in 0..pace.count {
            let due = pace.due(number);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let due_ns = due.duration_since(origin).as_nanos() as u64;
            let at = number as usize % frames.len();
            frames[at].stamp(due_ns);
            let _ = sender.send(due_ns);
            stream.write_all(&frames[at].bytes)?;
        }
        drop(sender);
        reader.join().expect("no panic")
    })
}

fn read(
    mut stream: Stream,
    sent: &mpsc::Receiver<u64>,
    (origin, from_ns): (Instant, u64),
    one: Tally,
) -> Result<(Tally, Histogram<u64>)> {
    let (mut tally, mut latencies, mut answer) = (Tally::default(), histogram(), Vec::new());
    for due_ns in sent {
        read_answer(&mut stream, &mut answer)?;
        let now = origin.elapsed().as_nanos() as u64;
        check_produced(&answer)?;
        if due_ns >= from_ns {
            note(&mut latencies, now.saturating_sub(due_ns), one.records);
        }
        tally.add(one);
    }
    Ok((tally, latencies))
}

/// The kernel may otherwise wake this thread 50 µs late, which would be counted as the broker's.
fn fine_timers() {
    // SAFETY: prctl with these arguments touches no memory.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}
