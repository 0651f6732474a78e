//! SCRAM by the standards' own examples, by Kafka's tests, and by a client that is written here.

use proptest::prelude::*;

use super::*;
use crate::model::TimestampMs;

fn iterations(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

fn credential(hash: Hash, password: &str) -> Credential {
    Credential::of_password(hash, password.as_bytes(), b"some salt".to_vec(), iterations(4096))
}

/// An exchange up to the challenge.
fn begin(hash: Hash, first: &str, found: Option<FoundCredential>) -> (ScramServer, Step) {
    let mut server = ScramServer::new(hash, &[7; 16]);
    match server.step(first.as_bytes()) {
        Step::Needs(_) => {
            let step = server.resume(found);
            (server, step)
        }
        step => (server, step),
    }
}

fn found(credential: Credential) -> Option<FoundCredential> {
    Some(FoundCredential { credential, token: None })
}

/// What a client answers to a challenge, computed by the words of RFC 5802, 3.
fn client_final(hash: Hash, password: &str, bare: &str, challenge: &str, extensions: &str) -> (String, String) {
    let part = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
    let salt = base64::decode(part("s=").as_bytes()).unwrap();
    let salted = hash.pbkdf2(password.as_bytes(), &salt, iterations(part("i=").parse().unwrap()));
    let client_key = hash.hmac(salted.expose(), b"Client Key");
    let without_proof = format!("c=biws,r={}", part("r="));
    let message = format!("{bare},{challenge},{without_proof}");
    let signature = hash.hmac(&hash.of(&client_key), message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(one, other)| one ^ other).collect();
    let server_signature = hash.hmac(&hash.hmac(salted.expose(), b"Server Key"), message.as_bytes());
    (
        format!("{without_proof}{extensions},p={}", base64::encode(&proof)),
        format!("v={}", base64::encode(&server_signature)),
    )
}

/// RFC 7677, 3: the nonce of the server is not base64 there, so the exchange begins at its answer.
#[test]
fn the_example_of_the_standard() {
    let salt = base64::decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let credential = Credential::of_password(Hash::Sha256, b"pencil", salt, iterations(4096));
    let first = First::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
    let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let (sent, challenge) = answer_first(&first, found(credential), nonce).unwrap();
    assert_eq!(
        String::from_utf8(challenge).unwrap(),
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let last =
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let signature = verify(Hash::Sha256, &sent, last).unwrap();
    assert_eq!(base64::encode(&signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn a_client_with_the_password_gets_in_and_no_other() {
    for hash in [Hash::Sha256, Hash::Sha512] {
        let (mut server, step) = begin(hash, "n,,n=alice,r=abc", found(credential(hash, "secret")));
        let Step::Challenge(challenge) = step else { panic!("{step:?}") };
        let challenge = String::from_utf8(challenge).unwrap();
        let (last, signature) = client_final(hash, "secret", "n=alice,r=abc", &challenge, "");
        let identity = Authenticated { name: "alice".into(), expires: None, by_delegation_token: false };
        assert_eq!(server.step(last.as_bytes()), Step::Done { token: signature.into_bytes(), identity });

        for (password, bare) in [("secreT", "n=alice,r=abc"), ("", "n=alice,r=abc"), ("secret", "n=bob,r=abc")] {
            let (mut server, _) = begin(hash, "n,,n=alice,r=abc", found(credential(hash, "secret")));
            let (last, _) = client_final(hash, password, bare, &challenge, "");
            let step = server.step(last.as_bytes());
            let Step::Failed(failure) = step else { panic!("{step:?}") };
            assert_eq!(failure, Failure::hidden("Invalid client credentials of \"alice\"").by("alice"));
        }
    }
}

#[test]
fn first_messages_are_read_as_by_kafka() {
    let parse = |text: &str| {
        First::parse(text.as_bytes())
            .map(|f| format!("{}|{}|{}|{}|{}", f.authorization_id, f.user, f.nonce, f.is_token, f.bare))
    };
    let cases = [
        ("n,,n=a,r=b", Some("|a|b|false|n=a,r=b")),
        ("n,a=x,n=a,r=b", Some("x|a|b|false|n=a,r=b")),
        // What is reserved is not signed.
        ("n,,m=x=y,n=a,r=b", Some("|a|b|false|n=a,r=b")),
        ("n,,n=a=2Cb=3D=3D2C,r=b", Some("|a,b==2C|b|false|n=a=2Cb=3D=3D2C,r=b")),
        ("n,,n=a,r=b,tokenauth=true", Some("|a|b|true|n=a,r=b,tokenauth=true")),
        ("n,,n=a,r=b,x=1,tokenauth=TRUE", Some("|a|b|true|n=a,r=b,x=1,tokenauth=TRUE")),
        ("n,,n=a,r=b,tokenauth=true,tokenauth=no", Some("|a|b|false|n=a,r=b,tokenauth=true,tokenauth=no")),
        ("n,,n=a,r=b,tokenauth=1", Some("|a|b|false|n=a,r=b,tokenauth=1")),
        ("n,,n=a b\u{1}\u{7f},r=!~", Some("|a b\u{1}\u{7f}|!~|false|n=a b\u{1}\u{7f},r=!~")),
        ("y,,n=a,r=b", None),
        ("p=tls-unique,,n=a,r=b", None),
        ("n,n=a,r=b", None),
        ("n,a=,n=a,r=b", None),
        ("n,x,n=a,r=b", None),
        ("n,,n=,r=b", None),
        ("n,,n=a=2c,r=b", None),
        ("n,,n=a=,r=b", None),
        ("n,,n=a,r=", None),
        ("n,,n=a,r=b c", None),
        ("n,,n=a,r=b,", None),
        ("n,,n=a,r=b,x=", None),
        ("n,,n=a,r=b,1=x", None),
        ("n,,m=,n=a,r=b", None),
        ("n,,n=é,r=b", None),
        ("n,,n=a\0,r=b", None),
        ("n,,n=a", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).as_deref(), expected, "{text:?}");
    }
    assert_eq!(First::parse(b"n,,n=\xff,r=b"), None);
}

/// Java: `ScramFormatter.username("a=2C=3D2C")`: commas first, then signs.
#[test]
fn a_sign_does_not_make_a_comma() {
    assert_eq!(First::parse(b"n,,n==3D2C,r=b").unwrap().user, "=2C");
}

#[test]
fn last_messages_are_read_as_by_kafka() {
    let is_read = |text: &str| Last::parse(text.as_bytes()).is_some();
    for text in ["c=biws,r=a,p=", "c=,r=a,p=AAAA", "c=biws,r=a,x=1,p=AAA=", "c=biws,r=a,p=AAAA,p=AA=="] {
        assert!(is_read(text), "{text}");
    }
    for text in [
        "c=biws,r=a",
        "c=b,r=a,p=AAAA",
        "c=biws,r=,p=AAAA",
        "r=a,c=biws,p=AAAA",
        "c=biws,r=a,x,p=AAAA",
        "c=biws,r=a,p=A",
        "",
    ] {
        assert!(!is_read(text), "{text}");
    }
}

#[test]
fn another_nonce_is_refused() {
    let hash = Hash::Sha256;
    let (_, step) = begin(hash, "n,,n=alice,r=abc", found(credential(hash, "secret")));
    let Step::Challenge(challenge) = step else { panic!("{step:?}") };
    let challenge = String::from_utf8(challenge).unwrap();
    for other in [challenge.replace("r=abc", "r=abd"), challenge.replace("r=abc", "r=ab"), "r=abc,s=AAAA,i=4096".into()]
    {
        let (mut server, _) = begin(hash, "n,,n=alice,r=abc", found(credential(hash, "secret")));
        let (last, _) = client_final(hash, "secret", "n=alice,r=abc", &other, "");
        let refused = Failure::hidden("Invalid client nonce in the final client message.").by("alice");
        assert_eq!(server.step(last.as_bytes()), Step::Failed(refused));
    }
}

#[test]
fn extensions_of_the_last_message_are_not_signed() {
    let hash = Hash::Sha512;
    let (mut server, step) = begin(hash, "n,,n=a,r=abc,x=1", found(credential(hash, "p")));
    let Step::Challenge(challenge) = step else { panic!("{step:?}") };
    let challenge = String::from_utf8(challenge).unwrap();
    let (last, _) = client_final(hash, "p", "n=a,r=abc,x=1", &challenge, ",y=2");
    assert!(matches!(server.step(last.as_bytes()), Step::Done { .. }));
}

#[test]
fn who_cannot_be_found_or_asks_to_be_another_is_refused() {
    let hash = Hash::Sha256;
    let fails = |first: &str, found: Option<FoundCredential>| match begin(hash, first, found).1 {
        Step::Failed(failure) => (failure.told.is_some(), failure.reason),
        step => panic!("{step:?}"),
    };
    assert_eq!(fails("n,,n=a,r=b", None), (false, "Authentication failed: Invalid user credentials of \"a\"".into()));
    let token = "n,,n=a,r=b,tokenauth=true";
    assert_eq!(fails(token, None), (false, "Token Authentication failed: Invalid tokenId : \"a\"".into()));
    let other = "Authentication failed: Client requested an authorization id that is different from username";
    assert_eq!(fails("n,a=x,n=a,r=b", found(credential(hash, "p"))), (true, other.into()));
    // Unknown users first: it is not told whether there is one.
    assert!(!fails("n,a=x,n=a,r=b", None).0);
    let few = Credential::of_password(hash, b"p", Vec::new(), iterations(4095));
    assert_eq!(fails("n,,n=a,r=b", found(few)).1, "Iterations 4095 is less than the minimum 4096");
    assert!(matches!(begin(hash, "n,a=a,n=a,r=b", found(credential(hash, "p"))).1, Step::Challenge(_)));
}

#[test]
fn a_delegation_token_stands_for_its_owner() {
    let hash = Hash::Sha256;
    let mut server = ScramServer::new(hash, &[7; 16]);
    let need = CredentialNeed::Token { id: "id".into(), hash };
    assert_eq!(server.step(b"n,,n=id,r=b,tokenauth=true"), Step::Needs(need));
    let token = Some(("owner".to_string(), TimestampMs(5)));
    let step = server.resume(Some(FoundCredential { credential: credential(hash, "hmac"), token }));
    let Step::Challenge(challenge) = step else { panic!("{step:?}") };
    let challenge = String::from_utf8(challenge).unwrap();
    let (last, signature) = client_final(hash, "hmac", "n=id,r=b,tokenauth=true", &challenge, "");
    let identity = Authenticated { name: "owner".into(), expires: Some(TimestampMs(5)), by_delegation_token: true };
    assert_eq!(server.step(last.as_bytes()), Step::Done { token: signature.into_bytes(), identity });
}

#[test]
fn keys_are_not_shown() {
    let shown = format!("{:?}", credential(Hash::Sha256, "secret"));
    assert!(shown.contains("stored_key: [hidden], server_key: [hidden]"), "{shown}");
}

proptest! {
    /// A changed byte of the last message is refused, but for bits of base64 that mean nothing.
    #[test]
    fn a_changed_message_is_refused(at: prop::sample::Index, to in 0u8..128) {
        let hash = Hash::Sha256;
        let (mut server, step) = begin(hash, "n,,n=alice,r=abc", found(credential(hash, "secret")));
        let Step::Challenge(challenge) = step else { panic!("{step:?}") };
        let challenge = String::from_utf8(challenge).unwrap();
        let (last, _) = client_final(hash, "secret", "n=alice,r=abc", &challenge, "");
        let mut bytes = last.clone().into_bytes();
        bytes[at.index(last.len())] = to;
        let means_the_same = |bytes: &[u8]| Last::parse(bytes).map(|last| (last.channel_binding, last.nonce, last.proof));
        let same = means_the_same(&bytes) == means_the_same(last.as_bytes());
        prop_assert_eq!(matches!(server.step(&bytes), Step::Done { .. }), same);
    }

    #[test]
    fn nothing_panics(first: Vec<u8>, last: Vec<u8>) {
        let mut server = ScramServer::new(Hash::Sha256, &[7; 16]);
        if let Step::Needs(_) = server.step(&first) {
            server.resume(found(credential(Hash::Sha256, "p")));
            server.step(&last);
        }
    }

    #[test]
    fn names_survive_their_writing(name in "[\u{1}-\u{7f}]{1,20}") {
        let written = name.replace('=', "=3D").replace(',', "=2C");
        let first = First::parse(format!("n,,n={written},r=b").as_bytes()).unwrap();
        prop_assert_eq!(first.user, name);
    }
}
