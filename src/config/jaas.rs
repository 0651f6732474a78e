//! JAAS texts: which login modules stand behind SASL, and with which options (the users of PLAIN among them).
//!
//! Two texts that look alike: the value of `sasl.jaas.config`, which Kafka reads itself (`JaasConfig`), and the file of
//! `java.security.auth.login.config`, which the JDK reads (`sun.security.provider.ConfigFile`). Both are Java's
//! `StreamTokenizer` with different letters. The control flag of a module is looked at and means nothing to a broker.
//!
//! Deviations: no sentence shows a part of the text that may belong to a password (Kafka's do); the file's `${property}` is
//! refused but for `${/}`, because there are no system properties here.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use crate::stdx::secret::Secret;

/// A login module with its options.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LoginModule {
    pub(crate) class: String,
    pub(crate) options: BTreeMap<String, Secret>,
}

impl LoginModule {
    /// An option that is no secret.
    pub(super) fn option(&self, name: &str) -> Option<String> {
        self.options.get(name).map(|value| String::from_utf8_lossy(value.expose()).into_owned())
    }
}

/// `JaasUtils.DISALLOWED_LOGIN_MODULES_DEFAULT`
const DISALLOWED: &[&str] =
    &["com.sun.security.auth.module.JndiLoginModule", "com.sun.security.auth.module.LdapLoginModule"];
const FLAGS: &[&str] = &["REQUIRED", "REQUISITE", "SUFFICIENT", "OPTIONAL"];
const UNTERMINATED: &str = "JAAS config entry not terminated by semi-colon";

/// The one module of a `sasl.jaas.config`.
pub(crate) fn of_setting(text: &str) -> Result<LoginModule, String> {
    let mut modules = modules(text)?;
    match (modules.pop(), modules.len()) {
        (Some(module), 0) => allowed(module),
        (_, others) => Err(format!("JAAS config property contains {} login modules, should be 1 module", others + 1)),
    }
}

fn modules(text: &str) -> Result<Vec<LoginModule>, String> {
    let mut tokens = Tokens::new(text, &['-', '_', '$']);
    let mut modules = Vec::new();
    loop {
        match tokens.next() {
            Token::End if modules.is_empty() => return Err("Login module not specified in JAAS config".into()),
            Token::End => return Ok(modules),
            first => modules.push(module(first.into_text(), &mut tokens)?),
        }
    }
}

/// One entry, whose first token has been read.
fn module(class: Option<String>, tokens: &mut Tokens<'_>) -> Result<LoginModule, String> {
    let flag = match tokens.next() {
        Token::End => return Err("Login module control flag not specified in JAAS config".into()),
        token => token.into_text().ok_or("Login module control flag is not available in the JAAS config")?,
    };
    if !is_flag(&flag) {
        return Err(format!("Invalid login module control flag '{flag}' in JAAS config"));
    }
    let mut options = BTreeMap::new();
    for number in 1.. {
        let key = match tokens.next() {
            Token::End => return Err(UNTERMINATED.into()),
            Token::Sign(';') => break,
            token => token.into_text(),
        };
        let value = if tokens.next() == Token::Sign('=') { tokens.next().into_text() } else { None };
        let value = value.ok_or_else(|| format!("Value not specified for key {number} in JAAS config"))?;
        if let Some(key) = key {
            options.insert(key, Secret::new(value));
        }
    }
    let class = class.ok_or("Login module not specified in JAAS config")?;
    Ok(LoginModule { class, options })
}

fn is_flag(text: &str) -> bool {
    FLAGS.iter().any(|flag| flag.eq_ignore_ascii_case(text))
}

fn allowed(module: LoginModule) -> Result<LoginModule, String> {
    match DISALLOWED.contains(&module.class.trim()) {
        true => Err(format!("{} is not allowed", module.class)),
        false => Ok(module),
    }
}

