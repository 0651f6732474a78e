//! Which quota holds for a client, and with whom the client shares it (`ClientQuotaManager.DefaultQuotaCallback`).
//!
//! The quotas stand in the image of the metadata, so a clone costs nothing. A look-up asks for memory; who asks often keeps
//! the answer until the epoch changes.

use std::net::IpAddr;

use rpds::RedBlackTreeMapSync;

use super::{CONNECTION_RATE, Kind};

/// Types of entities (`ClientQuotaEntity`).
pub const USER: &str = "user";
pub const CLIENT_ID: &str = "client-id";
pub const IP: &str = "ip";

/// What a quota's entity says of one type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Part {
    Absent,
    /// It is for those that have no quota of their own.
    Default,
    Named(String),
}

impl Part {
    fn of(entity: &[(String, Option<String>)], wanted: &str) -> Part {
        match entity.iter().find(|(kind, _)| kind == wanted) {
            None => Part::Absent,
            Some((_, None)) => Part::Default,
            Some((_, Some(name))) => Part::Named(name.clone()),
        }
    }
}

type Entity = (Part, Part);

/// Whose budget it is: a user, a client id, or both; what is empty is not looked at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tags {
    pub user: String,
    pub client: String,
}

/// How many entities of each type have a quota of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Types {
    clients: u32,
    users: u32,
    both: u32,
}

/// All quotas of a cluster.
#[derive(Clone, Default, Debug)]
pub struct Quotas {
    limits: [RedBlackTreeMapSync<Entity, f64>; 4],
    types: [Types; 4],
    /// Connections in a second by address; `None` for those that have no own.
    ips: RedBlackTreeMapSync<Option<IpAddr>, f64>,
    epoch: u64,
}

/// The epoch says how they came about, and counts for nothing.
impl PartialEq for Quotas {
    fn eq(&self, other: &Quotas) -> bool {
        self.limits == other.limits && self.ips == other.ips
    }
}

impl Quotas {
    /// Whether no client has any; addresses are not looked at.
    pub fn is_empty(&self) -> bool {
        self.limits.iter().all(|limits| limits.is_empty())
    }

    pub fn has(&self, kind: Kind) -> bool {
        !self.limits[kind as usize].is_empty()
    }

    /// Another one after each change; only one history of changes is ever shown.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The limit that holds for a client, and whose budget it is. `None`: there is none.
    pub fn find(&self, kind: Kind, user: &str, client: &str) -> Option<(Tags, f64)> {
        let tags = self.tags(kind, user, client);
        self.limit(kind, &tags).map(|limit| (tags, limit))
    }

    /// Connections in a second from an address.
    pub fn connection_rate(&self, ip: IpAddr) -> Option<f64> {
        self.ips.get(&Some(ip)).or_else(|| self.ips.get(&None)).copied()
    }

    /// A quota has changed; `None` takes it away. What is of no meaning (it came from elsewhere) counts as not there.
    pub fn set(&mut self, entity: &[(String, Option<String>)], key: &str, value: Option<f64>) {
        self.epoch += 1;
        let value = value.filter(|value| value.is_finite() && *value > 0.0);
        if key == CONNECTION_RATE {
            return self.set_connection_rate(entity, value);
        }
        let Some(kind) = Kind::of_key(key) else { return };
        let of = (Part::of(entity, USER), Part::of(entity, CLIENT_ID));
        let types = &mut self.types[kind as usize];
        let count = match &of {
            (Part::Absent, Part::Absent) => return,
            (Part::Absent, _) => &mut types.clients,
            (_, Part::Absent) => &mut types.users,
            _ => &mut types.both,
        };
        let limits = &mut self.limits[kind as usize];
        match (limits.contains_key(&of), value) {
            (true, None) => *count -= 1,
            (false, Some(_)) => *count += 1,
            _ => {}
        }
        match value {
            Some(value) => limits.insert_mut(of, value),
            None => {
                limits.remove_mut(&of);
            }
        }
    }

    fn set_connection_rate(&mut self, entity: &[(String, Option<String>)], value: Option<f64>) {
        let ip = match Part::of(entity, IP) {
            Part::Absent => return,
            Part::Default => None,
            // A host name, which a cluster of Apache Kafka may have taken: nothing here asks for its addresses.
            Part::Named(name) => match name.parse::<IpAddr>() {
                Ok(ip) => Some(ip.to_canonical()),
                Err(_) => return,
            },
        };
        match value {
            Some(value) => self.ips.insert_mut(ip, value),
            None => {
                self.ips.remove_mut(&ip);
            }
        }
    }

