//! What modules of Testcontainers do to the containers that they start, step by step, as their sources have it (testcontainers-java,
//! -go, -node, -python, -rs): variables, an entry point that waits for a file, the file that comes when the ports are known, a line of
//! the log or a probe, and a client.

use crate::{RUNNING, kafka, serves, stops, well};
use compat_tests::rooted::{HOST_NAME, Image, Rooted};
use compat_tests::{Context, Result, ensure};

/// Where the variables stand, by module.
const VARIABLES: &str = include_str!("../../../packaging/testcontainers.txt");

/// Who writes a file.
#[derive(PartialEq, Eq)]
pub enum By {
    /// The engine, before the start.
    Build,
    /// The engine, when the container runs.
    Engine,
    /// A command inside, as the image's user.
    Command,
}

pub struct File {
    path: &'static str,
    text: &'static str,
    mode: u32,
    by: By,
}

pub struct Module {
    pub name: &'static str,
    /// Sections of the table of variables.
    sections: &'static [&'static str],
    entry: Option<&'static [&'static str]>,
    command: &'static [&'static str],
    user: Option<&'static str>,
    /// What it waits for before it puts a file there.
    hears: Option<&'static str>,
    files: &'static [File],
    ready: &'static str,
    bootstrap: &'static str,
    /// What it looks at, beside the client.
    more: fn(&Image, Rooted) -> Result<()>,
}

