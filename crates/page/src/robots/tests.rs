//! The RFC's examples, what other parsers agree on, and hostile files.

use super::lines::{lines, record, seconds};
use super::*;

/// The URL of a path of the site.
fn url(path: &str) -> Url {
    Url::parse(&format!("https://site.example{path}")).unwrap()
}

fn decide(file: &str, agent: &str, path: &str) -> Decision {
    Robots::parse(file.as_bytes(), agent).decide(&url(path))
}

/// Checks what `file` says to `agent`: which paths are allowed, which are not.
fn check(file: &str, agent: &str, allowed: &[&str], disallowed: &[&str]) {
    let robots = Robots::parse(file.as_bytes(), agent);
    for (paths, expected) in [(allowed, true), (disallowed, false)] {
        for path in paths {
            let decision = robots.decide(&url(path));
            assert_eq!(decision.allowed, expected, "{path} for {agent} by {decision:?} in\n{file}");
        }
    }
}

/// Checks which paths one pattern matches.
fn check_pattern(pattern: &str, matching: &[&str], other: &[&str]) {
    check(&format!("User-agent: *\nDisallow: {pattern}\n"), "seine", other, matching);
}

fn group(rules: &str) -> String {
    format!("User-agent: *\n{rules}\n")
}

#[test]
fn groups_of_the_rfc() {
    let file = "User-Agent: *\nDisallow: *.gif$\nDisallow: /example/\nAllow: /publications/\n\n\
                User-Agent: foobot\nDisallow:/\nAllow:/example/page.html\nAllow:/example/allowed.gif\n\n\
                User-Agent: barbot\nUser-Agent: bazbot\nDisallow: /example/page.html\n\n\
                User-Agent: quxbot\n\nEOF\n";
    check(file, "seine", &["/", "/publications/", "/a.gif?x"], &["/a.gif", "/example/", "/example/page.html"]);
    check(file, "foobot", &["/example/page.html", "/example/allowed.gif"], &["/", "/publications/", "/a.gif"]);
    check(file, "barbot", &["/", "/a.gif", "/example/"], &["/example/page.html"]);
    check(file, "bazbot", &["/", "/a.gif", "/example/"], &["/example/page.html"]);
    check(file, "quxbot", &["/", "/a.gif", "/example/page.html"], &[]);
}

#[test]
fn the_longest_match_of_the_rfc() {
    let file = "User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n";
    check(file, "foobot", &["/", "/example/page/", "/example/page/x.gif"], &["/example/page/disallowed.gif"]);
}

#[test]
fn groups_of_the_same_agent_are_one() {
    let file = "user-agent: ExampleBot\ndisallow: /foo\ndisallow: /bar\n\nuser-agent: other\ndisallow: /other\n\n\
                user-agent: examplebot\ndisallow: /baz\n";
    check(file, "ExampleBot", &["/", "/other"], &["/foo", "/bar", "/baz"]);
    let file = "user-agent: *\ndisallow: /a\nuser-agent: b\ndisallow: /b\nuser-agent: *\ndisallow: /c\n";
    check(file, "seine", &["/b"], &["/a", "/c"]);
}

#[test]
fn encodings_of_the_rfc() {
    check_pattern("/foo/bar?baz=quz", &["/foo/bar?baz=quz"], &["/foo/bar?baz=qu"]);
    for pattern in ["/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"] {
        let matching = [
            "/foo/bar?baz=https://foo.bar",
            "/foo/bar?baz=https%3A%2F%2Ffoo.bar",
            "/foo/bar?baz=https%3a%2f%2ffoo.bar",
        ];
        check_pattern(pattern, &matching, &["/foo/bar?baz=https"]);
    }
    for pattern in ["/foo/bar/\u{30C4}", "/foo/bar/%E3%83%84", "/foo/bar/%e3%83%84"] {
        check_pattern(pattern, &["/foo/bar/\u{30C4}", "/foo/bar/%E3%83%84", "/foo/bar/%e3%83%84x"], &["/foo/bar/%E3"]);
    }
    for pattern in ["/foo/bar/%62%61%7A", "/foo/bar/baz"] {
        check_pattern(pattern, &["/foo/bar/baz", "/foo/bar/%62%61%7A", "/foo/bar/%62a%7a"], &["/foo/bar/BAZ"]);
    }
}

