use seine_testkit::Dice;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn record(kind: &str, uri: &str, block: &[u8]) -> Vec<u8> {
    let mut record = format!(
        "WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Target-URI: <{uri}>\r\nWARC-Date: 2024-05-01T10:00:00Z\r\n\
         content-length: {}\r\n\r\n",
        block.len()
    )
    .into_bytes();
    record.extend_from_slice(block);
    record.extend_from_slice(b"\r\n\r\n");
    record
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn plain(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

fn archive(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A target and what its record reads as.
type Target = (String, Result<Vec<u8>, String>);

/// The targets of all records, what each reads as, and how it ended.
fn scan(bytes: &[u8]) -> (Vec<Target>, Option<(u64, String)>) {
    let file = archive(bytes);
    let mut scan = match Scan::new(file.reopen().unwrap()) {
        Ok(scan) => scan,
        Err(damage) => return (Vec::new(), Some((0, damage.to_string()))),
    };
    let mut found = Vec::new();
    loop {
        match scan.next() {
            Ok(Found::Record(head)) => {
                let block = read(file.path(), head.at, 10 << 20);
                found.push((
                    head.target.unwrap_or_default(),
                    block.map(|(_, block)| block).map_err(|damage| damage.to_string()),
                ));
            }
            Ok(Found::Passing) => {}
            Ok(Found::End) => return (found, None),
            Err((at, damage)) => return (found, Some((at, damage.to_string()))),
        }
    }
}

fn blocks() -> Vec<(String, Vec<u8>)> {
    let long = Dice::of(1).noise(400_000);
    vec![
        ("http://a.test/".to_owned(), b"first".to_vec()),
        ("http://a.test/empty".to_owned(), Vec::new()),
        ("http://a.test/long".to_owned(), long),
        ("http://a.test/last".to_owned(), b"last \r\n\r\nWARC".to_vec()),
    ]
}

#[test]
fn records_are_found_and_read_alone_in_every_packing() {
    let blocks = blocks();
    for pack in [plain, gzip, zstd] {
        let bytes: Vec<u8> = blocks.iter().flat_map(|(uri, block)| pack(&record("response", uri, block))).collect();
        let (found, damage) = scan(&bytes);
        assert_eq!(damage, None);
        let expected: Vec<_> = blocks.iter().map(|(uri, block)| (uri.clone(), Ok(block.clone()))).collect();
        assert!(found == expected, "{:?}", found.iter().map(|(uri, _)| uri).collect::<Vec<_>>());
    }
}

#[test]
fn a_dictionary_in_front_of_zstd_frames_is_used() {
    let dictionary = zstd::dict::from_samples(
        &(0..400).map(|n| record("response", &format!("http://a.test/{n}"), b"x")).collect::<Vec<_>>(),
        2000,
    )
    .unwrap();
    for packed in [dictionary.clone(), zstd(&dictionary)] {
        let mut bytes = ZSTD_DICTIONARY.to_vec();
        bytes.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&packed);
        for name in ["one", "two"] {
            let mut compressor = zstd::bulk::Compressor::with_dictionary(3, &dictionary).unwrap();
            bytes.extend(compressor.compress(&record("response", name, name.as_bytes())).unwrap());
        }
        let (found, damage) = scan(&bytes);
        assert_eq!(damage, None);
        assert_eq!(found, [("one".to_owned(), Ok(b"one".to_vec())), ("two".to_owned(), Ok(b"two".to_vec()))]);
    }
}

#[test]
fn behind_a_damaged_record_the_next_ones_are_found() {
    let blocks = blocks();
    for (pack, damaged) in [(gzip as fn(&[u8]) -> Vec<u8>, "gzip"), (zstd, "zstd")] {
        let members: Vec<_> = blocks.iter().map(|(uri, block)| pack(&record("response", uri, block))).collect();
        // In the middle of the long block: its head is readable, it is not.
        let start = members[0].len() + members[1].len();
        let mut bytes = members.concat();
        let middle = start + members[2].len() / 2;
        bytes[middle..middle + 50].fill(0xff);
        let (found, damage) = scan(&bytes);
        assert_eq!(damage, None, "{damaged}");
        assert_eq!(found.len(), 4, "{damaged}");
        assert!(found[2].1.as_ref().unwrap_err().contains(damaged), "{:?}", found[2].1.as_ref().unwrap_err());
        assert_eq!(found[3].1, Ok(blocks[3].1.clone()));
        // At its beginning: nobody can say what it was, but where.
        let mut bytes = members.concat();
        bytes[start + 4..start + 60].fill(0xff);
        let (found, damage) = scan(&bytes);
        assert_eq!(found.iter().map(|(uri, _)| &uri[14..]).collect::<Vec<_>>(), ["", "empty", "last"], "{damaged}");
        assert_eq!(damage.unwrap().0, start as u64, "{damaged}");
    }
}

#[test]
fn an_archive_that_ends_early_says_so_at_its_last_record() {
    let blocks = blocks();
    for pack in [plain, gzip, zstd] {
        let last = pack(&record("response", &blocks[2].0, &blocks[2].1));
        let mut bytes = pack(&record("response", &blocks[0].0, &blocks[0].1));
        bytes.extend_from_slice(&last[..last.len() / 2]);
        let (found, damage) = scan(&bytes);
        assert_eq!(damage, None);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].1, Err(Damage::Short.to_string()));
    }
}

