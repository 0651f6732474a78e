//! PEM: certificates and private keys between lines of dashes, in files and in settings (`DefaultSslEngineFactory.PemStore`).
//!
//! Kafka looks for them anywhere in the text, with whatever else beside them, and takes blanks for line ends, as a setting
//! has them.

use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::Kdf;

use super::{Identity, MOST_ITERATIONS, too_costly};
use crate::stdx::secret::Secret;

const CERTIFICATE: &str = "CERTIFICATE";
const PRIVATE_KEY: &str = "PRIVATE KEY";
/// What a password's hash by scrypt may take of memory; that of OpenSSL takes 16 MiB.
const MOST_SCRYPT_BYTES: u64 = 64 << 20;
const MOST_SCRYPT_LANES: u16 = 16;
/// `X9.42 DH PARAMETERS` and the like have half of it.
const MOST_LABEL_BYTES: usize = 64;
/// Kafka's name of the one entry.
const ALIAS: &str = "kafka";

/// The one key and its chain.
pub(crate) fn identity(key: &[u8], chain: &[u8], key_password: Option<&Secret>) -> Result<Identity, String> {
    let keys = entries(key, PRIVATE_KEY)?;
    let key = match &keys[..] {
        [] => return Err("Private key not provided".into()),
        [key] => key,
        more => return Err(format!("Expected one private key, but found {}", more.len())),
    };
    let chain = certificates(chain)?;
    Ok(Identity { alias: ALIAS.into(), key: decrypted(key, key_password)?, chain })
}

/// All certificates; there must be one.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let found: Vec<Vec<u8>> = entries(text, CERTIFICATE)?.into_iter().map(|entry| entry.content).collect();
    match found.is_empty() {
        true => Err("At least one certificate expected, but none found".into()),
        false => Ok(found),
    }
}

fn decrypted(key: &Entry, password: Option<&Secret>) -> Result<Secret, String> {
    let is_encrypted = key.label.starts_with("ENCRYPTED");
    if key.label != PRIVATE_KEY && !is_encrypted {
        return Err(format!("{} is not PKCS#8: convert it with `openssl pkcs8 -topk8`", named(&key.label)));
    }
    match (is_encrypted, password) {
        (false, None) => Ok(Secret::new(key.content.clone())),
        (false, Some(_)) => Err("a password of the key is specified, but the key is not encrypted".into()),
        (true, None) => Err("the key is encrypted, but ssl.key.password is not specified".into()),
        (true, Some(password)) => {
            let info = EncryptedPrivateKeyInfoRef::try_from(&key.content[..]);
            let info = info.map_err(|_| "the encrypted key is damaged, or its cipher is not PBES2")?;
            if !is_affordable(&info.encryption_algorithm) {
                return Err(too_costly());
            }
            let key = info.decrypt(password.expose());
            let key = key.map_err(|_| "the key cannot be decrypted: is ssl.key.password right?")?;
            Ok(Secret::new(key.as_bytes()))
        }
    }
}

/// Whether the hash of the password is one that a broker may be asked for.
fn is_affordable(scheme: &EncryptionScheme) -> bool {
    match scheme.pbes2().map(|parameters| &parameters.kdf) {
        Some(Kdf::Pbkdf2(hash)) => hash.iteration_count <= MOST_ITERATIONS,
        Some(Kdf::Scrypt(hash)) => {
            let bytes = hash.cost_parameter.saturating_mul(128 * u64::from(hash.block_size));
            bytes <= MOST_SCRYPT_BYTES && hash.parallelization <= MOST_SCRYPT_LANES
        }
        // None that is decrypted.
        _ => true,
    }
}

struct Entry {
    /// Between the words BEGIN and the dashes.
    label: String,
    content: Vec<u8>,
}

/// What stands in the text under a label that ends so.
fn entries(text: &[u8], ends_in: &str) -> Result<Vec<Entry>, String> {
    let text = String::from_utf8_lossy(text);
    let mut rest = &text[..];
    let mut found = Vec::new();
    while let Some((_, behind)) = rest.split_once("-----BEGIN ") {
        let Some((label, behind)) = behind.split_once("-----") else { break };
        let Some((body, behind)) = behind.split_once("-----END ") else {
            return Err(format!("the end of a {} is missing", named(label)));
        };
        rest = behind;
        if label.ends_with(ends_in) {
            let content = decode(body).ok_or_else(|| format!("a {} is not base64", named(label)))?;
            found.push(Entry { label: label.to_string(), content });
        }
    }
    Ok(found)
}

/// What a sentence calls a block. Where the dashes behind BEGIN are missing, the key itself is taken for the label: only what looks
/// like one is quoted, as `RSA PRIVATE KEY` and `X9.42 DH PARAMETERS`.
fn named(label: &str) -> &str {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" .#".contains(&byte);
    match label.len() <= MOST_LABEL_BYTES && label.bytes().all(fits) {
        true => label,
        false => "block of PEM, whose first line is damaged,",
    }
}

/// Base64 with blanks anywhere, behind headers (`Bag Attributes: …`), which have a line each.
fn decode(body: &str) -> Option<Vec<u8>> {
    let lines = body.lines().filter(|line| !line.contains(':'));
    let digits: Vec<u8> = lines.flat_map(str::bytes).filter(|byte| !byte.is_ascii_whitespace()).collect();
    let padding = digits.iter().rev().take_while(|byte| **byte == b'=').count();
    if !digits.len().is_multiple_of(4) || padding > 2 || digits.is_empty() {
        return None;
    }
    let mut content = Vec::with_capacity(digits.len() / 4 * 3);
    let values = digits[..digits.len() - padding].iter().map(|digit| match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    });
    let values = values.collect::<Option<Vec<u8>>>()?;
    for group in values.chunks(4) {
        let joined = group.iter().fold(0u32, |joined, value| joined << 6 | u32::from(*value));
        let bytes = (joined << (6 * (4 - group.len()))).to_be_bytes();
        content.extend_from_slice(&bytes[1..group.len()]);
    }
    Some(content)
}
