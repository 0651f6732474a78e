//! Threads that wait by a clock that is moved.

use std::sync::mpsc::channel;

use super::*;
use crate::io::environment::Environment;
use crate::stdx::inbox::Inbox;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn frozen() -> (Arc<SettableClock>, Environment) {
    let clock = Arc::new(SettableClock::default());
    clock.freeze().unwrap();
    (clock.clone(), Environment::with_clock(clock))
}

#[test]
fn it_goes_with_the_machine_until_it_is_frozen() {
    let clock = SettableClock::default();
    let (before, machine) = (clock.now(), clock::now());
    assert!(before <= machine, "it shows what the machine's clock has shown");
    while clock.now() == before {
        thread::yield_now();
    }
    clock.freeze().unwrap();
    let (now, wall) = (clock.now(), clock.wall());
    let later = clock::now() + Duration::from_millis(2);
    while clock::now() < later {
        thread::yield_now();
    }
    assert_eq!((clock.now(), clock.wall(), clock.is_frozen()), (now, wall, true));
    clock.go_on().unwrap();
    while clock.now() == now {
        thread::yield_now();
    }
    // It goes on from where it stood.
    assert!(clock.now().since(now) < clock::now().since(machine) && !clock.is_frozen());
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

#[test]
fn no_move_goes_beyond_the_limit_and_one_goes_on_at_a_time() {
    let (clock, _) = frozen();
    let far = MOST_ADVANCE + Duration::from_millis(1);
    assert_eq!(clock.advance(far), Err(ClockRefusal::TooFar));
    let wall = clock.wall().0;
    for ms in [wall + far.as_millis() as i64, i64::MAX] {
        assert_eq!(clock.set_wall(TimestampMs(ms)), Err(ClockRefusal::TooFar));
    }
    assert_eq!(clock.wall().0, wall, "it has not moved");
    let moving = clock.moving.lock();
    assert_eq!(clock.advance(HOUR), Err(ClockRefusal::Moving));
    assert_eq!(clock.set_wall(TimestampMs(wall + 1)), Err(ClockRefusal::Moving));
    assert_eq!((clock.freeze(), clock.go_on()), (Err(ClockRefusal::Moving), Err(ClockRefusal::Moving)));
    drop(moving);
    assert!(clock.advance(HOUR).is_ok());
}

/// Of a broker that stops: it goes on, whatever was asked of it before, and a move that goes on comes to its end.
#[test]
fn an_ended_clock_goes_with_the_machine() {
    let (clock, environment) = frozen();
    let (inbox, tasks) = Inbox::<()>::new();
    // This thread takes what has come and never waits again, so that the clock does not settle.
    let bell = tasks.bell();
    clock.begin_wait(&bell, Instant::NEVER);
    let mover = clock.clone();
    // The lock is looked at meanwhile.
    let moving = thread::spawn(move || {
        loop {
            match mover.advance(HOUR) {
                Err(ClockRefusal::Moving) => {}
                moved => return moved,
            }
        }
    });
    // A move that takes the thread for one at rest is over before it is seen.
    while !moving.is_finished() && clock.moving.try_lock().is_some() {
        thread::yield_now();
    }
    clock.end();
    assert_eq!(moving.join().unwrap(), Err(ClockRefusal::Ended));
    assert!(!clock.is_frozen());
    assert_eq!((clock.freeze(), clock.advance(HOUR)), (Err(ClockRefusal::Ended), Err(ClockRefusal::Ended)));
    let now = environment.now();
    while environment.now() == now {
        thread::yield_now();
    }
    drop((inbox, tasks));
}

#[test]
fn a_thread_that_has_ended_is_not_waited_for() {
    let (clock, environment) = frozen();
    let (inbox, tasks) = Inbox::<()>::new();
    let thread = thread::spawn(move || environment.wait(&tasks, Instant::NEVER));
    inbox.send(());
    assert_eq!(thread.join().unwrap(), Some(vec![()]));
    assert!(clock.advance(SECOND).is_ok() && clock.inside.lock().sleepers.is_empty());
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

/// So long a way is cut into strides, and what is done in one becomes due in the next.
#[test]
fn more_deadlines_than_are_met_one_by_one_are_met_in_strides() {
    const MS: Duration = Duration::from_millis(1);
    let (clock, environment) = frozen();
    let (inbox, tasks) = Inbox::<()>::new();
    let (seen, steps) = channel();
    let thread = thread::spawn(move || {
        while environment.wait(&tasks, environment.now() + MS).is_some() {
            seen.send(()).unwrap();
        }
    });
    while clock.inside.lock().sleepers.is_empty() {
        thread::yield_now();
    }
    let before = clock.now();
    let way = MS * (EXACT_STEPS as u32 + 5 * WIDE_STEPS);
    let moved = clock.advance(way).unwrap();
    assert_eq!((moved.steps, clock.now().since(before)), (EXACT_STEPS + WIDE_STEPS as usize, way));
    assert!(steps.try_iter().count() >= moved.steps);
    drop(inbox);
    thread.join().unwrap();
}
