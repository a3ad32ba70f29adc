//! Values as people write them: durations, sizes, headers, rates, proxies, networks.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Url;

/// A span of time as people write it: `500ms`, `2s`, `1h 30m`; a number without a unit is seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.parse() {
            Ok(seconds) => Self::of_seconds(seconds),
            Err(_) => humantime::parse_duration(text)
                .map(Self)
                .map_err(|error| format!("not a duration: {error}; write 500ms, 2s or 1h 30m")),
        }
    }
}

impl Span {
    fn of_seconds(seconds: f64) -> Result<Self, String> {
        Duration::try_from_secs_f64(seconds)
            .map(Self)
            .map_err(|_| format!("not a duration: {seconds} seconds; write 500ms, 2s or 1h 30m"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a duration, \"2s\", \"500ms\" or a number of seconds")]
        enum Written {
            Seconds(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Seconds(seconds) => Self::of_seconds(seconds),
            Written::Text(text) => text.parse(),
        }
        .map_err(serde::de::Error::custom)
    }
}

/// A size as people write it: `512KiB`, `10 MB`; a number without a unit is bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Serialize)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ByteSize(self.0).fmt(f)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size = text.parse::<ByteSize>().map_err(|_| format!("not a size: {text:?}; write 10MiB or 512KiB"))?;
        Ok(Self(size.as_u64()))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a size, \"10MiB\" or a number of bytes")]
        enum Written {
            Bytes(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// A request header, `Name: value`.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value; may be a secret, so it is never shown.
    pub value: String,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ***", self.name)
    }
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("a header is written Name: value")?;
        let (name, value) = (name.trim(), value.trim());
        if !is_token(name) {
            return Err(format!("{name:?} is no header name"));
        }
        if value.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
            return Err(format!("the value of {name} has control characters"));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// Whether `text` is a token (RFC 9110 §5.6.2): a header name, a method, half a media type.
pub fn is_token(text: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_char)
}

/// Requests per time, `50/s`, `600/m` or `1000/h`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests ...
    pub requests: f64,
    /// ... in this time.
    pub per: Duration,
}

impl Rate {
    /// Gap between two requests.
    pub fn gap(&self) -> Duration {
        self.per.div_f64(self.requests)
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("not a rate: {text:?}; write 50/s, 600/m or 1000/h");
        let (requests, per) = text.trim().split_once('/').ok_or_else(problem)?;
        let per = match per.trim() {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(problem()),
        };
        let requests: f64 = requests.trim().parse().map_err(|_| problem())?;
        // Between a million a second and one a day, so that the gap is a plain number of nanoseconds.
        let per_second = requests / per.as_secs_f64();
        if !(1.0 / 86_400.0..=1e6).contains(&per_second) {
            return Err(format!("{text:?} is not from one a day to a million a second"));
        }
        Ok(Self { requests, per })
    }
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let per = match self.per.as_secs() {
            1 => "s",
            60 => "m",
            _ => "h",
        };
        serializer.collect_str(&format_args!("{}/{per}", self.requests))
    }
}

/// A part of a whole, `20%` or `0.2`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
pub struct Share(
    /// From 0 to 1.
    pub f64,
);

impl Share {
    fn new(share: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(format!("{share} is no share of a whole; write 20% or 0.2"))
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("not a share: {text:?}; write 20% or 0.2");
        let parsed = |number: &str| number.trim().parse::<f64>().map_err(|_| problem());
        match text.trim().strip_suffix('%') {
            Some(percent) => Self::new(parsed(percent)? / 100.0),
            None => Self::new(parsed(text)?),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two digits at most, and none that says nothing.
        write!(f, "{} %", (self.0 * 10_000.0).round() / 100.0)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a share of a whole, \"20%\" or 0.2")]
        enum Written {
            Number(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(share) => Self::new(share),
            Written::Text(text) => text.parse(),
        }
        .map_err(serde::de::Error::custom)
    }
}

/// A proxy; its URL may hold a password, so only scheme, host and port are ever shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// The whole of it, password included.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for ProxyUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The text may hold a password, so no message repeats it.
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&with_scheme).map_err(|error| format!("not the URL of a proxy: {error}"))?;
        if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
            return Err(format!("no kind of proxy is called {:?}; http, https, socks5 and socks5h are", url.scheme()));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("the URL of a proxy needs a host".to_owned());
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ProxyUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where to post: path and query may be a secret, so only scheme, host and port are ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct HookUrl(Url);

