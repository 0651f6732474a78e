//! A Connect worker (`connect-runtime`) with `exactly.once.source.support` and a source of lines
//! (`clients/java/apps/LineSource.java`), whose positions are committed in the transactions of the records. Worker and
//! broker are killed in the middle.

use crate::PATIENCE;
use compat_tests::application::{self, Application};
use compat_tests::broker::Broker;
use compat_tests::port::Port;
use compat_tests::raw::Raw;
use compat_tests::reader::Reader;
use compat_tests::{Context, Result, ensure};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

const LINES: usize = 1000;

/// Appends the lines `from..to`.
fn write(file: &Path, lines: std::ops::Range<usize>) -> Result<()> {
    let text: String = lines.map(|n| format!("line {n}\n")).collect();
    Ok(OpenOptions::new().create(true).append(true).open(file)?.write_all(text.as_bytes())?)
}

fn worker(broker: &Broker, rest: &Port) -> Result<Application> {
    let config = broker.scratch("worker.properties");
    let text = format!(
        "bootstrap.servers={}\ngroup.id=connect\nexactly.once.source.support=enabled\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         config.storage.topic=configs\noffset.storage.topic=offsets\nstatus.storage.topic=statuses\n\
         config.storage.replication.factor=1\noffset.storage.replication.factor=1\n\
         status.storage.replication.factor=1\noffset.storage.partitions=2\nstatus.storage.partitions=1\n\
         listeners=http://127.0.0.1:{}\nplugin.discovery=service_load\nscheduled.rebalance.max.delay.ms=0\n\
         session.timeout.ms=6000\nheartbeat.interval.ms=1000\nreconnect.backoff.max.ms=200\n",
        broker.bootstrap(),
        rest.number()
    );
    std::fs::write(&config, text)?;
    let worker = application::java("org.apache.kafka.connect.cli.ConnectDistributed", &[&config.display().to_string()]);
    Application::start(worker)
}

/// Asks the worker until it takes the connector: while it starts, and while it joins its group, it refuses.
fn create(rest: &Port, connector: &str) -> Result<()> {
    let request = format!(
        "PUT /connectors/lines/config HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{connector}",
        connector.len()
    );
    compat_tests::member::ask_until("the worker takes the connector", PATIENCE, || {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", rest.number())) else { return Ok(false) };
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut answer = String::new();
        let answered = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
        let status = answer.split(' ').nth(1).unwrap_or_default();
        ensure!(status != "400", "{answer}");
        Ok(answered.is_ok() && status.starts_with("20"))
    })
}

pub fn source(broker: &mut Broker) -> Result<()> {
    let rest = Port::reserve()?;
    let file = broker.scratch("lines.txt");
    write(&file, 0..LINES)?;
    Raw::connect(broker.port())?.create_topic("lines", 1, &[])?;
    let connector = format!(
        r#"{{"connector.class": "LineSource", "tasks.max": "1",
            "file": "{}", "topic": "lines", "exactly.once.support": "required"}}"#,
        file.display()
    );
    let mut live = Reader::committed(broker, "lines", 1)?;
    let mut first = worker(broker, &rest)?;
    create(&rest, &connector).with_context(|| first.tail())?;
    live.wait_for(LINES / 4, PATIENCE).with_context(|| first.tail())?;
    first.kill9()?;
    let second = worker(broker, &rest)?;
    write(&file, LINES..2 * LINES)?;
    live.wait_for(LINES + LINES / 4, PATIENCE).with_context(|| second.tail())?;
    broker.kill9()?;
    broker.restart()?;
    write(&file, 2 * LINES..3 * LINES)?;
    live.wait_for(3 * LINES, PATIENCE).with_context(|| second.tail())?;
    drop(second);
    let seen = Reader::committed(broker, "lines", 1)?.to_end(PATIENCE)?;
    let expected = (0..3 * LINES).map(|n| format!("line {n}"));
    ensure!(seen.len() == 3 * LINES, "{} records of {} lines", seen.len(), 3 * LINES);
    let differs = seen.iter().zip(expected).find(|(seen, line)| seen.value != *line);
    ensure!(differs.is_none(), "the first that differs: {differs:?}");
    Ok(())
}
