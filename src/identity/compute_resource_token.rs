//! The compute resource token that a pod, a Code Engine job or an agent finds in
//! a file. It is rotated under our feet, so it is read for every `get`.

use std::path::Path;
use std::path::PathBuf;

use super::Given;
use super::environment_profile;
use super::proof::Proof;
use super::proof::Proven;
use crate::failure::Failure;
use crate::failure::Result;
use crate::files;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::SourceName;
use crate::trusted_profile::TrustedProfile;

/// Where it may be, first come first served (`go-sdk-core`,
/// `core/container_authenticator.go`).
const PATHS: [&str; 3] = [
    "var/run/secrets/tokens/vault-token",
    "var/run/secrets/tokens/sa-token",
    "var/run/secrets/codeengine.cloud.ibm.com/compute-resource-token/token",
];

/// The most that is read, in bytes: such tokens have a few thousand.
const LIMIT: u64 = 64 * 1024;

/// The token in the first of these files, for the chosen trusted profile. Without
/// a profile nobody meant it for us.
pub(super) fn find<'a>(_registry: &Registry, given: &Given<'a>) -> Result<Option<Proven<'a>>> {
    let Some(profile) = environment_profile::of_compute_resource(given)? else {
        return Ok(None);
    };
    let chosen = match given.choice.source {
        Some(SourceName::ComputeResourceToken) => given.choice.file,
        _ => None,
    };
    find_token(chosen, profile, given)
}

/// The token in the named file, or in the first that is there.
pub(super) fn find_token<'a>(
    named: Option<&Path>,
    profile: TrustedProfile,
    given: &Given<'a>,
) -> Result<Option<Proven<'a>>> {
    let path = match named {
        Some(path) => Some(given.places.expand(path)),
        None => first_file(&given.places.root),
    };
    let Some(path) = path else {
        return Ok(None);
    };
    let source = format!(
        "the compute resource token in {} for {profile}",
        path.display()
    );
    let token = read(&path).map_err(|error| {
        Failure::act(format!(
            "{source} cannot be used ({error}); see that it is mounted there"
        ))
    })?;
    let proof = Proof::ComputeResource { token, profile };
    Ok(Some(Proven::new(given, source, proof)))
}

fn first_file(root: &Path) -> Option<PathBuf> {
    let mut paths = PATHS.iter().map(|path| root.join(path));
    paths.find(|path| path.exists())
}

fn read(path: &Path) -> anyhow::Result<Secret> {
    let text = zeroize::Zeroizing::new(files::read_regular(path, LIMIT)?);
    let token = text.trim();
    anyhow::ensure!(!token.is_empty(), "it is empty");
    Ok(Secret::new(token))
}
