//! Settings for single hosts: the rules of a config file, and the policy they make for one host.
//!
//! ```toml
//! [[host]]
//! match = "*.example.com"
//! delay = "2s"
//! auth  = { user = "robot", password_env = "EXAMPLE_PASSWORD" }
//! ```

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize, Serializer};

use super::ConfigError;
use super::bounds::{LONGEST_PAUSE, MAX_CONCURRENCY};
use super::files::lines_of;
use seine_core::policy::{HostPolicy, Proxies, Secret};
use seine_core::values::{Header, HttpChoice, ProxyUrl, Span};
use seine_follow::PathBudget;

/// Settings for the hosts that `match` names. Of several rules that match, the later wins, key by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRule {
    /// A host name; `*` stands for any text, so `*.example.com` means every host below `example.com`.
    pub r#match: String,
    /// Smallest gap between request starts.
    pub delay: Option<Span>,
    /// Requests in flight.
    pub concurrency: Option<usize>,
    /// URLs of each such host in one invocation; 0: any.
    pub limit: Option<u64>,
    /// URLs of each such host that are taken in, by the beginning of their paths, instead of the common `budget`.
    #[serde(default, deserialize_with = "seine_follow::budget::from_table")]
    pub budget: Vec<PathBudget>,
    /// More headers.
    #[serde(default)]
    pub headers: Vec<Header>,
    /// More headers, one a line.
    pub headers_file: Option<PathBuf>,
    /// Credentials.
    pub auth: Option<Auth>,
    /// Whether cookies are taken and sent.
    pub cookies: Option<bool>,
    /// In which versions of HTTP it is asked.
    pub http: Option<HttpChoice>,
    /// Its proxies; `"none"` for a direct connection.
    pub proxy: Option<ProxyRule>,
    /// Its proxies, one a line, instead of those of `proxy`.
    pub proxy_file: Option<PathBuf>,
    /// Whether its robots.txt is obeyed.
    pub robots: Option<bool>,
    /// Whether any certificate is accepted.
    pub insecure: Option<bool>,
    /// Our certificate and its private key, one PEM file.
    pub client_cert: Option<PathBuf>,
    /// The `Authorization` header, once [`HostRule::read_secrets`] has found the secret.
    #[serde(skip)]
    authorization: Option<Secret>,
}

/// Credentials, by the place that keeps the secret: never in the file itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// User name, for basic authentication (RFC 7617).
    #[serde(default)]
    pub user: Option<String>,
    /// Environment variable with the password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// File with the password; a line end at its end does not count.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Environment variable with a bearer token (RFC 6750).
    #[serde(default)]
    pub token_env: Option<String>,
    /// File with a bearer token.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
}

/// One proxy, several to take turns, or none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum ProxyRule {
    /// A URL, or `none`.
    One(ProxyWord),
    /// Some to take turns.
    Several(Vec<ProxyUrl>),
}

/// A proxy or the word `none`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub enum ProxyWord {
    /// A direct connection.
    #[serde(rename = "none")]
    None,
    /// This proxy.
    #[serde(untagged)]
    Proxy(ProxyUrl),
}

impl TryFrom<String> for ProxyWord {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "none" { Ok(Self::None) } else { text.parse().map(Self::Proxy) }
    }
}

