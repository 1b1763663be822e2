//! Data folders that are refused: in use, newer, of another shape, damaged.

use thalweg_engine::catalog::TopicSettings;
use thalweg_engine::model::{BatchBuilder, Timestamp, TopicName};
use thalweg_runtime::{Engine, EngineOptions};

use super::common::{Place, make_checkpoint};

/// The seeded checksum of FORMAT.md over `bytes`.
fn seeded(log: &[u8], bytes: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(log);
    hasher.update(bytes);
    hasher.finalize().to_le_bytes()
}

/// Gives the header of `size` bytes at `at` version 2, and the checksum that belongs to it.
pub(crate) fn make_newer(bytes: &mut [u8], at: usize, size: usize) {
    let header = &mut bytes[at..at + size];
    assert_eq!(header[8..10], 1u16.to_le_bytes(), "a header of version 1");
    header[8..10].copy_from_slice(&2u16.to_le_bytes());
    let log = header[16..24].to_vec();
    let checksum = seeded(&log, &header[..size - 4]);
    header[size - 4..].copy_from_slice(&checksum);
}

/// Where `part` lies in `bytes`; it must be there once.
fn find(bytes: &[u8], part: &[u8]) -> usize {
    let mut found = bytes.windows(part.len()).enumerate().filter(|(_, window)| *window == part);
    let at = found.next().unwrap().0;
    assert!(found.next().is_none(), "it is there once");
    at
}

#[test]
fn a_folder_in_use_is_refused_with_the_process_that_holds_it() {
    let place = Place::with_topic("lines", 1);
    place.write("t.yaml", "topology: t\nsteps: [{from: lines}, {to: copies}]\n");
    let mut holder = place.start("streams run t.yaml --data d");
    holder.await_saying("t is running");
    let pid = format!("in use by process {}", holder.pid());
    for command in ["topic list", "topic create x", "produce lines", "consume lines", "streams run t.yaml"] {
        place.run(&format!("{command} --data d")).fails(4, &[&pid, "choose another folder"]);
    }
    holder.interrupt().succeeds();
    place.run("topic list --data d").succeeds();
}

#[test]
fn a_folder_of_a_newer_version_is_refused_by_file() {
    let place = Place::with_topic("lines", 1);
    place.pipe(b"one\n", "produce lines --data d").succeeds();
    let refused = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let sound = std::fs::read(place.path(name)).unwrap();
        place.patch(name, |bytes| change(bytes));
        let before = place.files("d");
        let said =
            place.run("topic list --data d").fails(5, &["by a newer version: format 2", "reads up to 1"]);
        let file = name.rsplit('/').next().unwrap();
        assert!(said.stderr.contains(&format!("{file}\"")), "{file} is not named: {}", said.stderr);
        assert!(place.files("d") == before, "the refusal changed something");
        place.write(name, sound);
    };
    refused("d/META", &|bytes| {
        bytes[8..10].copy_from_slice(&2u16.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..28]).to_le_bytes();
        bytes[28..32].copy_from_slice(&checksum);
    });
    refused("d/shard-000/superblock", &|bytes| {
        for at in [0, 4096] {
            if bytes[at..at + 8] == *b"THALWEGB" {
                make_newer(bytes, at, 128);
            }
        }
    });
    refused("d/shard-000/segment-00000000", &|bytes| make_newer(bytes, 0, 64));
    refused("d/shard-000/segment-00000000", &|bytes| {
        let frame = find_last_block(bytes, b"THALWEGF");
        make_newer(bytes, frame, 128);
    });
    assert_eq!(place.run("consume lines --data d").succeeds().text(), "one\n");
}

/// Where the last block that begins with `magic` lies.
pub(crate) fn find_last_block(bytes: &[u8], magic: &[u8]) -> usize {
    bytes.chunks_exact(4096).rposition(|block| block.starts_with(magic)).unwrap() * 4096
}

#[test]
fn damage_is_refused_by_file_and_position_and_nothing_is_changed() {
    let place = Place::with_topic("lines", 1);
    place.pipe(b"first\n", "produce lines --data d").succeeds();
    place.pipe(b"the one that rots\n", "produce lines --data d").succeeds();
    place.pipe(b"last\n", "produce lines --data d").succeeds();
    let segment = "d/shard-000/segment-00000000";
    let mut at = 0;
    place.patch(segment, |bytes| {
        at = find(bytes, b"the one that rots");
        bytes[at] ^= 1;
    });
    let before = place.files("d");
    for command in ["topic list", "consume lines", "produce lines", "topic create x"] {
        let refused = place.run(&format!("{command} --data d"));
        refused.fails(5, &["segment-00000000\" is damaged at byte ", "was acknowledged", "--accept-damage"]);
        assert!(place.files("d") == before, "{command} changed something");
    }
    let said = place.run("topic list --data d").stderr;
    let position = said.split("at byte ").nth(1).unwrap().split(':').next().unwrap();
    let position: usize = position.parse().unwrap();
    assert!(position <= at && at < position + 8192, "frame at {position}, damage at {at}");
    assert_eq!(&before[&place.path(segment)][position..position + 8], b"THALWEGF");

    let accepted = place.run("consume lines --accept-damage --data d").succeeds();
    assert_eq!(accepted.text(), "first\n", "what follows the damage is lost with it");
    assert!(accepted.stderr.contains("warning: damage accepted on shard 0"), "{}", accepted.stderr);
    place.pipe(b"new\n", "produce lines --data d").succeeds();
    assert_eq!(place.run("consume lines --data d").succeeds().text(), "first\nnew\n");
}

