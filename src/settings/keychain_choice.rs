//! [`KeychainChoice`]: the keychain that the settings select.

use super::name::named;
use crate::keychain::Backend;
use crate::keychain::Selection;

/// A keychain, by its name in `ICR_KEYCHAIN` and in `keychain = "…"`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeychainChoice {
    /// The best keychain of this machine.
    #[default]
    Auto,
    /// The user's persistent keyring in the Linux kernel.
    Kernel,
    /// The macOS Keychain.
    Macos,
    /// No keychain: nothing is stored or cached.
    None,
    /// The password store of `pass`, which GnuPG encrypts.
    Pass,
    /// The Secret Service: GNOME Keyring, KWallet or KeePassXC.
    SecretService,
    /// Files that `systemd-creds` encrypts.
    SystemdCreds,
    /// The Windows Credential Manager.
    Windows,
}

named!(KeychainChoice {
    "auto" => Auto,
    "kernel" => Kernel,
    "macos" => Macos,
    "none" => None,
    "pass" => Pass,
    "secret-service" => SecretService,
    "systemd-creds" => SystemdCreds,
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
            Self::Pass => Selection::Backend(Backend::Pass),
            Self::SecretService => Selection::Backend(Backend::SecretService),
            Self::SystemdCreds => Selection::Backend(Backend::SystemdCreds),
            Self::Windows => Selection::Backend(Backend::Windows),
        }
    }
}
