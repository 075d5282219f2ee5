use super::super::sdk_properties::PREFIX;
use super::*;
use crate::iam::jwt;
use crate::secret::Secret;
use crate::sources::Identity;
use crate::sources::tests::API_KEY_IN_FILE;
use crate::sources::tests::Machine;
use crate::sources::tests::NOW;

const FILE: &str = "home/ibm-credentials.env";

/// Creates a machine whose file has these properties of our service.
fn machine_with(properties: &str) -> Machine {
    let machine = Machine::new();
    let lines = properties.split(' ').filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(|line| format!("{PREFIX}{line}\n")).collect();
    machine.file(FILE, &lines.concat());
    machine
}

#[test]
fn lines_are_read_as_the_sdks_read_them() {
    for text in [
        "CONTAINER_REGISTRY_APIKEY=hunter2",
        "\u{feff}CONTAINER_REGISTRY_APIKEY=hunter2",
        "# a comment\r\n\r\nOTHER_APIKEY=x\r\n  CONTAINER_REGISTRY_APIKEY = hunter2 \r\n",
        "no property\n=\nCONTAINER_REGISTRY_APIKEY=first\nCONTAINER_REGISTRY_APIKEY=hunter2\n",
        "CONTAINER_REGISTRY_=x\nCONTAINER_REGISTRY_URL=https://us.icr.io\nCONTAINER_REGISTRY_APIKEY=hunter2",
    ] {
        let machine = Machine::new();
        machine.file(FILE, text);
        let key = machine.look("us.icr.io", |registry, context| {
            let identity = find(registry, context).unwrap().unwrap();
            identity.api_key().cloned()
        });
        assert_eq!(key, Some(Secret::new("hunter2")), "{text:?}");
    }
}

#[test]
fn a_file_without_our_service_is_skipped() {
    for text in [
        "",
        "\n",
        "# CONTAINER_REGISTRY_APIKEY=x\n",
        "OTHER_APIKEY=x\ncontainer_registry_apikey=x\nXCONTAINER_REGISTRY_APIKEY=x\n",
        "CONTAINER_REGISTRY_APIKEY=\n",
    ] {
        let machine = Machine::new();
        machine.file(FILE, text);
        assert_eq!(machine.found("us.icr.io"), Ok(None), "{text:?}");
    }
}

#[test]
fn all_types_are_accepted_in_any_case() {
    let token = jwt::unsigned(&serde_json::json!({"exp": NOW + 60}));
    for (properties, part) in [
        ("APIKEY=key", API_KEY_IN_FILE),
        ("AUTH_TYPE=IAM APIKEY=key", API_KEY_IN_FILE),
        ("AUTHTYPE=Iam APIKEY=key", API_KEY_IN_FILE),
        (
            "AUTH_TYPE=iam REFRESH_TOKEN=r CLIENT_ID=i CLIENT_SECRET=s",
            "the refresh token in ",
        ),
        (
            "AUTH_TYPE=iamassume APIKEY=key IAM_PROFILE_ID=Profile-1",
            API_KEY_IN_FILE,
        ),
        ("IAM_PROFILE_NAME=ops", "sa-token for trusted profile 'ops'"),
        (
            "AUTH_TYPE=Container IAM_PROFILE_ID=Profile-1",
            "sa-token for trusted profile Profile-1",
        ),
        ("AUTH_TYPE=VPC", "this machine"),
        (
            "AUTH_TYPE=vpc IAM_PROFILE_CRN=crn:v1:x VPC_IMS_VERSION=2022-03-01",
            "this machine for trusted profile crn:v1:x",
        ),
        (
            &format!("AUTH_TYPE=BEARERTOKEN BEARER_TOKEN={token}"),
            &format!("token {token}"),
        ),
    ] {
        let machine = machine_with(properties);
        machine.file("root/var/run/secrets/tokens/sa-token", "token");
        machine.finds("us.icr.io", part);
    }
}

