//! Listeners with TLS: librdkafka (by Debian's kcat) and `openssl s_client` against the binary, with the certificates of its own
//! tests. What fails, fails for its client and for no neighbour.

use compat_tests::broker::{Broker, Setup};
use compat_tests::program::{self, Input};
use compat_tests::suite::{BOTH, ONE, Suite};
use compat_tests::{Result, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const STORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/security/store/testdata");
const WITHIN: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    Suite::new("secured")
        .own_start("tls", BOTH, &[], tls)
        .own_start("certificates_of_clients", BOTH, &[], certificates_of_clients)
        .own_start("versions_and_suites", BOTH, &[], versions_and_suites)
        .own_start("keystores_of_java", BOTH, &[], keystores_of_java)
        .own_start("what_fails_fails_alone", BOTH, &[], what_fails_fails_alone)
        .own_start("clients_that_stop", BOTH, &[], clients_that_stop)
        .own_start("certificates_that_clients_refuse", ONE, &[], certificates_that_clients_refuse)
        .own_start("tls_on_a_plain_listener", BOTH, &[], tls_on_a_plain_listener)
        .own_start("every_suite", ONE, &[], every_suite)
        .own_start("a_changed_file", BOTH, &[], a_changed_file)
        .own_start("a_changed_config", ONE, &[], a_changed_config)
        .run()
}

fn store(name: &str) -> String {
    format!("{STORES}/{name}")
}

/// A broker whose one listener asks for TLS.
fn start(setup: &Setup, more: &[(&str, &str)]) -> Result<Broker> {
    let key = std::fs::read_to_string(store("key.pem"))?;
    let chain = std::fs::read_to_string(store("chain.pem"))?;
    let own = [
        ("listeners", "SSL://127.0.0.1:0"),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.key", &key),
        ("ssl.keystore.certificate.chain", &chain),
        ("security.inter.broker.protocol", "SSL"),
    ];
    let is_java = more.iter().any(|(key, _)| *key == "ssl.keystore.location");
    let own: Vec<_> = own.into_iter().filter(|(key, _)| !is_java || !key.starts_with("ssl.")).collect();
    Broker::start(&setup.clone().with(&own).with(more))
}

fn kcat(broker: &Broker, settings: &[String], arguments: &[&str], input: &str) -> Result<program::Output> {
    let mut command = program::command("kcat", &["-b", &broker.bootstrap()]);
    // Cargo puts another librdkafka there, which has no TLS.
    command.env_remove("LD_LIBRARY_PATH");
    let ca = format!("ssl.ca.location={}", store("ca.pem"));
    command.args(["-X", "security.protocol=ssl", "-X", &ca, "-X", "ssl.endpoint.identification.algorithm=https"]);
    command.args(settings.iter().flat_map(|setting| ["-X", setting]));
    command.args(arguments);
    program::output(command, Input::Bytes(input.as_bytes().to_vec()), WITHIN)
}

/// Produces and consumes.
fn round_trip(broker: &Broker, settings: &[String], topic: &str) -> Result<()> {
    let lines: String = (0..2000).map(|i| format!("line {i} {}\n", "x".repeat(i % 300))).collect();
    let produced = kcat(broker, settings, &["-P", "-t", topic, "-p", "0"], &lines)?;
    ensure!(produced.code == Some(0), "{}", produced.tail());
    let read = kcat(broker, settings, &["-C", "-q", "-e", "-t", topic, "-p", "0", "-o", "beginning"], "")?;
    ensure!(read.text() == lines, "what came back is not what was sent\n{}", read.tail());
    Ok(())
}

fn is_refused(broker: &Broker, settings: &[String], word: &str) -> Result<()> {
    let listed = kcat(broker, settings, &["-L", "-m", "3"], "")?;
    ensure!(listed.code != Some(0), "it was let in\n{}", listed.tail());
    ensure!(listed.tail().contains(word), "it did not say `{word}`\n{}", listed.tail());
    Ok(())
}

