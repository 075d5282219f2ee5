//! The items in a keychain.

/// The kind, name and label of an item.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    pub(super) kind: Kind,
    pub(super) name: String,
    title: String,
    pub(super) username: String,
}

/// The kind of an item.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// The id of a login.
    Hint,
    /// A login that a person stored.
    Login,
    /// A test item, which shows whether a keychain works.
    Probe,
    /// A cached token, or a cached failure to get one.
    Token,
}

impl Kind {
    /// Returns the name in attributes and descriptions of stored items.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Login => "login",
            Self::Probe => "probe",
            Self::Token => "token",
        }
    }
}

impl Item {
    /// Creates the item of a login.
    pub fn login(name: &str) -> Self {
        Self::new(Kind::Login, name)
    }

    /// Adds the title and user name for programs that show keychains.
    pub fn with_label(self, title: &str, username: &str) -> Self {
        Self {
            title: title.to_owned(),
            username: username.to_owned(),
            ..self
        }
    }

    /// Creates the item of a login's hint.
    pub fn hint(name: &str) -> Self {
        Self::new(Kind::Hint, name)
    }

    /// Creates the item of a cached token, by its cache key.
    pub fn token(key: &str) -> Self {
        Self::new(Kind::Token, key)
    }

    /// Creates a test item.
    pub fn probe(name: &str) -> Self {
        Self::new(Kind::Probe, name)
    }

    pub(super) fn new(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            title: String::new(),
            username: String::new(),
        }
    }

    pub(super) fn kind_name(&self) -> &'static str {
        self.kind.name()
    }

    /// Returns the label that programs such as Seahorse show.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "other keychains show the name of the service")
    )]
    pub(super) fn label(&self) -> String {
        match self.kind {
            Kind::Login => format!(
                "IBM Cloud Container Registry: login for {} ({})",
                self.title, self.username
            ),
            _ => format!(
                "IBM Cloud Container Registry: short-lived {}",
                self.kind_name()
            ),
        }
    }
}

/// An item in a keychain's list.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ListedItem {
    /// The item's name: for a login the registry's host, `@PROFILE`, or `@`.
    pub name: String,
    /// The user name, if the keychain stores it outside of the secret.
    pub username: Option<String>,
}
