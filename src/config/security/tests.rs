//! Tests of what protects: precedence of prefixes, Kafka's sentences, and every key of the matter.

use super::*;
use crate::config::tests::{map, pairs};
use crate::config::{Config, Layers, Notice};

const STANDARD: (&str, &str) = (AUTHORIZER, STANDARD_AUTHORIZER);
/// A listener of each protocol.
const FOUR: &[(&str, &str)] = &[
    ("listeners", "PLAINTEXT://:1,SSL://:2,SASL_PLAINTEXT://:3,SASL_SSL://:4"),
    ("sasl.enabled.mechanisms", "PLAIN"),
    ("listener.name.sasl_plaintext.plain.sasl.jaas.config", USERS),
    ("listener.name.sasl_ssl.plain.sasl.jaas.config", USERS),
    ("ssl.keystore.location", "/all.jks"),
    ("ssl.keystore.password", "Marker-0"),
];
const USERS: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"Marker-1\";";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
const BEARER: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
const JAAS_KEY: &str = "listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config";
const HANDLER_KEY: &str = "listener.name.sasl_plaintext.oauthbearer.sasl.server.callback.handler.class";
const SIGNED: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler";
/// One listener whose clients come with tokens that are signed.
const TOKENS: &[(&str, &str)] = &[
    ("listeners", "SASL_PLAINTEXT://:1"),
    ("sasl.enabled.mechanisms", "OAUTHBEARER"),
    (JAAS_KEY, BEARER),
    (HANDLER_KEY, SIGNED),
    ("sasl.oauthbearer.jwks.endpoint.url", "file:/keys"),
    ("sasl.oauthbearer.expected.audience", "a, b"),
    ("sasl.oauthbearer.expected.issuer", "https://i"),
];

/// One listener whose clients come by Kerberos.
const KERBEROS: &[(&str, &str)] = &[
    ("listeners", "SASL_PLAINTEXT://:1"),
    ("sasl.enabled.mechanisms", "GSSAPI"),
    (KERBEROS_JAAS, KRB5),
    ("sasl.kerberos.service.name", "kafka"),
];
const KERBEROS_JAAS: &str = "listener.name.sasl_plaintext.gssapi.sasl.jaas.config";
const KRB5: &str = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
                    keyTab=\"/kafka.keytab\" principal=\"kafka/host@REALM\" serviceName=kafka;";

/// The addresses that keys may be fetched from.
const OPTS: &str = "-Xmx1g -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file:/keys,file:/others,https://p:1/k,HTTP://p,ftp://p -Dx=y";

fn with(base: &[(&str, &str)], more: &[(&str, &str)]) -> Result<(Config, Vec<Notice>), Invalid> {
    let environment = pairs(&[("KAFKA_OPTS", OPTS)]);
    // Klamm has GSSAPI for those who begin with it.
    let has_gssapi = base.contains(&KERBEROS[1]);
    Config::load(&Layers { file: pairs(&[base, more].concat()), environment, has_gssapi, ..Layers::default() })
}

fn of<'c>(config: &'c Config, listener: &str) -> &'c ListenerSecurity {
    &config.listeners.iter().find(|l| l.name == listener).unwrap().security
}

fn tls_of(more: &[(&str, &str)], listener: &str) -> TlsSettings {
    of(&with(FOUR, more).unwrap().0, listener).tls.clone().unwrap()
}

fn sasl_of(more: &[(&str, &str)], listener: &str) -> SaslSettings {
    of(&with(FOUR, more).unwrap().0, listener).sasl.clone().unwrap()
}

#[test]
fn each_listener_has_what_its_protocol_asks_for() {
    let (config, notices) = with(FOUR, &[]).unwrap();
    let parts: Vec<_> =
        config.listeners.iter().map(|l| (l.security.tls.is_some(), l.security.sasl.is_some())).collect();
    assert_eq!(parts, [(false, false), (true, false), (false, true), (true, true)]);
    assert_eq!(notices, []);
    let tls = of(&config, "SSL").tls.clone().unwrap();
    let password = Secret::new("Marker-0");
    assert_eq!(tls.key_store, KeyStoreSettings::File { path: "/all.jks".into(), password, key_password: None });
    assert_eq!((tls.trust_store, tls.client_auth), (None, ClientAuth::None));
    assert_eq!((tls.versions, tls.principal_rules.as_str()), (TlsVersions { v12: true, v13: true }, "DEFAULT"));
    let sasl = of(&config, "SASL_SSL").sasl.clone().unwrap();
    let users = [("alice".to_string(), Secret::new("Marker-1"))].into_iter().collect();
    let plain = MechanismSettings { kind: MechanismKind::Plain(users), max_reauth_ms: 0 };
    assert_eq!(sasl, SaslSettings { mechanisms: vec![plain], max_receive_size: 524_288 });
}

