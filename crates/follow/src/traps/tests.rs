//! URLs that are traps, and those of ordinary sites, which are none.

use super::*;

const NOW: Month = Month::new(2026, 11);

#[track_caller]
fn found(rest: &str) -> Option<Trap> {
    Traps::all(NOW).find(&format!("https://example.org{rest}"))
}

#[track_caller]
fn all_are(trap: Option<Trap>, rests: &[&str]) {
    for rest in rests {
        assert_eq!(found(rest), trap, "{rest}");
    }
}

#[test]
fn paths_that_repeat_themselves_are_traps() {
    all_are(
        Some(Trap::RepeatingSegments),
        &[
            "/a1b/c2d/a1b/c2d/a1b/c2d/",
            "/x/about/team/about/team/about/team",
            "/about/about/about/about/",
            "/shop/en/shop/en/shop/en/cart.html",
            "/forum/index.php/topic/index.php/topic/index.php/topic",
            "/0/0/0/0/0/0/0/",
            "/news/a/blog/b/news/c/blog/d/news/e/blog/f/news/g/blog",
            "/news/local/news/local/sports/news/local/sports/news/",
        ],
    );
}

#[test]
fn paths_that_say_a_word_again_are_none() {
    all_are(
        None,
        &[
            "/django/django/tree/main/django/contrib/admin/templates/admin",
            "/hazelcast/hazelcast/blob/master/hazelcast/src/main/java/com/hazelcast/map/Map.java",
            "/elastic/elasticsearch/blob/main/x-pack/plugin/esql/src/main/java/org/elasticsearch/xpack/esql/\
             optimizer/rules/physical/local/File.java",
            "/docker/docker/tree/master/vendor/github.com/docker/docker/pkg",
            "/time/latest/time/time/index.html",
            "/tiles/0/0/0.png",
            "/system/avatars/000/000/000/123/original/face.jpg",
            "/original/2X/a/a/a/a/1.png",
            "/web/2020/https://example.com/web/2020/",
            "/de/de/de/",
            "/2024/01/01/01/",
            "/foo/foo/foo/",
            "/apache/commons/apache/commons/",
        ],
    );
}

#[test]
fn far_days_and_months_are_traps_of_calendars() {
    all_are(
        Some(Trap::Calendar),
        &[
            "/2031/01/01/",
            "/2031-05-03",
            "/events/2031-05/",
            "/events/month/2031-05/",
            "/events/2031-05-01/",
            "/events/2031/05",
            "/events/2031/05/list/",
            "/calendar/2031/5",
            "/calendar/2031/may/",
            "/calendar/2031",
            "/calendar/month/203105",
            "/calendar/1815/06/18",
            "/calendar/2024/13",
            "/calendar/8123/1",
            "/index.php/month.calendar/2031/05/12/-",
            "/eventcalendar/2031/week/12/",
            "/calendar/2031-W20",
            "/?year=2031&month=5",
            "/?month=13&year=2026",
            "/?year=2026&month=5&day=32",
            "/kalender?y=2031&m=5",
            "/list?date=2031-05-03",
            "/events/?tribe-bar-date=2031-05-01",
            "/calendar/view.php?view=month&time=1935705600",
            "/calendar?start=20310503",
            "/agenda?month=2031-05",
        ],
    );
}

#[test]
fn dates_that_sites_have_are_no_traps() {
    all_are(
        None,
        &[
            "/2024/05/03/some-title",
            "/2024/05/03/",
            "/2029/11/30/",
            "/1851/09/18/",
            "/archive/1851/09/18/archives/news.html",
            "/2031/05/03/a-look-ahead/",
            "/blog/2024/05/",
            "/topic/2045/12",
            "/topic/9876/2/",
            "/events/4512",
            "/events/2045/3",
            "/events/2045",
            "/events/205512",
            "/events/1815-06-18",
            "/event/eclipse-2031-05-21",
            "/calendar/event/205512",
            "/calendar/2027/05",
            "/calendar/1990/05",
            "/calendar/mayor/2050-budget",
            "/lccn/sn83030214/1866-04-22/ed-1/",
            "/search?date1=1836&date2=1922",
            "/search?from=1850-01-01&to=1900-01-01",
            "/bonds?maturity=2045-06-30",
            "/map?x=2050&y=5&m=13",
            "/item?year=2020&month=12",
            "/viewer?y=2050&m=5",
            "/wiki/2050",
            "/p/20501231",
            "/calendar/view.php?view=month&time=1795357805",
            "/events/?tribe-bar-date=2027-05-01",
            "/price/9999-12-31-edition",
        ],
    );
}

