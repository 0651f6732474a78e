//! Sentences without what came from a provider: not as a whole, and no piece of it that a check has cut out of a list, a JAAS
//! text or an address and quotes.
//!
//! The rule hides too much rather than too little: words of a text that is partly a provider's are hidden, too.

pub(super) const HIDDEN: &str = "[hidden]";

/// What lists are separated by.
const OF_LISTS: fn(char) -> bool = |letter| letter == ',' || letter == ';' || letter.is_whitespace();
/// Every sign that can end a word: `:` and `=` of pairs, quotes of JAAS texts, slashes of URLs.
const OF_WORDS: fn(char) -> bool = |letter| !letter.is_alphanumeric();

/// `secrets` are what providers gave, `texts` the settings that have some of it in them.
pub(super) fn without<'t>(
    sentence: &str,
    secrets: impl Iterator<Item = &'t str>,
    texts: impl Iterator<Item = &'t str>,
) -> String {
    // Names are quoted in either case. The letters of ASCII keep their places.
    let lowered = sentence.to_ascii_lowercase();
    let mut is_hidden = vec![false; sentence.len()];
    let mut hide = |part: &str, is_whole: bool| {
        let part = part.trim().to_ascii_lowercase();
        if part.is_empty() {
            return;
        }
        for (at, _) in lowered.match_indices(&part) {
            let end = at + part.len();
            if is_whole || stands_alone(&lowered, at, end) {
                is_hidden[at..end].fill(true);
            }
        }
    };
    secrets.for_each(|secret| hide(secret, true));
    for text in texts {
        hide(text, true);
        text.split(OF_LISTS).chain(text.split(OF_WORDS)).for_each(|piece| hide(piece, false));
    }
    shown(sentence, &is_hidden)
}

/// Whether it is no part of a longer word.
fn stands_alone(sentence: &str, at: usize, end: usize) -> bool {
    let goes_on = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    !goes_on(sentence[..at].chars().next_back()) && !goes_on(sentence[end..].chars().next())
}

fn shown(sentence: &str, is_hidden: &[bool]) -> String {
    let mut shown = String::new();
    let mut was_hidden = false;
    for (at, letter) in sentence.char_indices() {
        match (is_hidden[at], was_hidden) {
            (true, false) => shown.push_str(HIDDEN),
            (true, true) => {}
            (false, _) => shown.push(letter),
        }
        was_hidden = is_hidden[at];
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_whole_nor_a_piece_is_shown() {
        let table = [
            // The whole is hidden anywhere, its ends cut or not.
            ("got xMarkery", "Marker", "", "got x[hidden]y"),
            ("got Marker", "Marker\n", "", "got [hidden]"),
            // Pieces are, where they stand alone.
            ("name Marker, not Markers", "User:a;Marker", "User:a;Marker", "name [hidden], not Markers"),
            ("no [User:a] of User", "User:a;Marker", "User:a;Marker", "no [[hidden]] of [hidden]"),
            ("MARKER-2 is none", "PLAIN, marker-2", "PLAIN, marker-2", "[hidden] is none"),
            ("flag 'maybe' of \"Ünï\"", "m maybe x=\"Ünï\";", "m maybe x=\"Ünï\";", "flag '[hidden]' of \"[hidden]\""),
            ("Marker is no address", "Marker:1", "10.0.0.1:5,Marker:1", "[hidden] is no address"),
            // What stands before it in the setting's text is part of the piece.
            ("no UsMarker", "Marker;b", "UsMarker;b", "no [hidden]"),
            ("Value must be between 1 and 10", " ", " ", "Value must be between 1 and 10"),
        ];
        for (sentence, secret, text, wanted) in table {
            assert_eq!(without(sentence, [secret].into_iter(), [text].into_iter()), wanted, "{sentence}");
        }
    }
}