impl HookUrl {
    /// The whole of it.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for HookUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("not the URL of a webhook: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("the URL of a webhook begins with https:// or http://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("user and password of a webhook belong to [[host]] auth, not to its URL".to_owned());
        }
        Ok(Self(url))
    }
}

impl fmt::Display for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A program and its arguments: one text, cut into words as a shell cuts it, or the words themselves.
#[derive(Clone, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl FromStr for Words {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::new(shell_words::split(text).map_err(|error| format!("cannot be cut into words: {error}"))?)
    }
}

impl Words {
    fn new(words: Vec<String>) -> Result<Self, String> {
        if words.first().is_none_or(String::is_empty) {
            return Err("a command begins with the name of a program".to_owned());
        }
        Ok(Self(words))
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments may hold secrets.
        write!(f, "{:?} and {} arguments", self.0.first(), self.0.len().saturating_sub(1))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a command, as a text or as a list of its words")]
        enum Written {
            Text(String),
            Words(Vec<String>),
        }
        match Written::deserialize(deserializer)? {
            Written::Text(text) => text.parse(),
            Written::Words(words) => Self::new(words),
        }
        .map_err(serde::de::Error::custom)
    }
}

/// An address given by hand, `host:port:address` as curl has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// Lower-case.
    pub host: String,
    /// Of the requests it is for.
    pub port: u16,
    /// What to connect to.
    pub address: IpAddr,
}

impl FromStr for Resolve {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("{text:?} is not host:port:address, such as example.com:443:192.0.2.1");
        let mut parts = text.splitn(3, ':');
        let (Some(host), Some(port), Some(address)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(problem());
        };
        let address = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
        let (port, address) = (port.parse().map_err(|_| problem())?, address.parse().map_err(|_| problem())?);
        if host.is_empty() {
            return Err(problem());
        }
        Ok(Self { host: host.to_ascii_lowercase(), port, address })
    }
}

impl Serialize for Resolve {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}:{}:{}", self.host, self.port, self.address))
    }
}

/// The versions of HTTP that a host is asked in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpChoice {
    /// HTTP/2 where it is offered, and HTTP/1.1 where that fails.
    #[default]
    Auto,
    /// HTTP/1.1 alone.
    One,
    /// HTTP/2 alone, without TLS too.
    Two,
}

impl fmt::Display for HttpChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::One => "1.1",
            Self::Two => "2",
        })
    }
}

impl FromStr for HttpChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "1.1" => Ok(Self::One),
            "2" => Ok(Self::Two),
            _ => Err(format!("{text:?} is no choice of HTTP; write \"auto\", \"1.1\" or \"2\"")),
        }
    }
}

impl Serialize for HttpChoice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What addresses may be connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Networks {
    /// Always, whoever names them; the only way to link-local addresses.
    #[serde(default)]
    pub allow: Vec<Network>,
    /// Private addresses of hosts that a list names.
    #[serde(default)]
    pub private: Private,
    /// `--allow-private`: private addresses, whoever names them.
    #[serde(skip_deserializing)]
    pub allow_private: bool,
}

/// A network, `10.0.0.0/8`; a single address is one too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Self).map_err(|_| format!("{text:?} is no network; write 10.0.0.0/8 or fd00::/8"))
    }
}

