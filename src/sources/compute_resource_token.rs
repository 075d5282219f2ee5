//! The compute resource token of a pod, a Code Engine job or an agent, in a file. The platform
//! replaces it at any time, so it is read for each `get`.

use std::path::Path;
use std::path::PathBuf;

use super::SourceContext;
use super::environment_profile;
use super::grant_input::GrantInput;
use super::source_identity::SourceIdentity;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::iam::trusted_profile::TrustedProfile;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::secret::input;
use crate::secret::input::SecretKind;
use crate::settings::SourceName;
use crate::sources::advice::SourceKind;

/// The paths of the token in their order (`go-sdk-core`,
/// `core/container_authenticator.go`).
const PATHS: [&str; 3] = [
    "var/run/secrets/tokens/vault-token",
    "var/run/secrets/tokens/sa-token",
    "var/run/secrets/codeengine.cloud.ibm.com/compute-resource-token/token",
];

/// The size limit of the file, in bytes. Such tokens have a few thousand.
const MAX_SIZE: u64 = 64 * 1024;

/// Returns the identity of the token in the first of these files and of the selected trusted
/// profile. Without a profile, the token is meant for other programs.
pub(super) fn find<'a>(
    _registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    let Some(profile) = environment_profile::of_compute_resource(context)? else {
        return Ok(None);
    };
    let chosen = match context.settings.source {
        Some(SourceName::ComputeResourceToken) => context.settings.file,
        _ => None,
    };
    find_token(chosen, profile, context)
}

/// Returns the identity of the token in the named file, or in the first that exists.
pub(super) fn find_token<'a>(
    named: Option<&Path>,
    profile: TrustedProfile,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    let named = named.map(Path::to_owned);
    let Some(path) = named.or_else(|| first_file(&context.system_paths.root)) else {
        return Ok(None);
    };
    let source = format!(
        "the compute resource token in {} for {profile}",
        path.display()
    );
    let token = read(&path).map_err(|error| {
        Error::from_anyhow(&error)
            .with_context(format_args!("cannot use {source}"))
            .with_default_hint("Check that the token is mounted there")
    })?;
    let input = GrantInput::ComputeResource { token, profile };
    let kind = SourceKind::ComputeResource;
    Ok(Some(SourceIdentity::new(context, source, kind, input)))
}

fn first_file(root: &Path) -> Option<PathBuf> {
    let mut paths = PATHS.iter().map(|path| root.join(path));
    paths.find(|path| fs::entry_exists(path))
}

fn read(path: &Path) -> anyhow::Result<Secret> {
    let bytes = zeroize::Zeroizing::new(fs::read_bytes(path, MAX_SIZE)?);
    Ok(input::read_bytes(SecretKind::ComputeResourceToken, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Machine;
    use super::*;

    fn machine() -> Machine {
        let mut machine = Machine::new();
        machine.set("IBMCLOUD_CR_PROFILE", "Profile-1");
        machine
    }

    #[test]
    fn the_first_of_three_files_is_read() {
        let machine = machine();
        assert_eq!(machine.found("us.icr.io"), Ok(None));
        for path in PATHS.iter().rev() {
            machine.file(&format!("root/{path}"), "token\n");
            machine.finds("us.icr.io", path);
        }
    }

    #[test]
    fn a_token_without_a_profile_is_not_used() {
        let mut machine = Machine::new();
        machine.file(&format!("root/{}", PATHS[0]), "token");
        assert_eq!(machine.found("us.icr.io"), Ok(None));
        machine.set("ICR_SOURCE", "compute-resource-token");
        machine.fails_with(&["compute-resource-token", "Set IBMCLOUD_CR_PROFILE"]);
    }

    #[test]
    fn a_file_without_a_token_is_named_in_the_error() {
        let path = format!("root/{}", PATHS[0]);
        for (text, reason) in [
            (String::new(), "it is empty"),
            (" \n".into(), "it is empty"),
            ("x".repeat(65 * 1024), "larger than 64 KiB"),
            ("one two".into(), "it has more than one word"),
            ("\u{1f980}".into(), "it is not plain text"),
        ] {
            let machine = machine();
            machine.file(&path, &text);
            machine.file(&format!("root/{}", PATHS[1]), "token");
            machine.fails_with(&["vault-token for trusted profile Profile-1", reason]);
        }
    }

    /// Kubernetes mounts links, which are broken for a moment at worst.
    #[cfg(unix)]
    #[test]
    fn a_broken_link_is_an_error() {
        let machine = machine();
        let path = machine.file(&format!("root/{}", PATHS[0]), "");
        machine.file(&format!("root/{}", PATHS[1]), "token");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("..data/token", &path).unwrap();
        machine.fails_with(&["vault-token", "cannot use the compute resource token in"]);
    }

    #[test]
    fn a_rotated_token_has_another_key() {
        let machine = machine();
        let path = format!("root/{}", PATHS[2]);
        let key = |token: &str| {
            machine.file(&path, token);
            machine.look("us.icr.io", |registry, context| {
                use super::super::Identity;
                let identity = find(registry, context).unwrap().unwrap();
                identity.key().as_str().to_owned()
            })
        };
        assert_ne!(key("first"), key("second"));
        assert_eq!(key("first"), key("first\n"));
    }
}
