//! What a machine may lack.

use super::common::Place;

#[test]
fn too_little_locked_memory_is_named_with_its_remedy() {
    let place = Place::with_topic("lines", 1);
    let parts = ["RLIMIT_MEMLOCK", "65536 bytes", "524288 are needed", "ulimit -l 512", "LimitMEMLOCK="];
    place.shell("ulimit -l 64; exec $T topic list --data d").fails(6, &parts);
    let made = place.shell("ulimit -l 64; exec $T topic create x --data e").fails(6, &parts);
    assert!(!place.path("e/META").exists(), "{made:?}");
    // A soft limit alone is raised.
    assert_eq!(
        place.shell("ulimit -Sl 64; exec $T topic list --data d").succeeds().text(),
        "lines  1 partition\n"
    );
}

#[test]
fn a_file_system_without_direct_io_is_named_and_buffered_goes_on() {
    let place = Place::new();
    std::fs::create_dir(place.path("m")).unwrap();
    // Memory has no direct I/O. The mount is gone with the process.
    let mounted =
        |line: &str| place.shell(&format!("exec unshare -rm sh -c 'mount -t ramfs none m && {line}'"));
    let possible = mounted("true");
    if possible.code != 0 {
        eprintln!("skipped: no file system without direct I/O can be mounted here: {}", possible.stderr);
        return;
    }
    mounted("exec $T topic create lines --data m/d --shards 1")
        .fails(6, &["no direct I/O (O_DIRECT)", "ext4 or xfs", "--buffered"]);
    let ended = mounted(
        "$T topic create lines --data m/d --shards 1 --buffered && seq 5 | $T produce lines --data m/d --buffered \
         && $T consume lines --data m/d --buffered",
    );
    let expected = "created lines with 1 partition\nappended 5 records of 5 bytes to lines\n1\n2\n3\n4\n5\n";
    assert_eq!(ended.succeeds().text(), expected);
}

#[test]
fn a_full_disk_refuses_appends_by_name_and_serves_what_it_holds() {
    let place = Place::new();
    std::fs::create_dir(place.path("m")).unwrap();
    let mounted = |line: &str| {
        place.shell(&format!("exec unshare -rm sh -c 'mount -t tmpfs -o size=300m none m && {line}'"))
    };
    let possible = mounted("true");
    if possible.code != 0 {
        eprintln!("skipped: no small file system can be mounted here: {}", possible.stderr);
        return;
    }
    place.write("t.yaml", "topology: t\nsteps: [{from: l}, {to: l-copies}]\n");
    let a_thousand = "a".repeat(1000);
    let ended = mounted(&format!(
        "on=\"--data m/d --buffered\"; $T topic create l --shards 1 $on && \
         yes {a_thousand} | head -n 200000 | $T produce l $on; echo code $?; \
         $T streams run t.yaml --until-idle $on >&2; echo run $?; \
         $T consume l $on | wc -l; $T topic describe l --json $on; \
         $T topic delete l $on && $T topic create again $on && seq 3 | $T produce again $on && $T consume again $on"
    ))
    .succeeds();
    assert!(ended.text().starts_with("created l with 1 partition\ncode 6\nrun 6\n"), "{ended:?}");
    assert!(ended.stderr.contains("an append was refused: no space left for records; "), "{}", ended.stderr);
    let appended = ended.stderr.split(" records were appended").next().unwrap().rsplit(' ').next().unwrap();
    assert!(appended.parse::<u64>().unwrap() > 1000, "{appended}");
    assert!(
        ended.text().contains(&format!("\n{appended}\n")),
        "what was acknowledged can be read: {ended:?}"
    );
    assert!(ended.text().contains(&format!("\"end\":{appended}")), "and nothing else is there: {ended:?}");
    assert!(ended.text().ends_with("appended 3 records of 3 bytes to again\n1\n2\n3\n"), "{ended:?}");
}

#[test]
fn a_limit_of_file_sizes_is_told_as_any_failed_write() {
    let place = Place::with_topic("lines", 1);
    let made = place.shell("ulimit -f 2048; exec $T topic create x --shards 1 --data e");
    let made = made.fails(6, &["File too large (os error 27)"]);
    assert_eq!(made.stderr.matches("opened").count(), 1, "{made:?}");
    let lines = format!("yes {} | head -n 8000", "a".repeat(1000));
    let written = place.shell(&format!("ulimit -f 2048; {lines} | $T produce lines --data d"));
    written.fails(70, &["File too large (os error 27)"]);
    place.run("topic list --data d").succeeds();
}

#[test]
fn buffered_works_with_a_warning_and_leaves_a_folder_like_any_other() {
    let place = Place::new();
    let created = place.run("topic create lines --data d --shards 1 --buffered").succeeds();
    assert!(
        created.stderr.contains("note: buffered: writes go through the page cache"),
        "{}",
        created.stderr
    );
    place.pipe(b"a\nb\n", "produce lines --data d --buffered").succeeds();
    let read = place.run("consume lines --data d").succeeds();
    assert_eq!((read.text(), read.stderr.contains("buffered")), ("a\nb\n", false));
}

#[test]
fn help_names_the_exit_codes_and_completions_are_shell() {
    let place = Place::new();
    let help = place.run("--help").succeeds();
    for code in
        ["    0  done", "    4  the data folder is in use", "   70  the disk failed", "  130  interrupted"]
    {
        assert!(help.text().contains(code), "{}", help.text());
    }
    let script = place.run("completions bash").succeeds();
    place.write("thalweg.bash", &script.stdout);
    place.shell("bash -n thalweg.bash").succeeds();
    let full =
        place.shell("exec $T completions bash > /dev/full").fails(1, &["standard output cannot be written"]);
    assert!(!full.stderr.contains("panicked"), "{}", full.stderr);
    place.run("topik list").fails(2, &["'topik'", "'topic'"]);
}
