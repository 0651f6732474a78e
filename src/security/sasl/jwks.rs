//! The keys of a provider of tokens (RFC 7517): which of them a token is signed with, and whether its signature holds
//! (`JsonWebKeySet`, `VerificationJwkSelector` of jose4j 0.9.6, as Kafka uses them).
//!
//! Deviations: tokens are not taken that are signed with a shared secret (HS256, HS384, HS512) or with the curves Ed448 and
//! secp256k1, nor signatures of ECDSA that are shorter than their curve's. Of a key's certificates only the thumbprints are
//! looked at.

use p521::ecdsa::signature::Verifier;
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};

use super::json;
use crate::stdx::base64;

/// The keys in the provider's order.
#[derive(Default, Debug)]
pub struct KeySet(Vec<Key>);

/// A key, by which it is found, and what it is.
#[derive(Debug)]
pub(super) struct Key {
    kid: Option<String>,
    usage: Option<String>,
    algorithm: Option<String>,
    operations: Option<Vec<String>>,
    /// SHA-1 and SHA-256 of its certificate.
    thumbs: [Option<String>; 2],
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// A curve and, where signatures by it are taken, the point.
    Elliptic {
        curve: String,
        point: Vec<u8>,
    },
    OctetPair {
        curve: String,
        point: Vec<u8>,
    },
    /// A secret that provider and broker would share.
    Shared,
}

/// How a token is signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Algorithm {
    pub(super) name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Rsa(&'static RsaParameters),
    P256,
    P384,
    P521,
    Ed25519,
}

/// What a token says of its key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct KeyHint {
    pub(super) kid: Option<String>,
    /// SHA-1 and SHA-256 of its certificate.
    pub(super) thumbs: [Option<String>; 2],
}

impl KeySet {
    /// Keys that cannot be read are passed over. An error says why there is no set.
    pub fn parse(bytes: &[u8]) -> Result<KeySet, String> {
        let object = json::object(bytes)?;
        let list = match object.get("keys") {
            Some(Value::Array(list)) => list,
            None | Some(Value::Null) => return Err("The JSON JWKS content does not include the keys member.".into()),
            Some(_) => return Err("the keys member of the JWKS is no list".into()),
        };
        let mut keys = Vec::new();
        for item in list {
            let Value::Object(parameters) = item else { return Err("a key of the JWKS is no object".into()) };
            keys.extend(Key::parse(parameters));
        }
        Ok(KeySet(keys))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the keys.
    pub(super) fn kids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|key| key.kid.as_deref())
    }

    /// The key that a token means; the first of several.
    pub(super) fn select(&self, algorithm: Algorithm, hint: &KeyHint) -> Option<&Key> {
        let mut found: Vec<&Key> = self.0.iter().filter(|key| key.fits(algorithm, hint)).collect();
        if found.len() > 1 {
            found.retain(|key| key.algorithm.as_deref().is_none_or(|own| own == algorithm.name));
        }
        if found.len() > 1 {
            found.retain(|key| match &key.material {
                Material::Elliptic { curve, .. } | Material::OctetPair { curve, .. } => {
                    algorithm.curves().contains(&curve.as_str())
                }
                Material::Rsa { .. } | Material::Shared => true,
            });
        }
        found.first().copied()
    }
}

impl Key {
    fn parse(parameters: &Map<String, Value>) -> Option<Key> {
        // What is there must be a text.
        let text = |name: &str| match parameters.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(Value::String(text)) => Some(Some(text.clone())),
            Some(_) => None,
        };
        let [usage, kid, algorithm] = [text("use")?, text("kid")?, text("alg")?];
        let operations = match parameters.get("key_ops") {
            None | Some(Value::Null) => None,
            Some(list) => Some(texts(list)?),
        };
        let certificates = match parameters.get("x5c") {
            None => Vec::new(),
            Some(list) => texts(list)?.iter().map(|text| base64::decode(text.as_bytes())).collect::<Option<_>>()?,
        };
        let own = certificates.first();
        let thumb = |digest| own.map(|der: &Vec<u8>| base64_url(ring::digest::digest(digest, der).as_ref()));
        let thumbs = [
            text("x5t")?.or_else(|| thumb(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY)),
            text("x5t#S256")?.or_else(|| thumb(&ring::digest::SHA256)),
        ];
        let material = Material::parse(parameters)?;
        Some(Key { kid, usage, algorithm, operations, thumbs, material })
    }

    fn fits(&self, algorithm: Algorithm, hint: &KeyHint) -> bool {
        let is_of_family = match (&self.material, algorithm.kind) {
            (Material::Rsa { .. }, Kind::Rsa(_))
            | (Material::Elliptic { .. }, Kind::P256 | Kind::P384 | Kind::P521)
            | (Material::OctetPair { .. }, Kind::Ed25519) => true,
            (Material::Rsa { .. } | Material::Elliptic { .. } | Material::OctetPair { .. } | Material::Shared, _) => {
                false
            }
        };
        let is_same = |own: &Option<String>, hint: &Option<String>| hint.is_none() || own.is_none() || own == hint;
        is_of_family
            && (hint.kid.is_none() || self.kid == hint.kid)
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.operations.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"))
            && self.thumbs.iter().zip(&hint.thumbs).all(|(own, hint)| is_same(own, hint))
    }

    /// Whether this key has signed it, which it can only by an algorithm of its family and curve.
    pub(super) fn has_signed(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let by = |algorithm, point: &Vec<u8>| {
            UnparsedPublicKey::<&Vec<u8>>::new(algorithm, point).verify(signed, signature).is_ok()
        };
        match (&self.material, algorithm.kind) {
            (Material::Elliptic { curve, point }, Kind::P256) if curve == "P-256" => {
                by(&signature::ECDSA_P256_SHA256_FIXED, point)
            }
            (Material::Elliptic { curve, point }, Kind::P384) if curve == "P-384" => {
                by(&signature::ECDSA_P384_SHA384_FIXED, point)
            }
            (Material::Elliptic { curve, point }, Kind::P521) if curve == "P-521" => {
                let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point);
                let signature = p521::ecdsa::Signature::from_slice(signature);
                key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify(signed, &signature).is_ok()))
            }
            (Material::OctetPair { curve, point }, Kind::Ed25519) if curve == "Ed25519" => {
                by(&signature::ED25519, point)
            }
            (Material::Rsa { modulus, exponent }, Kind::Rsa(parameters)) => {
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, signed, signature).is_ok()
            }
            _ => false,
        }
    }
}