pub const MODULES: &[Module] = &[
    Module {
        name: "java_kafka_container",
        sections: &["all", "java"],
        entry: JAVA_ENTRY,
        command: JAVA_COMMAND,
        user: None,
        hears: None,
        files: &[File {
            path: JAVA_SCRIPT,
            text: "#!/bin/bash
export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092,BROKER://@HOST@:9093
/etc/kafka/docker/run
",
            mode: 0o777,
            by: By::Engine,
        }],
        ready: RUNNING,
        bootstrap: "localhost:9092",
        more: is_of_its_cluster,
    },
    Module {
        name: "java_confluent_container",
        sections: &["all", "java"],
        entry: JAVA_ENTRY,
        command: JAVA_COMMAND,
        user: None,
        hears: None,
        files: &[File {
            path: JAVA_SCRIPT,
            text: "#!/bin/bash
export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092,BROKER://@HOST@:9093
/etc/confluent/docker/run
",
            mode: 0o777,
            by: By::Engine,
        }],
        ready: RUNNING,
        bootstrap: "localhost:9092",
        more: is_of_its_cluster,
    },
    // Before cp-kafka 7.4 it changes `configure` and leaves `ensure` empty, which it does without since then.
    Module {
        name: "java_legacy_kraft",
        sections: &["all", "java-legacy"],
        entry: JAVA_ENTRY,
        command: JAVA_COMMAND,
        user: None,
        hears: None,
        files: &[File {
            path: JAVA_SCRIPT,
            text: "#!/bin/bash
export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9093,BROKER://@HOST@:9092
echo '' > /etc/confluent/docker/ensure
sed -i '/KAFKA_ZOOKEEPER_CONNECT/d' /etc/confluent/docker/configure
echo 'kafka-storage format --ignore-formatted -t \"4L6g3nShT-eMCtK--X86sw\" -c /etc/kafka/kafka.properties' >> /etc/confluent/docker/configure
/etc/confluent/docker/run
",
            mode: 0o777,
            by: By::Engine,
        }],
        ready: RUNNING,
        bootstrap: "localhost:9093",
        more: is_of_its_cluster,
    },
    Module {
        name: "java_legacy_zookeeper",
        sections: &["java-legacy-zookeeper"],
        entry: JAVA_ENTRY,
        command: JAVA_COMMAND,
        user: None,
        hears: None,
        files: &[File {
            path: JAVA_SCRIPT,
            text: "#!/bin/bash
export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9093,BROKER://@HOST@:9092
echo '' > /etc/confluent/docker/ensure
echo 'clientPort=2181' > zookeeper.properties
echo 'dataDir=/var/lib/zookeeper/data' >> zookeeper.properties
echo 'dataLogDir=/var/lib/zookeeper/log' >> zookeeper.properties
zookeeper-server-start zookeeper.properties &
/etc/confluent/docker/run
",
            mode: 0o777,
            by: By::Engine,
        }],
        ready: "[KafkaServer id=1] started",
        bootstrap: "localhost:9093",
        more: no_more,
    },
    Module {
        name: "go_kafka",
        sections: &["all", "go"],
        entry: Some(&["sh"]),
        command: &[
            "-c",
            "while [ ! -f /usr/sbin/testcontainers_start.sh ]; do sleep 0.1; done; bash /usr/sbin/testcontainers_start.sh",
        ],
        user: None,
        hears: None,
        files: &[File {
            path: "/usr/sbin/testcontainers_start.sh",
            text: r#"#!/bin/bash
source /etc/confluent/docker/bash-config
export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9093,BROKER://@HOST@:9092
echo Starting Kafka KRaft mode
sed -i '/KAFKA_ZOOKEEPER_CONNECT/d' /etc/confluent/docker/configure
echo 'kafka-storage format --ignore-formatted -t "$(kafka-storage random-uuid)" -c /etc/kafka/kafka.properties' >> /etc/confluent/docker/configure
echo '' > /etc/confluent/docker/ensure
/etc/confluent/docker/configure
/etc/confluent/docker/launch"#,
            mode: 0o755,
            by: By::Engine,
        }],
        ready: RUNNING,
        bootstrap: "localhost:9093",
        more: no_more,
    },
    Module {
        name: "node_kafka_kraft",
        sections: &["all", "node"],
        entry: NODE_ENTRY,
        command: NODE_COMMAND,
        user: None,
        hears: Some("Waiting for script..."),
        files: &[File {
            path: NODE_SCRIPT,
            text: "#!/bin/bash
export KAFKA_ADVERTISED_LISTENERS=BROKER://@HOST@:9092,PLAINTEXT://localhost:9093
/etc/confluent/docker/run
",
            mode: 0o777,
            by: By::Engine,
        }],
        ready: "Kafka Server started",
        bootstrap: "localhost:9093",
        more: is_open_to_each_probe,
    },
    // Its script is run by `sh`.
    Module {
        name: "python_kafka",
        sections: &["all", "python"],
        entry: None,
        command: PYTHON_COMMAND,
        user: None,
        hears: None,
        files: &[File {
            path: "/tc-start.sh",
            text: "#!/bin/bash
sed -i '/KAFKA_ZOOKEEPER_CONNECT/d' /etc/confluent/docker/configure
echo 'kafka-storage format --ignore-formatted -t MkU3OEVBNTcwNTJENDM2Qk -c /etc/kafka/kafka.properties' >> /etc/confluent/docker/configure
export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9093,BROKER://$(hostname -i):9092
. /etc/confluent/docker/bash-config
/etc/confluent/docker/configure
/etc/confluent/docker/launch",
            mode: 0o644,
            by: By::Engine,
        }],
        ready: "Kafka Server started",
        bootstrap: "localhost:9093",
        more: no_more,
    },
    // Its older way starts a ZooKeeper beside the broker.
    Module {
        name: "python_kafka_zookeeper",
        sections: &["python-zookeeper"],
        entry: None,
        command: PYTHON_COMMAND,
        user: None,
        hears: None,
        files: &[File {
            path: "/tc-start.sh",
            text: "#!/bin/bash
echo 'clientPort=2181' > zookeeper.properties
echo 'dataDir=/var/lib/zookeeper/data' >> zookeeper.properties
echo 'dataLogDir=/var/lib/zookeeper/log' >> zookeeper.properties
zookeeper-server-start zookeeper.properties &
export KAFKA_ZOOKEEPER_CONNECT='localhost:2181'
export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9093,BROKER://$(hostname -i):9092
. /etc/confluent/docker/bash-config
/etc/confluent/docker/configure
/etc/confluent/docker/launch",
            mode: 0o644,
            by: By::Engine,
        }],
        ready: "[KafkaServer id=1] started",
        bootstrap: "localhost:9093",
        more: no_more,
    },
    Module {
        name: "rust_apache",
        sections: &["all", "rust"],
        entry: Some(&["bash"]),
        command: &[
            "-c",
            "while [ ! -f /opt/kafka/testcontainers_start.sh ]; do sleep 0.1; done; chmod 755 /opt/kafka/testcontainers_start.sh && /opt/kafka/testcontainers_start.sh",
        ],
        user: None,
        hears: None,
        files: &[File {
            path: "/opt/kafka/testcontainers_start.sh",
            text: "#!/usr/bin/env bash
export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:9092,BROKER://localhost:9093
/etc/kafka/docker/run
",
            mode: 0o644,
            by: By::Command,
        }],
        ready: "Kafka Server started",
        bootstrap: "127.0.0.1:9092",
        more: no_more,
    },
    // It waits for a line of ZooKeeper's and for nothing of the broker's.
    Module {
        name: "rust_confluent",
        sections: &["rust-confluent"],
        entry: None,
        command: &[
            "/bin/bash",
            "-c",
            "
echo 'clientPort=2181' > zookeeper.properties;
echo 'dataDir=/var/lib/zookeeper/data' >> zookeeper.properties;
echo 'dataLogDir=/var/lib/zookeeper/log' >> zookeeper.properties;
zookeeper-server-start zookeeper.properties &
. /etc/confluent/docker/bash-config &&
/etc/confluent/docker/configure &&
/etc/confluent/docker/launch",
        ],
        user: None,
        hears: Some("Creating new log file"),
        files: &[],
        ready: "Kafka Server started",
        bootstrap: "localhost:9093",
        more: tells_its_first_address_only,
    },
    // `RedpandaContainer` of Java and modules/redpanda of Go: an entry point of theirs waits for the file of the node.
    Module {
        name: "redpanda_java_and_go",
        sections: &[],
        entry: Some(&["/entrypoint-tc.sh"]),
        command: &["redpanda", "start", "--mode=dev-container", "--smp=1", "--memory=1G"],
        user: Some("0"),
        hears: None,
        files: &[
            File {
                path: "/entrypoint-tc.sh",
                text: "#!/usr/bin/env bash

# Wait for testcontainer's injected redpanda config with the port only known after docker start
until grep -q \"# Injected by testcontainers\" \"/etc/redpanda/redpanda.yaml\"
do
  sleep 0.1
done
exec /entrypoint.sh $@",
                mode: 0o700,
                by: By::Build,
            },
            File { path: "/etc/redpanda/.bootstrap.yaml", text: BOOTSTRAP_YAML, mode: 0o600, by: By::Build },
            File { path: "/etc/redpanda/redpanda.yaml", text: REDPANDA_YAML, mode: 0o600, by: By::Engine },
        ],
        ready: "Successfully started Redpanda!",
        bootstrap: "localhost:9092",
        more: serves_no_http_and_stops,
    },
    Module {
        name: "redpanda_node",
        sections: &[],
        entry: Some(&["sh"]),
        command: &[
            "-c",
            "echo 'Waiting for script...'; while [ ! -f /testcontainers_start.sh ]; do sleep 0.1; done; /testcontainers_start.sh",
        ],
        user: Some("0"),
        hears: Some("Waiting for script..."),
        files: &[
            File { path: "/etc/redpanda/redpanda.yaml", text: REDPANDA_YAML, mode: 0o777, by: By::Engine },
            File {
                path: "/testcontainers_start.sh",
                text: "#!/bin/bash\nrpk redpanda start --mode dev-container --smp=1 --memory=1G",
                mode: 0o777,
                by: By::Engine,
            },
        ],
        ready: "Successfully started Redpanda!",
        bootstrap: "localhost:9092",
        more: no_more,
    },
    Module {
        name: "redpanda_python",
        sections: &[],
        entry: Some(&["sh"]),
        command: &[
            "-c",
            "while [ ! -f /var/lib/redpanda/tc-start.sh ]; do sleep 0.1; done; sh /var/lib/redpanda/tc-start.sh",
        ],
        user: None,
        hears: None,
        files: &[File {
            path: "/var/lib/redpanda/tc-start.sh",
            text: "#!/bin/bash
/usr/bin/rpk redpanda start --mode dev-container --smp 1 --memory 1G --kafka-addr PLAINTEXT://0.0.0.0:29092,OUTSIDE://0.0.0.0:9092  --advertise-kafka-addr PLAINTEXT://127.0.0.1:29092,OUTSIDE://localhost:9092
",
            mode: 0o644,
            by: By::Engine,
        }],
        ready: "Started Kafka API server",
        bootstrap: "localhost:9092",
        more: no_more,
    },
];

