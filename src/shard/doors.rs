//! What stands between the socket of a listener's connection and its frames, and what a client is called that has shown a
//! certificate. Made before the sockets are bound, so that no connection comes to a listener that is not as it was asked for.

use crate::security::principal::{Principal, dn, mapping};
use crate::security::tls;

/// One listener's.
pub enum Door {
    /// Every client is ANONYMOUS, and all on the way can read along.
    Plain,
    Tls(TlsDoor),
}

pub struct TlsDoor {
    pub(crate) server: tls::Server,
    /// `ssl.principal.mapping.rules`
    pub(crate) rules: mapping::Rules,
}

impl TlsDoor {
    /// Whom a client's certificate stands for (`DefaultKafkaPrincipalBuilder.applySslPrincipalMapper`). An error says why it
    /// stands for none.
    pub(crate) fn principal(&self, certificate: &[u8]) -> Result<Principal, String> {
        let name = dn::of_certificate(certificate).ok_or("the client's certificate cannot be read")?;
        match self.rules.apply(&name) {
            Some(mapped) => Ok(Principal::new(Principal::USER, mapped)),
            None => Err(format!("No rules apply to {name}, rules ssl.principal.mapping.rules")),
        }
    }
}