#[test]
fn records_compressed_together_have_no_place_and_are_refused() {
    for pack in [gzip, zstd] {
        let together = [record("warcinfo", "", b"x"), record("response", "http://a.test/", b"y")].concat();
        let (_, damage) = scan(&pack(&together));
        assert!(damage.unwrap().1.contains("warcio recompress"));
    }
}

#[test]
fn what_is_no_archive_is_refused() {
    assert!(scan(b"https://example.com/\n").1.unwrap().1.contains("something else"));
    assert!(scan(&gzip(b"https://example.com/\n")).1.unwrap().1.contains("WARC/"));
    assert_eq!(scan(b"").1, None);
}

#[test]
fn a_block_beyond_what_is_wanted_is_not_read() {
    let file = archive(&gzip(&record("response", "http://a.test/", &[b'x'; 1000])));
    assert!(matches!(read(file.path(), 0, 999), Err(Damage::TooLarge(1000))));
    assert!(read(file.path(), 0, 1000).is_ok());
    let head = "WARC/1.0\nWARC-Type: response\nContent-Length: 18446744073709551615\n\nx";
    assert!(matches!(read(archive(head.as_bytes()).path(), 0, 10), Err(Damage::TooLarge(u64::MAX))));
    assert_eq!(scan(head.as_bytes()).0.len(), 1);
}

#[test]
fn damaged_archives_never_panic_and_always_end() {
    let mut dice = Dice::of(0x5e1e_0005);
    let mut random = |n: usize| dice.below(n);
    for round in 0..300 {
        let pack = [plain, gzip, zstd][round % 3];
        let mut bytes: Vec<u8> = (0..5)
            .flat_map(|n| pack(&record("response", &format!("http://a.test/{n}"), &vec![b'x'; n * 100])))
            .collect();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes.truncate(at.max(8)),
                _ => {
                    let end = (at + random(100)).min(bytes.len());
                    bytes.drain(at..end);
                    bytes.resize(bytes.len().max(8), 0);
                }
            }
        }
        scan(&bytes);
    }
}

#[test]
fn an_archive_of_beginnings_without_records_is_given_up() {
    let first = gzip(&record("response", "http://a.test/", b"x"));
    // Each announces a name that is nowhere at its end.
    let mut bytes = first.clone();
    bytes.extend(b"\x1f\x8b\x08\x08".repeat(1 << 20));
    let file = archive(&bytes);
    let mut scan = Scan::new(file.reopen().unwrap()).unwrap();
    let (mut records, mut turns) = (0, 0);
    let (at, _) = loop {
        turns += 1;
        match scan.next() {
            Ok(Found::Record(_)) => records += 1,
            Ok(Found::Passing) => {}
            Ok(Found::End) => panic!("it is damaged"),
            Err(damage) => break damage,
        }
    };
    assert_eq!((records, at), (1, first.len() as u64));
    assert!(turns < 3 * MOST_LOST, "{turns} turns");
    assert!(matches!(scan.next(), Ok(Found::End)));
}