#[test]
fn special_characters_of_the_rfc() {
    check_pattern("/path/file-with-a-%2A.html", &["/path/file-with-a-*.html"], &["/path/file-with-a-b.html"]);
    check_pattern("/path/foo-%24", &["/path/foo-$", "/path/foo-$x", "/path/foo-%24"], &["/path/foo-"]);
    check_pattern("/this/is/a*/b$", &["/this/is/a/b", "/this/is/ax/y/b"], &["/this/is/a/b/", "/this/is/a"]);
}

#[test]
fn delimiters_differ_from_their_encoding() {
    check_pattern("/a/b", &["/a/b"], &["/a%2Fb", "/a%2fb"]);
    check_pattern("/a%2fb", &["/a%2Fb", "/a%2fb"], &["/a/b"]);
    check_pattern("/a?b", &["/a?b"], &["/a%3Fb"]);
    check_pattern("/a%3Fb", &["/a%3fb"], &["/a?b"]);
    check_pattern("/?a=b%26c", &["/?a=b%26c"], &["/?a=b&c"]);
    check_pattern("/?a=b+c", &["/?a=b+c"], &["/?a=b%2Bc", "/?a=b%20c"]);
    check_pattern("/a%23b", &["/a%23b"], &["/a#b"]);
    check_pattern("/100%25", &["/100%25"], &["/100%"]);
}

#[test]
fn other_characters_equal_their_encoding() {
    for (plain, encoded) in
        [("/a:b", "/a%3Ab"), ("/a(b)", "/a%28b%29"), ("/~joe/", "/%7ejoe/"), ("/a<d", "/a%3cd"), ("/a b", "/a%20b")]
    {
        check_pattern(plain, &[plain, encoded], &["/a", "/~"]);
        check_pattern(encoded, &[plain, encoded], &["/a", "/~"]);
    }
    // What the URL parser encodes in a query only.
    check_pattern("/?q='x'", &["/?q='x'", "/?q=%27x%27"], &["/?q=x"]);
    // One character of the form, not the letters of its encoding.
    check_pattern("/*28", &["/a28", "/28"], &["/a(b)", "/a%28b"]);
}

#[test]
fn half_an_encoding_is_no_encoding() {
    check_pattern("/100%", &["/100%", "/100%x", "/100%zz"], &["/100"]);
    check_pattern("/a%2", &["/a%2", "/a%2F"], &["/a%41"]);
}

#[test]
fn wildcards_match_any_sequence() {
    check_pattern(
        "/fish*",
        &["/fish", "/fish.html", "/fish/x", "/fishheads?id=1"],
        &["/Fish.asp", "/catfish", "/?id=fish"],
    );
    check_pattern(
        "/*.php",
        &["/f.php", "/d/f.php?x", "//d/any.php.file.html", "/f.php/", "/i?f=n.php/"],
        &["/php/", "/x.PHP"],
    );
    check_pattern("/*.php/", &["/i?f=n.php/", "/i?f=n.php%2F"], &["/i.php"]);
    check_pattern("/*.php$", &["/f.php", "/d/f.php"], &["/f.php?x", "/f.php/", "/f.php5", "/php/", "/f?php"]);
    check_pattern("/fish*.php", &["/fish.php", "/fishheads/catfish.php?x"], &["/Fish.PHP", "/fish.ph"]);
    check_pattern("/foo/*/qux", &["/foo/x/qux", "/foo//qux", "/foo/x/y/quxx"], &["/foo/qux", "/foo/x/quz"]);
    check_pattern("/d/*/end$", &["/d/x/end", "/d/x/y/end", "/d/end/end"], &["/d/end", "/d/x/endless"]);
    check_pattern(
        "/foo*/*bar.html",
        &["/foo/bar.html", "/food/rebar.html", "/foo/a/b/rebar.html"],
        &["/food/rebarf.html"],
    );
    check_pattern("*m", &["/foom", "/moo", "/foo.html"], &["/foo", "/foo/bar.txt"]);
    check_pattern("*", &["/", "/x"], &[]);
    check_pattern("/*", &["/", "/x"], &[]);
    check_pattern("/x*$", &["/x", "/xy"], &["/y"]);
    check_pattern("*****/****.js", &["/x/foo.js", "/foo.js?v"], &["/foo.j"]);
    check_pattern("/*s=", &["/?s=x", "/x?as="], &["/", "/s/"]);
    check_pattern("//folder/*", &["//folder/page", "//folder/"], &["/folder/page", "//folder"]);
    check_pattern("/x*x/abc", &["/xyx/abc", "/x*x/abc", "/xx/abcd"], &["/x/abc"]);
}