impl Serialize for Network {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What private addresses mean when a list names their host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Private {
    /// They may be connected to: the list is the user's own.
    #[default]
    Listed,
    /// They may not: the list comes from strangers.
    Deny,
}

macro_rules! deserialize_from_text {
    ($type:ty) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
deserialize_from_text!(Header);
deserialize_from_text!(Rate);
deserialize_from_text!(ProxyUrl);
deserialize_from_text!(HookUrl);
deserialize_from_text!(Resolve);
deserialize_from_text!(Network);
deserialize_from_text!(HttpChoice);

/// The text of a config file, for its rules. It may hold secrets beside them, so it is never written down.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RulesText(Arc<str>);

impl From<String> for RulesText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl std::ops::Deref for RulesText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RulesText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_gaps() {
        assert_eq!("50/s".parse::<Rate>().unwrap().gap(), Duration::from_millis(20));
        assert_eq!("120/m".parse::<Rate>().unwrap().gap(), Duration::from_millis(500));
        for odd in ["50", "x/s", "0/s", "-1/s", "nan/s", "inf/s", "1e300/s", "5/d"] {
            assert!(odd.parse::<Rate>().is_err(), "{odd}");
        }
    }

    #[test]
    fn shares_are_percents_or_parts_of_one() {
        for (text, share) in [("20%", 0.2), ("0.2", 0.2), (" 12.5 % ", 0.125), ("0", 0.0), ("1", 1.0), ("100%", 1.0)] {
            assert_eq!(text.parse(), Ok(Share(share)), "{text}");
        }
        for odd in ["20", "-1%", "101%", "nan", "inf", "", "%", "a fifth"] {
            assert!(odd.parse::<Share>().unwrap_err().contains("20%"), "{odd}");
        }
        assert_eq!([0.2, 0.125, 1.0 / 3.0].map(|share| Share(share).to_string()), ["20 %", "12.5 %", "33.33 %"]);
        #[derive(Deserialize)]
        struct File {
            share: Share,
        }
        for text in ["share = 0.2", "share = '20%'"] {
            assert_eq!(toml::from_str::<File>(text).unwrap().share, Share(0.2));
        }
        assert!(toml::from_str::<File>("share = 20").is_err() && toml::from_str::<File>("share = true").is_err());
    }

    #[test]
    fn a_proxy_never_shows_its_password() {
        let proxy: ProxyUrl = "socks5h://user:swordfish@proxy.test:1080".parse().unwrap();
        assert_eq!((proxy.to_string(), format!("{proxy:?}")), {
            let shown = "socks5h://proxy.test:1080".to_owned();
            (shown.clone(), shown)
        });
        assert!(!serde_json::to_string(&proxy).unwrap().contains("swordfish"));
        assert_eq!("proxy.test:3128".parse::<ProxyUrl>().unwrap().to_string(), "http://proxy.test:3128");
        let error = "ftp://user:swordfish@proxy.test".parse::<ProxyUrl>().unwrap_err();
        assert!(!error.contains("swordfish"), "{error}");
    }

    #[test]
    fn a_webhook_never_shows_more_than_its_host() {
        let hook: HookUrl = "https://hooks.test:8443/services/swordfish?k=swordfish".parse().unwrap();
        assert_eq!((hook.to_string(), format!("{hook:?}")), {
            let shown = "https://hooks.test:8443".to_owned();
            (shown.clone(), shown)
        });
        for odd in ["ftp://hooks.test/swordfish", "https://swordfish:x@hooks.test/", "swordfish"] {
            assert!(!odd.parse::<HookUrl>().unwrap_err().contains("swordfish"), "{odd}");
        }
    }

    #[test]
    fn a_command_is_cut_into_words_as_a_shell_does() {
        let words: Words = r#"tell --to 'the boss' "a $HOME""#.parse().unwrap();
        assert_eq!(words.0, ["tell", "--to", "the boss", "a $HOME"]);
        assert!(!format!("{words:?}").contains("boss"));
        for odd in ["", "  ", "''", "tell 'me"] {
            assert!(odd.parse::<Words>().is_err(), "{odd}");
        }
    }

    #[test]
    fn addresses_are_given_by_hand_as_in_curl() {
        let v6: Resolve = "Example.COM:443:[2001:db8::1]".parse().unwrap();
        assert_eq!((v6.host.as_str(), v6.port, v6.address.to_string()), ("example.com", 443, "2001:db8::1".into()));
        for odd in ["example.com:443", "example.com:x:1.2.3.4", ":1:1.2.3.4", "a:1:not-an-address"] {
            assert!(odd.parse::<Resolve>().is_err(), "{odd}");
        }
    }

    #[test]
    fn a_single_address_is_a_network() {
        assert_eq!("10.1.2.3".parse::<Network>().unwrap().0.to_string(), "10.1.2.3/32");
        assert!("10.0.0.0/33".parse::<Network>().is_err());
    }
}
