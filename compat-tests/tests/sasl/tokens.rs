//! Delegation tokens as `kafka-delegation-tokens` and Java clients use them, and a directory with tokens that moves between the
//! brokers. What each call says stands in `tokens.txt`, as Apache Kafka 4.4.0 has said it.

use super::*;
use compat_tests::broker::{Peer, Quorum};
use compat_tests::raw::PATIENCE;
use compat_tests::{Context, bail};
use std::time::Instant;

const TOKENS: &str = "org.apache.kafka.tools.DelegationTokenCommand";
const RECORDED: &str = include_str!("tokens.txt");

/// A listener that asks for logins, and a key for tokens.
pub(super) const WITH_KEY: &[(&str, &str)] = &[
    SECURED[0],
    SECURED[1],
    SECURED[2],
    SECURED[3],
    SECURED[4],
    SECURED[5],
    SECURED[6],
    ("delegation.token.secret.key", "key of the cluster"),
    // For those that move.
    ("broker.session.timeout.ms", "2000"),
    ("broker.heartbeat.interval.ms", "500"),
];

/// A token as a client knows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Token {
    id: String,
    hmac: String,
}

impl Token {
    /// Of the line that the tool shows.
    fn shown(line: &str) -> Option<Token> {
        let mut words = line.split_whitespace();
        let (id, hmac) = (words.next()?, words.next()?);
        (id.len() == 22 && hmac.len() == 88).then(|| Token { id: id.into(), hmac: hmac.into() })
    }

    fn all_shown(text: &str) -> Vec<Token> {
        let mut all: Vec<_> = text.lines().filter_map(Token::shown).collect();
        all.sort();
        all
    }

    /// An official tool that logs in by it.
    fn command(&self, broker: &Broker, mechanism: &str, class: &str, arguments: &[&str]) -> Result<Command> {
        let file = broker.scratch("token.properties");
        let Token { id, hmac } = self;
        fs::write(
            &file,
            format!(
                "security.protocol=SASL_PLAINTEXT\nsasl.mechanism={mechanism}\n\
                 sasl.jaas.config={SCRAM_MODULE} required username=\"{id}\" password=\"{hmac}\" tokenauth=\"true\";\n"
            ),
        )?;
        let mut command = program::java(class, &["--bootstrap-server", &broker.bootstrap()]);
        command.arg("--command-config").arg(file).args(arguments);
        Ok(command)
    }
}

/// What was called and said, without what differs from run to run.
#[derive(Default)]
struct Transcript {
    text: String,
    /// Each with the name that stands for it.
    names: Vec<(String, String)>,
}

impl Transcript {
    /// Runs a tool; what it said.
    fn call(&mut self, what: &str, command: Command) -> Result<String> {
        let output = program::output(command, Input::Nothing, program::DEADLINE)?;
        let text = output.text();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let mut said: Vec<String> = text.lines().map(str::to_string).collect();
        if output.code != Some(0) {
            said.extend(error.lines().find(|line| line.contains("Exception")).map(str::to_string));
        }
        // The order of tokens is that of a hash.
        let (mut tokens, mut lines): (Vec<_>, Vec<_>) = said.into_iter().partition(|line| Token::shown(line).is_some());
        tokens = tokens.iter().map(|line| self.masked(line)).collect();
        tokens.sort();
        lines = lines.iter().map(|line| self.masked(line)).filter(|line| !line.is_empty()).collect();
        let code = output.code.unwrap_or(-1);
        self.text += &format!("> {what}: {code}\n");
        lines.iter().chain(&tokens).for_each(|line| self.text += &format!("{line}\n"));
        Ok(text)
    }