#[test]
fn a_dollar_sign_is_an_anchor_only_at_the_end() {
    check_pattern("/foo/bar$", &["/foo/bar"], &["/foo/bar/", "/foo/bar/qux", "/foo/bar?"]);
    check_pattern("/x$/abc", &["/x$/abcdef", "/x%24/abcdef"], &["/x", "/x/abc"]);
    check_pattern("/x*x$/abc", &["/xabcx$/abcdef"], &["/xabcx"]);
    check_pattern("/x$$", &["/x$", "/x%24"], &["/x", "/x$y"]);
    check_pattern("/y*y/abc$", &["/yabcy/abc"], &["/yabcy/abcdef"]);
}

#[test]
fn paths_are_prefixes_and_case_sensitive() {
    check_pattern("/x/", &["/x/", "/x/y"], &["/X/y", "/x", "/a/x/"]);
    check_pattern("/X/", &["/X/y"], &["/x/y"]);
    check_pattern("/tmp", &["/tmp", "/tmp.html", "/tmp/a"], &["/tm", "/a/tmp"]);
    check_pattern("/foo.html", &["/foo.html", "/foo.htmlx"], &["/foo.htm", "/foo.shtml"]);
    check_pattern("/?", &["/?", "/?query"], &["/"]);
    check_pattern("/;", &["/;params"], &["/"]);
    check_pattern("/path;params?query", &["/path;params?query#fragment"], &["/path;params"]);
}

#[test]
fn a_pattern_without_a_slash_gets_one() {
    check_pattern("private", &["/private", "/private/x"], &["/", "/x/private"]);
    check_pattern("?s=", &["/?s=1"], &["/x?s=1"]);
    check_pattern("http://other.example/", &["/http://other.example/"], &["/"]);
    let decision = decide(&group("Disallow: private"), "seine", "/private");
    assert_eq!(decision.rule.as_deref(), Some("Disallow: private"));
}

#[test]
fn the_most_octets_win_and_allow_wins_ties() {
    for (rules, allowed, disallowed) in [
        ("Disallow: /x/page.html\nAllow: /x/", &["/x/", "/x/y"][..], &["/x/page.html"][..]),
        ("Allow: /x/page.html\nDisallow: /x/", &["/x/page.html"], &["/x/"]),
        ("Disallow: /\nAllow: /", &["/", "/x"], &[]),
        ("Disallow: \nAllow: ", &["/", "/x"], &[]),
        ("Disallow: /x\nAllow: /x/", &["/x/"], &["/x", "/xy"]),
        ("Disallow: /folder\nAllow: /folder", &["/folder/page"], &[]),
        ("Allow: /page\nDisallow: /*.html", &["/page"], &["/page.html"]),
        ("Allow: /x/page.\nDisallow: /*.html", &["/x/page.html"], &["/x/y.html"]),
        ("Allow: /$\nDisallow: /", &["/"], &["/page.html"]),
        ("Allow: */p\nDisallow: /", &["/page", "/x/page"], &["/x"]),
        ("Allow: /page\nDisallow: */*.htm", &["/page"], &["/page.htm"]),
        // In octets as compared: three bytes of UTF-8 are nine.
        ("Allow: /\u{30C4}*\nDisallow: /*%E3x", &["/\u{30C4}?%E3x"], &["/%E3x"]),
    ] {
        check(&group(rules), "seine", allowed, disallowed);
    }
}

