//! Encodings that editors and shells of Windows write, and clients do not accept: UTF-8 with a
//! byte order mark, and UTF-16 (`>` in Windows PowerShell 5.1).

use zeroize::Zeroizing;

use crate::secret::Secret;

const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";
const LITTLE_ENDIAN_MARK: &[u8] = b"\xff\xfe";
const BIG_ENDIAN_MARK: &[u8] = b"\xfe\xff";

/// Returns which of these encodings a text has, as a part of a sentence, and the text;
/// `None` for UTF-8 without a mark, and for bytes that are no text.
pub(super) fn decode(bytes: &[u8]) -> Option<(&'static str, Secret)> {
    if let Some(rest) = bytes.strip_prefix(UTF_8_MARK) {
        let text = std::str::from_utf8(rest).ok()?;
        return Some(("it begins with a byte order mark", Secret::new(text)));
    }
    let to_unit: fn([u8; 2]) -> u16 = match bytes {
        // No JSON text begins with a zero byte, or has one as its second byte.
        [b'\0', first, ..] if *first != 0 => u16::from_be_bytes,
        [first, b'\0', ..] if *first != 0 => u16::from_le_bytes,
        _ if bytes.starts_with(LITTLE_ENDIAN_MARK) => u16::from_le_bytes,
        _ if bytes.starts_with(BIG_ENDIAN_MARK) => u16::from_be_bytes,
        _ => return None,
    };
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let units: Zeroizing<Vec<u16>> = Zeroizing::new(pairs.iter().map(|it| to_unit(*it)).collect());
    let units = units.strip_prefix(&[0xfeff]).unwrap_or(&units);
    Some((
        "it is UTF-16 text",
        Secret::new(String::from_utf16(units).ok()?),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Option<String> {
        Some(decode(bytes)?.1.expose().to_owned())
    }

    #[test]
    fn texts_of_windows_are_decoded() {
        let text = "{\"é\": \"\u{1f980}\"}\r\n";
        let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let (little, big): (Vec<u8>, Vec<u8>) = (little(text), big(text));
        for bytes in [
            [UTF_8_MARK, text.as_bytes()].concat(),
            [LITTLE_ENDIAN_MARK, &little].concat(),
            [BIG_ENDIAN_MARK, &big].concat(),
            little,
            big,
        ] {
            assert_eq!(decoded(&bytes).as_deref(), Some(text), "{bytes:?}");
        }
    }

    #[test]
    fn other_bytes_are_not_decoded() {
        for bytes in [
            &b"{}"[..],
            b"",
            b"{",
            b"\xff",
            b"\xff\xfe{",
            b"\xff\xfe\x00\xd8",
            b"\xef\xbb\xbf\xff",
            b"{\0}",
            b"\0\0\0{",
        ] {
            assert_eq!(decoded(bytes), None, "{bytes:?}");
        }
    }
}
