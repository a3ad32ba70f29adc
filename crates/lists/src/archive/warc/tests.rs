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

/// The targets of all records, what each reads as, and where something is damaged, and how.
fn scan(bytes: &[u8]) -> (Vec<Target>, Vec<(u64, String)>) {
    let file = archive(bytes);
    let mut scan = match Scan::new(file.reopen().unwrap()) {
        Ok(scan) => scan,
        Err(damage) => return (Vec::new(), vec![(0, damage.to_string())]),
    };
    let mut found = Vec::new();
    loop {
        match scan.next() {
            Found::Record(head) => {
                let block = read(file.path(), head.at, 10 << 20);
                found.push((
                    head.target.unwrap_or_default(),
                    block.map(|(_, block)| block).map_err(|damage| damage.to_string()),
                ));
            }
            Found::Passing => {}
            Found::End => {
                let losses = scan.losses().first().iter().map(|loss| (loss.at, loss.damage.to_string()));
                return (found, losses.collect());
            }
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
        assert_eq!(damage, []);
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
        assert_eq!(damage, []);
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
        assert_eq!(damage.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [start as u64], "{damaged}");
        assert_eq!(found.len(), 4, "{damaged}");
        assert!(found[2].1.as_ref().unwrap_err().contains(damaged), "{:?}", found[2].1.as_ref().unwrap_err());
        assert_eq!(found[3].1, Ok(blocks[3].1.clone()));
        // At its beginning: nobody can say what it was, but where.
        let mut bytes = members.concat();
        bytes[start + 4..start + 60].fill(0xff);
        let (found, damage) = scan(&bytes);
        assert_eq!(found.iter().map(|(uri, _)| &uri[14..]).collect::<Vec<_>>(), ["", "empty", "last"], "{damaged}");
        assert_eq!(damage.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [start as u64], "{damaged}");
    }
}

#[test]
fn an_archive_that_ends_early_says_so_at_its_last_record() {
    let blocks = blocks();
    for pack in [plain, gzip, zstd] {
        let last = pack(&record("response", &blocks[2].0, &blocks[2].1));
        let mut bytes = pack(&record("response", &blocks[0].0, &blocks[0].1));
        let start = bytes.len() as u64;
        bytes.extend_from_slice(&last[..last.len() / 2]);
        let (found, damage) = scan(&bytes);
        assert_eq!(damage, [(start, Damage::Short.to_string())]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].1, Err(Damage::Short.to_string()));
    }
}

#[test]
fn records_compressed_together_have_no_place_and_are_refused() {
    for pack in [gzip, zstd] {
        let together = [record("warcinfo", "", b"x"), record("response", "http://a.test/", b"y")].concat();
        let (_, damage) = scan(&pack(&together));
        assert!(damage[0].1.contains("warcio recompress"));
    }
}

#[test]
fn what_is_no_archive_is_refused() {
    assert!(scan(b"https://example.com/\n").1[0].1.contains("something else"));
    assert!(scan(&gzip(b"https://example.com/\n")).1[0].1.contains("WARC/"));
    assert_eq!(scan(b"").1, []);
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
    loop {
        turns += 1;
        match scan.next() {
            Found::Record(_) => records += 1,
            Found::Passing => {}
            Found::End => break,
        }
    }
    assert_eq!((records, scan.losses().count()), (1, 1));
    assert_eq!(scan.losses().first()[0].at, first.len() as u64);
    assert!(turns < 3 * MOST_LOST, "{turns} turns");
    assert!(matches!(scan.next(), Found::End));
}

/// A generator of numbers below what is asked for.
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |n| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n.max(1)
    }
}

