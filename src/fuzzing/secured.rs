//! What protects: records of TLS, stores of keys, names of certificates with the rules about them, texts of JAAS.

use std::sync::OnceLock;

use crate::config::jaas;
use crate::security::principal::kerberos::ShortNames;
use crate::security::principal::{dn, mapping};
use crate::security::store::{self, pem};
use crate::security::tls::{ClientAuth, Connection, RECORD_BYTES, Server, Settings};
use crate::stdx::secret::Secret;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../security/store/testdata/", $name)).as_slice()
    };
}

/// Names are short, and rules that a user writes are, too.
const MOST_RULE_BYTES: usize = 300;

fn server(asks_for_certificates: bool) -> Server {
    let settings = Settings {
        identities: vec![pem::identity(file!("key.pem"), file!("chain.pem"), None).expect("it is a store")],
        trusted: pem::certificates(file!("ca.pem")).expect("it is a store"),
        client_auth: if asks_for_certificates { ClientAuth::Required } else { ClientAuth::None },
        is_v12: true,
        is_v13: true,
        cipher_suites: Vec::new(),
    };
    Server::new(&settings).expect("it can be made").0
}

/// Ciphertext in pieces, as a client sends it that knows no secret: it is never let in, and never holds more than a record.
pub fn tls_records(data: &[u8]) {
    static SERVERS: OnceLock<[Server; 2]> = OnceLock::new();
    let [which, rest @ ..] = data else { return };
    let servers = SERVERS.get_or_init(|| [server(false), server(true)]);
    let mut connection = servers[usize::from(which & 1)].accept();
    let mut kept = Vec::new();
    for piece in rest.chunks(1 + usize::from(which >> 1)) {
        kept.extend_from_slice(piece);
        match feed(&mut connection, &mut kept) {
            Ok(()) => assert!(kept.len() < RECORD_BYTES, "whole records are taken"),
            Err(reason) => {
                assert!(!reason.is_empty() && !connection.is_open());
                connection.close();
                return connection.take_ciphertext(&mut Vec::new());
            }
        }
        assert!(!connection.is_open(), "a handshake has answers");
    }
}

fn feed(connection: &mut Connection, kept: &mut Vec<u8>) -> Result<(), String> {
    loop {
        let fed = connection.feed(kept)?;
        assert!(fed <= kept.len() && connection.plain_bytes() == 0);
        kept.drain(..fed);
        match connection.must_compute() {
            true => connection.compute(),
            false if fed == 0 => return Ok(()),
            false => {}
        }
        connection.take_ciphertext(&mut Vec::new());
    }
}

/// Stores of each kind, by a byte: what is read has its parts, and what is not has a sentence.
pub fn stores(data: &[u8]) {
    let [which, bytes @ ..] = data else { return };
    let password = Secret::new(if which & 0x10 == 0 { "storepass" } else { "keypass" });
    let identities = match which % 4 {
        0 => pem::identity(bytes, bytes, (which & 0x20 != 0).then_some(&password)).map(|identity| vec![identity]),
        1 => store::identities(bytes, &password, None),
        2 => return judge(pem::certificates(bytes)),
        _ => return judge(store::trusted(bytes, (which & 0x20 == 0).then_some(&password))),
    };
    let found = identities.inspect(|identities| {
        assert!(identities.iter().all(|identity| !identity.chain.is_empty()), "a key has its certificate");
        for identity in identities {
            let _ = store::key::completed(&identity.key, &identity.chain[0]);
            let _ = dn::of_certificate(&identity.chain[0]);
        }
    });
    judge(found);
}

fn judge<T>(found: Result<Vec<T>, String>) {
    match found {
        Ok(found) => assert!(!found.is_empty(), "an empty store is refused"),
        Err(reason) => assert!(!reason.is_empty() && !reason.contains("storepass") && !reason.contains("keypass")),
    }
}

/// Rules, and behind a line's end a name in DER: what the name is written as, and whom the rules make of it.
pub fn principals(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (rules, name) = (&data[..at.min(MOST_RULE_BYTES)], data.get(at + 1..).unwrap_or_default());
    let Some(name) = dn::of_subject(name).or_else(|| dn::of_certificate(name)) else { return };
    let same = mapping::Rules::parse("DEFAULT").expect("it is a rule").apply(&name);
    assert_eq!(same.as_deref(), Some(name.as_str()));
    let Ok(rules) = std::str::from_utf8(rules) else { return };
    match mapping::Rules::parse(rules) {
        Ok(rules) => drop(rules.apply(&name)),
        Err(reason) => assert!(!reason.is_empty()),
    }
}

