//! What this process has already decrypted.

use std::cell::RefCell;

use crate::secret::Secret;

/// The secrets that were decrypted by this process, so that another program runs once for each.
/// They are found by the encrypted bytes, so a secret that another process replaced is decrypted
/// again.
#[derive(Debug, Default)]
pub(super) struct Decryptions(RefCell<Vec<(Vec<u8>, Secret)>>);

impl Decryptions {
    /// Returns the secret of these encrypted bytes, if it is known.
    pub(super) fn find(&self, encrypted: &[u8]) -> Option<Secret> {
        let known = self.0.borrow();
        let found = known.iter().find(|(bytes, _)| bytes == encrypted);
        found.map(|(_, secret)| secret.clone())
    }

    /// Records what these encrypted bytes are.
    pub(super) fn insert(&self, encrypted: Vec<u8>, secret: Secret) {
        self.0.borrow_mut().push((encrypted, secret));
    }
}