#[test]
fn a_missing_or_invalid_property_is_named() {
    let expired = jwt::unsigned(&serde_json::json!({"exp": NOW}));
    for (properties, part) in [
        (
            "AUTH_TYPE=basic USERNAME=u PASSWORD=hunter2",
            "AUTH_TYPE cannot be \"basic\"",
        ),
        ("AUTH_TYPE=noAuth", "AUTH_TYPE cannot be \"noauth\""),
        ("AUTH_TYPE=iam", "CONTAINER_REGISTRY_APIKEY is missing"),
        (
            "AUTH_TYPE=iam REFRESH_TOKEN=hunter2",
            "CONTAINER_REGISTRY_CLIENT_ID is missing",
        ),
        (
            "AUTH_TYPE=iamAssume APIKEY=hunter2",
            "CONTAINER_REGISTRY_IAM_PROFILE_ID is missing",
        ),
        (
            "AUTH_TYPE=iamAssume IAM_PROFILE_ID=Profile-1",
            "CONTAINER_REGISTRY_APIKEY is missing",
        ),
        (
            "AUTH_TYPE=container",
            "CONTAINER_REGISTRY_IAM_PROFILE_ID is missing",
        ),
        (
            "AUTH_TYPE=container IAM_PROFILE_ID=Profile-1",
            "no file with a compute resource token exists",
        ),
        (
            "AUTH_TYPE=container IAM_PROFILE_ID=Profile-1 CR_TOKEN_FILENAME=/nonexistent",
            "cannot use the compute resource token in /nonexistent",
        ),
        (
            "AUTH_TYPE=bearerToken",
            "CONTAINER_REGISTRY_BEARER_TOKEN is missing",
        ),
        (
            "AUTH_TYPE=bearerToken BEARER_TOKEN=Bearer",
            "holds no token",
        ),
        (
            &format!("AUTH_TYPE=bearerToken BEARER_TOKEN={expired}"),
            "BEARER_TOKEN has expired",
        ),
        (
            "AUTH_TYPE=bearerToken BEARER_TOKEN=\"hunter2\"",
            "BEARER_TOKEN is in quotes",
        ),
        ("APIKEY=\"hunter2\"", "APIKEY is in quotes or braces"),
        ("APIKEY={hunter2}", "APIKEY is in quotes or braces"),
        ("APIKEY=${KEY}", "it is a variable that was not expanded"),
        (
            "APIKEY=\"${KEY}\"",
            "it is a variable that was not expanded",
        ),
        (
            "APIKEY=hunter2 AUTH_URL=http://iam.example.com",
            "AUTH_URL must use https",
        ),
        ("APIKEY=hunter2 AUTH_DISABLE_SSL=TRUE", "AUTH_DISABLE_SSL"),
        (
            "AUTH_TYPE=vpc AUTH_URL=http://metadata.example.com",
            "AUTH_URL must use https",
        ),
        (
            "AUTH_TYPE=vpc VPC_IMS_VERSION=new",
            "VPC_IMS_VERSION is not",
        ),
    ] {
        let machine = machine_with(properties);
        let path = machine.path(FILE);
        machine.fails_with(&["the IBM credentials file", &path, part]);
        let error = machine.found("us.icr.io").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn the_files_iam_is_used_unless_the_settings_have_another() {
    let mut machine = machine_with("APIKEY=key AUTH_URL=https://iam.example.com/identity/token");
    let endpoint = |machine: &Machine| {
        machine.look("us.icr.io", |registry, context| {
            let identity = find(registry, context).unwrap().unwrap();
            identity.endpoint().base().to_owned()
        })
    };
    assert_eq!(endpoint(&machine), "https://iam.example.com");
    machine.set("IBMCLOUD_IAM_API_ENDPOINT", "https://chosen.example.com");
    assert_eq!(endpoint(&machine), "https://chosen.example.com");
}

#[test]
fn the_working_directory_is_used_only_where_the_settings_allow_it() {
    let mut machine = Machine::new();
    machine.file(
        "here/ibm-credentials.env",
        "CONTAINER_REGISTRY_APIKEY=key\n",
    );
    assert_eq!(machine.found("us.icr.io"), Ok(None));
    machine.settings("working-directory-credentials = true\n");
    machine.finds("us.icr.io", "the API key in ");
    machine.file(FILE, "CONTAINER_REGISTRY_AUTH_TYPE=nonsense\n");
    machine.finds("us.icr.io", &machine.path("here/ibm-credentials.env"));
    let named = machine.file("here/named", "CONTAINER_REGISTRY_APIKEY=key\n");
    machine.set("IBM_CREDENTIALS_FILE", &named.display().to_string());
    machine.finds("us.icr.io", &named.display().to_string());
}

#[test]
fn a_file_that_a_variable_names_must_exist() {
    let mut machine = machine_with("APIKEY=key");
    machine.set("IBM_CREDENTIALS_FILE", "/nonexistent/file");
    machine.fails_with(&["the IBM credentials file /nonexistent/file", "cannot read"]);
}

#[cfg(unix)]
#[test]
fn a_broken_link_is_an_error() {
    let mut machine = Machine::new();
    machine.settings("working-directory-credentials = true\n");
    let path = machine.file("here/ibm-credentials.env", "");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/nonexistent", &path).unwrap();
    machine.file(FILE, "CONTAINER_REGISTRY_APIKEY=key\n");
    machine.fails_with(&["here/ibm-credentials.env", "cannot read"]);
}
