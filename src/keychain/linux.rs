//! The keychains of Linux.

use std::path::Path;
use std::rc::Rc;

use super::Backend;
use super::Keychain;
use super::KeychainDirectories;
use super::KeychainError;
use super::Keychains;
use super::Prompting;
use super::Selection;
use super::kernel::KernelKeyring;
use super::layered::Layer;
use super::layered::Layered;
use super::none;
use super::own_hints::OwnHints;
use super::pass::Pass;
use super::pass::Sharing;
use super::secret_service::SecretService;
use super::systemd_creds::SystemdCreds;
use super::token_files::TokenFiles;
use super::traced::Traced;
use super::user_namespace;
use crate::environment::Environment;

/// Opens the selected keychains.
///
/// # Errors
/// The selected keychain does not exist on this system.
pub fn open(
    selection: Selection,
    namespace: &str,
    environment: &Environment,
    directories: &KeychainDirectories,
    prompting: Prompting,
) -> Result<Keychains, KeychainError> {
    let opener = Opener {
        namespace,
        environment,
        directories,
        prompting,
        is_root: nix::unistd::Uid::effective().is_root(),
    };
    match selection {
        Selection::Auto => Ok(opener.auto()),
        Selection::Backend(Backend::SecretService) => {
            let secret_service = opener.secret_service();
            Ok(Keychains {
                logins: Box::new(Rc::clone(&secret_service)),
                tokens: Box::new(secret_service),
                cache_is_local: false,
            })
        }
        Selection::Backend(Backend::Kernel | Backend::KernelWithoutPersistence) => {
            let kernel = opener.kernel();
            Ok(Keychains {
                logins: Box::new(Rc::clone(&kernel)),
                tokens: Box::new(kernel),
                cache_is_local: false,
            })
        }
        Selection::Backend(Backend::SystemdCreds) => {
            Ok(opener.with_tokens_in_the_kernel(opener.systemd_creds(), "systemd-creds"))
        }
        Selection::Backend(Backend::Pass) => {
            Ok(opener.with_tokens_in_the_kernel(opener.pass(prompting, Sharing::Allowed), "pass"))
        }
        Selection::None => Ok(none::keychains()),
        Selection::Backend(_) => Err(KeychainError::Unsupported),
    }
}

/// What all keychains are opened with.
#[derive(Clone, Copy)]
struct Opener<'a> {
    namespace: &'a str,
    environment: &'a Environment,
    directories: &'a KeychainDirectories,
    prompting: Prompting,
    is_root: bool,
}

impl Opener<'_> {
    /// Returns the directory of encrypted logins. In the user namespace of one program, such as
    /// rootless podman's, root is the user.
    fn logins(&self) -> Option<&Path> {
        let of_root = self.directories.logins_of_root.as_deref();
        of_root
            .filter(|_| self.is_root && !user_namespace::is_around_one_program())
            .or(self.directories.logins.as_deref())
    }

    fn kernel(&self) -> Rc<Traced<KernelKeyring>> {
        let kernel = KernelKeyring::new(self.namespace);
        Rc::new(Traced::new("kernel keyring", kernel))
    }

    fn secret_service(&self) -> Rc<Traced<SecretService>> {
        let marks = self.directories.marks.as_deref();
        let secret_service =
            SecretService::new(self.namespace, self.environment, marks, self.prompting);
        Rc::new(Traced::new("Secret Service", secret_service))
    }

    fn systemd_creds(&self) -> Rc<Traced<SystemdCreds>> {
        let keychain = SystemdCreds::new(
            self.namespace,
            self.environment,
            self.logins(),
            self.directories.marks.as_deref(),
            self.prompting,
        );
        Rc::new(Traced::new("systemd-creds", keychain))
    }

    fn pass(&self, prompting: Prompting, sharing: Sharing) -> Rc<Traced<Pass>> {
        let keychain = Pass::new(
            self.namespace,
            self.environment,
            self.logins(),
            self.directories.marks.as_deref(),
            prompting,
            sharing,
        );
        Rc::new(Traced::new("pass", keychain))
    }

    /// Returns the tokens of an encrypting keychain, with hints.
    fn token_files(&self, tokens: Rc<dyn Keychain>) -> TokenFiles {
        TokenFiles::new(tokens, self.logins(), self.namespace)
    }

    /// Returns a keychain of logins whose tokens and hints are in the kernel keyring or, if this
    /// process may not use that, in the same keychain. The hints are about `name` only.
    fn with_tokens_in_the_kernel(&self, logins: Rc<dyn Keychain>, name: &'static str) -> Keychains {
        let kernel = self.kernel();
        let tokens: Rc<dyn Keychain> = if kernel.keychain.is_available() {
            kernel
        } else {
            Rc::new(self.token_files(Rc::clone(&logins)))
        };
        Keychains {
            logins: Box::new(logins),
            tokens: Box::new(OwnHints::new(tokens, name)),
            cache_is_local: true,
        }
    }

    fn auto(&self) -> Keychains {
        let kernel = self.kernel();
        let has_kernel = kernel.keychain.is_available();
        let secret_service = self.secret_service();
        let has_bus = secret_service.keychain.has_bus();
        let systemd_creds = self.systemd_creds();
        // Used only where it asks for nothing, and where a login is for this user alone.
        let pass = self.pass(Prompting::Never, Sharing::Refused);
        let has_files = !has_kernel
            && !has_bus
            && (systemd_creds.keychain.has_program() || pass.keychain.is_initialized());
        let encrypted = vec![
            Layer::where_usable(Backend::SystemdCreds, systemd_creds),
            Layer::where_usable(Backend::Pass, pass),
        ];
        let mut all = vec![Layer::required(Backend::SecretService, secret_service)];
        all.extend(encrypted.iter().cloned());
        let tokens: Box<dyn Keychain> = if has_kernel {
            Box::new(Rc::clone(&kernel))
        } else if has_files {
            Box::new(self.token_files(Rc::new(Layered::new(encrypted))))
        } else {
            Box::new(Layered::new(all.clone()))
        };
        all.push(Layer::required(Backend::Kernel, kernel));
        Keychains {
            logins: Box::new(Layered::new(all)),
            tokens,
            cache_is_local: has_kernel || has_files,
        }
    }
}
