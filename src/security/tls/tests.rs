//! Both ends of a connection beside each other: a client of rustls, and ours.

use std::io::{BufRead, IoSlice, Write};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CipherSuite, ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, SupportedProtocolVersion};

use super::*;
use crate::security::store::{self, pem};
use crate::stdx::random::Random;
use crate::stdx::secret::Secret;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../store/testdata/", $name)).as_slice()
    };
}

fn settings() -> Settings {
    Settings {
        identities: vec![pem::identity(file!("key.pem"), file!("chain.pem"), None).unwrap()],
        trusted: pem::certificates(file!("ca.pem")).unwrap(),
        client_auth: ClientAuth::None,
        is_v12: true,
        is_v13: true,
        cipher_suites: Vec::new(),
    }
}

fn server(settings: &Settings) -> Server {
    Server::new(settings).unwrap().0
}

/// A client that trusts the authority of `testdata` and shows these certificates.
fn config_of(shown: Option<&[u8]>, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(pem::certificates(file!("ca.pem")).unwrap().remove(0).into()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots);
    let Some(shown) = shown else { return builder.with_no_client_auth() };
    let key = pem::identity(file!("key.pem"), file!("chain.pem"), None).unwrap().key;
    let key = PrivateKeyDer::try_from(key.expose().to_vec()).unwrap();
    let chain = pem::certificates(shown).unwrap().into_iter().map(CertificateDer::from).collect();
    builder.with_client_auth_cert(chain, key).unwrap()
}

/// A client of today.
pub(crate) fn client_config(shown: Option<&[u8]>) -> ClientConfig {
    config_of(shown, ALL)
}

pub(crate) fn connect(config: ClientConfig) -> ClientConnection {
    connect_to(config, "localhost")
}

fn connect_to(config: ClientConfig, name: &'static str) -> ClientConnection {
    ClientConnection::new(Arc::new(config), ServerName::try_from(name).unwrap()).unwrap()
}

const ALL: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Carries bytes both ways, in pieces of random sizes, until nothing moves.
struct Pair {
    client: ClientConnection,
    server: Connection,
    random: Random,
    kept: Vec<u8>,
    at_server: Vec<u8>,
    at_client: Vec<u8>,
    computed: usize,
}

impl Pair {
    fn new(client: ClientConnection, server: &Server, seed: u64) -> Pair {
        Pair {
            client,
            server: server.accept(),
            random: Random::new(seed),
            kept: Vec::new(),
            at_server: Vec::new(),
            at_client: Vec::new(),
            computed: 0,
        }
    }

    fn pump(&mut self) -> Result<(), String> {
        loop {
            let mut moved = self.carry_to_server()?;
            moved |= self.carry_to_client()?;
            if !moved {
                return Ok(());
            }
        }
    }

    fn carry_to_server(&mut self) -> Result<bool, String> {
        let mut sent = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut sent).unwrap();
        }
        let mut rest = &sent[..];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(1 + self.random.below(rest.len() as u64) as usize);
            rest = behind;
            self.kept.extend_from_slice(piece);
            self.feed()?;
        }
        Ok(!sent.is_empty())
    }

    fn feed(&mut self) -> Result<(), String> {
        loop {
            while self.server.take(&mut self.at_server, 1 + self.random.below(40_000) as usize) > 0 {}
            let fed = self.server.feed(&self.kept)?;
            self.kept.drain(..fed);
            if self.server.must_compute() {
                self.server.compute();
                self.computed += 1;
            } else if fed == 0 && self.server.plain_bytes() == 0 {
                return Ok(());
            }
        }
    }

    fn carry_to_client(&mut self) -> Result<bool, String> {
        let mut sent = Vec::new();
        self.server.take_ciphertext(&mut sent);
        let mut rest = &sent[..];
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).unwrap();
            self.client.process_new_packets().map_err(|error| format!("client: {error}"))?;
            while let Ok(chunk) = self.client.reader().fill_buf().map(<[u8]>::to_vec)
                && !chunk.is_empty()
            {
                self.at_client.extend_from_slice(&chunk);
                self.client.reader().consume(chunk.len());
            }
        }
        Ok(!sent.is_empty())
    }

    fn shake_hands(mut self) -> Result<Pair, String> {
        let outcome = self.pump();
        // The alert that ends it is for the client.
        let told = self.carry_to_client().err();
        outcome.map_err(|reason| format!("{reason} | {}", told.unwrap_or_default()))?;
        assert!(self.server.is_open() && !self.client.is_handshaking());
        Ok(self)
    }
}