#[test]
fn queries_that_grow_are_traps() {
    let many: String = (0..=query::MAX_PARAMETERS).map(|number| format!("&p{number}=1")).collect();
    let same: String = (0..=query::MAX_SAME_NAMES).map(|number| format!("&id={number}")).collect();
    all_are(
        Some(Trap::GrowingQuery),
        &[
            "/list?color=red&color=red&page=2&color=red",
            &format!("/list?{}", &many[1..]),
            &format!("/list?{}", &same[1..]),
            &format!("/list?q={}", "a".repeat(query::MAX_QUERY_BYTES)),
            "/login?return=%2Flogin%3Freturn%3D%252Flogin%253Freturn%253D%25252Flogin%25253Freturn%25253D%2525252F",
        ],
    );
}

#[test]
fn long_queries_of_shops_and_searches_are_none() {
    let columns: String = (0..40).map(|number| format!("&column{number}=on")).collect();
    let list: String = (0..30).map(|number| format!("&filter[]={number}")).collect();
    all_are(
        None,
        &[
            "/shoes?color=red&color=blue&size=42&size=43&sort=price&page=7&min=10&max=90&brand=a&brand=b&brand=c",
            "/shoes?filter%5Bcolor%5D%5B%5D=red&filter%5Bcolor%5D%5B%5D=blue&filter%5Bsize%5D%5B%5D=42",
            &format!("/buglist.cgi?query_format=advanced{columns}"),
            &format!("/list?{}", &list[1..]),
            "/w/index.php?title=Special:Log&type=&user=&page=Main_Page&wpdate=&tagfilter=&subtype=&limit=500&offset=",
            "/login?return=%2Faccount%3Ftab%3D%252Forders%252F1",
            "/a?x&x",
            "/a?",
        ],
    );
}

#[test]
fn long_and_deep_urls_are_traps() {
    let deep: String = (0..=segments::MAX_SEGMENTS).map(|number| format!("/step{number}")).collect();
    all_are(Some(Trap::DepthOfPath), &[&deep]);
    all_are(Some(Trap::LongUrl), &[&format!("/{}", "a".repeat(MAX_LONG_URL))]);
    let title = "%E0%A4%B9".repeat(250);
    all_are(None, &[&deep[..deep.rfind('/').expect("a slash")], &format!("/wiki/{title}")]);
}

/// The shapes of links that ordinary sites have.
const ORDINARY: &[&str] = &[
    // Wikis.
    "/wiki/Special:RecentChanges?days=30&limit=500&hidebots=1",
    "/w/index.php?title=Talk:Main_Page&action=history&offset=20260101000000%7C123456789&limit=500",
    "/w/index.php?title=Foo&diff=1234567890&oldid=1234567880",
    "/wiki/Category:1950_births?from=M",
    "/wiki/January_1,_2100",
    "/wiki/List_of_minor_planets:_203001%E2%80%93204000",
    "/wiki/%D0%97%D0%B0%D0%B3%D0%BB%D0%B0%D0%B2%D0%BD%D0%B0%D1%8F",
    "/xwiki/bin/view/Main/Main/Main",
    "/doku.php?id=wiki:syntax&do=diff&rev=1700000000",
    // Shops.
    "/c/shoes/men/running/?color=red&size=42&price=50-100&sort=popularity&page=12",
    "/gp/product/B00EXAMPLE/ref=s9_acsd_bw_cr_x_1_2?pf_rd_m=A&pf_rd_s=merchandised-search-3&pf_rd_r=XYZ&pf_rd_t=101",
    "/collections/all/products/blue-shirt?variant=39812345678901",
    "/itm/123456789012?hash=item1ca3b5:g:abcAAOSw&amdata=enc%3A1",
    "/de/de/produkte/p/2030-12",
    "/catalog/2999/12",
    // Forums.
    "/viewtopic.php?f=12&t=204512&start=1500",
    "/t/some-topic/20451/12",
    "/thread/2034/12/",
    "/r/rust/comments/1abcde/title/kx1y2z3/?context=3",
    "/questions/2031/how-to-exit-vim?answertab=votes#tab-top",
    "/forum/index.php?topic=2031.15;wap2",
    // Documentation.
    "/docs/stable/reference/api/pandas.DataFrame.html",
    "/en/latest/_modules/foo/foo/foo.html",
    "/3/library/datetime.html",
    "/std/iter/trait.Iterator.html?search=map",
    "/javadoc/org/apache/commons/lang3/org/apache/commons/lang3/StringUtils.html",
    "/spring-projects/spring-boot/blob/main/spring-boot-project/spring-boot/src/main/java/org/springframework/boot/App.java",
    // Blogs and news.
    "/2024/05/03/slug/",
    "/2024/05/03/slug/page/3/",
    "/blog/2024/05/",
    "/archives/2001/",
    "/news/2026/nov/30/politics-live",
    "/article/2031-the-year-ahead",
    "/sitemap/2026/11/30/",
    "/feed/?paged=12",
    "/tag/calendar/",
    "/event/summer-school-2027/",
    "/events/category/music/2026-12/",
    // Archives, maps, code, numbers.
    "/web/20010101000000/http://www.example.com/",
    "/lccn/sn83030214/1866-04-22/ed-1/seq-1/",
    "/bible/1/1/1/1",
    "/tile/12/2200/1343.png",
    "/objects/00/00/00/12.jpg",
    "/git/repo.git/commit/?h=main&id=5d41402abc4b2a76b9719d911017c592",
    "/rfc/rfc2045",
    "/cve/CVE-2030-1234",
    "/climate/scenario/2100/ssp585",
    "/mods/2045/files/12",
    "/user/2077/posts/2101",
    "/flights?depart=2027-05-01&return=2027-05-14&adults=2",
    "/hotel/x.html?checkin=2027-01-01&checkout=2027-01-03&group_adults=2&no_rooms=1&group_children=0",
];

