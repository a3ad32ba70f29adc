//! A full disk loses nothing: the crawl waits for room, and if none comes it ends and can be gone on with.
//!
//! Each test mounts a small file system in memory; without the right to do so it is skipped, and says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::crawl::is_permitted;
use crate::support::{Dice, Place, Reply, Site, Store, eventually};

/// Far more than fits the small disk, the batch of the writer and the outboxes of the fetchers together.
const PAGES: usize = 240;
const PAGE_BYTES: usize = 100 * 1024;
const SMALL: &str = "8m";
const LARGE: &str = "size=96m";
/// A pace at which a batch of pages is small beside the small disk.
const PACE: [&str; 2] = ["--delay", "10ms"];

/// A small file system; taken away when dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(place: &Place, size: &str) -> Option<Self> {
        let path = place.path("disk");
        fs::create_dir(&path).expect("a folder can be made");
        let options = format!("size={size}");
        let arguments = ["-t", "tmpfs", "-o", &options, "seine-test", path.to_str().expect("paths of tests are UTF-8")];
        is_permitted("mount", &arguments).then_some(Self(path))
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount").arg("-o").arg(format!("remount,{options}")).arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()), "remount with {options}");
    }

    fn db(&self) -> PathBuf {
        self.0.join("crawl.db")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Pages that take their size on disk.
fn large_pages() -> Site {
    let noise = Dice::new().noise(PAGE_BYTES);
    Site::with_hosts(3, move |request| {
        let mut body = noise.clone();
        body[..8].copy_from_slice(&(request.number() as u64).to_le_bytes());
        Reply::bytes("application/octet-stream", body)
    })
}

fn assert_complete(db: &Path) {
    let store = Store::open(db);
    assert_eq!(
        store.row("SELECT count(*), count(DISTINCT body_hash), min(outcome) FROM pages"),
        format!("{PAGES}|{PAGES}|ok")
    );
    store.assert_sound();
}

#[test]
fn a_full_disk_ends_the_crawl_resumable_if_no_room_comes() {
    let (place, site) = (Place::new(), large_pages());
    let Some(disk) = Disk::new(&place, SMALL) else { return };
    place.list("urls.txt", site.urls(PAGES));
    let crawl = || place.crawl(&PACE).args(&["urls.txt", "--disk-wait", "2s", "--json"]).db(&disk.db());
    let ended = crawl().run().expect(5).says("no room on disk").says("fetching pauses").says("out of disk: make room");
    assert_eq!(ended.json()["ended_by"], "disk_full");
    assert_eq!(ended.stderr.matches("no room on disk").count(), 1, "it is said once:\n{}", ended.stderr);
    let kept = Store::open(&disk.db()).rows("SELECT url, body_hash FROM pages ORDER BY url");
    assert!(!kept.is_empty() && kept.len() < PAGES, "{} pages", kept.len());
    Store::open(&disk.db()).assert_sound();

    // Still no room: the same again, and nothing is worse.
    crawl().run().expect(5);
    disk.remount(LARGE);
    crawl().run().expect(0);
    let now = Store::open(&disk.db()).rows("SELECT url, body_hash FROM pages ORDER BY url");
    assert!(kept.iter().all(|row| now.contains(row)), "a page that was stored has changed");
    assert_complete(&disk.db());
    println!("{} requests for {PAGES} pages", site.count());
}

#[test]
fn a_full_disk_is_waited_for_and_the_crawl_goes_on_when_there_is_room() {
    let (place, site) = (Place::new(), large_pages());
    let Some(disk) = Disk::new(&place, SMALL) else { return };
    place.list("urls.txt", site.urls(PAGES));
    let mut running = place.crawl(&PACE).args(&["urls.txt", "--disk-wait", "50s", "--json"]).db(&disk.db()).start();
    running.wait_to_hear("no room on disk");
    let mut before = site.count();
    eventually("fetching pauses", || std::mem::replace(&mut before, site.count()) == site.count());
    assert!(site.count() < PAGES);
    disk.remount(LARGE);
    running.wait_to_hear("there is room on disk again");
    let json = running.wait().expect(0).json();
    assert_eq!((json["leased_again"].as_i64(), json["writer_crashes"].as_i64()), (Some(0), Some(0)));
    assert_complete(&disk.db());
    assert_eq!(site.count(), PAGES, "nothing was thrown away");
}

#[test]
fn an_interrupt_while_the_disk_is_full_is_obeyed() {
    let (place, site) = (Place::new(), large_pages());
    let Some(disk) = Disk::new(&place, SMALL) else { return };
    place.list("urls.txt", site.urls(PAGES));
    let arguments = ["urls.txt", "--disk-wait", "50s", "--grace", "1s"];
    let mut running = place.crawl(&PACE).args(&arguments).db(&disk.db()).start();
    running.wait_to_hear("no room on disk");
    running.signal(crate::support::Signal::SIGINT);
    running.wait_within(std::time::Duration::from_secs(20)).expect(130);
    disk.remount(LARGE);
    place.crawl(&["urls.txt"]).db(&disk.db()).run().expect(0);
    assert_complete(&disk.db());
}

#[test]
fn a_disk_without_room_for_an_empty_store_is_named_and_left_clean() {
    let (place, site) = (Place::new(), large_pages());
    let Some(disk) = Disk::new(&place, "16k") else { return };
    place.list("urls.txt", site.urls(PAGES));
    let ended = place.crawl(&["urls.txt", "--disk-wait", "1s"]).db(&disk.db()).run();
    assert!(ended.stderr.contains("no room on disk"), "{}", ended.stderr);
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert_eq!(site.count(), 0);
    disk.remount(LARGE);
    place.crawl(&["urls.txt"]).db(&disk.db()).run().expect(0);
    assert_complete(&disk.db());
}

#[test]
fn a_finished_store_can_be_read_from_a_disk_that_cannot_be_written() {
    let (place, site) = (Place::new(), large_pages());
    let Some(disk) = Disk::new(&place, "96m") else { return };
    place.list("urls.txt", site.urls(5));
    place.crawl(&["urls.txt"]).db(&disk.db()).run().expect(0);
    // Only the one file, as it would be copied.
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(disk.0.join(format!("crawl.db{suffix}")));
    }
    disk.remount("ro");
    place.seine(&["status", "disk/crawl.db"]).run().expect(0);
    assert_eq!(place.seine(&["cat", "disk/crawl.db", &site.url("/0")]).run().expect(0).stdout.len(), PAGE_BYTES);
    let ended = place.crawl(&["urls.txt"]).db(&disk.db()).run().expect(2);
    assert!(ended.stderr.contains("crawl.db"), "{}", ended.stderr);
}