/// Makes a data folder `d` with a topic `lines` of three batches, all behind a checkpoint.
fn with_checkpoint(place: &Place) {
    let options = EngineOptions { shards: Some(1), ..EngineOptions::default() };
    let engine = Engine::open(&place.path("d"), options).unwrap();
    let client = engine.client();
    let name = TopicName::new("lines").unwrap();
    let topic = client.create_topic(&name, 1, TopicSettings::default()).unwrap();
    for line in ["first", "the one that rots", "last"] {
        let mut batch = BatchBuilder::new();
        batch.push(Timestamp(1), None, Some(line.as_bytes()), &[]).unwrap();
        client.append(&topic.partitions[0], batch.into_bytes()).wait().unwrap().unwrap();
    }
    make_checkpoint(&engine);
    engine.close().unwrap();
}

#[test]
fn damage_that_shows_when_it_is_read_is_told_by_file_and_position() {
    let place = Place::new();
    with_checkpoint(&place);
    let mut at = 0;
    place.patch("d/shard-000/segment-00000000", |bytes| {
        at = find(bytes, b"the one that rots");
        bytes[at] ^= 1;
    });
    // A start reads nothing before the checkpoint.
    place.run("topic list --data d").succeeds();
    let refused = place.run("consume lines --data d");
    assert_eq!(refused.code, 5, "{refused:?}");
    let position = refused.stderr.split("segment-00000000\" is damaged at byte ").nth(1).unwrap();
    let position: usize = position.split(':').next().unwrap().parse().unwrap();
    assert!(position <= at && at < position + 4096, "batch at {position}, damage at {at}");
    assert!(!refused.text().contains("rots"), "{refused:?}");
    assert_eq!(place.run("consume lines --from 2 --data d").succeeds().text(), "last\n");
}

#[test]
fn a_damaged_manifest_or_superblock_is_refused_by_file() {
    let place = Place::with_topic("lines", 1);
    for (name, word) in [("d/META", "META"), ("d/shard-000/superblock", "superblock")] {
        let sound = std::fs::read(place.path(name)).unwrap();
        place.patch(name, |bytes| {
            for block in bytes.chunks_mut(4096) {
                block[20] ^= 1;
            }
        });
        let before = place.files("d");
        place.run("topic list --data d").fails(5, &[&format!("{word}\" is damaged at byte ")]);
        assert!(place.files("d") == before, "the refusal changed something");
        place.write(name, sound);
    }
    place.run("topic list --data d").succeeds();
}

#[test]
fn a_folder_of_another_shape_is_refused() {
    let place = Place::with_topic("lines", 1);
    place
        .run("topic create x --shards 3 --data d")
        .fails(5, &["has 1 shards, which cannot become 3", "leave --shards out"]);
    place.run("topic create x --shards 0 --data e").fails(2, &["--shards"]);
    std::fs::create_dir(place.path("full")).unwrap();
    place.write("full/notes.txt", "mine");
    place.run("topic create x --data full").fails(5, &["holds \"notes.txt\"", "an empty folder is needed"]);
    assert_eq!(std::fs::read(place.path("full/notes.txt")).unwrap(), b"mine");
    place.write("file", "");
    for command in ["topic create x", "topic list", "streams run t.yaml"] {
        place.write("t.yaml", "topology: t\nsteps: [{from: lines}, {to: copies}]\n");
        place
            .run(&format!("{command} --data file"))
            .fails(2, &["error: the data folder \"file\" is a file, not a folder\n"]);
    }
}

#[test]
fn what_a_disk_refuses_is_said_once() {
    let place = Place::with_topic("lines", 1);
    std::fs::remove_file(place.path("d/META")).unwrap();
    std::fs::create_dir(place.path("d/META")).unwrap();
    let refused = place.run("topic list --data d").fails(6, &["/d\" could not be opened: "]);
    assert_eq!(refused.stderr.matches("opened").count(), 1, "{}", refused.stderr);
    assert_eq!(refused.stderr.matches("os error").count(), 1, "{}", refused.stderr);
}

#[test]
fn a_folder_that_cannot_be_looked_at_lacks_permission_and_a_file_is_no_folder() {
    let place = Place::with_topic("lines", 1);
    place.write("file", b"x");
    let commands = ["log verify", "log inspect", "log format", "topic list", "consume lines"];
    for command in commands {
        place.run(&format!("{command} --data file")).fails(2, &["\"file\" is a file, not a folder"]);
        place.run(&format!("{command} --data file/d")).fails(3, &["\"file/d\" does not exist"]);
    }
    // Root may look anywhere: then as somebody else, if that is allowed here.
    let is_root = place.shell("test $(id -u) = 0").code == 0;
    let as_other = if is_root { "setpriv --reuid 65534 --clear-groups " } else { "" };
    place.shell("chmod 000 d").succeeds();
    if place.shell(&format!("{as_other}true && ! {as_other}ls d")).code == 0
        && place.shell(&format!("{as_other}$T --version")).code == 0
    {
        for command in commands {
            place
                .shell(&format!("{as_other}$T {command} --data d"))
                .fails(6, &["\"d\" cannot be looked at: "]);
        }
    }
    place.shell("chmod 755 d").succeeds();
}

#[test]
fn what_cannot_be_said_on_standard_error_ends_nothing() {
    let place = Place::with_topic("lines", 1);
    let codes = [
        ("topic list --data none", 3),
        ("consume lines --from 7 --data d", 0),
        ("topic describe x --data d", 3),
    ];
    for (command, code) in codes {
        let ended = place.shell(&format!("$T {command} 2>/dev/full"));
        assert_eq!((ended.code, ended.stdout.as_slice()), (code, &b""[..]), "{command}");
    }
}
