//! [`Unusable`]: the reason why a text is no secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::SecretKind;
use super::assignment;
use crate::secret::MAX_LENGTH;
use crate::text::printable::is_printable;
use crate::text::repeatable::is_api_key;

/// Why a text is certainly not the secret: a phrase that begins with `it` and never contains the
/// text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unusable {
    reason: String,
    /// What it is instead.
    other: Option<SecretKind>,
}

impl std::error::Error for Unusable {}

impl std::fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.reason)
    }
}

/// The maximum length of an API key and of a passcode, in bytes. IBM Cloud's keys have 44.
const MAX_KEY: usize = 8 * 1024;

/// The length of a path above which it may be a token that begins with a slash, in bytes.
const MAX_PATH: usize = 256;

/// A property that no secret has, and the reason that an error gives for it.
type Sign = (fn(&str) -> bool, &'static str);

/// What no secret of IBM Cloud has, in the order in which it is checked.
const SIGNS: [Sign; 21] = [
    (str::is_empty, "it is empty"),
    (is_encrypted, "it is encrypted. Decrypt it first"),
    (
        is_unexpanded_variable,
        "it is a variable that was not expanded",
    ),
    (
        |text| text.starts_with("$("),
        "it is a variable or a command that was not expanded",
    ),
    (is_template, "it is a template that was not filled in"),
    (is_markup, "it is HTML or XML"),
    (is_example, "it is a placeholder, not a value"),
    (
        is_masked,
        "it is masked: only the characters that hide a secret",
    ),
    (
        |text| text.starts_with("-----BEGIN "),
        "it is a key or certificate in PEM format",
    ),
    (
        |text| text.starts_with('@'),
        "it is the name of a file (@FILE) where the secret itself is expected",
    ),
    (
        is_reference,
        "it is a reference to a secret manager that was not resolved",
    ),
    (|text| text.contains("://"), "it is a URL"),
    (|text| text.starts_with("crn:"), "it is a CRN"),
    (is_identifier, "it is an ID, not the secret itself"),
    (
        is_path,
        "it is the path of a file. To read the file, write @ before the path",
    ),
    (
        |text| text.contains(['\n', '\r']),
        "it has more than one line",
    ),
    (
        |text| text.contains('\0'),
        "it contains NUL characters, so it is no text",
    ),
    (
        |text| text.starts_with(OPENING) || text.ends_with(OPENING),
        "it has a quotation mark at one end",
    ),
    (has_invisible, "it contains invisible characters"),
    (
        |text| {
            !text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        },
        "it is not plain text",
    ),
    (|text| text.len() > MAX_LENGTH, "it is too long"),
];

/// The signs of texts that are no API key and no passcode, but could be a token.
const KEY_SIGNS: [Sign; 8] = [
    (is_before_comment, "it has a comment after it"),
    (
        is_basic_authorization,
        "it is the value of an Authorization header (Basic), not the secret itself",
    ),
    (is_words, "it has more than one word"),
    (
        assignment::is_assignment,
        "it is an assignment (NAME=VALUE), but not of an API key",
    ),
    (
        |text| text.contains([',', ';']),
        "it has a comma or a semicolon, as a list has",
    ),
    (
        is_base64_of_text,
        "it is base64 of another text, as in a Kubernetes secret. Decode it first",
    ),
    (|text| text.len() > MAX_KEY, "it is too long"),
    (
        is_missing_value,
        "it is a word that programs write for a missing value",
    ),
];

/// The sign of texts that are no token, which is one word.
const TOKEN_SIGNS: [Sign; 1] = [(|text| text.contains(' '), "it has more than one word")];

const OPENING: [char; 3] = ['"', '\'', '`'];

impl Unusable {
    /// Creates one with a reason that begins with `it`.
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            other: None,
        }
    }

    fn is_other(other: SecretKind, reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            other: Some(other),
        }
    }

    /// Returns what it is instead, if it is another kind of secret.
    pub fn other_kind(&self) -> Option<SecretKind> {
        self.other
    }

    /// Returns why a text is no secret of this kind; `None` if it may be one.
    pub(super) fn find(kind: SecretKind, text: &str) -> Option<Self> {
        if let Some(other) = Self::find_other_kind(kind, text) {
            return Some(other);
        }
        let signs = match kind {
            SecretKind::ApiKey | SecretKind::Passcode => &KEY_SIGNS[..],
            _ => &TOKEN_SIGNS,
        };
        let mut signs = SIGNS.iter().chain(signs);
        let found = signs.find(|(is_found, _)| is_found(text));
        found.map(|(_, reason)| Self::because(*reason))
    }

    fn find_other_kind(kind: SecretKind, text: &str) -> Option<Self> {
        match kind {
            SecretKind::ApiKey | SecretKind::Passcode if is_iam_token(text) => Some(
                Self::is_other(SecretKind::AccessToken, "it is an IAM token"),
            ),
            SecretKind::AccessToken | SecretKind::ComputeResourceToken if is_api_key(text) => {
                Some(Self::is_other(SecretKind::ApiKey, "it is an API key"))
            }
            _ => None,
        }
    }
}

