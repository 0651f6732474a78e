//! The images, without a container engine: their archives are unpacked, their digests checked, and what modules of Testcontainers
//! do to images of Kafka, Confluent and Redpanda is done to them step by step, as the modules' sources have it (testcontainers-java,
//! -go, -node, -python, -rs). `KLAMM_IMAGES` is the folder of the archives that `scripts/image.sh` has made.

use compat_tests::program::Output;
use compat_tests::rooted::{HOST_NAME, Image, Rooted, may_run};
use compat_tests::suite::Suite;
use compat_tests::{Context, Result, cache, ensure};
use std::path::PathBuf;
use std::process::ExitCode;

/// Listeners as the modules set them, the one for clients on 9092 or 9093.
const ADVERTISED: &str = "PLAINTEXT://localhost:9093";
const RUNNING: &str = "Transitioning from RECOVERY to RUNNING";

fn main() -> ExitCode {
    Suite::new("images")
        .leaving_nothing()
        .plain("archives", archives)
        .plain("scratch", scratch)
        .plain("apache_kafka_by_itself", apache_kafka_by_itself)
        .plain("java_kafka_container", java_kafka_container)
        .plain("java_confluent_container", java_confluent_container)
        .plain("go_kafka", go_kafka)
        .plain("node_kafka_kraft", node_kafka_kraft)
        .plain("node_kafka_scram", node_kafka_scram)
        .plain("python_kafka", python_kafka)
        .plain("python_kafka_zookeeper", python_kafka_zookeeper)
        .plain("rust_apache", rust_apache)
        .plain("redpanda_java_and_go", redpanda_java_and_go)
        .plain("redpanda_node", redpanda_node)
        .plain("redpanda_python", redpanda_python)
        .plain("health_checks", health_checks)
        .run()
}

