//! Headless Chromium by chromedriver (W3C WebDriver): opens a page, types, clicks, waits and takes pictures.
//!
//! Waiting is done in the browser, from frame to frame, so that no test sleeps. Both programs end with their `Browser`.

use crate::program::die_with_us;
use crate::{Context, Result, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// More than a page needs, even on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_secs(30);
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub fn start() -> Result<Browser> {
        let profile = tempfile::Builder::new().prefix("klamm-browser-").tempdir()?;
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        // The browser is a child of its driver: they end as one group.
        command.process_group(0);
        die_with_us(&mut command);
        let mut driver = command.spawn().context("cannot start chromedriver")?;
        let mut lines = BufReader::new(driver.stdout.take().context("its output")?).lines();
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        // What it says from here on is read to its end, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(2 * PATIENCE)).build();
        let at = format!("http://127.0.0.1:{}/session", port.context("chromedriver has named no port")?);
        let mut browser = Browser { driver, session: at, agent: config.into(), _profile: profile };
        let directory = format!("--user-data-dir={}", browser._profile.path().join("profile").display());
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
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        // SAFETY: the driver is not waited for yet, so that its group's number is its own.
        unsafe { libc::kill(-(self.driver.id() as i32), libc::SIGKILL) };
        let _ = self.driver.wait();
    }
}