/// The log has so many lines with these words, or has them soon: a client may see the end of its connection before.
fn is_told(broker: &Broker, words: &str, count: usize) -> Result<()> {
    let until = Instant::now() + WITHIN;
    while broker.log_text().matches(words).count() < count {
        ensure!(Instant::now() < until, "`{words}` is not {count} times in the log\n{}", broker.log_text());
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn s_client(broker: &Broker, arguments: &[&str]) -> Result<program::Output> {
    let at = broker.bootstrap();
    let ca = store("ca.pem");
    let mut command =
        program::command("openssl", &["s_client", "-connect", &at, "-CAfile", &ca, "-verify_return_error"]);
    command.args(arguments);
    program::output(command, Input::Nothing, WITHIN)
}

fn tls(setup: &Setup) -> Result<Broker> {
    let broker = start(setup, &[])?;
    round_trip(&broker, &[], "tls")?;
    // Certificates that no authority of the client has signed, and none.
    let other = format!("ssl.ca.location={}", store("stranger.pem"));
    is_refused(&broker, &[other], "certificate verify failed")?;
    ensure!(broker.log_text().contains("TLS with the certificate"), "the log tells of the certificate");
    Ok(broker)
}

fn certificates_of_clients(setup: &Setup) -> Result<Broker> {
    let trust = store("trust.p12");
    let own = [
        ("ssl.client.auth", "required"),
        ("ssl.truststore.type", "PKCS12"),
        ("ssl.truststore.location", &trust),
        ("ssl.truststore.password", "storepass"),
    ];
    let broker = start(setup, &own)?;
    let shown = |name: &str| {
        let (certificate, key) = (store(name), store("key.pem"));
        vec![format!("ssl.certificate.location={certificate}"), format!("ssl.key.location={key}")]
    };
    round_trip(&broker, &shown("chain.pem"), "shown")?;
    is_refused(&broker, &[], "alert")?;
    is_refused(&broker, &shown("expired.pem"), "alert")?;
    is_refused(&broker, &shown("stranger.pem"), "alert")?;
    for (principal, reason) in
        [("none", "peer sent no certificates"), ("CN=late", "invalid peer certificate: Expired"), ("CN=stranger", "")]
    {
        let line = format!("TLS refused: principal={principal} host=127.0.0.1 listener=SSL reason={reason}");
        is_told(&broker, &line, 1)?;
    }
    round_trip(&broker, &shown("chain.pem"), "shown_again")?;
    Ok(broker)
}

fn versions_and_suites(setup: &Setup) -> Result<Broker> {
    let broker = start(setup, &[])?;
    for (version, name) in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")] {
        let said = s_client(&broker, &[version])?;
        ensure!(said.text().contains("Verify return code: 0 (ok)"), "{}", said.tail());
        ensure!(said.text().contains(&format!("New, {name}")), "{}", said.tail());
    }
    let suites =
        ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "NULL", "RC4"];
    for suite in suites.map(|suite| format!("{suite}:@SECLEVEL=0")) {
        let said = s_client(&broker, &["-tls1_2", "-cipher", &suite])?;
        ensure!(said.code != Some(0), "{suite} is weak and was taken\n{}", said.tail());
    }
    let old = s_client(&broker, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])?;
    ensure!(old.code != Some(0), "TLS 1.1 was taken\n{}", old.tail());
    Ok(broker)
}

fn keystores_of_java(setup: &Setup) -> Result<Broker> {
    let java = store("chain.jks");
    let own = [
        ("ssl.keystore.location", java.as_str()),
        ("ssl.keystore.password", "storepass"),
        ("ssl.key.password", "storepass"),
        ("ssl.enabled.protocols", "TLSv1.2"),
    ];
    let broker = start(setup, &own)?;
    round_trip(&broker, &[], "java")?;
    ensure!(!broker.log_text().contains("storepass"), "the log shows no password");
    Ok(broker)
}