/// The sections of a JAAS file by their names.
pub(crate) fn of_file(text: &str) -> Result<BTreeMap<String, Vec<LoginModule>>, String> {
    let mut file = File { tokens: Tokens::new(text, &['$', '_', '-', '*']), next: Token::End };
    file.advance();
    let mut sections = BTreeMap::new();
    while file.next != Token::End {
        let (name, modules) = file.section()?;
        if sections.contains_key(&name) {
            return Err(format!("Can not specify multiple entries for {name}"));
        }
        sections.insert(name, modules);
    }
    Ok(sections)
}

/// A JAAS file that is read, and the token at which it is read on.
struct File<'a> {
    tokens: Tokens<'a>,
    next: Token,
}

impl File<'_> {
    fn advance(&mut self) -> Token {
        let next = self.tokens.next();
        std::mem::replace(&mut self.next, next)
    }

    fn section(&mut self) -> Result<(String, Vec<LoginModule>), String> {
        let name = self.advance().into_text();
        self.sign('{')?;
        let mut modules = Vec::new();
        while self.next != Token::Sign('}') {
            modules.push(self.module()?);
        }
        self.sign('}')?;
        self.sign(';')?;
        Ok((name.ok_or_else(|| self.expected("section name"))?, modules))
    }

    fn module(&mut self) -> Result<LoginModule, String> {
        let class = self.word("module class name")?;
        let flag = self.word("controlFlag")?;
        if !is_flag(&flag) {
            return Err(format!("Invalid control flag, {}", flag.to_uppercase()));
        }
        let mut options = BTreeMap::new();
        while self.next != Token::Sign(';') {
            let key = self.word("option key")?;
            self.sign('=')?;
            let value = expanded(self.word("option value")?)?;
            options.insert(key, Secret::new(value));
        }
        self.advance();
        allowed(LoginModule { class, options })
    }

    /// A word, or a text in double quotes.
    fn word(&mut self, what: &str) -> Result<String, String> {
        match &self.next {
            Token::Word(_) | Token::Quoted('"', _) => self.advance().into_text().ok_or_else(|| self.expected(what)),
            _ => Err(self.expected(what)),
        }
    }

    fn sign(&mut self, sign: char) -> Result<(), String> {
        match self.next == Token::Sign(sign) {
            true => {
                self.advance();
                Ok(())
            }
            false => Err(self.expected(&sign.to_string())),
        }
    }

    fn expected(&self, what: &str) -> String {
        match self.next {
            Token::End => format!("expected [{what}], read [end of file]"),
            _ => format!("Line {}: expected [{what}]", self.tokens.line),
        }
    }
}

/// `PropertyExpander`: what stands between `${` and `}` is the name of a property.
fn expanded(value: String) -> Result<String, String> {
    let is_property = |at: usize| !value[at..].starts_with("${{") && value[at..].contains('}');
    match value.match_indices("${").any(|(at, _)| is_property(at) && !value[at..].starts_with("${/}")) {
        true => Err("unable to expand a property of the form ${name}: there are no system properties here".into()),
        false => Ok(value.replace("${/}", "/")),
    }
}

#[derive(PartialEq, Eq)]
enum Token {
    End,
    Word(String),
    /// A text between two of these.
    Quoted(char, String),
    Number,
    Sign(char),
}

impl Token {
    fn into_text(self) -> Option<String> {
        match self {
            Token::Word(text) | Token::Quoted(_, text) => Some(text),
            Token::End | Token::Number | Token::Sign(_) => None,
        }
    }
}

