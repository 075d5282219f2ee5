use super::*;

/// Texts that name a proxy, and their meaning: the URL, the user name with the password, whether
/// Go reads the text, and how many things are tolerated; or why it cannot be used.
#[test]
fn a_proxy_is_a_url_or_a_host() {
    const NO_USER: &str = "";
    for (text, url, login, by_go, tolerated) in [
        ("http://proxy:3128", "http://proxy:3128", NO_USER, true, 0),
        ("http://proxy:3128/", "http://proxy:3128", NO_USER, true, 0),
        ("http://proxy", "http://proxy", NO_USER, true, 0),
        ("https://proxy:8443", "https://proxy:8443", NO_USER, true, 0),
        ("HTTP://Proxy:3128", "http://proxy:3128", NO_USER, true, 0),
        ("proxy:3128", "http://proxy:3128", NO_USER, true, 0),
        ("10.0.0.1", "http://10.0.0.1", NO_USER, true, 0),
        (
            "http://[fd00::1]:3128",
            "http://[fd00::1]:3128",
            NO_USER,
            true,
            0,
        ),
        ("http://u:p@proxy:3128", "http://proxy:3128", "u:p", true, 0),
        ("u:p@proxy:3128", "http://proxy:3128", "u:p", true, 0),
        ("http://u@proxy", "http://proxy", "u:", true, 0),
        (
            "http://u:p%40ss%3a@proxy",
            "http://proxy",
            "u:p@ss:",
            true,
            0,
        ),
        (
            "http://DOMAIN%5Cu:p@proxy",
            "http://proxy",
            "DOMAIN\\u:p",
            true,
            0,
        ),
        (
            "http://u:p@ss@proxy:3128",
            "http://proxy:3128",
            "u:p@ss",
            true,
            1,
        ),
        (
            "http://u@example.com:p@ss@proxy",
            "http://proxy",
            "u@example.com:p@ss",
            true,
            1,
        ),
        (
            "http://u:p#/?ss@proxy:3128",
            "http://proxy:3128",
            "u:p#/?ss",
            false,
            0,
        ),
        (
            "http://u:50%off@proxy",
            "http://proxy",
            "u:50%off",
            false,
            0,
        ),
        (
            "http://DOMAIN\\u:p@proxy",
            "http://proxy",
            "DOMAIN\\u:p",
            false,
            0,
        ),
        ("http://proxy:3128 ", "http://proxy:3128", NO_USER, false, 1),
        (
            "http://proxy:3128\r",
            "http://proxy:3128",
            NO_USER,
            false,
            1,
        ),
        (
            "\u{feff}http://proxy:3128\r\n",
            "http://proxy:3128",
            NO_USER,
            false,
            1,
        ),
        (
            "\"http://proxy:3128\"",
            "http://proxy:3128",
            NO_USER,
            false,
            1,
        ),
        ("'http://u:p@proxy' ", "http://proxy", "u:p", false, 2),
    ] {
        let proxy = Proxy::parse(text).unwrap_or_else(|reason| panic!("{text:?}: {reason}"));
        assert_eq!(proxy.url, url, "{text:?}");
        let expected = (login != NO_USER).then(|| format!("Basic {}", STANDARD.encode(login)));
        let sent = proxy
            .authorization
            .as_ref()
            .map(|it| it.expose().to_owned());
        assert_eq!(sent, expected, "{text:?}");
        assert_eq!(proxy.is_read_by_go, by_go, "{text:?}");
        assert_eq!(proxy.tolerated.len(), tolerated, "{text:?}");
    }
}

#[test]
fn an_invalid_proxy_is_not_repeated_in_its_error() {
    for (text, reason) in [
        ("socks5://hunter2:1080", "SOCKS"),
        ("http://wpad.example/proxy.PAC", "PAC file"),
        ("file:///etc/hunter2.pac", "PAC file"),
        ("pac+https://hunter2.example", "PAC file"),
        ("http://hunter2.example/wpad.dat?x", "PAC file"),
        ("DIRECT", "a word"),
        ("none", "a word"),
        ("http://${HUNTER2}:3128", "not expanded"),
        ("http://user:hunter2@$PROXY", "not expanded"),
        ("http:/hunter2:3128", "one slash"),
        ("bogus://hunter2", "scheme"),
        ("http://", "no host"),
        ("://", "scheme"),
        ("http://:3128", "no host"),
        ("http://hunter2@", "no host"),
        ("http://user:hunter2", "not valid"),
        ("hunter2 hunter2", "not valid"),
        ("http://hunter2%41:80", "not valid"),
        ("http://hunter2é:80", "not valid"),
        ("http://hunter2:99999", "not valid"),
    ] {
        let message = Proxy::parse(text).unwrap_err();
        assert!(message.contains(reason), "{text:?}: {message}");
        assert!(!message.contains("hunter2"), "{text:?}: {message}");
    }
}