#[test]
fn a_merge_without_room_changes_nothing_and_says_so() {
    let place = Place::new();
    let Some(disk) = Disk::new(&place, "5m") else { return };
    let site = large_pages();
    for (name, skip, pages) in [("a", 0, 20), ("b", 20, 60)] {
        place.list(&format!("{name}.txt"), site.urls(80).into_iter().skip(skip).take(pages));
        let db = format!("{name}.db");
        place.crawl(&[&format!("{name}.txt"), "--db", &db]).run().expect(0);
    }
    let merge = |stores: &[&str]| place.seine(&[&["merge", "disk/crawl.db"], stores].concat()).run();
    merge(&["a.db", "b.db"]).expect(5).says("nothing has changed");
    assert_eq!(fs::read_dir(&disk.0).expect("a folder").count(), 0, "what was begun is gone");
    merge(&["a.db"]).expect(0);
    let pages = || Store::open(&disk.db()).rows("SELECT url, body_hash FROM pages ORDER BY url");
    let before = pages();
    merge(&["b.db"]).expect(5).says("nothing has changed");
    assert_eq!(pages(), before);
    disk.remount(LARGE);
    merge(&["b.db"]).expect(0);
    assert_eq!(pages().len(), 80);
    place.seine(&["split", "a.txt", "--shards", "3", "-o", "shards"]).run().expect(0);
}
