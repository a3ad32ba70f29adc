//! A site's robots.txt: line ends, comments and a second reading change nothing, rules speak of path and query only,
//! and what decides is a line of the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seine_page::robots::Robots;
use url::Url;

const AGENT: &str = "seine";

fuzz_target!(|data: &[u8]| {
    // The first line is the path that is asked for.
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(0);
    let (path, file) = data.split_at(end);
    let path = String::from_utf8_lossy(path);
    let base = Url::parse("https://example.org/").expect("a URL");
    let url = base.join(&format!("/{}", path.trim_start_matches(['/', '\\']))).unwrap_or(base);

    let robots = Robots::parse(file, AGENT);
    let decision = robots.decide(&url);
    assert_eq!(
        Robots::parse(file, "SEINE/1.0 (+https://example.org)").decide(&url),
        decision,
        "the token alone counts"
    );

    assert_eq!(decision.line.is_some(), decision.rule.is_some());
    if let (Some(line), Some(rule)) = (decision.line, &decision.rule) {
        assert_eq!(rule.starts_with("Allow: "), decision.allowed, "{rule}");
        assert_eq!(!rule.starts_with("Disallow: "), decision.allowed, "{rule}");
        assert!(line >= 1 && line as usize <= file.len() + 1, "line {line}");
    }
    let robots_txt = url.join("/robots.txt").expect("a URL");
    assert!(robots.decide(&robots_txt).allowed, "the file itself may be read always");

    // Another scheme, host, port or fragment is the same path.
    let mut elsewhere = url.clone();
    elsewhere.set_host(Some("elsewhere.example")).expect("a host");
    elsewhere.set_port(Some(8080)).expect("a port");
    elsewhere.set_fragment(Some("f"));
    assert_eq!(robots.decide(&elsewhere), decision);

    // A group for somebody else at the end changes nothing (behind a record that ends the agents of the one before),
    // nor does a comment at the start but for line numbers.
    let other = [file, b"\nnoindex: /x\nuser-agent: otherbot\ndisallow: /\n"].concat();
    assert_eq!(Robots::parse(&other, AGENT).decide(&url), decision);
    let mark = file.starts_with(b"\xEF\xBB\xBF");
    if !mark {
        let commented = [b"# a comment\n", file].concat();
        let mut moved = decision;
        moved.line = moved.line.map(|line| line + 1);
        assert_eq!(Robots::parse(&commented, AGENT).decide(&url), moved);
    }
});