/// Plain text, a record that is cut, rubbish in the middle: each ends its connection, and a client beside them works.
fn what_fails_fails_alone(setup: &Setup) -> Result<Broker> {
    let broker = start(setup, &[])?;
    let send = |bytes: &[u8]| -> Result<TcpStream> {
        let mut socket = TcpStream::connect(("127.0.0.1", broker.port()))?;
        socket.set_read_timeout(Some(WITHIN))?;
        socket.write_all(bytes)?;
        Ok(socket)
    };
    let cut = send(b"\x16\x03\x01\x02\x00\x01\x00")?;
    let mut rest = Vec::new();
    let mut plain = send(b"\0\0\0\x0e\0\x12\0\0\0\0\0\x01")?;
    let _ = plain.read_to_end(&mut rest);
    ensure!(rest.first().is_none_or(|kind| *kind == 21), "plain text is answered by an alert or not at all: {rest:?}");
    rest.clear();
    let mut rubbish = send(b"\x16\x03\x01\0\x04\x01\0\0\0")?;
    let _ = rubbish.read_to_end(&mut rest);
    ensure!(rest.first() == Some(&21), "rubbish is answered by an alert: {rest:?}");
    round_trip(&broker, &[], "beside")?;
    drop(cut);
    ensure!(broker.log_text().contains("plain text on a TLS listener"), "the log tells of it");
    Ok(broker)
}

/// Clients that stop before their handshake, in the middle of a record and behind the first one are closed when their time is over.
fn clients_that_stop(setup: &Setup) -> Result<Broker> {
    let broker = start(setup, &[("klamm.authentication.timeout.ms", "3000")])?;
    let hello = std::fs::read(store("hello.bin"))?;
    let began = Instant::now();
    let mut stopped = Vec::new();
    for length in [0, 3, hello.len() - 1, hello.len()] {
        let mut socket = TcpStream::connect(("127.0.0.1", broker.port()))?;
        socket.set_read_timeout(Some(WITHIN))?;
        socket.write_all(&hello[..length])?;
        stopped.push(socket);
    }
    round_trip(&broker, &[], "beside")?;
    for socket in &mut stopped {
        // What the broker answers to a hello, its alert, and the end.
        let ended = socket.read_to_end(&mut Vec::new());
        let is_reset = ended.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
        ensure!(ended.is_ok() || is_reset, "the connection is still there: {ended:?}");
        ensure!(began.elapsed() >= Duration::from_millis(2900), "it was closed after {:?}", began.elapsed());
    }
    is_told(&broker, "the handshake goes on: it took too long", 4)?;
    round_trip(&broker, &[], "behind")?;
    Ok(broker)
}

/// A broker with another certificate of the key.
fn start_with_chain(setup: &Setup, name: &str) -> Result<Broker> {
    let chain = std::fs::read_to_string(store(name))?;
    start(setup, &[("ssl.keystore.certificate.chain", &chain)])
}

/// One that has expired, and one that is for another host.
fn certificates_that_clients_refuse(setup: &Setup) -> Result<Broker> {
    let expired = start_with_chain(setup, "expired.pem")?;
    is_refused(&expired, &[], "certificate verify failed")?;
    let said = s_client(&expired, &[])?;
    ensure!(said.tail().contains("certificate has expired"), "{}", said.tail());
    ensure!(expired.log_text().contains("has expired: clients refuse it"), "the log tells of it");
    expired.finish(None)?;
    let other = start_with_chain(setup, "stranger.pem")?;
    let trusting = |check: &str| {
        let authority = format!("ssl.ca.location={}", store("stranger.pem"));
        vec![authority, format!("ssl.endpoint.identification.algorithm={check}")]
    };
    is_refused(&other, &trusting("https"), "verify failed")?;
    round_trip(&other, &trusting("none"), "unchecked")?;
    Ok(other)
}