#[test]
fn both_ends_understand_each_other_however_the_bytes_come() {
    let server = server(&settings());
    for (seed, versions) in [ALL, &ALL[..1], &ALL[1..]].into_iter().cycle().take(30).enumerate() {
        let mut pair = Pair::new(connect(config_of(None, versions)), &server, seed as u64).shake_hands().unwrap();
        assert!(pair.computed >= 2, "the expensive steps were told of");
        let sent: Vec<u8> = (0..1_000_000u32).map(|n| (n ^ (n >> 9)) as u8).collect();
        for chunk in sent.chunks(60_000) {
            pair.client.writer().write_all(chunk).unwrap();
            pair.server.put(&chunk.chunks(7777).map(IoSlice::new).collect::<Vec<_>>()).unwrap();
            pair.pump().unwrap();
        }
        assert!(pair.at_server == sent && pair.at_client == sent, "seed {seed}");
        pair.client.send_close_notify();
        pair.pump().unwrap();
        assert!(pair.server.has_ended());
    }
}

#[test]
fn versions_and_suites_are_those_of_the_settings() {
    let agreed = |settings: &Settings, versions| {
        let pair = Pair::new(connect(config_of(None, versions)), &server(settings), 1).shake_hands()?;
        Ok::<_, String>((
            pair.client.protocol_version().unwrap(),
            pair.client.negotiated_cipher_suite().unwrap().suite(),
        ))
    };
    let of = |is_v12, is_v13, suites: &[&str]| Settings {
        is_v12,
        is_v13,
        cipher_suites: suites.iter().map(|suite| suite.to_string()).collect(),
        ..settings()
    };
    let (v12, v13) = (ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3);
    assert_eq!(agreed(&settings(), ALL), Ok((v13, CipherSuite::TLS13_AES_256_GCM_SHA384)));
    assert_eq!(agreed(&of(true, false, &[]), ALL).unwrap().0, v12);
    assert!(agreed(&of(false, true, &[]), &ALL[1..]).unwrap_err().contains("ProtocolVersion"));
    assert!(agreed(&of(true, false, &[]), &ALL[..1]).is_err());
    let weak = ["TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_AES_128_GCM_SHA256"];
    assert_eq!(agreed(&of(false, true, &weak), ALL), Ok((v13, CipherSuite::TLS13_AES_128_GCM_SHA256)));
    let notices = Server::new(&of(false, true, &weak)).unwrap().1;
    assert_eq!(notices, ["the cipher suite TLS_RSA_WITH_AES_128_CBC_SHA is not offered"]);
    let why = Server::new(&of(true, true, &weak)).err().unwrap();
    assert!(why.contains("offered for TLSv1.2"), "{why}");
}

#[test]
fn clients_show_who_they_are_where_they_are_asked() {
    let asked = |client_auth| Settings { client_auth, ..settings() };
    for versions in [&ALL[..1], &ALL[1..]] {
        let shake = |settings: &Settings, shown: Option<&[u8]>| {
            let pair = Pair::new(connect(config_of(shown, versions)), &server(settings), 7).shake_hands()?;
            Ok::<_, String>(pair.server.peer_certificate().map(<[u8]>::to_vec))
        };
        let own = pem::certificates(file!("own.pem")).unwrap().remove(0);
        let (required, requested) = (asked(ClientAuth::Required), asked(ClientAuth::Requested));
        assert_eq!(shake(&required, Some(file!("chain.pem"))), Ok(Some(own.clone())));
        assert_eq!(shake(&requested, Some(file!("chain.pem"))), Ok(Some(own)));
        assert_eq!(shake(&requested, None), Ok(None));
        assert_eq!(shake(&settings(), Some(file!("chain.pem"))), Ok(None));
        let refused = |settings: &Settings, shown| shake(settings, shown).unwrap_err();
        assert!(refused(&required, None).contains("no certificates"), "{}", refused(&required, None));
        for settings in [&required, &requested] {
            let why = refused(settings, Some(file!("stranger.pem")));
            assert!(why.contains("UnknownIssuer") || why.contains("CaUsedAsEndEntity"), "{why}");
            assert!(refused(settings, Some(file!("expired.pem"))).contains("xpired"));
        }
        // One that is trusted by itself needs no authority.
        let trusting =
            Settings { trusted: pem::certificates(file!("stranger.pem")).unwrap(), ..asked(ClientAuth::Required) };
        assert!(shake(&trusting, Some(file!("stranger.pem"))).unwrap().is_some());
        assert!(refused(&trusting, Some(file!("own.pem"))).contains("UnknownIssuer"));
    }
}

