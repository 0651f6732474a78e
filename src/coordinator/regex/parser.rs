//! RE2 syntax as RE2J 1.8 reads it (`com.google.re2j.Parser` with the flags `PERL`), translated for the crate `regex`.
//!
//! One pass without recursion. What is open is a stack of groups; of each only the alternatives that are complete and the
//! pieces of the current one are kept, as text for the crate. Whether a repetition is greedy and which groups capture
//! makes no difference to whether a whole name matches, so both are dropped. Where RE2J has a quirk, so has this, and a
//! comment says so.

use super::class::{self, Class};
use std::collections::HashSet;

/// How deep groups and repetitions may nest.
pub(super) const MOST_NESTED: usize = 100;
/// The same for the translated text, where the crate counts alternations and concatenations as well.
pub(super) const MOST_NESTED_TRANSLATED: u32 = 5 * MOST_NESTED as u32;
/// The highest count of a repetition.
const MOST_REPEATED: u32 = 1000;
/// RE2J takes longer numbers for too large without looking at them.
const MOST_DIGITS: usize = 8;

const DUPLICATE_NAMED_CAPTURE: &str = "duplicate capture group name";
/// What RE2J says of a parenthesis that closes nothing.
const INTERNAL_ERROR: &str = "regexp/syntax: internal error";
const INVALID_CHAR_RANGE: &str = "invalid character class range";
const INVALID_ESCAPE: &str = "invalid escape sequence";
const INVALID_NAMED_CAPTURE: &str = "invalid named capture";
const INVALID_PERL_OP: &str = "invalid or unsupported Perl syntax";
const INVALID_REPEAT_OP: &str = "invalid nested repetition operator";
const INVALID_REPEAT_SIZE: &str = "invalid repeat count";
const MISSING_BRACKET: &str = "missing closing ]";
const MISSING_PAREN: &str = "missing closing )";
const MISSING_REPEAT_ARGUMENT: &str = "missing argument to repetition operator";
const TRAILING_BACKSLASH: &str = "trailing backslash at end of expression";
/// Ours.
const NESTS_TOO_DEEPLY: &str = "expression nests too deeply";

type Parsed<T> = Result<T, &'static str>;

#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    multi_line: bool,
    dot_matches_newline: bool,
}

/// What a repetition may apply to.
struct Piece {
    text: String,
    depth: usize,
}

/// An open group, or the whole expression.
#[derive(Default)]
struct Group {
    /// The flags that hold again behind the group.
    outer: Flags,
    /// The alternatives before the current one, each with its `|`.
    done: String,
    pieces: Vec<Piece>,
    depth: usize,
}

struct Parser<'p> {
    rest: &'p str,
    flags: Flags,
    names: HashSet<&'p str>,
    outer: Vec<Group>,
    group: Group,
}

/// The same expression for the crate `regex` with Unicode off; or what RE2J says is wrong with it.
pub(super) fn translate(pattern: &str) -> Parsed<String> {
    let flags = Flags::default();
    let mut parser = Parser { rest: pattern, flags, names: HashSet::new(), outer: Vec::new(), group: Group::default() };
    let mut behind_repetition = false;
    while let Some(next) = parser.rest.chars().next() {
        // A brace that is only text counts as a repetition here, in RE2J, too: a{* is refused.
        let repetition = matches!(next, '*' | '+' | '?' | '{');
        parser.step(next, behind_repetition)?;
        behind_repetition = repetition;
    }
    if !parser.outer.is_empty() {
        return Err(MISSING_PAREN);
    }
    Ok(parser.group.close().text)
}

impl Group {
    fn alternative(&mut self) {
        for piece in self.pieces.drain(..) {
            self.depth = self.depth.max(piece.depth);
            self.done += &piece.text;
        }
    }

    fn close(mut self) -> Piece {
        self.alternative();
        Piece { text: self.done, depth: self.depth }
    }
}

