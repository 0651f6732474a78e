//! Makes a failing run small: the shortest prefix of its schedule that still fails, then the fewest kinds of faults.
//!
//! Neither is monotone for certain, so what is found is a small failing run, not the smallest.

use super::plan::{Kind, Kinds};
use super::run::Attempt;

/// `fails` runs an attempt and answers at which step it fails, if it does.
pub fn shrink(attempt: &Attempt, failed_at: u64, mut fails: impl FnMut(&Attempt) -> Option<u64>) -> Attempt {
    let mut smallest = Attempt { steps: Some(attempt.steps.unwrap_or(failed_at).min(failed_at)), ..attempt.clone() };
    if fails(&smallest).is_none() {
        smallest.steps = attempt.steps;
    }
    shorten(&mut smallest, &mut fails);
    let mut left_out = smallest.without;
    for kind in Kind::ALL {
        let fewer = Attempt { without: left_out.with(*kind), ..smallest.clone() };
        if !left_out.has(*kind) && fails(&fewer).is_some() {
            left_out = left_out.with(*kind);
        }
    }
    smallest.without = left_out;
    shorten(&mut smallest, &mut fails);
    smallest
}

fn shorten(smallest: &mut Attempt, fails: &mut impl FnMut(&Attempt) -> Option<u64>) {
    let Some(most) = smallest.steps else { return };
    // Below `low` it passes, at `high` it fails, as far as bisection can tell.
    let (mut low, mut high) = (0, most);
    while low + 1 < high {
        let middle = u64::midpoint(low, high);
        if fails(&Attempt { steps: Some(middle), ..smallest.clone() }).is_some() {
            high = middle;
        } else {
            low = middle;
        }
    }
    smallest.steps = Some(high);
}

/// The kinds that an attempt leaves out, as an argument of `examples/sim.rs`.
pub fn command(attempt: &Attempt) -> String {
    let steps = attempt.steps.map(|steps| format!(" --steps {steps}")).unwrap_or_default();
    let without = attempt.without;
    let without = if without == Kinds::default() { String::new() } else { format!(" --without {without}") };
    format!("cargo run --release --features sim --example sim -- --seed {}{steps}{without}", attempt.seed)
}