#[test]
fn an_agent_is_matched_by_its_product_token() {
    for line in ["seine", "SEINE", "seine/1.0", "seine foo", "Seine*", "seine # us", "  seine\t", "seine2"] {
        let file = format!("User-agent: {line}\nDisallow: /x\n\nUser-agent: *\nDisallow: /y\n");
        check(&file, "seine", &["/y"], &["/x"]);
    }
    for line in ["sein", "seine-images", "seiner", "s*", "", "x seine"] {
        let file = format!("User-agent: {line}\nDisallow: /x\n\nUser-agent: *\nDisallow: /y\n");
        check(&file, "seine", &["/x"], &["/y"]);
    }
    for (user_agent, token) in [
        ("seine", "seine"),
        ("seine/0.1 (+https://site.example/bot)", "seine"),
        (" My_Bot-x 1", "My_Bot-x"),
        ("bot\u{e9}", "bot"),
        ("80legs", ""),
        ("\u{30C4}", ""),
        ("*", ""),
        ("", ""),
    ] {
        assert_eq!(product_token(user_agent), token, "{user_agent}");
    }
    check("User-agent: seine\nDisallow: /\n", "Seine/0.1 (+https://site.example/bot)", &[], &["/"]);
}

#[test]
fn groups_for_all_count_only_without_one_of_the_agent() {
    for star in ["*", "* ", "* # all", "* all"] {
        let all = format!("User-agent: {star}\nDisallow: /all\nCrawl-delay: 9\n");
        let ours = "User-agent: seine\nDisallow: /ours\n";
        check(&all, "seine", &["/ours"], &["/all"]);
        check(&format!("{all}{ours}"), "seine", &["/all"], &["/ours"]);
        check(&format!("{ours}{all}"), "seine", &["/all"], &["/ours"]);
        assert_eq!(Robots::parse(format!("{all}{ours}").as_bytes(), "seine").crawl_delay(), None);
    }
    check("User-agent: *bot\nDisallow: /\n", "seine", &["/"], &[]);
    // One group for both is one for the agent.
    check("User-agent: *\nUser-agent: seine\nDisallow: /x\n\nUser-agent: *\nDisallow: /y\n", "seine", &["/y"], &["/x"]);
    // An agent without a name is anybody.
    check("User-agent: 80\nDisallow: /x\n\nUser-agent: *\nDisallow: /y\n", "80legs", &["/x"], &["/y"]);
}

#[test]
fn an_empty_group_allows_all_and_hides_the_one_for_all() {
    for ours in ["User-agent: seine\n", "User-agent: seine\nDisallow:\n", "User-agent: seine\nAllow:\n"] {
        check(&format!("User-agent: *\nDisallow: /\n\n{ours}"), "seine", &["/", "/x"], &[]);
    }
    check("User-agent: other\nDisallow: /\nUser-agent: seine", "seine", &["/"], &[]);
}

#[test]
fn a_group_may_have_several_agents() {
    let file = "User-agent: one # first\n\n# between\nUser-agent: two\nDisallow: /x\nUser-agent: *\nDisallow: /y\n";
    for agent in ["one", "two"] {
        check(file, agent, &["/y"], &["/x"]);
    }
    check(file, "three", &["/x"], &["/y"]);
}

#[test]
fn rules_before_any_group_are_ignored() {
    let file = "Disallow: /\nCrawl-delay: 5.2\nUser-agent: seine\nDisallow: /x\n";
    check(file, "seine", &["/"], &["/x"]);
    check(file, "other", &["/", "/x"], &[]);
    assert_eq!(Robots::parse(file.as_bytes(), "seine").crawl_delay(), None);
}

#[test]
fn other_records_do_not_interfere_with_groups() {
    for other in ["Sitemap: https://site.example/s.xml", "Harry: Potter", "Harry Potter", "", "#"] {
        let file =
            format!("User-agent: one\n{other}\nUser-agent: seine\n{other}\nDisallow: /x\n{other}\nAllow: /x/y\n");
        check(&file, "seine", &["/", "/x/y"], &["/x"]);
        check(&file, "one", &["/", "/x/y"], &["/x"]);
    }
}

