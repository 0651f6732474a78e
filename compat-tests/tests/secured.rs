//! Listeners with TLS: librdkafka (by Debian's kcat) and `openssl s_client` against the binary, with the certificates of its own
//! tests. What fails, fails for its client and for no neighbour.

use compat_tests::broker::{Broker, Setup};
use compat_tests::program::{self, Input};
use compat_tests::suite::{BOTH, Suite};
use compat_tests::{Result, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

const STORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/security/store/testdata");
const WITHIN: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    Suite::new("secured")
        .own_start("tls", BOTH, &[], tls)
        .own_start("certificates_of_clients", BOTH, &[], certificates_of_clients)
        .own_start("versions_and_suites", BOTH, &[], versions_and_suites)
        .own_start("keystores_of_java", BOTH, &[], keystores_of_java)
        .own_start("what_fails_fails_alone", BOTH, &[], what_fails_fails_alone)
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