/// Java's `StreamTokenizer`, as it is after its construction, with comments of C and C++ and more letters.
struct Tokens<'a> {
    chars: Peekable<Chars<'a>>,
    letters: &'static [char],
    line: usize,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str, letters: &'static [char]) -> Tokens<'a> {
        Tokens { chars: text.chars().peekable(), letters, line: 1 }
    }

    fn read(&mut self) -> Option<char> {
        let read = self.chars.next();
        self.line += usize::from(read == Some('\n'));
        read
    }

    fn read_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let found = self.chars.peek().copied().filter(|c| wanted(*c));
        found.and_then(|_| self.read())
    }

    fn is_of_number(c: char) -> bool {
        c.is_ascii_digit() || c == '.' || c == '-'
    }

    fn is_letter(&self, c: char) -> bool {
        c.is_ascii_alphabetic() || c as u32 >= 160 || self.letters.contains(&c)
    }

    fn next(&mut self) -> Token {
        loop {
            let Some(first) = self.chars.peek().copied() else { return Token::End };
            match first {
                '\0'..=' ' => {
                    self.read();
                }
                '/' => self.comment(),
                _ if Self::is_of_number(first) => return self.number(),
                _ if self.is_letter(first) => return Token::Word(self.word()),
                '"' | '\'' => return Token::Quoted(first, self.quoted()),
                _ => {
                    self.read();
                    return Token::Sign(first);
                }
            }
        }
    }

    /// A slash begins a comment whatever follows it, which Java takes with it.
    fn comment(&mut self) {
        self.read();
        if self.read() != Some('*') {
            while self.read_if(|c| c != '\n' && c != '\r').is_some() {}
            return;
        }
        let mut before = '\0';
        while let Some(c) = self.read() {
            if (before, c) == ('*', '/') {
                return;
            }
            before = c;
        }
    }

    fn number(&mut self) -> Token {
        let is_negative = self.read_if(|c| c == '-').is_some();
        if is_negative && !self.chars.peek().is_some_and(|c| c.is_ascii_digit() || *c == '.') {
            return Token::Sign('-');
        }
        while self.read_if(|c| c.is_ascii_digit()).is_some() {}
        self.read_if(|c| c == '.');
        while self.read_if(|c| c.is_ascii_digit()).is_some() {}
        Token::Number
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.chars.peek().copied().filter(|c| self.is_letter(*c) || Self::is_of_number(*c)) {
            self.read();
            word.push(c);
        }
        word
    }

    /// A text in quotes ends with its line at the latest.
    fn quoted(&mut self) -> String {
        let Some(quote) = self.read() else { return String::new() };
        let mut text = String::new();
        while let Some(c) = self.read_if(|c| c != quote && c != '\n' && c != '\r') {
            if c == '\\' { text.extend(self.escaped()) } else { text.push(c) }
        }
        self.read_if(|c| c == quote);
        text
    }

    /// What stands behind a backslash.
    fn escaped(&mut self) -> Option<char> {
        let first = self.read()?;
        let mut code = match first {
            'a' => return Some('\u{7}'),
            'b' => return Some('\u{8}'),
            'f' => return Some('\u{c}'),
            'n' => return Some('\n'),
            'r' => return Some('\r'),
            't' => return Some('\t'),
            'v' => return Some('\u{b}'),
            '0'..='7' => first as u32 - '0' as u32,
            other => return Some(other),
        };
        // Three digits at most, and nothing beyond \377.
        let more = if first <= '3' { 2 } else { 1 };
        for _ in 0..more {
            let Some(digit) = self.read_if(|c| ('0'..='7').contains(&c)) else { break };
            code = code * 8 + (digit as u32 - '0' as u32);
        }
        char::from_u32(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands behind backslashes in the recording.
    fn plain(text: &str) -> String {
        let mut plain = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            plain.push(match (c, chars.clone().next()) {
                ('\\', Some(escaped)) => {
                    chars.next();
                    match escaped {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'u' => {
                            let code: String = chars.by_ref().take(4).collect();
                            char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap()
                        }
                        other => other,
                    }
                }
                _ => c,
            });
        }
        plain
    }

    fn shown(modules: &[LoginModule]) -> String {
        let one = |module: &LoginModule| {
            let options = module.options.keys().map(|key| format!(" {key}[{}]", module.option(key).unwrap()));
            format!("{}{}", module.class, options.collect::<String>())
        };
        modules.iter().map(one).collect::<Vec<_>>().join(" ; ")
    }

    /// Java's sentence without its introduction, and without what may be a part of a password.
    fn theirs(text: &str) -> String {
        let text = plain(text);
        let text = text.strip_prefix("Configuration Error:\n\t").unwrap_or(&text);
        match text.split_once("key '") {
            Some((before, _)) => format!("{before}key"),
            None => text.split(", found").next().unwrap_or_default().to_string(),
        }
    }

    fn ours(kind: &str, text: &str) -> Result<String, String> {
        match kind {
            "I" => modules(text).map(|modules| shown(&modules)),
            _ => of_file(text).map(|sections| {
                let section = |name: &str| sections.get(name).filter(|m| !m.is_empty());
                let shown = |name| section(name).map_or("none".into(), |modules| shown(modules));
                format!("{} | {}", shown("KafkaServer"), shown("external.KafkaServer"))
            }),
        }
    }

    /// Texts and what Kafka 4.4.0 and OpenJDK 17 make of them: `testdata/Jaas.java` printed the file.
    #[test]
    fn texts_are_read_as_java_reads_them() {
        let mut compared = 0;
        for line in include_str!("testdata/jaas.tsv").lines() {
            let [text, outcome, java] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let (kind, text) = text.split_at(1);
            let read = ours(kind, &plain(&text[1..]));
            match (outcome, read) {
                ("ok", Ok(shown)) => assert_eq!(shown, theirs(java), "{line}"),
                ("err", Err(reason)) => {
                    let number = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
                    let reason = match reason.split_once("for key ") {
                        Some((before, after)) if after.split(' ').next().is_some_and(number) => {
                            format!("{before}for key")
                        }
                        _ => reason,
                    };
                    assert_eq!(reason, theirs(java), "{line}");
                }
                (_, read) => panic!("{line}: {read:?}"),
            }
            compared += 1;
        }
        assert_eq!(compared, 80);
    }

    #[test]
    fn what_java_fails_at_in_other_words_is_refused() {
        for no_class in ["; required;", "5 required;"] {
            assert_eq!(modules(no_class).unwrap_err(), "Login module not specified in JAAS config");
        }
        // Java keeps an option without a name, which none can ask for.
        assert_eq!(shown(&modules("org.P required 5=b c=d;").unwrap()), "org.P c[d]");
        let property = of_file("KafkaServer { org.P required a=\"x${user.home}\"; };").unwrap_err();
        assert!(property.starts_with("unable to expand") && !property.contains("home"), "{property}");
    }

    #[test]
    fn a_setting_has_one_module_which_is_allowed() {
        let class = |text: &str| of_setting(text).map(|module| module.class);
        assert_eq!(class("org.P required;"), Ok("org.P".into()));
        let two = "JAAS config property contains 2 login modules, should be 1 module";
        assert_eq!(class("org.P required; org.Q required;"), Err(two.into()));
        for module in DISALLOWED {
            assert_eq!(class(&format!("{module} required;")), Err(format!("{module} is not allowed")));
            assert_eq!(of_file(&format!("K {{ {module} required; }};")), Err(format!("{module} is not allowed")));
        }
    }

    /// No sentence tells a password, wherever the text is broken.
    #[test]
    fn a_broken_text_tells_no_password() {
        let whole = "org.P required user=\"x\" password=\"Mar\\\"ker\" user_a='Marker' user_b=Marker;";
        for at in 0..whole.len() {
            for cut in [" ", "\"", ";", "=", "/", "5", ""] {
                let broken = format!("{}{cut}{}", &whole[..at], &whole[at + 1..]);
                let file = format!("KafkaServer {{ {broken} }};");
                for told in [format!("{:?}", of_setting(&broken)), format!("{:?}", of_file(&file))] {
                    assert!(!told.contains("ker"), "{broken}: {told}");
                }
            }
        }
    }
}