/// Rules about Kerberos's names, up to a line's end, and a name. A short name has no realm.
pub fn short_names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (rules, name) = text.split_once('\n').unwrap_or((text, "alice/host@REALM"));
    let cut = (0..=MOST_RULE_BYTES.min(rules.len())).rev().find(|at| rules.is_char_boundary(*at)).unwrap_or_default();
    match ShortNames::parse("REALM", &[&rules[..cut]]) {
        Ok(rules) => match rules.short_name(name) {
            Ok(short) => assert!(!short.contains('@') || name.contains('@'), "{short}"),
            Err(reason) => assert!(!reason.is_empty()),
        },
        Err(reason) => assert!(!reason.is_empty()),
    }
}

/// A setting or a file of JAAS, by a byte: no option is shown, and what was understood is understood again.
pub fn jaas(data: &[u8]) {
    let [which, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let modules = match which % 2 {
        0 => jaas::of_setting(text).map(|module| vec![module]),
        _ => jaas::of_file(text).map(|sections| sections.into_values().flatten().collect()),
    };
    let modules = match modules {
        Ok(modules) => modules,
        Err(reason) => return assert!(!reason.is_empty()),
    };
    for module in modules {
        let shown = format!("{module:?}");
        assert!(shown.matches("[hidden]").count() >= module.options.len(), "{shown}");
        let values = module.options.iter().flat_map(|(key, value)| [key.as_bytes(), value.expose()]);
        let is_plain = |byte: &u8| (b' '..=b'~').contains(byte) && !b"\"\\'".contains(byte);
        if !values.chain([module.class.as_bytes()]).flatten().all(is_plain) {
            continue;
        }
        let options = module.options.iter();
        let options = options.map(|(key, value)| format!(" \"{key}\"=\"{}\"", String::from_utf8_lossy(value.expose())));
        let again = format!("\"{}\" required{};", module.class, options.collect::<String>());
        match jaas::of_setting(&again) {
            Ok(found) => assert_eq!(found, module),
            // A file may name a module that a setting may not.
            Err(reason) => assert!(which % 2 == 1, "{reason}"),
        }
    }
}

/// What the fuzzers begin with.
#[cfg(test)]
pub fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let behind = |which: u8, bytes: &[u8]| [&[which], bytes].concat();
    let hello = file!("hello.bin");
    let cut = &hello[..hello.len() / 2];
    let records = vec![
        behind(0xff, hello),
        behind(0xfe, &[hello, hello].concat()),
        behind(9, cut),
        behind(0xfe, b"\0\0\0\x0e\0\x12\0\0"),
        behind(0xfe, b"\x16\x03\x01\0\x04\x01\0\0\0"),
        behind(0xfe, b"\x15\x03\x03\0\x02\x02\x28"),
    ];
    let pem = [file!("key.pem"), file!("chain.pem")].concat();
    let stores = vec![
        behind(0, &pem),
        behind(0x30, &[file!("encrypted.pem"), file!("own.pem")].concat()),
        behind(1, file!("cheap.p12")),
        behind(1, file!("chain.jks")),
        behind(2, file!("chain.pem")),
        behind(3, file!("cheap-trust.p12")),
        behind(3, file!("trust.jks")),
        behind(0x23, file!("trust.jks")),
    ];
    let own = pem::certificates(file!("own.pem")).expect("it is a store").remove(0);
    let rules = |rules: &str| [rules.as_bytes(), b"\n", &own].concat();
    let names = vec![
        rules("DEFAULT"),
        rules("RULE:^CN=(.*?),.*$/$1/L,DEFAULT"),
        rules("RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1@x\\/y/U"),
        [b"RULE:.*/x/\n".as_slice(), b"0\x100\x0e1\x0c0\x0a\x06\x03U\x04\x03\x0c\x03a,+"].concat(),
    ];
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"a\" password='b c' user_a=\"\\\"b\";";
    let file = "// of the broker\nKafkaServer {\n  com.a.Module REQUIRED\n  useKeyTab=true x=\"/etc/a\";\n b.C optional;\n};\nsasl.KafkaServer { a requisite; };";
    let texts =
        vec![behind(0, plain.as_bytes()), behind(1, file.as_bytes()), behind(0, b"a required b=c /* d */ e=f;")];
    let rules = [
        "RULE:[1:$1](admin.*)s/admin/root/L\nadmins@REALM",
        "RULE:[2:$1@$0](.*@REALM)s/@.*//g\nalice/host@REALM",
        "DEFAULT\nalice@REALM",
    ];
    let rules = rules.map(|rule| rule.as_bytes().to_vec()).to_vec();
    vec![("tls_records", records), ("stores", stores), ("principals", names), ("jaas", texts), ("short_names", rules)]
}
