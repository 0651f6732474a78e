//! What comes with the binary: `klamm doctor`, Kafka's tool names, completions and the man page, the Debian package, and what the
//! service manager is told. The tools' output is held against that of Apache Kafka's own tools on the same broker.

use compat_tests::port::Port;
use compat_tests::program::{self, Input, Output, wait_within};
use compat_tests::suite::Suite;
use compat_tests::test_process::TestProcess;
use compat_tests::{Context, Result, cache, ensure, klamm, tools};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    Suite::new("installs")
        .leaving_nothing()
        .plain("doctor_of_a_configuration", doctor_of_a_configuration)
        .plain("doctor_of_a_running_broker", doctor_of_a_running_broker)
        .plain("tools_as_kafkas", tools_as_kafkas)
        .plain("tools_that_log_in", tools_that_log_in)
        .plain("storage", storage)
        .plain("completions_and_man_page", completions_and_man_page)
        .plain("service_manager", service_manager)
        .plain("debian_package", debian_package)
        .run()
}

fn ran(arguments: &[&str]) -> Result<Output> {
    program::output(klamm::command(arguments)?, Input::Nothing, PATIENCE)
}

/// What the tool prints, which ends well.
fn said(arguments: &[&str], input: &str) -> Result<String> {
    Ok(program::run(klamm::command(arguments)?, Input::Bytes(input.as_bytes().to_vec()))?.text())
}

/// The findings of a call with `--json`, as "level sentence", and its exit code.
fn findings(arguments: &[&str]) -> Result<(Vec<String>, Option<i32>)> {
    let output = ran(&[&["doctor", "--json"], arguments].concat())?;
    let told: Value = serde_json::from_slice(&output.stdout).with_context(|| output.tail())?;
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_string();
    let all = told["findings"].as_array().context("findings")?;
    Ok((all.iter().map(|one| format!("{} {}", text(one, "level"), text(one, "sentence"))).collect(), output.code))
}

fn has(found: &[String], level: &str, words: &str) -> Result<()> {
    ensure!(found.iter().any(|one| one.starts_with(level) && one.contains(words)), "no {level} {words:?}: {found:#?}");
    Ok(())
}

fn doctor_of_a_configuration() -> Result<()> {
    let home = tempfile::tempdir()?;
    // Held to the end: the broker could bind it, and so can the doctor.
    let held = Port::reserve()?;
    let port = held.number();
    let data = home.path().join("data").display().to_string();
    let file = home.path().join("server.properties");
    let write = |more: &str| fs::write(&file, format!("log.dirs={data}\nlistener.naem=x\n{more}"));
    let file = file.display().to_string();

    write(&format!("listeners=PLAINTEXT://127.0.0.1:{port}\n"))?;
    let (found, code) = findings(&[&file])?;
    ensure!(code == Some(0), "{found:?}");
    has(&found, "warning", "unknown configuration listener.naem")?;
    has(&found, "note", "the first start makes it")?;
    ensure!(!Path::new(&data).exists(), "it changes nothing");

    write(&format!("listeners=PLAINTEXT://:{port}\nadvertised.listeners=PLAINTEXT://localhost:{port}\n"))?;
    let (found, code) = findings(&[&file])?;
    ensure!(code == Some(0), "{found:?}");
    has(&found, "warning", &format!("tells clients to connect to localhost:{port}"))?;
    has(&found, "warning", "may read, write and delete everything")?;

    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let at = format!("listeners=PLAINTEXT://{}", taken.local_addr()?);
    let (found, code) = findings(&[&file, "--override", &at, "--override", "advertised.listeners="])?;
    ensure!(code == Some(1), "{found:?}");
    has(&found, "error", "is taken by another process")?;

    let text = ran(&["doctor", &file, "--override", "num.partitions=none"])?;
    ensure!(
        text.code == Some(1) && text.text().contains("error: configuration: the broker does not start: "),
        "{}",
        text.tail()
    );
    let (found, code) = findings(&["/nowhere/server.properties"])?;
    ensure!(code == Some(1), "{found:?}");

    // Certificates of a throw-away broker, which are for localhost.
    let tls = home.path().join("tls");
    let broker = TestProcess::start(&["--tls", &tls.display().to_string()])?;
    let path = broker.ready["tls"]["server_p12"].as_str().context("a store")?;
    let settings = [
        format!("listeners=SSL://127.0.0.1:{port}"),
        "inter.broker.listener.name=SSL".to_string(),
        format!("ssl.keystore.location={}", path),
        "ssl.keystore.type=PKCS12".to_string(),
        format!("ssl.keystore.password={}", broker.ready["tls"]["password"].as_str().unwrap_or_default()),
    ];
    let with = |advertised: &str| -> Result<(Vec<String>, Option<i32>)> {
        let advertised = format!("advertised.listeners=SSL://{advertised}:{port}");
        let all = settings.iter().chain([&advertised]).flat_map(|text| ["--override", text]);
        findings(&all.chain(["--override", &format!("log.dirs={data}")]).collect::<Vec<_>>())
    };
    let (found, code) = with("127.0.0.1")?;
    ensure!(code == Some(0), "{found:?}");
    let (found, code) = with("127.0.0.2")?;
    ensure!(code == Some(1), "{found:?}");
    has(&found, "error", "clients that check names refuse it")
}

