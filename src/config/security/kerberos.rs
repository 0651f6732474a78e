//! GSSAPI of one listener: the options of its login module and `sasl.kerberos.*` (`KerberosLogin`, `Krb5LoginModule`).
//!
//! Deviations: a login module that gets its key elsewhere than in a keytab, or keeps none, stops the start; Kafka starts, and
//! refuses every client. Settings about tickets have nothing to do, because this broker logs in nowhere.

use super::sasl::{JAAS, handler};
use super::{Invalid, OfListener};
use crate::config::jaas::LoginModule;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KerberosSettings {
    /// `None`: the machine's own.
    pub keytab: Option<String>,
    /// The broker's own name.
    pub principal: String,
    /// `sasl.kerberos.principal.to.local.rules`
    pub rules: Vec<String>,
}

pub(super) const MODULE: &str = "com.sun.security.auth.module.Krb5LoginModule";
const HANDLER: &str = "org.apache.kafka.common.security.authenticator.SaslServerCallbackHandler";
const SERVICE_NAME: &str = "sasl.kerberos.service.name";

pub(super) fn resolve(of: &OfListener<'_>, name: &str, modules: &[LoginModule]) -> Result<KerberosSettings, Invalid> {
    let refused = |reason: &str| Err(of.refused_of_mechanism(name, JAAS, reason));
    handler(of, name, &[HANDLER])?;
    let Some(module) = modules.iter().find(|module| module.class.trim() == MODULE) else {
        return refused("the login module of GSSAPI is com.sun.security.auth.module.Krb5LoginModule");
    };
    let is_true = |option: &str| module.option(option).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if !is_true("useKeyTab") || !is_true("storeKey") {
        return refused("a broker's key comes out of a keytab: useKeyTab=true and storeKey=true are needed");
    }
    let Some(principal) = module.option("principal").filter(|principal| !principal.is_empty() && principal != "*")
    else {
        return refused("the option principal is needed: the broker's own name in Kerberos");
    };
    // `KerberosLogin.getServiceName`: a broker must have one, and it means nothing to it.
    match (module.option("serviceName"), of.text(SERVICE_NAME)) {
        (Some(own), Some(set)) if own != set => {
            let reason = format!(
                "Conflicting serviceName values found in JAAS and Kafka configs value in JAAS file {own}, value in Kafka \
                 config {set}"
            );
            return Err(of.refused(SERVICE_NAME, reason));
        }
        (None, None) => return Err(of.refused(SERVICE_NAME, "No serviceName defined in either JAAS or Kafka config")),
        _ => {}
    }
    let rules = of.list("sasl.kerberos.principal.to.local.rules");
    Ok(KerberosSettings { keytab: module.option("keyTab"), principal, rules })
}
