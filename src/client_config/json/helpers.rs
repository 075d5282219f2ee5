//! The other helpers that a client's file names.

use super::Document;
use super::Format;
use super::HelperName;
use super::STORE;

/// Another helper in a client's file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OtherHelper {
    /// The key with which the file names it: a registry, or [`STORE`].
    pub key: String,
    /// Its name in the file.
    pub name: String,
}

impl Document<'_> {
    /// Returns the other helpers, in the order of the file.
    pub fn other_helpers(&self) -> Vec<OtherHelper> {
        let section = self.section();
        let members = section.iter().flat_map(|section| &section.members);
        let entries = members.filter_map(|member| {
            let name = self.helper_name(member)?;
            Some((member.key.as_deref()?.to_owned(), name))
        });
        let store = (self.format == Format::Docker).then(|| self.store());
        let store = store.flatten().map(|name| (STORE.to_owned(), name));
        let named = store.into_iter().chain(entries);
        let others = named.filter_map(|(key, name)| match name {
            HelperName::Other(name) => Some(OtherHelper { key, name }),
            _ => None,
        });
        others.collect()
    }
}
