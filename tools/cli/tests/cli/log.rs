//! `thalweg log`: looks at a data folder and checks it, without changing it.

use std::path::Path;

use serde_json::{Value, json};
use thalweg_engine::catalog::TopicSettings;
use thalweg_engine::model::{BatchBuilder, Timestamp, TopicName};
use thalweg_runtime::{Engine, EngineOptions};

use super::common::{Place, make_checkpoint};
use super::refusals::{find_last_block, make_newer};

const BLOCK: usize = 4096;
const SEGMENT_SIZE: usize = 64 << 10;

/// Makes a data folder `d` of one shard with a topic `lines` of 60 batches: segments with footers, a checkpoint, and log
/// behind it.
fn with_segments(place: &Place) {
    let mut options = EngineOptions { shards: Some(1), ..EngineOptions::default() };
    options.log.segment_size = SEGMENT_SIZE as u32;
    options.log.frame_size_max = 16 << 10;
    options.log.frame_size_target = 8 << 10;
    options.log.pool_target = 1;
    let engine = Engine::open(&place.path("d"), options).unwrap();
    let client = engine.client();
    let topic = client.create_topic(&TopicName::new("lines").unwrap(), 1, TopicSettings::default()).unwrap();
    for number in 0..60u64 {
        let mut batch = BatchBuilder::new();
        let value = [format!("line {number:03} ").as_bytes(), &[b'x'; 2500]].concat();
        batch.push(Timestamp(1), None, Some(&value), &[]).unwrap();
        client.append(&topic.partitions[0], batch.into_bytes()).wait().unwrap().unwrap();
        if number == 49 {
            make_checkpoint(&engine);
        }
    }
    engine.close().unwrap();
}

/// What `thalweg log verify --json` prints, and that it ends with `code` and changes nothing.
fn verify(place: &Place, code: i32) -> Value {
    let before = place.files("d");
    let ended = place.run("log verify --data d --json");
    assert_eq!(ended.code, code, "{ended:?}");
    assert!(place.files("d") == before, "a check changes nothing");
    serde_json::from_slice(&ended.stdout).unwrap()
}

/// Applies `change` to a file, checks that `verify` names it at `position`, and puts it back. Returns what it costs.
fn named(place: &Place, name: &str, position: u64, change: impl FnOnce(&mut Vec<u8>)) -> Value {
    let sound = std::fs::read(place.path(name)).unwrap();
    place.patch(name, change);
    let loss = is_named(place, name, position);
    place.write(name, sound);
    loss
}

fn is_named(place: &Place, name: &str, position: u64) -> Value {
    let said = verify(place, 5);
    let file = place.path(name).canonicalize().unwrap_or_else(|_| place.path(name));
    let all =
        said["shards"].as_array().unwrap().iter().flat_map(|shard| shard["damages"].as_array().unwrap());
    let found = all.chain(said["manifest"]["damages"].as_array().unwrap()).find(|damage| {
        Path::new(damage["file"].as_str().unwrap()).file_name() == file.file_name()
            && damage["position"] == json!(position)
    });
    found.unwrap_or_else(|| panic!("{name} at {position} is not named: {said}"))["loss"].clone()
}

/// Where the blocks of `name` lie that begin with `magic`.
fn blocks(place: &Place, name: &str, magic: &[u8]) -> Vec<usize> {
    let bytes = std::fs::read(place.path(name)).unwrap();
    let blocks = bytes.chunks(BLOCK).enumerate().filter(|(_, block)| block.starts_with(magic));
    blocks.map(|(index, _)| index * BLOCK).collect()
}

fn flip(at: usize) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| bytes[at] ^= 4
}