    /// Makes a token.
    fn create(&mut self, broker: &Broker, name: &str, user: User, arguments: &[&str]) -> Result<Token> {
        let command = tool_command(broker, user, TOKENS, &[&["--create"], arguments].concat())?;
        // Its name is known when it is shown.
        let output = program::output(command, Input::Nothing, program::DEADLINE)?;
        let made = Token::all_shown(&output.text());
        let [token] = &made[..] else { bail!("no token was made: {}", output.tail()) };
        self.names.push((token.id.clone(), name.to_string()));
        self.names.push((token.hmac.clone(), format!("hmac-of-{name}")));
        let lines = output.text();
        let lines = lines.lines().map(|line| self.masked(line)).filter(|line| !line.is_empty());
        let lines: String = lines.map(|line| format!("{line}\n")).collect();
        self.text += &format!("> {} creates {name} {}\n{lines}", user.name, arguments.join(" "));
        Ok(token.clone())
    }

    fn tokens(&mut self, broker: &Broker, user: User, arguments: &[&str]) -> Result<String> {
        let what = format!("{} {}", user.name, arguments.join(" "));
        let what = self.masked(&what);
        self.call(&what, tool_command(broker, user, TOKENS, arguments)?)
    }

    fn masked(&self, line: &str) -> String {
        let mut line = line.to_string();
        for (text, name) in &self.names {
            line = line.replace(text, name);
        }
        let words = line.split_whitespace().map(|word| if is_date(word) { "DATE" } else { word });
        words.collect::<Vec<_>>().join(" ")
    }
}

fn is_date(word: &str) -> bool {
    let pattern = b"0000-00-00T00:00";
    let fits = |(c, p): (u8, &u8)| if *p == b'0' { c.is_ascii_digit() } else { c == *p };
    word.len() == pattern.len() && word.bytes().zip(pattern).all(fits)
}

