//! Hashes, keyed hashes and keys made of passwords, by the crate `ring`. Nothing else of `security` names it.

use std::num::NonZeroU32;

use ring::{digest, hmac, pbkdf2};
use subtle::ConstantTimeEq;

use crate::stdx::secret::Secret;

/// A hash function of SCRAM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    /// Bytes of what it gives.
    pub fn size_bytes(self) -> usize {
        match self {
            Hash::Sha256 => digest::SHA256_OUTPUT_LEN,
            Hash::Sha512 => digest::SHA512_OUTPUT_LEN,
        }
    }

    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes).as_ref().to_vec()
    }

    pub fn hmac(self, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), bytes).as_ref().to_vec()
    }

    /// PBKDF2 with HMAC, as long as the hash: `Hi` of RFC 5802. Slow by its purpose: not for a shard's thread.
    pub fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Secret {
        let algorithm = match self {
            Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut key = vec![0; self.size_bytes()];
        pbkdf2::derive(algorithm, iterations, salt, password, &mut key);
        Secret::new(key)
    }
}

/// Whether two secrets are the same. How long it takes tells their lengths at most.
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// FIPS 180-2 B.1 and C.1; RFC 4231, 4.3.
    #[test]
    fn hashes_are_those_of_the_standards() {
        let (sha256, sha512) = (Hash::Sha256.of(b"abc"), Hash::Sha512.of(b"abc"));
        assert_eq!(hex(&sha256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(hex(&sha512).starts_with("ddaf35a193617abacc417349ae204131"));
        let mac = |hash: Hash| hex(&hash.hmac(b"Jefe", b"what do ya want for nothing?"));
        assert_eq!(mac(Hash::Sha256), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(mac(Hash::Sha512).starts_with("164b7a7bfcf819e2e395fbe73b56e0a3"));
        assert_eq!((sha256.len(), sha512.len()), (Hash::Sha256.size_bytes(), Hash::Sha512.size_bytes()));
    }

    /// RFC 7914, 11.
    #[test]
    fn keys_of_passwords_are_those_of_the_standard() {
        let key = Hash::Sha256.pbkdf2(b"passwd", b"salt", NonZeroU32::MIN);
        assert_eq!(hex(key.expose()), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    }

    #[test]
    fn equal_is_equal() {
        assert!(equal(b"", b"") && equal(b"ab", b"ab"));
        assert!(!equal(b"ab", b"ac") && !equal(b"ab", b"a") && !equal(b"", b"a"));
    }
}
