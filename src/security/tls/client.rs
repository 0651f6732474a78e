//! The client's side of TLS, for what a broker fetches: whom it trusts, and by what name.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::verifier::check_validity;

/// A server must show what one of these certificates (DER) vouches for, or one of them itself, as Java has it. Those that
/// cannot be used are passed over.
pub(crate) fn config(trusted: &[Vec<u8>]) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let trusted: Vec<CertificateDer<'static>> = trusted.iter().map(|der| der.clone().into()).collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let by_authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let by_authorities = by_authorities.map_err(|error| format!("no certificate is trusted: {error}"))?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let verifier = Arc::new(Verifier { by_authorities, trusted });
    Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

#[derive(Debug)]
struct Verifier {
    by_authorities: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.trusted.contains(end_entity) {
            check_validity(end_entity, now)?;
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.by_authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authorities.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::store::pem;

    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../store/testdata/", $name)).as_slice()
        };
    }

    /// Whether a server with the certificate of `testdata` is believed to be the host of this name.
    fn believes(trusted: &[u8], name: &'static str) -> Result<(), String> {
        let trusted = pem::certificates(trusted).unwrap();
        let roots: RootCertStore = {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(trusted.iter().map(|der| der.clone().into()));
            roots
        };
        config(&trusted)?;
        let provider = Arc::new(ring::default_provider());
        let by_authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let verifier = Verifier { by_authorities, trusted: trusted.into_iter().map(CertificateDer::from).collect() };
        let chain: Vec<CertificateDer<'_>> =
            pem::certificates(file!("chain.pem")).unwrap().into_iter().map(CertificateDer::from).collect();
        let name = ServerName::try_from(name).unwrap();
        let judged = verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now());
        judged.map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn a_server_is_believed_by_its_authority_or_itself_under_its_name() {
        for trusted in [file!("ca.pem"), file!("chain.pem")] {
            assert_eq!(believes(trusted, "localhost"), Ok(()));
            assert!(believes(trusted, "example.com").is_err());
        }
        assert!(config(&[]).is_err() && config(&[vec![1, 2, 3]]).is_err());
    }
}
