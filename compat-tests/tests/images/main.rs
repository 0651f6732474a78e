//! The images, without a container engine: their archives are unpacked, their digests and what engines look for checked; and where
//! namespaces can be made here, what modules of Testcontainers do to images of Kafka, Confluent and Redpanda is done to them step by
//! step (`modules`). `KLAMM_IMAGES` is the folder of the archives that `scripts/image.sh` has made.

mod modules;
mod refused;
mod scram;

use compat_tests::program::Output;
use compat_tests::rooted::{Image, Rooted, may_run};
use compat_tests::suite::Suite;
use compat_tests::{Context, Result, ensure};
use modules::MODULES;
use std::path::PathBuf;
use std::process::ExitCode;

const RUNNING: &str = "Transitioning from RECOVERY to RUNNING";
/// As both images' configurations say it.
const USER: &str = "1000:1000";

fn main() -> ExitCode {
    let mut suite = Suite::new("images").leaving_nothing().plain("archives", archives);
    if may_run() {
        suite = suite
            .plain("scratch", scratch)
            .plain("apache_kafka_by_itself", apache_kafka_by_itself)
            .plain("node_kafka_scram", scram::node_kafka_scram)
            .plain("health_checks", health_checks)
            .plain("what_is_not_built_stops_the_start", refused::what_is_not_built_stops_the_start)
            .plain("nothing_is_left", nothing_is_left);
        for module in MODULES {
            suite = suite.plain(module.name, || modules::serves_as_its_image(module));
        }
    }
    suite.run()
}

fn open(name: &str) -> Result<Image> {
    let folder =
        std::env::var_os("KLAMM_IMAGES").context("KLAMM_IMAGES is where scripts/image.sh has put its archives")?;
    Image::open(&PathBuf::from(folder).join(name))
}

fn kafka() -> Result<Image> {
    open("klamm-kafka.oci.tar")
}

fn well(output: &Output) -> Result<String> {
    ensure!(output.code == Some(0), "{}", output.tail());
    Ok(output.text())
}

/// A client of this machine writes and reads at the address that it is told.
fn serves(container: &Rooted, bootstrap: &str) -> Result<()> {
    well(&container.beside(&["kcat", "-P", "-b", bootstrap, "-t", "numbers"], "1\n2\n3\n")?)?;
    let read =
        well(&container.beside(&["kcat", "-C", "-b", bootstrap, "-t", "numbers", "-o", "beginning", "-e", "-q"], "")?)?;
    let mut lines: Vec<_> = read.lines().collect();
    lines.sort_unstable();
    ensure!(lines == ["1", "2", "3"], "{read:?}");
    Ok(())
}

/// Where the broker is the first process, or what is waits for it. A shell of a module as the first one hears no signal, with any
/// image.
fn stops(container: Rooted) -> Result<()> {
    ensure!(container.stop()?, "it ends well");
    Ok(())
}

fn archives() -> Result<()> {
    let of_both = "Apache-2.0 AND GPL-2.0-only AND GPL-3.0-or-later";
    for (name, licences) in [("klamm", "Apache-2.0"), ("klamm-kafka", of_both)] {
        let image = open(&format!("{name}.oci.tar"))?;
        let config = &image.config["config"];
        ensure!(image.config["os"] == "linux" && image.config["architecture"].is_string(), "{}", image.config);
        ensure!(config["StopSignal"] == "SIGTERM" && config["User"] == USER, "{config}");
        ensure!(config["ExposedPorts"]["9092/tcp"].is_object(), "{config}");
        for told in [&config["Labels"], &image.manifest["annotations"]] {
            ensure!(told["org.opencontainers.image.licenses"] == licences, "{told}");
            ensure!(told["org.opencontainers.image.title"] == name, "{told}");
            ensure!(told["org.opencontainers.image.version"].is_string(), "{told}");
        }
        // The name where each engine looks for it, with a host.
        let reference = format!("localhost/{name}:latest");
        let named = &image.index["manifests"][0];
        ensure!(named["annotations"]["io.containerd.image.name"] == *reference, "{named}");
        ensure!(named["annotations"]["org.opencontainers.image.ref.name"] == "latest", "{named}");
        let for_docker = &image.for_docker[0];
        ensure!(for_docker["RepoTags"][0] == *reference, "{for_docker}");
        let same = |path: &serde_json::Value, of: &serde_json::Value| {
            let digest = of["digest"].as_str().unwrap_or_default().replace(':', "/");
            path.as_str() == Some(&*format!("blobs/{digest}"))
        };
        ensure!(same(&for_docker["Config"], &image.manifest["config"]), "{for_docker}");
        ensure!(same(&for_docker["Layers"][0], &image.manifest["layers"][0]), "{for_docker}");
        ensure!(image.path("usr/share/doc/klamm/LICENSE").exists(), "its licence");
    }
    let (small, large) = (open("klamm.oci.tar")?, kafka()?);
    ensure!(small.list("Entrypoint") == ["/usr/bin/klamm"], "{}", small.config);
    ensure!(!small.path("bin").exists(), "nothing but the binary can be run");
    let debian = ["usr/share/doc/busybox-static/copyright", "usr/share/common-licenses/GPL-3", "bin/awk", "bin/bash"];
    let tools = ["opt/kafka/bin/kafka-topics.sh", "usr/bin/kafka-storage", "usr/bin/rpk", "entrypoint.sh"];
    for path in debian.iter().chain(&tools) {
        ensure!(large.path(path).symlink_metadata().is_ok(), "{path}");
    }
    Ok(())
}