#[test]
fn the_prefix_of_a_listener_goes_before_the_setting_for_all() {
    let own = ("listener.name.ssl.ssl.truststore.location", "/own.jks");
    let path = |more: &[(&str, &str)], listener| match tls_of(more, listener).trust_store {
        Some(TrustStoreSettings::File { path, .. }) => path,
        other => panic!("{other:?}"),
    };
    let all = ("ssl.truststore.location", "/all.jks");
    assert_eq!((path(&[own, all], "SSL"), path(&[own, all], "SASL_SSL")), ("/own.jks".into(), "/all.jks".into()));
    assert_eq!(tls_of(&[own], "SASL_SSL").trust_store, None);
    // `ssl.client.auth` of all is none of SASL_SSL's.
    let auth = |key, listener| tls_of(&[(key, "required")], listener).client_auth;
    assert_eq!(auth("ssl.client.auth", "SSL"), ClientAuth::Required);
    assert_eq!(auth("ssl.client.auth", "SASL_SSL"), ClientAuth::None);
    assert_eq!(auth("listener.name.sasl_ssl.ssl.client.auth", "SASL_SSL"), ClientAuth::Required);
    let (_, notices) = with(FOUR, &[("ssl.client.auth", "requested")]).unwrap();
    assert!(notices.iter().any(|n| n.to_string().contains("applied only to SSL listeners")), "{notices:?}");
    // Mechanism, listener, all.
    let key = "connections.max.reauth.ms";
    let (of_listener, of_mechanism) =
        (format!("listener.name.sasl_ssl.{key}"), format!("listener.name.sasl_ssl.plain.{key}"));
    let reauth = |more: &[(&str, &str)]| sasl_of(more, "SASL_SSL").mechanisms[0].max_reauth_ms;
    assert_eq!(reauth(&[(key, "1")]), 1);
    assert_eq!(reauth(&[(key, "1"), (&of_listener, "2")]), 2);
    assert_eq!(reauth(&[(key, "1"), (&of_listener, "2"), (&of_mechanism, "3")]), 3);
}

#[test]
fn environment_variables_reach_listeners_and_mechanisms() {
    let environment = [
        ("KAFKA_LISTENERS", "SASL_PLAINTEXT://:1"),
        ("KAFKA_SASL_ENABLED_MECHANISMS", "SCRAM-SHA-256"),
        ("KAFKA_LISTENER_NAME_SASL__PLAINTEXT_SCRAM___SHA___256_SASL_JAAS_CONFIG", SCRAM),
    ];
    let environment = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let (config, _) = Config::load(&Layers { environment, ..Layers::default() }).unwrap();
    let sasl = of(&config, "SASL_PLAINTEXT").sasl.clone().unwrap();
    assert_eq!(sasl.mechanisms[0].kind.mechanism().name(), "SCRAM-SHA-256");
}

