//! Characters that may be sent to a terminal: visible ones that stay in their place on one
//! line.
//!
//! Others make a text look like another one: they move the cursor, turn the direction of
//! what follows (`U+202E`), begin a new line in some programs (`U+2028`), or are not seen
//! at all. Letters of scripts that are written from right to left are names of people and
//! stay.

/// Characters that Unicode counts as letters, marks or symbols and that show nothing:
/// fillers, joiners and variation selectors of Mongolian
/// (`Default_Ignorable_Code_Point` of `DerivedCoreProperties.txt`), and the blank of
/// Braille.
const BLANK: [char; 13] = [
    '\u{34f}',
    '\u{115f}',
    '\u{1160}',
    '\u{17b4}',
    '\u{17b5}',
    '\u{180b}',
    '\u{180c}',
    '\u{180d}',
    '\u{180f}',
    '\u{2800}',
    '\u{3164}',
    '\u{ffa0}',
    '\u{1d159}',
];

/// Returns whether a character may be shown.
///
/// The standard library's `Debug` escapes what is not printable: control and format
/// characters, separators but the space, surrogates, private and unassigned ones.
pub(crate) fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    // Behind a letter, because a mark without one is escaped as well.
    let mut text = String::from("a");
    text.push(character);
    text.escape_debug().eq(text.chars()) && !BLANK.contains(&character)
}

/// Returns a text of several lines with spaces for what may not be shown.
pub(crate) fn in_lines(text: &str) -> String {
    let shown = |character| match character {
        '\n' | '\t' => character,
        _ if is_printable(character) => character,
        _ => ' ',
    };
    text.chars().map(shown).collect()
}

/// Returns the same JSON with escapes for what may not be shown: a terminal sees it, and
/// a program reads the text that it was.
pub(crate) fn in_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || is_printable(character) {
            safe.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What makes a text look like another one.
    const DECEPTIVE: [(char, char); 18] = [
        ('\0', '\u{1f}'),
        ('\u{7f}', '\u{a0}'),
        ('\u{ad}', '\u{ad}'),
        ('\u{600}', '\u{605}'),
        ('\u{61c}', '\u{61c}'),
        ('\u{180b}', '\u{180f}'),
        ('\u{2000}', '\u{200f}'),
        ('\u{2028}', '\u{202f}'),
        ('\u{205f}', '\u{206f}'),
        ('\u{2800}', '\u{2800}'),
        ('\u{3000}', '\u{3000}'),
        ('\u{3164}', '\u{3164}'),
        ('\u{e000}', '\u{f8ff}'),
        ('\u{feff}', '\u{feff}'),
        ('\u{fff9}', '\u{fffb}'),
        ('\u{1d173}', '\u{1d17a}'),
        ('\u{e0001}', '\u{e007f}'),
        ('\u{f0000}', '\u{10ffff}'),
    ];

    #[test]
    fn deceptive_characters_are_not_printable() {
        for (first, last) in DECEPTIVE {
            for character in first..=last {
                assert!(!is_printable(character), "{:x}", u32::from(character));
            }
        }
        for unassigned in ['\u{378}', '\u{fdd0}', '\u{1ffff}'] {
            assert!(!is_printable(unassigned), "{:x}", u32::from(unassigned));
        }
    }

    #[test]
    fn ordinary_text_is_printable() {
        for text in [
            " !\"'\\`~azAZ09",
            "Müller & Söhne, e\u{301}",
            "Ελλάδα Україна ישראל العربية हिन्दी",
            "日本語 한국어 ไทย",
            "€ → … “x” – ✓ 🚀",
        ] {
            let hidden = text.chars().find(|character| !is_printable(*character));
            assert_eq!(hidden, None, "{text}");
        }
    }

    #[test]
    fn escaped_json_parses_to_the_same_value() {
        let value = serde_json::json!({"a\u{202e}b": ["\u{e0041}", "ä\n", "\u{2028}"]});
        let safe = in_json(&format!("{value:#}"));
        assert!(safe.contains("a\\u202eb"), "{safe}");
        assert!(
            safe.chars()
                .all(|character| character == '\n' || is_printable(character))
        );
        let read: serde_json::Value = serde_json::from_str(&safe).unwrap();
        assert_eq!(read, value);
    }

    #[test]
    fn line_breaks_and_tabs_are_kept() {
        assert_eq!(in_lines("a\u{1b}[2J\n\tb\u{202e}c\r\n"), "a [2J\n\tb c \n");
    }
}
