//! The page of `klamm test`, clicked through in headless Chromium, with records of a real client behind it: requests as they come,
//! records of topics, why a group does not read, rules that strike, the clock, the token. Pictures of each tab, light and dark, go to
//! the folder that `KLAMM_PICTURES` names.

use compat_tests::browser::{Browser, processes_of};
use compat_tests::clients::{self, group_member, librdkafka_at};
use compat_tests::http::{Http, PATIENCE};
use compat_tests::suite::Suite;
use compat_tests::test_process::TestProcess;
use compat_tests::{Context, Result, bail, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A value that would be an element if it were taken for HTML.
const HOSTILE: &str = "<img src=x onerror=\"document.title='taken over'\">";

fn main() -> ExitCode {
    Suite::new("page")
        .leaving_nothing()
        // A browser takes a processor.
        .at_once(1)
        .plain("requests", requests)
        .plain("topics", topics)
        .plain("groups", groups)
        .plain("faults", faults)
        .plain("several_brokers", several_brokers)
        .plain("clock", clock)
        .plain("token", token)
        .plain("closed_switches", closed_switches)
        .plain("the_browser_ends", the_browser_ends)
        .run()
}

fn client(broker: &TestProcess, id: &str) -> ClientConfig {
    let mut config = librdkafka_at(broker.bootstrap());
    config.set("client.id", id);
    config
}

fn produce(broker: &TestProcess, id: &str, values: &[&str]) -> Result<()> {
    let producer: BaseProducer = client(broker, id).set("linger.ms", "0").set("compression.type", "zstd").create()?;
    for (number, value) in values.iter().enumerate() {
        let key = format!("order-{number}");
        let headers = OwnedHeaders::new().insert(Header { key: "source", value: Some("shop") });
        let record = BaseRecord::to("orders").key(&key).payload(*value).partition(0).headers(headers);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE)?;
    Ok(())
}

/// A broker with a topic, and a browser before its page.
fn begin(tab: &str, arguments: &[&str]) -> Result<(TestProcess, Browser)> {
    let broker = TestProcess::start(&[&["--topic", "orders:3:retention.ms=600000"], arguments].concat())?;
    let browser = Browser::start()?;
    browser.open(&format!("{}/#{tab}", broker.text("http")))?;
    Ok((broker, browser))
}

/// Takes pictures in both colours.
fn pictures(browser: &Browser, name: &str) -> Result<()> {
    let Some(folder) = std::env::var_os("KLAMM_PICTURES").map(PathBuf::from) else { return Ok(()) };
    std::fs::create_dir_all(&folder)?;
    for scheme in ["light", "dark"] {
        browser.prefer(scheme)?;
        browser.picture(&folder.join(format!("{name}-{scheme}.png")))?;
    }
    browser.prefer("light")
}

fn is_well(browser: &Browser) -> Result<()> {
    browser.no_complaints()?;
    let trouble = browser
        .run("return document.querySelector('#trouble').hidden || document.querySelector('#trouble').innerText")?;
    ensure!(trouble == true, "the page says: {trouble}");
    let title = browser.run("return document.title")?;
    ensure!(title.as_str().is_some_and(|title| title.starts_with("Klamm ")), "the title is {title}");
    Ok(())
}

fn requests() -> Result<()> {
    let (broker, browser) = begin("requests", &[])?;
    browser.wait_for_text("#requests .empty", "No request yet")?;
    produce(&broker, "shop", &[r#"{"item":"lamp"}"#, HOSTILE])?;
    browser.wait_for_text("#requests-table tr", "Produce v")?;
    browser.wait_for_text("#requests-table tr", "shop")?;
    // Both bodies of a request, with its records.
    browser.click_text("#requests-table tbody tr", "Produce v")?;
    browser.wait_for_text("#exchange .tree", "topicData")?;
    browser.wait_for_text("#exchange .tree", "responses")?;
    // Branches are filled when they are opened.
    browser.wait(
        "the value",
        "(document.querySelectorAll('#exchange details').forEach(e => e.open = true), \
         document.querySelector('#exchange').textContent.includes('onerror'))",
    )?;
    ensure!(browser.text("#exchange")?.contains("onerror"), "a value is text");
    ensure!(browser.run("return document.images.length")? == 0, "a value is no element");
    // Filters: by the broker, and by the page.
    browser.fill("#filter", "api=ApiVersions")?;
    browser.wait("only these", "[...document.querySelectorAll('#requests-table tbody tr')].every(e => e.textContent.includes('ApiVersions')) && document.querySelector('#requests-table tbody tr')")?;
    browser.fill("#filter", "api=Nothing")?;
    browser.wait_for_text("#trouble", "there is no API \"Nothing\"")?;
    browser.fill("#filter", "topic=orders shop")?;
    browser.wait("only those of the topic", "document.querySelector('#trouble').hidden && [...document.querySelectorAll('#requests-table tbody tr')].some(e => e.textContent.includes('Produce'))")?;
    ensure!(!browser.text("#requests-table tbody")?.contains("ApiVersions"), "others are not shown");
    // Paused, nothing is added.
    browser.click("#pause")?;
    let before = browser.text("#requests-table tbody")?;
    produce(&broker, "shop", &["later"])?;
    browser.wait(
        "more that is not shown",
        "/paused, [1-9]/.test(document.querySelector('#requests-count').textContent)",
    )?;
    ensure!(browser.text("#requests-table tbody")? == before, "it stands still");
    browser.fill("#filter", "")?;
    browser.click("#pause")?;
    browser.wait_for_text("#requests-table", "Produce")?;
    is_well(&browser)?;
    pictures(&browser, "requests")
}

fn topics() -> Result<()> {
    let (broker, browser) = begin("topics", &[])?;
    let json = r#"{"item":"lamp","price":{"amount":12,"currency":"EUR"}}"#;
    produce(&broker, "shop", &[json, HOSTILE, "", "a plain text"])?;
    browser.wait("four records", "[...document.querySelectorAll('#topics-table tr')].some(e => e.textContent.includes('orders') && e.cells[2].textContent === '4')")?;
    browser.wait_for_text("#topics-table tr", "retention.ms=600000")?;
    browser.click_text("#topics-table tbody tr", "orders")?;
    browser.wait_for_text("#records-table", "order-3")?;
    browser.wait_for_text("#records-table", "a plain text")?;
    browser.wait_for_text("#records-table", "onerror")?;
    ensure!(browser.run("return document.images.length")? == 0, "a value is no element");
    let first = browser.run("return document.querySelector('#records-table tbody tr').innerText")?;
    ensure!(
        first.as_str().is_some_and(|row| row.starts_with('3') && row.contains("source")),
        "the newest is first: {first}"
    );
    browser.click_text("#formats button", "json")?;
    browser.wait_for_text("#records-table pre", "\"currency\": \"EUR\"\n")?;
    pictures(&browser, "topics")?;
    browser.click_text("#formats button", "hex")?;
    browser.wait_for_text("#records-table pre", "7b 22 69 74 65 6d")?;
    browser.click_text("#partitions-table tbody tr", "0")?;
    browser.click("#internal")?;
    is_well(&browser)
}

fn groups() -> Result<()> {
    let (broker, browser) = begin("groups", &[])?;
    produce(&broker, "shop", &["1", "2", "3"])?;
    let consumer = group_member(&client(&broker, "billing-app"), "billing", "orders")?;
    clients::read(&consumer, 3, |_| Ok(()))?;
    browser.wait_for_text("[data-group=billing] .why", "Nothing is committed for orders-0")?;
    browser.wait_for_text("[data-group=billing]", "billing-app")?;
    browser.wait_for_text("[data-group=billing] .state", "Stable")?;
    consumer.commit_consumer_state(CommitMode::Sync)?;
    browser.wait_for_text("[data-group=billing]", "lag 0")?;
    browser.wait_for_text("[data-group=billing] .why", "All is read")?;
    // A transaction that is open.
    let producer: BaseProducer = client(&broker, "payer").set("transactional.id", "payments").create()?;
    producer.init_transactions(PATIENCE)?;
    producer.begin_transaction()?;
    producer.send(BaseRecord::<str, str>::to("orders").payload("open").partition(0)).map_err(|(error, _)| error)?;
    producer.flush(PATIENCE)?;
    browser.wait_for_text("[data-group=billing] .why", "An open transaction (payments, Ongoing")?;
    pictures(&browser, "groups")?;
    browser.click("[data-tab=topics]")?;
    browser.click_text("#topics-table tbody tr", "orders")?;
    browser.wait_for_text("#records-table", "transaction open")?;
    browser.click("[data-tab=groups]")?;
    producer.commit_transaction(PATIENCE)?;
    // A rule that strikes what it asks.
    let rule = json!({ "match": { "api": "Fetch" }, "action": { "delay_ms": 50 } });
    Http::of_test(&broker)?.change("/v1/faults", &rule)?;
    let is_seen = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_seen.load(Ordering::Relaxed) {
                let _ = consumer.poll(Duration::from_millis(50));
            }
        });
        let seen = browser.wait_for_text("[data-group=billing] .why", "The fault rule 1 has struck");
        is_seen.store(true, Ordering::Relaxed);
        seen
    })?;
    consumer.unsubscribe();
    drop(consumer);
    browser.wait_for_text("[data-group=billing] .why", "The group has no members")?;
    is_well(&browser)
}

