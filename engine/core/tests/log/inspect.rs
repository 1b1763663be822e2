//! Looking at a log and checking it: agrees with what opening and reading it does, whatever was damaged.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_engine::io::{File, FileKind, OpenMode, Runtime};
use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_engine::log::format::{Entry, EntryKind, FOOTER_MAGIC};
use thalweg_engine::log::inspect::{
    FooterView, FrameView, LogCheck, LogView, Loss, SegmentUse, Tail, inspect, list_frames, verify,
};
use thalweg_engine::log::{DraftEntry, Log, OpenError, ReadError};
use thalweg_engine::model::{Offset, SegmentId, Sequence, StreamId};
use thalweg_sim::{BitFlip, Crash, RunEnd, SimRuntime, StopAt, World, WorldConfig};

use super::state::{FOLDER, SMALL_SEGMENT_SIZE as SEGMENT_SIZE, State, append_committed, small_segments};

const STREAMS: [StreamId; 2] = [StreamId(1), StreamId(2)];
/// Batches of each stream before the checkpoint, and in all: more than three segments, and one and a half.
const COVERED: u64 = 24;
const BATCHES: u64 = 36;
/// First offset kept of the first stream.
const START: u64 = 3;

async fn open(runtime: SimRuntime) -> Result<Log<SimRuntime>, OpenError> {
    let state = Rc::new(RefCell::new(State::default()));
    Ok(Log::open(runtime, Path::new(FOLDER), small_segments(), state).await?.0)
}

fn payload(stream: StreamId, base: u64) -> Vec<u8> {
    vec![(stream.0 as u8) << 6 | base as u8; 2500]
}

/// Appends one frame.
async fn append(log: &Log<SimRuntime>, entries: &[(Entry, Vec<u8>)]) {
    let drafts: Vec<DraftEntry<'_>> =
        entries.iter().map(|(entry, payload)| DraftEntry { entry: *entry, payload }).collect();
    append_committed(log, &drafts).await;
}

/// Appends batch `base` of both streams, in one frame with an entry of the state.
async fn append_batches(log: &Log<SimRuntime>, base: u64) {
    let batch = |stream: StreamId| {
        let kind = EntryKind::Batch.raw();
        (Entry { kind, subject: stream.0, base, count: 1, ..Entry::default() }, payload(stream, base))
    };
    let delta = (Entry { kind: EntryKind::StoreDelta.raw(), ..Entry::default() }, vec![7; 40]);
    append(log, &[batch(STREAMS[0]), delta, batch(STREAMS[1])]).await;
}

async fn write_all(log: &Log<SimRuntime>) {
    for base in 0..BATCHES {
        append_batches(log, base).await;
        if base + 1 == COVERED {
            let kind = EntryKind::LogStart.raw();
            let trim = Entry { kind, subject: STREAMS[0].0, base: START, ..Entry::default() };
            append(log, &[(trim, Vec::new())]).await;
            log.checkpoint().await.unwrap();
        }
    }
}

/// A closed log: segments with footers, a checkpoint, log behind it.
fn written() -> World {
    let world = World::new(5, WorldConfig::calm());
    run(&world, |runtime| async move {
        let log = open(runtime).await.unwrap();
        write_all(&log).await;
        log.close().await;
    });
    world
}

