//! Private keys as Java writes them: of a key on an elliptic curve it leaves out the public half (RFC 5915 allows that), which
//! `ring` wants to see. The certificate has it.

use x509_parser::parse_x509_certificate;

use super::der::{self, BIT_STRING, INTEGER, OCTET_STRING, OID, SEQUENCE};
use crate::stdx::secret::Secret;

/// 1.2.840.10045.2.1
const ELLIPTIC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const PUBLIC_HALF: u8 = 0xa1;

/// PKCS#8 with the public half of its certificate, if it lacks it.
pub(crate) fn completed(key: &Secret, certificate: &[u8]) -> Secret {
    complete(key.expose(), certificate).map_or_else(|| key.clone(), Secret::new)
}

/// `None` if there is nothing to complete.
fn complete(key: &[u8], certificate: &[u8]) -> Option<Vec<u8>> {
    let mut info = der::take(&mut &key[..], SEQUENCE)?;
    let version = der::take(&mut info, INTEGER)?;
    let algorithm = der::take(&mut info, SEQUENCE)?;
    if der::take(&mut &algorithm[..], OID)? != ELLIPTIC {
        return None;
    }
    let mut own = der::take(&mut der::take(&mut info, OCTET_STRING)?, SEQUENCE)?;
    let own_version = der::take(&mut own, INTEGER)?;
    let number = der::take(&mut own, OCTET_STRING)?;
    while let Some((tag, _)) = der::next(&mut own) {
        if tag == PUBLIC_HALF {
            return None;
        }
    }
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    let point = &certificate.public_key().subject_public_key.data;
    let half = der::value(PUBLIC_HALF, &[&der::value(BIT_STRING, &[&[0], point])]);
    let own =
        der::value(SEQUENCE, &[&der::value(INTEGER, &[own_version]), &der::value(OCTET_STRING, &[number]), &half]);
    Some(der::value(
        SEQUENCE,
        &[&der::value(INTEGER, &[version]), &der::value(SEQUENCE, &[algorithm]), &der::value(OCTET_STRING, &[&own])],
    ))
}
