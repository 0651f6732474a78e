//! What stands between the socket of a listener's connection and its frames, and what a client is called that has shown a
//! certificate. Made before the sockets are bound, so that no connection comes to a listener that is not as it was asked for.
//!
//! Certificates are exchanged while the broker runs: the housekeeping thread looks at the stores again, for dynamic configs
//! that name others and for files that have changed. Connections go on with what they began with. A change of configs is
//! refused where its stores cannot be used ([`Stores`]). Deviation: Kafka looks at a file only when a config is altered; where
//! one cannot be used that has changed by itself, the old one stays, and the log says why.

pub(super) mod make;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use log::{error, info, warn};

use crate::config::security::TlsSettings;
use crate::config::{Config, LooksIntoStores};
use crate::io::disk::Disk;
use crate::model::TimestampMs;
use crate::security::principal::{Principal, dn, mapping};
use crate::security::tls;
use crate::stdx::mutex::Mutex;

const SECONDS_PER_DAY: i64 = 24 * 3600;
/// How long before its end a certificate is spoken of.
const EXPIRES_SOON_DAYS: i64 = 14;

/// Those of all listeners, in their order.
#[derive(Default)]
pub struct Doors(Vec<Door>);

/// One listener's.
pub enum Door {
    /// Every client is ANONYMOUS, and all on the way can read along.
    Plain,
    Tls(Box<TlsDoor>),
}

pub struct TlsDoor {
    listener: String,
    server: ArcSwap<tls::Server>,
    /// `ssl.principal.mapping.rules`
    rules: mapping::Rules,
    /// What the housekeeping thread remembers.
    made: Mutex<Made>,
}

/// What a door was made of.
struct Made {
    settings: TlsSettings,
    /// It tells whether the stores are those that were looked at last, good or not.
    digest: Vec<u8>,
    /// When the log was told of the certificate's end.
    told_day: i64,
}

type Configs = BTreeMap<String, String>;

impl Doors {
    /// An error is a sentence for people. Blocks.
    pub fn open(
        config: &Config,
        dynamic: (&Configs, &Configs),
        disk: &dyn Disk,
        now: TimestampMs,
    ) -> Result<Doors, String> {
        let settings = config.tls(dynamic.0, dynamic.1).map_err(|invalid| invalid.to_string())?;
        let named = config.listeners.iter().map(|listener| listener.name.as_str()).zip(settings);
        let door = |(name, settings): (&str, Option<TlsSettings>)| match settings {
            Some(settings) => TlsDoor::open(name, settings, disk, now).map(|door| Door::Tls(Box::new(door))),
            None => Ok(Door::Plain),
        };
        named.map(door).collect::<Result<_, _>>().map(Doors)
    }

    /// The one of this listener.
    pub fn get(&self, listener: usize) -> &Door {
        &self.0[listener]
    }

    /// Whether there is one whose stores may change.
    pub(super) fn have_stores(&self) -> bool {
        self.0.iter().any(|door| matches!(door, Door::Tls(_)))
    }

    /// Looks at the stores again. Blocks.
    pub(super) fn look(&self, config: &Config, dynamic: (&Configs, &Configs), disk: &dyn Disk, now: TimestampMs) {
        let settings = match config.tls(dynamic.0, dynamic.1) {
            Ok(settings) => settings,
            Err(invalid) => return warn!("certificates stay as they are: {invalid}"),
        };
        for (door, settings) in self.0.iter().zip(settings) {
            if let (Door::Tls(door), Some(settings)) = (door, settings) {
                door.look(settings, disk, now);
            }
        }
    }
}

/// What those who decide about a change of stores look into them with.
pub struct Stores {
    doors: Arc<Doors>,
    disk: Arc<dyn Disk>,
}

impl Stores {
    pub fn new(doors: Arc<Doors>, disk: Arc<dyn Disk>) -> Stores {
        Stores { doors, disk }
    }
}

impl LooksIntoStores for Stores {
    fn look_into(&self, listener: &str, settings: &TlsSettings) -> Result<(), String> {
        let of_listener = self.doors.0.iter().find_map(|door| match door {
            Door::Tls(door) if door.listener.to_lowercase() == listener => Some(door),
            _ => None,
        });
        of_listener.map_or(Ok(()), |door| door.judge(settings, &*self.disk).map(|_| ()))
    }
}