impl HostRule {
    /// The rule behind `--insecure HOST`.
    pub(super) fn insecure(pattern: String) -> Self {
        Self { r#match: pattern, insecure: Some(true), ..Self::default() }
    }

    /// Whether it is for the host called `name`.
    pub fn matches(&self, name: &str) -> bool {
        matches(&self.r#match, name)
    }

    pub(super) fn apply(&self, policy: &mut HostPolicy, total: usize) {
        if let Some(delay) = self.delay {
            policy.delay = delay.0;
        }
        if let Some(concurrency) = self.concurrency {
            policy.concurrency = concurrency.min(total);
        }
        policy.limit = self.limit.unwrap_or(policy.limit);
        policy.headers.extend(self.headers.iter().cloned());
        if let Some(authorization) = &self.authorization {
            policy.authorization = Some(authorization.clone());
        }
        policy.cookies = self.cookies.unwrap_or(policy.cookies);
        policy.http = self.http.unwrap_or(policy.http);
        policy.robots = self.robots.unwrap_or(policy.robots);
        policy.insecure = self.insecure.unwrap_or(policy.insecure);
        match &self.proxy {
            None => {}
            Some(ProxyRule::One(ProxyWord::None)) => policy.proxies = Proxies::These(Vec::new()),
            Some(ProxyRule::One(ProxyWord::Proxy(proxy))) => policy.proxies = Proxies::These(vec![proxy.clone()]),
            Some(ProxyRule::Several(proxies)) => policy.proxies = Proxies::These(proxies.clone()),
        }
        if let Some(path) = &self.client_cert {
            policy.client_cert = Some(path.clone());
        }
    }

    pub(super) fn check(&mut self) -> Result<(), ConfigError> {
        if !self.r#match.is_ascii()
            && let Ok(url) = url::Url::parse(&format!("http://{}/", self.r#match.replace('*', "x--star--x")))
        {
            // As hosts are written in URLs: `bücher.example` is `xn--bcher-kva.example`.
            self.r#match = url.host_str().unwrap_or_default().replace("x--star--x", "*");
        }
        let refuse = |value: &str, problem| {
            Err(ConfigError::Value {
                name: "host",
                value: format!("{{ match = {:?}, {value} }}", self.r#match),
                problem,
            })
        };
        let name = self.r#match.trim();
        let is_v6 = name.starts_with('[') && name.ends_with(']');
        if name.is_empty() || name.contains(['/', ' ']) || name.contains(':') && !is_v6 {
            return refuse("...", "match must be a host name such as example.com or *.example.com, without port");
        }
        if self.insecure == Some(true) && name.chars().all(|c| matches!(c, '*' | '.')) {
            return refuse("insecure", "certificates are done without for hosts that are named, not for all");
        }
        if self.concurrency.is_some_and(|n| n == 0 || n > MAX_CONCURRENCY) {
            return refuse("concurrency", "must be from 1 to 65536");
        }
        if self.delay.is_some_and(|delay| delay.0 > LONGEST_PAUSE) {
            return refuse("delay", "must be at most 1day");
        }
        let Some(auth) = &self.auth else { return Ok(()) };
        let passwords = usize::from(auth.password_env.is_some()) + usize::from(auth.password_file.is_some());
        let tokens = usize::from(auth.token_env.is_some()) + usize::from(auth.token_file.is_some());
        match (&auth.user, passwords, tokens) {
            (Some(_), 1, 0) | (None, 0, 1) => Ok(()),
            _ => refuse(
                "auth",
                "needs user with one of password_env and password_file, or one of token_env and token_file",
            ),
        }
    }

    pub(super) fn read_secrets(&mut self) -> Result<(), ConfigError> {
        if let Some(path) = &self.headers_file {
            self.headers.extend(lines_of("headers_file", path, "a header, Name: value")?);
        }
        if let Some(path) = &self.proxy_file {
            let proxies = lines_of("proxy_file", path, "a proxy: http://, https://, socks5:// or socks5h://")?;
            self.proxy = Some(ProxyRule::Several(proxies));
        }
        let Some(auth) = &self.auth else { return Ok(()) };
        let rule = self.r#match.clone();
        let env = |setting, name: &Option<String>| {
            let Some(name) = name else { return Ok(None) };
            std::env::var(name).map(Some).map_err(|_| ConfigError::Secret {
                setting,
                rule: rule.clone(),
                problem: format!("the environment has no variable {name}"),
            })
        };
        let file =
            |setting, path: &Option<PathBuf>| path.as_deref().map(|path| read_secret(setting, &rule, path)).transpose();
        let password = match env("password_env", &auth.password_env)? {
            Some(password) => Some(password),
            None => file("password_file", &auth.password_file)?,
        };
        let token = match env("token_env", &auth.token_env)? {
            Some(token) => Some(token),
            None => file("token_file", &auth.token_file)?,
        };
        let value = match (&auth.user, password, token) {
            (Some(user), Some(password), _) => format!("Basic {}", BASE64.encode(format!("{user}:{password}"))),
            (_, _, Some(token)) => format!("Bearer {}", token.trim()),
            // `check` has refused every other combination.
            _ => return Ok(()),
        };
        self.authorization = Some(Secret::new(value));
        Ok(())
    }
}

fn read_secret(setting: &'static str, rule: &str, path: &Path) -> Result<String, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Secret {
        setting,
        rule: rule.to_owned(),
        problem: format!("cannot read {}: {error}", path.display()),
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Whether `pattern`, in which `*` stands for any text, is the whole of `name`; ASCII case does not count.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.trim().as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // The state to go back to if the text after the last star does not fit.
    let mut again = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                again = Some((p, n));
            }
            Some(byte) if byte.eq_ignore_ascii_case(&name[n]) => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((after_star, skipped)) = again else { return false };
                (p, n) = (after_star, skipped + 1);
                again = Some((p, n));
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// For the record: which rules were in force, with the places of secrets and not the secrets.
impl Serialize for HostRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("match", &self.r#match)?;
        let span = |span: Span| humantime::format_duration(span.0).to_string();
        self.delay.map_or(Ok(()), |delay| map.serialize_entry("delay", &span(delay)))?;
        self.concurrency.map_or(Ok(()), |n| map.serialize_entry("concurrency", &n))?;
        self.limit.map_or(Ok(()), |n| map.serialize_entry("limit", &n))?;
        if !self.budget.is_empty() {
            let table: std::collections::BTreeMap<_, _> = self.budget.iter().map(|one| (&one.path, one.urls)).collect();
            map.serialize_entry("budget", &table)?;
        }
        if !self.headers.is_empty() {
            let names: Vec<_> = self.headers.iter().map(|header| &header.name).collect();
            map.serialize_entry("headers", &names)?;
        }
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        self.headers_file.as_ref().map_or(Ok(()), |file| map.serialize_entry("headers_file", &path(file)))?;
        self.auth.as_ref().map_or(Ok(()), |auth| map.serialize_entry("auth", auth))?;
        self.cookies.map_or(Ok(()), |on| map.serialize_entry("cookies", &on))?;
        self.http.map_or(Ok(()), |http| map.serialize_entry("http", &http))?;
        self.proxy.as_ref().map_or(Ok(()), |proxy| map.serialize_entry("proxy", proxy))?;
        self.proxy_file.as_ref().map_or(Ok(()), |file| map.serialize_entry("proxy_file", &path(file)))?;
        self.robots.map_or(Ok(()), |on| map.serialize_entry("robots", &on))?;
        self.insecure.map_or(Ok(()), |on| map.serialize_entry("insecure", &on))?;
        self.client_cert.as_ref().map_or(Ok(()), |file| map.serialize_entry("client_cert", &path(file)))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CrawlOptions;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("example.com", "example.com", true),
            ("Example.COM", "example.com", true),
            ("example.com", "www.example.com", false),
            ("*.example.com", "www.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "badexample.com", false),
            ("*", "anything", true),
            ("10.0.*", "10.0.0.7", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXc", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn the_later_rule_wins_key_by_key() {
        let file = CrawlOptions::read(
            "delay = '1s'
             [[host]]
             match = '*.example.com'
             delay = '2s'
             headers = ['A: 1']
             [[host]]
             match = 'slow.example.com'
             delay = '5s'
             proxy = 'none'
             robots = false",
        )
        .unwrap();
        let settings = file.resolve(1).unwrap();
        let delays =
            ["other.test", "www.example.com", "slow.example.com"].map(|host| settings.politeness.policy(host).delay);
        assert_eq!(delays, [1, 2, 5].map(std::time::Duration::from_secs));
        let slow = settings.politeness.policy("slow.example.com");
        assert_eq!((slow.headers.len(), slow.robots, slow.proxies), (1, false, Proxies::These(Vec::new())));
    }

    #[test]
    fn secrets_come_from_files_and_are_written_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "swordfish\n").unwrap();
        let text = format!("[[host]]\nmatch = 'a.test'\nauth = {{ user = 'me', password_file = {path:?} }}");
        let file = CrawlOptions::read(&text).unwrap();
        let mut settings = file.resolve(1).unwrap();
        settings.read_files().unwrap();
        let policy = settings.politeness.policy("a.test");
        assert_eq!(policy.authorization.as_ref().unwrap().reveal(), "Basic bWU6c3dvcmRmaXNo");
        for shown in [format!("{settings:?}"), format!("{policy:?}"), settings.to_json()] {
            assert!(!shown.contains("swordfish") && !shown.contains("bWU6"), "{shown}");
        }
    }

    #[test]
    fn files_with_headers_and_proxies_are_named_when_they_are_wrong_and_nothing_of_them_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name).display().to_string()
        };
        let headers = file("headers", "# for the API\nX-Key: swordfish\n\nX-Other: 1\r\n");
        let proxies = file("proxies", "http://u:swordfish@p.test:1\n");
        let odd = file("odd", "X-Key: 1\nswordfish\n");
        let load = |text: &str| {
            let mut settings = CrawlOptions::read(text).unwrap().resolve(1).unwrap();
            settings.read_files().map(|()| settings)
        };
        let rule = "[[host]]\nmatch = 'a.test'\n";
        let settings =
            load(&format!("header_file = '{headers}'\n{rule}headers_file = '{headers}'\nproxy_file = '{proxies}'"));
        let settings = settings.unwrap();
        let policy = settings.politeness.policy("a.test");
        for headers in [&settings.http.header, &policy.headers] {
            let pairs: Vec<_> = headers.iter().map(|header| (&*header.name, &*header.value)).collect();
            assert_eq!(pairs, [("X-Key", "swordfish"), ("X-Other", "1")]);
        }
        assert!(matches!(&policy.proxies, Proxies::These(proxies) if proxies.len() == 1));
        assert!(!format!("{settings:?}{}", settings.to_json()).contains("swordfish"));
        for (text, setting, problem) in [
            (format!("header_file = '{odd}'"), "header_file", "line 2 is not a header"),
            (format!("proxy_file = '{odd}'"), "proxy_file", "line 1 is not a proxy"),
            (format!("{rule}headers_file = '{odd}'"), "headers_file", "line 2 is not a header"),
            (format!("{rule}proxy_file = '{odd}'"), "proxy_file", "line 1 is not a proxy"),
            (format!("notify_url_file = '{odd}'"), "notify_url_file", "is not the http(s) URL"),
            ("notify_secret_file = '/no/such'".to_owned(), "notify_secret_file", "/no/such: cannot be read"),
        ] {
            let error = load(&text).unwrap_err().to_string();
            assert!(error.starts_with(setting) && error.contains(problem), "{error}");
            assert!(!error.contains("swordfish"), "{error}");
        }
    }

    #[test]
    fn a_missing_secret_is_named_by_its_place() {
        let file =
            CrawlOptions::read("[[host]]\nmatch = 'a.test'\nauth = { token_env = 'SEINE_TEST_NO_SUCH_VARIABLE' }")
                .unwrap();
        let error = file.resolve(1).unwrap().read_files().unwrap_err().to_string();
        assert!(error.contains("SEINE_TEST_NO_SUCH_VARIABLE") && error.contains("a.test"), "{error}");
    }

    #[test]
    fn half_an_identity_is_refused() {
        for auth in ["{ user = 'me' }", "{ password_env = 'P' }", "{ user = 'me', token_env = 'T' }", "{}"] {
            let file = CrawlOptions::read(&format!("[[host]]\nmatch = 'a.test'\nauth = {auth}")).unwrap();
            assert!(file.resolve(1).is_err(), "{auth}");
        }
    }
}