#[test]
fn only_rules_end_the_agents_of_a_group() {
    for other in [
        "Crawl-delay: 10",
        "crawl-delay: soon",
        "Request-rate: 1/5",
        "Visit-time: 0200-0630",
        "Noindex: /x",
        "Host: site.example",
        "Clean-param: a",
    ] {
        let file =
            format!("User-agent: one\n{other}\n\nUser-agent: seine\n{other}\nDisallow: /x\n{other}\nAllow: /y\n");
        for agent in ["one", "seine"] {
            check(&file, agent, &["/", "/y"], &["/x"]);
        }
        check(&file, "other", &["/", "/x"], &[]);
    }
}

#[test]
fn a_crawl_delay_is_for_the_agents_named_above_it() {
    let file = "User-agent: one\nUser-agent: two\nCrawl-delay: 2\nUser-agent: three\nCrawl-delay: 3\nDisallow: /x\n\
                User-agent: four\nDisallow: /\nCrawl-delay: 4\n";
    for (agent, seconds, allowed, denied) in [
        ("one", Some(2), "/y", "/x"),
        ("two", Some(2), "/y", "/x"),
        ("three", Some(3), "/y", "/x"),
        ("four", Some(4), "/robots.txt", "/y"),
    ] {
        check(file, agent, &[allowed], &[denied]);
        assert_eq!(Robots::parse(file.as_bytes(), agent).crawl_delay(), seconds.map(Duration::from_secs), "{agent}");
    }
}

#[test]
fn names_are_read_in_any_case_and_frequent_spelling() {
    for name in ["User-agent", "USER-AGENT", "uSeR-aGeNt", "Useragent", "User agent", "  user-agent  "] {
        check(&format!("{name}: seine\nDisallow: /\n"), "seine", &[], &["/"]);
    }
    for name in ["disallow", "DISALLOW", "Dissallow", "Dissalow", "Disalow", "Diasllow", "Disallaw", "\tDisallow "] {
        let decision = decide(&group(&format!("{name}: /x")), "seine", "/x");
        assert_eq!(decision.rule.as_deref(), Some("Disallow: /x"), "{name}");
    }
    for name in ["disallows", "dis-allow", "no", "", "\u{feff}disallow"] {
        check(&group(&format!("{name}: /x")), "seine", &["/x"], &[]);
    }
    check(&group("Disallow: /\nALLOW: /x"), "seine", &["/x"], &["/"]);
}

#[test]
fn a_missing_colon_is_understood_between_two_words() {
    check("user-agent seine\ndisallow \t /x\n", "seine", &["/"], &["/x"]);
    check(&group("disallow /x y"), "seine", &["/x"], &[]);
    check(&group("disallow"), "seine", &["/"], &[]);
    check(&group("<html><body>disallow / </body>"), "seine", &["/"], &[]);
}

#[test]
fn comments_and_white_space_are_cut_off() {
    check(&group("# Disallow: /\n  Disallow  :  /x#y  \nAllow: /x/z # why"), "seine", &["/", "/x/z"], &["/x", "/xy"]);
    check(&group("Disallow:/a\nDisallow:\t/b\t\nDisallow: #/c"), "seine", &["/", "/c"], &["/a", "/b"]);
    assert_eq!(decide(&group("Disallow: /x  # y"), "seine", "/x").rule.as_deref(), Some("Disallow: /x"));
}

#[test]
fn lines_end_with_cr_lf_or_both() {
    for end in ["\n", "\r", "\r\n"] {
        let file = ["User-agent: one", "Allow: /x", "User-agent: seine", "", "", "Disallow: /"].join(end);
        for file in [file.clone(), format!("{file}{end}")] {
            assert_eq!(lines(file.as_bytes()).count(), 6, "{file:?}");
            let decision = decide(&file, "seine", "/x");
            assert_eq!(decision, Decision { allowed: false, rule: Some("Disallow: /".into()), line: Some(6) });
        }
    }
    let mixed = "User-agent: one\nAllow: /x\r\nUser-agent: seine\n\r\n\nDisallow: /";
    assert_eq!(decide(mixed, "seine", "/").line, Some(6));
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    check("\u{feff}User-agent: seine\nDisallow: /x\n", "seine", &["/"], &["/x"]);
    // Elsewhere it spoils the line.
    check("User-agent: seine\n\u{feff}Disallow: /x\n", "seine", &["/x"], &[]);
}

