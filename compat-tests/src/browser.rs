//! Headless Chromium by chromedriver (W3C WebDriver): opens a page, types, clicks, waits and takes pictures.
//!
//! Waiting is done in the browser, from frame to frame, so that no test sleeps; each step has a limit.
//!
//! Invariant: the driver, the browser and what that starts end with their `Browser`, and with a test program that is killed.

use crate::program::Lines;
use crate::{Context, Result, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// More than a page needs, even on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_secs(30);
/// What chromedriver says when it listens.
const ON_PORT: &str = "successfully on port ";
/// A browser that is asked to end takes no longer, or is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Ends its whole group, in which it is the first, when its input ends: this process holds the other end of that, and the kernel lets
/// go of it however this process ends. What it starts in the background has no input.
const GUARD: &str = "chromedriver --port=0 & read -r line; kill -KILL 0";

/// A shell with the driver, the browser and what that starts: one group of processes.
struct Guard(Child);

impl Guard {
    fn start(home: &Path) -> Result<Guard> {
        let mut command = Command::new("sh");
        command.args(["-c", GUARD]).env("HOME", home).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Ok(Guard(command.spawn().context("cannot start the driver")?))
    }

    fn group(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: the guard is not waited for yet, so that its group's number is its own.
        unsafe { libc::kill(-(self.0.id() as i32), libc::SIGKILL) };
        let _ = self.0.wait();
        // The kernel ends them one by one; the last still writes into the profile.
        let _ = await_none_of(self.group());
    }
}

pub struct Browser {
    session: String,
    agent: ureq::Agent,
    guard: Guard,
    profile: tempfile::TempDir,
    /// Open as long as the driver, so that it never waits for a reader.
    _said: Lines,
}

impl Browser {
    pub fn start() -> Result<Browser> {
        let profile = tempfile::Builder::new().prefix("klamm-browser-").tempdir()?;
        let mut guard = Guard::start(profile.path())?;
        let lines = Lines::of(guard.0.stdout.take().context("its output")?);
        let told = lines.find_within(PATIENCE, "chromedriver's port", |line| line.contains(ON_PORT))?;
        let (_, port) = told.split_once(ON_PORT).context("chromedriver has named no port")?;
        let port: u16 = port.trim_end_matches('.').parse()?;
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(2 * PATIENCE)).build();
        let session = format!("http://127.0.0.1:{port}/session");
        let mut browser = Browser { session, agent: config.into(), guard, profile, _said: lines };
        let directory = format!("--user-data-dir={}", browser.profile.path().join("profile").display());
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1360,860"];
        let mut arguments: Vec<&str> = arguments.to_vec();
        arguments.push(&directory);
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": PATIENCE.as_millis() as u64 + 5000 },
        } } });
        let begun = browser.post("", &wanted)?;
        let id = begun["sessionId"].as_str().context("a session")?.to_string();
        browser.session = format!("{}/{id}", browser.session);
        Ok(browser)
    }

    fn told(answer: &mut ureq::http::Response<ureq::Body>) -> Result<Value> {
        let mut told: Value = answer.body_mut().with_config().limit(64 << 20).read_json()?;
        let value = told["value"].take();
        if let Some(error) = value.get("error").filter(|_| !answer.status().is_success()) {
            bail!("{error}: {}", value["message"]);
        }
        Ok(value)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Browser::told(&mut self.agent.post(format!("{}{path}", self.session)).send_json(body)?)
    }

    fn get(&self, path: &str) -> Result<Value> {
        Browser::told(&mut self.agent.get(format!("{}{path}", self.session)).call()?)
    }

    pub fn open(&self, url: &str) -> Result<()> {
        // A page that differs from the last one by its fragment alone would not be loaded anew.
        self.post("/url", &json!({ "url": "about:blank" }))?;
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    /// What a script returns.
    pub fn run(&self, script: &str) -> Result<Value> {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression of JavaScript is true, and answers it.
    pub fn wait(&self, what: &str, expression: &str) -> Result<Value> {
        let script = format!(
            "const done = arguments[arguments.length - 1], until = performance.now() + {};
             (function look() {{
                 const found = {expression};
                 if (found) done(found); else if (performance.now() > until) done(null); else setTimeout(look, 10);
             }})();",
            PATIENCE.as_millis()
        );
        let found = self.post("/execute/async", &json!({ "script": script, "args": [] }))?;
        if found.is_null() {
            bail!("{what} is not there. The page shows:\n{}", self.text("body")?);
        }
        Ok(found)
    }

    /// Waits until an element that is seen has a text.
    pub fn wait_for_text(&self, css: &str, text: &str) -> Result<()> {
        let expression = format!(
            "[...document.querySelectorAll({})].some(e => e.checkVisibility() && e.textContent.includes({}))",
            json!(css),
            json!(text)
        );
        self.wait(&format!("{text:?} in {css}"), &expression).map(drop)
    }

    pub fn text(&self, css: &str) -> Result<String> {
        let found = self.run(&format!("return document.querySelector({})?.innerText", json!(css)))?;
        Ok(found.as_str().with_context(|| format!("nothing is {css}"))?.to_string())
    }

    fn element(&self, css: &str) -> Result<String> {
        let found = self.post("/element", &json!({ "using": "css selector", "value": css }))?;
        Ok(found[ELEMENT].as_str().with_context(|| format!("nothing is {css}"))?.to_string())
    }

    /// Clicks as a person would: it must be seen, and nothing may lie above it.
    pub fn click(&self, css: &str) -> Result<()> {
        self.wait(css, &format!("!!document.querySelector({})?.checkVisibility()", json!(css)))?;
        let element = self.element(css).with_context(|| css.to_string())?;
        self.post(&format!("/element/{element}/click"), &json!({})).with_context(|| format!("clicking {css}")).map(drop)
    }

    /// Clicks the first element that is seen and has a text.
    pub fn click_text(&self, css: &str, text: &str) -> Result<()> {
        self.wait_for_text(css, text)?;
        let mark = format!(
            "[...document.querySelectorAll({})].find(e => e.checkVisibility() && e.textContent.includes({})).dataset.clicked = 'x'",
            json!(css),
            json!(text)
        );
        self.run(&mark)?;
        self.click("[data-clicked]")?;
        self.run("document.querySelectorAll('[data-clicked]').forEach(e => delete e.dataset.clicked)").map(drop)
    }

    /// Types into a field, over what is there.
    pub fn fill(&self, css: &str, text: &str) -> Result<()> {
        let element = self.element(css)?;
        self.post(&format!("/element/{element}/clear"), &json!({}))?;
        self.post(&format!("/element/{element}/value"), &json!({ "text": text })).map(drop)
    }

    pub fn prefer(&self, scheme: &str) -> Result<()> {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let command = json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        self.post("/goog/cdp/execute", &command).map(drop)
    }

    /// A picture of what is seen, as PNG.
    pub fn picture(&self, path: &Path) -> Result<()> {
        let picture = self.get("/screenshot")?;
        let bytes = BASE64_STANDARD.decode(picture.as_str().context("a picture")?)?;
        std::fs::write(path, bytes).with_context(|| path.display().to_string())
    }

    /// What the page has complained of since it was asked last: errors of its script, and what its policy has refused.
    pub fn no_complaints(&self) -> Result<()> {
        let told = self.post("/se/log", &json!({ "type": "browser" }))?;
        let of_network = |line: &&Value| line["source"] != "network";
        let complaints: Vec<_> = told.as_array().into_iter().flatten().filter(of_network).collect();
        ensure!(complaints.is_empty(), "the page complains: {complaints:?}");
        Ok(())
    }

    /// The group of all its processes.
    pub fn group(&self) -> u32 {
        self.guard.group()
    }

    /// What is left where the test program is killed: the guard's input ends, and nothing else is done for it.
    pub fn forsake(mut self) -> Result<()> {
        let group = self.group();
        self.guard.0.stdin = None;
        await_none_of(group)
    }
}

/// Waits until the last process of a group has ended.
fn await_none_of(group: u32) -> Result<()> {
    let began = Instant::now();
    loop {
        let left = processes_of(group)?;
        if left.is_empty() {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "they do not end: {left:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The processes of a group that have not ended, as `PID NAME`.
pub fn processes_of(group: u32) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc")? {
        // It may have ended meanwhile; and what is no process has no such file.
        let Ok(stat) = fs::read_to_string(process?.path().join("stat")) else { continue };
        // Behind the name, which may hold anything: state, parent, group.
        let Some((head, rest)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<&str> = rest.split(' ').collect();
        if fields.get(2) == Some(&&*group.to_string()) && !["Z", "X"].contains(&fields[0]) {
            found.push(head.replacen('(', "", 1));
        }
    }
    Ok(found)
}

impl Drop for Browser {
    fn drop(&mut self) {
        // In order where it can be, so that it writes nothing into the profile while that is removed; the guard does the rest.
        let ending = self.agent.delete(&self.session).config().timeout_global(Some(ENDS_WITHIN)).build();
        let _ = ending.call();
    }
}