/// A block of any kind: noise, lines, texts about archives, and archives.
fn any_block(random: &mut impl FnMut(usize) -> usize, name: &str) -> Vec<u8> {
    let answer = |body: &[u8]| [b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", body].concat();
    match random(7) {
        0 => Vec::new(),
        1 => (0..random(3000)).map(|_| random(256) as u8).collect(),
        2 => answer("some text\r\n\r\n".repeat(random(30)).as_bytes()),
        3 => answer(b"A record begins with\r\n\r\nWARC/1.0\r\nand WARC/1.1\r\nContent-Length: 7\r\n\r\nand so on"),
        4 => answer(&b"WARC/1.0\r\nWARC-Type: response\r\n"[..random(32)]),
        5 => {
            let inner =
                (0..random(4)).map(|n| record("response", &format!("{name}/inner/{n}"), &vec![b'i'; random(300)]));
            answer(&inner.collect::<Vec<_>>().concat())
        }
        _ => vec![b'x'; random(200)],
    }
}

#[test]
fn undamaged_archives_are_never_said_to_be_damaged() {
    let seed = 0x5e1e_0031_u64;
    println!("seed {seed:#x}");
    let mut random = random(seed);
    for round in 0..600 {
        let pack = [plain, gzip, zstd][round % 3];
        let blocks: Vec<_> = (0..1 + random(6))
            .map(|n| {
                let name = format!("http://a.test/{n}");
                let block = any_block(&mut random, &name);
                (name, block)
            })
            .collect();
        let mut bytes: Vec<u8> = blocks.iter().flat_map(|(uri, block)| pack(&record("response", uri, block))).collect();
        // Some pad the file.
        bytes.resize(bytes.len() + [0, 0, 7, 9000][random(4)], 0);
        let (found, losses) = scan(&bytes);
        assert_eq!(losses, [], "round {round}");
        let expected: Vec<_> = blocks.into_iter().map(|(uri, block)| (uri, Ok(block))).collect();
        assert!(found == expected, "round {round}: {:?}", found.iter().map(|(uri, _)| uri).collect::<Vec<_>>());
    }
    // With bare line feeds throughout, as some write them.
    let one = |name: &str, body: &str| {
        format!("WARC/1.0\nWARC-Type: response\nWARC-Target-URI: {name}\nContent-Length: {}\n\n{body}\n\n", body.len())
    };
    let bytes = [one("a", "x"), one("b", "y\n\nWARC/1.0\n"), one("c", "")].concat();
    assert_eq!((scan(bytes.as_bytes()).0.len(), scan(bytes.as_bytes()).1), (3, vec![]));
}

/// What can happen to the record `record`, packed by `pack`; `None` if nothing has.
fn damaged(random: &mut impl FnMut(usize) -> usize, record: &[u8], pack: fn(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
    let is_plain = pack(b"") == b"";
    let (head, _) = end_of_head(record)?;
    let length = record.len() - head - 4;
    match random(6) {
        // Its length lies.
        0 | 1 => {
            let lie = match random(4) {
                0 => length + 1 + random(12),
                1 => length.saturating_sub(1 + random(12)),
                2 => random(3 * length + 2000),
                _ => length + 1 + random(1 << 40),
            };
            if lie < length && past_padding(&record[head + lie..]).is_empty() {
                // What it leaves out is taken for padding, which some add.
                return None;
            }
            let text = String::from_utf8_lossy(&record[..head]).into_owned();
            let text = text.replace(&format!("content-length: {length}"), &format!("content-length: {lie}"));
            (lie != length).then(|| pack(&[text.as_bytes(), &record[head..]].concat()))
        }
        // Its beginning is gone.
        2 => {
            let mut bytes = pack(record);
            bytes[..4].fill(b'#');
            Some(bytes)
        }
        // A hole: in what is not compressed, one that the length does not know of.
        3 => {
            let mut bytes = pack(record);
            let from = if is_plain { head + random(length + 4) } else { random(bytes.len()) };
            let to = (from + 1 + random(60)).min(bytes.len());
            bytes.drain(from..to);
            Some(bytes)
        }
        4 if !is_plain => {
            let mut bytes = pack(record);
            let at = random(bytes.len());
            bytes[at] ^= 1 << random(8);
            Some(bytes)
        }
        // The line ends behind it.
        _ => {
            let mut bytes = record.to_vec();
            let at = bytes.len() - 1 - random(4);
            bytes[at] = b'#';
            Some(pack(&bytes))
        }
    }
}

/// Where the record with target `uri` begins in a plain archive, and where its length says that its block ends.
fn extent(bytes: &[u8], uri: &str) -> Option<(usize, u64)> {
    let at = memchr::memmem::find(bytes, format!("WARC-Target-URI: <{uri}>").as_bytes())?;
    let at = memchr::memmem::rfind(&bytes[..at], b"WARC/1.1")?;
    let (head, _) = end_of_head(&bytes[at..])?;
    let length = parse(&bytes[at..at + head], 0).ok()?.block_bytes;
    Some((at, (at + head) as u64 + length))
}

/// Whether that end looks like one, so that nobody can know better.
fn is_believable(bytes: &[u8], uri: &str) -> bool {
    behind(bytes, uri).is_some_and(|rest| rest.is_empty() || is_head(rest))
}

/// What comes there behind two line ends, if they are there.
fn behind<'b>(bytes: &'b [u8], uri: &str) -> Option<&'b [u8]> {
    let (_, end) = extent(bytes, uri)?;
    bytes.get(usize::try_from(end).ok()?..)?.strip_prefix(b"\r\n\r\n").map(past_padding)
}