impl Algorithm {
    /// `None`: tokens that are signed so are not taken, whatever key there is.
    pub(super) fn named(name: &str) -> Option<Algorithm> {
        let (name, kind) = match name {
            "RS256" => ("RS256", Kind::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256)),
            "RS384" => ("RS384", Kind::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384)),
            "RS512" => ("RS512", Kind::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512)),
            "PS256" => ("PS256", Kind::Rsa(&signature::RSA_PSS_2048_8192_SHA256)),
            "PS384" => ("PS384", Kind::Rsa(&signature::RSA_PSS_2048_8192_SHA384)),
            "PS512" => ("PS512", Kind::Rsa(&signature::RSA_PSS_2048_8192_SHA512)),
            "ES256" => ("ES256", Kind::P256),
            "ES384" => ("ES384", Kind::P384),
            "ES512" => ("ES512", Kind::P521),
            "EdDSA" => ("EdDSA", Kind::Ed25519),
            _ => return None,
        };
        Some(Algorithm { name, kind })
    }

    /// The curves of the keys that it is used with, where there are several of its family.
    fn curves(self) -> &'static [&'static str] {
        match self.kind {
            Kind::Rsa(_) => &[],
            Kind::P256 => &["P-256"],
            Kind::P384 => &["P-384"],
            Kind::P521 => &["P-521"],
            Kind::Ed25519 => &["Ed25519", "Ed448"],
        }
    }
}

/// The first byte of a point that is written with both coordinates (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;
/// Java takes no key of RSA that is shorter, and none for a signature that is shorter than four times this.
const LEAST_RSA_BITS: usize = 512;

impl Material {
    fn parse(parameters: &Map<String, Value>) -> Option<Material> {
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        match text("kty")? {
            "RSA" => {
                let [modulus, exponent] = [number(text("n")?)?, number(text("e")?)?];
                let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
                (bits >= LEAST_RSA_BITS).then_some(Material::Rsa { modulus, exponent })
            }
            "EC" => {
                let curve = text("crv")?.to_string();
                let [x, y] = [number(text("x")?)?, number(text("y")?)?];
                let size = match curve.as_str() {
                    "P-256" | "secp256k1" => 32,
                    "P-384" => 48,
                    "P-521" => 66,
                    _ => return None,
                };
                let point = [vec![UNCOMPRESSED], padded(x, size)?, padded(y, size)?].concat();
                Some(Material::Elliptic { curve, point })
            }
            "OKP" => {
                let curve = text("crv")?.to_string();
                let is_known = ["Ed25519", "Ed448", "X25519", "X448"].contains(&curve.as_str());
                let point = bytes(text("x")?)?;
                is_known.then_some(Material::OctetPair { curve, point })
            }
            "oct" => text("k").map(|_| Material::Shared),
            _ => None,
        }
    }
}

fn texts(list: &Value) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|item| item.as_str().map(str::to_string)).collect()
}

/// Both alphabets are taken, and an end that is padded.
fn bytes(text: &str) -> Option<Vec<u8>> {
    base64::decode_url(text.trim_end_matches('=').replace('+', "-").replace('/', "_").as_bytes())
}

/// A number, the largest byte first and none of them in vain.
fn number(text: &str) -> Option<Vec<u8>> {
    let mut all = bytes(text)?;
    let zeros = all.iter().take_while(|byte| **byte == 0).count();
    all.drain(..zeros);
    Some(all)
}

fn padded(number: Vec<u8>, size: usize) -> Option<Vec<u8>> {
    let missing = size.checked_sub(number.len())?;
    Some([vec![0; missing], number].concat())
}

fn base64_url(bytes: &[u8]) -> String {
    base64::encode(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}
