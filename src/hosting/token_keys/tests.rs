//! Keys that are looked for again, by a clock that is set by hand and a source that says what it was told to.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::config::Layers;
use crate::io::environment;
use crate::io::simulated_disk::SimulatedDisk;
use crate::model::TimestampMs;
use crate::stdx::mutex::Mutex;

const SET: &[u8] = br#"{"keys":[{"kty":"oct","k":"AA","kid":"a"}]}"#;

struct Clock(Arc<AtomicU64>);

impl environment::Source for Clock {
    fn now(&self) -> Instant {
        Instant(0) + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn wall(&self) -> TimestampMs {
        TimestampMs(0)
    }

    fn random_bytes(&self) -> [u8; 16] {
        [0; 16]
    }
}

/// What comes of each look, and how long it takes.
type Script = Arc<Mutex<VecDeque<(Result<Option<&'static [u8]>, &'static str>, u64)>>>;

struct Scripted {
    script: Script,
    clock: Arc<AtomicU64>,
}

impl Source for Scripted {
    fn fetch(&mut self) -> Result<Option<KeySet>, String> {
        let (answer, took_ms) = self.script.lock().pop_front().expect("no look was to come");
        self.clock.fetch_add(took_ms, Ordering::Relaxed);
        answer.map(|set| set.map(|set| KeySet::parse(set).unwrap())).map_err(str::to_string)
    }
}

struct Scene {
    refresher: Refresher,
    keys: Arc<SigningKeys>,
    clock: Arc<AtomicU64>,
    script: Script,
}

fn tokens(url: &str) -> SignedTokens {
    let source = match url.strip_prefix("file:") {
        Some(path) => JwksSource::File(path.into()),
        None => JwksSource::Web(crate::stdx::url::Url::parse(url).unwrap()),
    };
    SignedTokens {
        jwks_url: url.into(),
        source,
        trust_store: None,
        refresh_ms: 10_000,
        retry_backoff_ms: 100,
        retry_backoff_max_ms: 1000,
        audiences: Vec::new(),
        issuer: None,
        clock_skew_seconds: 30,
        scope_claim: "scope".into(),
        subject_claim: "sub".into(),
    }
}

impl Scene {
    fn new() -> Scene {
        let (clock, script) = (Arc::new(AtomicU64::new(0)), Script::default());
        let keys = Arc::new(SigningKeys::new(KeySet::default(), Box::new(|| {})));
        let source = Box::new(Scripted { script: script.clone(), clock: clock.clone() });
        let environment = Environment::new(Clock(clock.clone()));
        let (_, tasks) = Inbox::new();
        let refresher = Refresher::new(&tokens("http://a/"), keys.clone(), source, tasks, environment);
        Scene { refresher, keys, clock, script }
    }

    /// What the next looks come to.
    fn expect(&self, answers: &[Result<Option<&'static [u8]>, &'static str>]) {
        assert!(self.script.lock().is_empty(), "all that was expected has come");
        self.script.lock().extend(answers.iter().map(|answer| (*answer, 0)));
    }

    /// A step at this time; in how many milliseconds the next one is due.
    fn at(&mut self, ms: u64, tasks: &[KeyTask]) -> u64 {
        self.clock.store(ms, Ordering::Relaxed);
        let due = self.refresher.step(tasks).unwrap();
        due.since(self.refresher.environment.now()).as_millis() as u64
    }

