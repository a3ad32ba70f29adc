//! The addresses that may be connected to: the guard against sites that lead a crawler into its own network.
//!
//! A public address always may. A private one may if the user's own list names its host, a link-local one (where
//! clouds keep their machines' credentials) only if the user opens its network by name. An address that carries an
//! IPv4 address inside is judged by both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use seine_core::values::{Networks, Private};

/// The kinds of address that the guard tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    /// Of a private or special network, by its name.
    Private(&'static str),
    LinkLocal,
}

/// The reason names what such an address is attacked for.
const LINK_LOCAL: &str = "link-local (cloud metadata)";

/// The "bad ports" of the Fetch standard, §2.9.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// Whether `ip` may be connected to for a host that the user's own list names (`listed`) or that a site led to.
///
/// # Errors
/// The kind of an address, in a word or two.
pub fn judge(ip: IpAddr, listed: bool, networks: &Networks) -> Result<(), &'static str> {
    let kind = kind(ip);
    if kind == Kind::Public || networks.allow.iter().any(|network| contains(network.0, ip)) {
        return Ok(());
    }
    match kind {
        Kind::Public => Ok(()),
        Kind::Private(_) if networks.allow_private || listed && networks.private == Private::Listed => Ok(()),
        Kind::Private(name) => Err(name),
        Kind::LinkLocal => Err(LINK_LOCAL),
    }
}

/// Judges as much of `url` as is known without a look-up: an address in place of a host name (the URL standard has
/// turned `0x7f.1` and its like into one already), and names that mean this machine whatever a name server says. Ports
/// of other protocols are never connected to: what a URL says could be a command there.
///
/// # Errors
/// As [`judge`].
pub fn judge_url(url: &Url, listed: bool, networks: &Networks) -> Result<(), &'static str> {
    if url.port().is_some_and(|port| BAD_PORTS.binary_search(&port).is_ok()) {
        return Err("its port belongs to another protocol");
    }
    match url.host() {
        Some(Host::Ipv4(ip)) => judge(ip.into(), listed, networks),
        Some(Host::Ipv6(ip)) => judge(ip.into(), listed, networks),
        Some(Host::Domain(name)) if is_localhost(name) => judge(Ipv4Addr::LOCALHOST.into(), listed, networks)
            .or_else(|reason| judge(Ipv6Addr::LOCALHOST.into(), listed, networks).map_err(|_| reason)),
        Some(Host::Domain(_)) | None => Ok(()),
    }
}

/// `localhost` and all names below it (RFC 6761 §6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

/// An IPv4 network contains its addresses in their IPv6 spelling too.
fn contains(network: ipnet::IpNet, ip: IpAddr) -> bool {
    network.contains(&ip) || network.contains(&ip.to_canonical())
}

fn kind(ip: IpAddr) -> Kind {
    match ip {
        IpAddr::V4(ip) => kind_v4(ip),
        IpAddr::V6(ip) => kind_v6(ip),
    }
}

/// The special networks of IPv4 (RFC 6890 and the registry it founded).
fn kind_v4(ip: Ipv4Addr) -> Kind {
    Kind::Private(match ip.octets() {
        [169, 254, ..] => return Kind::LinkLocal,
        [0, ..] => "unspecified",
        [127, ..] => "loopback",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private",
        [100, 64..=127, ..] => "shared (CGNAT)",
        [192, 0, 0, _] => "reserved (protocol assignments)",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "documentation",
        [192, 88, 99, _] => "reserved (6to4 relay)",
        [198, 18..=19, ..] => "benchmarking",
        [224..=239, ..] => "multicast",
        [255, 255, 255, 255] => "broadcast",
        [240..=255, ..] => "reserved",
        _ => return Kind::Public,
    })
}

/// The special networks of IPv6 (ditto); of those outside 2000::/3 all are special.
fn kind_v6(ip: Ipv6Addr) -> Kind {
    Kind::Private(match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => return carried(ip, Kind::Public),
        // Routable in name only: no router passes the first, and the second is for one network's own use.
        [0, 0, 0, 0, 0, 0, ..] => return carried(ip, Kind::Private("reserved (IPv4-compatible)")),
        [0x64, 0xff9b, 1, ..] => return carried(ip, Kind::Private("private (NAT64)")),
        [0x2002, ..] | [0x2001, 0, ..] => return carried(ip, Kind::Public),
        // The metadata service of a large cloud.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfe80..=0xfebf, ..] => return Kind::LinkLocal,
        [0xfec0..=0xfeff, ..] => "private (site-local)",
        [0xfc00..=0xfdff, ..] => "private",
        [0xff00..=0xffff, ..] => "multicast",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "documentation",
        [0x2001, 2, 0, ..] => "benchmarking",
        [0x2001, 1..=0x1ff, ..] => "reserved (protocol assignments)",
        [0x100, 0, 0, 0, ..] => "reserved (discard)",
        [0x2000..=0x3fff, ..] => return Kind::Public,
        _ => "reserved",
    })
}

