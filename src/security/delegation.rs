//! Delegation tokens as secrets (`DelegationTokenManager`): the HMAC, which says all that a client must know of one, and
//! the password that it is for SCRAM.

use std::num::NonZeroU32;

use super::crypto::Hash;
use super::sasl::scram::{Credential, MIN_ITERATIONS};
use crate::stdx::base64;
use crate::stdx::secret::Secret;

const ITERATIONS: NonZeroU32 = NonZeroU32::new(MIN_ITERATIONS as u32).expect("some iterations");

/// The HMAC of a token, which follows from its id and `delegation.token.secret.key`.
pub fn hmac(secret_key: &Secret, token_id: &str) -> Secret {
    Secret::new(Hash::Sha512.hmac(secret_key.expose(), token_id.as_bytes()))
}

/// What a login by a token is judged by: its password is the text of its HMAC. Slow by its purpose: not for a shard's
/// thread.
pub fn credential(hmac: &Secret, hash: Hash, salt: Vec<u8>) -> Credential {
    let password = Secret::new(base64::encode(hmac.expose()));
    Credential::of_password(hash, password.expose(), salt, ITERATIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, 4.3, whose key and text are what a cluster's key and a token's id are here.
    #[test]
    fn the_hmac_is_that_of_the_standard() {
        let made = hmac(&Secret::new("Jefe"), "what do ya want for nothing?");
        let text = "Fkt6e/z4GeLjlfvnO1bgo4e9ZCIugx/WECcM1+olBVSXWL91wFqZSm0DT2X4\
                    8Ob9yuqxo01Ka0tjbgcKOLznNw==";
        assert_eq!(base64::encode(made.expose()), text);
        assert_ne!(hmac(&Secret::new("Jefe"), "what do ya want for nothing!"), made);
        assert_ne!(hmac(&Secret::new("jefe"), "what do ya want for nothing?"), made);
    }

    #[test]
    fn the_password_is_the_text_of_the_hmac() {
        let secret = hmac(&Secret::new("Jefe"), "what do ya want for nothing?");
        let text = base64::encode(secret.expose());
        for hash in [Hash::Sha256, Hash::Sha512] {
            let salt = b"salt".to_vec();
            let expected = Credential::of_password(hash, text.as_bytes(), salt.clone(), ITERATIONS);
            assert_eq!(credential(&secret, hash, salt), expected);
            assert_eq!((expected.iterations, expected.stored_key.expose().len()), (4096, hash.size_bytes()));
        }
    }
}
