//! Stores of `testdata/`, made by keytool and openssl (`make.sh`).

use super::*;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("testdata/", $name)).as_slice()
    };
}

fn own() -> Identity {
    pem::identity(file!("key.pem"), file!("chain.pem"), None).unwrap()
}

#[test]
fn pem_is_found_among_other_text_on_one_line_and_encrypted() {
    let own = own();
    assert_eq!(own.chain.len(), 2);
    // As a setting has it, with blanks for line ends, and both in one text.
    let both = [file!("key.pem"), file!("chain.pem")].concat();
    let one_line = String::from_utf8(both.clone()).unwrap().replace('\n', " ");
    assert_eq!(pem::identity(one_line.as_bytes(), one_line.as_bytes(), None), Ok(own.clone()));
    let with_words = [b"Bag Attributes\n    localKeyID: 54 69\n".as_slice(), &both].concat();
    assert_eq!(pem::identity(&with_words, &with_words, None), Ok(own.clone()));
    let password = Secret::new("keypass");
    assert_eq!(pem::identity(file!("encrypted.pem"), file!("chain.pem"), Some(&password)), Ok(own));
}

#[test]
fn pem_that_cannot_be_used_says_why() {
    let refused = |key: &[u8], chain: &[u8], password: Option<&str>| {
        pem::identity(key, chain, password.map(Secret::new).as_ref()).unwrap_err()
    };
    let (key, chain) = (file!("key.pem"), file!("chain.pem"));
    assert_eq!(refused(b"", chain, None), "Private key not provided");
    assert_eq!(refused(&[key, key].concat(), chain, None), "Expected one private key, but found 2");
    assert_eq!(refused(key, key, None), "At least one certificate expected, but none found");
    assert!(refused(file!("sec1.pem"), chain, None).starts_with("EC PRIVATE KEY is not PKCS#8"));
    let encrypted = file!("encrypted.pem");
    assert!(refused(encrypted, chain, None).ends_with("ssl.key.password is not specified"));
    assert!(refused(encrypted, chain, Some("storepass")).contains("cannot be decrypted"));
    assert!(refused(file!("encrypted-v1.pem"), chain, Some("keypass")).contains("PBES2"));
    assert!(refused(&key[..60], chain, None).contains("is missing"));
    // A key whose first line has lost its dashes, over lines and on one, is not quoted.
    let text = std::str::from_utf8(key).unwrap();
    let without = text.replacen("KEY-----", "KEY", 1);
    for damaged in [without.clone(), without.replace('\n', " ")] {
        let reason = refused(damaged.as_bytes(), chain, None);
        assert_eq!(reason, "the end of a block of PEM, whose first line is damaged, is missing");
    }
    assert!(refused(b"-----BEGIN PRIVATE KEY-----\nab_c\n-----END PRIVATE KEY-----", chain, None).contains("base64"));
}

#[test]
fn stores_of_java_and_openssl_have_the_keys_that_were_put_in() {
    let password = Secret::new("storepass");
    let own = own();
    for store in [file!("openssl.p12"), file!("openssl-legacy.p12"), file!("chain.jks")] {
        let found = identities(store, &password, None).unwrap();
        assert_eq!((found.len(), &found[0].chain), (1, &own.chain));
        assert!(!found[0].key.expose().is_empty());
    }
    for store in [file!("java.p12"), file!("java-legacy.p12")] {
        let found = identities(store, &password, Some(&password)).unwrap();
        assert_eq!((found.len(), found[0].alias.as_str(), found[0].chain.len()), (1, "rsa", 1));
    }
    let of_jks = identities(file!("java.jks"), &password, Some(&Secret::new("keypass"))).unwrap();
    assert_eq!((of_jks.len(), of_jks[0].alias.as_str()), (1, "rsa"));
    assert_eq!(identities(file!("two.p12"), &password, None).unwrap().len(), 2);
}

#[test]
fn trust_stores_of_java_and_openssl_have_the_authority() {
    let password = Secret::new("storepass");
    let authority = pem::certificates(file!("ca.pem")).unwrap();
    for store in [file!("trust.p12"), file!("trust.jks"), file!("openssl-trust.p12")] {
        assert_eq!(trusted(store, Some(&password)), Ok(authority.clone()));
    }
    assert_eq!(trusted(file!("trust.jks"), None), Ok(authority));
}

#[test]
fn stores_that_cannot_be_used_say_why() {
    let (right, wrong) = (Secret::new("storepass"), Secret::new("wrong"));
    for store in [file!("java.jks"), file!("java.p12"), file!("java-legacy.p12")] {
        assert!(identities(store, &wrong, None).unwrap_err().contains("its password is not right"));
        assert!(identities(&store[..store.len() - 7], &right, None).unwrap_err().contains("is damaged"));
    }
    assert!(identities(file!("java.jks"), &right, None).unwrap_err().contains("cannot be recovered"));
    assert!(identities(file!("java.p12"), &right, Some(&wrong)).unwrap_err().contains("must be that of the store"));
    assert!(identities(file!("trust.p12"), &right, None).unwrap_err().contains("no private key"));
    assert!(trusted(file!("java.jks"), Some(&right)).unwrap_err().contains("no trusted certificate"));
    assert!(trusted(file!("trust.p12"), None).unwrap_err().contains("without its password"));
    assert!(identities(file!("java.jceks.jks"), &right, None).unwrap_err().contains("JCEKS"));
    assert!(identities(file!("key.pem"), &right, None).unwrap_err().contains("neither"));
}

/// Whatever is broken in a store, it is an error: no panic, and no memory for a number that stands in it.
#[test]
fn every_cut_and_many_changes_of_a_store_are_errors_or_its_content() {
    let store = file!("java.jks");
    // Without a password the digest at its end is not looked at.
    for length in 4..store.len() - 20 {
        assert!(jks::read(&store[..length], None, None).is_err());
    }
    for at in 4..store.len() {
        let mut changed = store.to_vec();
        changed[at] ^= 0xff;
        assert!(jks::read(&changed, Some(&Secret::new("storepass")), None).is_err());
        let _ = jks::read(&changed, None, Some(&Secret::new("keypass")));
    }
}

/// A store whose password is to be hashed millions of times is refused before it is hashed.
#[test]
fn stores_cost_no_more_than_they_may() {
    let (of_key, of_store) = (Secret::new("keypass"), Secret::new("storepass"));
    let pem = |key: &[u8]| pem::identity(key, file!("chain.pem"), Some(&of_key));
    assert_eq!(pem(file!("scrypt.pem")), Ok(own()));
    for costly in [file!("iterations.pem"), file!("scrypt-lanes.pem")] {
        assert_eq!(pem(costly).unwrap_err(), too_costly());
    }
    assert_eq!(identities(file!("iterations.p12"), &of_store, None).unwrap_err(), too_costly());
    assert_eq!(trusted(file!("iterations.p12"), Some(&of_store)).unwrap_err(), too_costly());
}

#[test]
fn stores_that_are_written_here_are_read_here() {
    let (own, password) = (own(), Secret::new("storepass"));
    let own = Identity { alias: "own".into(), ..own };
    let ca = own.chain[1].clone();
    for write in [write_jks, write_pkcs12] {
        let with_key = write(Some(own.clone()), Vec::new(), &password).unwrap();
        assert_eq!(identities(&with_key, &password, None), Ok(vec![own.clone()]));
        let with_trusted = write(None, vec![ca.clone()], &password).unwrap();
        assert_eq!(trusted(&with_trusted, Some(&password)), Ok(vec![ca.clone()]));
        assert!(trusted(&with_trusted, Some(&Secret::new("other"))).is_err());
    }
}