    fn count(&self) -> usize {
        format!("{:?}", self.keys).trim_end_matches(" keys").parse().unwrap()
    }
}

#[test]
fn keys_are_looked_for_by_the_clock() {
    let mut scene = Scene::new();
    assert_eq!((scene.at(0, &[]), scene.at(9999, &[]), scene.count()), (10_000, 1, 0));
    scene.expect(&[Ok(Some(SET))]);
    assert_eq!((scene.at(10_000, &[]), scene.count()), (10_000, 1));
    assert_eq!(scene.at(19_999, &[]), 1);
    // One that comes late is not made up for, and what is as it was stays.
    scene.expect(&[Ok(None)]);
    assert_eq!((scene.at(45_000, &[]), scene.count()), (5000, 1));
    scene.expect(&[]);
    assert_eq!(scene.refresher.step(&[KeyTask::Look, KeyTask::Stop]), None);
}

/// `Retry`: a failure is followed by others that come later and later, until the patience ends; the keys stay.
#[test]
fn what_fails_is_tried_again_for_a_while() {
    let mut scene = Scene::new();
    scene.expect(&[Ok(Some(SET))]);
    scene.at(10_000, &[]);
    scene.expect(&[Err("x")]);
    assert_eq!(scene.at(20_000, &[]), 100);
    assert_eq!((scene.at(20_050, &[]), scene.count()), (50, 1));
    for (at, wait) in [(20_100, 200), (20_300, 400), (20_700, 300)] {
        scene.expect(&[Err("x")]);
        assert_eq!(scene.at(at, &[]), wait, "at {at}");
    }
    // The last one: the next look is by the clock.
    scene.expect(&[Err("x")]);
    assert_eq!((scene.at(21_000, &[]), scene.count()), (9000, 1));
    scene.expect(&[Err("x"), Ok(Some(br#"{"keys":[]}"#))]);
    assert_eq!(scene.at(30_000, &[]), 100);
    assert_eq!((scene.at(30_100, &[]), scene.count()), (9900, 0));
    // A look that takes longer than the patience is not tried again.
    scene.script.lock().push_back((Err("slow"), 5000));
    assert_eq!(scene.at(40_000, &[]), 5000);
}

#[test]
fn what_is_asked_for_comes_at_once_but_not_again_and_again() {
    let mut scene = Scene::new();
    scene.expect(&[Ok(Some(SET))]);
    assert_eq!((scene.at(500, &[KeyTask::Look]), scene.count()), (9500, 1));
    scene.expect(&[]);
    assert_eq!(scene.at(600, &[KeyTask::Look, KeyTask::Look]), 900);
    scene.expect(&[Ok(None)]);
    assert_eq!(scene.at(1500, &[]), 8500);
    // While a failure is tried again, it waits its turn.
    scene.expect(&[Err("x")]);
    assert_eq!(scene.at(10_000, &[]), 100);
    assert_eq!(scene.at(10_010, &[KeyTask::Look]), 90);
    scene.expect(&[Ok(None)]);
    assert_eq!(scene.at(10_100, &[]), 900);
    scene.expect(&[Ok(None)]);
    assert_eq!(scene.at(11_000, &[]), 9000);
    scene.expect(&[]);
}

#[test]
fn a_file_is_read_at_the_start_and_when_it_changes() {
    let disk = Arc::new(SimulatedDisk::default());
    let as_disk: Arc<dyn Disk> = disk.clone();
    let open = |path: &str| source::open(&tokens(&format!("file:{path}")), &as_disk).unwrap();
    let doors =
        "The OAuth configuration option sasl.oauthbearer.jwks.endpoint.url contains a file (/k) that doesn't exist";
    let mut file = open("/k");
    assert_eq!(file.fetch().unwrap_err(), doors);
    disk.create_directories(Path::new("/")).unwrap();
    disk.replace(Path::new("/k"), b"{").unwrap();
    assert_eq!(file.fetch().unwrap_err(), "the keys of /k cannot be read: malformed JSON");
    disk.replace(Path::new("/k"), SET).unwrap();
    assert_eq!(file.fetch().unwrap().unwrap().len(), 1);
    assert!(file.fetch().unwrap().is_none());
    disk.replace(Path::new("/k"), br#"{"keys":[]}"#).unwrap();
    assert!(file.fetch().unwrap().unwrap().is_empty());
    disk.replace(Path::new("/k"), &vec![b' '; 600_000]).unwrap();
    assert!(file.fetch().unwrap_err().starts_with("Error reading the file contents of OAuth resource /k"));
}

/// Each provider is opened once, and one that cannot be reached stops the start.
#[test]
fn providers_are_opened_at_the_start() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
    let module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
    let handler = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler";
    let start = |more: &[(&str, &str)]| {
        let mut pairs = vec![
            ("listeners", "A://127.0.0.1:0,B://127.0.0.1:0".to_string()),
            ("listener.security.protocol.map", "A:SASL_PLAINTEXT,B:SASL_PLAINTEXT".into()),
            ("inter.broker.listener.name", "A".into()),
            ("sasl.mechanism.inter.broker.protocol", "OAUTHBEARER".into()),
            ("sasl.enabled.mechanisms", "OAUTHBEARER".into()),
            ("sasl.oauthbearer.jwks.endpoint.url", "file:/k".into()),
            ("sasl.oauthbearer.expected.audience", "a".into()),
            ("sasl.oauthbearer.allow.unverified.issuer", "true".into()),
        ];
        for listener in ["a", "b"] {
            for (key, value) in [("sasl.jaas.config", module), ("sasl.server.callback.handler.class", handler)] {
                let key: &'static str = format!("listener.name.{listener}.oauthbearer.{key}").leak();
                pairs.push((key, value.to_string()));
            }
        }
        let own = pairs.iter().map(|(key, value)| (key.to_string(), value.clone()));
        let overrides = own.chain(more.iter().map(|(key, value)| (key.to_string(), value.to_string()))).collect();
        let allowed = "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file:/k,http://127.0.0.1:1/";
        let environment = vec![("KAFKA_OPTS".to_string(), allowed.to_string())];
        let (config, _) = Config::load(&Layers { overrides, environment, ..Layers::default() }).unwrap();
        let environment = environment::fixed::environment(TimestampMs(0));
        TokenKeys::open(&config, &disk, &environment).map(|(keys, refreshers)| (keys, refreshers.len()))
    };
    let missing = start(&[]).err().unwrap();
    assert!(
        missing.starts_with("listener A: ") && missing.ends_with("contains a file (/k) that doesn't exist"),
        "{missing}"
    );
    disk.create_directories(Path::new("/")).unwrap();
    disk.replace(Path::new("/k"), SET).unwrap();
    let (keys, refreshers) = start(&[]).unwrap();
    assert_eq!((keys.0.len(), refreshers), (1, 1));
    assert_eq!(format!("{:?}", keys.of(&keys.0[0].0)), "1 keys");
    assert_eq!(format!("{:?}", keys.of(&tokens("file:/k"))), "0 keys");
    let (keys, refreshers) = start(&[("listener.name.b.sasl.oauthbearer.expected.audience", "b")]).unwrap();
    assert_eq!((keys.0.len(), refreshers), (2, 2));
    // Nothing listens there.
    let unreachable = start(&[("listener.name.b.sasl.oauthbearer.jwks.endpoint.url", "http://127.0.0.1:1/")]);
    let unreachable = unreachable.err().unwrap();
    assert!(unreachable.starts_with("listener B: Could not refresh JWKS: "), "{unreachable}");
}

/// A thread that looks, and is told to end.
#[test]
fn a_refresher_works_until_it_is_told_to_stop() {
    let (clock, script) = (Arc::new(AtomicU64::new(0)), Script::default());
    script.lock().push_back((Ok(Some(SET)), 0));
    let (inbox, tasks) = Inbox::new();
    let keys = Arc::new(SigningKeys::new(KeySet::default(), Box::new(|| {})));
    let source = Box::new(Scripted { script, clock: clock.clone() });
    let mut refresher =
        Refresher::new(&tokens("http://a/"), keys.clone(), source, tasks, Environment::new(Clock(clock)));
    let thread = std::thread::spawn(move || refresher.run());
    inbox.send(KeyTask::Look);
    while format!("{keys:?}") != "1 keys" {
        std::thread::sleep(Duration::from_millis(1));
    }
    inbox.send(KeyTask::Stop);
    thread.join().unwrap();
}