const JAVA_ENTRY: Option<&[&str]> = Some(&["sh"]);
const JAVA_SCRIPT: &str = "/tmp/testcontainers_start.sh";
const JAVA_COMMAND: &[&str] =
    &["-c", "while [ ! -f /tmp/testcontainers_start.sh ]; do sleep 0.1; done; /tmp/testcontainers_start.sh"];
pub const NODE_ENTRY: Option<&[&str]> = Some(&["sh"]);
pub const NODE_SCRIPT: &str = "/tmp/testcontainers_start.sh";
pub const NODE_COMMAND: &[&str] = &[
    "-c",
    "echo 'Waiting for script...'; while [ ! -f /tmp/testcontainers_start.sh ]; do sleep 0.1; done; /tmp/testcontainers_start.sh",
];
const PYTHON_COMMAND: &[&str] = &["sh", "-c", "while [ ! -f /tc-start.sh ]; do sleep 0.1; done; sh /tc-start.sh"];

/// Cluster properties of Redpanda, as its modules write them where nothing is asked of them.
const BOOTSTRAP_YAML: &str = "# Injected by testcontainers
superusers:
  []
";

pub const REDPANDA_YAML: &str = "# Injected by testcontainers
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

pub fn variables_of(sections: &[&str]) -> Result<Vec<(&'static str, &'static str)>> {
    let mut found = Vec::new();
    for section in sections {
        let (_, below) = VARIABLES.split_once(&format!("\n[{section}]\n")).context("no such section")?;
        let lines = below.lines().take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#'));
        found.extend(lines.filter_map(|line| line.split_once('=')));
    }
    Ok(found)
}