/// Returns whether a text is a JWT, or has the scheme of one. Its first part is the base64 of
/// JSON (RFC 7519, section 3).
fn is_iam_token(text: &str) -> bool {
    let scheme = text.get(.."bearer ".len());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "))
        || text.starts_with("eyJ") && text.split('.').count() >= 3
}

/// Returns whether a text is a variable: `$NAME`, `${NAME}`, `%NAME%`, `!NAME!`, `$env:NAME`.
fn is_unexpanded_variable(text: &str) -> bool {
    let is_name = |name: &str| {
        let mut characters = name.chars();
        characters.all(|character| character.is_ascii_alphanumeric() || "_-.:".contains(character))
            && !name.is_empty()
    };
    let in_pair = |mark: char| text.strip_prefix(mark)?.strip_suffix(mark);
    text.strip_prefix('$')
        .is_some_and(|name| is_name(name) || name.starts_with('{'))
        || ['%', '!']
            .into_iter()
            .any(|mark| in_pair(mark).is_some_and(is_name))
}

/// Returns whether a text is a template: `{{ secrets.KEY }}`, `${{ secrets.KEY }}`, `((key))`,
/// `#{KEY}#`, `__KEY__`.
fn is_template(text: &str) -> bool {
    [
        ("{{", "}}"),
        ("{", "}"),
        ("((", "))"),
        ("#{", "}#"),
        ("#{", "}"),
        ("__", "__"),
    ]
    .into_iter()
    .any(|(start, end)| text.starts_with(start) && text.ends_with(end))
}

/// Returns whether a text is encrypted by SOPS, Jasypt, Ansible, Vault's transit engine, age or
/// OpenPGP.
fn is_encrypted(text: &str) -> bool {
    const STARTS: [&str; 6] = [
        "ENC[",
        "ENC(",
        "$ANSIBLE_VAULT;",
        "vault:v1:",
        "-----BEGIN AGE ENCRYPTED FILE-----",
        "-----BEGIN PGP MESSAGE-----",
    ];
    STARTS.iter().any(|start| text.starts_with(start))
}

/// Returns whether a text is a placeholder: `<your API key>`, `[API_KEY]`, `YOUR_API_KEY`,
/// `changeme`, `IBMCLOUD_API_KEY`.
fn is_example(text: &str) -> bool {
    /// Words without punctuation.
    const WORDS: [&str; 4] = ["changeme", "placeholder", "todo", "replaceme"];
    const NAMES: [&str; 5] = [
        "apikey",
        "ibmcloudapikey",
        "icapikey",
        "ibmapikey",
        "bluemixapikey",
    ];
    let in_brackets = |start, end| text.starts_with(start) && text.ends_with(end);
    let word = assignment::normalized(text);
    let is_variable = text.contains('_') && text == text.to_ascii_uppercase();
    in_brackets('<', '>') && !text.contains('/')
        || in_brackets('[', ']')
        || WORDS.contains(&&*word)
        || word.starts_with("your") && (word.contains("key") || word.contains("token"))
        || is_variable && NAMES.contains(&&*word)
}