impl<'p> Parser<'p> {
    fn pop(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// Goes on behind the prefix if the rest has it.
    fn skip(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn step(&mut self, next: char, behind_repetition: bool) -> Parsed<()> {
        match next {
            '(' if self.rest.starts_with("(?") => return self.perl_group(),
            '[' => return self.bracketed_class(),
            '\\' => return self.escape(),
            '{' => return self.counted_repetition(behind_repetition),
            _ => self.rest = &self.rest[next.len_utf8()..],
        }
        match next {
            '(' => self.open(self.flags)?,
            '|' => {
                self.group.alternative();
                self.group.done.push('|');
            }
            ')' => self.close()?,
            '^' => self.push(if self.flags.multi_line { "(?m:^)" } else { r"\A" }),
            '$' => self.push(if self.flags.multi_line { "(?m:$)" } else { r"\z" }),
            '.' => {
                let newline = Class::range('\n'.into(), '\n'.into());
                let any = Class::range(0, char::MAX.into());
                self.push(if self.flags.dot_matches_newline { any } else { newline.not() }.text());
            }
            '*' | '+' | '?' => self.repeat(next.to_string(), behind_repetition)?,
            _ => self.literal(next.into()),
        }
        Ok(())
    }

    fn push(&mut self, text: impl Into<String>) {
        self.group.pieces.push(Piece { text: text.into(), depth: 0 });
    }

    fn literal(&mut self, character: u32) {
        self.push(Class::range(character, character).folded_if(self.flags.fold).text());
    }

    // ---- Groups ----------------------------------------------------------------------------------------------------

    fn open(&mut self, inner: Flags) -> Parsed<()> {
        let group = Group { outer: self.flags, ..Group::default() };
        self.outer.push(std::mem::replace(&mut self.group, group));
        self.flags = inner;
        if self.outer.len() > MOST_NESTED { Err(NESTS_TOO_DEEPLY) } else { Ok(()) }
    }

    fn close(&mut self) -> Parsed<()> {
        let outer = self.outer.pop().ok_or(INTERNAL_ERROR)?;
        let group = std::mem::replace(&mut self.group, outer);
        self.flags = group.outer;
        self.wrap(group.close(), "")
    }

    /// Puts a piece into a group and pushes it with what follows the group.
    fn wrap(&mut self, piece: Piece, suffix: &str) -> Parsed<()> {
        let depth = piece.depth + 1;
        self.group.pieces.push(Piece { text: format!("(?:{}){suffix}", piece.text), depth });
        if self.outer.len() + depth > MOST_NESTED { Err(NESTS_TOO_DEEPLY) } else { Ok(()) }
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)`, `(?flags:`.
    fn perl_group(&mut self) -> Parsed<()> {
        if self.skip("(?P<") || self.skip("(?<") {
            let (name, rest) = self.rest.split_once('>').ok_or(INVALID_NAMED_CAPTURE)?;
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(INVALID_NAMED_CAPTURE);
            }
            if !self.names.insert(name) {
                return Err(DUPLICATE_NAMED_CAPTURE);
            }
            self.rest = rest;
            return self.open(self.flags);
        }
        self.skip("(?");
        let mut flags = self.flags;
        let mut negative = false;
        let mut any = false;
        loop {
            match self.pop() {
                Some('i') => flags.fold = !negative,
                Some('m') => flags.multi_line = !negative,
                Some('s') => flags.dot_matches_newline = !negative,
                Some('U') => (),
                Some('-') if !negative => {
                    negative = true;
                    any = false;
                    continue;
                }
                Some(':') if any || !negative => return self.open(flags),
                Some(')') if any || !negative => {
                    self.flags = flags;
                    return Ok(());
                }
                _ => return Err(INVALID_PERL_OP),
            }
            any = true;
        }
    }

    // ---- Repetitions -----------------------------------------------------------------------------------------------

    fn repeat(&mut self, operator: String, behind_repetition: bool) -> Parsed<()> {
        self.skip("?");
        if behind_repetition {
            return Err(INVALID_REPEAT_OP);
        }
        let piece = self.group.pieces.pop().ok_or(MISSING_REPEAT_ARGUMENT)?;
        self.wrap(piece, &operator)
    }

    /// A brace: a repetition if it looks like one, else text.
    fn counted_repetition(&mut self, behind_repetition: bool) -> Parsed<()> {
        let Some((operator, rest)) = counts(self.rest)? else {
            self.rest = &self.rest[1..];
            self.literal('{'.into());
            return Ok(());
        };
        self.rest = rest;
        self.repeat(operator, behind_repetition)
    }

    // ---- Escapes and classes ---------------------------------------------------------------------------------------

    /// A backslash outside of brackets.
    fn escape(&mut self) -> Parsed<()> {
        let assertion = self.rest[1..].chars().next();
        match assertion {
            Some('A') => self.push(r"\A"),
            Some('b') => self.push(r"\b"),
            Some('B') => self.push(r"\B"),
            Some('z') => self.push(r"\z"),
            Some('C') => return Err(INVALID_ESCAPE),
            Some('Q') => {
                let rest = &self.rest[2..];
                let (text, rest) = rest.split_once(r"\E").unwrap_or((rest, ""));
                text.chars().for_each(|character| self.literal(character.into()));
                self.rest = rest;
                return Ok(());
            }
            _ => {
                if let Some(class) = self.escaped_class()? {
                    self.push(class.text());
                } else {
                    let character = self.escaped_character()?;
                    self.literal(character);
                }
                return Ok(());
            }
        }
        self.rest = &self.rest[2..];
        Ok(())
    }

    /// `\pL`, `\p{Greek}`, `\d` and the like, if it is one.
    fn escaped_class(&mut self) -> Parsed<Option<Class>> {
        let Some(rest) = self.rest.strip_prefix('\\') else { return Ok(None) };
        let mut chars = rest.chars();
        let Some(letter) = chars.next() else { return Ok(None) };
        if !matches!(letter, 'p' | 'P') {
            let class = class::perl(letter, self.flags.fold);
            if class.is_some() {
                self.rest = chars.as_str();
            }
            return Ok(class);
        }
        let rest = chars.as_str();
        let (name, rest) = match rest.strip_prefix('{') {
            Some(rest) => rest.split_once('}').ok_or(INVALID_CHAR_RANGE)?,
            None => rest.split_at(rest.chars().next().ok_or(INVALID_CHAR_RANGE)?.len_utf8()),
        };
        self.rest = rest;
        let class = class::unicode(name, self.flags.fold).ok_or(INVALID_CHAR_RANGE)?;
        Ok(Some(class.not_if(letter == 'P')))
    }

    fn bracketed_class(&mut self) -> Parsed<()> {
        self.skip("[");
        let negative = self.skip("^");
        let mut class = Class::default();
        let mut first = true;
        // A bracket that comes first is text.
        while first || !self.skip("]") {
            first = false;
            class = class.or(self.class_item()?);
        }
        self.push(class.not_if(negative).text());
        Ok(())
    }

    fn class_item(&mut self) -> Parsed<Class> {
        let fold = self.flags.fold;
        if let Some((name, rest)) = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) {
            self.rest = rest;
            return class::posix(name, fold).ok_or(INVALID_CHAR_RANGE);
        }
        if let Some(class) = self.escaped_class()? {
            return Ok(class);
        }
        let low = self.class_character()?;
        let mut high = low;
        if self.rest.starts_with('-') && !self.rest.starts_with("-]") {
            self.skip("-");
            high = self.class_character()?;
            if high < low {
                return Err(INVALID_CHAR_RANGE);
            }
        }
        Ok(Class::range(low, high).folded_if(fold))
    }

    fn class_character(&mut self) -> Parsed<u32> {
        if self.rest.starts_with('\\') {
            return self.escaped_character();
        }
        self.pop().map(u32::from).ok_or(MISSING_BRACKET)
    }

    fn escaped_character(&mut self) -> Parsed<u32> {
        self.skip("\\");
        match self.pop().ok_or(TRAILING_BACKSLASH)? {
            // A single digit would be a back reference.
            '1'..='7' if !self.rest.starts_with(|c| matches!(c, '0'..='7')) => Err(INVALID_ESCAPE),
            first @ '0'..='7' => Ok(self.octal(first)),
            'x' => self.hexadecimal().ok_or(INVALID_ESCAPE),
            'a' => Ok(0x07),
            'f' => Ok(0x0c),
            'n' => Ok(0x0a),
            'r' => Ok(0x0d),
            't' => Ok(0x09),
            'v' => Ok(0x0b),
            letter if letter.is_ascii_alphanumeric() => Err(INVALID_ESCAPE),
            other => Ok(other.into()),
        }
    }

    /// Up to three digits, of which one is read.
    fn octal(&mut self, first: char) -> u32 {
        let mut value = first.to_digit(8).unwrap_or(0);
        for _ in 1..3 {
            let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else { break };
            value = value * 8 + digit;
            self.pop();
        }
        value
    }

    /// Two digits, or any number of them in braces.
    fn hexadecimal(&mut self) -> Option<u32> {
        if !self.skip("{") {
            let high = self.pop()?.to_digit(16)?;
            return Some(high * 16 + self.pop()?.to_digit(16)?);
        }
        let (digits, rest) = self.rest.split_once('}')?;
        self.rest = rest;
        let mut value = None;
        for digit in digits.chars() {
            let next = value.unwrap_or(0) * 16 + digit.to_digit(16)?;
            value = Some(next).filter(|value| *value <= u32::from(char::MAX));
            value?;
        }
        value
    }
}

/// Reads `{n}`, `{n,}` or `{n,m}`; nothing if it is not of this form.
fn counts(text: &str) -> Parsed<Option<(String, &str)>> {
    let Some((body, rest)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) else { return Ok(None) };
    let (least, most) = match body.split_once(',') {
        None => (count(body), Some(count(body))),
        Some((least, "")) => (count(least), None),
        Some((least, most)) => (count(least), Some(count(most))),
    };
    let (Some(least), Some(most)) = (least, most.unwrap_or(least)) else { return Ok(None) };
    if least > MOST_REPEATED || most > MOST_REPEATED || least > most {
        return Err(INVALID_REPEAT_SIZE);
    }
    let operator = if body.ends_with(',') { format!("{{{least},}}") } else { format!("{{{least},{most}}}") };
    Ok(Some((operator, rest)))
}

/// A number without leading zeros.
fn count(digits: &str) -> Option<u32> {
    let number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !number || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    if digits.len() > MOST_DIGITS { Some(u32::MAX) } else { digits.parse().ok() }
}
