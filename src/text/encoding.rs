//! The encodings of text that other programs write: UTF-8 and UTF-16, with and without a byte
//! order mark.
//!
//! Windows PowerShell 5.1 writes UTF-16 with `>` and `Out-File`, and .NET Framework begins what
//! it pipes into a program with a byte order mark.

use zeroize::Zeroizing;

/// A function that reads a unit of UTF-16 in one byte order.
type Unit = fn([u8; 2]) -> u16;

/// The byte order marks of UTF-16, little and big endian (Unicode Standard, section 23.8).
const UTF_16_MARKS: [([u8; 2], Unit); 2] = [
    ([0xff, 0xfe], u16::from_le_bytes),
    ([0xfe, 0xff], u16::from_be_bytes),
];

/// The byte order mark of UTF-8, and what is left of it if a shell reads its bytes as text of
/// code page 1252, 850 or 437.
const UTF_8_MARKS: [&str; 4] = ["\u{feff}", "ï»¿", "´╗┐", "∩╗┐"];

/// Returns the text in these bytes, without byte order marks.
///
/// # Errors
/// The bytes are neither UTF-8 nor UTF-16: a phrase that begins with `it is`.
pub(crate) fn decode(bytes: &[u8]) -> Result<Zeroizing<String>, &'static str> {
    match utf_16_units(bytes) {
        Some((content, unit)) => from_utf_16(content, unit),
        None => std::str::from_utf8(bytes)
            .map(|text| Zeroizing::new(without_mark(text).to_owned()))
            .map_err(|_| "it is not UTF-8 text"),
    }
}

/// Returns why programs that read only plain UTF-8 cannot read these bytes: a phrase that
/// begins with `it`. `None` for UTF-8 without a mark, and for bytes that are no text.
pub(crate) fn deviation(bytes: &[u8]) -> Option<&'static str> {
    if utf_16_units(bytes).is_some() {
        return Some("it is UTF-16 text");
    }
    let has_mark = bytes.starts_with("\u{feff}".as_bytes());
    has_mark.then_some("it begins with a byte order mark")
}

/// Returns the text without byte order marks at its beginning. Windows PowerShell may add one
/// to a file that has one.
pub(crate) fn without_mark(text: &str) -> &str {
    let mut rest = text;
    while let Some(shorter) = UTF_8_MARKS.iter().find_map(|mark| rest.strip_prefix(mark)) {
        rest = shorter;
    }
    rest
}

/// Returns the bytes after the mark of UTF-16 and how to read two of them. Without a mark, text
/// in Latin letters is recognized by its NUL bytes.
fn utf_16_units(bytes: &[u8]) -> Option<(&[u8], Unit)> {
    let marked = UTF_16_MARKS
        .iter()
        .find_map(|(mark, unit)| Some((bytes.strip_prefix(mark)?, *unit)));
    marked.or_else(|| {
        let are_nul = |first: usize| {
            let mut bytes = bytes.iter().skip(first).step_by(2);
            bytes.len() > 0 && bytes.all(|byte| *byte == 0)
        };
        match (are_nul(0), are_nul(1)) {
            (false, true) => Some((bytes, u16::from_le_bytes as Unit)),
            (true, false) => Some((bytes, u16::from_be_bytes)),
            _ => None,
        }
    })
}

fn from_utf_16(bytes: &[u8], unit: Unit) -> Result<Zeroizing<String>, &'static str> {
    // A shell drops the NUL bytes when it puts the text into a variable.
    if bytes.is_ascii() && !bytes.contains(&0) {
        let text = String::from_utf8(bytes.to_vec());
        return text.map(Zeroizing::new).map_err(|_| BROKEN_UTF_16);
    }
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(BROKEN_UTF_16);
    }
    // Large enough for all of it, because a buffer that grows leaves copies in memory.
    let mut text = Zeroizing::new(String::with_capacity(3 * pairs.len()));
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        text.push(character.map_err(|_| BROKEN_UTF_16)?);
    }
    Ok(Zeroizing::new(without_mark(&text).to_owned()))
}

const BROKEN_UTF_16: &str = "it is UTF-16 text that is cut off or damaged";

#[cfg(test)]
mod tests {
    use super::*;

    fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn text_in_each_encoding_is_read_without_its_mark() {
        let little = |text| utf_16(text, u16::to_le_bytes);
        let big = |text| utf_16(text, u16::to_be_bytes);
        for (bytes, text) in [
            (b"key\r\n".to_vec(), "key\r\n"),
            (b"\xef\xbb\xbfkey".to_vec(), "key"),
            (b"\xef\xbb\xbf\xef\xbb\xbfkey".to_vec(), "key"),
            ("ï»¿key".into(), "key"),
            ("∩╗┐key".into(), "key"),
            (little("\u{feff}key\r\n"), "key\r\n"),
            (big("\u{feff}key"), "key"),
            (little("key"), "key"),
            (big("key"), "key"),
            (
                little("\u{feff}Schl\u{fc}ssel \u{1f511}"),
                "Schlüssel \u{1f511}",
            ),
            (b"\xff\xfekey\r\n".to_vec(), "key\r\n"),
            (b"\xff\xfe".to_vec(), ""),
            (Vec::new(), ""),
        ] {
            assert_eq!(
                decode(&bytes).as_deref().map(String::as_str),
                Ok(text),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_deviation_from_plain_utf_8_is_reported() {
        for (bytes, expected) in [
            (&b"{}"[..], None),
            (b"", None),
            (b"\xff", None),
            (b"\xef\xbb\xbf{}", Some("byte order mark")),
            (b"\xff\xfe{\0}\0", Some("UTF-16")),
            (b"\0{\0}", Some("UTF-16")),
        ] {
            let named = deviation(bytes);
            assert_eq!(named.is_some(), expected.is_some(), "{bytes:?}");
            assert!(named.is_none_or(|named| named.contains(expected.unwrap_or_default())));
        }
    }

    #[test]
    fn the_error_says_what_undecodable_bytes_are() {
        for (bytes, reason) in [
            (&b"\xa0key"[..], "not UTF-8"),
            (b"\x1f\x8b\x08\x00", "not UTF-8"),
            (b"\xff\xfek\0e\0y", "cut off"),
            (b"\xff\xfe\x00\xd8k\0", "cut off"),
        ] {
            let error = decode(bytes).unwrap_err();
            assert!(error.contains(reason), "{bytes:?}: {error}");
        }
    }
}
