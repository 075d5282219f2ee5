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
mod helpers;
mod layout;
mod mistakes;
mod parse;
mod redact;
mod repeated;
mod syntax;

pub use auths::AuthEntry;
pub use auths::AuthKind;
pub use edit::Edit;
pub use edit::HelperPlan;
pub use edit::apply_edits;
pub use edit::inverse_edits;
pub use helpers::OtherHelper;
pub use mistakes::HelperName;
pub use mistakes::Mistake;
pub use mistakes::is_looked_up;
pub use mistakes::key_with_port;
pub use parse::Document;
pub use parse::ParseError;
pub(super) use parse::at as position;

use crate::PROGRAM;
use crate::text::repeatable;
use crate::text::repeatable::NOT_SHOWN;

/// The name of this program in `credHelpers` and `credsStore`; clients put
/// `docker-credential-` before it.
pub const HELPER: &str = "icr";

const AUTHS: &str = "auths";
const HELPERS: &str = "credHelpers";
/// The field with the helper for all other registries.
pub const STORE: &str = "credsStore";

/// The format of a client's file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// Docker's file and podman's: names of helpers in `credHelpers`.
    Docker,
    /// regctl's file: programs in `hosts`, as the field `credHelper` of each entry
    /// (`regclient/regclient`, `config/host.go` and `config/credhelper.go`).
    Regctl,
}

impl Format {
    /// Returns the object with an entry for each registry.
    fn section(self) -> &'static str {
        match self {
            Self::Docker => HELPERS,
            Self::Regctl => "hosts",
        }
    }

    /// Returns the name of this program in a file.
    pub fn helper(self) -> &'static str {
        match self {
            Self::Docker => HELPER,
            Self::Regctl => PROGRAM,
        }
    }

    /// Returns the program that clients start for a helper, as messages show it.
    pub fn program(self, helper: &str) -> String {
        if repeatable::is_name(helper) {
            self.program_name(helper)
        } else {
            NOT_SHOWN.to_owned()
        }
    }

    /// Returns the name, or for regctl the path, of the program that clients start for a helper.
    pub fn program_name(self, helper: &str) -> String {
        match self {
            Self::Docker => format!("docker-credential-{helper}"),
            Self::Regctl => helper.to_owned(),
        }
    }
}

/// The field of an entry of `hosts` with the program.
const HOST_HELPER: &str = "credHelper";

/// The fields of an entry of `hosts` with a login.
const HOST_LOGIN: [&str; 2] = ["user", "pass"];
