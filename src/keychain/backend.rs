//! The names of the keychains, and which is selected.

/// A keychain of an operating system.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backend {
    /// The Linux kernel's persistent keyring of the user.
    Kernel,
    /// The Linux kernel's other keyring of the user, on kernels without persistent ones.
    KernelWithoutPersistence,
    /// The macOS Keychain.
    Macos,
    /// The password store of `pass`, which GnuPG encrypts.
    Pass,
    /// GNOME Keyring, KWallet or KeePassXC, by the Secret Service interface.
    SecretService,
    /// Files that `systemd-creds` encrypts.
    SystemdCreds,
    /// The Windows Credential Manager.
    Windows,
}

impl Backend {
    /// Returns the name in settings and JSON answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel | Self::KernelWithoutPersistence => "kernel",
            Self::Macos => "macos",
            Self::Pass => "pass",
            Self::SecretService => "secret-service",
            Self::SystemdCreds => "systemd-creds",
            Self::Windows => "windows",
        }
    }

    /// Returns a short name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Kernel | Self::KernelWithoutPersistence => "kernel keyring",
            Self::Macos => "Keychain",
            Self::Pass => "pass",
            Self::SecretService => "Secret Service",
            Self::SystemdCreds => "systemd-creds",
            Self::Windows => "Credential Manager",
        }
    }

    /// Returns the name for people, with how long it stores a login if that is not
    /// unlimited (`keyctl_get_persistent(3)`: three days by default).
    pub fn described(self) -> &'static str {
        match self {
            Self::Kernel => {
                "the Linux kernel keyring (lost at reboot, or after 3 days without use)"
            }
            // Since Linux 5.3; before, with the user's last process (`user-keyring(7)`).
            Self::KernelWithoutPersistence => {
                "the Linux kernel keyring (lost at reboot; this kernel has no persistent keyrings)"
            }
            Self::Macos => "the macOS Keychain",
            Self::Pass => "the password store of pass (kept until you log out)",
            Self::SecretService => "the Secret Service (GNOME Keyring, KWallet or KeePassXC)",
            Self::SystemdCreds => "an encrypted file (systemd-creds; kept until you log out)",
            Self::Windows => "the Windows Credential Manager",
        }
    }
}

/// The keychains to open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Selection {
    /// The best available keychain of this machine.
    Auto,
    /// This keychain only.
    Backend(Backend),
    /// No keychain: nothing is stored or cached.
    None,
}
