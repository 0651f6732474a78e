//! Whether a client's certificate is trusted: by webpki, and where it is itself among the trusted ones, as Java has it
//! (`PKIXValidator.engineValidate`), which webpki refuses where it is a certificate of an authority.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use x509_parser::parse_x509_certificate;

thread_local! {
    /// The certificate that was refused last on this thread: `rustls` has no place for it in its errors.
    static REFUSED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Beside what the work gives back, the client's certificate that was refused in it.
pub(super) fn noting_refused<T>(work: impl FnOnce() -> T) -> (T, Option<Vec<u8>>) {
    REFUSED.take();
    let result = work();
    (result, REFUSED.take())
}

#[derive(Debug)]
pub(super) struct Verifier {
    by_authorities: Arc<dyn ClientCertVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// `is_required`: a client without a certificate is turned away.
    pub(super) fn new(
        trusted: &[Vec<u8>],
        is_required: bool,
        provider: Arc<CryptoProvider>,
    ) -> Result<Verifier, String> {
        let trusted: Vec<CertificateDer<'static>> = trusted.iter().map(|der| der.clone().into()).collect();
        let mut roots = RootCertStore::empty();
        for certificate in &trusted {
            let added = roots.add(certificate.clone());
            added.map_err(|error| format!("a trusted certificate cannot be used: {error}"))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if is_required { builder } else { builder.allow_unauthenticated() };
        let by_authorities = builder.build().map_err(|error| format!("the trust store cannot be used: {error}"))?;
        Ok(Verifier { by_authorities, trusted })
    }
}

/// Whether a certificate is in its time.
pub(super) fn check_validity(der: &[u8], now: UnixTime) -> Result<(), CertificateError> {
    let (_, certificate) = parse_x509_certificate(der).map_err(|_| CertificateError::BadEncoding)?;
    let now = now.as_secs() as i64;
    let validity = certificate.validity();
    match (validity.not_before.timestamp() <= now, now <= validity.not_after.timestamp()) {
        (false, _) => Err(CertificateError::NotValidYet),
        (_, false) => Err(CertificateError::Expired),
        _ => Ok(()),
    }
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        self.by_authorities.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.by_authorities.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.by_authorities.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = match self.trusted.contains(end_entity) {
            true => check_validity(end_entity, now).map(|()| ClientCertVerified::assertion()).map_err(Error::from),
            false => self.by_authorities.verify_client_cert(end_entity, intermediates, now),
        };
        if verified.is_err() {
            REFUSED.set(Some(end_entity.to_vec()));
        }
        verified
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