fn doctor_of_a_running_broker() -> Result<()> {
    let home = tempfile::tempdir()?;
    let data = home.path().join("data").display().to_string();
    let broker = TestProcess::start(&["--dir", &data])?;
    let (found, code) = findings(&["--connect", broker.bootstrap()])?;
    ensure!(code == Some(0), "{found:?}");
    has(&found, "note", &format!("tells clients to connect to {}, which works from here", broker.bootstrap()))?;
    let listeners = format!("listeners=PLAINTEXT://{}", broker.bootstrap());
    let dirs = format!("log.dirs={data}");
    let (found, code) = findings(&["--override", &listeners, "--override", &dirs])?;
    ensure!(code == Some(0), "{found:?}");
    has(&found, "note", "a running broker has")?;
    has(&found, "note", "is taken, by the running broker as it seems")?;

    let held = Port::reserve()?;
    let closed = held.number();
    let advertised = format!("advertised.listeners=PLAINTEXT://127.0.0.1:{closed}");
    let lost = TestProcess::start(&["--override", &advertised])?;
    let (found, code) = findings(&["--connect", lost.bootstrap()])?;
    ensure!(code == Some(1), "{found:?}");
    has(&found, "error", &format!("127.0.0.1:{closed}, which does not work from here"))?;

    let (found, code) = findings(&["--connect", &format!("127.0.0.1:{closed}")])?;
    ensure!(code == Some(1), "{found:?}");
    has(&found, "error", "cannot be reached")?;
    let secured = TestProcess::start(&["--user", "alice:secret"])?;
    let (found, code) = findings(&["--connect", secured.bootstrap()])?;
    ensure!(code == Some(0), "{found:?}");
    has(&found, "note", "tells no more without a login")
}

/// The classes behind Kafka's scripts.
fn class(tool: &str) -> &'static str {
    match tool {
        "topics" => "org.apache.kafka.tools.TopicCommand",
        "configs" => "org.apache.kafka.tools.ConfigCommand",
        "consumer-groups" => "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "broker-api-versions" => "org.apache.kafka.tools.BrokerApiVersionsCommand",
        "cluster" => "org.apache.kafka.tools.ClusterTool",
        other => panic!("no class is known of {other}"),
    }
}

/// Kafka's tool lists a topic's configs in the order of a hash.
fn with_sorted_configs(text: &str) -> String {
    let sorted = |line: &str| match line.split_once("Configs: ") {
        Some((head, configs)) => {
            let mut configs: Vec<_> = configs.split(',').collect();
            configs.sort_unstable();
            format!("{head}Configs: {}\n", configs.join(","))
        }
        None => format!("{line}\n"),
    };
    text.lines().map(sorted).collect()
}