#[test]
fn the_jaas_file_stands_in_for_what_is_not_set() {
    let start = |text: Option<&str>| {
        let file = map(&[("listeners", "SASL_PLAINTEXT://:1"), ("sasl.enabled.mechanisms", "PLAIN")]);
        let login_file = text.map(|text| ("/jaas.conf".to_string(), Secret::new(text)));
        Config::load(&Layers { file: file.into_iter().collect(), login_file, ..Layers::default() })
    };
    let users =
        |text: &str| match &of(&start(Some(text)).unwrap().0, "SASL_PLAINTEXT").sasl.as_ref().unwrap().mechanisms[0]
            .kind
        {
            MechanismKind::Plain(users) => users.keys().cloned().collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
    let module =
        |user: &str| format!("org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}=\"x\";");
    let both = format!("KafkaServer {{ {} }}; sasl_plaintext.KafkaServer {{ {} }};", module("all"), module("own"));
    assert_eq!(users(&both), ["own"]);
    // Several modules: each mechanism takes its own.
    let two = format!("KafkaServer {{ {SCRAM} {} }};", module("bob"));
    assert_eq!(users(&two), ["bob"]);
    let missing = "Could not find a 'KafkaServer' or 'sasl_plaintext.KafkaServer' entry in the JAAS configuration. System \
                   property 'java.security.auth.login.config' is";
    assert_eq!(start(None).unwrap_err().reason, format!("{missing} not set"));
    assert_eq!(start(Some("KafkaClient { };")).unwrap_err().reason, format!("{missing} /jaas.conf"));
    let broken = start(Some("KafkaServer {")).unwrap_err();
    assert_eq!((broken.key.as_str(), broken.value.as_str()), ("java.security.auth.login.config", "/jaas.conf"));
    let other = start(Some("KafkaServer { com.example.Module required; };")).unwrap_err();
    assert_eq!((other.value.as_str(), other.key.as_str()), ("com.example.Module", "java.security.auth.login.config"));
    let opts = |text: &str| [("KAFKA_OPTS".to_string(), text.to_string())];
    let path = |text: &str| crate::config::login_config_path(&opts(text)).map(str::to_string);
    assert_eq!(path("-Xmx1g -Djava.security.auth.login.config=/a.conf -Dx=y"), Some("/a.conf".into()));
    assert_eq!(path("-Djava.security.auth.login.config=/a -Djava.security.auth.login.config==/b"), Some("/b".into()));
    assert_eq!(path("-Djava.security.auth.login.config="), None);
}

/// `KerberosLogin`, and what a broker needs of `Krb5LoginModule`.
#[test]
fn kerberos_is_what_the_login_module_says() {
    let kerberos = |jaas: &str, more: &[(&str, &str)]| {
        let own = [&[(KERBEROS_JAAS, jaas)], more].concat();
        with(KERBEROS, &own).map_err(|refused| refused.reason).map(|(config, _)| {
            match &of(&config, "SASL_PLAINTEXT").sasl.as_ref().unwrap().mechanisms[0].kind {
                MechanismKind::Gssapi(settings) => settings.clone(),
                other => panic!("{other:?}"),
            }
        })
    };
    let settings = |keytab: Option<&str>, rules: &[&str]| {
        let rules = rules.iter().map(|rule| rule.to_string()).collect();
        Ok(KerberosSettings { keytab: keytab.map(str::to_string), principal: "kafka/host@REALM".into(), rules })
    };
    assert_eq!(kerberos(KRB5, &[]), settings(Some("/kafka.keytab"), &["DEFAULT"]));
    let rules = [("sasl.kerberos.principal.to.local.rules", "RULE:[1:$1]/L, DEFAULT")];
    assert_eq!(kerberos(KRB5, &rules), settings(Some("/kafka.keytab"), &["RULE:[1:$1]/L", "DEFAULT"]));
    let own = [("listener.name.sasl_plaintext.sasl.kerberos.principal.to.local.rules", "RULE:[2:$1]")];
    assert_eq!(kerberos(KRB5, &own), settings(Some("/kafka.keytab"), &["RULE:[2:$1]"]));
    let options = |options: &str| format!("{} required {options};", kerberos::MODULE);
    let least = options("useKeyTab=TRUE storeKey=true principal=\"kafka/host@REALM\"");
    assert_eq!(kerberos(&least, &[]), settings(None, &["DEFAULT"]));
    let (no_keytab, no_principal) = ("a broker's key comes out of a keytab", "the option principal is needed");
    let refused = [
        (options("useKeyTab=true principal=a"), no_keytab),
        (options("useTicketCache=true storeKey=true principal=a"), no_keytab),
        (options("useKeyTab=true storeKey=true"), no_principal),
        (options("useKeyTab=true storeKey=true principal=\"*\""), no_principal),
        (options("useKeyTab=true storeKey=true principal=a serviceName=other"), "Conflicting serviceName values"),
        (SCRAM.into(), "the login module of GSSAPI is"),
    ];
    for (jaas, sentence) in refused {
        let reason = kerberos(&jaas, &[]).unwrap_err();
        assert!(reason.starts_with(sentence), "{jaas}: {reason}");
    }
    let nameless = with(&[KERBEROS[0], KERBEROS[1], (KERBEROS_JAAS, &least)], &[]).unwrap_err();
    assert_eq!(nameless.reason, "No serviceName defined in either JAAS or Kafka config");
    // A Klamm without it says how one is made that has it.
    let without = with(&KERBEROS[..1], &[]).unwrap_err();
    let sentence = "GSSAPI is for a Klamm that was built with the Cargo feature gssapi, which this one was not (GSSAPI is Kafka's \
                    default); name others for listener sasl_plaintext";
    assert_eq!((without.key.as_str(), without.reason.as_str()), ("sasl.enabled.mechanisms", sentence));
}

/// A client asks Kerberos for the service of the name that it is told.
#[test]
fn clients_of_kerberos_are_told_a_name() {
    let is_by_connection = |base: &[(&str, &str)], more: &[(&str, &str)]| {
        let (config, _) = with(base, more).unwrap();
        config.listeners[0].advertised.clone().unwrap().is_by_connection
    };
    assert!(!is_by_connection(KERBEROS, &[]));
    let scram = ("listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config", SCRAM);
    assert!(!is_by_connection(KERBEROS, &[("sasl.enabled.mechanisms", "SCRAM-SHA-256,GSSAPI"), scram]));
    assert!(is_by_connection(KERBEROS, &[("sasl.enabled.mechanisms", "SCRAM-SHA-256"), scram]));
}

/// `DefaultSslEngineFactory`, sentence by sentence.
#[test]
fn stores_are_refused_with_kafkas_sentences() {
    let listener = ("listeners", "SSL://:1");
    let (kind, path, password) = ("ssl.keystore.type", "ssl.keystore.location", "ssl.keystore.password");
    let (key, chain) = ("ssl.keystore.key", "ssl.keystore.certificate.chain");
    let pem = (kind, "PEM");
    let table: &[(&[(&str, &str)], &str)] = &[
        (&[(key, "k")], "SSL private key can be specified only for PEM, but key store type is JKS."),
        (&[pem, (key, "k")], "SSL private key is specified, but certificate chain is not specified."),
        (
            &[pem, (key, "k"), (chain, "c"), (path, "/")],
            "Both SSL key store location and separate private key are specified.",
        ),
        (
            &[pem, (key, "k"), (chain, "c"), (password, "p")],
            "SSL key store password cannot be specified with PEM format, only key password may be specified.",
        ),
        (&[pem, (chain, "c")], "SSL certificate chain is specified, but private key is not specified"),
        (
            &[pem, (path, "/"), (password, "p")],
            "SSL key store password cannot be specified with PEM format, only key password may be specified",
        ),
        (&[(password, "p")], "SSL key store is not specified, but key store password is specified."),
        (&[(path, "/")], "SSL key store is specified, but key store password is not specified."),
        (&[(path, "/"), (password, "p"), (kind, "BCFKS")], "stores of the types JKS, PKCS12 and PEM are read"),
        (&[], "listener ssl asks for TLS and has no key store, so no client could connect"),
    ];
    for (settings, sentence) in table {
        assert_eq!(with(&[listener], settings).unwrap_err().reason, *sentence, "{settings:?}");
    }
    let own = [listener, pem, (path, "/k")];
    let (kind, path, password) = ("ssl.truststore.type", "ssl.truststore.location", "ssl.truststore.password");
    let (certificates, pem) = ("ssl.truststore.certificates", (kind, "PEM"));
    let table: &[(&[(&str, &str)], &str)] = &[
        (&[(certificates, "c")], "SSL trust store certs can be specified only for PEM, but trust store type is JKS."),
        (
            &[pem, (certificates, "c"), (path, "/")],
            "Both SSL trust store location and separate trust certificates are specified.",
        ),
        (&[pem, (certificates, "c"), (password, "p")], "SSL trust store password cannot be specified for PEM format."),
        (&[pem, (path, "/"), (password, "p")], "SSL trust store password cannot be specified for PEM format."),
        (&[(password, "p")], "SSL trust store is not specified, but trust store password is specified."),
        (&[(path, "/"), (kind, "JCEKS")], "stores of the types JKS, PKCS12 and PEM are read"),
    ];
    for (settings, sentence) in table {
        assert_eq!(with(&own, settings).unwrap_err().reason, *sentence, "{settings:?}");
    }
    let trusted =
        |more: &[(&str, &str)]| with(&own, more).unwrap().0.listeners[0].security.tls.clone().unwrap().trust_store;
    assert_eq!(trusted(&[pem, (certificates, "c")]), Some(TrustStoreSettings::Pem(Secret::new("c"))));
    assert_eq!(trusted(&[pem, (path, "/t")]), Some(TrustStoreSettings::PemFile { path: "/t".into() }));
    assert_eq!(
        trusted(&[(path, "/t"), (kind, "pkcs12")]),
        Some(TrustStoreSettings::File { path: "/t".into(), password: None })
    );
}

#[test]
fn versions_of_tls_that_are_not_safe_are_not_offered() {
    let versions = |text: &str| {
        let more = [("ssl.enabled.protocols", text), ("listeners", "SSL://:1")];
        let (config, notices) = with(FOUR, &more).map_err(|refused| refused.reason)?;
        let tls = config.listeners[0].security.tls.clone().unwrap();
        Ok::<_, String>((
            tls.versions.v12,
            tls.versions.v13,
            notices.iter().any(|n| n.to_string().contains("not safe")),
        ))
    };
    assert_eq!(versions("TLSv1.2"), Ok((true, false, false)));
    assert_eq!(versions("TLSv1.3,TLSv1.1,SSLv3"), Ok((false, true, true)));
    assert_eq!(versions(""), Ok((true, true, false)));
    assert_eq!(versions("TLSv1.4"), Err("Unsupported protocol TLSv1.4".into()));
    assert!(versions("TLSv1.1").unwrap_err().contains("not safe"));
}

#[test]
fn mechanisms_need_what_they_need() {
    let sasl = |more: &[(&str, &str)]| {
        let base = [("listeners", "SASL_PLAINTEXT://:1"), ("inter.broker.listener.name", "SASL_PLAINTEXT")];
        with(&base, more).map(|(config, _)| config.listeners[0].security.sasl.clone().unwrap().mechanisms)
    };
    let reason = |more: &[(&str, &str)]| sasl(more).unwrap_err().reason;
    let enabled = |names| ("sasl.enabled.mechanisms", names);
    let (plain, inter) =
        ("listener.name.sasl_plaintext.plain.sasl.jaas.config", "sasl.mechanism.inter.broker.protocol");
    assert!(reason(&[]).contains("GSSAPI is Kafka's default"), "{}", reason(&[]));
    assert!(reason(&[enabled("")]).contains("has no mechanism"));
    assert!(reason(&[enabled("plain")]).starts_with("plain is not known"));
    // Without the prefix of a mechanism a login is none.
    assert!(reason(&[enabled("PLAIN"), ("sasl.jaas.config", USERS)]).starts_with("Could not find a 'KafkaServer'"));
    assert_eq!(
        reason(&[enabled("PLAIN"), (plain, USERS)]),
        "sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms when SASL is used for \
         inter-broker communication"
    );
    assert_eq!(sasl(&[enabled("PLAIN"), (plain, USERS), (inter, "PLAIN")]).unwrap().len(), 1);
    // A module of another mechanism has no users of PLAIN.
    let none = sasl(&[enabled("PLAIN"), (plain, SCRAM), (inter, "PLAIN")]).unwrap();
    assert_eq!(none[0].kind, MechanismKind::Plain(BTreeMap::new()));
    let broken = sasl(&[enabled("PLAIN"), (plain, "x"), (inter, "PLAIN")]).unwrap_err();
    assert_eq!(
        broken.to_string(),
        format!(
            "Invalid value [hidden] for configuration {plain}: Login module control flag not specified in JAAS config"
        )
    );
    for key in ["sasl.server.callback.handler.class", "sasl.login.class"] {
        let key = format!("listener.name.sasl_plaintext.plain.{key}");
        let refused = sasl(&[enabled("PLAIN"), (plain, USERS), (inter, "PLAIN"), (&key, "x.Y")]).unwrap_err();
        assert_eq!((&refused.key, refused.value.as_str()), (&key, "x.Y"));
    }
}

#[test]
fn tokens_are_judged_as_the_listener_says() {
    let validation = |base: &[(&str, &str)], more: &[(&str, &str)]| {
        let (config, _) = with(base, more).map_err(|refused| refused.reason)?;
        match config.listeners[0].security.sasl.clone().unwrap().mechanisms.remove(0).kind {
            MechanismKind::OAuthBearer(validation) => Ok::<_, String>(validation),
            other => panic!("{other:?}"),
        }
    };
    let Ok(TokenValidation::Signed(signed)) = validation(TOKENS, &[]) else { panic!() };
    assert_eq!(
        (signed.jwks_url.as_str(), signed.audiences.len(), signed.issuer.as_deref()),
        ("file:/keys", 2, Some("https://i"))
    );
    assert_eq!(
        (signed.clock_skew_seconds, signed.scope_claim.as_str(), signed.subject_claim.as_str()),
        (30, "scope", "sub")
    );
    assert_eq!((signed.refresh_ms, signed.retry_backoff_ms, signed.retry_backoff_max_ms), (3_600_000, 100, 10_000));
    let of_mechanism = ("listener.name.sasl_plaintext.oauthbearer.sasl.oauthbearer.expected.issuer", "https://own");
    let Ok(TokenValidation::Signed(own)) = validation(TOKENS, &[of_mechanism]) else { panic!() };
    assert_eq!(own.issuer.as_deref(), Some("https://own"));
    for (key, what) in [("audience", "aud"), ("issuer", "iss")] {
        let (expected, allow) =
            (format!("sasl.oauthbearer.expected.{key}"), format!("sasl.oauthbearer.allow.unverified.{key}"));
        let refused = validation(TOKENS, &[(&expected, "")]).unwrap_err();
        let begin = format!(
            "The OAuth validator for the broker requires \"{expected}\" to be configured so that the token's {key} \
             (\"{what}\") claim can be verified, but it was not set. Set \"{expected}\" to the "
        );
        assert!(refused.starts_with(&begin), "{refused}");
        assert!(validation(TOKENS, &[(&expected, ""), (&allow, "true")]).is_ok());
    }
    assert!(
        validation(TOKENS, &[("sasl.oauthbearer.jwks.endpoint.url", "")]).unwrap_err().contains("JWKS endpoint URL")
    );
    for key in ["scope.claim.name", "sub.claim.name"].map(|key| format!("sasl.oauthbearer.{key}")) {
        let refused = validation(TOKENS, &[(&key, " ")]).unwrap_err();
        assert_eq!(refused, format!("The OAuth configuration option {key} value is required"));
    }
    let unsecured = format!(
        "{} unsecuredValidatorRequiredScope=\"a  b\" unsecuredValidatorAllowableClockSkewMs=\"5\";",
        &BEARER[..BEARER.len() - 1]
    );
    assert_eq!(
        validation(&TOKENS[..2], &[(JAAS_KEY, &unsecured)]),
        Ok(TokenValidation::Unsecured(UnsecuredTokens {
            principal_claim: "sub".into(),
            scope_claim: "scope".into(),
            required_scopes: vec!["a".into(), "b".into()],
            clock_skew_ms: 5,
        }))
    );
}

/// What becomes of one listener whose tokens are signed.
fn signed(more: &[(&str, &str)]) -> Result<SignedTokens, String> {
    let (config, _) = with(TOKENS, more).map_err(|refused| refused.reason)?;
    match &config.listeners[0].security.sasl.as_ref().unwrap().mechanisms[0].kind {
        MechanismKind::OAuthBearer(TokenValidation::Signed(tokens)) => Ok((**tokens).clone()),
        other => panic!("{other:?}"),
    }
}

/// `ConfigurationUtilsTest`: where keys may come from, and that the one who starts the process must say so, too.
#[test]
fn keys_come_from_addresses_that_are_allowed() {
    const URL: &str = "sasl.oauthbearer.jwks.endpoint.url";
    let source = |url: &str| signed(&[(URL, url)]).map(|tokens| tokens.source);
    assert_eq!(source("file:/others"), Ok(JwksSource::File("/others".into())));
    let Ok(JwksSource::Web(web)) = source(" https://p:1/k ") else { panic!() };
    assert_eq!((web.is_tls, web.host.as_str(), web.port, web.target.as_str()), (true, "p", 1, "/k"));
    assert!(matches!(source("HTTP://p"), Ok(JwksSource::Web(web)) if !web.is_tls && web.port == 80));
    let restricted = "The URL cannot be accessed due to restrictions. Update the system property \
                      'org.apache.kafka.sasl.oauthbearer.allowed.urls' to allow the URL to be accessed.";
    for url in ["file:///keys", "file:/other", "https://p:1/k/", "http://q"] {
        assert!(source(url).unwrap_err().starts_with(restricted), "{url}");
    }
    for (url, what) in [
        (
            "ftp://p",
            "contains an invalid protocol (ftp); only \"http\", \"https\", and \"file\" protocol are supported",
        ),
        ("keys", "is malformed: no protocol"),
        ("file:keys", "is malformed: no path from the root"),
        ("https://", "is malformed: it has no host, or the port 0"),
    ] {
        let begin = format!("The OAuth configuration option {URL} contains a URL ({url}) that {what}");
        assert_eq!(source(url).unwrap_err(), begin);
    }
    let nothing = Config::load(&Layers { file: pairs(TOKENS), ..Layers::default() });
    assert!(nothing.unwrap_err().reason.starts_with(restricted));
}

#[test]
fn a_provider_is_reached_as_the_login_module_says() {
    let trust = |options: &str| {
        let module = format!("{} {options};", &BEARER[..BEARER.len() - 1]);
        signed(&[(JAAS_KEY, &module)]).map(|tokens| tokens.trust_store)
    };
    assert_eq!(trust("ssl.endpoint.identification.algorithm=\"\" clientId=\"x\""), Ok(None));
    let password = Some(Secret::new("Marker"));
    let file = TrustStoreSettings::File { path: "/t".into(), password };
    assert_eq!(trust("ssl.truststore.location=\"/t\" ssl.truststore.password=\"Marker\""), Ok(Some(file)));
    let pem = TrustStoreSettings::PemFile { path: "/t".into() };
    assert_eq!(trust("ssl.truststore.location=\"/t\" ssl.truststore.type=\"PEM\""), Ok(Some(pem)));
    let alone = trust("ssl.truststore.password=\"Marker\"").unwrap_err();
    assert!(alone.starts_with("the option ssl.truststore.password: ") && !alone.contains("Marker"), "{alone}");
    assert!(
        trust("ssl.keystore.location=\"/k\"")
            .unwrap_err()
            .starts_with("the option ssl.keystore.location has no effect")
    );
}

#[test]
fn keys_are_looked_for_at_a_pace_that_kafka_could_keep() {
    let key = |name: &str| format!("sasl.oauthbearer.jwks.endpoint.{name}.ms");
    let refused = |pairs: &[(&str, &str)]| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (key(name), *value)).collect();
        signed(&pairs.iter().map(|(key, value)| (key.as_str(), *value)).collect::<Vec<_>>()).err()
    };
    assert_eq!(refused(&[("refresh", "1"), ("retry.backoff", "5"), ("retry.backoff.max", "5")]), None);
    assert!(refused(&[("refresh", "0")]).unwrap().ends_with("must be positive"));
    assert_eq!(refused(&[("retry.backoff", "-1")]).unwrap(), "retryBackoffMs value (-1) must be non-negative");
    let less = "retryBackoffMaxMs value (99) is less than retryBackoffMs value (100)";
    assert_eq!(refused(&[("retry.backoff.max", "99")]).unwrap(), less);
}

