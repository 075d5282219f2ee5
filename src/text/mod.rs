//! Text for a terminal: which characters and words may be shown, and which name was meant.

pub(crate) mod address;
pub(crate) mod closest_match;
pub(crate) mod encoding;
pub(crate) mod printable;
pub(crate) mod repeatable;
pub(crate) mod shell;
