//! Registry tokens: created, listed, shown and deleted (`bluemix-go`,
//! `api/container/registryv1/tokens.go`). IBM stopped issuing them in 2019 and accepting
//! them in 2021; other installations of the registry may still do.

use serde::Deserialize;

use super::ApiCall;
use super::CallError;
use super::RegistryApi;
use crate::PROGRAM;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::http::is_token;
use crate::http::transport::Method;
use crate::iam;
use crate::iam::jwt;
use crate::secret::Secret;
use crate::text::repeatable::quoted;

/// The lifetime of a token that is not permanent, in seconds (IBM Cloud CLI,
/// `ibmcloud cr token-add`).
pub const LIFETIME: u64 = 24 * 60 * 60;

const PATH: &str = "/tokens";

/// The length limit of a description, in characters.
const MAX_DESCRIPTION: usize = 200;

/// A token to create.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// The description in the list of tokens.
    pub description: &'a str,
    /// Whether it never expires; otherwise it expires after [`LIFETIME`].
    pub is_permanent: bool,
    /// Whether it may also push.
    pub may_write: bool,
}

/// A token with what its claims contain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// Its ID in the list of tokens; not secret.
    pub id: Option<String>,
    /// The password that goes with the user name `token`.
    pub value: Secret,
    /// The expiry in seconds since 1970 by the registry's clock; `None` if it has none or
    /// does not contain it.
    pub expires_at: Option<u64>,
}

/// A token in the list of an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedToken {
    /// Its ID; not secret.
    pub id: String,
    /// Its description.
    pub description: String,
    /// The expiry in seconds since 1970 by the registry's clock; `None` if it has none.
    pub expires_at: Option<u64>,
    /// Whether it was revoked.
    pub is_revoked: bool,
    /// Whether it may also push.
    pub may_write: bool,
}

#[derive(Deserialize)]
struct Claims {
    exp: Option<u64>,
    jti: Option<String>,
}

impl Token {
    /// Reads the claims of a token.
    pub fn of(value: Secret) -> Self {
        let claims: Option<Claims> = jwt::claims(value.expose());
        let (exp, jti) = claims.map_or((None, None), |claims| (claims.exp, claims.jti));
        Self {
            id: jti.filter(|id| iam::is_id(id)),
            expires_at: exp,
            value,
        }
    }
}

impl RegistryApi<'_> {
    /// Creates a token.
    ///
    /// # Errors
    /// The registry rejects the request, is unavailable, or issues no tokens any more. After
    /// a network error there may be an unknown token; the request for a permanent one is
    /// therefore not repeated.
    pub fn create_token(&self, new_token: &NewToken<'_>) -> Result<Token> {
        let description = one_line(new_token.description, MAX_DESCRIPTION);
        let flag = |set: bool| if set { "true" } else { "false" };
        let call = ApiCall {
            name: "create registry token",
            method: Method::Post,
            path: PATH,
            query: &[
                ("description", &description),
                ("permanent", flag(new_token.is_permanent)),
                ("write", flag(new_token.may_write)),
            ],
            idempotent: !new_token.is_permanent,
        };
        self.send(&call, read_token)
            .map_err(|error| self.explained(error))
    }

    /// Returns all tokens of the account at this registry.
    ///
    /// # Errors
    /// See [`RegistryApi::create_token`].
    pub fn tokens(&self) -> Result<Vec<ListedToken>> {
        let call = ApiCall::about(Method::Get, "list registry tokens", PATH);
        self.send(&call, read_list)
            .map_err(|error| self.explained(error))
    }

    /// Returns the token with this ID.
    ///
    /// # Errors
    /// There is no such token, or as for [`RegistryApi::create_token`].
    pub fn token(&self, id: &str) -> Result<Token> {
        let path = self.path_of(id)?;
        let call = ApiCall::about(Method::Get, "show registry token", &path);
        self.send(&call, read_token)
            .map_err(|error| self.explained_for(id, error))
    }

    /// Deletes the token with this ID, which is invalid afterwards.
    ///
    /// # Errors
    /// There is no such token, or as for [`RegistryApi::create_token`].
    pub fn delete_token(&self, id: &str) -> Result<()> {
        let path = self.path_of(id)?;
        let call = ApiCall::about(Method::Delete, "delete registry token", &path);
        self.send(&call, |_| Ok(()))
            .map_err(|error| self.explained_for(id, error))
    }

    fn path_of(&self, id: &str) -> Result<String> {
        if iam::is_id(id) {
            Ok(format!("{PATH}/{id}"))
        } else {
            let error = Error::user(format!("{} is not a token ID", quoted(id)));
            Err(error.with_hint(self.list_hint()))
        }
    }

    fn list_hint(&self) -> String {
        let registry = &self.registry;
        format!("List the tokens with '{PROGRAM} token list --registry {registry}'")
    }

    fn explained(&self, error: CallError) -> Error {
        match error {
            CallError::Absent(status) => self.gone(status),
            CallError::Failed(failure) => failure,
        }
    }

    /// The list of tokens distinguishes a missing token from a missing API.
    fn explained_for(&self, id: &str, error: CallError) -> Error {
        match error {
            CallError::Absent(404) => match self.tokens() {
                Err(failure) => failure,
                Ok(_) => Error::user(format!(
                    "{} has no token {} of this account",
                    self.registry,
                    quoted(id)
                ))
                .with_hint(self.list_hint()),
            },
            other => self.explained(other),
        }
    }
}

