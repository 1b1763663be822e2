//! Data folders whose shards are not the ones that belong there: refused, and whole again once they are back.

use super::common::Place;

/// A place with a data folder `d` of two shards, and records on both.
fn two_shards() -> Place {
    let place = Place::new();
    place.run("topic create lines --partitions 2 --data d --shards 2").succeeds();
    produce(&place, "d", 100);
    place
}

fn produce(place: &Place, data: &str, count: usize) {
    let lines: String = (0..count).map(|number| format!("key {number}\t{number}\n")).collect();
    place.write("lines.txt", lines);
    place.shell(&format!("$T produce lines --key-separator '\t' --file lines.txt --data {data}")).succeeds();
}

fn records(place: &Place, data: &str) -> usize {
    let consumed = place.run(&format!("consume lines --data {data}")).succeeds();
    consumed.text().lines().count()
}

/// Runs what only reads and what writes; both are refused.
fn refused(place: &Place, data: &str, said: &[&str]) {
    for command in ["topic list", "topic create other", "consume lines"] {
        place.run(&format!("{command} --data {data}")).fails(5, said);
    }
}

fn rename(place: &Place, from: &str, to: &str) {
    std::fs::rename(place.path(from), place.path(to)).unwrap();
}

#[test]
fn a_shard_that_is_not_there_is_not_made_anew() {
    let place = two_shards();
    for shard in ["shard-000", "shard-001"] {
        rename(&place, &format!("d/{shard}"), "away");
        refused(&place, "d", &[shard, "holds no log", "not mounted"]);
        // A mount point without its device.
        std::fs::create_dir(place.path(&format!("d/{shard}"))).unwrap();
        refused(&place, "d", &[shard, "holds no log"]);
        std::fs::remove_dir(place.path(&format!("d/{shard}"))).unwrap();
        rename(&place, "away", &format!("d/{shard}"));
    }
    assert_eq!(records(&place, "d"), 100);
}

#[test]
fn a_log_whose_superblock_is_gone_is_not_made_anew() {
    let place = two_shards();
    rename(&place, "d/shard-001/superblock", "away");
    refused(&place, "d", &["shard-001", "holds no log"]);
    place.write("d/shard-001/superblock", [0; 8192]);
    refused(&place, "d", &["shard-001", "superblock", "is damaged", "holds frames"]);
    rename(&place, "away", "d/shard-001/superblock");
    assert_eq!(records(&place, "d"), 100);
}

#[test]
fn shards_that_were_swapped_are_refused() {
    let place = two_shards();
    let swap = || {
        rename(&place, "d/shard-000", "away");
        rename(&place, "d/shard-001", "d/shard-000");
        rename(&place, "away", "d/shard-001");
    };
    swap();
    refused(&place, "d", &["is of shard ", "here belongs shard "]);
    swap();
    assert_eq!(records(&place, "d"), 100);
}

#[test]
fn a_shard_of_another_folder_is_refused() {
    let place = two_shards();
    place.run("topic create lines --partitions 2 --data e --shards 2").succeeds();
    rename(&place, "d/shard-001", "away");
    rename(&place, "e/shard-001", "d/shard-001");
    refused(&place, "d", &["is of shard 1 of data folder ", "here belongs shard 1 of "]);
    rename(&place, "d/shard-001", "e/shard-001");
    rename(&place, "away", "d/shard-001");
    assert_eq!(records(&place, "d"), 100);
}

#[test]
fn an_older_copy_of_the_catalogs_shard_takes_nothing_from_the_others() {
    let place = Place::new();
    place.run("topic create first --data d --shards 2").succeeds();
    place.shell("cp -r d/shard-000 older").succeeds();
    place.run("topic create lines --partitions 2 --data d").succeeds();
    produce(&place, "d", 100);
    rename(&place, "d/shard-000", "newer");
    rename(&place, "older", "d/shard-000");
    for command in ["topic list", "consume first"] {
        let said = &["shard 1 holds partition ", "an older copy"];
        place.run(&format!("{command} --data d")).fails(5, said);
    }
    // The check makes the same one.
    let ended = place.run("log verify --data d");
    assert_eq!(ended.code, 5, "{ended:?}");
    let said = "shard-001\" is damaged at byte 0: it holds partition ";
    assert!(ended.text().contains(said) && ended.text().contains("an older copy"), "{ended:?}");
    std::fs::remove_dir_all(place.path("d/shard-000")).unwrap();
    rename(&place, "newer", "d/shard-000");
    assert_eq!(records(&place, "d"), 100);
}

#[test]
fn the_manifest_of_a_complete_folder_is_there_twice() {
    let place = two_shards();
    for at in [0, 8, 16, 28, 4096, 4104, 4124] {
        place.patch("d/META", |bytes| bytes[at] ^= 1);
        assert_eq!(records(&place, "d"), 100, "a bit flipped at {at}");
        place.patch("d/META", |bytes| bytes[at] ^= 1);
    }
}

/// What loses the second block of the manifest.
type Loss = fn(&mut Vec<u8>);

#[test]
fn a_folder_that_was_used_stays_complete_without_the_second_block_of_its_manifest() {
    let losses: [Loss; 3] =
        [|bytes| bytes[4096..].fill(0), |bytes| bytes.truncate(4096), |bytes| bytes[4100] ^= 1];
    for loss in losses {
        let place = two_shards();
        place.patch("d/META", loss);
        let ended = place.run("log verify --data d");
        assert_eq!(ended.code, 5, "{ended:?}");
        assert!(ended.text().contains("META\" is damaged at byte 4096: "), "{ended:?}");
        for shard in ["shard-000", "shard-001"] {
            rename(&place, &format!("d/{shard}"), "away");
            refused(&place, "d", &[shard, "holds no log"]);
            assert!(!place.path(&format!("d/{shard}/superblock")).exists());
            rename(&place, "away", &format!("d/{shard}"));
        }
        // A start that finds all of them writes the block again.
        assert_eq!(records(&place, "d"), 100);
        place.run("log verify --data d").succeeds();
    }
}

#[test]
fn nothing_is_written_where_the_manifest_is_lost_and_a_shard_is_there() {
    for is_emptied in [true, false] {
        let place = two_shards();
        std::fs::remove_dir_all(place.path("d/shard-000")).unwrap();
        if is_emptied {
            place.write("d/META", "");
        } else {
            std::fs::remove_file(place.path("d/META")).unwrap();
        }
        let before = place.files("d");
        refused(&place, "d", &["META\" is damaged at byte 0: "]);
        for command in ["topic describe lines", "log format", "topic create l --shards 1"] {
            place.run(&format!("{command} --data d")).fails(5, &["META\" is damaged at byte 0: "]);
        }
        let ended = place.run("log verify --data d");
        assert_eq!(ended.code, 5, "{ended:?}");
        assert!(place.files("d") == before, "something was written");
    }
}
