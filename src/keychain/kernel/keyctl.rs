//! The system calls on the kernel's keys: `keyctl(2)` and `add_key(2)`.

use std::io;

use keyutils_raw as raw;
use nix::errno::Errno;
use zeroize::Zeroize as _;

/// The size of the first buffer for a key's content, in bytes. Almost all cached tokens are
/// shorter.
const USUAL_LENGTH: usize = 4096;

/// The size of the first buffer for a description, in bytes.
const USUAL_DESCRIPTION_LENGTH: usize = 512;

/// The length of a key's id in a keyring's content, in bytes.
const ID_LENGTH: usize = size_of::<i32>();

/// The keyring of this process.
pub(super) const PROCESS_KEYRING: Key = Key(raw::KEY_SPEC_PROCESS_KEYRING);

/// The session keyring.
pub(super) const SESSION_KEYRING: Key = Key(raw::KEY_SPEC_SESSION_KEYRING);

/// A key or a keyring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key(raw::KeyringSerial);

/// The attributes of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Attributes {
    pub(super) is_keyring: bool,
    /// Whether it contains bytes that processes can read.
    pub(super) is_user_key: bool,
    pub(super) uid: u32,
    pub(super) description: String,
}

impl Key {
    /// Returns the key with an id.
    pub(super) fn with_id(id: i32) -> Option<Self> {
        raw::KeyringSerial::new(id).map(Self)
    }

    /// Returns the user's persistent keyring, and links it to the keyring of this process.
    pub(super) fn persistent_keyring() -> Result<Self, Errno> {
        key(raw::keyctl_get_persistent(u32::MAX, PROCESS_KEYRING.0))
    }

    /// Returns the user keyring, which is made when it is first used.
    pub(super) fn user_keyring() -> Result<Self, Errno> {
        key(raw::keyctl_get_keyring_id(raw::KEY_SPEC_USER_KEYRING, true))
    }

    /// Returns the session keyring; a new one if this process has none of its own.
    pub(super) fn own_session_keyring() -> Result<Self, Errno> {
        key(raw::keyctl_get_keyring_id(SESSION_KEYRING.0, true))
    }

    /// Returns the key with a description in this keyring and those that it links to.
    pub(super) fn search(self, description: &str) -> Result<Self, Errno> {
        check(description)?;
        key(raw::keyctl_search(self.0, "user", description, None))
    }

    /// Adds a key to this keyring. A key with this description gets the content instead.
    pub(super) fn add(self, description: &str, content: &[u8]) -> Result<Self, Errno> {
        check(description)?;
        key(raw::add_key("user", description, content, self.0))
    }

    pub(super) fn link(self, linked: Self) -> Result<(), Errno> {
        raw::keyctl_link(linked.0, self.0).map_err(error)
    }

    pub(super) fn unlink(self, linked: Self) -> Result<(), Errno> {
        raw::keyctl_unlink(linked.0, self.0).map_err(error)
    }

    /// Returns the keys and keyrings that are directly in this keyring.
    pub(super) fn links(self) -> Result<Vec<Self>, Errno> {
        let ids = self.read(USUAL_DESCRIPTION_LENGTH)?;
        let (ids, _) = ids.as_chunks::<ID_LENGTH>();
        Ok(ids
            .iter()
            .filter_map(|id| Self::with_id(i32::from_ne_bytes(*id)))
            .collect())
    }

    /// Returns the attributes.
    pub(super) fn attributes(self) -> Result<Attributes, Errno> {
        let text = complete(USUAL_DESCRIPTION_LENGTH, |buffer| {
            raw::keyctl_describe(self.0, Some(buffer.into())).map_err(error)
        })?;
        parse(&text).ok_or(Errno::EINVAL)
    }

    /// Returns the content. Sealed records are no secrets; callers overwrite others.
    pub(super) fn content(self) -> Result<Vec<u8>, Errno> {
        self.read(USUAL_LENGTH)
    }

    /// Reads the content into a buffer. Returns its length, which may be greater than that of
    /// the buffer.
    pub(super) fn read_into(self, buffer: &mut [u8]) -> Result<usize, Errno> {
        raw::keyctl_read(self.0, Some(buffer.into())).map_err(error)
    }

