//! Which log lines are shown: a level for each module that speaks, which may change while the broker runs (KIP-412).
//!
//! A logger is named like its module, with dots (`klamm.hosting.moving`), the whole is `root`. One without a level
//! of its own has that of the module around it, as with log4j. What is changed is kept by this process alone. The state
//! is global because the facade `log` is.
//!
//! Deviation: FATAL shows errors as well, since what ends the broker is told as one.

use log::LevelFilter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// `LoggingController.ROOT_LOGGER`
pub const ROOT: &str = "root";

/// Names of log4j.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Off,
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
    All,
}

impl Level {
    const NAMES: [(Level, &'static str); 8] = [
        (Level::Off, "OFF"),
        (Level::Fatal, "FATAL"),
        (Level::Error, "ERROR"),
        (Level::Warn, "WARN"),
        (Level::Info, "INFO"),
        (Level::Debug, "DEBUG"),
        (Level::Trace, "TRACE"),
        (Level::All, "ALL"),
    ];

    pub fn from_name(name: &str) -> Option<Level> {
        Level::NAMES.iter().find(|(_, known)| *known == name).map(|(level, _)| *level)
    }

    pub fn name(self) -> &'static str {
        Level::NAMES[self as usize].1
    }

    fn filter(self) -> LevelFilter {
        match self {
            Level::Off => LevelFilter::Off,
            Level::Fatal | Level::Error => LevelFilter::Error,
            Level::Warn => LevelFilter::Warn,
            Level::Info => LevelFilter::Info,
            Level::Debug => LevelFilter::Debug,
            Level::Trace | Level::All => LevelFilter::Trace,
        }
    }
}

/// The audit log, which is named for what it tells.
pub const AUDIT: &str = "klamm.audit";

/// The modules that speak, found by the build script.
const SPEAKING: &[&str] = include!(concat!(env!("OUT_DIR"), "/loggers.rs"));

struct Levels {
    root: Level,
    /// Those with a level of their own.
    own: BTreeMap<String, Level>,
}

/// They are the process's, as the facade `log` is: a line does not say which broker of the process it is from.
static LEVELS: RwLock<Levels> = RwLock::new(Levels { root: Level::Info, own: BTreeMap::new() });

impl Levels {
    fn of(&self, name: &str) -> Level {
        let around = std::iter::successors(Some(name), |name| name.rsplit_once('.').map(|(around, _)| around));
        around.filter_map(|name| self.own.get(name)).next().copied().unwrap_or(self.root)
    }

    /// `None` gives a logger that of the module around it.
    fn set(&mut self, name: &str, level: Option<Level>) {
        match (name, level) {
            (ROOT, Some(level)) => self.root = level,
            (ROOT, None) => {}
            (name, Some(level)) => drop(self.own.insert(name.to_string(), level)),
            (name, None) => drop(self.own.remove(name)),
        }
    }

    /// What any logger may show.
    fn widest(&self) -> LevelFilter {
        self.own.values().map(|level| level.filter()).fold(self.root.filter(), Ord::max)
    }
}

fn levels() -> RwLockReadGuard<'static, Levels> {
    LEVELS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Names of all loggers but the root: the modules that speak and those around them.
fn names() -> BTreeSet<&'static str> {
    let with_around = |name: &&'static str| {
        std::iter::successors(Some(*name), |name| name.rsplit_once('.').map(|(around, _)| around))
    };
    SPEAKING.iter().chain([&AUDIT]).flat_map(with_around).collect()
}

/// Every logger with the level that holds for it.
pub fn all() -> Vec<(&'static str, Level)> {
    let levels = levels();
    let root = (ROOT, levels.root);
    names().into_iter().map(|name| (name, levels.of(name))).chain([root]).collect()
}

pub fn exists(name: &str) -> bool {
    name == ROOT || names().contains(name)
}

/// Gives a logger a level of its own, or with `None` that of the module around it again.
pub fn set(name: &str, level: Option<Level>) {
    let mut levels = LEVELS.write().unwrap_or_else(PoisonError::into_inner);
    levels.set(name, level);
    log::set_max_level(levels.widest());
}

/// Whether a line of this module (`klamm::hosting`) is to be shown.
pub fn shows(target: &str, level: log::Level) -> bool {
    level <= levels().of(&target.replace("::", ".")).filter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logger_has_the_level_of_the_nearest_module_around_it() {
        let mut levels = Levels { root: Level::Info, own: BTreeMap::new() };
        levels.set("klamm.storage", Some(Level::Debug));
        levels.set("klamm.storage.open", Some(Level::Error));
        let of =
            |levels: &Levels| ["klamm.storage.open", "klamm.storage.health", "klamm.storages"].map(|n| levels.of(n));
        assert_eq!(of(&levels), [Level::Error, Level::Debug, Level::Info]);
        assert_eq!(levels.widest(), LevelFilter::Debug);
        levels.set("klamm.storage.open", None);
        levels.set(ROOT, Some(Level::Fatal));
        assert_eq!(of(&levels), [Level::Debug, Level::Debug, Level::Fatal]);
        levels.set("klamm.storage", None);
        assert_eq!((of(&levels), levels.widest()), ([Level::Fatal; 3], LevelFilter::Error));
    }

    #[test]
    fn names_are_modules_and_what_is_around_them() {
        for name in [AUDIT, "klamm", "klamm.hosting", "klamm.hosting.moving", "klamm.handlers.describe_log_dirs"] {
            assert!(exists(name), "{name} is not among {:?}", names());
        }
        assert!(
            exists(ROOT)
                && !exists("klamm.sim.run")
                && !exists("klamm.tidy")
                && !exists("klamm.shard.audit")
                && !exists("kafka.server.KafkaApis")
        );
    }

    #[test]
    fn levels_have_names() {
        for (at, (level, name)) in Level::NAMES.iter().enumerate() {
            assert_eq!((*level as usize, level.name(), Level::from_name(name)), (at, *name, Some(*level)));
        }
        assert_eq!(Level::from_name("debug"), None);
    }
}
