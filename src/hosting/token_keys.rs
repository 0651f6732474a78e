//! The keys that providers of tokens sign with: read at the start, which they stop where they cannot be had, and looked for
//! again on a thread of their own (`VerificationKeyResolverFactory`, `RefreshingHttpsJwks`, `JwksFileVerificationKeyResolver`).
//!
//! Deviations: Kafka looks at a file with every login, and refuses all while it cannot be read; here it is looked at every
//! second, and the keys stay. Between two looks that clients have asked for, by tokens of unknown keys, is a second at least.

mod source;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use crate::config::{Config, JwksSource, MechanismKind, SignedTokens, TokenValidation};
use crate::io::disk::Disk;
use crate::io::environment::Environment;
use crate::model::Instant;
use crate::security::sasl::jwks::KeySet;
use crate::security::sasl::signing_keys::SigningKeys;
use crate::stdx::inbox::{Inbox, Tasks};

/// How often a file is looked at.
const FILE_PERIOD: Duration = Duration::from_secs(1);
/// Between two looks that were asked for.
const LEAST_GAP: Duration = Duration::from_secs(1);

/// What a refresher is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyTask {
    /// A token names a key that is not there.
    Look,
    Stop,
}

/// The keys of each provider that a listener names.
#[derive(Default)]
pub struct TokenKeys(Vec<(SignedTokens, Arc<SigningKeys>, Inbox<KeyTask>)>);

impl TokenKeys {
    /// Fetches them all; who goes on to look for more is beside them. An error is a sentence for people. Blocks.
    pub fn open(
        config: &Config,
        disk: &Arc<dyn Disk>,
        environment: &Environment,
    ) -> Result<(TokenKeys, Vec<Refresher>), String> {
        let (mut all, mut refreshers) = (TokenKeys::default(), Vec::new());
        for listener in &config.listeners {
            let mechanisms = listener.security.sasl.iter().flat_map(|sasl| &sasl.mechanisms);
            for kind in mechanisms.map(|mechanism| &mechanism.kind) {
                let MechanismKind::OAuthBearer(TokenValidation::Signed(tokens)) = kind else { continue };
                if all.find(tokens).is_some() {
                    continue;
                }
                tell_of_unverified(tokens, &listener.name);
                let told = |reason: String| format!("listener {}: {reason}", listener.name);
                let mut source = source::open(tokens, disk).map_err(told)?;
                let first = source.fetch().map_err(told)?.unwrap_or_default();
                info!("listener {}: {} keys of {}", listener.name, first.len(), tokens.jwks_url);
                let (inbox, tasks) = Inbox::new();
                let asked = inbox.clone();
                let keys = Arc::new(SigningKeys::new(first, Box::new(move || asked.send(KeyTask::Look))));
                refreshers.push(Refresher::new(tokens, keys.clone(), source, tasks, environment.clone()));
                all.0.push(((**tokens).clone(), keys, inbox));
            }
        }
        Ok((all, refreshers))
    }

    fn find(&self, tokens: &SignedTokens) -> Option<&Arc<SigningKeys>> {
        self.0.iter().find(|(own, ..)| own == tokens).map(|(_, keys, _)| keys)
    }

    /// The keys of a provider. Of one that was not opened there are none, so that no token is good.
    pub fn of(&self, tokens: &SignedTokens) -> Arc<SigningKeys> {
        let none = || Arc::new(SigningKeys::new(KeySet::default(), Box::new(|| {})));
        self.find(tokens).cloned().unwrap_or_else(none)
    }

    /// Those who look for more end when they have done so.
    pub fn stop(&self) {
        self.0.iter().for_each(|(.., inbox)| inbox.send(KeyTask::Stop));
    }
}

/// `BrokerJwtValidator.configure` says so, too.
fn tell_of_unverified(tokens: &SignedTokens, listener: &str) {
    let told = |what: &str, claim: &str| {
        warn!(
            "listener {listener}: The OAuth broker validator is configured with a JWKS endpoint but without \
             \"sasl.oauthbearer.expected.{what}\", and \"sasl.oauthbearer.allow.unverified.{what}\" is set to true, so it will \
             accept a JWT regardless of its \"{claim}\" ({what}) claim."
        );
    };
    if tokens.audiences.is_empty() {
        told("audience", "aud");
    }
    if tokens.issuer.is_none() {
        told("issuer", "iss");
    }
}