/// And plain text on the listener with TLS.
fn tls_on_a_plain_listener(setup: &Setup) -> Result<Broker> {
    let encrypted = start(setup, &[])?;
    let mut plain = program::command("kcat", &["-b", &encrypted.bootstrap(), "-L", "-m", "3"]);
    plain.env_remove("LD_LIBRARY_PATH");
    let plain = program::output(plain, Input::Nothing, WITHIN)?;
    ensure!(plain.code != Some(0), "plain text was taken\n{}", plain.tail());
    round_trip(&encrypted, &[], "beside_plain")?;
    let line = "TLS refused: principal=none host=127.0.0.1 listener=SSL reason=plain text on a TLS listener";
    is_told(&encrypted, line, 1)?;
    encrypted.finish(None)?;
    let broker = Broker::start(setup)?;
    is_refused(&broker, &[], "SSL")?;
    let line = "TLS refused: principal=none host=127.0.0.1 listener=PLAINTEXT reason=TLS on a plain listener";
    is_told(&broker, line, 1)?;
    Ok(broker)
}

/// Each suite that OpenSSL knows is offered: those are taken that are strong, and no other, by each kind of key.
fn every_suite(setup: &Setup) -> Result<Broker> {
    let all = program::command("openssl", &["ciphers", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]);
    let all = program::output(all, Input::Nothing, WITHIN)?.text();
    let all: Vec<&str> = all.trim().split(':').collect();
    ensure!(all.len() > 100, "{all:?}");
    let taken = |broker: &Broker| -> Result<Vec<String>> {
        let mut taken = Vec::new();
        for &suite in &all {
            let weakened = format!("{suite}:@SECLEVEL=0");
            let offer = match suite.starts_with("TLS_") {
                true => ["-tls1_3", "-ciphersuites", suite],
                false => ["-tls1_2", "-cipher", &weakened],
            };
            let said = s_client(broker, &offer)?;
            if said.text().contains(&format!("Cipher is {suite}")) {
                taken.push(suite.to_string());
            }
        }
        taken.sort();
        Ok(taken)
    };
    let v13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
    let of = |key: &str| {
        let v12 = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"];
        v12.map(|suite| format!("ECDHE-{key}-{suite}")).into_iter().chain(v13.map(str::to_string)).collect::<Vec<_>>()
    };
    let elliptic = start(setup, &[])?;
    let found = taken(&elliptic)?;
    ensure!(found == of("ECDSA"), "by a key on a curve: {found:?}");
    for (old, name) in [("-tls1", "TLSv1"), ("-tls1_1", "TLSv1.1")] {
        let said = s_client(&elliptic, &[old, "-cipher", "ALL:@SECLEVEL=0"])?;
        ensure!(said.code != Some(0), "{name} was taken\n{}", said.tail());
    }
    elliptic.finish(None)?;
    let java = store("java.p12");
    let own = [("ssl.keystore.location", java.as_str()), ("ssl.keystore.password", "storepass")];
    let rsa = start(setup, &own)?;
    let mut command = program::command("openssl", &["s_client", "-connect", &rsa.bootstrap(), "-tls1_2"]);
    command.args(["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]);
    let said = program::output(command, Input::Nothing, WITHIN)?;
    ensure!(said.text().contains("Cipher is ECDHE-RSA-AES256-GCM-SHA384"), "{}", said.tail());
    Ok(rsa)
}

/// The certificate of new connections, by the words in front of its name.
fn waits_for(broker: &Broker, subject: &str) -> Result<()> {
    let until = Instant::now() + WITHIN;
    loop {
        let mut command = program::command("openssl", &["s_client", "-connect", &broker.bootstrap()]);
        command.arg("-nameopt").arg("rfc2253");
        let said = program::output(command, Input::Nothing, WITHIN)?;
        if said.text().contains(subject) {
            return Ok(());
        }
        ensure!(Instant::now() < until, "{subject} does not come\n{}", said.tail());
        thread::sleep(Duration::from_millis(300));
    }
}

/// Key and chain in one file.
fn write_store(path: &Path, chain: &str) -> Result<()> {
    let text = std::fs::read_to_string(store("key.pem"))? + &std::fs::read_to_string(store(chain))?;
    let beside = path.with_extension("new");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)?;
    Ok(())
}

const CHANGES: &[(&str, &str)] = &[("ssl.allow.dn.changes", "true"), ("ssl.allow.san.changes", "true")];

/// A broker whose key store is this file, which is not there yet.
fn start_with_file(setup: &Setup, path: &Path) -> Result<Broker> {
    write_store(path, "chain.pem")?;
    let location = path.display().to_string();
    let own = [("ssl.keystore.location", location.as_str()), ("ssl.keystore.type", "PEM")];
    start(setup, &[&own[..], CHANGES].concat())
}

/// New connections get what has been put in its place; one that is open goes on with what it has.
fn a_changed_file(setup: &Setup) -> Result<Broker> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("store.pem");
    let broker = start_with_file(setup, &file)?;
    round_trip(&broker, &[], "before")?;
    let mut open =
        program::command("kcat", &["-b", &broker.bootstrap(), "-C", "-q", "-t", "before", "-p", "0", "-c", "2001"]);
    open.env_remove("LD_LIBRARY_PATH");
    open.args(["-X", "security.protocol=ssl", "-X", &format!("ssl.ca.location={}", store("ca.pem"))]);
    open.args(["-o", "beginning"]);
    let open = thread::spawn(move || program::output(open, Input::Nothing, program::DEADLINE));
    thread::sleep(Duration::from_secs(2));
    std::fs::write(&file, "half a ke")?;
    thread::sleep(Duration::from_secs(1));
    round_trip(&broker, &[], "damaged")?;
    write_store(&file, "stranger.pem")?;
    waits_for(&broker, "CN=stranger")?;
    is_refused(&broker, &[], "certificate verify failed")?;
    // What the open connection waits for.
    let trusting =
        [format!("ssl.ca.location={}", store("stranger.pem")), "ssl.endpoint.identification.algorithm=none".into()];
    let sent = kcat(&broker, &trusting, &["-P", "-t", "before", "-p", "0"], "the last\n")?;
    ensure!(sent.code == Some(0), "{}", sent.tail());
    let read = open.join().map_err(|_| anyhow::anyhow!("the reader is lost"))??;
    ensure!(read.text().ends_with("the last\n"), "{}", read.tail());
    Ok(broker)
}