#[test]
fn a_sound_folder_is_told_in_full_and_is_whole() {
    let place = Place::new();
    with_segments(&place);
    let said = verify(&place, 0);
    assert_eq!((&said["whole"], &said["damage_count"]), (&json!(true), &json!(0)));
    let shard = &said["shards"][0];
    assert!(shard["checked"]["segments"].as_u64().unwrap() >= 4, "{shard}");
    assert!(shard["checked"]["footers"].as_u64().unwrap() >= 2, "{shard}");
    assert_eq!(shard["checked"]["frames"], shard["end"]["sequence"]);
    let text = place.run("log verify --data d").succeeds();
    assert!(text.text().starts_with("shard 0: whole; read "), "{text:?}");

    let before = place.files("d");
    let looked = place.run("log inspect --data d --frames --from 10 --limit 7 --json").json();
    let shard = &looked["shards"][0];
    assert_eq!(shard["end"], said["shards"][0]["end"]);
    let segments = shard["segments"].as_array().unwrap();
    let batches: u64 = segments.iter().map(|segment| segment["batches"].as_u64().unwrap()).sum();
    assert_eq!(batches, 60);
    let with_state = |state: &str| segments.iter().filter(|segment| segment["state"] == state).count();
    assert_eq!(with_state("open"), 1);
    assert!(with_state("sealed") >= 3, "{segments:?}");
    assert!(with_state("free") >= 1, "{segments:?}");
    let sequences: Vec<u64> =
        shard["frames"].as_array().unwrap().iter().map(|frame| frame["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (10..17).collect::<Vec<_>>());
    let text = place.run("log inspect --data d --frames --limit 3").succeeds();
    for part in ["data folder ", "superblock in force", "in force; file", "sealed", "durable up to"] {
        assert!(text.text().contains(part), "no {part:?} in {}", text.text());
    }
    assert_eq!(place.run("log format --data d").succeeds().text(), "format 1; this program reads up to 1\n");
    let format = place.run("log format --data d --json").json();
    assert_eq!(
        (&format["format"], &format["known"], &format["shards"]),
        (&json!(1), &json!(true), &json!(1))
    );
    assert!(place.files("d") == before, "nothing is changed");
    assert_eq!(place.run("consume lines --data d --from 59").succeeds().text()[..8], *"line 059");
}

#[test]
fn every_kind_of_damage_is_named_with_file_and_position() {
    let place = Place::new();
    with_segments(&place);
    let segment = "d/shard-000/segment-00000000";
    let last = SEGMENT_SIZE - BLOCK;
    let nothing = json!({"kind": "nothing"});
    // It lies there twice once all logs have been made.
    assert_eq!(named(&place, "d/META", 28, flip(20)), nothing);
    assert_eq!(named(&place, "d/META", 4096 + 28, flip(4096 + 20)), nothing);
    let both = |bytes: &mut Vec<u8>| [20, 4096 + 20].into_iter().for_each(|at| bytes[at] ^= 4);
    assert_eq!(named(&place, "d/META", 28, both), json!({"kind": "log"}));
    assert_eq!(named(&place, "d/META", 0, Vec::clear), json!({"kind": "log"}));
    let looked = place.run("log inspect --data d --json").json();
    let superblock = &looked["shards"][0]["superblock"];
    let in_force = superblock["in_force"]["position"].as_u64().unwrap();
    let older = superblock["older"]["position"].as_u64().unwrap();
    assert_eq!(named(&place, "d/shard-000/superblock", older, flip(older as usize + 30)), nothing);
    named(&place, "d/shard-000/superblock", in_force, flip(in_force as usize + 30));
    named(&place, "d/shard-000/superblock", 0, |bytes| bytes.fill(0));
    let checkpoint = &superblock["in_force"]["checkpoint"]["file"];
    let checkpoint = format!("d/shard-000/checkpoint-{checkpoint}");
    assert_eq!(named(&place, &checkpoint, 0, flip(20)), json!({"kind": "log"}));
    assert_eq!(named(&place, &checkpoint, 64, flip(64 + 16 + 9)), json!({"kind": "log"}));

    let everything = named(&place, segment, 0, flip(20));
    assert_eq!(everything["kind"], "batches");
    let frames = blocks(&place, segment, b"THALWEGF");
    let frame = frames[4];
    let at = frame as u64;
    // Batches are found by the footer; the header and the directory of their frame are not needed.
    assert_eq!(named(&place, segment, at, flip(frame + 50)), nothing);
    assert_eq!(named(&place, segment, at + 128, flip(frame + 140)), nothing);
    assert_eq!(named(&place, segment, last as u64, flip(last + 41)), nothing);
    assert_eq!(named(&place, segment, (last - BLOCK) as u64, flip(last - BLOCK + 100)), nothing);
    let bytes = std::fs::read(place.path(segment)).unwrap();
    let payload = bytes[frame..].windows(9).position(|window| window.starts_with(b"line 0")).unwrap() + frame;
    let number: u64 = std::str::from_utf8(&bytes[payload + 5..payload + 8]).unwrap().parse().unwrap();
    let start = bytes[..payload].windows(4).rposition(|window| window == b"TWB1").unwrap() as u64;
    let lost = named(&place, segment, start, flip(payload + 20));
    let part = json!([{"partition": 0, "from": number, "to": number + 1}]);
    assert_eq!(lost, json!({"kind": "batches", "parts": lost["parts"], "more": 0}));
    assert_eq!((&lost["parts"][0]["from"], &lost["parts"][0]["to"]), (&part[0]["from"], &part[0]["to"]));

    // What a start reads is lost from there on.
    let end = &looked["shards"][0]["end"];
    let open = format!("d/shard-000/segment-{:08x}", end["segment"].as_u64().unwrap());
    let frame = blocks(&place, &open, b"THALWEGF")[0];
    let lost = named(&place, &open, frame as u64, flip(frame + 60));
    assert_eq!(lost["kind"], "frames");
    assert_eq!(verify(&place, 0)["whole"], json!(true), "all of it was put back");
    let text = {
        place.patch(&open, flip(frame + 60));
        place.run("log verify --data d")
    };
    assert_eq!(text.code, 5);
    assert!(text.text().contains("is damaged at byte "), "{text:?}");
    assert!(text.text().contains("and all behind it"), "{text:?}");
    assert!(text.stderr.contains("\"d\" has 1 damage; nothing was changed"), "{text:?}");
}

#[test]
fn files_that_are_cut_off_missing_or_in_anothers_place_are_named() {
    let place = Place::new();
    with_segments(&place);
    let (zero, one) = ("d/shard-000/segment-00000000", "d/shard-000/segment-00000001");
    named(&place, zero, 9 * BLOCK as u64, |bytes| bytes.truncate(9 * BLOCK));
    // In the middle of a block.
    named(&place, zero, 5000, |bytes| bytes.truncate(5000));
    let other = std::fs::read(place.path(one)).unwrap();
    named(&place, zero, 0, |bytes| bytes.clone_from(&other));
    let looked = place.run("log inspect --data d --json").json();
    let checkpoint = &looked["shards"][0]["superblock"]["in_force"]["checkpoint"]["file"];
    let checkpoint = format!("d/shard-000/checkpoint-{checkpoint}");
    for name in [zero, "d/META", "d/shard-000/superblock", &checkpoint] {
        let aside = place.path("aside");
        std::fs::rename(place.path(name), &aside).unwrap();
        let loss = is_named(&place, name, 0);
        assert_ne!(loss["kind"], "nothing", "{name}");
        std::fs::rename(&aside, place.path(name)).unwrap();
    }
    assert_eq!(verify(&place, 0)["whole"], json!(true));
}

#[test]
fn a_log_that_is_gone_as_a_whole_is_named() {
    let place = Place::new();
    place.run("topic create lines --partitions 2 --data d --shards 2").succeeds();
    verify(&place, 0);
    std::fs::remove_dir_all(place.path("d/shard-001")).unwrap();
    let loss = is_named(&place, "d/shard-001/superblock", 0);
    assert_eq!(loss, json!({"kind": "log"}));
    assert!(!place.path("d/shard-001").exists(), "nothing is made");
    // Nor is the log of one shard that of another.
    std::fs::rename(place.path("d/shard-000"), place.path("d/shard-001")).unwrap();
    assert_eq!(is_named(&place, "d/shard-001/superblock", 0), json!({"kind": "log"}));
    let said = verify(&place, 5);
    let what = said["shards"][1]["damages"][0]["what"].as_str().unwrap();
    assert!(what.contains("this is the log of shard 0 of"), "{what}");
}

#[test]
fn the_torn_tail_of_a_crash_is_no_damage() {
    let place = Place::with_topic("lines", 1);
    place.pipe(b"one\n", "produce lines --data d").succeeds();
    place.patch("d/shard-000/segment-00000000", |bytes| {
        let frame = find_last_block(bytes, b"THALWEGF");
        bytes[frame + 100] ^= 1;
    });
    let said = verify(&place, 0);
    assert_eq!(said["shards"][0]["end"]["tail"], "torn");
    let text = place.run("log verify --data d").succeeds();
    assert!(text.text().contains("the torn tail of the last start"), "{text:?}");
}

#[test]
fn a_folder_of_a_newer_version_is_told_by_its_version_and_refused_by_file() {
    let place = Place::new();
    with_segments(&place);
    let open = {
        let looked = place.run("log inspect --data d --json").json();
        format!("d/shard-000/segment-{:08x}", looked["shards"][0]["end"]["segment"].as_u64().unwrap())
    };
    let newer = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let sound = std::fs::read(place.path(name)).unwrap();
        place.patch(name, |bytes| change(bytes));
        let before = place.files("d");
        let file = format!("{}\"", name.rsplit('/').next().unwrap());
        for command in ["log inspect", "log verify"] {
            let said = ["by a newer version: format 2", "reads up to 1", &file];
            place.run(&format!("{command} --data d")).fails(5, &said);
        }
        let ended = place.run("log format --data d");
        assert_eq!((ended.code, ended.text()), (5, "format 2; this program reads up to 1\n"), "{ended:?}");
        assert!(ended.stderr.contains(&file), "{ended:?}");
        let ended = place.run("log format --data d --json");
        let format: Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!((&format["format"], &format["known"]), (&json!(2), &json!(false)));
        place.run("topic list --data d").fails(5, &["by a newer version: format 2", &file]);
        assert!(place.files("d") == before, "the refusal changed something");
        place.write(name, sound);
    };
    newer("d/META", &|bytes| {
        bytes[8..10].copy_from_slice(&2u16.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..28]).to_le_bytes();
        bytes[28..32].copy_from_slice(&checksum);
    });
    newer("d/shard-000/superblock", &|bytes| {
        for at in [0, BLOCK] {
            make_newer(bytes, at, 128);
        }
    });
    newer(&open, &|bytes| make_newer(bytes, 0, 64));
    newer(&open, &|bytes| {
        let frame = find_last_block(bytes, b"THALWEGF");
        make_newer(bytes, frame, 128);
    });
    verify(&place, 0);
}

