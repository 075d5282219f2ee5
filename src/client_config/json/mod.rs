//! A client's JSON configuration file: parsed with byte positions, and changed by the
//! smallest edits of its text.
//!
//! Only what a change needs is written. The order, spaces, line ends, numbers and escapes
//! of everything else stay the same, byte by byte.
//!
//! Clients read with Go's `encoding/json`: names of fields in any case, keys of maps
//! exactly, the last of two. Docker treats an empty file as a missing one
//! (`cli/config/configfile/file.go`).

mod auths;
mod edit;
mod layout;
mod mistakes;
mod parse;
mod redact;

pub use auths::AuthEntry;
pub use auths::AuthKind;
pub use edit::Edit;
pub use edit::HelperPlan;
pub use edit::apply_edits;
pub use edit::inverse_edits;
pub use mistakes::HelperName;
pub use mistakes::Mistake;
pub use mistakes::is_looked_up;
pub use mistakes::key_with_port;
pub use parse::Document;
pub use parse::ParseError;

/// The name of this program in `credHelpers` and `credsStore`; clients put
/// `docker-credential-` before it.
pub const HELPER: &str = "icr";

const AUTHS: &str = "auths";
const HELPERS: &str = "credHelpers";
const STORE: &str = "credsStore";
