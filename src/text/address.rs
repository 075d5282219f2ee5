//! Server addresses as clients and people write them.

/// Returns the host of a server address, in lower case and with its port unless that is
/// the default: `us.icr.io` for `https://US.icr.io:443/v2/` or
/// `us.icr.io/namespace/repository`. Returns `None` for everything that does not name
/// exactly one host.
///
/// A host is read strictly, by what it may contain: letters, digits, `-` and `.`. So
/// user information, fragments, backslashes, escapes and look-alike letters are refused.
pub(crate) fn host_of(address: &str) -> Option<String> {
    let (default_port, rest) = match address.split_once("://") {
        None => ("443", address),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => ("443", rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => ("80", rest),
        Some(_) => return None,
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !path.chars().all(is_path_character) {
        return None;
    }
    let (name, port) = match authority.split_once(':') {
        None => (authority, default_port),
        Some((name, port)) => (name, port),
    };
    if !is_host_name(name) || !is_port(port) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    Some(if port == default_port {
        name
    } else {
        format!("{name}:{port}")
    })
}

/// RFC 952 and RFC 1123, section 2.1, and at most 253 characters.
fn is_host_name(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

fn is_port(port: &str) -> bool {
    !port.starts_with('0')
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok()
}

/// A path says nothing about the host, but one with a fragment, a backslash or
/// user information was written to confuse a parser. `@` and `:` stand
/// in image references (`repository:tag@sha256:…`).
fn is_path_character(character: char) -> bool {
    character.is_ascii_graphic() && !matches!(character, '#' | '\\')
}
