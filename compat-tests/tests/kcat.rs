//! Debian's kcat as its users use it: list, produce, consume by offset and by time, keys, headers, codecs, idempotence.

use compat_tests::broker::{Broker, Peer, Setup};
use compat_tests::program::{self, Input};
use compat_tests::raw::{Batch, Raw};
use compat_tests::records::FIRST_TIMESTAMP;
use compat_tests::suite::{ALL, BOTH, Suite};
use compat_tests::{Result, corpus, ensure};
use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    Suite::new("kcat")
        .test("list", ALL, &[], list)
        .test("offsets", ALL, &[], offsets)
        .test("timestamps", BOTH, &[], timestamps)
        .test("keys_and_headers", BOTH, &[], keys_and_headers)
        .test("codecs", ALL, &[], codecs)
        .test("idempotent", BOTH, &[], idempotent)
        .own_start("port_of_the_systems_choice", BOTH, &[], port_of_the_systems_choice)
        .test("auto_create", BOTH, &[("num.partitions", "3")], auto_create)
        .run()
}

fn kcat(broker: &Broker, arguments: &[&str], input: &str) -> Result<String> {
    let mut command = program::command("kcat", &["-b", &broker.bootstrap()]);
    command.args(arguments);
    Ok(program::run(command, Input::Bytes(input.as_bytes().to_vec()))?.text())
}

/// Consumes partition 0 up to its end.
fn read(broker: &Broker, topic: &str, from: &str, format: &str) -> Result<String> {
    kcat(broker, &["-C", "-q", "-e", "-t", topic, "-p", "0", "-o", from, "-f", format], "")
}

fn same(expected: &str, found: &str) -> Result<()> {
    ensure!(expected == found, "expected\n{expected}\nfound\n{found}");
    Ok(())
}

fn list(broker: &mut Broker) -> Result<()> {
    Raw::connect(broker.port())?.create_topic("listed", 4, &[])?;
    let text = kcat(broker, &["-L"], "")?;
    ensure!(text.contains("1 brokers:"), "{text}");
    ensure!(text.contains(&format!("at {}", broker.bootstrap())), "{text}");
    ensure!(text.contains("topic \"listed\" with 4 partitions:"), "{text}");
    ensure!(text.contains("partition 3, leader "), "{text}");
    let json: serde_json::Value = serde_json::from_str(&kcat(broker, &["-L", "-J", "-t", "listed"], "")?)?;
    ensure!(json["topics"][0]["partitions"].as_array().map(Vec::len) == Some(4), "{json}");
    Ok(())
}

/// Nobody has to look for a free port first: the log says which one it is. (Apache Kafka cannot do this for a controller.)
fn port_of_the_systems_choice(setup: &Setup) -> Result<Broker> {
    let overrides: &[_] = if setup.peer == Peer::Klamm { &[("listeners", "PLAINTEXT://127.0.0.1:0")] } else { &[] };
    let mut broker = Broker::start(&setup.clone().with(overrides))?;
    list(&mut broker)?;
    Ok(broker)
}

fn numbered(count: usize) -> String {
    (0..count).map(|i| format!("line {i}\n")).collect()
}

fn offsets(broker: &mut Broker) -> Result<()> {
    Raw::connect(broker.port())?.create_topic("offsets", 1, &[])?;
    let lines = numbered(1000);
    kcat(broker, &["-P", "-t", "offsets", "-p", "0"], &lines)?;
    same(&lines, &read(broker, "offsets", "beginning", "%s\n")?)?;
    same(
        "990 line 990\n",
        &kcat(broker, &["-C", "-q", "-t", "offsets", "-o", "990", "-c", "1", "-f", "%o %s\n"], "")?,
    )?;
    same("998\n999\n", &read(broker, "offsets", "-2", "%o\n")?)?;
    same("", &read(broker, "offsets", "end", "%o\n")?)?;
    same("offsets [0] offset 1000\n", &kcat(broker, &["-Q", "-t", "offsets:0:-1"], "")?)?;
    same("offsets [0] offset 0\n", &kcat(broker, &["-Q", "-t", "offsets:0:-2"], "")?)
}

/// kcat cannot set timestamps; ten batches with a second between them come from the raw client.
fn timestamps(broker: &mut Broker) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic("times", 1, &[])?;
    for i in 0..10 {
        let mut batch = Batch::of(&[format!("a{i}").as_bytes(), format!("b{i}").as_bytes()]);
        batch.timestamp = FIRST_TIMESTAMP + 1000 * i;
        ensure!(raw.produce("times", batch.encode())?.error_code == 0, "batch {i} was refused");
    }
    let at = format!("s@{}", FIRST_TIMESTAMP + 7500);
    let expected =
        format!("16 {0} a8\n17 {0} b8\n18 {1} a9\n19 {1} b9\n", FIRST_TIMESTAMP + 8000, FIRST_TIMESTAMP + 9000);
    same(&expected, &read(broker, "times", &at, "%o %T %s\n")?)?;
    let query = format!("times:0:{}", FIRST_TIMESTAMP + 3000);
    same("times [0] offset 6\n", &kcat(broker, &["-Q", "-t", &query], "")?)
}

fn keys_and_headers(broker: &mut Broker) -> Result<()> {
    Raw::connect(broker.port())?.create_topic("keyed", 1, &[])?;
    let produce = ["-P", "-t", "keyed", "-p", "0", "-K", ":", "-Z", "-H", "one=1", "-H", "two=zwei"];
    kcat(broker, &produce, "k1:v1\nk2:\n:v3\n")?;
    let expected = "0 k1 2 v1 2 one=1,two=zwei\n1 k2 2  -1 one=1,two=zwei\n2  -1 v3 2 one=1,two=zwei\n";
    same(expected, &read(broker, "keyed", "beginning", "%o %k %K %s %S %h\n")?)
}

fn codecs(broker: &mut Broker) -> Result<()> {
    let text = broker.scratch("text");
    corpus::write(&text, 300_000)?;
    let lines = fs::read_to_string(&text)?;
    let mut raw = Raw::connect(broker.port())?;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        raw.create_topic(codec, 1, &[])?;
        kcat(broker, &["-P", "-t", codec, "-p", "0", "-z", codec, "-l", &text.display().to_string()], "")?;
        ensure!(read(broker, codec, "beginning", "%s\n")? == lines, "the text came back changed with {codec}");
    }
    Ok(())
}

fn idempotent(broker: &mut Broker) -> Result<()> {
    Raw::connect(broker.port())?.create_topic("idempotent", 1, &[])?;
    let lines = numbered(5000);
    kcat(broker, &["-P", "-t", "idempotent", "-p", "0", "-X", "enable.idempotence=true", "-z", "lz4"], &lines)?;
    ensure!(read(broker, "idempotent", "beginning", "%s\n")? == lines, "the lines came back changed");
    Ok(())
}

fn auto_create(broker: &mut Broker) -> Result<()> {
    kcat(broker, &["-P", "-t", "made-by-use"], "hello\n")?;
    let text = kcat(broker, &["-L", "-t", "made-by-use"], "")?;
    ensure!(text.contains("topic \"made-by-use\" with 3 partitions:"), "{text}");
    same("hello\n", &kcat(broker, &["-C", "-q", "-e", "-t", "made-by-use", "-o", "beginning"], "")?)
}