/// Both tools say the same, and end alike.
fn same(bootstrap: &str, tool: &str, arguments: &[&str]) -> Result<()> {
    let at = ["--bootstrap-server", bootstrap];
    let ours = ran(&[&["tool", tool], arguments, &at].concat())?;
    let theirs = tools::output(class(tool), &[arguments, &at].concat(), "")?;
    let (own, kafkas) = (with_sorted_configs(&ours.text()), with_sorted_configs(&theirs.text()));
    ensure!(own == kafkas, "{tool} {arguments:?}: ours\n{own}\nKafka's\n{kafkas}");
    ensure!(ours.code == theirs.code, "{tool} {arguments:?}: {:?}, Kafka's {:?}", ours.code, theirs.code);
    Ok(())
}

fn tools_as_kafkas() -> Result<()> {
    let broker = TestProcess::start(&[])?;
    let at = broker.bootstrap();
    // In front of any group: the topic of the groups is made for the question.
    same(at, "consumer-groups", &["--describe", "--group", "missing"])?;
    let topics = |arguments: &[&str]| said(&[&["tool", "topics", "--bootstrap-server", at], arguments].concat(), "");
    let made = topics(&["--create", "--topic", "orders", "--partitions", "3", "--config", "retention.ms=1000"])?;
    ensure!(made == "Created topic orders.\n", "{made}");
    ensure!(topics(&["--create", "--if-not-exists", "--topic", "orders"])?.is_empty(), "it is there");
    topics(&["--create", "--topic", "a.b", "--replication-factor", "1"])?;
    same(at, "topics", &["--create", "--topic", "orders"])?;
    same(at, "topics", &["--create", "--topic", "wrong", "--partitions", "0"])?;
    same(at, "topics", &["--create", "--topic", "wrong", "--config", "retention.ms=x"])?;
    for arguments in [
        &["--list"][..],
        &["--list", "--topic", "ord.*"],
        &["--describe", "--exclude-internal"],
        &["--describe", "--topic", "orders"],
        &["--describe", "--topic", "orders,a.b"],
        &["--describe", "--topic", "missing"],
        &["--describe", "--topic", "missing", "--if-exists"],
        &["--delete", "--topic", "missing"],
        &["--alter", "--topic", "orders", "--partitions", "2"],
        &["--describe", "--topic", "\"orders, a.b\""],
        &["--describe", "--topic", "["],
        &["--describe", "--topic", ""],
        &["--list", "--partitions", "3"],
        &["--describe", "--if-exists"],
        &["--create", "--topic", "wrong", "--config", "retention.ms="],
    ] {
        same(at, "topics", arguments)?;
    }
    topics(&["--alter", "--topic", "orders", "--partitions", "4"])?;

    // Keys go where Kafka's producers send them, which a consumer of one partition sees.
    let produce = ["tool", "console-producer", "--broker-list", at, "--topic", "orders"];
    said(
        &[&produce[..], &["--property", "parse.key=true", "--property", "key.separator=:"]].concat(),
        "k:1\nk:2\nother:3\n",
    )?;
    said(&[&produce[..], &["--request-required-acks", "0"]].concat(), "4\n")?;
    let consume = ["tool", "console-consumer", "--bootstrap-server", at, "--topic", "orders", "--from-beginning"];
    let all = said(&[&consume[..], &["--max-messages", "4", "--property", "print.key=true"]].concat(), "")?;
    let mut lines: Vec<_> = all.lines().collect();
    lines.sort_unstable();
    ensure!(lines == ["k\t1", "k\t2", "null\t4", "other\t3"], "{lines:?}");
    let theirs = [
        "--topic",
        "orders",
        "--from-beginning",
        "--max-messages",
        "4",
        "--bootstrap-server",
        at,
        "--group",
        "readers",
    ];
    let read = tools::run("org.apache.kafka.tools.consumer.ConsoleConsumer", &theirs, "")?.text();
    ensure!(read.lines().count() == 4, "of their consumer: {read:?}");
    let early = said(&[&consume[..], &["--timeout-ms", "5000"]].concat(), "")?;
    ensure!(early.lines().count() == 4, "before its time is over: {early:?}");

    for arguments in [
        &["--list"][..],
        &["--list", "--state"],
        &["--describe", "--group", "readers"],
        &["--describe", "--group", "readers", "--offsets"],
        &["--describe", "--group", "readers", "--state"],
        &["--describe", "--all-groups"],
        &["--describe", "--group", "missing"],
        &["--describe", "--group", "missing", "--state"],
        &["--delete", "--group", "missing"],
        &["--list", "--group", "readers"],
    ] {
        same(at, "consumer-groups", arguments)?;
    }
    let configs = |arguments: &[&str]| said(&[&["tool", "configs", "--bootstrap-server", at], arguments].concat(), "");
    let of_topic = ["--entity-type", "topics", "--entity-name", "orders"];
    let set = configs(
        &[&["--alter", "--add-config", "cleanup.policy=[compact,delete],segment.ms=9000"], &of_topic[..]].concat(),
    )?;
    ensure!(set == "Completed updating config for topic orders.\n", "{set}");
    configs(&[&["--alter", "--delete-config", "segment.ms"], &of_topic[..]].concat())?;
    same(at, "configs", &[&["--describe"], &of_topic[..]].concat())?;
    same(at, "configs", &[&["--describe", "--all"], &of_topic[..]].concat())?;
    configs(&[
        "--alter",
        "--add-config",
        "SCRAM-SHA-256=[iterations=8192,password=x]",
        "--entity-type",
        "users",
        "--entity-name",
        "u",
    ])?;
    for arguments in [
        &["--describe", "--entity-type", "users", "--entity-name", "u"][..],
        &["--describe", "--entity-type", "users"],
        &["--describe", "--user", "missing"],
        &["--describe", "--topic", "missing"],
        &["--describe", "--topic", "missing", "--all"],
        &["--describe", "--broker", "77"],
        &["--describe", "--broker", "x"],
        &["--describe", "--entity-type", "brokers"],
        &["--alter", "--topic", "orders", "--add-config", "a=b=c"],
        &["--alter", "--user", "u", "--add-config", "SCRAM-SHA-256=[iterations=9,password=x]"],
        &["--alter", "--user", "u", "--add-config", "SCRAM-SHA-256=[iterations=99999,password=x]"],
        &["--alter", "--user", "u", "--add-config", "SCRAM-SHA-512=[password=a,b]"],
        &["--alter", "--user", "u", "--add-config", "SCRAM-SHA-512=[iterations=-1,password=a,iterations=4096]"],
    ] {
        same(at, "configs", arguments)?;
    }
    same(at, "cluster", &["cluster-id"])?;
    configs(&["--alter", "--user", "u", "--delete-config", "SCRAM-SHA-512"])?;
    same(at, "broker-api-versions", &[])?;
    formatted_as_by_kafka(at)?;

    let group = ["tool", "consumer-groups", "--bootstrap-server", at, "--delete", "--group", "readers"];
    let gone = said(&group, "")?;
    ensure!(gone == "Deletion of requested consumer groups ('readers') was successful.\n", "{gone}");
    topics(&["--delete", "--topic", "a.b,formatted"])?;
    ensure!(topics(&["--list", "--exclude-internal"])? == "orders\n", "a.b is gone");
    let nowhere = ran(&["tool", "topics", "--bootstrap-server", "127.0.0.1:1", "--list"])?;
    ensure!(
        nowhere.code == Some(1) && nowhere.text().starts_with("Error while executing topic command : "),
        "{}",
        nowhere.tail()
    );
    Ok(())
}

