//! What Node's module of Testcontainers does for `withSaslSslListener`: beside the other modules, as it does more than start.

use crate::modules::{NODE_COMMAND, NODE_ENTRY, NODE_SCRIPT, variables_of};
use crate::{kafka, serves, well};
use compat_tests::rooted::HOST_NAME;
use compat_tests::{Context, Result, cache, ensure};

/// The listener for clients.
const ADVERTISED: &str = "PLAINTEXT://localhost:9093";

/// `withSaslSslListener`: a PKCS12 store, and a user whom `kafka-storage` makes.
pub fn node_kafka_scram() -> Result<()> {
    let image = kafka()?;
    let home = tempfile::tempdir()?;
    let broker = compat_tests::test_process::TestProcess::start(&["--tls", &home.path().display().to_string()])?;
    let password = broker.ready["tls"]["password"].as_str().context("a password")?.to_string();
    drop(broker);
    let store = image.path("etc/kafka/secrets/server.keystore.pfx");
    std::fs::copy(home.path().join("server.p12"), &store)?;
    std::fs::set_permissions(&store, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let more = [
        (
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
            "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT",
        ),
        ("KAFKA_SSL_PROTOCOL", "TLSv1.2"),
        ("KAFKA_SSL_KEYSTORE_LOCATION", "/etc/kafka/secrets/server.keystore.pfx"),
        ("KAFKA_SSL_KEYSTORE_PASSWORD", &*password),
        ("KAFKA_SSL_KEYSTORE_TYPE", "PKCS12"),
        ("KAFKA_SASL_ENABLED_MECHANISMS", "SCRAM-SHA-512"),
        (
            "KAFKA_LISTENER_NAME_SECURE_SCRAM-SHA-512_SASL_JAAS_CONFIG",
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        ),
    ];
    let listeners = "SECURE://0.0.0.0:9096,PLAINTEXT://0.0.0.0:9093,BROKER://0.0.0.0:9092,CONTROLLER://0.0.0.0:9094";
    let variables = [variables_of(&["all", "node"])?, vec![("KAFKA_LISTENERS", listeners)], more.to_vec()].concat();
    let mut container = image.start(NODE_ENTRY, Some(NODE_COMMAND), None, &variables)?;
    container.await_line("Waiting for script...")?;
    let script = format!(
        "#!/bin/bash\nexport KAFKA_ADVERTISED_LISTENERS=BROKER://{HOST_NAME}:9092,{ADVERTISED},SECURE://localhost:9096\n\
         echo 'kafka-storage format --ignore-formatted -t \"4L6g3nShT-eMCtK--X86sw\" -c /etc/kafka/kafka.properties \
         --add-scram \"SCRAM-SHA-512=[name=app-user,password=userPassword]\"' >> /etc/confluent/docker/configure\n/etc/confluent/docker/run\n"
    );
    container.put(NODE_SCRIPT, &script, 0o777)?;
    container.await_line("Kafka Server started")?;
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