/// Returns whether a text is several keys or words of a language. A secret with spaces and symbols
/// may be a key of another IAM.
fn is_words(text: &str) -> bool {
    let is_of_words = |character: char| {
        character.is_ascii_alphanumeric() || " _-.,:;'\"!?()/@".contains(character)
    };
    text.contains(' ') && text.chars().all(is_of_words)
}

/// Returns whether a text is one word and a comment: `KEY # prod`.
fn is_before_comment(text: &str) -> bool {
    let rest = text.split_once(' ').map(|(_, rest)| rest.trim_start());
    rest.is_some_and(|rest| rest.starts_with('#'))
}

/// Returns whether a text is user and password as HTTP sends them (RFC 7617, section 2).
fn is_basic_authorization(text: &str) -> bool {
    let (scheme, value) = text.split_once(' ').unwrap_or_default();
    let decoded = zeroize::Zeroizing::new(STANDARD.decode(value.trim()).unwrap_or_default());
    scheme.eq_ignore_ascii_case("basic") && decoded.contains(&b':')
}

/// Returns whether a text is masked: `****`, `••••`, `xxxx…`.
fn is_masked(text: &str) -> bool {
    ['*', '•', '●', '.', '…', 'x', 'X', '-', '_']
        .into_iter()
        .any(|mask| text.chars().count() >= 3 && text.chars().all(|character| character == mask))
}

fn is_markup(text: &str) -> bool {
    text.starts_with("<!") || text.starts_with("<?") || text.starts_with('<') && text.contains("</")
}

/// Returns whether a text is a reference of 1Password, `vals`, Vault, Bitwarden, AWS or one of
/// IBM's services.
fn is_reference(text: &str) -> bool {
    const SCHEMES: [&str; 8] = [
        "op://", "ref+", "vault:", "bws://", "arn:aws:", "ssm:", "sm://", "keyring:",
    ];
    SCHEMES.iter().any(|scheme| text.starts_with(scheme))
}

/// Returns whether a text is an ID that IAM gives to a key, service ID, profile or user (IAM
/// Identity Services API).
fn is_identifier(text: &str) -> bool {
    const PREFIXES: [&str; 6] = [
        "ApiKey-",
        "ServiceId-",
        "iam-ServiceId-",
        "Profile-",
        "iam-Profile-",
        "IBMid-",
    ];
    PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

fn is_path(text: &str) -> bool {
    const STARTS: [&str; 6] = ["./", "../", "~/", "\\\\", ".\\", "..\\"];
    const EXTENSIONS: [&str; 5] = [".json", ".txt", ".key", ".env", ".pem"];
    let is_drive = text
        .as_bytes()
        .get(1..3)
        .is_some_and(|rest| rest == b":\\" || rest == b":/");
    let is_absolute =
        text.len() < MAX_PATH && text.starts_with('/') && text.matches('/').count() > 1;
    is_drive
        || is_absolute
        || STARTS.iter().any(|start| text.starts_with(start))
        || EXTENSIONS.iter().any(|extension| text.ends_with(extension))
}

/// Returns whether there is a character that shows nothing and is no white space, such as a
/// zero-width space.
fn has_invisible(text: &str) -> bool {
    text.chars()
        .any(|character| !character.is_ascii() && !is_printable(character))
}

/// Returns whether a text is base64 of letters, digits, `-` and `_`. A real key decodes to random
/// bytes.
fn is_base64_of_text(text: &str) -> bool {
    const MIN_LENGTH: usize = 12;
    let decoded = zeroize::Zeroizing::new(STANDARD.decode(text).unwrap_or_default());
    let content = decoded.trim_ascii();
    let is_key_text = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() >= MIN_LENGTH && !content.is_empty() && content.iter().all(is_key_text)
}

/// Returns whether a text is what `jq`, JavaScript, Python, Go, PowerShell or CI write for a missing
/// value.
fn is_missing_value(text: &str) -> bool {
    const WORDS: [&str; 7] = [
        "null",
        "undefined",
        "None",
        "nil",
        "false",
        "true",
        "System.Security.SecureString",
    ];
    WORDS.contains(&text)
}