/// Where keys come from.
trait Source: Send {
    /// `None`: they are what they were. Blocks.
    fn fetch(&mut self) -> Result<Option<KeySet>, String>;
}

/// How often keys are looked for.
struct Pace {
    period: Duration,
    /// Behind the first failure; behind each one it is doubled.
    backoff: Duration,
    /// So long is tried again; then it has failed until the next time.
    patience: Duration,
}

impl Pace {
    fn of(tokens: &SignedTokens) -> Pace {
        let ms = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        match tokens.source {
            JwksSource::File(_) => Pace { period: FILE_PERIOD, backoff: Duration::ZERO, patience: Duration::ZERO },
            JwksSource::Web(_) => Pace {
                period: ms(tokens.refresh_ms),
                backoff: ms(tokens.retry_backoff_ms),
                patience: ms(tokens.retry_backoff_max_ms),
            },
        }
    }
}

/// A look that has failed, and is tried again.
struct Trying {
    failures: u32,
    due: Instant,
    until: Instant,
}

/// Looks for the keys of one provider again and again, on a thread of its own.
pub struct Refresher {
    url: String,
    keys: Arc<SigningKeys>,
    source: Box<dyn Source>,
    tasks: Tasks<KeyTask>,
    environment: Environment,
    pace: Pace,
    /// The next look by the clock.
    due: Instant,
    /// The next look that was asked for.
    asked: Option<Instant>,
    trying: Option<Trying>,
    /// When the last look ended.
    ended: Option<Instant>,
    /// What the log was told last; a file that stays as it is fails in silence.
    told: Option<String>,
}

impl Refresher {
    fn new(
        tokens: &SignedTokens,
        keys: Arc<SigningKeys>,
        source: Box<dyn Source>,
        tasks: Tasks<KeyTask>,
        environment: Environment,
    ) -> Refresher {
        let pace = Pace::of(tokens);
        let due = environment.now() + pace.period;
        let (asked, trying, ended, told) = (None, None, None, None);
        let url = tokens.jwks_url.clone();
        Refresher { url, keys, source, tasks, environment, pace, due, asked, trying, ended, told }
    }

    /// Works until it is told to stop.
    pub fn run(&mut self) {
        let mut new = Vec::new();
        while let Some(due) = self.step(&new) {
            let Some(came) = self.environment.wait(&self.tasks, due) else { return };
            new = came;
        }
    }

    /// Takes the new tasks and does what is due; when to come again, or `None` if it was told to stop. Blocks.
    fn step(&mut self, tasks: &[KeyTask]) -> Option<Instant> {
        if tasks.contains(&KeyTask::Stop) {
            return None;
        }
        let now = self.environment.now();
        if tasks.contains(&KeyTask::Look) {
            self.asked = Some(self.ended.map_or(now, |ended| now.max(ended + LEAST_GAP)));
        }
        let is_due = self.due <= now || self.asked.is_some_and(|asked| asked <= now);
        if self.trying.is_none() && is_due {
            while self.due <= now {
                self.due = self.due + self.pace.period;
            }
            self.asked = None;
            self.trying = Some(Trying { failures: 0, due: now, until: now + self.pace.patience });
        }
        if let Some(trying) = self.trying.take_if(|trying| trying.due <= now) {
            self.look(trying);
        }
        let asked = self.asked.filter(|_| self.trying.is_none());
        let by_clock = if self.trying.is_none() { self.due } else { Instant::NEVER };
        Some(by_clock.min(asked.unwrap_or(Instant::NEVER)).min(self.trying.as_ref().map_or(Instant::NEVER, |t| t.due)))
    }

    fn look(&mut self, trying: Trying) {
        self.keys.begin();
        let fetched = self.source.fetch();
        let now = self.environment.now();
        self.ended = Some(now);
        match fetched {
            Ok(Some(keys)) => {
                info!("OAuth JWKS refresh of {} complete: {} keys", self.url, keys.len());
                self.keys.publish(keys);
                self.told = None;
            }
            Ok(None) => self.told = None,
            Err(reason) => {
                let line = format!("OAuth JWKS refresh of {} encountered an error; the keys stay: {reason}", self.url);
                if self.told.as_ref() != Some(&line) {
                    warn!("{line}");
                }
                self.told = Some(line);
                let wait = self.pace.backoff.saturating_mul(1 << trying.failures.min(30));
                let wait = wait.min(trying.until.since(now));
                if !wait.is_zero() {
                    self.trying = Some(Trying { failures: trying.failures + 1, due: now + wait, ..trying });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
