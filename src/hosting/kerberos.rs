//! The keys that this broker has in Kerberos: looked for at the start, which they stop where they cannot be had.
//!
//! Only a Klamm with the Cargo feature `gssapi` can have one. Deviation: Kafka logs in at the KDC when it starts; this needs the
//! keytab only.

use crate::config::{Config, KerberosSettings, MechanismKind};
use crate::security::sasl::gssapi::GssVerifier;

/// The key of each listener that offers GSSAPI, by its settings.
#[derive(Default)]
pub struct ServiceKeys(Vec<(KerberosSettings, GssVerifier)>);

impl ServiceKeys {
    /// An error is a sentence for people. Blocks.
    pub fn open(config: &Config) -> Result<ServiceKeys, String> {
        let mut all = ServiceKeys::default();
        for listener in &config.listeners {
            let mechanisms = listener.security.sasl.iter().flat_map(|sasl| &sasl.mechanisms);
            for kind in mechanisms.map(|mechanism| &mechanism.kind) {
                let MechanismKind::Gssapi(settings) = kind else { continue };
                if all.of(settings).is_none() {
                    let verifier = open(settings).map_err(|reason| format!("listener {}: {reason}", listener.name))?;
                    all.0.push((settings.clone(), verifier));
                }
            }
        }
        Ok(all)
    }

    /// `None` of one that was not opened.
    pub fn of(&self, settings: &KerberosSettings) -> Option<GssVerifier> {
        self.0.iter().find(|(own, _)| own == settings).map(|(_, verifier)| verifier.clone())
    }
}

#[cfg(not(feature = "gssapi"))]
fn open(_: &KerberosSettings) -> Result<GssVerifier, String> {
    Err(crate::config::security::WITHOUT_GSSAPI.into())
}

#[cfg(feature = "gssapi")]
fn open(settings: &KerberosSettings) -> Result<GssVerifier, String> {
    use crate::io::kerberos;
    use log::info;
    use std::sync::Arc;

    let KerberosSettings { keytab, principal, rules } = settings;
    let key = kerberos::ServiceKey::open(keytab.as_deref(), principal).map_err(|reason| {
        format!("no key of {principal} in {}: {reason}", keytab.as_deref().unwrap_or("the machine's keytab"))
    })?;
    let realm = kerberos::default_realm().unwrap_or_default();
    info!("clients log in by Kerberos at {principal}; the default realm is {realm:?}");
    let refused = |reason| format!("Invalid value for configuration sasl.kerberos.principal.to.local.rules: {reason}");
    GssVerifier::new(Arc::new(key), &realm, rules).map_err(refused)
}

/// The machine's library, as the exchange wants it.
#[cfg(feature = "gssapi")]
mod library {
    use crate::io::kerberos::{AcceptedClient, ServiceKey};
    use crate::security::sasl::gssapi::{AcceptedToken, Acceptor, GssClient};

    impl Acceptor for ServiceKey {
        fn begin(&self) -> Box<dyn GssClient> {
            Box::new(ServiceKey::begin(self))
        }
    }

    impl GssClient for AcceptedClient {
        fn accept(&mut self, token: &[u8]) -> Result<AcceptedToken, String> {
            let (token, client) = AcceptedClient::accept(self, token)?;
            Ok(AcceptedToken { token, client })
        }

        fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, String> {
            AcceptedClient::wrap(self, message)
        }

        fn unwrap(&mut self, token: &[u8]) -> Result<Vec<u8>, String> {
            AcceptedClient::unwrap(self, token)
        }
    }
}