/// Everything that can be done with tokens by the tools, before the broker and as recorded.
pub(super) fn tools(broker: &mut Broker) -> Result<()> {
    let mut said = Transcript::default();
    let of_alice =
        said.create(broker, "first", ALICE, &["--max-life-time-period", "-1", "--renewer-principal", "User:admin"])?;
    let to_bob = ["--max-life-time-period", "3600000", "--owner-principal", "User:bob"];
    let of_bob = said.create(broker, "second", ALICE, &to_bob)?;
    // Without owners the tool asks for the tokens of none.
    said.tokens(broker, ALICE, &["--describe"])?;
    said.tokens(broker, ALICE, &["--describe", "--owner-principal", "User:alice"])?;
    said.tokens(broker, ALICE, &["--describe", "--owner-principal", "User:bob"])?;
    said.tokens(broker, ADMIN, &["--describe", "--owner-principal", "User:carol"])?;
    let renew = |hmac: &str| {
        ["--renew", "--renew-time-period", "1000000", "--hmac"]
            .map(str::to_string)
            .into_iter()
            .chain([hmac.to_string()])
            .collect::<Vec<_>>()
    };
    let expire =
        |hmac: &str, ms: &str| ["--expire", "--expiry-time-period", ms, "--hmac", hmac].map(str::to_string).to_vec();
    let as_user = |said: &mut Transcript, user: User, arguments: Vec<String>| {
        said.tokens(broker, user, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    as_user(&mut said, ALICE, renew(&of_alice.hmac))?;
    as_user(&mut said, ADMIN, renew(&of_alice.hmac))?;
    as_user(&mut said, ALICE, renew(&of_bob.hmac))?;
    as_user(&mut said, ALICE, expire(&of_bob.hmac, "-1"))?;
    as_user(&mut said, ALICE, renew("AAAA"))?;
    said.tokens(broker, ALICE, &["--create", "--max-life-time-period", "-1", "--renewer-principal", "Group:x"])?;
    let short = said.create(broker, "short", ALICE, &["--max-life-time-period", "1"])?;
    as_user(&mut said, ALICE, renew(&short.hmac))?;
    logins(broker, &mut said, &of_alice, &of_bob)?;
    as_user(&mut said, ADMIN, expire(&of_alice.hmac, "5000000"))?;
    as_user(&mut said, ALICE, expire(&of_alice.hmac, "-1"))?;
    said.call("first is gone", of_alice.command(broker, "SCRAM-SHA-256", TOPICS, &["--list"])?)?;
    said.tokens(broker, ADMIN, &["--describe", "--owner-principal", "User:alice"])?;
    ensure!(said.text == RECORDED, "expected as recorded, got\n{}", said.text);
    let log = broker.log_text();
    let is_told = [&of_alice, &of_bob, &short].iter().any(|token| log.contains(&token.hmac));
    ensure!(!is_told && !log.contains("key of the cluster"), "a secret is in the log");
    Ok(())
}

/// Java clients that log in by a token.
fn logins(broker: &Broker, said: &mut Transcript, of_alice: &Token, of_bob: &Token) -> Result<()> {
    let topics = |token: &Token, mechanism, arguments: &[&str]| token.command(broker, mechanism, TOPICS, arguments);
    let create = ["--create", "--topic", "by-token", "--partitions", "1"];
    said.call("first makes a topic", topics(of_alice, "SCRAM-SHA-256", &create)?)?;
    said.call("second lists topics", topics(of_bob, "SCRAM-SHA-512", &["--list"])?)?;
    let mixed = Token { hmac: of_bob.hmac.clone(), ..of_alice.clone() };
    said.call("first with the hmac of second", topics(&mixed, "SCRAM-SHA-256", &["--list"])?)?;
    let unknown = Token { id: "AAAAAAAAAAAAAAAAAAAAAA".into(), ..of_alice.clone() };
    said.call("a token that is none", topics(&unknown, "SCRAM-SHA-256", &["--list"])?)?;
    let tokens = |arguments: &[&str]| of_alice.command(broker, "SCRAM-SHA-256", TOKENS, arguments);
    said.call("first makes a token", tokens(&["--create", "--max-life-time-period", "-1"])?)?;
    said.call("first describes", tokens(&["--describe"])?)?;
    let renewal = ["--renew", "--renew-time-period", "-1", "--hmac", &of_alice.hmac];
    said.call("first renews itself", tokens(&renewal)?)?;
    Ok(())
}

/// A directory with tokens goes from Apache Kafka to the broker and back: each knows the tokens of the other.
pub(super) fn move_with_the_directory(setup: &Setup) -> Result<Broker> {
    let with_overrides = |peer: Setup| Setup { overrides: setup.overrides.clone(), ..peer };
    let mut broker = Broker::start_shared(&with_overrides(Setup::kafka()), Quorum::Static)?;
    let mut known = Vec::new();
    for next in [Some(with_overrides(setup.clone())), Some(with_overrides(Setup::kafka())), None] {
        let made = Token::all_shown(&tool(&broker, ALICE, TOKENS, &["--create", "--max-life-time-period", "-1"])?);
        known.push(made.into_iter().next().context("no token was made")?);
        known.sort();
        let describe = || -> Result<Vec<Token>> {
            let said = tool(&broker, ALICE, TOKENS, &["--describe", "--owner-principal", "User:alice"])?;
            Ok(Token::all_shown(&said))
        };
        let (mut told, began) = (describe()?, Instant::now());
        // Apache Kafka answers before it knows the token where it is asked for it; Klamm does not.
        while told != known && broker.setup().peer == Peer::Kafka && began.elapsed() < PATIENCE {
            told = describe()?;
        }
        ensure!(told == known, "{:?} tells {told:?} of {known:?}", broker.setup().peer);
        for token in &known {
            program::run(token.command(&broker, "SCRAM-SHA-256", TOPICS, &["--list"])?, Input::Nothing)?;
            let renewal = ["--renew", "--renew-time-period", "-1", "--hmac", &token.hmac];
            tool(&broker, ALICE, TOKENS, &renewal)?;
        }
        let Some(next) = next else { break };
        broker.stop()?;
        broker.hand_over(&next)?;
    }
    let is_kafka = broker.setup().peer == Peer::Kafka;
    ensure!(is_kafka, "the last broker is Apache Kafka's");
    Ok(broker)
}
