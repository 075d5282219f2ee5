//! The paths of objects at an API server.

use super::names::label;
use super::names::subdomain;
use super::status::ApiError;

/// Returns the path of an object in a namespace.
///
/// # Errors
/// A name does not follow the rules of Kubernetes, so it would be another path.
pub(crate) fn object_path(
    namespace: &str,
    resource: &'static str,
    name: &str,
) -> Result<String, ApiError> {
    let invalid = |name: &str| ApiError::InvalidName(name.to_owned());
    let namespace = label(namespace).map_err(|_| invalid(namespace))?;
    let name = subdomain(name).map_err(|_| invalid(name))?;
    Ok(format!("/api/v1/namespaces/{namespace}/{resource}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_kubernetes_become_paths() {
        assert_eq!(
            object_path("build", "secrets", "icr.pull-secret").as_deref(),
            Ok("/api/v1/namespaces/build/secrets/icr.pull-secret")
        );
        for bad in ["", ".", "..", "a/b", "../x", "%2e%2e", "a?dryRun=All", "a#"] {
            let error = ApiError::InvalidName(bad.to_owned());
            assert_eq!(object_path(bad, "secrets", "icr"), Err(error.clone()));
            assert_eq!(object_path("build", "secrets", bad), Err(error));
        }
    }
}
