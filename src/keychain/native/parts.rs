//! The parts of a secret that is too long for one credential.

use crate::digest;

/// The first character of a header; records are JSON objects and begin with `{`. It also begins
/// the end of a part's name; no other name contains it.
pub(super) const HEADER: char = '#';

/// The maximum number of parts, more than any token needs. A header with a larger number
/// is not from this program.
pub(super) const MAX_PARTS: usize = 64;

/// The header of a split secret: the number of its parts and the digest of the whole.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Header {
    pub(super) count: usize,
    pub(super) digest: String,
}

impl Header {
    /// Creates the header for a secret; `None` if the secret needs no parts.
    pub(super) fn of(secret: &str, max_blob_size: usize) -> Option<Self> {
        (secret.len() > max_blob_size).then(|| Self {
            count: parts(secret, max_blob_size).count(),
            digest: digest::fingerprint(&[secret]),
        })
    }

    /// Returns whether [`Header::parse`] would refuse it.
    pub(super) fn is_too_long(&self) -> bool {
        self.count > MAX_PARTS
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (count, digest) = text.strip_prefix(HEADER)?.split_once(HEADER)?;
        let count = count.parse().ok().filter(|count| *count <= MAX_PARTS)?;
        Some(Self {
            count,
            digest: digest.to_owned(),
        })
    }

    pub(super) fn part_names<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        (0..self.count).map(move |index| format!("{name}{HEADER}{}{HEADER}{index}", self.digest))
    }
}

impl std::fmt::Display for Header {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{HEADER}{}{HEADER}{}", self.count, self.digest)
    }
}

/// Splits a text into parts of at most `max_size` bytes, between characters.
pub(super) fn parts(text: &str, max_size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = max_size.min(rest.len());
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (part, remainder) = rest.split_at(end);
        rest = remainder;
        (!part.is_empty()).then_some(part)
    })
}
