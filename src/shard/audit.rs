//! The audit log: a line for each decision of the authorizer that a client asked for, for each refused login and for each
//! connection that TLS has ended, at a rate that no client can drive up.
//!
//! Denials and refusals are told at INFO and the rest at DEBUG, as by Kafka's `kafka.authorizer.logger`; the logger is `klamm.audit`.
//!
//! Deviation: Kafka writes every line. Here each shard tells a burst of denials and then so many a second, and says how many
//! it has left out.

use std::cell::Cell;
use std::fmt;
use std::net::IpAddr;

use log::{Level, log, log_enabled};

use crate::io::loggers::AUDIT;
use crate::model::Instant;
use crate::security::authorizer::Audited;
use crate::security::principal::{Principal, dn};
use crate::shard::allowance::{Allowance, AllowanceLimit};

/// Whether the audit log tells what was allowed, too.
pub fn tells_permissions() -> bool {
    log_enabled!(target: AUDIT, Level::Debug)
}

/// Lines that a shard may tell at once, after a time without any.
const BURST: u64 = 100;
/// And in each second behind it.
const LINES_A_SECOND: u64 = 10;
const LIMIT: AllowanceLimit = AllowanceLimit { most: BURST, in_a_second: LINES_A_SECOND };

/// Characters of what a client may have chosen that a line shows.
const MOST_CHARACTERS: usize = 256;

/// A login that was refused.
#[derive(Clone, Copy, Debug)]
pub struct RefusedLogin<'a> {
    /// Whom the session stands for that was to begin again.
    pub known: Option<&'a Principal>,
    /// Who the client has said to be, and has not proved.
    pub claimed: Option<&'a str>,
    pub host: IpAddr,
    pub listener: &'a str,
    /// `None`: the client has named none that is offered.
    pub mechanism: Option<&'static str>,
    pub reason: &'a str,
}

impl fmt::Display for RefusedLogin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RefusedLogin { known, claimed, host, listener, mechanism, reason } = self;
        match (known, claimed) {
            (Some(known), _) => {
                f.write_str("login again refused: principal=")?;
                write_shown(f, known.text())?;
            }
            (None, Some(_)) => write!(f, "login refused: principal={}:", Principal::USER)?,
            (None, None) => f.write_str("login refused: principal=none")?,
        }
        if let Some(claimed) = claimed {
            f.write_str(if known.is_some() { " claimed=" } else { "" })?;
            write_word(f, claimed)?;
        }
        let mechanism = mechanism.unwrap_or("none");
        write!(f, " mechanism={mechanism} host={host} listener={listener} reason=")?;
        write_shown(f, reason)
    }
}

/// A connection that ended because its handshake failed, or because what came was not what its listener speaks.
#[derive(Clone, Copy, Debug)]
pub struct RefusedTls<'a> {
    /// The certificate that the client has shown, DER.
    pub certificate: Option<&'a [u8]>,
    pub host: IpAddr,
    pub listener: &'a str,
    pub reason: &'a str,
}

impl fmt::Display for RefusedTls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RefusedTls { certificate, host, listener, reason } = self;
        let name = certificate.and_then(dn::of_certificate);
        f.write_str("TLS refused: principal=")?;
        write_shown(f, name.as_deref().unwrap_or("none"))?;
        write!(f, " host={host} listener={listener} reason=")?;
        write_shown(f, reason)
    }
}

/// Words of a client: a bounded number of characters, none of which breaks the line.
fn write_shown(f: &mut fmt::Formatter<'_>, words: &str) -> fmt::Result {
    words.chars().take(MOST_CHARACTERS).try_for_each(|c| match c.is_control() {
        true => write!(f, "{}", c.escape_default()),
        false => write!(f, "{c}"),
    })
}

/// A name that a client may have made up: it is one word, so that no part of it is read as another field of the line.
fn write_word(f: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
    word.chars().take(MOST_CHARACTERS).try_for_each(|c| match c.is_control() || c.is_whitespace() {
        true => write!(f, "{}", c.escape_unicode()),
        false => write!(f, "{c}"),
    })
}

/// What one shard may still tell.
#[derive(Debug)]
pub struct Audit {
    lines: Cell<Allowance>,
    untold: Cell<u64>,
}

impl Audit {
    pub fn new(now: Instant) -> Audit {
        Audit { lines: Cell::new(Allowance::new(LIMIT, now)), untold: Cell::default() }
    }

