//! Text: which characters and words may be shown, which name was meant, and what a text contains.

pub(crate) mod address;
pub(crate) mod closest_match;
pub(crate) mod encoding;
pub(crate) mod printable;
pub(crate) mod repeatable;
pub(crate) mod shell;
pub(crate) mod yaml;