#[test]
fn ordinary_sites_have_no_traps() {
    all_are(None, ORDINARY);
}

#[test]
fn each_trap_has_a_switch() {
    let urls = [
        (Trap::RepeatingSegments, "https://a.test/x1y/z1w/x1y/z1w/x1y/z1w".to_owned()),
        (Trap::Calendar, "https://a.test/events/2031-05/".to_owned()),
        (Trap::GrowingQuery, "https://a.test/?aa=1&aa=1&aa=1".to_owned()),
        (Trap::DepthOfPath, format!("https://a.test{}", (0..40).map(|n| format!("/s{n}x")).collect::<String>())),
        (Trap::LongUrl, format!("https://a.test/{}", "a".repeat(MAX_LONG_URL))),
    ];
    for (trap, url) in &urls {
        assert_eq!(Traps::all(NOW).find(url), Some(*trap));
        let others = Trap::ALL.into_iter().filter(|other| other != trap);
        assert_eq!(Traps::new(others, NOW).find(url), None, "without {trap}");
        assert_eq!(Traps::off().find(url), None);
    }
}

#[test]
fn urls_of_thousands_of_pieces_are_judged_by_their_first() {
    let traps = Traps::new([Trap::RepeatingSegments, Trap::Calendar, Trap::GrowingQuery], NOW);
    let many = 5000;
    for (rest, trap) in [
        ("/abc".repeat(many), Some(Trap::RepeatingSegments)),
        (format!("/?{}", "a&".repeat(many)), Some(Trap::GrowingQuery)),
        (format!("{}2031-01-01", "/".repeat(many)), Some(Trap::Calendar)),
        ((0..many).map(|number| format!("/x{number}")).collect(), None),
        ("/".repeat(2 * many), None),
    ] {
        // Work that grows with the square would take minutes.
        for _ in 0..50 {
            assert_eq!(traps.find(&format!("https://a.test{rest}")), trap, "{rest:.20}");
        }
    }
}

#[test]
fn traps_are_called_by_their_names() {
    for trap in Trap::ALL {
        assert_eq!(trap.name().parse(), Ok(trap));
    }
    let error = "calender".parse::<Trap>().expect_err("no trap").to_string();
    assert!(error.starts_with("no trap is called \"calender\"; there are repeating_segments, calendar"), "{error}");
}

#[test]
fn months_are_those_of_utc() {
    assert_eq!(Month::of_epoch_ms(1_795_357_805_000), Month::new(2026, 11));
    assert_eq!(Month::of_epoch_ms(0), Month::new(1970, 1));
    assert_eq!(Month::of_epoch_ms(-1), Month::new(1969, 12));
    assert!(Month::of_epoch_ms(i64::MAX) > Month::new(9999, 1) && Month::of_epoch_ms(i64::MIN) < Month::new(0, 1));
}