#[test]
fn delegation_tokens_are_there_where_a_key_makes_them() {
    let tokens = |more: &[(&str, &str)]| with(&[], more).unwrap().0.delegation_tokens;
    assert_eq!((tokens(&[]), tokens(&[("delegation.token.secret.key", "")])), (None, None));
    let kept = tokens(WITH_SECRET).unwrap();
    assert_eq!((kept.secret_key, kept.check_interval.as_secs()), (Secret::new("secret"), 3600));
    assert_eq!((kept.max_lifetime_ms, kept.expiry_time_ms), (604_800_000, 86_400_000));
}

#[test]
fn the_authorizer_is_kafkas() {
    let authorizer = |more: &[(&str, &str)]| {
        let (config, notices) = with(&[STANDARD], more).map_err(|refused| refused.reason)?;
        assert_eq!(notices, []);
        Ok::<_, String>(config.authorizer.unwrap())
    };
    let settings = |users: &[&str], allow_everyone_if_no_acl_found| {
        let super_users = users.iter().map(|user| user.to_string()).collect();
        Ok(AuthorizerSettings { super_users, allow_everyone_if_no_acl_found })
    };
    assert_eq!(authorizer(&[]), settings(&[], false));
    let users = ("super.users", " User:a ;;User:CN=b, O=c");
    assert_eq!(
        authorizer(&[users, ("allow.everyone.if.no.acl.found", " TRUE ")]),
        settings(&["User:a", "User:CN=b, O=c"], true)
    );
    assert_eq!(authorizer(&[("allow.everyone.if.no.acl.found", "yes")]), settings(&[], false));
    let reason = "expected a string in format principalType:principalName but got admin";
    assert_eq!(authorizer(&[("super.users", "User:a;admin")]), Err(reason.into()));
}

