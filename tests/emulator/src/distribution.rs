//! The registry's API for pulls, `/v2/…` (OCI distribution-spec 1.1, with the tokens of Docker's registry).

mod authorization;

use serde_json::json;

use crate::emulator::Cloud;
use crate::image::Blob;
use crate::registry::error;
use crate::repositories::Repository;
use crate::request::Recorded;
use crate::response::Response;

/// The prefix of all paths. Clients first request it alone, to see how to log in.
const PREFIX: &str = "/v2/";

/// Returns whether a path belongs to this API.
pub(crate) fn owns(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Answers a request. The login is checked before anything else, so that nothing shows which repositories exist.
pub(crate) fn answer(cloud: &Cloud, request: &Recorded) -> Response {
    let resource = match Resource::of(&request.path) {
        Ok(resource) => resource,
        Err(refusal) => return refusal,
    };
    let answer = authorization::check(&cloud.signer, request, resource.repository())
        .and_then(|()| content(cloud, request, &resource));
    let answer = answer.unwrap_or_else(|refusal| refusal);
    answer.with_header("Docker-Distribution-Api-Version", "registry/2.0")
}

/// What a path names.
#[derive(Debug, Eq, PartialEq)]
enum Resource<'p> {
    Api,
    Blob {
        digest: &'p str,
        repository: &'p str,
    },
    Manifest {
        reference: &'p str,
        repository: &'p str,
    },
    Tags {
        repository: &'p str,
    },
}

impl<'p> Resource<'p> {
    fn of(path: &'p str) -> Result<Self, Response> {
        let rest = path.strip_prefix(PREFIX).unwrap_or_default();
        let resource = if rest.is_empty() {
            Self::Api
        } else if let Some(repository) = rest.strip_suffix("/tags/list") {
            Self::Tags { repository }
        } else if let Some((repository, reference)) = rest.rsplit_once("/manifests/") {
            Self::Manifest {
                reference,
                repository,
            }
        } else if let Some((repository, digest)) = rest.rsplit_once("/blobs/") {
            Self::Blob { digest, repository }
        } else {
            return Err(error(404, "UNSUPPORTED", "The operation is unsupported."));
        };
        if resource.repository().is_some_and(|name| !is_name(name)) {
            return Err(error(
                400,
                "NAME_INVALID",
                "The repository name is invalid.",
            ));
        }
        Ok(resource)
    }

    fn repository(&self) -> Option<&'p str> {
        match self {
            Self::Api => None,
            Self::Blob { repository, .. }
            | Self::Manifest { repository, .. }
            | Self::Tags { repository } => Some(repository),
        }
    }
}

/// Returns what a permitted request is for.
fn content(
    cloud: &Cloud,
    request: &Recorded,
    resource: &Resource<'_>,
) -> Result<Response, Response> {
    if !["GET", "HEAD"].contains(&request.method.as_str()) {
        let refusal = error(405, "UNSUPPORTED", "The operation is unsupported.");
        return Err(refusal.with_header("Allow", "GET, HEAD"));
    }
    let Some(name) = resource.repository() else {
        return Ok(Response::json(200, &json!({})));
    };
    let repository = cloud.repositories.get(name);
    let unknown = || error(404, "NAME_UNKNOWN", "The repository is unknown.");
    let repository = repository.ok_or_else(unknown)?;
    match *resource {
        Resource::Api | Resource::Tags { .. } => Ok(Response::json(
            200,
            &json!({"name": name, "tags": repository.tags()}),
        )),
        Resource::Blob { digest, .. } => blob(&repository, digest),
        Resource::Manifest { reference, .. } => manifest(&repository, reference, request),
    }
}

fn blob(repository: &Repository, digest: &str) -> Result<Response, Response> {
    if !is_digest(digest) {
        return Err(error(400, "DIGEST_INVALID", "The digest is invalid."));
    }
    let unknown = || error(404, "BLOB_UNKNOWN", "The blob is unknown.");
    let blob = repository.blob(digest).ok_or_else(unknown)?;
    Ok(response(blob, "application/octet-stream"))
}

/// Returns a manifest to a client that accepts its type. The registry converts none, and to a client that names no type it sends one of Docker's,
/// which OCI images do not have.
fn manifest(
    repository: &Repository,
    reference: &str,
    request: &Recorded,
) -> Result<Response, Response> {
    let unknown = |message| error(404, "MANIFEST_UNKNOWN", message);
    let manifest = repository.manifest(reference);
    let manifest = manifest.ok_or_else(|| unknown("The manifest is unknown."))?;
    let mut accepted = request.headers("accept").flat_map(|types| types.split(','));
    let is_accepted = accepted.any(|accepted| {
        let media_type = accepted.split(';').next().unwrap_or_default().trim();
        media_type == manifest.media_type || media_type == "*/*"
    });
    if !is_accepted {
        return Err(unknown("The Accept header does not support OCI manifests."));
    }
    Ok(response(manifest, &manifest.media_type))
}

fn response(blob: &Blob, media_type: &str) -> Response {
    let digest = blob.digest();
    Response::new(200, media_type, blob.content.clone())
        .with_header("ETag", format!("\"{digest}\""))
        .with_header("Docker-Content-Digest", digest)
}

/// Returns whether this may be a repository's name: lower-case letters and digits, and `.`, `_` and `-` between them.
fn is_name(name: &str) -> bool {
    name.split('/').all(|part| {
        let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = [part.bytes().next(), part.bytes().last()];
        ends.iter().all(|end| end.is_some_and(alphanumeric))
            && part
                .bytes()
                .all(|byte| alphanumeric(byte) || b"._-".contains(&byte))
    })
}

fn is_digest(digest: &str) -> bool {
    let digits = digest.strip_prefix("sha256:");
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digits.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(is_digit))
}

#[cfg(test)]
mod tests;
