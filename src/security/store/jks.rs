//! JKS, Java's own stores (`sun.security.provider.JavaKeyStore`): entries one behind the other, a digest over all of it, keys
//! under a cipher that is no more than SHA-1 and XOR. Numbers are big-endian, texts have two bytes of length.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN};

use super::der::{self, OCTET_STRING, OID, SEQUENCE};
use super::{Content, Identity};
use crate::stdx::secret::Secret;

const MAGIC: &[u8] = &[0xfe, 0xed, 0xfe, 0xed];
const MAGIC_BYTES: usize = MAGIC.len();
/// The parameters of an algorithm that has none.
const NULL: &[u8] = &[0x05, 0x00];
const KEY: u32 = 1;
const CERTIFICATE: u32 = 2;
/// What every digest of a store begins with, behind the password.
const WHITENER: &[u8] = b"Mighty Aphrodite";
pub(super) const SALT_BYTES: usize = SHA1_OUTPUT_LEN;
/// 1.3.6.1.4.1.42.2.17.1.1, the one cipher of keys.
const KEY_PROTECTOR: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01];

/// Without `password` the digest is not looked at; without `key_password` keys are passed over.
pub(super) fn read(bytes: &[u8], password: Option<&Secret>, key_password: Option<&Secret>) -> Result<Content, String> {
    if let Some(password) = password {
        check_digest(bytes, password)?;
    }
    let mut content = Content::default();
    let mut reader = Reader(&bytes[MAGIC_BYTES..]);
    let damaged = || "the JKS store is damaged".to_string();
    let version = reader.u32().ok_or_else(damaged)?;
    let entries = reader.u32().ok_or_else(damaged)?;
    if !(1..=2).contains(&version) {
        return Err(format!("JKS stores of version {version} are not read"));
    }
    for _ in 0..entries {
        let kind = reader.u32().ok_or_else(damaged)?;
        let alias = reader.text().ok_or_else(damaged)?;
        reader.take(8).ok_or_else(damaged)?; // when it was made
        match kind {
            KEY => {
                let key = reader.block().ok_or_else(damaged)?;
                let count = reader.u32().ok_or_else(damaged)?;
                let certificates = (0..count).map(|_| reader.certificate(version).ok_or_else(damaged));
                let chain = certificates.collect::<Result<Vec<_>, _>>()?;
                let Some(password) = key_password else { continue };
                let key = decrypt(key, password).map_err(|reason| format!("the key {alias} {reason}"))?;
                content.identities.push(Identity { alias, key, chain });
            }
            CERTIFICATE => content.trusted.push(reader.certificate(version).ok_or_else(damaged)?),
            _ => return Err(damaged()),
        }
    }
    Ok(content)
}

fn check_digest(bytes: &[u8], password: &Secret) -> Result<(), String> {
    let at = bytes.len().saturating_sub(SHA1_OUTPUT_LEN);
    let digest = sha1(&[utf16(password).expose(), WHITENER, &bytes[..at]]);
    match digest == bytes[at..] {
        true => Ok(()),
        false => Err("the JKS store is damaged, or its password is not right".into()),
    }
}

/// `EncryptedPrivateKeyInfo` of DER: algorithm, then salt, the key under a stream of digests, a digest of the key.
fn decrypt(info: &[u8], password: &Secret) -> Result<Secret, &'static str> {
    let damaged = "is damaged";
    let mut inside = der::take(&mut &info[..], SEQUENCE).ok_or(damaged)?;
    let algorithm = der::take(&mut inside, SEQUENCE).ok_or(damaged)?;
    let algorithm = der::take(&mut &algorithm[..], OID).ok_or(damaged)?;
    if algorithm != KEY_PROTECTOR {
        return Err("has a cipher that is not of JKS");
    }
    let mut protected = Reader(der::take(&mut inside, OCTET_STRING).ok_or(damaged)?);
    let salt = protected.take(SHA1_OUTPUT_LEN).ok_or(damaged)?;
    let length = protected.0.len().checked_sub(SHA1_OUTPUT_LEN).ok_or(damaged)?;
    let (hidden, check) = protected.0.split_at(length);
    let password = utf16(password);
    let mut key = hidden.to_vec();
    let mut last = salt.to_vec();
    for part in key.chunks_mut(SHA1_OUTPUT_LEN) {
        last = sha1(&[password.expose(), &last]);
        part.iter_mut().zip(&last).for_each(|(byte, mask)| *byte ^= mask);
    }
    let key = Secret::new(key);
    match sha1(&[password.expose(), key.expose()]) == check {
        true => Ok(key),
        false => Err("cannot be recovered: is the password of the key right?"),
    }
}