#[test]
fn the_inter_broker_listener_is_chosen_by_its_protocol_too() {
    let chosen = |more: &[(&str, &str)]| {
        with(&FOUR[1..], more).map(|(config, _)| config.inter_broker_listener_name).map_err(|refused| refused.reason)
    };
    let two = ("listeners", "PLAINTEXT://:1,SSL://:2");
    let by_protocol = ("security.inter.broker.protocol", "SSL");
    assert_eq!(chosen(&[two, by_protocol]), Ok("SSL".into()));
    assert_eq!(chosen(&[two]), Ok("PLAINTEXT".into()));
    let both = "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.";
    assert_eq!(chosen(&[two, by_protocol, ("inter.broker.listener.name", "SSL")]), Err(both.into()));
    assert_eq!(chosen(&[by_protocol]), Err("it is not the name of an advertised listener".into()));
}

/// Passwords are in the texts; none of them is shown.
#[test]
fn nothing_that_holds_passwords_shows_them() {
    let own = [
        ("ssl.key.password", "Marker-2"),
        ("ssl.truststore.location", "/t"),
        ("ssl.truststore.password", "Marker-3"),
        ("delegation.token.secret.key", "Marker-4"),
        ("my.own.password", "Marker-5"),
        ("sasl.oauthbearer.client.credentials.client.secret", "Marker-6"),
    ];
    let (config, notices) = with(FOUR, &own).unwrap();
    let none = map(&[]);
    let settings = config.settings(&none, &none);
    let values: Vec<_> = own.iter().map(|(key, _)| (settings.value(key), settings.text(key))).collect();
    let layers = Layers {
        file: own.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        login_file: Some(("/f".into(), Secret::new("Marker-7"))),
        ..Layers::default()
    };
    let described = crate::config::describe_broker(&settings);
    let shown = format!("{config:?} {config:#?} {notices:?} {values:?} {layers:?} {settings:?} {described:?}");
    assert!(!shown.contains("Marker") && shown.contains("my.own.password"), "{shown}");
}

