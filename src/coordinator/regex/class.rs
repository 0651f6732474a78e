//! Classes of characters as far as ASCII texts can tell them apart.
//!
//! Besides the 128 characters a class knows two more, the only ones outside that a case-insensitive class joins with
//! letters of ASCII: U+017F (long s) and U+212A (Kelvin sign). With them negation and folding give, for ASCII, what they
//! give in all of Unicode.

use std::fmt::Write;

const ASCII_END: u32 = 128;
const LONG_S: u32 = 0x17f;
const KELVIN: u32 = 0x212a;
/// The 26 letters, from bit 0.
const LETTERS: u128 = (1 << 26) - 1;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Class {
    ascii: u128,
    long_s: bool,
    kelvin: bool,
}

impl Class {
    pub(super) fn range(low: u32, high: u32) -> Class {
        let ascii = (low..=high.min(ASCII_END - 1)).fold(0, |bits, at| bits | 1 << at);
        Class { ascii, long_s: (low..=high).contains(&LONG_S), kelvin: (low..=high).contains(&KELVIN) }
    }

    /// The union of ranges written as pairs of first and last character.
    fn pairs(pairs: &str) -> Class {
        let chars: Vec<u32> = pairs.chars().map(u32::from).collect();
        chars.chunks_exact(2).fold(Class::default(), |all, pair| all.or(Class::range(pair[0], pair[1])))
    }

    pub(super) fn or(self, other: Class) -> Class {
        Class {
            ascii: self.ascii | other.ascii,
            long_s: self.long_s || other.long_s,
            kelvin: self.kelvin || other.kelvin,
        }
    }

    pub(super) fn not(self) -> Class {
        Class { ascii: !self.ascii, long_s: !self.long_s, kelvin: !self.kelvin }
    }

    pub(super) fn not_if(self, negative: bool) -> Class {
        if negative { self.not() } else { self }
    }

    /// Adds to every character those that differ in case only.
    pub(super) fn folded(self) -> Class {
        let bit = |letter: u8| 1u128 << (letter - b'a');
        let mut letters = ((self.ascii >> b'A') | (self.ascii >> b'a')) & LETTERS;
        if self.long_s {
            letters |= bit(b's');
        }
        if self.kelvin {
            letters |= bit(b'k');
        }
        Class {
            ascii: self.ascii | (letters << b'A') | (letters << b'a'),
            long_s: letters & bit(b's') != 0,
            kelvin: letters & bit(b'k') != 0,
        }
    }

    pub(super) fn folded_if(self, fold: bool) -> Class {
        if fold { self.folded() } else { self }
    }

    /// The class in the syntax of the crate `regex`, without Unicode.
    pub(super) fn text(self) -> String {
        if self.ascii == 0 {
            return r"[^\x00-\xff]".to_string();
        }
        if self.ascii.is_power_of_two() {
            return format!(r"\x{:02x}", self.ascii.trailing_zeros());
        }
        let mut text = "[".to_string();
        let mut at = 0;
        while at < ASCII_END && self.ascii >> at != 0 {
            let low = at + (self.ascii >> at).trailing_zeros();
            let length = (self.ascii >> low).trailing_ones();
            let _ = write!(text, r"\x{low:02x}-\x{:02x}", low + length - 1);
            at = low + length;
        }
        text + "]"
    }
}

/// `\d`, `\s`, `\w`; the letters of their negations are capitals.
pub(super) fn perl(letter: char, fold: bool) -> Option<Class> {
    let class = match letter.to_ascii_lowercase() {
        'd' => Class::pairs("09"),
        's' => Class::pairs("\t\n\x0c\r  "),
        'w' => Class::pairs("09AZ__az"),
        _ => return None,
    };
    Some(class.folded_if(fold).not_if(letter.is_ascii_uppercase()))
}