fn put(image: &Image, container: Option<&Rooted>, file: &File) -> Result<()> {
    let text = file.text.replace("@HOST@", HOST_NAME);
    match (&file.by, container) {
        (By::Build, None) => {
            std::fs::write(image.path(file.path), text)?;
            let mode = std::os::unix::fs::PermissionsExt::from_mode(file.mode);
            Ok(std::fs::set_permissions(image.path(file.path), mode)?)
        }
        (By::Engine, Some(container)) => container.put(file.path, &text, file.mode),
        (By::Command, Some(container)) => {
            let write = format!("echo '{text}' > {}", file.path);
            well(&container.inside(&["bash", "-c", &write], "")?).map(drop)
        }
        _ => Ok(()),
    }
}

/// Starts a container as the module does, and reads and writes where its clients are told to.
pub fn serves_as_its_image(module: &Module) -> Result<()> {
    let image = kafka()?;
    module.files.iter().try_for_each(|file| put(&image, None, file))?;
    let variables = variables_of(module.sections)?;
    let mut container = image.start(module.entry, Some(module.command), module.user, &variables)?;
    if let Some(line) = module.hears {
        container.await_line(line)?;
    }
    module.files.iter().try_for_each(|file| put(&image, Some(&container), file))?;
    container.await_line(module.ready)?;
    serves(&container, module.bootstrap)?;
    (module.more)(&image, container)
}

fn no_more(_: &Image, _: Rooted) -> Result<()> {
    Ok(())
}

fn is_of_its_cluster(_: &Image, container: Rooted) -> Result<()> {
    let id = well(&container.inside(&["kafka-cluster", "cluster-id", "--bootstrap-server", "localhost:9092"], "")?)?;
    ensure!(id == "Cluster ID: 4L6g3nShT-eMCtK--X86sw\n", "{id}");
    Ok(())
}

/// The module then tells the port at which the engine has published it, as a broker with ZooKeeper lets itself be told, and waits
/// for a line of that one's controller. A broker with KRaft refuses: Apache Kafka's as well.
fn tells_its_first_address_only(_: &Image, container: Rooted) -> Result<()> {
    let listeners = "advertised.listeners=[PLAINTEXT://127.0.0.1:32768,BROKER://localhost:9092]";
    let alter = ["kafka-configs", "--alter", "--bootstrap-server", "0.0.0.0:9092", "--entity-type", "brokers"];
    let told = container.inside(&[&alter[..], &["--entity-name", "1", "--add-config", listeners]].concat(), "")?;
    ensure!(told.code != Some(0), "it is taken");
    ensure!(told.tail().contains("Cannot update these configs dynamically"), "{}", told.tail());
    Ok(())
}

/// Node's module is content with one of these.
fn is_open_to_each_probe(_: &Image, container: Rooted) -> Result<()> {
    let probes: [&[&str]; 3] = [
        &["/bin/sh", "-c", "cat /proc/net/tcp* | awk '{print $2}' | grep -i :2385"],
        &["/bin/sh", "-c", "nc -vz -w 1 localhost 9093"],
        &["/bin/bash", "-c", "</dev/tcp/localhost/9093"],
    ];
    for probe in probes {
        well(&container.inside(probe, "")?).with_context(|| format!("{probe:?}"))?;
    }
    ensure!(container.inside(&["nc", "-z", "localhost", "9"], "")?.code != Some(0), "nothing listens there");
    Ok(())
}

/// What Go's module waits for: ports that listen, and 404 from the admin API.
fn serves_no_http_and_stops(_: &Image, container: Rooted) -> Result<()> {
    for port in ["9644", "8081", "8082"] {
        let answer = container.inside(&["wget", "-S", "-O", "-", &format!("http://127.0.0.1:{port}/")], "")?;
        ensure!(answer.tail().contains("404 Not Found"), "{port}: {}", answer.tail());
    }
    stops(container)
}