fn faults() -> Result<()> {
    let (broker, browser) = begin("faults", &[])?;
    browser.wait_for_text("#faults .empty", "No rule yet")?;
    browser.click_text("#presets button", "Leader moved")?;
    browser.fill("#fault [name=topic]", "orders")?;
    browser.fill("#fault [name=count]", "2")?;
    browser.fill("#fault [name=late]", "5")?;
    browser.click("#fault [type=submit]")?;
    browser.wait_for_text("#faults-table tr", "delay_ms=5 error=NOT_LEADER_OR_FOLLOWER, 2 times")?;
    browser.wait_for_text("#faults-count", "1")?;
    produce(&broker, "shop", &["struck"])?;
    browser.wait("it has struck twice", "document.querySelector('[data-rule=\"1\"]')?.cells[5].textContent === '2'")?;
    // A rule that is held, and released by the page.
    browser.click_text("#presets button", "Produce hangs")?;
    browser.click("#fault [type=submit]")?;
    browser.wait_for_text("[data-rule='2']", "hold")?;
    std::thread::scope(|scope| -> Result<()> {
        let sending = scope.spawn(|| produce(&broker, "shop", &["held"]));
        browser.wait("it holds", "document.querySelector('[data-rule=\"2\"]')?.cells[5].textContent === '1'")?;
        pictures(&browser, "faults")?;
        ensure!(!sending.is_finished(), "it waits");
        browser.click_text("[data-rule='2'] button", "Release")?;
        sending.join().map_err(|_| compat_tests::Error::msg("sending"))?
    })?;
    // A switch is off, and on again.
    browser.click("[data-rule='2'] input")?;
    browser.wait(
        "it is off",
        "!document.querySelector('[data-rule=\"2\"]') && document.querySelector('tr.off input:not(:checked)')",
    )?;
    browser.click("tr.off input:not(:checked)")?;
    browser.wait_for_text("[data-rule='3']", "hold")?;
    browser.click_text("[data-rule='3'] button", "Remove")?;
    browser.wait("it is gone", "!document.querySelector('[data-rule=\"3\"]')")?;
    // What cannot be is said.
    browser.click_text("#presets button", "Leader moved")?;
    browser.fill("#fault [name=amount]", "NO_SUCH_ERROR")?;
    browser.click("#fault [type=submit]")?;
    browser.wait_for_text("#fault-told", "NO_SUCH_ERROR")?;
    // The requests that were struck are red.
    browser.click("[data-tab=requests]")?;
    browser.wait_for_text("#requests-table tr.failed", "NOT_LEADER_OR_FOLLOWER")?;
    is_well(&browser)?;
    pictures(&browser, "requests-failed")
}