    fn tags(&self, kind: Kind, user: &str, client: &str) -> Tags {
        let tags = |user: &str, client: &str| Tags { user: user.to_string(), client: client.to_string() };
        let Types { clients, users, both } = self.types[kind as usize];
        match (users > 0, clients > 0, both > 0) {
            (false, _, false) => return tags("", client),
            (true, false, false) => return tags(user, ""),
            (false, false, true) => return tags(user, client),
            _ => {}
        }
        let has = |user: Part, client: Part| self.limits[kind as usize].contains_key(&(user, client));
        let (named_user, named_client) = (|| Part::Named(user.to_string()), || Part::Named(client.to_string()));
        if has(named_user(), named_client()) || has(named_user(), Part::Default) {
            tags(user, client)
        } else if has(named_user(), Part::Absent) {
            tags(user, "")
        } else if has(Part::Default, named_client()) || has(Part::Default, Part::Default) {
            tags(user, client)
        } else if has(Part::Default, Part::Absent) {
            tags(user, "")
        } else {
            tags("", client)
        }
    }

    fn limit(&self, kind: Kind, tags: &Tags) -> Option<f64> {
        let part = |name: &str| {
            let named = Part::Named(name.to_string());
            if name.is_empty() { vec![Part::Absent] } else { vec![named, Part::Default] }
        };
        let (users, clients) = (part(&tags.user), part(&tags.client));
        let entities = users.iter().flat_map(|user| clients.iter().map(move |client| (user.clone(), client.clone())));
        entities.into_iter().find_map(|entity| self.limits[kind as usize].get(&entity).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(user: &str, client: &str) -> Vec<(String, Option<String>)> {
        let part = |kind: &str, name: &str| match name {
            "-" => None,
            "d" => Some((kind.to_string(), None)),
            name => Some((kind.to_string(), Some(name.to_string()))),
        };
        part(CLIENT_ID, client).into_iter().chain(part(USER, user)).collect()
    }

    /// Each subset of the eight entities that can have a quota, as `testdata/QuotaTranscript.java` prints what Kafka 4.4.0
    /// finds for six clients: `subset user/client tags limit`.
    #[test]
    fn every_subset_of_quotas_is_looked_up_as_by_kafka() {
        let entities: Vec<_> = ["u", "d", "-"].iter().flat_map(|user| ["c", "d", "-"].map(|c| (*user, c))).collect();
        let mut lines = 0;
        for line in include_str!("testdata/lookup.txt").lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let subset: u32 = words[0].parse().unwrap();
            let mut quotas = Quotas::default();
            for (at, (user, client)) in entities[..8].iter().enumerate().filter(|(at, _)| subset & (1 << at) != 0) {
                // Some changes on the way, which leave nothing.
                quotas.set(&entity(user, client), Kind::Produce.key(), Some(99.0));
                quotas.set(&entity(user, client), Kind::Fetch.key(), Some(99.0));
                quotas.set(&entity(user, client), Kind::Fetch.key(), None);
                quotas.set(&entity(user, client), Kind::Produce.key(), Some(at as f64 + 1.0));
            }
            assert_eq!((quotas.is_empty(), quotas.has(Kind::Fetch)), (subset == 0, false), "{line}");
            let (user, client) = words[1].split_once('/').unwrap();
            let tags = quotas.tags(Kind::Produce, user, client);
            let limit = quotas.find(Kind::Produce, user, client).map(|(_, limit)| format!("{limit}"));
            assert_eq!(format!("{}/{}", tags.user, tags.client), words[2], "{line}");
            assert_eq!(limit.as_deref().unwrap_or("none"), words[3], "{line}");
            lines += 1;
        }
        assert_eq!(lines, 256 * 6);
    }

    #[test]
    fn addresses_have_their_own() {
        let mut quotas = Quotas::default();
        let ip = |name: Option<&str>| vec![(IP.to_string(), name.map(str::to_string))];
        let (a, b): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        quotas.set(&ip(None), CONNECTION_RATE, Some(5.0));
        quotas.set(&ip(Some("::ffff:10.0.0.1")), CONNECTION_RATE, Some(7.0));
        quotas.set(&ip(Some("localhost")), CONNECTION_RATE, Some(9.0));
        assert_eq!((quotas.connection_rate(a), quotas.connection_rate(b)), (Some(7.0), Some(5.0)));
        assert!(quotas.is_empty(), "they are no quotas of clients");
        quotas.set(&ip(Some("10.0.0.1")), CONNECTION_RATE, None);
        quotas.set(&ip(None), CONNECTION_RATE, None);
        assert_eq!(quotas.connection_rate(a), None);
    }

    #[test]
    fn what_is_no_limit_counts_as_none() {
        let mut quotas = Quotas::default();
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            quotas.set(&entity("u", "-"), Kind::Produce.key(), Some(value));
            assert!(quotas.is_empty());
        }
        quotas.set(&entity("-", "-"), Kind::Produce.key(), Some(1.0));
        quotas.set(&entity("u", "-"), "other", Some(1.0));
        assert!(quotas.is_empty());
        let epoch = quotas.epoch();
        let mut other = Quotas::default();
        other.set(&entity("u", "-"), Kind::Produce.key(), Some(1.0));
        quotas.set(&entity("u", "-"), Kind::Produce.key(), Some(1.0));
        assert!(other == quotas && quotas.epoch() > epoch);
    }
}