#[test]
fn what_is_no_tls_and_what_clients_do_not_like_ends_the_handshake() {
    let server = server(&settings());
    let mut plain = server.accept();
    assert_eq!(plain.feed(b"\0\0\0\x0e\0\x12\0\0").unwrap_err(), "plain text on a TLS listener");
    let mut other = server.accept();
    assert_eq!(other.feed(b"\x16\x03\x01\xff\xff").unwrap_err(), "a record of TLS that is too long");
    assert_eq!(server.accept().feed(b"\x16\x03\x01"), Ok(0));
    // The name that the client knows it by, and the authority that it does not trust.
    let shake = |client| Pair::new(client, &server, 3).shake_hands().err().unwrap();
    assert!(shake(connect_to(config_of(None, ALL), "elsewhere.test")).contains("not valid for name"));
    // Rubbish in a record.
    let mut rubbish = server.accept();
    assert_eq!(rubbish.feed(b"\x16\x03\x01\0\x04\x01\0\0\0"), Ok(9));
    rubbish.compute();
    assert!(rubbish.feed(b"").is_err());
    let mut alert = Vec::new();
    rubbish.take_ciphertext(&mut alert);
    assert_eq!(alert[0], 21, "the client is told");
}

#[test]
fn the_identity_is_one_that_the_client_can_judge() {
    let both = store::identities(file!("two.p12"), &Secret::new("storepass"), None).unwrap();
    let own = Settings { identities: both, ..settings() };
    assert!(Server::new(&own).is_ok());
    let mut wrong = settings();
    wrong.identities[0].chain.remove(0);
    let why = Server::new(&wrong).err().unwrap();
    assert!(why.contains("does not belong to the private key"), "{why}");
    let mut broken = settings();
    broken.identities[0].key = Secret::new("no key");
    assert!(Server::new(&broken).err().unwrap().contains("cannot be used"));
    let nobody = Settings { client_auth: ClientAuth::Required, trusted: Vec::new(), ..settings() };
    assert!(Server::new(&nobody).err().unwrap().contains("no trust store"));
}

/// A session that was begun with one server is taken up with it again and not with the next, whatever that trusts.
#[test]
fn sessions_end_with_their_server() {
    let config = config_of(Some(file!("chain.pem")), &ALL[..1]);
    let asked = Settings { client_auth: ClientAuth::Required, ..settings() };
    let first = server(&asked);
    let shake = |server: &Server| {
        let mut pair = Pair::new(connect(config.clone()), server, 9).shake_hands().unwrap();
        // The tickets behind the handshake.
        pair.pump().unwrap();
        assert!(pair.server.peer_certificate().is_some());
        pair.client.handshake_kind().unwrap()
    };
    assert_eq!(shake(&first), rustls::HandshakeKind::Full);
    assert_eq!(shake(&first), rustls::HandshakeKind::Resumed);
    assert_eq!(shake(&server(&asked)), rustls::HandshakeKind::Full);
}

/// Whose certificate it was is told with the refusal.
#[test]
fn a_refused_certificate_is_kept_for_the_log() {
    let asked = server(&Settings { client_auth: ClientAuth::Required, ..settings() });
    for versions in [&ALL[..1], &ALL[1..]] {
        let mut pair = Pair::new(connect(config_of(Some(file!("expired.pem")), versions)), &asked, 5);
        assert!(pair.pump().unwrap_err().contains("xpired"));
        let shown = pem::certificates(file!("expired.pem")).unwrap().remove(0);
        assert!(!pair.server.is_open());
        assert_eq!(pair.server.peer_certificate(), Some(&shown[..]));
        let mut none = Pair::new(connect(config_of(None, versions)), &asked, 5);
        assert!(none.pump().is_err());
        assert_eq!(none.server.peer_certificate(), None, "it is no one else's");
    }
}