/// Records with headers and without values come out of both consumers alike; a line that is none ends the producer behind those in
/// front of it.
fn formatted_as_by_kafka(at: &str) -> Result<()> {
    let properties = ["parse.headers=true", "parse.key=true", "null.marker=N"];
    let properties: Vec<_> = properties.iter().flat_map(|property| ["--reader-property", property]).collect();
    let produce = ["tool", "console-producer", "--bootstrap-server", at, "--topic", "formatted"];
    let lines = klamm::command(&[&produce[..], &properties].concat())?;
    let wrong = program::output(lines, Input::Bytes(b"a:1,b:2\tk\tv\na:N\tN\tN\nwrong\n".to_vec()), PATIENCE)?;
    ensure!(
        wrong.code == Some(1) && wrong.tail().contains("No headers delimiter found on line number 3"),
        "{}",
        wrong.tail()
    );
    let columns = ["timestamp", "partition", "offset", "delivery", "epoch", "headers", "key"];
    let columns: Vec<_> = columns.iter().map(|column| format!("print.{column}=true")).collect();
    let columns = columns.iter().map(String::as_str).chain(["null.literal=-", "key.separator=|"]);
    let columns: Vec<_> = columns.flat_map(|property| ["--formatter-property", property]).collect();
    let consume = ["--bootstrap-server", at, "--topic", "formatted", "--from-beginning", "--max-messages", "2"];
    let own = said(&[&["tool", "console-consumer"], &consume[..], &columns].concat(), "")?;
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let kafkas = tools::run(class, &[&consume[..], &columns].concat(), "")?.text();
    ensure!(own.lines().count() == 2 && own == kafkas, "ours\n{own}\nKafka's\n{kafkas}");
    Ok(())
}