#[test]
fn the_first_variable_that_is_not_blank_counts_then_the_settings() {
    const IAM: &str = "https://iam.cloud.ibm.com/identity/token";
    let setting = Proxy::parse("setting:1").unwrap();
    let no_variables: &[(&str, &str)] = &[];
    for (variables, has_setting, host) in [
        (no_variables, false, None),
        (no_variables, true, Some("http://setting:1")),
        (
            &[("HTTPS_PROXY", "a"), ("https_proxy", "b")],
            true,
            Some("http://a"),
        ),
        (
            &[("HTTPS_PROXY", ""), ("https_proxy", "b")],
            true,
            Some("http://b"),
        ),
        (
            &[("HTTPS_PROXY", " \r"), ("https_proxy", "b")],
            false,
            Some("http://b"),
        ),
        (
            &[("https_proxy", "b"), ("ALL_PROXY", "c")],
            false,
            Some("http://b"),
        ),
        (
            &[("ALL_PROXY", ""), ("all_proxy", "d")],
            false,
            Some("http://d"),
        ),
        (
            &[("HTTPS_PROXY", "socks5://a"), ("https_proxy", "b")],
            true,
            None,
        ),
        (&[("HTTP_PROXY", "e"), ("http_proxy", "e")], false, None),
        (
            &[("HTTPS_PROXY", "a"), ("NO_PROXY", "*.ibm.com")],
            false,
            None,
        ),
        (
            &[
                ("HTTPS_PROXY", "a"),
                ("NO_PROXY", ""),
                ("no_proxy", ".ibm.com"),
            ],
            false,
            None,
        ),
        (
            &[("HTTPS_PROXY", "a"), ("NO_PROXY", "x"), ("no_proxy", "*")],
            false,
            Some("http://a"),
        ),
        (&[("NO_PROXY", "iam.cloud.ibm.com:443")], true, None),
        (
            &[("NO_PROXY", "iam.cloud.ibm.com:8443")],
            true,
            Some("http://setting:1"),
        ),
    ] {
        let environment: Environment = variables.iter().copied().collect();
        if environment.names().count() < variables.len() {
            // On Windows, two of them are the same variable.
            continue;
        }
        let proxies = Proxies::new(
            &environment,
            has_setting.then_some(&setting),
            no_proxy_variable(&environment).map_or("", |(_, list)| list),
        );
        let used = match proxies.route(IAM, ProxyPolicy::Proxied) {
            Route::Proxy(proxy, _) => Some(proxy.url),
            Route::Direct | Route::System => None,
        };
        assert_eq!(used.as_deref(), host, "{variables:?} {has_setting}");
    }
    let proxies = Proxies::new(&Environment::default(), Some(&setting), "*.ibm.com");
    assert_eq!(proxies.route(IAM, ProxyPolicy::Proxied), Route::Direct);
    let proxies = Proxies::new(&Environment::default(), Some(&setting), "");
    for (url, policy) in [
        (IAM, ProxyPolicy::Direct),
        ("http://169.254.169.254/", ProxyPolicy::Proxied),
        ("https://localhost:8443/", ProxyPolicy::Proxied),
        ("https://[::1]:8443/", ProxyPolicy::Proxied),
    ] {
        assert_eq!(proxies.route(url, policy), Route::Direct, "{url}");
    }
}

#[test]
fn a_refusal_names_the_place_of_the_login() {
    let route = |text| {
        let proxy = Proxy::parse(text).unwrap();
        Route::Proxy(proxy, ProxyOrigin::Variable("HTTPS_PROXY"))
    };
    let with_login = route("http://u:hunter2@proxy:3128");
    let without = route("http://proxy:3128");
    for (route, status, words, hint) in [
        (
            &with_login,
            407,
            "the proxy http://proxy:3128 rejected the user name and password in $HTTPS_PROXY (HTTP 407)",
            "Correct them in $HTTPS_PROXY",
        ),
        (
            &without,
            407,
            "the proxy http://proxy:3128 in $HTTPS_PROXY requires a user name and a password (HTTP 407)",
            "Set $HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT",
        ),
        (
            &with_login,
            403,
            "the proxy http://proxy:3128 in $HTTPS_PROXY does not permit connections to iam.example (HTTP 403)",
            "Have its administrator permit iam.example",
        ),
        (
            &Route::System,
            407,
            "the system's proxy requires a user name and a password (HTTP 407)",
            "Set $HTTPS_PROXY to",
        ),
    ] {
        let refusal = ProxyRefusal::new(route, "iam.example", status);
        assert_eq!(refusal.to_string(), words);
        assert!(refusal.hint().starts_with(hint), "{}", refusal.hint());
    }
}

#[test]
fn another_password_changes_the_id_of_the_route() {
    let id = |text| {
        let proxy = Proxy::parse(text).unwrap();
        Route::Proxy(proxy, ProxyOrigin::Setting).id()
    };
    assert_eq!(id("http://u:hunter2@proxy"), id("u:hunter2@proxy/"));
    assert_ne!(id("http://u:hunter2@proxy"), id("http://u:hunter3@proxy"));
    assert_ne!(id("http://proxy"), id("http://proxy:81"));
    assert!(!id("http://u:hunter2@proxy").contains("hunter2"));
}
