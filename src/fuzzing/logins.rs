//! Tokens of logins: whatever they are, no user is let in that does not know the password.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use crate::model::TimestampMs;
use crate::security::crypto::Hash;
use crate::security::sasl::scram::Credential;
use crate::security::sasl::{Exchange, FoundCredential, Step, Verifier};
use crate::stdx::secret::Secret;

const NOW: TimestampMs = TimestampMs(1_000_000);
const NONCE: [u8; 16] = [7; 16];
const PASSWORDS: [&str; 2] = ["secret", "Secret"];

/// Tokens of one exchange, each behind a byte with its length.
fn script(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut tokens, mut rest) = (Vec::new(), bytes);
    while let Some((length, behind)) = rest.split_first() {
        let (token, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        tokens.push(token);
        rest = behind;
    }
    tokens
}

/// Whether these tokens let a client in where the password is the first, and where it is the second of [`PASSWORDS`].
fn are_let_in(which: u8, tokens: &[&[u8]]) -> [bool; 2] {
    static CREDENTIALS: OnceLock<[[Credential; 2]; 2]> = OnceLock::new();
    let credentials = CREDENTIALS.get_or_init(|| {
        let of = |hash: Hash, password: &str| {
            Credential::of_password(hash, password.as_bytes(), b"salt".to_vec(), NonZeroU32::new(4096).expect("some"))
        };
        [Hash::Sha256, Hash::Sha512].map(|hash| PASSWORDS.map(|password| of(hash, password)))
    });
    [0, 1].map(|place| {
        let users = BTreeMap::from([("alice".to_string(), Secret::new(PASSWORDS[place]))]);
        let (verifier, credential) = match which % 3 {
            0 => (Verifier::Plain(Arc::new(users)), None),
            1 => (Verifier::Scram(Hash::Sha256), Some(&credentials[0][place])),
            _ => (Verifier::Scram(Hash::Sha512), Some(&credentials[1][place])),
        };
        let mut exchange = Exchange::begin(&verifier, NONCE);
        let mut is_in = false;
        for token in tokens {
            let mut step = exchange.step(token, NOW);
            if let Step::Needs(_) = step {
                let found = credential.map(|known| FoundCredential { credential: known.clone(), token: None });
                step = exchange.resume(found);
            }
            assert!(!matches!(step, Step::Needs(_)), "it needs one thing");
            if let Step::Done { .. } = step {
                assert!(!is_in, "it is done once");
                is_in = true;
            }
        }
        is_in
    })
}

/// A mechanism, and what a client says by it.
pub fn sasl_tokens(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else { return };
    let tokens = script(rest);
    let is_in = are_let_in(*which, &tokens);
    assert!(is_in != [true, true], "the same tokens prove one password");
    if which.is_multiple_of(3) && is_in != [false, false] {
        let expected = PASSWORDS[usize::from(is_in[1])];
        assert!(tokens[0].ends_with(format!("\0alice\0{expected}").as_bytes()));
    }
}

/// The two messages of a SCRAM client, with the line between them.
pub fn scram(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let tokens: Vec<&[u8]> = parts.by_ref().collect();
    for which in [1, 2] {
        assert!(are_let_in(which, &tokens) != [true, true], "the same tokens prove one password");
    }
}

/// What the fuzzers begin with: tokens that let a client in, and some that do not.
#[cfg(test)]
pub fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    use crate::stdx::base64;
    let last = |hash: Hash| {
        let nonce = format!("abc{}", base64::encode(&NONCE));
        let challenge = format!("r={nonce},s={},i=4096", base64::encode(b"salt"));
        let message = format!("n=alice,r=abc,{challenge},c=biws,r={nonce}");
        let salted = hash.pbkdf2(PASSWORDS[0].as_bytes(), b"salt", NonZeroU32::new(4096).expect("some"));
        let client_key = hash.hmac(salted.expose(), b"Client Key");
        let signature = hash.hmac(&hash.of(&client_key), message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(one, other)| one ^ other).collect();
        format!("c=biws,r={nonce},p={}", base64::encode(&proof)).into_bytes()
    };
    let first = b"n,,n=alice,r=abc".to_vec();
    let of_token = b"n,a=x,m=y,n=a=2Cb=3D,r=abc,tokenauth=true,z=1".to_vec();
    let script = |which: u8, tokens: &[Vec<u8>]| {
        let behind_lengths = tokens.iter().flat_map(|token| [&[token.len() as u8], &token[..]].concat());
        std::iter::once(which).chain(behind_lengths).collect::<Vec<u8>>()
    };
    let (of_256, of_512) = (last(Hash::Sha256), last(Hash::Sha512));
    assert_eq!(are_let_in(1, &[&first, &of_256]), [true, false]);
    assert_eq!(are_let_in(2, &[&first, &of_512]), [true, false]);
    let tokens = vec![
        script(0, &[b"\0alice\0secret".to_vec()]),
        script(0, &[b"x\0y\0z\0".to_vec()]),
        script(1, &[first.clone(), of_256.clone()]),
        script(2, &[first.clone(), of_512.clone()]),
        script(1, std::slice::from_ref(&of_token)),
    ];
    let lines = |last: &[u8]| [&first[..], b"\n", last].concat();
    vec![("sasl_tokens", tokens), ("scram", vec![lines(&of_256), lines(&of_512), of_token])]
}