/// `kafka-configs` names another store; one that cannot be used is refused, and nothing changes.
fn a_changed_config(setup: &Setup) -> Result<Broker> {
    let folder = tempfile::tempdir()?;
    let mut broker = start_with_file(setup, &folder.path().join("store.pem"))?;
    let properties = broker.scratch("admin.properties");
    let alter = |broker: &Broker, authority: &str, location: &Path| -> Result<program::Output> {
        let text = format!(
            "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location={}\n\
             ssl.endpoint.identification.algorithm=\n",
            store(authority)
        );
        std::fs::write(&properties, text)?;
        let class = "org.apache.kafka.tools.ConfigCommand";
        let mut command = program::java(class, &["--bootstrap-server", &broker.bootstrap(), "--command-config"]);
        command.arg(&properties).args(["--entity-type", "brokers", "--entity-name", "1", "--alter", "--add-config"]);
        command.arg(format!("listener.name.ssl.ssl.keystore.location={}", location.display()));
        program::output(command, Input::Nothing, program::DEADLINE)
    };
    let nowhere = alter(&broker, "ca.pem", &folder.path().join("nowhere.pem"))?;
    let said = nowhere.tail();
    ensure!(nowhere.code != Some(0), "a store that is not there was taken\n{said}");
    ensure!(said.contains("InvalidRequestException") && said.contains("nowhere.pem cannot be read"), "{said}");
    let damaged = folder.path().join("damaged.pem");
    std::fs::write(&damaged, "half a ke")?;
    let said = alter(&broker, "ca.pem", &damaged)?;
    ensure!(said.code != Some(0) && said.tail().contains("Private key not provided"), "{}", said.tail());
    round_trip(&broker, &[], "as_before")?;
    let other = folder.path().join("other.pem");
    write_store(&other, "stranger.pem")?;
    let said = alter(&broker, "ca.pem", &other)?;
    ensure!(said.code == Some(0), "{}", said.tail());
    waits_for(&broker, "CN=stranger")?;
    broker.stop()?;
    broker.restart()?;
    waits_for(&broker, "CN=stranger")?;
    Ok(broker)
}
