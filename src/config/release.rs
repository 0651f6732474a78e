//! Which APIs a release of Apache Kafka offers, in which versions, and which features: for a broker that is to be taken for
//! one of that release (`klamm.as.version`). The table is made from the jars of the releases, see its head.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::ApiKey;

const TABLE: &str = include_str!("releases.txt");

/// Lowest and highest.
type Range = (i16, i16);

/// One minor release.
#[derive(Clone, PartialEq, Eq)]
pub struct Release {
    name: &'static str,
    apis: BTreeMap<i16, Range>,
    features: BTreeMap<&'static str, Levels>,
}

/// The levels of a feature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Levels {
    pub lowest: i16,
    pub highest: i16,
    /// That of a new cluster.
    pub default: i16,
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The names that there are, as `klamm.as.version` takes them.
pub const NAMES: &[&str] =
    &["2.8", "3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "4.0", "4.1", "4.2", "4.3", "4.4"];

impl Release {
    /// `None`: there is no such release in the table.
    pub fn named(name: &str) -> Option<Release> {
        let mut lines = TABLE.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let name = lines.find_map(|words| match words[..] {
            ["release", found, _] if found == name => Some(found),
            _ => None,
        })?;
        let mut release = Release { name, apis: BTreeMap::new(), features: BTreeMap::new() };
        for words in lines {
            let number = |text: &str| text.parse::<i16>().ok();
            let range = |low: &str, high: &str| Some((number(low)?, number(high)?));
            match words[..] {
                ["api", key, _, low, high] => {
                    release.apis.insert(number(key)?, range(low, high)?);
                }
                ["feature", name, low, high, default] => {
                    let ((lowest, highest), default) = (range(low, high)?, number(default)?);
                    release.features.insert(name, Levels { lowest, highest, default });
                }
                _ => break,
            }
        }
        Some(release)
    }

    /// The versions of an API that it offers.
    pub fn api(&self, key: ApiKey) -> Option<Range> {
        self.apis.get(&key.id()).copied()
    }

    /// The levels of a feature.
    pub fn feature(&self, name: &str) -> Option<Levels> {
        self.features.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_releases_that_are_named_and_each_is_whole() {
        let found = TABLE.lines().filter_map(|line| line.strip_prefix("release ")?.split(' ').next());
        assert_eq!(found.collect::<Vec<_>>(), NAMES);
        let parts = TABLE.lines().filter(|line| line.starts_with("api ") || line.starts_with("feature ")).count();
        let releases: Vec<_> = NAMES.iter().map(|name| Release::named(name).unwrap()).collect();
        assert_eq!(releases.iter().map(|release| release.apis.len() + release.features.len()).sum::<usize>(), parts);
        assert!(releases.iter().all(|release| release.apis.len() > 40 && release.api(ApiKey::ApiVersions).is_some()));
        assert_eq!(Release::named("2.7"), None);
    }

    /// What is known of the releases from their notes.
    #[test]
    fn facts_of_releases_are_in_the_table() {
        let release = |name| Release::named(name).unwrap();
        // KIP-516 in Fetch; KIP-699; KIP-848; KIP-896 removed the oldest versions.
        assert_eq!(["2.8", "3.0", "3.1"].map(|name| release(name).api(ApiKey::Fetch).unwrap().1), [12, 12, 13]);
        assert_eq!(["2.8", "3.0"].map(|name| release(name).api(ApiKey::FindCoordinator).unwrap().1), [3, 4]);
        let heartbeat = ApiKey::ConsumerGroupHeartbeat;
        assert_eq!(["3.6", "3.9", "4.0"].map(|name| release(name).api(heartbeat)), [None, Some((0, 0)), Some((0, 1))]);
        assert_eq!(["3.9", "4.0"].map(|name| release(name).api(ApiKey::Fetch).unwrap().0), [0, 4]);
        // KIP-778 and KIP-890.
        let metadata = Levels { lowest: 1, highest: 7, default: 7 };
        assert_eq!(["3.2", "3.3"].map(|name| release(name).feature("metadata.version")), [None, Some(metadata)]);
        assert_eq!(["3.9", "4.0"].map(|name| release(name).feature("transaction.version").unwrap().highest), [0, 2]);
        // KIP-966 and KIP-932: there, and off in a new cluster.
        let defaults = |name| ["4.0", "4.1", "4.4"].map(|release_of| Some(release(release_of).feature(name)?.default));
        assert_eq!(defaults("eligible.leader.replicas.version"), [Some(0), Some(1), Some(1)]);
        assert_eq!(defaults("share.version"), [None, Some(0), Some(2)]);
        assert_eq!(defaults("metadata.version"), [Some(25), Some(27), Some(33)]);
    }
}