fn open(name: &str) -> Result<Image> {
    ensure!(may_run(), "namespaces need root");
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
    let (small, large) = (open("klamm.oci.tar")?, kafka()?);
    for image in [&small, &large] {
        ensure!(image.config["os"] == "linux" && image.config["architecture"].is_string(), "{}", image.config);
        ensure!(image.config["config"]["StopSignal"] == "SIGTERM", "{}", image.config);
        ensure!(image.config["config"]["ExposedPorts"]["9092/tcp"].is_object(), "{}", image.config);
    }
    ensure!(small.list("Entrypoint") == ["/usr/bin/klamm"], "{}", small.config);
    ensure!(!small.path("bin").exists(), "nothing but the binary can be run");
    for path in ["opt/kafka/bin/kafka-topics.sh", "usr/bin/kafka-storage", "bin/bash", "usr/bin/rpk", "entrypoint.sh"] {
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

const MODULE: &[(&str, &str)] = &[
    ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
    ("KAFKA_INTER_BROKER_LISTENER_NAME", "BROKER"),
    ("KAFKA_PROCESS_ROLES", "broker,controller"),
    ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
    ("KAFKA_NODE_ID", "1"),
    ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
    ("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "1"),
    ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
    ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
    ("KAFKA_LOG_FLUSH_INTERVAL_MESSAGES", "9223372036854775807"),
    ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
];

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [MODULE, more].concat()
}

/// `org.testcontainers.kafka.KafkaContainer` and `ConfluentKafkaContainer`: the script comes when the ports are known.
fn of_java(run: &str) -> Result<()> {
    let image = kafka()?;
    let variables = with(&[
        ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
        ("KAFKA_LISTENERS", "PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9094"),
    ]);
    let wait = "while [ ! -f /tmp/testcontainers_start.sh ]; do sleep 0.1; done; /tmp/testcontainers_start.sh";
    let mut container = image.start(Some(&["sh"]), Some(&["-c", wait]), None, &variables)?;
    let advertised = format!("PLAINTEXT://localhost:9092,BROKER://{HOST_NAME}:9093");
    let script = format!("#!/bin/bash\nexport KAFKA_ADVERTISED_LISTENERS={advertised}\n{run}\n");
    container.put("/tmp/testcontainers_start.sh", &script, 0o777)?;
    container.await_line(RUNNING)?;
    serves(&container, "localhost:9092")?;
    let id = well(&container.inside(&["kafka-cluster", "cluster-id", "--bootstrap-server", "localhost:9092"], "")?)?;
    ensure!(id == "Cluster ID: 4L6g3nShT-eMCtK--X86sw\n", "{id}");
    Ok(())
}

fn java_kafka_container() -> Result<()> {
    of_java("/etc/kafka/docker/run")
}

fn java_confluent_container() -> Result<()> {
    of_java("/etc/confluent/docker/run")
}

/// `modules/kafka/kafka.go`
fn go_kafka() -> Result<()> {
    let image = kafka()?;
    let variables = with(&[
        ("KAFKA_LISTENERS", "PLAINTEXT://0.0.0.0:9093,BROKER://0.0.0.0:9092,CONTROLLER://0.0.0.0:9094"),
        ("KAFKA_REST_BOOTSTRAP_SERVERS", "PLAINTEXT://0.0.0.0:9093,BROKER://0.0.0.0:9092,CONTROLLER://0.0.0.0:9094"),
        ("KAFKA_BROKER_ID", "1"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9094"),
    ]);
    let wait =
        "while [ ! -f /usr/sbin/testcontainers_start.sh ]; do sleep 0.1; done; bash /usr/sbin/testcontainers_start.sh";
    let mut container = image.start(Some(&["sh"]), Some(&["-c", wait]), None, &variables)?;
    let script = format!(
        r#"#!/bin/bash
source /etc/confluent/docker/bash-config
export KAFKA_ADVERTISED_LISTENERS={ADVERTISED},BROKER://{HOST_NAME}:9092
echo Starting Kafka KRaft mode
sed -i '/KAFKA_ZOOKEEPER_CONNECT/d' /etc/confluent/docker/configure
echo 'kafka-storage format --ignore-formatted -t "$(kafka-storage random-uuid)" -c /etc/kafka/kafka.properties' >> /etc/confluent/docker/configure
echo '' > /etc/confluent/docker/ensure
/etc/confluent/docker/configure
/etc/confluent/docker/launch"#
    );
    container.put("/usr/sbin/testcontainers_start.sh", &script, 0o755)?;
    container.await_line(RUNNING)?;
    serves(&container, "localhost:9093")
}

/// `packages/modules/kafka/src/kafka-container.ts`, and its look whether a port is open, within the container.
fn of_node(
    image: &Image,
    listeners: &'static str,
    more: &[(&'static str, &'static str)],
    script: &str,
) -> Result<Rooted> {
    let own = [
        ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
        ("KAFKA_BROKER_ID", "1"),
        ("KAFKA_LISTENERS", listeners),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9094"),
        ("KAFKA_CONFLUENT_SUPPORT_METRICS_ENABLE", "false"),
    ];
    let variables = with(&[&own[..], more].concat());
    let wait = "echo 'Waiting for script...'; while [ ! -f /tmp/testcontainers_start.sh ]; do sleep 0.1; done; /tmp/testcontainers_start.sh";
    let mut container = image.start(Some(&["sh"]), Some(&["-c", wait]), None, &variables)?;
    container.await_line("Waiting for script...")?;
    container.put(
        "/tmp/testcontainers_start.sh",
        &format!("#!/bin/bash\n{script}/etc/confluent/docker/run \n"),
        0o777,
    )?;
    container.await_line("Kafka Server started")?;
    let probes: [&[&str]; 3] = [
        &["/bin/sh", "-c", "cat /proc/net/tcp* | awk '{print $2}' | grep -i :2385"],
        &["nc", "-vz", "localhost", "9093"],
        &["/bin/bash", "-c", "</dev/tcp/localhost/9093"],
    ];
    for probe in &probes[1..] {
        well(&container.inside(probe, "")?)?;
    }
    Ok(container)
}

fn node_kafka_kraft() -> Result<()> {
    let image = kafka()?;
    let listeners = "PLAINTEXT://0.0.0.0:9093,BROKER://0.0.0.0:9092,CONTROLLER://0.0.0.0:9094";
    let script = format!("export KAFKA_ADVERTISED_LISTENERS=BROKER://{HOST_NAME}:9092,{ADVERTISED}\n");
    let container = of_node(&image, listeners, &[], &script)?;
    serves(&container, "localhost:9093")?;
    Ok(())
}

/// `withSaslSslListener`: a PKCS12 store, and a user whom `kafka-storage` makes.
fn node_kafka_scram() -> Result<()> {
    let image = kafka()?;
    let home = tempfile::tempdir()?;
    let broker = compat_tests::test_process::TestProcess::start(&["--tls", &home.path().display().to_string()])?;
    let password = broker.ready["tls"]["password"].as_str().context("a password")?.to_string();
    drop(broker);
    let store = image.path("etc/kafka/secrets/server.keystore.pfx");
    std::fs::copy(home.path().join("server.p12"), &store)?;
    std::fs::set_permissions(&store, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let password: &'static str = password.leak();
    let more = [
        (
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
            "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT",
        ),
        ("KAFKA_SSL_PROTOCOL", "TLSv1.2"),
        ("KAFKA_SSL_KEYSTORE_LOCATION", "/etc/kafka/secrets/server.keystore.pfx"),
        ("KAFKA_SSL_KEYSTORE_PASSWORD", password),
        ("KAFKA_SSL_KEYSTORE_TYPE", "PKCS12"),
        ("KAFKA_SASL_ENABLED_MECHANISMS", "SCRAM-SHA-512"),
        (
            "KAFKA_LISTENER_NAME_SECURE_SCRAM-SHA-512_SASL_JAAS_CONFIG",
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        ),
    ];
    let listeners = "SECURE://0.0.0.0:9096,PLAINTEXT://0.0.0.0:9093,BROKER://0.0.0.0:9092,CONTROLLER://0.0.0.0:9094";
    let script = format!(
        "export KAFKA_ADVERTISED_LISTENERS=BROKER://{HOST_NAME}:9092,{ADVERTISED},SECURE://localhost:9096\n\
         echo 'kafka-storage format --ignore-formatted -t \"4L6g3nShT-eMCtK--X86sw\" -c /etc/kafka/kafka.properties \
         --add-scram \"SCRAM-SHA-512=[name=app-user,password=userPassword]\"' >> /etc/confluent/docker/configure\n"
    );
    let container = of_node(&image, listeners, &more, &script)?;
    serves(&container, "localhost:9093")?;
    // Debian's librdkafka 2.0.2 cannot log in by SCRAM, at Apache Kafka neither.
    let python = cache::root().join("venv/bin/python").display().to_string();
    let secured = |password: &str| {
        let authority = home.path().join("ca.pem").display().to_string();
        let program = "import sys; from confluent_kafka.admin import AdminClient
settings = {'bootstrap.servers': 'localhost:9096', 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.username': 'app-user', 'sasl.password': sys.argv[1], 'ssl.ca.location': sys.argv[2]}
print(sorted(AdminClient(settings).list_topics(timeout=10).topics))";
        container.beside(&[&python, "-c", program, password, &authority], "")
    };
    ensure!(well(&secured("userPassword")?)?.contains("numbers"), "it is listed");
    ensure!(secured("wrong")?.code != Some(0), "a wrong password");
    Ok(())
}

/// `KafkaContainer().with_kraft()` of testcontainers-python, whose script is run by `sh`.
fn python_kafka() -> Result<()> {
    of_python(&[
        ("CLUSTER_ID", "MkU3OEVBNTcwNTJENDM2Qk"),
        ("KAFKA_LISTENERS", "PLAINTEXT://0.0.0.0:9093,BROKER://0.0.0.0:9092,CONTROLLER://0.0.0.0:9094"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9094"),
    ], "sed -i '/KAFKA_ZOOKEEPER_CONNECT/d' /etc/confluent/docker/configure
echo 'kafka-storage format --ignore-formatted -t MkU3OEVBNTcwNTJENDM2Qk -c /etc/kafka/kafka.properties' >> /etc/confluent/docker/configure",
    "Kafka Server started", MODULE)
}

/// The same without: the modules' older way starts a ZooKeeper beside the broker.
fn python_kafka_zookeeper() -> Result<()> {
    let own = &MODULE[..2];
    let own: Vec<_> =
        [&[("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT")], &own[1..]].concat();
    of_python(
        &[("KAFKA_LISTENERS", "PLAINTEXT://0.0.0.0:9093,BROKER://0.0.0.0:9092"), ("KAFKA_BROKER_ID", "1")],
        "echo 'clientPort=2181' > zookeeper.properties
echo 'dataDir=/var/lib/zookeeper/data' >> zookeeper.properties
echo 'dataLogDir=/var/lib/zookeeper/log' >> zookeeper.properties
zookeeper-server-start zookeeper.properties &
export KAFKA_ZOOKEEPER_CONNECT='localhost:2181'",
        "[KafkaServer id=1] started",
        &own,
    )
}

fn of_python(
    variables: &[(&'static str, &'static str)],
    boot: &str,
    ready: &str,
    own: &[(&'static str, &'static str)],
) -> Result<()> {
    let image = kafka()?;
    let variables = [own, variables].concat();
    let wait = "while [ ! -f /tc-start.sh ]; do sleep 0.1; done; sh /tc-start.sh";
    let mut container = image.start(None, Some(&["sh", "-c", wait]), None, &variables)?;
    let script = format!(
        "#!/bin/bash\n{boot}\nexport KAFKA_ADVERTISED_LISTENERS={ADVERTISED},BROKER://$(hostname -i):9092\n\
         . /etc/confluent/docker/bash-config\n/etc/confluent/docker/configure\n/etc/confluent/docker/launch"
    );
    container.put("/tc-start.sh", &script, 0o644)?;
    container.await_line(ready)?;
    serves(&container, "localhost:9093")
}

/// testcontainers-rs `kafka::apache`
fn rust_apache() -> Result<()> {
    let image = kafka()?;
    let variables = with(&[
        ("CLUSTER_ID", "5L6g3nShT-eMCtK--X86sw"),
        ("KAFKA_LISTENERS", "PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9094"),
    ]);
    let wait = "while [ ! -f /opt/kafka/testcontainers_start.sh ]; do sleep 0.1; done; chmod 755 /opt/kafka/testcontainers_start.sh && /opt/kafka/testcontainers_start.sh";
    let mut container = image.start(Some(&["bash"]), Some(&["-c", wait]), None, &variables)?;
    // It is written by a command inside, as the image's user.
    let script = "#!/usr/bin/env bash\nexport KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:9092,BROKER://localhost:9093\n/etc/kafka/docker/run \n";
    let write = format!("echo '{script}' > /opt/kafka/testcontainers_start.sh");
    let as_user = ["bash", "-c", &write];
    well(&container.inside(&as_user, "")?)?;
    container.await_line("Kafka Server started")?;
    serves(&container, "127.0.0.1:9092")
}

const REDPANDA_YAML: &str = "# Injected by testcontainers
redpanda:
  admin:
    address: 0.0.0.0
    port: 9644

  kafka_api:
    - address: 0.0.0.0
      name: external
      port: 9092
      authentication_method: none

    # This listener is required for the schema registry client.
    - address: 0.0.0.0
      name: internal
      port: 9093
      authentication_method: none

  advertised_kafka_api:
    - address: localhost
      name: external
      port: 9092
    - address: 127.0.0.1
      name: internal
      port: 9093

schema_registry:
  schema_registry_api:
  - address: \"0.0.0.0\"
    name: main
    port: 8081

schema_registry_client:
  brokers:
    - address: localhost
      port: 9093
auto_create_topics_enabled: true
";

/// `RedpandaContainer` of Java and `modules/redpanda` of Go: an entry point of theirs waits for the file of the node.
fn redpanda_java_and_go() -> Result<()> {
    let image = kafka()?;
    let entry = "#!/usr/bin/env bash

# Wait for testcontainer's injected redpanda config with the port only known after docker start
until grep -q \"# Injected by testcontainers\" \"/etc/redpanda/redpanda.yaml\"
do
  sleep 0.1
done
exec /entrypoint.sh $@";
    std::fs::write(image.path("entrypoint-tc.sh"), entry)?;
    std::fs::set_permissions(image.path("entrypoint-tc.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    std::fs::write(image.path("etc/redpanda/.bootstrap.yaml"), "superusers: []\nauto_create_topics_enabled: true\n")?;
    let words = ["redpanda", "start", "--mode=dev-container", "--smp=1", "--memory=1G"];
    let mut container = image.start(Some(&["/entrypoint-tc.sh"]), Some(&words), Some("0"), &[])?;
    container.put("/etc/redpanda/redpanda.yaml", REDPANDA_YAML, 0o600)?;
    container.await_line("Successfully started Redpanda!")?;
    serves(&container, "localhost:9092")?;
    serves_no_http(&container)?;
    stops(container)
}

/// What Go's module waits for: ports that listen, and 404 from the admin API.
fn serves_no_http(container: &Rooted) -> Result<()> {
    for port in ["9644", "8081", "8082"] {
        let answer = container.inside(&["wget", "-S", "-O", "-", &format!("http://127.0.0.1:{port}/")], "")?;
        ensure!(answer.tail().contains("404 Not Found"), "{port}: {}", answer.tail());
    }
    Ok(())
}

fn redpanda_node() -> Result<()> {
    let image = kafka()?;
    let wait = "echo 'Waiting for script...'; while [ ! -f /testcontainers_start.sh ]; do sleep 0.1; done; /testcontainers_start.sh";
    let mut container = image.start(Some(&["sh"]), Some(&["-c", wait]), Some("0"), &[])?;
    container.await_line("Waiting for script...")?;
    container.put("/etc/redpanda/redpanda.yaml", REDPANDA_YAML, 0o777)?;
    let script = "#!/bin/bash\nrpk redpanda start --mode dev-container --smp=1 --memory=1G";
    container.put("/testcontainers_start.sh", script, 0o777)?;
    container.await_line("Successfully started Redpanda!")?;
    serves(&container, "localhost:9092")
}

fn redpanda_python() -> Result<()> {
    let image = kafka()?;
    let wait = "while [ ! -f /var/lib/redpanda/tc-start.sh ]; do sleep 0.1; done; sh /var/lib/redpanda/tc-start.sh";
    let mut container = image.start(Some(&["sh"]), Some(&["-c", wait]), None, &[])?;
    let script = "#!/bin/bash\n/usr/bin/rpk redpanda start --mode dev-container --smp 1 --memory 1G --kafka-addr PLAINTEXT://0.0.0.0:29092,OUTSIDE://0.0.0.0:9092  --advertise-kafka-addr PLAINTEXT://127.0.0.1:29092,OUTSIDE://localhost:9092\n";
    container.put("/var/lib/redpanda/tc-start.sh", script, 0o644)?;
    container.await_line("Started Kafka API server")?;
    serves(&container, "localhost:9092")?;
    Ok(())
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