impl<'a> ApiCall<'a> {
    fn about(method: Method, name: &'static str, path: &'a str) -> Self {
        Self {
            name,
            method,
            path,
            query: &[],
            idempotent: true,
        }
    }
}

fn read_token(body: &[u8]) -> Result<Token, String> {
    #[derive(Deserialize)]
    struct Answer {
        token: Secret,
    }
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    answer
        .filter(|answer| is_token(&answer.token))
        .map(|answer| Token::of(answer.token))
        .ok_or_else(|| "it is not a token, or was cut off".to_owned())
}

/// Parses a list of tokens. Everything but the ID may be missing, because IBM's client
/// leaves out what is empty; a missing expiry is read from the token.
fn read_list(body: &[u8]) -> Result<Vec<ListedToken>, String> {
    #[derive(Deserialize)]
    struct Answer {
        tokens: Option<Vec<Entry>>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "_id")]
        id: String,
        secondary_owner: Option<String>,
        readonly: Option<bool>,
        revoked: Option<bool>,
        expiry: Option<u64>,
        token: Option<Secret>,
    }
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| "it is not a list of tokens, or was cut off".to_owned())?;
    let listed = |entry: Entry| ListedToken {
        description: one_line(
            entry.secondary_owner.as_deref().unwrap_or_default(),
            MAX_DESCRIPTION,
        ),
        expires_at: entry
            .expiry
            .filter(|end| *end > 0)
            .or_else(|| Token::of(entry.token?).expires_at),
        is_revoked: entry.revoked.unwrap_or_default(),
        may_write: !entry.readonly.unwrap_or_default(),
        id: entry.id,
    };
    let tokens = answer.tokens.unwrap_or_default().into_iter();
    Ok(tokens
        .filter(|entry| iam::is_id(&entry.id))
        .map(listed)
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::http::test_support::FakeService;
    use crate::http::test_support::later;
    use crate::http::test_support::network;
    use crate::http::test_support::response;
    use crate::http::transport::Authorization;
    use crate::registry::Registry;
    use crate::registry::api::Access;

    const ID: &str = "ae57b394-e39d-595f-ae5d-e46905285df6";

    fn jwt(claims: &Value) -> String {
        jwt::unsigned(claims)
    }

    fn access(claims: &Value) -> Access {
        Access {
            token: Secret::new(jwt(claims)),
            refresh_token: None,
            source: "the key".into(),
        }
    }

    fn usual() -> Access {
        access(&json!({"iam_id": "IBMid-1", "account": {"bss": "acc1"}}))
    }

    fn call<T>(service: &FakeService, request: impl FnOnce(&RegistryApi<'_>) -> T) -> T {
        let registry = Registry::parse("us.icr.io").unwrap();
        let api = RegistryApi::new(&registry, usual(), None, service.http());
        request(&api.unwrap())
    }

    fn made() -> String {
        jwt(&json!({"exp": 1_540_423_054, "jti": ID, "iss": "registry.ng.bluemix.net"}))
    }

    const WANTED: NewToken<'_> = NewToken {
        description: "for ci & me",
        is_permanent: false,
        may_write: false,
    };

    #[test]
    fn a_token_is_created_like_ibms_client_does() {
        let answer = response(200, &json!({"token": made()}).to_string());
        let service = FakeService::answering(vec![answer]);
        let token = call(&service, |api| api.create_token(&WANTED)).unwrap();
        assert_eq!(token.id.as_deref(), Some(ID));
        assert_eq!(token.expires_at, Some(1_540_423_054));
        assert_eq!(token.value.expose(), made());
        let request = &service.requests()[0];
        assert_eq!(request.method, Method::Post);
        assert_eq!(
            request.url,
            "https://us.icr.io/api/v1/tokens?description=for+ci+%26+me&permanent=false&write=false"
        );
        assert_eq!(request.headers, [("Account", Secret::new("acc1"))]);
        assert_eq!(request.authorization, Authorization::Bearer(usual().token));
    }

    #[test]
    fn a_refresh_token_and_the_selected_account_are_sent() {
        let service = FakeService::answering(vec![response(200, r#"{"tokens": null}"#)]);
        let access = Access {
            refresh_token: Some(Secret::new("refresh")),
            ..usual()
        };
        let registry = Registry::parse("private.de.icr.io").unwrap();
        let api = RegistryApi::new(&registry, access, Some("other"), service.http());
        assert_eq!(api.unwrap().tokens(), Ok(Vec::new()));
        let request = &service.requests()[0];
        assert_eq!(request.url, "https://private.de.icr.io/api/v1/tokens");
        assert_eq!(
            request.headers,
            [
                ("Account", Secret::new("other")),
                ("RefreshToken", Secret::new("refresh"))
            ]
        );
    }

    #[test]
    fn without_an_account_no_request_is_sent() {
        let registry = Registry::parse("us.icr.io").unwrap();
        let service = FakeService::answering(Vec::new());
        for (access, account) in [
            (access(&json!({"iam_id": "IBMid-1"})), None),
            (usual(), Some("a b")),
            (usual(), Some("")),
        ] {
            let error = RegistryApi::new(&registry, access, account, service.http()).err();
            assert!(
                error.as_ref().is_some_and(Error::needs_user_action),
                "{error:?}"
            );
        }
    }

    #[test]
    fn only_the_id_of_a_listed_token_is_required() {
        let tokens = json!({"tokens": [
            {"_id": ID, "owner": "abc", "token": made(), "secondary_owner": "Test\u{1b} Token"},
            {"_id": "2", "readonly": true, "revoked": true, "expiry": 1_900_000_000, "encrypted_token": ""},
            {"_id": "3", "expiry": 0, "token": jwt(&json!({"jti": "3"}))},
            {"_id": "../4"},
        ]});
        let service = FakeService::answering(vec![response(200, &tokens.to_string())]);
        let listed = call(&service, |api| api.tokens()).unwrap();
        let token = |id: &str, expires_at| ListedToken {
            id: id.into(),
            description: String::new(),
            expires_at,
            is_revoked: false,
            may_write: true,
        };
        assert_eq!(
            listed,
            [
                ListedToken {
                    description: "Test  Token".into(),
                    ..token(ID, Some(1_540_423_054))
                },
                ListedToken {
                    is_revoked: true,
                    may_write: false,
                    ..token("2", Some(1_900_000_000))
                },
                token("3", None),
            ]
        );
    }

    #[test]
    fn a_missing_api_differs_from_a_missing_token() {
        for status in [404, 410] {
            let gone = || response(status, "404 page not found");
            for failure in [
                call(&FakeService::answering(vec![gone()]), |api| {
                    api.create_token(&WANTED).err()
                }),
                call(&FakeService::answering(vec![gone()]), |api| {
                    api.tokens().err()
                }),
                call(&FakeService::answering(vec![gone(), gone()]), |api| {
                    api.token(ID).err()
                }),
                call(&FakeService::answering(vec![gone(), gone()]), |api| {
                    api.delete_token(ID).err()
                }),
            ] {
                let text = failure.unwrap().to_string();
                for part in [
                    "us.icr.io",
                    "no registry tokens any more",
                    "login us.icr.io",
                ] {
                    assert!(text.contains(part), "{text}");
                }
            }
        }
        let answers = || vec![response(404, "{}"), response(200, r#"{"tokens": []}"#)];
        for failure in [
            call(&FakeService::answering(answers()), |api| {
                api.token(ID).err()
            }),
            call(&FakeService::answering(answers()), |api| {
                api.delete_token(ID).err()
            }),
        ] {
            let text = failure.unwrap().to_string();
            assert!(text.contains(ID) && text.contains("token list"), "{text}");
        }
    }

    #[test]
    fn a_rejection_names_the_registry_and_not_iam() {
        let body = json!({
            "code": "CRG0009E", "request-id": "1",
            "message": format!("You are not authorized. {}", usual().token.expose()),
        });
        let service = FakeService::answering(vec![response(401, &body.to_string())]);
        let text = call(&service, |api| api.tokens()).unwrap_err().to_string();
        for part in [
            "cannot use the key: us.icr.io rejected it (CRG0009E): You are not authorized. [redacted]",
            "--account",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("IAM"), "{text}");
        let service = FakeService::answering(vec![response(200, "<html>")]);
        let text = call(&service, |api| api.tokens()).unwrap_err().to_string();
        assert!(
            text.contains("the registry us.icr.io") && !text.contains("IAM"),
            "{text}"
        );
    }

    #[test]
    fn a_permanent_token_is_never_created_twice() {
        let lasting = NewToken {
            is_permanent: true,
            ..WANTED
        };
        let service = FakeService::answering(vec![network()]);
        assert!(call(&service, |api| api.create_token(&lasting)).is_err());
        assert_eq!(service.requests().len(), 1);
        let token = response(200, &json!({"token": made()}).to_string());
        let service = FakeService::answering(vec![network(), later(503, "1"), token]);
        assert!(call(&service, |api| api.create_token(&WANTED)).is_ok());
        assert_eq!(service.requests().len(), 3);
    }

    #[test]
    fn a_token_id_cannot_change_the_path() {
        let service = FakeService::answering(Vec::new());
        for id in ["", "..", "a/b", "a?b", "a%2fb", "a b"] {
            assert!(call(&service, |api| api.token(id)).is_err(), "{id}");
            assert!(call(&service, |api| api.delete_token(id)).is_err(), "{id}");
        }
        assert!(service.requests().is_empty());
    }

    #[test]
    fn an_invalid_registry_token_is_rejected() {
        for body in [
            json!({}),
            json!({"token": ""}),
            json!({"token": "a\nb"}),
            json!([]),
        ] {
            let service = FakeService::answering(vec![response(200, &body.to_string())]);
            assert!(
                call(&service, |api| api.create_token(&WANTED)).is_err(),
                "{body}"
            );
        }
        let opaque = Token::of(Secret::new("opaque"));
        assert_eq!((opaque.id, opaque.expires_at), (None, None));
    }
}