/// What stands between `[:` and `:]`.
pub(super) fn posix(name: &str, fold: bool) -> Option<Class> {
    let (negative, name) = without_caret(name);
    let class = match name {
        "alnum" => Class::pairs("09AZaz"),
        "alpha" => Class::pairs("AZaz"),
        "ascii" => Class::pairs("\0\x7f"),
        "blank" => Class::pairs("\t\t  "),
        "cntrl" => Class::pairs("\0\x1f\x7f\x7f"),
        "digit" => Class::pairs("09"),
        "graph" => Class::pairs("!~"),
        "lower" => Class::pairs("az"),
        "print" => Class::pairs(" ~"),
        "punct" => Class::pairs("!/:@[`{~"),
        "space" => Class::pairs("\t\r  "),
        "upper" => Class::pairs("AZ"),
        "word" => Class::pairs("09AZ__az"),
        "xdigit" => Class::pairs("09AFaf"),
        _ => return None,
    };
    Some(class.folded_if(fold).not_if(negative))
}

/// What stands behind `\p`, without braces.
pub(super) fn unicode(name: &str, fold: bool) -> Option<Class> {
    let (negative, name) = without_caret(name);
    let class = match name {
        "Any" => Class::range(0, char::MAX as u32),
        "C" | "Cc" => Class::pairs("\0\x1f\x7f\x7f"),
        "L" | "Latin" => Class::pairs("AZaz\u{17f}\u{17f}\u{212a}\u{212a}"),
        // RE2J's table of what (?i) adds to small letters has of ASCII no more than these.
        "Ll" if fold => Class::pairs("azKKSS\u{17f}\u{17f}\u{212a}\u{212a}"),
        "Ll" => Class::pairs("az\u{17f}\u{17f}"),
        "Lu" if fold => Class::pairs("AZaz\u{17f}\u{17f}\u{212a}\u{212a}"),
        "Lu" => Class::pairs("AZ\u{212a}\u{212a}"),
        "N" | "Nd" => Class::pairs("09"),
        "P" => Class::pairs("!#%*,/:;?@[]__{{}}"),
        "Pc" => Class::pairs("__"),
        "Pd" => Class::pairs("--"),
        "Pe" => Class::pairs("))]]}}"),
        "Po" => Class::pairs("!#%'**,,./:;?@\\\\"),
        "Ps" => Class::pairs("(([[{{"),
        "S" => Class::pairs("$$++<>^^``||~~"),
        "Sc" => Class::pairs("$$"),
        "Sk" => Class::pairs("^^``"),
        "Sm" => Class::pairs("++<>||~~"),
        "Z" | "Zs" => Class::pairs("  "),
        "Common" => Class::pairs("\0@[`{\x7f"),
        other if NOT_IN_ASCII.split_ascii_whitespace().any(|known| known == other) => Class::default(),
        _ => return None,
    };
    Some(class.not_if(negative))
}

fn without_caret(name: &str) -> (bool, &str) {
    match name.strip_prefix('^') {
        Some(name) => (true, name),
        None => (false, name),
    }
}

/// Categories and scripts of Unicode 6.0 that have nothing in ASCII.
const NOT_IN_ASCII: &str = "
    Cf Co Cs Lm Lo Lt M Mc Me Mn Nl No Pf Pi So Zl Zp
    Arabic Armenian Avestan Balinese Bamum Batak Bengali Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian
    Cham Cherokee Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Egyptian_Hieroglyphs Ethiopic Georgian Glagolitic
    Gothic Greek Gujarati Gurmukhi Han Hangul Hanunoo Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi
    Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kayah_Li Kharoshthi Khmer Lao Lepcha Limbu Linear_B Lisu
    Lycian Lydian Malayalam Mandaic Meetei_Mayek Mongolian Myanmar New_Tai_Lue Nko Ogham Ol_Chiki Old_Italic Old_Persian
    Old_South_Arabian Old_Turkic Oriya Osmanya Phags_Pa Phoenician Rejang Runic Samaritan Saurashtra Shavian Sinhala
    Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Tamil Telugu Thaana Thai Tibetan Tifinagh
    Ugaritic Unknown Vai Yi";