fn sha1(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().to_vec()
}

/// A password as Java hashes it.
fn utf16(password: &Secret) -> Secret {
    let text = String::from_utf8_lossy(password.expose());
    Secret::new(text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>())
}

/// A store with these entries, of version 2. `salts` has one for each key.
pub(super) fn write(content: &Content, password: &Secret, salts: &[u8]) -> Vec<u8> {
    const MADE_AT: u64 = 0;
    assert_eq!(salts.len(), content.identities.len() * SALT_BYTES, "each key has a salt");
    let mut out = MAGIC.to_vec();
    let count = content.identities.len() + content.trusted.len();
    out.extend(2u32.to_be_bytes());
    out.extend((count as u32).to_be_bytes());
    for (identity, salt) in content.identities.iter().zip(salts.chunks(SALT_BYTES)) {
        out.extend(KEY.to_be_bytes());
        put_text(&mut out, &identity.alias);
        out.extend(MADE_AT.to_be_bytes());
        put_block(&mut out, &encrypt(&identity.key, password, salt));
        out.extend((identity.chain.len() as u32).to_be_bytes());
        identity.chain.iter().for_each(|certificate| put_certificate(&mut out, certificate));
    }
    for (number, certificate) in content.trusted.iter().enumerate() {
        out.extend(CERTIFICATE.to_be_bytes());
        put_text(&mut out, &format!("ca{number}"));
        out.extend(MADE_AT.to_be_bytes());
        put_certificate(&mut out, certificate);
    }
    let digest = sha1(&[utf16(password).expose(), WHITENER, &out]);
    out.extend(digest);
    out
}

/// The reverse of [`decrypt`].
fn encrypt(key: &Secret, password: &Secret, salt: &[u8]) -> Vec<u8> {
    let password = utf16(password);
    let mut hidden = key.expose().to_vec();
    let mut last = salt.to_vec();
    for part in hidden.chunks_mut(SHA1_OUTPUT_LEN) {
        last = sha1(&[password.expose(), &last]);
        part.iter_mut().zip(&last).for_each(|(byte, mask)| *byte ^= mask);
    }
    let check = sha1(&[password.expose(), key.expose()]);
    let algorithm = der::value(SEQUENCE, &[&der::value(OID, &[KEY_PROTECTOR]), NULL]);
    der::value(SEQUENCE, &[&algorithm, &der::value(OCTET_STRING, &[salt, &hidden, &check])])
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_block(out: &mut Vec<u8>, block: &[u8]) {
    out.extend((block.len() as u32).to_be_bytes());
    out.extend_from_slice(block);
}

fn put_certificate(out: &mut Vec<u8>, certificate: &[u8]) {
    put_text(out, "X.509");
    put_block(out, certificate);
}

/// `None` where the bytes end too early.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// Java's modified UTF-8, which differs in what no alias has.
    fn text(&mut self) -> Option<String> {
        let length = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
        Some(String::from_utf8_lossy(self.take(length.into())?).into_owned())
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    /// Since version 2 with its type, which is always X.509.
    fn certificate(&mut self, version: u32) -> Option<Vec<u8>> {
        if version == 2 {
            self.text()?;
        }
        self.block().map(<[u8]>::to_vec)
    }
}