    /// Tells a decision. Nothing is written out that is not told.
    pub fn tell(&self, audited: &Audited<'_>, now: Instant) {
        if audited.verdict.allows() {
            log!(target: AUDIT, Level::Debug, "{audited}");
            return;
        }
        match self.admit(now) {
            None => {}
            Some(0) => log!(target: AUDIT, Level::Info, "{audited}"),
            Some(untold) => {
                log!(target: AUDIT, Level::Info, "{audited} (and {untold} lines before it that are not told)");
            }
        }
    }

    /// Tells a refusal. Nothing is written out that is not told.
    pub fn tell_refused(&self, refused: &dyn fmt::Display, now: Instant) {
        match self.admit(now) {
            None => {}
            Some(0) => log!(target: AUDIT, Level::Info, "{refused}"),
            Some(untold) => {
                log!(target: AUDIT, Level::Info, "{refused} (and {untold} lines before it that are not told)")
            }
        }
    }

    /// Whether a line may be told now, and how many were not before it.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut lines = self.lines.get();
        let is_told = lines.take(1, LIMIT, now);
        self.lines.set(lines);
        if is_told {
            return Some(self.untold.take());
        }
        self.untold.set(self.untold.get() + 1);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::security::store::pem;

    const INTERVAL: Duration = Duration::from_millis(1000 / LINES_A_SECOND);

    #[test]
    fn a_burst_is_told_and_then_ten_lines_a_second() {
        let start = Instant(7);
        let audit = Audit::new(start);
        assert!((0..BURST).all(|_| audit.admit(start) == Some(0)));
        assert!((0..5).all(|_| audit.admit(start).is_none()));
        let just_before = Instant((start + INTERVAL).0 - 1);
        assert_eq!(audit.admit(just_before), None);
        assert_eq!((audit.admit(start + INTERVAL), audit.admit(start + INTERVAL)), (Some(6), None));
        // Half an interval is not lost.
        let later = start + INTERVAL * 2 + INTERVAL / 2;
        assert_eq!((audit.admit(later), audit.admit(later)), (Some(1), None));
        assert_eq!(audit.admit(start + INTERVAL * 3), Some(1));
        let told = (0..10_000).filter(|step| audit.admit(start + Duration::from_millis(300 + step)).is_some()).count();
        assert_eq!(told, 99);
        let rested = start + Duration::from_secs(1_000_000);
        assert_eq!((0..1000).filter(|_| audit.admit(rested).is_some()).count(), BURST as usize);
        assert!(audit.admit(Instant::NEVER).is_some());
    }

    #[test]
    fn a_line_cannot_be_broken_by_what_a_client_sends() {
        let reason = format!("a\nb\u{1b}{}", "x".repeat(10_000));
        let known = Principal::new(Principal::USER, "alice");
        let refused = RefusedLogin {
            known: Some(&known),
            claimed: Some("bob"),
            host: [127, 0, 0, 1].into(),
            listener: "OUTSIDE",
            mechanism: Some("PLAIN"),
            reason: &reason,
        };
        let line = refused.to_string();
        let begin = "login again refused: principal=User:alice claimed=bob mechanism=PLAIN host=127.0.0.1 listener=OUTSIDE \
                     reason=a\\nb\\u{1b}xxx";
        assert!(line.starts_with(begin) && line.len() < begin.len() + MOST_CHARACTERS, "{line}");
        let long = "x".repeat(10_000);
        for (claimed, shown) in [
            (None, "none"),
            (Some("alice"), "User:alice"),
            (Some("x host=10.0.0.1\n"), "User:x\\u{20}host=10.0.0.1\\u{a}"),
            (Some(&*long), &*format!("User:{}", &long[..MOST_CHARACTERS])),
        ] {
            let line = RefusedLogin { known: None, claimed, ..refused }.to_string();
            let begin = format!("login refused: principal={shown} mechanism=PLAIN host=127.0.0.1");
            assert!(line.starts_with(&begin), "{line}");
        }
    }

    #[test]
    fn a_refused_certificate_is_named() {
        let chain = include_bytes!("../security/store/testdata/chain.pem");
        let certificate = pem::certificates(chain).unwrap().remove(0);
        let refused = RefusedTls {
            certificate: Some(&certificate),
            host: [127, 0, 0, 1].into(),
            listener: "OUTSIDE",
            reason: "expired\n",
        };
        let line = "TLS refused: principal=CN=localhost,OU=a,O=Klamm\\, Inc.,C=AT host=127.0.0.1 listener=OUTSIDE reason=expired\\n";
        assert_eq!(refused.to_string(), line);
        let unknown = RefusedTls { certificate: None, ..refused }.to_string();
        assert!(unknown.starts_with("TLS refused: principal=none host=127.0.0.1"), "{unknown}");
    }
}
