//! `klamm tap`: follows the requests that a broker answers, a line for each, by `/v1/requests` of its HTTP side.

use std::io::{self, Read, Write};

use serde_json::Value;

use super::args::Given;
use crate::io::events::{self, LineAnswer};
use crate::stdx::secret::Secret;
use crate::stdx::url::Url;

/// Where the broker's HTTP side is where nothing says so.
const USUAL_ADDRESS: &str = "http://127.0.0.1:8080";
const ADDRESS_VARIABLE: &str = "KLAMM_HTTP";
const TOKEN_VARIABLE: &str = "KLAMM_HTTP_TOKEN";

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct TapArguments {
    /// `None`: the environment says, or it is the usual one.
    pub(super) http: Option<String>,
    pub(super) token: Option<Secret>,
    /// Words that requests must answer to.
    pub(super) words: Vec<(String, String)>,
    /// Whole, as JSON.
    pub(super) is_json: bool,
    pub(super) bodies: bool,
}

impl TapArguments {
    /// What the line says; an error is a sentence.
    pub(super) fn of(given: &Given) -> Result<TapArguments, String> {
        let pair = |word: String| match word.split_once('=') {
            Some((name, value)) => Ok((name.to_string(), value.to_string())),
            None => Err(format!("tap looks for name=value, not {word:?}")),
        };
        Ok(TapArguments {
            http: given.text("http")?,
            token: given.text("token")?.map(Secret::new),
            words: given.words()?.into_iter().map(pair).collect::<Result<_, _>>()?,
            is_json: given.has("json"),
            bodies: given.has("bodies"),
        })
    }
}

pub(super) fn run(arguments: TapArguments) -> Result<(), String> {
    let of_environment = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let address = arguments.http.clone().or_else(|| of_environment(ADDRESS_VARIABLE));
    let address = address.unwrap_or_else(|| USUAL_ADDRESS.into());
    let url = Url::parse(&address).map_err(|reason| format!("{address:?} is no address of HTTP: {reason}"))?;
    if url.is_tls {
        return Err("the HTTP side of a broker has no TLS: its address begins with http://".into());
    }
    let token = arguments.token.clone().or_else(|| of_environment(TOKEN_VARIABLE).map(Secret::new));
    let mut answer = events::get(&url, &target(&arguments), token.as_ref())
        .map_err(|error| format!("no broker answers at {address}: {error}"))?;
    if answer.status != 200 {
        return Err(refusal(&address, &mut answer));
    }
    loop {
        match answer.line() {
            Ok(Some(line)) => {
                let Some(event) = line.strip_prefix("data: ") else { continue };
                let told = if arguments.is_json { format!("{event}\n") } else { shown(event, arguments.bodies)? };
                let mut output = io::stdout().lock();
                match output.write_all(told.as_bytes()).and_then(|()| output.flush()) {
                    // The reader wants no more.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                    written => written.map_err(|error| format!("cannot write: {error}"))?,
                }
            }
            Ok(None) => return Err(format!("the broker at {address} has ended the stream")),
            Err(error) => return Err(format!("the stream of {address} has ended: {error}")),
        }
    }
}

fn target(arguments: &TapArguments) -> String {
    let bodies = arguments.bodies;
    let mut target = format!("/v1/requests?follow=true&bodies={bodies}&records={bodies}");
    for (name, value) in &arguments.words {
        target.push_str(&format!("&{}={}", encoded(name), encoded(value)));
    }
    target
}

/// Text as it stands in a query.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn refusal(address: &str, answer: &mut LineAnswer<impl Read>) -> String {
    let told = answer.line().ok().flatten().and_then(|line| serde_json::from_str::<Value>(&line).ok());
    match told.as_ref().and_then(|told| told["error"].as_str()) {
        Some(sentence) => format!("the broker at {address} says: {}", printable(sentence)),
        None => format!("{address} answers with the status {}", answer.status),
    }
}

/// A request as its line, perhaps with its bodies.
fn shown(event: &str, bodies: bool) -> Result<String, String> {
    let request: Value = serde_json::from_str(event).map_err(|_| "the broker tells what is no JSON".to_string())?;
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let number = |name: &str| request[name].as_i64().unwrap_or_default();
    let errors = request["errors"].as_object().into_iter().flatten();
    let error = |(name, count): (&String, &Value)| if *count == 1 { name.clone() } else { format!("{name}×{count}") };
    let errors: Vec<_> = errors.map(error).collect();
    let end = match (text("end"), errors.is_empty()) {
        ("closed", _) => format!("closed: {}", text("reason")),
        ("answered", true) => "ok".into(),
        ("answered", false) => errors.join(" "),
        (other, _) => other.into(),
    };
    let api = format!("{} v{}", text("api"), number("version"));
    let sizes = format!("{} > {} B", number("request_bytes"), number("answer_bytes"));
    let millis = request["micros"]["total"].as_f64().unwrap_or_default() / 1000.0;
    let time = clock_time(number("at"));
    let line = format!("{time}  {:<20}  {api:<26}  {sizes:>16}  {millis:>9.2} ms  {end}", text("client_id"));
    let mut told = printable(&line);
    told.push('\n');
    for name in ["request", "answer"] {
        if let Some(body) = request.get(name).filter(|_| bodies) {
            let pretty = serde_json::to_string_pretty(body).unwrap_or_default();
            told.push_str(&format!("    {name}: {}\n", printable(&pretty).replace('\n', "\n    ")));
        }
    }
    Ok(told)
}

/// The time of a day of UTC.
fn clock_time(ms: i64) -> String {
    let (seconds, ms) = (ms.div_euclid(1000).rem_euclid(86_400), ms.rem_euclid(1000));
    format!("{:02}:{:02}:{:02}.{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// What clients have sent does not steer the terminal.
pub(super) fn printable(text: &str) -> String {
    let is_plain = |c: char| c == '\n' || !c.is_control();
    text.chars().map(|c| if is_plain(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_line_and_steers_no_terminal() {
        let event = r#"{"at":86399123,"client_id":"a\u001b[2J","api":"Produce","version":9,"request_bytes":12,"answer_bytes":3,
            "micros":{"total":1500},"errors":{"NOT_LEADER_OR_FOLLOWER":2,"REQUEST_TIMED_OUT":1},"end":"answered","request":{"acks":-1}}"#;
        let line = shown(event, false).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        let errors = ["NOT_LEADER_OR_FOLLOWER×2", "REQUEST_TIMED_OUT"];
        let rest = ["Produce", "v9", "12", ">", "3", "B", "1.50", "ms"];
        assert_eq!(words[..2], ["23:59:59.123", "a\\u{1b}[2J"]);
        assert_eq!((&words[2..10], &words[10..]), (&rest[..], &errors[..]));
        assert!(shown(event, true).unwrap().contains("\n    request: {\n      \"acks\": -1\n    }\n"));
        assert!(shown("{", false).is_err());
    }

    #[test]
    fn words_are_a_query() {
        let mut arguments = TapArguments::default();
        arguments.words.push(("client_id".into(), "a b&c".into()));
        assert_eq!(target(&arguments), "/v1/requests?follow=true&bodies=false&records=false&client_id=a%20b%26c");
    }
}