fn scratch() -> Result<()> {
    let image = open("klamm.oci.tar")?;
    let mut container = image.start(None, None, None, &[("KAFKA_NUM_PARTITIONS", "2")])?;
    container.await_line("Kafka Server started")?;
    serves(&container, "127.0.0.1:9092")?;
    let listed = container.inside(
        &[
            "/usr/bin/klamm",
            "tool",
            "topics",
            "--bootstrap-server",
            "localhost:9092",
            "--describe",
            "--topic",
            "numbers",
        ],
        "",
    )?;
    ensure!(well(&listed)?.contains("PartitionCount: 2"), "{}", listed.tail());
    // By its name: the image's own path leads there.
    well(&container.inside(&["klamm", "--version"], "")?)?;
    stops(container)
}

/// `docker run apache/kafka`, with variables and a mounted file.
fn apache_kafka_by_itself() -> Result<()> {
    let image = kafka()?;
    std::fs::write(
        image.path("mnt/shared/config/server.properties"),
        "listeners=PLAINTEXT://:19092\nlog.dirs=/var/lib/kafka/data\n",
    )?;
    let mut container = image.start(None, None, None, &[("KAFKA_NUM_PARTITIONS", "4")])?;
    container.await_line(RUNNING)?;
    container.await_line("started")?;
    serves(&container, "127.0.0.1:19092")?;
    let topics =
        ["/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "localhost:19092", "--describe", "--topic", "numbers"];
    let described = well(&container.inside(&topics, "")?)?;
    ensure!(described.contains("PartitionCount: 4"), "{described}");
    stops(container)
}

/// Commands of compose files, as they are found in public ones, in a container that was started without settings.
fn health_checks() -> Result<()> {
    let image = kafka()?;
    let mut container = image.start(None, None, None, &[])?;
    container.await_line("Kafka Server started")?;
    for check in [
        "kafka-topics.sh --bootstrap-server localhost:9092 --list",
        "/opt/kafka/bin/kafka-topics.sh --bootstrap-server=localhost:9092 --list",
        "kafka-topics --bootstrap-server localhost:9092 --create --if-not-exists --topic a --partitions 3 --replication-factor 1",
        "kafka-broker-api-versions --bootstrap-server localhost:9092 | grep Produce",
        "/opt/kafka/bin/kafka-broker-api-versions.sh --bootstrap-server localhost:9092 || exit 1",
        "kafka-cluster.sh cluster-id --bootstrap-server localhost:9092",
        "kafka-topics --bootstrap-server localhost:9092 --describe --topic a | grep 'PartitionCount: 3'",
        "kafka-configs.sh --bootstrap-server localhost:9092 --alter --entity-type topics --entity-name a --add-config retention.ms=1000",
        "kafka-consumer-groups.sh --bootstrap-server localhost:9092 --list",
        "echo hello | kafka-console-producer.sh --bootstrap-server localhost:9092 --topic a",
        "kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic a --from-beginning --max-messages 1 --timeout-ms 20000 | grep hello",
        "nc -z localhost 9092",
        "echo > /dev/tcp/localhost/9092",
    ] {
        let output = container.inside(&["bash", "-c", check], "")?;
        ensure!(output.code == Some(0), "{check}: {}", output.tail());
    }
    stops(container)
}

/// Whatever a container has started ends with it, and so do its mounts.
fn nothing_is_left() -> Result<()> {
    let image = kafka()?;
    let script = "(setsid sleep 600 &); sleep 600 & echo begun; wait";
    let mut container = image.start(Some(&["sh"]), Some(&["-c", script]), None, &[])?;
    container.await_line("begun")?;
    // A command of the engine's, which does not end by itself.
    let entered = ["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo entered"];
    ensure!(well(&container.inside(&entered, "")?)? == "entered\n", "it runs inside");
    ensure!(image.processes()?.len() > 3, "{:?}", image.processes()?);
    drop(container);
    ensure!(image.processes()?.is_empty(), "{:?}", image.processes()?);
    let mounts = std::fs::read_to_string("/proc/mounts")?;
    ensure!(!mounts.contains(&image.path("").display().to_string()), "{mounts}");
    Ok(())
}