#[test]
fn a_decision_names_the_rule_and_its_line() {
    let file = "# site\nuser-agent: *\n\ndisallow: /a*\u{30C4}$\nallow: /b\nDISALLOW: /b\nallow: /b\n";
    let robots = Robots::parse(file.as_bytes(), "seine");
    let decided = |path| {
        let Decision { allowed, rule, line } = robots.decide(&url(path));
        (allowed, rule, line)
    };
    assert_eq!(decided("/ax%e3%83%84"), (false, Some("Disallow: /a*\u{30C4}$".into()), Some(4)));
    assert_eq!(decided("/b"), (true, Some("Allow: /b".into()), Some(5)));
    assert_eq!(decided("/c"), (true, None, None));
}

#[test]
fn the_file_itself_is_always_allowed() {
    check(
        &group("Disallow: /\nDisallow: /robots.txt"),
        "seine",
        &["/robots.txt"],
        &["/", "/robots.txt.gz", "/a/robots.txt"],
    );
}

#[test]
fn no_file_and_an_empty_one_allow_all() {
    assert!(Robots::default().decide(&url("/x")).allowed);
    for file in ["", "\n", "\u{feff}", "EOF", "User-agent", ":", "User-agent:", "User-agent: *"] {
        check(file, "seine", &["/", "/x?y"], &[]);
        assert!(Robots::parse(file.as_bytes(), "seine").sitemaps().is_empty());
    }
}

#[test]
fn urls_without_a_path_are_read_as_the_root() {
    let robots = Robots::parse(group("Disallow: /$").as_bytes(), "seine");
    assert!(!robots.decide(&Url::parse("https://site.example").unwrap()).allowed);
    let robots = Robots::parse(group("Disallow: /x").as_bytes(), "seine");
    assert!(!robots.decide(&Url::parse("mailto:x@site.example").unwrap()).allowed);
}

#[test]
fn crawl_delays_are_numbers_of_seconds() {
    for (value, expected) in [
        ("10", Some(10.0)),
        ("1.5", Some(1.5)),
        (".5", Some(0.5)),
        ("3.", Some(3.0)),
        ("0", Some(0.0)),
        ("10 # comment", Some(10.0)),
        ("10 seconds", Some(10.0)),
        ("86400000", Some(86_400_000.0)),
        ("", None),
        (".", None),
        ("abc", None),
        ("-1", None),
        ("+1", None),
        ("1,5", None),
        ("1.2.3", None),
        ("1e3", None),
        ("10s", None),
        ("inf", None),
        ("nan", None),
        (&"9".repeat(400), None),
        ("\u{664}", None),
    ] {
        let robots = Robots::parse(group(&format!("Crawl-delay: {value}")).as_bytes(), "seine");
        assert_eq!(robots.crawl_delay(), expected.map(Duration::from_secs_f64), "{value}");
    }
    assert_eq!(seconds(b"\xFF"), None);
}

#[test]
fn the_longest_crawl_delay_of_the_groups_counts() {
    let file = "User-agent: *\nCrawl-delay: 99\nUser-agent: seine\nCrawl-delay: 2\nCrawl-delay: x\n\
                User-agent: seine\nCrawl-delay: 3\nUser-agent: seine\nCrawl-delay: 1\n";
    assert_eq!(Robots::parse(file.as_bytes(), "seine").crawl_delay(), Some(Duration::from_secs(3)));
    assert_eq!(Robots::parse(file.as_bytes(), "other").crawl_delay(), Some(Duration::from_secs(99)));
}

#[test]
fn sitemaps_are_those_of_the_whole_file() {
    let file = "Sitemap: https://site.example/1.xml \nUser-agent: other\nDisallow: /\n\
                sitemap:/2.xml# x\nSite-map: 3\nSitemap:\n";
    assert_eq!(Robots::parse(file.as_bytes(), "seine").sitemaps(), ["https://site.example/1.xml", "/2.xml", "3"]);
    let many = "Sitemap: x\n".repeat(MAX_SITEMAPS + 1);
    assert_eq!(Robots::parse(many.as_bytes(), "seine").sitemaps().len(), MAX_SITEMAPS);
}