/// A broker goes down and comes back, a leader moves, and a rule strikes one broker only.
fn several_brokers() -> Result<()> {
    let (broker, browser) = begin("brokers", &["--brokers", "3"])?;
    let http = Http::of_test(&broker)?;
    let is_up = |id: usize| Ok::<_, compat_tests::Error>(http.json("/v1/brokers")?["brokers"][id - 1]["up"] == true);
    let leader = || {
        Ok::<_, compat_tests::Error>(
            http.json("/v1/topics?topic=orders")?["topics"][0]["partitions"][0]["leader"].clone(),
        )
    };
    browser.wait_for_text("[data-broker='2']", "up")?;
    browser.click_text("[data-broker='2'] button", "Take down")?;
    browser.wait_for_text("[data-broker='2']", "down")?;
    ensure!(!is_up(2)?, "the page has taken it down");
    pictures(&browser, "brokers")?;
    browser.click_text("[data-broker='2'] button", "Bring up")?;
    browser.wait_for_text("[data-broker='2'] button", "Take down")?;
    ensure!(is_up(2)?, "the page has brought it up");
    browser.click("[data-tab=topics]")?;
    browser.click_text("#topics-table tbody tr", "orders")?;
    let to = if leader()? == 3 { 1 } else { 3 };
    let choice = "document.querySelector('#partitions-table select')";
    browser.wait("a choice of leaders", choice)?;
    browser.run(&format!("{choice}.value = {to}; {choice}.dispatchEvent(new Event('change'))"))?;
    http.until("the leader has moved", |_| Ok((leader()? == to).then_some(())))?;
    browser.wait("the page shows it", &format!("{choice}?.value === '{to}'"))?;
    browser.click("[data-tab=faults]")?;
    browser.fill("#fault [name=broker]", "2")?;
    browser.fill("#fault [name=api]", "Heartbeat")?;
    browser.run("const deed = document.querySelector('#fault [name=deed]'); deed.value = 'expire_member'; deed.dispatchEvent(new Event('change'))")?;
    browser.click("#fault [type=submit]")?;
    browser.wait_for_text("#faults-table tr", "api=Heartbeat broker=2")?;
    browser.wait_for_text("#faults-table tr", "expire_member")?;
    is_well(&browser)
}

