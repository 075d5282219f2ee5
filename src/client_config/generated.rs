//! Files that another tool generates, which no program may change.

use std::path::Path;

use crate::error::Error;

/// Parts of paths by which such files are known, with the tool that generates them.
const TOOLS: [(&str, &str); 6] = [
    ("nix/store", "Nix (NixOS, home-manager)"),
    ("gnu/store", "Guix"),
    ("secrets.d", "sops-nix"),
    ("run/secrets", "sops-nix or the container's runtime"),
    ("run/agenix", "agenix"),
    ("..data", "Kubernetes (a Secret or ConfigMap)"),
];

/// Returns an error if the target of a file's links is one that another tool generates.
///
/// # Errors
/// The tool, and where to change the file.
pub(super) fn refuse(target: &Path) -> anyhow::Result<()> {
    let real = target.canonicalize();
    let path = real.as_deref().unwrap_or(target);
    let Some(tool) = tool(path).or_else(|| tool(target)) else {
        return Ok(());
    };
    Err(Error::user(format!("{tool} generates {}", path.display()))
        .with_hint(
            "Add the entries that 'docker-credential-icr configure --dry-run' shows to its configuration, or set DOCKER_CONFIG (podman: REGISTRY_AUTH_FILE) to a file of your own",
        )
        .into())
}

fn tool(path: &Path) -> Option<&'static str> {
    let has = |part: &str| {
        let names: Vec<_> = path.iter().collect();
        let part: Vec<_> = Path::new(part).iter().collect();
        names.windows(part.len()).any(|window| window == part)
    };
    let known = TOOLS.into_iter().find(|(part, _)| has(part));
    known.map(|(_, tool)| tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_known_by_their_paths() {
        for (path, expected) in [
            (
                "/nix/store/0a-home-manager-files/.docker/config.json",
                Some("Nix"),
            ),
            ("/gnu/store/0a-x/config.json", Some("Guix")),
            ("/run/user/1000/secrets.d/1/docker", Some("sops")),
            ("/etc/docker/..data/config.json", Some("Kubernetes")),
            ("/home/a/.docker/config.json", None),
            ("/home/a/dotfiles/nix/docker.json", None),
            ("/home/store/nix/config.json", None),
        ] {
            let found = tool(Path::new(path));
            assert_eq!(found.is_some(), expected.is_some(), "{path}");
            assert!(
                found
                    .unwrap_or_default()
                    .contains(expected.unwrap_or_default())
            );
        }
    }
}