fn tools_that_log_in() -> Result<()> {
    let home = tempfile::tempdir()?;
    let broker = TestProcess::start(&["--user", "alice:al\"ice", "--topic", "orders"])?;
    let of = |password: &str| -> Result<Output> {
        let path = home.path().join("client.properties");
        let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
        let config = format!("sasl.jaas.config={module} required username=\"alice\" password=\"{password}\";\n");
        fs::write(&path, format!("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n{config}"))?;
        let path = path.display().to_string();
        ran(&["tool", "topics", "--list", "--bootstrap-server", broker.bootstrap(), "--command-config", &path])
    };
    let listed = of(r#"al\\"ice"#)?;
    ensure!(listed.code == Some(0) && listed.text() == "orders\n", "{}", listed.tail());
    let refused = of("wrong")?;
    ensure!(
        refused.code == Some(1)
            && ["SASL_AUTHENTICATION_FAILED", "Authentication failed"]
                .iter()
                .any(|words| refused.text().contains(words)),
        "{}",
        refused.tail()
    );
    Ok(())
}

/// By links of Kafka's names.
fn storage() -> Result<()> {
    let home = tempfile::tempdir()?;
    let link = home.path().join("kafka-storage.sh");
    std::os::unix::fs::symlink(klamm::binary()?, &link)?;
    let call = |arguments: &[&str]| {
        let mut command = Command::new(&link);
        command.args(arguments);
        program::output(command, Input::Nothing, PATIENCE)
    };
    let id = call(&["random-uuid"])?.text();
    ensure!(id.trim().len() == 22, "{id}");
    let file = home.path().join("server.properties");
    fs::write(&file, format!("log.dirs={}\n", home.path().join("data").display()))?;
    let file = file.display().to_string();
    let format = ["format", "-t", id.trim(), "-c", &file, "--standalone"];
    let made = call(&format)?;
    ensure!(made.code == Some(0) && made.text().contains(id.trim()), "{}", made.tail());
    ensure!(call(&format)?.code == Some(1), "it is formatted");
    ensure!(call(&[&format[..], &["--ignore-formatted"]].concat())?.code == Some(0), "and may stay so");
    Ok(())
}

fn completions_and_man_page() -> Result<()> {
    let home = tempfile::tempdir()?;
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "-n")] {
        let path = home.path().join(shell);
        fs::write(&path, said(&["completions", shell], "")?)?;
        let mut command = Command::new(shell);
        command.arg(check).arg(&path);
        program::run(command, Input::Nothing)?;
    }
    // As a user's shell does it: after `klamm do` there is one word.
    let mut fish = Command::new("fish");
    let asked = "source $argv[1]; complete -C 'klamm doc'; complete -C 'klamm test --as-version 4.'; complete -C 'klamm tool topics --cre'";
    fish.args(["--no-config", "-c", asked]).arg(home.path().join("fish")).env("HOME", home.path());
    let offered = program::run(fish, Input::Nothing)?.text();
    let first: Vec<_> = offered.lines().filter_map(|line| line.split('\t').next()).collect();
    ensure!(first.contains(&"doctor") && first.contains(&"4.4") && first.contains(&"--create"), "{offered}");
    let mut mandoc = Command::new("mandoc");
    mandoc.args(["-T", "lint", "-W", "warning"]);
    let page = said(&["man"], "")?;
    let linted = program::output(mandoc, Input::Bytes(page.into_bytes()), PATIENCE)?;
    // The version says which page it is: a date that is kept by hand is soon wrong.
    ensure!(linted.text().lines().all(|line| line.contains("missing date")), "{}", linted.tail());
    Ok(())
}