/// Runs `task` to its end on the only shard; returns what it returned.
fn run<T: 'static, F: Future<Output = T> + 'static>(
    world: &World,
    task: impl Fn(SimRuntime) -> F + Clone + 'static,
) -> T {
    let output = Rc::new(RefCell::new(None));
    let filled = Rc::clone(&output);
    world.start(1, move |runtime: SimRuntime| {
        let (filled, task) = (Rc::clone(&filled), task.clone());
        async move {
            let value = task(runtime).await;
            filled.borrow_mut().replace(value);
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    world.crash(Crash::Process);
    output.take().expect("it ran to its end")
}

fn files(world: &World) -> BTreeMap<PathBuf, Vec<u8>> {
    world.files().into_iter().map(|path| (path.clone(), world.content(&path).unwrap())).collect()
}

/// Checks the log; nothing may change by that.
fn check(world: &World) -> LogCheck {
    let before = files(world);
    let check = run(world, |runtime| async move { verify(&runtime, Path::new(FOLDER), None).await });
    assert!(files(world) == before, "a check changes nothing");
    check.unwrap()
}

fn look(world: &World) -> LogView {
    run(world, |runtime| async move { inspect(&runtime, Path::new(FOLDER), None).await }).unwrap()
}

fn file(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// What opening the log and reading all of it gives: where the streams end and the batches that cannot be read, or why it
/// does not open.
fn read_all(world: &World) -> Result<(u64, BTreeSet<(StreamId, u64)>), OpenError> {
    run(world, |runtime| async move {
        let log = open(runtime).await?;
        let mut lost = BTreeSet::new();
        let end = log.bounds(STREAMS[0]).unwrap().end.0;
        for stream in STREAMS {
            let bounds = log.bounds(stream).unwrap();
            assert_eq!(bounds.start.0, if stream == STREAMS[0] { START } else { 0 });
            assert_eq!(bounds.end.0, end, "they lie in the same frames");
            for base in bounds.start.0..bounds.end.0 {
                match log.read(stream, Offset(base), 1).await {
                    Ok(batches) => assert_eq!(batches[0].bytes.to_vec(), payload(stream, base)),
                    Err(ReadError::Damaged { .. }) => {
                        lost.insert((stream, base));
                    }
                    Err(error) => panic!("batch {base}: {error}"),
                }
            }
        }
        log.close().await;
        Ok((end, lost))
    })
}

/// The batches that `check` says cannot be read, where it says that the log opens.
fn lost(check: &LogCheck) -> Option<BTreeSet<(StreamId, u64)>> {
    let mut lost = BTreeSet::new();
    for finding in check.view.findings.list() {
        match &finding.loss {
            Loss::Nothing => {}
            Loss::Parts { parts, more } => {
                assert_eq!(*more, 0);
                for part in parts {
                    lost.extend((part.from.0..part.to.0).map(|base| (part.stream, base)));
                }
            }
            Loss::FramesFrom(_) | Loss::Log => return None,
        }
    }
    Some(lost)
}

/// What a check says must be what opening and reading finds; and that is everything, or a refusal, or a loss.
fn agree(world: &World, damage: &str) -> LogCheck {
    let (check, end) = agree_on_end(world, damage);
    assert_eq!(end, BATCHES, "{damage}");
    check
}

/// As [`agree`]; returns where the streams end.
fn agree_on_end(world: &World, damage: &str) -> (LogCheck, u64) {
    let mut ends = BATCHES;
    let saved = world.save_disk();
    let check = check(world);
    let findings = check.view.findings.list().to_vec();
    match read_all(world) {
        Ok((end, unread)) => {
            assert_eq!(Some(unread), lost(&check), "{damage}: {findings:?}");
            ends = end;
        }
        Err(OpenError::Damaged { file, position, .. } | OpenError::Restore { file, position, .. }) => {
            assert_eq!(lost(&check), None, "{damage}: {findings:?}");
            let named = findings.iter().any(|found| found.file == file && found.position == position);
            assert!(named, "{damage}: {file:?} at {position} is not in {findings:?}");
        }
        Err(error) => panic!("{damage}: {error}"),
    }
    world.restore_disk(saved);
    (check, ends)
}

fn assert_named(check: &LogCheck, name: &str, position: u64) {
    let list = check.view.findings.list();
    let named = list.iter().any(|found| found.file == file(name) && found.position == position);
    assert!(named, "{name} at {position} is not in {list:?}");
}

#[test]
fn an_undamaged_log_is_whole_and_told_in_full() {
    let world = written();
    let checked = check(&world);
    assert!(checked.is_whole(), "{:?}", checked.view.findings);
    let view = look(&world);
    assert_eq!(view, checked.view);
    let in_use: Vec<_> = view.segments.iter().filter(|one| one.state != SegmentUse::Free).collect();
    assert!(in_use.len() >= 4);
    assert_eq!(checked.checked.segments, in_use.len() as u64);
    let end = view.end.unwrap();
    assert_eq!((end.tail, checked.checked.frames), (Tail::Clean, end.sequence.0));
    assert_eq!(in_use.iter().map(|one| one.frames).sum::<u64>(), end.sequence.0);
    assert_eq!(in_use.iter().map(|one| one.batches.unwrap()).sum::<u64>(), 2 * BATCHES);
    assert_eq!(view.live_bytes, in_use.iter().map(|one| one.live_bytes).sum::<u64>());
    assert!(view.live_bytes >= (2 * BATCHES - START) * 2500);
    // Those behind the checkpoint are not known durable to a start.
    let footers = in_use.iter().filter(|one| matches!(one.footer, FooterView::Sound { .. })).count();
    assert!(footers >= 2);
    assert_eq!(checked.checked.footers, footers as u64);
    assert_eq!(view.checkpoints.iter().filter(|one| one.in_force && one.header.is_some()).count(), 1);
    assert!(end.frames > 0 && end.frames < end.sequence.0);
    assert_eq!(checked.checked.payload_bytes, BATCHES * (2 * 2500 + 40));
}

#[test]
fn frames_are_listed_from_where_it_is_asked_and_no_more_than_asked() {
    let world = written();
    let list = |from: u64, max: usize| -> Vec<FrameView> {
        let list = run(&world, move |runtime| async move {
            list_frames(&runtime, Path::new(FOLDER), Sequence(from), max).await
        });
        list.unwrap()
    };
    let all = list(0, usize::MAX);
    let last = look(&world).end.unwrap().sequence.0;
    let sequences: Vec<u64> = all.iter().map(|frame| frame.sequence.0).collect();
    assert_eq!(sequences, (1..=last).collect::<Vec<_>>());
    let batches: u32 = all.iter().map(|frame| frame.batches.unwrap()).sum();
    assert_eq!(u64::from(batches), 2 * BATCHES);
    for (from, max) in [(1, 5), (17, 3), (last, 9), (last + 1, 9), (9, 0)] {
        let expected: Vec<_> =
            all.iter().filter(|frame| frame.sequence.0 >= from).take(max).copied().collect();
        assert_eq!(list(from, max), expected, "{max} from {from}");
    }
}

#[test]
fn a_log_that_was_never_made_is_no_damage() {
    let world = World::new(5, WorldConfig::calm());
    let checked = check(&world);
    assert!(checked.is_whole());
    assert_eq!((checked.view.superblock, checked.view.segments), (None, Vec::new()));
}

#[test]
fn what_a_crash_leaves_at_any_time_is_whole() {
    let mut tails = BTreeSet::new();
    for seed in 0..150 {
        let world = World::new(seed, WorldConfig::calm());
        for life in 0..2 {
            world.start(1, |runtime: SimRuntime| async move {
                let log = open(runtime).await.unwrap();
                // In a later life offsets go on where they ended.
                let from = log.bounds(STREAMS[0]).map_or(0, |bounds| bounds.end.0);
                for base in from..from + BATCHES {
                    let kind = EntryKind::Batch.raw();
                    let batch = Entry { kind, subject: STREAMS[0].0, base, count: 1, ..Entry::default() };
                    let payload = payload(STREAMS[0], base);
                    let draft = DraftEntry { entry: batch, payload: &payload };
                    while log.append(&[draft]).is_err() {
                        log.ready().await.unwrap();
                    }
                    if base % 16 == 15 {
                        log.checkpoint().await.unwrap();
                    }
                }
                log.close().await;
            });
            world.run_until(StopAt::DiskIssue(20 + seed * 3 / 2 + life * 30));
            world.crash(if seed % 3 == 0 { Crash::Process } else { Crash::Power });
            let checked = check(&world);
            let view = &checked.view;
            assert!(checked.is_whole(), "seed {seed}: {:?}", view.findings);
            tails.insert(match view.end.as_ref().map(|end| &end.tail) {
                None => "no log",
                Some(Tail::Clean) => "clean",
                Some(Tail::Leftover) => "leftover",
                Some(Tail::Torn { .. }) => "torn",
                Some(Tail::Damaged) => "damaged",
            });
        }
    }
    assert!(tails.contains("torn") && tails.contains("clean"), "{tails:?}");
}

#[test]
fn a_flipped_bit_anywhere_is_named_just_where_it_matters_and_for_what_it_costs() {
    let world = written();
    let saved = world.save_disk();
    let mut random = world.prng("flips");
    let view = look(&world);
    let mut places: Vec<(String, u64)> = Vec::new();
    let header = |base: u64| (0..10).map(move |part| base + part * 12);
    for base in [0, BLOCK_SIZE as u64] {
        places.extend(header(base).map(|at| ("superblock".to_owned(), at)));
    }
    let name = view.superblock.unwrap().newest.checkpoint.unwrap();
    places.extend((0..40).map(|_| (format!("checkpoint-{}", name.file), random.below(name.size))));
    for segment in view.segments.iter().filter(|one| one.state != SegmentUse::Free) {
        let name = format!("segment-{:08x}", segment.segment.0);
        let last = u64::from(SEGMENT_SIZE) - BLOCK_SIZE as u64;
        for base in [0, last, last - BLOCK_SIZE as u64] {
            places.extend(header(base).map(|at| (name.clone(), at)));
        }
        for block in 1..last / BLOCK_SIZE as u64 {
            let base = block * BLOCK_SIZE as u64;
            places.extend([17, 40, 100, 140, 200, 900].map(|at| (name.clone(), base + at)));
            places.push((name.clone(), base + random.below(BLOCK_SIZE as u64)));
        }
    }
    let mut kinds = BTreeMap::new();
    for (name, position) in places {
        let flip = BitFlip { path: file(&name), position, bit: random.below(8) as u8 };
        world.flip_bit(flip);
        let checked = agree(&world, &format!("{name} at {position}"));
        for finding in checked.view.findings.list() {
            let block = finding.position / BLOCK_SIZE as u64 * BLOCK_SIZE as u64;
            assert_eq!(finding.file, file(&name), "only the damaged file is named: {finding:?}");
            if !name.starts_with("checkpoint") {
                let near = finding.position.abs_diff(position);
                assert!(block <= position && near < 3 * BLOCK_SIZE as u64, "{position}: {finding:?}");
            }
            let kind = match &finding.loss {
                Loss::Nothing => "nothing",
                Loss::Parts { .. } => "parts",
                Loss::FramesFrom(_) => "frames",
                Loss::Log => "log",
            };
            *kinds.entry((name[..4].to_owned(), kind)).or_insert(0) += 1;
        }
        world.restore_disk(saved.clone());
    }
    for (file, kind) in
        [("supe", "nothing"), ("chec", "log"), ("segm", "nothing"), ("segm", "parts"), ("segm", "frames")]
    {
        assert!(kinds.get(&(file.to_owned(), kind)) >= Some(&8), "{file} {kind}: {kinds:?}");
    }
}

#[test]
fn several_damages_are_named_each_by_itself() {
    let world = written();
    let block = BLOCK_SIZE as u64;
    let older = look(&world).superblock.unwrap().older.unwrap().position();
    for (name, position) in [
        ("superblock", older + 9),
        ("segment-00000000", block + 20),      // header of a frame
        ("segment-00000000", 5 * block + 300), // a payload, or a directory behind it
        ("segment-00000001", block + 130),     // a directory
        ("segment-00000001", 15 * block + 26), // a footer
    ] {
        world.flip_bit(BitFlip { path: file(name), position, bit: 2 });
    }
    let checked = agree(&world, "several");
    assert_named(&checked, "superblock", older);
    assert_named(&checked, "segment-00000000", block);
    assert_named(&checked, "segment-00000001", block + 128);
    assert_named(&checked, "segment-00000001", 15 * block);
    assert_eq!(checked.view.findings.count(), 5, "{:?}", checked.view.findings);
    // Without the footer, a directory that does not read costs all batches of the segment.
    let in_one = checked.view.findings.list().iter().filter(|found| found.file == file("segment-00000001"));
    assert!(in_one.clone().all(|found| found.loss.is_loss()), "{:?}", checked.view.findings);
}

#[test]
fn any_two_damages_together_cost_just_what_is_said() {
    let world = written();
    let saved = world.save_disk();
    let view = look(&world);
    let mut random = world.prng("pairs");
    let in_use: Vec<_> = view.segments.iter().filter(|one| one.state != SegmentUse::Free).collect();
    let mut opened = 0;
    for number in 0..300 {
        for _ in 0..2 {
            let (name, blocks) = match random.below(12) {
                0 => ("superblock".to_owned(), 2),
                _ => {
                    let segment = in_use[random.below(in_use.len() as u64) as usize].segment;
                    (format!("segment-{:08x}", segment.0), u64::from(SEGMENT_SIZE) / BLOCK_SIZE as u64)
                }
            };
            let block = random.below(blocks) * BLOCK_SIZE as u64;
            let reach = if random.below(2) == 0 { 96 } else { 1024 };
            let position = block + random.below(reach);
            world.flip_bit(BitFlip { path: file(&name), position, bit: random.below(8) as u8 });
        }
        let pair = format!("pair {number}: {:?}", world.bit_flips().iter().rev().take(2));
        let (checked, end) = agree_on_end(&world, &pair);
        // The last batch, and the frame behind it that alone knows it durable: then it looks like a torn tail.
        let tail = checked.view.end.as_ref().map(|end| &end.tail);
        let in_doubt = matches!(tail, Some(Tail::Torn { .. } | Tail::Leftover));
        assert!(end == BATCHES || (end == BATCHES - 1 && in_doubt), "{pair}: {tail:?}");
        opened += u32::from(lost(&checked).is_some_and(|lost| !lost.is_empty()));
        world.restore_disk(saved.clone());
    }
    assert!(opened > 20, "{opened}");
}

#[test]
fn of_a_checkpoint_that_may_have_been_written_over_the_superblock_is_to_blame() {
    let world = World::new(5, WorldConfig::calm());
    run(&world, |runtime| async move {
        let log = open(runtime).await.unwrap();
        for base in 0..BATCHES {
            append_batches(&log, base).await;
            if base % 8 == 3 {
                log.checkpoint().await.unwrap();
            }
        }
        let kind = EntryKind::LogStart.raw();
        append(&log, &[(Entry { kind, subject: STREAMS[0].0, base: START, ..Entry::default() }, Vec::new())])
            .await;
        log.close().await;
    });
    let superblock = look(&world).superblock.unwrap();
    let (newest, older) = (superblock.newest, superblock.older.unwrap());
    let checkpoint = |block: thalweg_engine::log::format::Superblock| {
        file(&format!("checkpoint-{}", block.checkpoint.unwrap().file))
    };
    assert_ne!(checkpoint(newest), checkpoint(older));
    let saved = world.save_disk();
    // The one that is not in force: nobody needs it.
    world.flip_bit(BitFlip { path: checkpoint(older), position: 90, bit: 0 });
    assert!(agree(&world, "an old checkpoint").is_whole());
    // Until the block in force is damaged too.
    world.flip_bit(BitFlip { path: file("superblock"), position: newest.position() + 30, bit: 0 });
    let checked = agree(&world, "an old checkpoint and the newer superblock");
    let list = checked.view.findings.list();
    assert_eq!((list.len(), &list[0].loss), (1, &Loss::Log), "{list:?}");
    assert_named(&checked, "superblock", newest.position());
    world.restore_disk(saved);
    // In force, it is what is damaged; what the older one leads to is checked all the same.
    world.flip_bit(BitFlip { path: checkpoint(newest), position: 90, bit: 0 });
    let checked = agree(&world, "the checkpoint in force");
    assert_eq!(checked.view.findings.count(), 1, "{:?}", checked.view.findings);
    assert!(checked.checked.segments >= 4);
}

/// Gives the file `name` this size.
fn resize(world: &World, name: &str, size: u64) {
    let path = file(name);
    run(world, move |runtime| {
        let path = path.clone();
        async move {
            let file = runtime.open(&path, FileKind::Meta, OpenMode::Existing).await.unwrap();
            file.allocate(size).await.unwrap();
            file.flush().await.unwrap();
        }
    });
}

#[test]
fn a_file_that_is_cut_off_is_named_with_what_was_in_the_rest() {
    let world = written();
    let saved = world.save_disk();
    let view = look(&world);
    for segment in view.segments.iter().filter(|one| one.state != SegmentUse::Free) {
        let name = format!("segment-{:08x}", segment.segment.0);
        for blocks in [1, 2, 5, 9, 15] {
            let size = blocks * BLOCK_SIZE as u64;
            resize(&world, &name, size);
            let checked = check(&world);
            assert_named(&checked, &name, size);
            if segment.state == SegmentUse::Sealed && matches!(segment.footer, FooterView::Sound { .. }) {
                agree(&world, &format!("{name} of {blocks} blocks"));
            }
            world.restore_disk(saved.clone());
        }
    }
    let name = view.superblock.unwrap().newest.checkpoint.unwrap();
    for size in [BLOCK_SIZE as u64, 0] {
        resize(&world, &format!("checkpoint-{}", name.file), size);
        let checked = agree(&world, "a checkpoint that is cut off");
        // What lies behind the other checkpoint is checked all the same.
        assert_eq!(size == 0 || name.size > size, !checked.is_whole());
        world.restore_disk(saved.clone());
    }
    resize(&world, "superblock", BLOCK_SIZE as u64);
    assert_named(&agree(&world, "half a superblock"), "superblock", BLOCK_SIZE as u64);
    resize(&world, "superblock", 0);
    assert_named(&agree(&world, "an empty superblock"), "superblock", 0);
}

#[test]
fn a_missing_file_is_named() {
    let world = written();
    let saved = world.save_disk();
    let view = look(&world);
    let checkpoint = view.superblock.unwrap().newest.checkpoint.unwrap().file;
    let mut names = vec!["superblock".to_owned(), format!("checkpoint-{checkpoint}")];
    let in_use = view.segments.iter().filter(|one| one.state != SegmentUse::Free);
    names.extend(in_use.map(|one| format!("segment-{:08x}", one.segment.0)));
    for name in names {
        let path = file(&name);
        run(&world, move |runtime| {
            let path = path.clone();
            async move {
                runtime.remove(&path).await.unwrap();
                runtime.sync_folder(Path::new(FOLDER)).await.unwrap();
            }
        });
        let checked = check(&world);
        assert_named(&checked, &name, 0);
        assert!(checked.view.findings.list()[0].loss.is_loss());
        world.restore_disk(saved.clone());
    }
}

#[test]
fn segment_files_that_changed_places_are_both_named() {
    let world = written();
    let saved = world.save_disk();
    let (zero, one) = (file("segment-00000000"), file("segment-00000001"));
    let (first, second) = (world.content(&zero).unwrap(), world.content(&one).unwrap());
    world.overwrite(&zero, 0, &second);
    world.overwrite(&one, 0, &first);
    let checked = agree(&world, "segments changed places");
    assert_named(&checked, "segment-00000000", 0);
    assert_named(&checked, "segment-00000001", 0);
    assert!(checked.view.findings.list()[0].what.contains("this is segment 1"));
    world.restore_disk(saved.clone());

    let free = look(&world).segments.into_iter().find(|one| one.state == SegmentUse::Free).unwrap().segment;
    world.overwrite(&one, 0, &world.content(&file(&format!("segment-{:08x}", free.0))).unwrap());
    assert_named(&agree(&world, "a free segment in its place"), "segment-00000001", 0);
    world.restore_disk(saved);

    // And blocks of one: two frames, and both blocks of the superblock.
    let mut bytes = world.content(&zero).unwrap();
    let (a, b) = bytes.split_at_mut(3 * BLOCK_SIZE);
    a[BLOCK_SIZE..].swap_with_slice(&mut b[..2 * BLOCK_SIZE]);
    world.overwrite(&zero, 0, &bytes);
    assert_named(&agree(&world, "frames changed places"), "segment-00000000", BLOCK_SIZE as u64);
    let mut bytes = world.content(&file("superblock")).unwrap();
    bytes.rotate_left(BLOCK_SIZE);
    world.overwrite(&file("superblock"), 0, &bytes);
    assert_named(&check(&world), "superblock", 0);
}

#[test]
fn a_footer_that_says_something_else_than_the_frames_is_named() {
    let world = written();
    // The trailer and archive of another segment, with its own checksums, made to fit by its header.
    let path = file("segment-00000000");
    let bytes = world.content(&path).unwrap();
    let last = SEGMENT_SIZE as usize - BLOCK_SIZE;
    assert_eq!(bytes[last..last + 8], FOOTER_MAGIC);
    let view = look(&world);
    let log = view.superblock.unwrap().newest.log;
    let mut trailer = thalweg_engine::log::format::FooterTrailer::decode(&bytes[last..], log).unwrap();
    assert_eq!(trailer.segment, SegmentId(0));
    let start = trailer.archive_position.0 as usize;
    let mut archive = bytes[start..start + trailer.archive_size as usize].to_vec();
    // The base of the second row.
    archive[8 + 60 + 16] ^= 64;
    trailer.archive_checksum = crc32fast::hash(&archive);
    let mut block = vec![0; BLOCK_SIZE];
    trailer.encode(&mut block);
    world.overwrite(&path, start as u64, &archive);
    world.overwrite(&path, last as u64, &block);
    assert_named(&check(&world), "segment-00000000", start as u64);
}
