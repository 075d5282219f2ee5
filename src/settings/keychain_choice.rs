//! Which keychain the settings name.

use super::name::named;
use crate::keychain::Backend;
use crate::keychain::Selection;

/// The keychain that `ICR_KEYCHAIN` or `keychain = "…"` names.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeychainChoice {
    /// The best that this machine has.
    #[default]
    Auto,
    /// The Linux kernel's persistent keyring of the user.
    Kernel,
    /// The macOS Keychain.
    Macos,
    /// None: nothing is stored, nothing is cached.
    None,
    /// GNOME Keyring, KWallet or KeePassXC, by the Secret Service interface.
    SecretService,
    /// The Windows Credential Manager.
    Windows,
}

named!(KeychainChoice {
    "auto" => Auto,
    "kernel" => Kernel,
    "macos" => Macos,
    "none" => None,
    "secret-service" => SecretService,
    "windows" => Windows,
});

impl KeychainChoice {
    /// Returns the keychains to open.
    pub fn selection(self) -> Selection {
        match self {
            Self::Auto => Selection::Auto,
            Self::Kernel => Selection::Backend(Backend::Kernel),
            Self::Macos => Selection::Backend(Backend::Macos),
            Self::None => Selection::None,
            Self::SecretService => Selection::Backend(Backend::SecretService),
            Self::Windows => Selection::Backend(Backend::Windows),
        }
    }
}
