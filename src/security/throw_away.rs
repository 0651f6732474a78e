//! An authority and the certificates that it has signed for a server and a client, made for one test run and told to no
//! other program: ECDSA on P-256, valid for as long as a test may live.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, Error, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::security::store::Identity;
use crate::stdx::secret::Secret;

/// The year from which on certificates are valid, and the one that ends it. No clock is read.
const VALID: (i32, i32) = (2020, 2045);

/// What was made.
pub(crate) struct Issued {
    pub(crate) authority: AuthorityCertificate,
    pub(crate) server: Certified,
    pub(crate) client: Certified,
}

pub(crate) struct AuthorityCertificate {
    pub(crate) pem: String,
    pub(crate) der: Vec<u8>,
}

/// A key with its certificate and that of the authority.
pub(crate) struct Certified {
    pub(crate) key_pem: Secret,
    pub(crate) chain_pem: String,
    pub(crate) identity: Identity,
}

/// `names` is what clients may call the server, addresses among them; `client` is the client's name.
pub(crate) fn issue(names: &[String], client: &str) -> Result<Issued, String> {
    make(names, client).map_err(|error| format!("certificates cannot be made: {error}"))
}

fn make(names: &[String], client: &str) -> Result<Issued, Error> {
    let key = KeyPair::generate()?;
    let mut params = parameters("Klamm test CA", &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let own = params.self_signed(&key)?;
    let authority = AuthorityCertificate { pem: own.pem(), der: own.der().to_vec() };
    let issuer = Issuer::new(params, key);
    let server = certify(names.first().map_or("localhost", String::as_str), names, &issuer, &authority)?;
    let client = certify(client, &[], &issuer, &authority)?;
    Ok(Issued { authority, server, client })
}

fn parameters(name: &str, names: &[String]) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(VALID.0, 1, 1), date_time_ymd(VALID.1, 1, 1));
    Ok(params)
}

fn certify(
    name: &str,
    names: &[String],
    issuer: &Issuer<'_, KeyPair>,
    authority: &AuthorityCertificate,
) -> Result<Certified, Error> {
    let key = KeyPair::generate()?;
    let mut params = parameters(name, names)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let own = params.signed_by(&key, issuer)?;
    let chain = vec![own.der().to_vec(), authority.der.clone()];
    Ok(Certified {
        key_pem: Secret::new(key.serialize_pem()),
        chain_pem: own.pem() + &authority.pem,
        identity: Identity { alias: name.to_lowercase(), key: Secret::new(key.serialize_der()), chain },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::store::pem;

    #[test]
    fn what_is_made_is_read_and_has_its_names() {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_string);
        let Issued { authority, server, client } = issue(&names, "client").unwrap();
        for certified in [&server, &client] {
            let read = pem::identity(certified.key_pem.expose(), certified.chain_pem.as_bytes(), None).unwrap();
            assert_eq!((&read.key, &read.chain), (&certified.identity.key, &certified.identity.chain));
            assert_eq!(read.chain[1], authority.der);
        }
        let (_, parsed) = x509_parser::parse_x509_certificate(&server.identity.chain[0]).unwrap();
        let names = parsed.subject_alternative_name().unwrap().unwrap().value.general_names.len();
        assert_eq!((names, parsed.subject().to_string().as_str()), (3, "CN=localhost"));
        let (_, parsed) = x509_parser::parse_x509_certificate(&client.identity.chain[0]).unwrap();
        assert_eq!(
            (parsed.subject().to_string(), parsed.issuer().to_string()),
            ("CN=client".into(), "CN=Klamm test CA".into())
        );
    }
}