#[test]
fn what_is_beyond_the_limit_is_ignored_from_a_line_start() {
    let mut file = group("Disallow: /a");
    file.push_str(&"#\n".repeat((MAX_BYTES - file.len()) / 2 - 5));
    let room = MAX_BYTES - file.len();
    assert!((8..16).contains(&room), "{room}");
    // The limit falls into this line: cut there, it would forbid everything.
    file.push_str(&format!("Disallow: /{}\nDisallow: /b\n", "x".repeat(16)));
    check(&file, "seine", &["/", "/b"], &["/a"]);
    // A single line that is longer than the limit is none.
    assert_eq!(lines(&vec![b'x'; MAX_BYTES + 1]).count(), 0);
    // Nothing is lost of a file of just the limit.
    let full = [&vec![b'\n'; MAX_BYTES - 1][..], b"x"].concat();
    assert_eq!(lines(&full).count(), MAX_BYTES);
}

#[test]
fn what_is_beyond_the_end_of_a_long_line_is_ignored() {
    let path = format!("/{}", "a".repeat(MAX_LINE_BYTES - "Disallow: /".len()));
    let file = group(&format!("Disallow: {path}/cut\nAllow: /x"));
    check(&file, "seine", &["/a", "/x"], &[&path, &format!("{path}/other")]);
    assert_eq!(decide(&file, "seine", "/x").line, Some(3));
}

#[test]
fn bytes_that_are_no_text_are_bytes() {
    let robots = Robots::parse(b"User-agent: *\nDisallow: /\xFFx\nDisallow: /a\0b\nDisallow: /\x1B\n", "seine");
    for (path, allowed) in
        [("/%FFx", false), ("/%FF", true), ("/a%00b", false), ("/a", true), ("/ab", true), ("/%1b", false)]
    {
        assert_eq!(robots.decide(&url(path)).allowed, allowed, "{path}");
    }
    assert_eq!(robots.decide(&url("/%FFx")).rule.as_deref(), Some("Disallow: /\u{FFFD}x"));
    assert_eq!(record(b"\0Disallow: /"), None);
}

/// What a pattern means, in the plainest words; `$` at the end was taken off.
fn matches_plainly(pattern: &[u8], anchored: bool, path: &[u8]) -> bool {
    match (pattern, path) {
        ([], _) => !anchored || path.is_empty(),
        ([b'*', pattern @ ..], _) => (0..=path.len()).any(|skip| matches_plainly(pattern, anchored, &path[skip..])),
        ([first, pattern @ ..], [same, path @ ..]) if first == same => matches_plainly(pattern, anchored, path),
        _ => false,
    }
}

/// Every text of up to `longest` bytes of `alphabet`.
fn texts(alphabet: &[u8], longest: u32) -> Vec<Vec<u8>> {
    let mut all = vec![vec![]];
    let mut last = 0;
    for _ in 0..longest {
        let end = all.len();
        for at in last..end {
            all.extend(alphabet.iter().map(|byte| [&all[at][..], &[*byte]].concat()).collect::<Vec<_>>());
        }
        last = end;
    }
    all
}

#[test]
fn matching_is_what_patterns_mean() {
    let paths = texts(b"ab", 6);
    for body in texts(b"ab*", 5) {
        for anchored in [false, true] {
            let written = [b"/".as_slice(), &body, if anchored { b"$".as_slice() } else { b"" }].concat();
            let mut form = Vec::new();
            assert_eq!(pattern::push_pattern(&mut form, &written), anchored);
            for path in &paths {
                let path = [b"/", &path[..]].concat();
                let mut work = 0;
                let expected = matches_plainly(&written[..written.len() - usize::from(anchored)], anchored, &path);
                assert_eq!(pattern::matches(&form, anchored, &path, &mut work), expected, "{written:?} {path:?}");
                assert!(work <= path.len(), "no byte of the path is looked at twice");
            }
        }
    }
}