#[test]
fn a_folder_in_use_and_what_is_no_data_folder_are_refused() {
    let place = Place::with_topic("lines", 1);
    place.write("t.yaml", "topology: t\nsteps: [{from: lines}, {to: copies}]\n");
    let mut holder = place.start("streams run t.yaml --data d");
    holder.await_saying("t is running");
    let pid = format!("in use by process {}", holder.pid());
    std::fs::create_dir(place.path("other")).unwrap();
    for command in ["log inspect", "log verify", "log format"] {
        place.run(&format!("{command} --data d")).fails(4, &[&pid, "choose another folder"]);
        place.run(&format!("{command} --data none")).fails(3, &["\"none\" does not exist"]);
        place.run(&format!("{command} --data other")).fails(3, &["\"other\" is not a data folder"]);
        assert_eq!(std::fs::read_dir(place.path("other")).unwrap().count(), 0, "{command} made something");
    }
    holder.interrupt().succeeds();
    verify(&place, 0);
    place.run("log inspect --data d --limit 3").fails(2, &["--frames"]);
}

#[test]
fn a_segment_that_is_gone_or_damaged_is_told_by_everything_that_reads_it() {
    let place = Place::new();
    with_segments(&place);
    place.write("t.yaml", "topology: t\nsteps: [{from: lines}, {to: copies}]\n");
    let segment = "d/shard-000/segment-00000000";
    let told = |code: i32| {
        place.run("consume lines --data d --max 5").fails(code, &["segment-00000000\" is damaged at byte "]);
        let stopped = "the topology stopped: partition 0 of topic lines could not be read: ";
        let run = "streams run t.yaml --until-idle --data d";
        place
            .shell(&format!("timeout 60 $T {run}"))
            .fails(code, &[stopped, "segment-00000000\" is damaged at byte "]);
    };
    place.run("topic create copies --data d").succeeds();
    let sound = std::fs::read(place.path(segment)).unwrap();
    std::fs::remove_file(place.path(segment)).unwrap();
    told(5);
    place.write(segment, &sound);
    place.patch(segment, |bytes| {
        let at = bytes.windows(9).position(|window| window == b"line 000 ").unwrap();
        bytes[at + 20] ^= 4;
    });
    told(5);
    let said = verify(&place, 5);
    let part = &said["shards"][0]["damages"][0]["loss"]["parts"][0];
    assert_eq!((&part["topic"], &part["topic_partition"]), (&json!("lines"), &json!(0)), "{said}");
    let text = place.run("log verify --data d");
    assert!(text.text().contains(" is partition 0 of topic lines\n"), "{text:?}");
}

#[test]
fn a_superblock_with_an_impossible_position_is_damage() {
    for position in [1u32, 4095, 0x8000_0000] {
        let place = Place::with_topic("lines", 1);
        place.pipe(b"one\n", "produce lines --data d").succeeds();
        place.patch("d/shard-000/superblock", |bytes| {
            for block in bytes.chunks_mut(BLOCK) {
                block[84..88].copy_from_slice(&position.to_le_bytes());
                let mut hasher = crc32fast::Hasher::new();
                hasher.update(&block[16..24]);
                hasher.update(&block[..124]);
                block[124..128].copy_from_slice(&hasher.finalize().to_le_bytes());
            }
        });
        assert_eq!(is_named(&place, "d/shard-000/superblock", 0), json!({"kind": "log"}));
        place.run("log inspect --data d").succeeds();
        place.run("topic list --data d").fails(5, &["superblock\" is damaged at byte 0: "]);
    }
}