/// What a broker tells a socket in the place of systemd's.
fn service_manager() -> Result<()> {
    let home = tempfile::tempdir()?;
    let socket = UnixDatagram::bind(home.path().join("notify"))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let told = || -> Result<String> {
        let mut bytes = [0; 512];
        let length = socket.recv(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
    };
    let dirs = format!("log.dirs={}", home.path().join("data").display());
    let mut command = klamm::command(&["--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", &dirs])?;
    command.env("NOTIFY_SOCKET", home.path().join("notify")).stdout(Stdio::null());
    let mut child = command.spawn()?;
    let ready = told();
    compat_tests::broker::signal(child.id(), libc::SIGTERM);
    let stopping = told();
    let ended = wait_within(&mut child, PATIENCE)?;
    let ready = ready?;
    ensure!(ready.starts_with("READY=1\n") && ready.contains(&format!("MAINPID={}", child.id())), "{ready}");
    ensure!(ready.contains("STATUS=serves clients at address=127.0.0.1:"), "{ready}");
    ensure!(stopping?.starts_with("STOPPING=1"), "it says that it stops");
    ensure!(ended.success(), "{ended}");
    Ok(())
}

/// Made of the binary that is tested, whether or not that is static: what is looked at is the package.
fn debian_package() -> Result<()> {
    let home = tempfile::tempdir()?;
    let mut make = Command::new("bash");
    make.arg(cache::package().join("../scripts/deb.sh"))
        .env("KLAMM_STATIC", klamm::binary()?)
        .env("KLAMM_DIST", home.path());
    let said = program::run(make, Input::Nothing)?.text();
    let package = said.lines().last().context("no path")?;
    // What is complained of is mended or has its reason in the package; the binary that is tested may be larger than a static one.
    let of_the_binary = "missing-dependency-on-libc,unstripped-binary-or-object";
    let lint = program::command("lintian", &["--tag-display-limit", "0", "--suppress-tags", of_the_binary, package]);
    let complaints = program::output(lint, Input::Nothing, PATIENCE)?;
    ensure!(complaints.stdout.is_empty(), "{}", complaints.tail());
    let root = home.path().join("root");
    let mut unpack = Command::new("dpkg-deb");
    unpack.arg("-R").arg(package).arg(&root);
    program::run(unpack, Input::Nothing)?;
    for path in [
        "DEBIAN/control",
        "DEBIAN/postinst",
        "usr/bin/klamm",
        "etc/klamm/server.properties",
        "etc/default/klamm",
        "usr/share/man/man1/klamm.1.gz",
        "usr/share/bash-completion/completions/klamm",
        "usr/share/doc/klamm/copyright",
    ] {
        ensure!(root.join(path).exists(), "{path} is not in {package}");
    }
    let unit = fs::read_to_string(root.join("lib/systemd/system/klamm.service"))?;
    ensure!(unit.contains("Type=notify\n") && unit.contains("ProtectSystem=strict\n"), "{unit}");
    // The unit as it will be, with the binary where it is: systemd looks for what it starts.
    let verified = home.path().join("klamm.service");
    let binary = root.join("usr/bin/klamm").display().to_string();
    fs::write(&verified, unit.replace("/usr/bin/klamm", &binary).replace("Documentation=man:klamm(1)\n", ""))?;
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify").arg(&verified);
    let verdict = program::output(verify, Input::Nothing, PATIENCE)?;
    ensure!(verdict.code == Some(0) && !verdict.tail().contains("klamm.service:"), "{}", verdict.tail());
    // What the package starts with has nothing that will not work.
    let file = root.join("etc/klamm/server.properties").display().to_string();
    let (dirs, port) = (format!("log.dirs={}", home.path().display()), Port::reserve()?);
    let listeners = format!("listeners=PLAINTEXT://127.0.0.1:{}", port.number());
    let (found, code) = findings(&[&file, "--override", &dirs, "--override", &listeners])?;
    ensure!(code == Some(0), "{found:?}");
    Ok(())
}
