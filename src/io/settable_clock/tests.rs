//! Threads that wait by a clock that is moved.

use std::sync::mpsc::channel;

use super::*;
use crate::io::environment::Environment;
use crate::stdx::inbox::Inbox;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn frozen() -> (Arc<SettableClock>, Environment) {
    let clock = Arc::new(SettableClock::default());
    clock.freeze();
    (clock.clone(), Environment::with_clock(clock))
}

#[test]
fn it_goes_with_the_machine_until_it_is_frozen() {
    let clock = SettableClock::default();
    let (before, machine) = (clock.now(), clock::now());
    assert!(machine.since(before) < SECOND);
    while clock.now() == before {
        thread::yield_now();
    }
    clock.freeze();
    let (now, wall) = (clock.now(), clock.wall());
    let later = clock::now() + Duration::from_millis(2);
    while clock::now() < later {
        thread::yield_now();
    }
    assert_eq!((clock.now(), clock.wall(), clock.is_frozen()), (now, wall, true));
    clock.go_on();
    while clock.now() == now {
        thread::yield_now();
    }
    // No time was skipped and none was lost.
    assert!(clock.now().since(now) < SECOND && !clock.is_frozen());
}

#[test]
fn both_clocks_are_moved_ahead_and_only_the_wall_clock_back() {
    let (clock, _) = frozen();
    let (now, wall) = (clock.now(), clock.wall());
    assert_eq!(clock.advance(HOUR).unwrap(), Moved { wall: TimestampMs(wall.0 + 3_600_000), steps: 0 });
    assert_eq!(clock.now(), now + HOUR);
    clock.set_wall(TimestampMs(wall.0 + 7_200_000)).unwrap();
    assert_eq!(clock.now().since(now).as_secs(), 7200);
    let before = clock.now();
    clock.set_wall(TimestampMs(1_000)).unwrap();
    assert_eq!((clock.now(), clock.wall()), (before, TimestampMs(1_000)));
    assert!(clock.is_frozen());
}

/// A thread that comes every second sees each of them, at its own time, however far the clock is moved.
#[test]
fn each_deadline_on_the_way_is_met_at_its_time() {
    let (clock, environment) = frozen();
    let began = clock.now();
    let (inbox, tasks) = Inbox::<()>::new();
    let (seen, steps) = channel();
    let thread = thread::spawn(move || {
        let mut due = began + SECOND;
        while environment.wait(&tasks, due).is_some() {
            let now = environment.now();
            if now >= due {
                seen.send(now.since(began).as_secs()).unwrap();
                due = due + SECOND;
            }
        }
    });
    while clock.inside.lock().sleepers.is_empty() {
        thread::yield_now();
    }
    let moved = clock.advance(10 * SECOND + SECOND / 2).unwrap();
    // All that was due has been done, without waiting for it.
    assert_eq!((steps.try_iter().collect::<Vec<_>>(), moved.steps), ((1..=10).collect(), 10));
    clock.advance(SECOND / 4).unwrap();
    assert_eq!(steps.try_iter().count(), 0);
    clock.advance(SECOND / 4).unwrap();
    assert_eq!(steps.try_iter().collect::<Vec<_>>(), [11]);
    drop(inbox);
    thread.join().unwrap();
}

/// What one thread leaves for another is done, too, and what that one waits for then.
#[test]
fn work_that_is_handed_on_is_waited_for() {
    let (clock, environment) = frozen();
    let began = clock.now();
    let ((to_first, first), (to_second, second)) = (Inbox::<()>::new(), Inbox::<u32>::new());
    let (done, all) = channel();
    let one = environment.clone();
    let handing_on = thread::spawn(move || {
        let mut due = began + SECOND;
        while one.wait(&first, due).is_some() {
            if one.now() >= due {
                due = due + SECOND;
                to_second.send(7);
            }
        }
    });
    let doing = thread::spawn(move || {
        let mut due = Instant::NEVER;
        while let Some(came) = environment.wait(&second, due) {
            if !came.is_empty() {
                due = environment.now() + SECOND / 2;
            } else if environment.now() >= due {
                due = Instant::NEVER;
                done.send(environment.now().since(began).as_millis()).unwrap();
            }
        }
    });
    while clock.inside.lock().sleepers.len() < 2 {
        thread::yield_now();
    }
    for _ in 0..20 {
        clock.advance(5 * SECOND).unwrap();
    }
    let expected: Vec<u128> = (0..100).map(|number| 1500 + 1000 * number).filter(|ms| *ms <= 100_000).collect();
    assert_eq!(all.try_iter().collect::<Vec<_>>(), expected);
    drop(to_first);
    handing_on.join().unwrap();
    doing.join().unwrap();
}

#[test]
fn more_deadlines_than_are_met_one_by_one_end_in_a_jump() {
    let (clock, environment) = frozen();
    let (inbox, tasks) = Inbox::<()>::new();
    let (seen, steps) = channel();
    let thread = thread::spawn(move || {
        while environment.wait(&tasks, environment.now() + Duration::from_millis(1)).is_some() {
            seen.send(()).unwrap();
        }
    });
    while clock.inside.lock().sleepers.is_empty() {
        thread::yield_now();
    }
    let before = clock.now();
    let moved = clock.advance(Duration::from_millis(MOST_STEPS as u64 + 1000)).unwrap();
    assert_eq!((moved.steps, clock.now().since(before).as_millis()), (MOST_STEPS, MOST_STEPS as u128 + 1000));
    assert!(steps.try_iter().count() > MOST_STEPS);
    drop(inbox);
    thread.join().unwrap();
}