    fn read(self, usual_length: usize) -> Result<Vec<u8>, Errno> {
        complete(usual_length, |buffer| self.read_into(buffer))
    }

    pub(super) fn update(self, content: &[u8]) -> Result<(), Errno> {
        raw::keyctl_update(self.0, content).map_err(error)
    }

    /// Deletes it from all keyrings.
    pub(super) fn invalidate(self) -> Result<(), Errno> {
        raw::keyctl_invalidate(self.0).map_err(error)
    }

    /// Sets the permissions: bits of `raw::KEY_POS_…` and `raw::KEY_USR_…`.
    pub(super) fn set_permissions(self, permissions: u32) -> Result<(), Errno> {
        raw::keyctl_setperm(self.0, permissions).map_err(error)
    }

    /// Makes the kernel delete it after some seconds; never if they are zero.
    pub(super) fn set_timeout(self, seconds: u32) -> Result<(), Errno> {
        raw::keyctl_set_timeout(self.0, seconds).map_err(error)
    }
}

fn key(serial: Result<raw::KeyringSerial, impl Into<io::Error>>) -> Result<Key, Errno> {
    serial.map(Key).map_err(error)
}

fn error(error: impl Into<io::Error>) -> Errno {
    error
        .into()
        .raw_os_error()
        .map_or(Errno::EINVAL, Errno::from_raw)
}

/// Returns an error for a description that the kernel cannot have. The library would panic.
fn check(description: &str) -> Result<(), Errno> {
    if description.contains('\0') {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// Returns all bytes that the kernel has. It returns their number also if the buffer is too
/// small, and then another buffer is used.
fn complete(
    usual_length: usize,
    read: impl Fn(&mut [u8]) -> Result<usize, Errno>,
) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; usual_length];
    loop {
        let length = read(&mut buffer)?;
        if length <= buffer.len() {
            buffer.truncate(length);
            return Ok(buffer);
        }
        // Some kernels write the part that fits.
        buffer.zeroize();
        buffer.resize(length, 0);
    }
}

/// Parses `TYPE;UID;GID;PERMISSIONS;DESCRIPTION`, which a zero byte ends.
fn parse(text: &[u8]) -> Option<Attributes> {
    let text = str::from_utf8(text.strip_suffix(b"\0")?).ok()?;
    let mut fields = text.splitn(5, ';');
    let (kind, uid) = (fields.next()?, fields.next()?);
    Some(Attributes {
        is_keyring: kind == "keyring",
        is_user_key: kind == "user",
        uid: uid.parse().ok()?,
        description: fields.nth(2)?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_of_the_kernel_is_parsed() {
        let attributes = parse(b"user;1000;1000;3f010000;a;b\0").unwrap();
        assert!(attributes.is_user_key && !attributes.is_keyring);
        assert_eq!(attributes.uid, 1000);
        assert_eq!(attributes.description, "a;b");
        let other = parse(b"asymmetric;0;0;1f030000;\0").unwrap();
        assert!(!other.is_user_key && !other.is_keyring);
        for text in [
            &b""[..],
            b"user;1000;1000;3f010000;a",
            b"user;x;0;0;a\0",
            b"user;1\0",
        ] {
            assert_eq!(parse(text), None);
        }
    }

    #[test]
    fn a_buffer_that_is_too_small_is_replaced() {
        let content = b"123456789";
        let read = |buffer: &mut [u8]| {
            if content.len() <= buffer.len() {
                buffer[..content.len()].copy_from_slice(content);
            }
            Ok(content.len())
        };
        for usual_length in [0, 4, 9, 64] {
            assert_eq!(complete(usual_length, read).unwrap(), content);
        }
        assert_eq!(complete(4, |_| Err(Errno::EACCES)), Err(Errno::EACCES));
    }

    #[test]
    fn a_description_with_a_zero_byte_is_an_error() {
        assert_eq!(PROCESS_KEYRING.search("a\0b"), Err(Errno::EINVAL));
        assert_eq!(PROCESS_KEYRING.add("a\0b", b"x"), Err(Errno::EINVAL));
    }
}