fn clock() -> Result<()> {
    let (_broker, browser) = begin("clock", &[])?;
    browser.wait_for_text("#now", "UTC")?;
    browser.click_text("#freeze", "Freeze")?;
    browser.wait_for_text("#now", "frozen")?;
    let before = browser.text("#now")?;
    browser.click_text("#steps button", "1 h")?;
    browser.wait("it has moved", &format!("document.querySelector('#now').innerText !== {before:?}"))?;
    browser.wait_for_text("#clock-told", "deadlines were met")?;
    let shown = browser
        .run("return Date.parse(document.querySelector('#now').innerText.slice(0, 23).replace(' ', 'T') + 'Z')")?;
    let was = browser.run(&format!("return Date.parse({before:?}.slice(0, 23).replace(' ', 'T') + 'Z')"))?;
    let moved = shown.as_i64().zip(was.as_i64()).map(|(shown, was)| shown - was);
    ensure!(moved == Some(3_600_000), "from {was} to {shown}");
    pictures(&browser, "clock")?;
    browser.click_text("#freeze", "Let it run")?;
    browser.wait("it runs", "!document.querySelector('#now').innerText.includes('frozen')")?;
    is_well(&browser)
}

/// The page asks for the token once, and keeps it for the tab.
fn token() -> Result<()> {
    let (broker, browser) = begin("topics", &["--override", "klamm.http.token=an-open-secret-of-tests"])?;
    browser.wait_for_text("#ask", "asks for its token")?;
    browser.fill("#token", "a-wrong-one")?;
    browser.click("#ask button")?;
    browser.wait(
        "it asks again",
        "document.querySelector('#ask').open && document.querySelector('#token').value === ''",
    )?;
    pictures(&browser, "token")?;
    browser.fill("#token", "an-open-secret-of-tests")?;
    browser.click("#ask button")?;
    browser.wait_for_text("#topics-table", "orders")?;
    browser.run("location.reload()")?;
    browser.wait_for_text("#topics-table", "orders")?;
    ensure!(browser.run("return document.querySelector('#ask').open")? == false, "it is asked for once");
    let page = Http::of_test(&broker)?.getting("/").call()?;
    let policy = page.headers().get("content-security-policy").context("a policy")?.to_str()?.to_string();
    if !policy.starts_with("default-src 'none'; script-src 'self'") {
        bail!("the policy is {policy}");
    }
    is_well(&browser)
}

/// Without faults and a clock of its own a broker shows no such tabs.
fn closed_switches() -> Result<()> {
    let off = ["--override", "klamm.faults=false", "--override", "klamm.clock=machine"];
    let (_broker, browser) = begin("faults", &off)?;
    browser.wait_for_text("[data-tab=requests][aria-selected=true]", "Requests")?;
    let hidden = "return ['faults', 'clock'].every(name => document.querySelector(`[data-tab=${name}]`).hidden)";
    ensure!(browser.run(hidden)? == true, "they are hidden");
    is_well(&browser)
}

/// Nothing of it outlives its `Browser`, nor a test program that is killed.
fn the_browser_ends() -> Result<()> {
    let started = || -> Result<Browser> {
        let browser = Browser::start()?;
        browser.open("about:blank")?;
        let processes = processes_of(browser.group())?;
        // The guard, the driver, the browser, and what that starts.
        ensure!(processes.len() > 3, "{processes:?}");
        Ok(browser)
    };
    let browser = started()?;
    let group = browser.group();
    drop(browser);
    ensure!(processes_of(group)?.is_empty(), "{:?}", processes_of(group)?);
    started()?.forsake()
}