/// Whether record `n` looks like a part of a damaged one before it.
fn is_within_a_believable_one(bytes: &[u8], blocks: &[(String, Vec<u8>)], spoilt: &[usize], n: usize) -> bool {
    let Some((at, _)) = extent(bytes, &blocks[n].0) else { return false };
    spoilt.iter().filter(|&&other| other < n).any(|&other| {
        let uri = &blocks[other].0;
        is_believable(bytes, uri) && extent(bytes, uri).is_some_and(|(_, end)| end > at as u64)
    })
}

#[test]
fn whatever_is_damaged_is_told_and_every_other_record_is_found() {
    let given = std::env::var("SEINE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or(0x5e1e_0032_u64);
    println!("SEINE_TEST_SEED={seed}");
    let mut random = random(seed);
    let (mut told, mut harmless) = (0, 0);
    for round in 0..1500 {
        let pack = [plain, gzip, zstd][round % 3];
        let blocks: Vec<_> = (0..2 + random(6))
            .map(|n| {
                let name = format!("http://a.test/{n}");
                let block = any_block(&mut random, &name);
                (name, block)
            })
            .collect();
        let victims: Vec<_> = (0..1 + random(2)).map(|_| random(blocks.len())).collect();
        let mut bytes = Vec::new();
        let mut spoilt = Vec::new();
        for (n, (uri, block)) in blocks.iter().enumerate() {
            let whole = record("response", uri, block);
            let packed = match victims.contains(&n).then(|| damaged(&mut random, &whole, pack)).flatten() {
                // What begins the file tells what it is.
                Some(damaged) if n > 0 || damaged.starts_with(&pack(&whole)[..4]) => {
                    spoilt.push(n);
                    damaged
                }
                _ => pack(&whole),
            };
            bytes.extend(packed);
        }
        if random(4) == 0 {
            // The file is cut within its last record.
            let last = record("response", "http://a.test/cut", &any_block(&mut random, "http://a.test/cut"));
            let last = pack(&last);
            bytes.extend_from_slice(&last[..1 + random(last.len() - 1)]);
            spoilt.push(blocks.len());
        }
        let (found, losses) = scan(&bytes);
        for (n, (uri, block)) in blocks.iter().enumerate() {
            let of_it: Vec<_> = found.iter().filter(|(found, _)| found == uri).collect();
            if spoilt.contains(&n) {
                let is_right = of_it.iter().all(|(_, read)| read.as_ref().is_ok_and(|read| read == block));
                assert!(
                    is_right
                        || of_it.iter().all(|(_, read)| read.is_err())
                        || is_believable(&bytes, uri)
                        // Nobody can tell whether this length lies or the next head is gone; one of both is told.
                        || !losses.is_empty() && behind(&bytes, uri).is_some(),
                    "round {round}: record {n} of {spoilt:?} reads as what it is not: {losses:?}"
                );
            } else if !is_within_a_believable_one(&bytes, &blocks, &spoilt, n) {
                // A flipped bit can give a damaged record the name of another; it does not read as one.
                assert!(
                    of_it.iter().filter_map(|(_, read)| read.as_ref().ok()).collect::<Vec<_>>() == [block],
                    "round {round}: record {n} is not damaged, but {spoilt:?}: {:?}, {losses:?}",
                    of_it.first().map(|(_, read)| read.as_ref().map(|_| "another text"))
                );
            }
        }
        if losses.is_empty() {
            // Nothing that was in it is missing or different, or it is an archive like any other.
            let as_before = blocks.iter().all(|(uri, block)| found.contains(&(uri.clone(), Ok(block.clone()))));
            let is_believable = spoilt.iter().filter_map(|&n| blocks.get(n)).any(|(uri, _)| is_believable(&bytes, uri));
            assert!(spoilt.is_empty() || as_before || is_believable, "round {round}: nobody was told of {spoilt:?}");
            harmless += u64::from(!spoilt.is_empty());
        } else {
            assert!(!spoilt.is_empty(), "round {round}: {losses:?}");
            told += 1;
        }
    }
    println!("{told} told, {harmless} harmless");
    assert!(told > 1000 && harmless < 100, "{told} told, {harmless} harmless");
}