#[test]
fn no_byte_of_a_path_is_looked_at_twice_for_a_rule() {
    let path = url(&format!("/{}", "a".repeat(16 * 1024)));
    for pattern in [
        "/*a*a*a*a*a*a*b".to_owned(),
        "*a".repeat(1000) + "b",
        "*a".repeat(1000) + "*b$",
        "*aa".repeat(1000) + "$",
        "*".repeat(10_000) + "b",
        format!("*{}b", "a".repeat(1000)),
        format!("*b{}", "a".repeat(1000)),
    ] {
        let robots = Robots::parse(group(&format!("Disallow: {pattern}")).as_bytes(), "seine");
        let (_, work) = robots.decide_within(&path, MAX_WORK);
        assert!(work <= path.path().len(), "{work} for {}", &pattern[..10]);
    }
}

#[test]
fn a_file_full_of_wildcards_is_not_tried_to_the_end_on_a_long_url() {
    let mut file = group("Allow: /ok$");
    file.push_str(&"Allow: *ab\n".repeat((MAX_BYTES - file.len()) / 11));
    let robots = Robots::parse(file.as_bytes(), "seine");
    let long = url(&format!("/{}", "a".repeat(16_000)));
    let (decision, work) = robots.decide_within(&long, MAX_WORK);
    assert_eq!(decision, Decision { allowed: false, rule: None, line: None });
    assert!(work <= MAX_WORK + long.path().len());
    // URLs of usual length are.
    let (decision, work) = robots.decide_within(&url(&"/aa".repeat(100)), MAX_WORK);
    assert!(decision.allowed && work < MAX_WORK);
    assert!(robots.decide(&url("/ok")).allowed);
}

#[test]
fn rules_without_wildcards_are_no_work() {
    let mut file = group("");
    for rule in 0..30_000 {
        file.push_str(&format!("Disallow: /{rule}\n"));
    }
    let (decision, work) =
        Robots::parse(file.as_bytes(), "seine").decide_within(&url(&format!("/{}", "a".repeat(16_000))), 0);
    assert!(decision.allowed);
    assert_eq!(work, 0);
}

#[test]
fn memory_is_bounded_by_the_file() {
    for line in ["Disallow:*\n", "Disallow:/\u{30C4}\u{30C4}\u{30C4}\n", "Sitemap:x\n", "#\n", "User-agent:seine\n"] {
        let file = "User-agent: *\n".to_owned() + &line.repeat(MAX_BYTES / line.len());
        let robots = Robots::parse(file.as_bytes(), "seine");
        assert!(robots.memory() <= 5 * MAX_BYTES, "{} for {line}", robots.memory());
    }
    let mut usual = Robots::parse(group("Disallow: /cart\nSitemap: https://site.example/s.xml").as_bytes(), "seine");
    assert!((1..1000).contains(&usual.memory()), "{}", usual.memory());
    usual.forget_rules();
    assert_eq!(Robots::default().memory(), 0);
}

#[test]
fn any_bytes_are_a_file() {
    const PARTS: &[&[u8]] = &[
        b"user-agent",
        b"disallow",
        b"allow",
        b"crawl-delay",
        b"sitemap",
        b"seine",
        b":",
        b" ",
        b"*",
        b"$",
        b"/",
        b"%",
        b"%2",
        b"%2f",
        b"%41",
        b"?",
        b"#",
        b"\r",
        b"\n",
        b"\0",
        b"\xFF",
        b"\xEF\xBB\xBF",
        b"a",
        b"1.",
        b"9",
        b"-",
    ];
    let mut seed = 1_u32;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed as usize % below
    };
    for _ in 0..2000 {
        let file: Vec<u8> = (0..next(200)).flat_map(|_| PARTS[next(PARTS.len())]).copied().collect();
        let robots = Robots::parse(&file, "seine");
        for path in ["/", "/a", "/%2fa?%2f*$", "/aaaaaaaaaaaaaaaa?a=1"] {
            let decision = robots.decide(&url(path));
            assert_eq!(decision.rule.is_some(), decision.line.is_some());
            assert!(decision.allowed || decision.rule.is_some());
        }
        assert!(robots.crawl_delay().is_none_or(|delay| delay.as_secs() < u64::MAX));
    }
}