/// What becomes of a key that speaks of security.
enum Becomes {
    /// Setting it changes what is typed.
    Typed(&'static [(&'static str, &'static str)], &'static str),
    /// A value that asks for something stops the start.
    Stops(&'static [(&'static str, &'static str)], &'static str),
    /// It has nothing to do here.
    Nothing,
}

/// Each key with the prefix of a listener or mechanism that it needs, if any, before the bar.
const KEYS: &[(&str, &str, Becomes)] = {
    use Becomes::*;
    &[
        ("", "alter.log.dirs.replication.quota.window.num", Nothing),
        ("", "alter.log.dirs.replication.quota.window.size.seconds", Nothing),
        ("", "authorizer.class.name", Stops(&[], "x.Y")),
        ("", "client.quota.callback.class", Stops(&[], "x.Y")),
        ("", "connection.failed.authentication.delay.ms", Typed(FOUR, "5")),
        ("", "connections.max.reauth.ms", Typed(FOUR, "5")),
        ("", "controller.quota.window.num", Typed(&[], "5")),
        ("", "controller.quota.window.size.seconds", Typed(&[], "5")),
        ("", "delegation.token.expiry.check.interval.ms", Typed(WITH_SECRET, "5")),
        ("", "delegation.token.expiry.time.ms", Typed(WITH_SECRET, "5")),
        ("", "delegation.token.max.lifetime.ms", Typed(WITH_SECRET, "5")),
        ("", "delegation.token.secret.key", Typed(WITH_SECRET, "other")),
        (
            "",
            "listener.security.protocol.map",
            Typed(FOUR, "PLAINTEXT:PLAINTEXT,SSL:PLAINTEXT,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"),
        ),
        ("", "max.connection.creation.rate", Typed(&[], "5")),
        ("", "max.connections", Typed(&[], "5")),
        ("", "max.connections.per.ip", Typed(&[], "5")),
        ("", "max.connections.per.ip.overrides", Typed(&[], "10.0.0.1:5")),
        ("", "principal.builder.class", Stops(&[], "x.Y")),
        ("", "quota.window.num", Typed(&[], "5")),
        ("", "quota.window.size.seconds", Typed(&[], "5")),
        ("", "replication.quota.window.num", Nothing),
        ("", "replication.quota.window.size.seconds", Nothing),
        ("listener.name.sasl_ssl.plain.", "sasl.client.callback.handler.class", Stops(FOUR, "x.Y")),
        ("", "sasl.enabled.mechanisms", Stops(FOUR, "GSSAPI")),
        ("listener.name.sasl_ssl.plain.", "sasl.jaas.config", Typed(FOUR, SCRAM)),
        ("", "sasl.kerberos.kinit.cmd", Nothing),
        ("", "sasl.kerberos.min.time.before.relogin", Nothing),
        ("", "sasl.kerberos.principal.to.local.rules", Typed(KERBEROS, "RULE:[1:$1]")),
        ("", "sasl.kerberos.service.name", Stops(KERBEROS, "another")),
        ("", "sasl.kerberos.ticket.renew.jitter", Nothing),
        ("", "sasl.kerberos.ticket.renew.window.factor", Nothing),
        ("listener.name.sasl_ssl.plain.", "sasl.login.callback.handler.class", Stops(FOUR, "x.Y")),
        ("listener.name.sasl_ssl.plain.", "sasl.login.class", Stops(FOUR, "x.Y")),
        // The broker logs in nowhere.
        ("", "sasl.login.connect.timeout.ms", Nothing),
        ("", "sasl.login.read.timeout.ms", Nothing),
        ("", "sasl.login.refresh.buffer.seconds", Nothing),
        ("", "sasl.login.refresh.min.period.seconds", Nothing),
        ("", "sasl.login.refresh.window.factor", Nothing),
        ("", "sasl.login.refresh.window.jitter", Nothing),
        ("", "sasl.login.retry.backoff.max.ms", Nothing),
        ("", "sasl.login.retry.backoff.ms", Nothing),
        ("", "sasl.mechanism.controller.protocol", Nothing),
        ("", "sasl.mechanism.inter.broker.protocol", Stops(INTER_BROKER, "SCRAM-SHA-256")),
        ("", "sasl.oauthbearer.allow.unverified.audience", Typed(TOKENS_OF_ANY, "true")),
        ("", "sasl.oauthbearer.allow.unverified.issuer", Typed(TOKENS_BY_ANY, "true")),
        ("", "sasl.oauthbearer.assertion.algorithm", Nothing),
        ("", "sasl.oauthbearer.assertion.claim.aud", Nothing),
        ("", "sasl.oauthbearer.assertion.claim.exp.seconds", Nothing),
        ("", "sasl.oauthbearer.assertion.claim.iss", Nothing),
        ("", "sasl.oauthbearer.assertion.claim.jti.include", Nothing),
        ("", "sasl.oauthbearer.assertion.claim.nbf.seconds", Nothing),
        ("", "sasl.oauthbearer.assertion.claim.sub", Nothing),
        ("", "sasl.oauthbearer.assertion.file", Nothing),
        ("", "sasl.oauthbearer.assertion.private.key.file", Nothing),
        ("", "sasl.oauthbearer.assertion.private.key.passphrase", Nothing),
        ("", "sasl.oauthbearer.assertion.template.file", Nothing),
        ("", "sasl.oauthbearer.client.credentials.client.id", Nothing),
        ("", "sasl.oauthbearer.client.credentials.client.secret", Nothing),
        ("", "sasl.oauthbearer.clock.skew.seconds", Typed(TOKENS, "5")),
        ("", "sasl.oauthbearer.expected.audience", Typed(TOKENS, "c")),
        ("", "sasl.oauthbearer.expected.issuer", Typed(TOKENS, "c")),
        ("", "sasl.oauthbearer.jwks.endpoint.refresh.ms", Typed(TOKENS, "5")),
        ("", "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Typed(TOKENS, "500")),
        ("", "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Typed(TOKENS, "5")),
        ("", "sasl.oauthbearer.jwks.endpoint.url", Typed(TOKENS, "file:/others")),
        ("", "sasl.oauthbearer.jwt.retriever.class", Nothing),
        ("", "sasl.oauthbearer.jwt.validator.class", Stops(TOKENS, "x.Y")),
        ("", "sasl.oauthbearer.scope", Nothing),
        ("", "sasl.oauthbearer.scope.claim.name", Typed(TOKENS, "scp")),
        ("", "sasl.oauthbearer.sub.claim.name", Typed(TOKENS, "user")),
        ("", "sasl.oauthbearer.token.endpoint.url", Nothing),
        ("listener.name.sasl_ssl.plain.", "sasl.server.callback.handler.class", Stops(FOUR, "x.Y")),
        ("", "sasl.server.max.receive.size", Typed(FOUR, "5")),
        ("", "security.inter.broker.protocol", Typed(FOUR, "SSL")),
        ("", "security.providers", Stops(&[], "x.Y")),
        ("", "ssl.allow.dn.changes", Typed(FOUR, "true")),
        ("", "ssl.allow.san.changes", Typed(FOUR, "true")),
        ("", "ssl.cipher.suites", Typed(FOUR, "TLS_AES_128_GCM_SHA256")),
        ("", "ssl.client.auth", Typed(FOUR, "required")),
        ("", "ssl.enabled.protocols", Typed(FOUR, "TLSv1.2")),
        // Of clients; the broker makes no connection.
        ("", "ssl.endpoint.identification.algorithm", Nothing),
        ("", "ssl.engine.factory.class", Stops(FOUR, "x.Y")),
        ("", "ssl.key.password", Typed(FOUR, "p")),
        ("", "ssl.keymanager.algorithm", Nothing),
        ("", "ssl.keystore.certificate.chain", Stops(FOUR, "c")),
        ("", "ssl.keystore.key", Stops(FOUR, "k")),
        ("", "ssl.keystore.location", Typed(FOUR, "/other")),
        ("", "ssl.keystore.password", Typed(FOUR, "other")),
        ("", "ssl.keystore.type", Stops(FOUR, "BCFKS")),
        ("", "ssl.principal.mapping.rules", Typed(FOUR, "RULE:^(.*)$/$1/")),
        ("", "ssl.protocol", Stops(FOUR, "SSLv3")),
        ("", "ssl.provider", Nothing),
        ("", "ssl.secure.random.implementation", Nothing),
        ("", "ssl.trustmanager.algorithm", Nothing),
        ("", "ssl.truststore.certificates", Stops(FOUR, "c")),
        ("", "ssl.truststore.location", Typed(FOUR, "/t")),
        ("", "ssl.truststore.password", Stops(FOUR, "p")),
        ("", "ssl.truststore.type", Typed(TRUSTED, "PEM")),
    ]
};
const INTER_BROKER: &[(&str, &str)] = &[
    ("listeners", "SASL_PLAINTEXT://:3"),
    ("sasl.enabled.mechanisms", "PLAIN"),
    ("listener.name.sasl_plaintext.plain.sasl.jaas.config", USERS),
    ("inter.broker.listener.name", "SASL_PLAINTEXT"),
    ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
];
const TRUSTED: &[(&str, &str)] = &[
    ("listeners", "SSL://:2"),
    ("ssl.keystore.location", "/k"),
    ("ssl.keystore.password", "p"),
    ("ssl.truststore.location", "/t"),
];
const WITH_SECRET: &[(&str, &str)] = &[("delegation.token.secret.key", "secret")];
const TOKENS_OF_ANY: &[(&str, &str)] = &[TOKENS[0], TOKENS[1], TOKENS[2], TOKENS[3], TOKENS[4], TOKENS[6]];
const TOKENS_BY_ANY: &[(&str, &str)] = &[TOKENS[0], TOKENS[1], TOKENS[2], TOKENS[3], TOKENS[4], TOKENS[5]];

/// No key of the matter is forgotten: it is obeyed, stops the start, or is known to have nothing to do.
#[test]
fn every_key_that_speaks_of_security_is_accounted_for() {
    let families = [
        "ssl.",
        "sasl.",
        "security.",
        "principal.",
        "authorizer.",
        "quota",
        "max.connection",
        "delegation.",
        "client.quota",
        "controller.quota",
        "connection.failed",
        "connections.max.reauth",
        "listener.security",
    ];
    let speaks =
        |name: &str| families.iter().any(|family| name.starts_with(family)) || name.contains("replication.quota");
    let all: Vec<&str> = definitions::broker_all().iter().map(|d| d.name).filter(|name| speaks(name)).collect();
    assert_eq!(KEYS.iter().map(|(_, key, _)| *key).collect::<Vec<_>>(), all);
    for (prefix, key, becomes) in KEYS {
        let name = format!("{prefix}{key}");
        let typed = |base: &[(&str, &str)], more: &[(&str, &str)]| {
            with(base, more).map(|(c, _)| {
                let of_logins = (c.failed_authentication_delay_ms, c.delegation_tokens);
                (
                    (c.inter_broker_listener_name, c.authorizer, c.listeners, of_logins),
                    (c.quota_windows, c.controller_quota_windows, c.connection_limits),
                )
            })
        };
        match becomes {
            Becomes::Typed(base, value) => {
                let (before, after) = (typed(base, &[]), typed(base, &[(&name, value)]).expect(&name));
                assert!(before.ok().as_ref() != Some(&after), "{name} changes nothing");
            }
            Becomes::Stops(base, value) => {
                assert!(base.is_empty() || with(base, &[]).is_ok(), "{name}: {:?}", with(base, &[]));
                let refused = typed(base, &[(&name, value)]).expect_err(&name);
                assert_eq!(refused.key, name, "{refused}");
            }
            Becomes::Nothing => {}
        }
    }
}
