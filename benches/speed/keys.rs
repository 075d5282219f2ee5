//! The helper's keys in the kernel keyring.

use keyutils_raw as raw;
use keyutils_raw::KeyringSerial;

/// The longest description and the longest content of a keyring that are read, in bytes.
const MAX_LENGTH: usize = 65_536;

/// Adds keys to the user's keyring, as those of other programs and namespaces.
///
/// # Errors
/// The quota does not allow it; that of an ordinary user is 200 keys.
pub(crate) fn add(namespace: &str, count: usize) -> anyhow::Result<()> {
    let ring = persistent_keyring()?;
    for number in 0..count {
        raw::add_key("user", &format!("other:{namespace}:{number}"), b"x", ring)?;
    }
    Ok(())
}

/// Removes the keys of every namespace that begins with `prefix`.
pub(crate) fn remove(prefix: &str) {
    remove_if(|namespace, _| namespace.starts_with(prefix));
}

/// Removes the tokens of a namespace.
pub(crate) fn remove_tokens(of: &str) {
    remove_if(|namespace, kind| namespace == of && kind == "token");
}

fn remove_if(is_removed: impl Fn(&str, &str) -> bool) {
    let Ok(ids) = persistent_keyring().and_then(content) else {
        return;
    };
    let (ids, _) = ids.as_chunks();
    let keys = ids.iter().map(|id| i32::from_ne_bytes(*id));
    for key in keys.filter_map(KeyringSerial::new) {
        let Some(description) = description(key) else {
            continue;
        };
        // `TYPE;UID;GID;PERMISSIONS;SCHEMA:NAMESPACE:KIND:…`.
        let mut parts = description.split(':').skip(1);
        if is_removed(
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        ) {
            // It may have expired already.
            let _ = raw::keyctl_invalidate(key);
        }
    }
}

fn persistent_keyring() -> anyhow::Result<KeyringSerial> {
    let ring = raw::keyctl_get_persistent(u32::MAX, raw::KEY_SPEC_PROCESS_KEYRING);
    Ok(ring?)
}

fn content(ring: KeyringSerial) -> anyhow::Result<Vec<u8>> {
    let mut ids = vec![0; MAX_LENGTH];
    let length = raw::keyctl_read(ring, Some(ids[..].as_mut().into()))?;
    ids.truncate(length);
    Ok(ids)
}

fn description(key: KeyringSerial) -> Option<String> {
    let mut text = vec![0; MAX_LENGTH];
    let length = raw::keyctl_describe(key, Some(text[..].as_mut().into())).ok()?;
    let text = str::from_utf8(text.get(..length)?).ok()?;
    Some(text.trim_end_matches('\0').to_owned())
}