/// What the certificate says that a listener of these settings would show. An error is why its start would stop. Blocks.
pub(crate) fn shown(settings: &TlsSettings, disk: &dyn Disk) -> Result<tls::Facts, String> {
    let stores = make::read(settings, disk)?;
    Ok(make::server(settings, &stores)?.0.facts().clone())
}

impl TlsDoor {
    fn open(listener: &str, settings: TlsSettings, disk: &dyn Disk, now: TimestampMs) -> Result<TlsDoor, String> {
        let told = |reason: String| format!("listener {listener}: {reason}");
        let stores = make::read(&settings, disk).map_err(told)?;
        let (server, notices) = make::server(&settings, &stores).map_err(told)?;
        notices.iter().for_each(|notice| warn!("listener {listener}: {notice}"));
        let rules = mapping::Rules::parse(&settings.principal_rules)
            .map_err(|reason| told(format!("ssl.principal.mapping.rules: {reason}")))?;
        let door = TlsDoor {
            listener: listener.to_string(),
            server: ArcSwap::from_pointee(server),
            rules,
            made: Mutex::new(Made { settings, digest: stores.digest(), told_day: 0 }),
        };
        info!("listener {listener}: TLS with the certificate ({})", door.server.load().facts().subject);
        door.tell_of_end(now);
        Ok(door)
    }

    /// The server's end of a new connection.
    pub(crate) fn accept(&self) -> tls::Connection {
        self.server.load().accept()
    }

    /// Whom a client's certificate stands for (`DefaultKafkaPrincipalBuilder.applySslPrincipalMapper`). An error says why it
    /// stands for none.
    pub(crate) fn principal(&self, certificate: &[u8]) -> Result<Principal, String> {
        let name = dn::of_certificate(certificate).ok_or("the client's certificate cannot be read")?;
        match self.rules.apply(&name) {
            Some(mapped) => Ok(Principal::new(Principal::USER, mapped)),
            None => Err(format!("No rules apply to {name}, see ssl.principal.mapping.rules")),
        }
    }

    fn look(&self, settings: TlsSettings, disk: &dyn Disk, now: TimestampMs) {
        let mut made = self.made.lock();
        let listener = &self.listener;
        match make::read(&settings, disk) {
            Ok(stores) if stores.digest() == made.digest && settings == made.settings => {}
            Ok(stores) => {
                made.digest = stores.digest();
                made.settings = settings;
                match self.replaced(&made.settings, &stores) {
                    Ok(subject) => {
                        made.told_day = 0;
                        info!("listener {listener}: new connections get the certificate ({subject})");
                    }
                    Err(reason) => warn!("listener {listener}: the certificate stays as it is: {reason}"),
                }
            }
            Err(reason) if made.settings != settings => {
                made.settings = settings;
                warn!("listener {listener}: the certificate stays as it is: {reason}");
            }
            // Perhaps it is just being written: its next content tells.
            Err(_) => {}
        }
        drop(made);
        self.tell_of_end(now);
    }

    /// Whether new connections could get what is in the stores of these settings.
    fn judge(&self, settings: &TlsSettings, disk: &dyn Disk) -> Result<tls::Server, String> {
        self.made_of(settings, &make::read(settings, disk)?)
    }

    fn made_of(&self, settings: &TlsSettings, stores: &make::Stores) -> Result<tls::Server, String> {
        let (server, _) = make::server(settings, stores)?;
        make::check_change(settings, self.server.load().facts(), server.facts())?;
        Ok(server)
    }

    /// New connections get what is made of these stores; answers the certificate's subject.
    fn replaced(&self, settings: &TlsSettings, stores: &make::Stores) -> Result<String, String> {
        let server = self.made_of(settings, stores)?;
        let subject = server.facts().subject.clone();
        self.server.store(Arc::new(server));
        Ok(subject)
    }

    /// Once a day.
    fn tell_of_end(&self, now: TimestampMs) {
        let today = now.0 / 1000 / SECONDS_PER_DAY;
        let mut made = self.made.lock();
        if made.told_day == today {
            return;
        }
        made.told_day = today;
        let (server, listener) = (self.server.load(), &self.listener);
        let subject = &server.facts().subject;
        let left = server.facts().not_after - now.0 / 1000;
        let days = left / SECONDS_PER_DAY;
        if left <= 0 {
            error!("listener {listener}: its certificate ({subject}) has expired: clients refuse it");
        } else if days < EXPIRES_SOON_DAYS {
            warn!("listener {listener}: its certificate ({subject}) expires in {days} days");
        }
    }
}

#[cfg(test)]
mod tests;