/// The kind of an IPv6 address that is `own` by itself and carries an IPv4 address: the worse of the two.
fn carried(ip: Ipv6Addr, own: Kind) -> Kind {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| kind_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    let inner = match s {
        [0x2002, high, low, ..] => v4(high, low),
        // Teredo hides the client's address behind an inversion; its server's address is in the open.
        [0x2001, 0, high, low, ..] => worse(v4(high, low), v4(!s[6], !s[7])),
        // RFC 6052 §2.2 has four places for it behind 48 bits or more; three of them leave out bits 64 to 71.
        [0x64, 0xff9b, 1, ..] => {
            let (s4, s5) = (s[4] & 0xff, s[5] & 0xff);
            let at_48 = v4(s[3], s4 << 8 | s[5] >> 8);
            let at_56 = v4((s[3] & 0xff) << 8 | s4, s[5]);
            let at_64 = v4(s4 << 8 | s[5] >> 8, s5 << 8 | s[6] >> 8);
            [at_48, at_56, at_64].into_iter().fold(v4(s[6], s[7]), worse)
        }
        _ => v4(s[6], s[7]),
    };
    worse(own, inner)
}

fn worse(a: Kind, b: Kind) -> Kind {
    match (a, b) {
        (Kind::LinkLocal, _) | (_, Kind::LinkLocal) => Kind::LinkLocal,
        (Kind::Public, other) => other,
        (special, _) => special,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(allow: &[&str]) -> Networks {
        Networks { allow: allow.iter().map(|network| network.parse().unwrap()).collect(), ..Networks::default() }
    }

    fn reason(ip: &str) -> &'static str {
        let ip = ip.parse().unwrap();
        let strict = judge(ip, false, &networks(&[])).err().unwrap_or("public");
        // A list may name private addresses, but no link-local ones.
        let listed = judge(ip, true, &networks(&[])).err().unwrap_or("public");
        assert_eq!(listed, if strict == LINK_LOCAL { LINK_LOCAL } else { "public" }, "{ip}");
        strict
    }

    #[test]
    fn every_special_network_has_its_name() {
        for (kind, addresses) in [
            (
                "public",
                "1.1.1.1 9.255.255.255 11.0.0.0 126.255.255.255 128.0.0.1 100.63.255.255 100.128.0.0 172.15.255.255 \
                 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 169.253.255.255 \
                 169.255.0.0 223.255.255.255 2606:4700:4700::1111 2a00::1 2000::1 2001:200::1 2001:4860:4860::8888 \
                 ::ffff:1.1.1.1 64:ff9b::1.1.1.1 2002:101:101::1",
            ),
            ("unspecified", "0.0.0.0 0.255.255.255 :: ::ffff:0.0.0.0 64:ff9b::"),
            ("loopback", "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::"),
            (
                "private",
                "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 fc00:: fdff::1 \
                 ::ffff:10.1.2.3 64:ff9b::a00:1 2002:a00:1::1 2002:c0a8:101::1",
            ),
            ("shared (CGNAT)", "100.64.0.0 100.127.255.255 ::ffff:100.64.0.1"),
            ("reserved (protocol assignments)", "192.0.0.1 192.0.0.255 2001:1::1 2001:20::1"),
            ("documentation", "192.0.2.1 198.51.100.255 203.0.113.1 2001:db8::1 3fff::1"),
            ("reserved (6to4 relay)", "192.88.99.1"),
            ("benchmarking", "198.18.0.0 198.19.255.255 2001:2::1"),
            ("multicast", "224.0.0.1 239.255.255.255 ff02::1"),
            ("broadcast", "255.255.255.255 ::ffff:255.255.255.255"),
            ("reserved", "240.0.0.1 255.255.255.254 4000::1 5f00::1 1::1 fe00::1"),
            ("reserved (IPv4-compatible)", "::1.1.1.1 ::7f00:1 ::10.0.0.1 ::2"),
            ("private (NAT64)", "64:ff9b:1::1.1.1.1 64:ff9b:1::a00:1"),
            ("private (site-local)", "fec0::1 feff::1"),
            ("reserved (discard)", "100::1"),
            (
                LINK_LOCAL,
                "169.254.0.0 169.254.169.254 169.254.255.255 fe80::1 febf::1 fd00:ec2::254 ::ffff:169.254.169.254 \
                 ::169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b:1::a9fe:a9fe 64:ff9b:1:a9fe:a9:fe00:: \
                 64:ff9b:1:a9:fe:a9fe:: 64:ff9b:1:0:a9:fea9:fe00:: 2002:a9fe:a9fe::1 2001:0:a9fe:a9fe::",
            ),
        ] {
            for ip in addresses.split_whitespace() {
                assert_eq!(reason(ip), kind, "{ip}");
            }
        }
    }

    #[test]
    fn teredo_hides_no_address() {
        // Server 1.1.1.1, client 192.168.0.1 and 169.254.169.254, inverted as the protocol does.
        assert_eq!(reason("2001:0:101:101::3f57:fffe"), "private");
        assert_eq!(reason("2001:0:101:101::5601:5601"), LINK_LOCAL);
        assert_eq!(reason("2001:0:101:101::fefe:fefe"), "public");
    }

    #[test]
    fn settings_open_and_close_networks() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let private = Networks { allow_private: true, ..Networks::default() };
        assert_eq!(judge(ip("10.0.0.1"), false, &private), Ok(()));
        assert_eq!(judge(ip("169.254.169.254"), true, &private), Err(LINK_LOCAL));
        let deny = Networks { private: Private::Deny, ..Networks::default() };
        assert_eq!(judge(ip("10.0.0.1"), true, &deny), Err("private"));
        assert_eq!(judge(ip("1.1.1.1"), true, &deny), Ok(()));
        let open = networks(&["169.254.0.0/16", "10.1.0.0/16", "fd00::/8"]);
        for allowed in ["169.254.169.254", "10.1.2.3", "::ffff:10.1.2.3", "fd00:ec2::254"] {
            assert_eq!(judge(ip(allowed), false, &open), Ok(()), "{allowed}");
        }
        assert_eq!(judge(ip("10.2.0.0"), false, &open), Err("private"));
    }

    #[test]
    fn ports_of_other_protocols_are_refused_whoever_names_them() {
        assert!(BAD_PORTS.is_sorted());
        for port in 1..=u16::MAX {
            let url = format!("http://1.1.1.1:{port}/").parse().unwrap();
            let judged = judge_url(&url, true, &Networks::default());
            assert_eq!(judged.is_err(), BAD_PORTS.contains(&port), "{port}");
        }
        for (url, is_bad) in [
            ("http://a.test:6667/", true),
            ("https://a.test:25/", true),
            ("http://[2606:4700::1]:22/", true),
            ("http://a.test/", false),
            ("https://a.test:80/", false),
            ("https://a.test:8443/", false),
        ] {
            assert_eq!(judge_url(&url.parse().unwrap(), false, &Networks::default()).is_err(), is_bad, "{url}");
        }
    }

    #[test]
    fn odd_spellings_of_an_address_are_that_address() {
        let judged = |url: &str, allow: &[&str]| judge_url(&url.parse().unwrap(), false, &networks(allow));
        for spelling in [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "017700000001",
            "0x7F.1",
            "127.0.0.1.",
            "%31%32%37.0.0.1",
            "１２７.0.0.1",
            "127。0。0。1",
            "127.000.000.001",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "user@127.0.0.1",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "a.b.LocalHost.",
            "%6cocalhost",
            "ⓛocalhost",
        ] {
            assert_eq!(judged(&format!("http://{spelling}:8080/x"), &[]), Err("loopback"), "{spelling}");
        }
        for spelling in ["169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "[::ffff:a9fe:a9fe]"] {
            assert_eq!(judged(&format!("http://{spelling}/"), &[]), Err(LINK_LOCAL), "{spelling}");
        }
        for (spelling, kind) in [("0", "unspecified"), ("0.0.0.0", "unspecified"), ("10.1", "private")] {
            assert_eq!(judged(&format!("http://{spelling}/"), &[]), Err(kind), "{spelling}");
        }
        for public in ["example.org", "1.1.1.1", "notlocalhost", "localhost.example.org", "[2606:4700::1]", "16843009"]
        {
            assert_eq!(judged(&format!("http://{public}/"), &[]), Ok(()), "{public}");
        }
        for network in ["127.0.0.0/8", "::1"] {
            assert_eq!(judged("http://localhost/", &[network]), Ok(()), "{network}");
        }
    }
}
