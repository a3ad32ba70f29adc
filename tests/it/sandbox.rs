//! What the processes of a crawl are kept from; how the walls hold is tested where they are made.

use std::fs;

use crate::support::{Member, Place, Reply, Site};

/// A line of `/proc/PID/status`, as a number.
fn status(member: &Member, key: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{}/status", member.pid)).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')?.trim().parse().ok())
}

/// Whether this machine lets processes refuse system calls, and has Landlock; as the program finds it.
fn walls(place: &Place, list: &str) -> (bool, u64) {
    let ended = place.crawl(&[list, "--limit", "1", "--json"]).run().expect(3);
    let json = ended.json();
    (json["sandbox"]["calls"].as_bool().expect("a word"), json["sandbox"]["files"].as_u64().expect("a number"))
}

#[test]
fn fetchers_and_the_writer_are_walled_off_and_the_supervisor_is_not() {
    let site = Site::new(|_| Reply::page("x").held());
    let place = Place::new();
    place.list("urls.txt", site.urls(4));
    let mut crawl = place.crawl(&["urls.txt", "--sandbox", "best", "-v"]).start();
    site.wait_for_hits(1);
    crawl.wait_to_hear("sandbox");

    let walled = crawl.fetchers().into_iter().chain([crawl.the("writer")]);
    for member in walled {
        assert_eq!(status(&member, "NoNewPrivs"), Some(1), "{}", member.title);
        // Where a container's own filter stands, ours come to it.
        let (own, above) = (status(&member, "Seccomp_filters"), status(&crawl.the("supervisor"), "Seccomp_filters"));
        if status(&member, "Seccomp") == Some(2) {
            assert!(own >= above, "{}: {own:?}, {above:?}", member.title);
        }
    }
    assert_eq!(status(&crawl.the("supervisor"), "NoNewPrivs"), status(&Member::own(), "NoNewPrivs"));
    crawl.kill_supervisor();
}

#[test]
fn off_means_off_and_require_means_whole() {
    let site = Site::new(|_| Reply::page("x"));
    let place = Place::new();
    place.list("urls.txt", site.urls(4));
    let (calls, files) = walls(&place, "urls.txt");

    let ended = place.crawl(&["urls.txt", "--sandbox", "off", "--json"]).run().expect(0);
    assert!(ended.json()["sandbox"].is_null());

    place.list("more.txt", site.urls(8));
    let before = site.count();
    if calls && files > 0 {
        let ended = place.crawl(&["more.txt", "--sandbox", "require", "--json"]).run().expect(0);
        assert_eq!(ended.json()["sandbox"]["calls"], true);
    } else {
        place.crawl(&["more.txt", "--sandbox", "require"]).run().expect(2).says("nothing was started");
        assert_eq!(site.count(), before);
    }
}

#[test]
fn a_large_store_is_sorted_beside_itself_and_nothing_is_left_there() {
    let site = Site::new(|_| Reply::page("x"));
    let place = Place::new();
    place.list("urls.txt", site.urls(300));
    place.crawl(&["urls.txt", "--delay", "0", "--sandbox", "best"]).run().expect(0);
    assert!(place.store_files().len() <= 3, "{:?}", place.store_files());
}
