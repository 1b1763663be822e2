//! State stores against a plain map, and walks over stores that change meanwhile.

use std::collections::BTreeMap;

use thalweg_archive::{encode, view};
use thalweg_engine::limits::STORE_LEAF_ENTRIES_MAX;
use thalweg_engine::store::{Cursor, StoreRowsV1, StoreTable};
use thalweg_sim::Prng;

/// Of a few thousand keys, most of them short.
fn draw_key(prng: &mut Prng, keys: u64) -> Vec<u8> {
    let number = prng.below(keys);
    let mut key = number.to_string().into_bytes();
    if number.is_multiple_of(17) {
        key.extend_from_slice(&[b'x'; 40]);
    }
    key
}

fn draw_value(prng: &mut Prng) -> Vec<u8> {
    let size = match prng.below(20) {
        0 => 0,
        1 => 100,
        2..=4 => prng.below(40),
        _ => 8,
    };
    vec![prng.below(256) as u8; size as usize]
}

type Oracle = BTreeMap<Vec<u8>, Vec<u8>>;

fn contents(table: &StoreTable) -> Oracle {
    table.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// One change of both; as it is written to the log, so that it can be applied again.
fn step(
    prng: &mut Prng,
    keys: u64,
    table: &mut StoreTable,
    oracle: &mut Oracle,
) -> (Vec<u8>, Option<Vec<u8>>) {
    let key = draw_key(prng, keys);
    let value = (prng.below(4) > 0).then(|| draw_value(prng));
    table.set(&key, value.as_deref());
    match &value {
        Some(value) => oracle.insert(key.clone(), value.clone()),
        None => oracle.remove(&key),
    };
    (key, value)
}

#[test]
fn a_store_holds_what_a_map_would() {
    for seed in 0..12 {
        let mut prng = Prng::new(seed);
        let keys = [3, 400, 4_000, 30_000][seed as usize % 4];
        let (mut table, mut oracle) = (StoreTable::default(), Oracle::new());
        for _ in 0..40_000 {
            let (key, value) = step(&mut prng, keys, &mut table, &mut oracle);
            assert_eq!(table.get(&key), value.as_deref());
            let other = draw_key(&mut prng, keys);
            assert_eq!(table.get(&other), oracle.get(&other).map(Vec::as_slice));
        }
        assert_eq!(table.len(), oracle.len());
        assert_eq!(contents(&table), oracle);
    }
}

#[test]
fn memory_is_counted_and_given_back_with_long_values() {
    let mut table = StoreTable::default();
    let empty = table.memory_size();
    let key = |index: u32| index.to_le_bytes();
    for index in 0..1000 {
        table.set(&key(index), Some(&[0; 1000]));
    }
    let full = table.memory_size();
    assert!(full >= empty + 1_000_000, "{full}");
    for index in 0..1000 {
        table.set(&key(index), Some(&[0; 8]));
    }
    let short = table.memory_size();
    assert!(short < full - 1_000_000, "{short}");
    for index in 0..1000 {
        table.set(&key(index), None);
    }
    assert!(table.is_empty());
    assert!(table.memory_size() <= short);
}

#[test]
fn short_keys_with_a_count_need_less_than_a_hundred_bytes_each() {
    let mut table = StoreTable::default();
    let count = 200_000usize;
    for index in 0..count {
        table.set(format!("word-{index}").as_bytes(), Some(&index.to_be_bytes()));
    }
    assert!(table.memory_size() < count * 100, "{} bytes", table.memory_size());
}

/// Takes a checkpoint in slices while changes go on, restores it, and applies the changes since its beginning.
fn checkpoint_while_changing(seed: u64, keys: u64, changes_per_slice: u64) -> usize {
    let mut prng = Prng::new(seed);
    let (mut table, mut oracle) = (StoreTable::default(), Oracle::new());
    for _ in 0..prng.below(4 * keys) {
        step(&mut prng, keys, &mut table, &mut oracle);
    }
    let mut cursor = Cursor::default();
    let mut slices = Vec::new();
    let mut log = Vec::new();
    while !cursor.ended() {
        let mut rows = StoreRowsV1 { store: 5, ..StoreRowsV1::default() };
        table.walk(&mut cursor, |key, value| rows.push(key, value));
        slices.push(encode(&rows));
        for _ in 0..prng.below(changes_per_slice) {
            log.push(step(&mut prng, keys, &mut table, &mut oracle));
        }
    }
    let mut restored = StoreTable::default();
    for slice in &slices {
        let rows = view::<StoreRowsV1>(slice).unwrap();
        assert!(rows.visit(|key, value| restored.set(key, Some(value))));
    }
    for (key, value) in &log {
        restored.set(key, value.as_deref());
    }
    assert_eq!(contents(&restored), oracle, "seed {seed}");
    assert_eq!(restored.len(), oracle.len());
    slices.len()
}

#[test]
fn a_checkpoint_taken_while_the_store_changes_restores_exactly() {
    let mut slices = 0;
    for seed in 0..60 {
        let keys = [10, 3_000, 20_000][seed as usize % 3];
        slices = slices.max(checkpoint_while_changing(seed, keys, 3_000));
    }
    assert!(slices > 4, "leaves split while the walk goes on");
}

#[test]
fn a_walk_visits_what_was_there_all_along_exactly_once_while_leaves_split() {
    let mut table = StoreTable::default();
    let key = |index: u64| index.to_le_bytes();
    let begin = STORE_LEAF_ENTRIES_MAX as u64 * 3;
    for index in 0..begin {
        table.set(&key(index), Some(b"v"));
    }
    let (mut cursor, mut next) = (Cursor::default(), begin);
    let mut visits = BTreeMap::new();
    while !cursor.ended() {
        table.walk(&mut cursor, |key, _| *visits.entry(key.to_vec()).or_insert(0) += 1);
        for _ in 0..2_000 {
            table.set(&key(next), Some(b"w"));
            next += 1;
        }
    }
    for index in 0..begin {
        assert_eq!(visits.get(&key(index)[..]), Some(&1));
    }
}

#[test]
fn rows_that_contradict_themselves_are_refused() {
    let mut rows = StoreRowsV1::default();
    rows.push(b"key", b"value");
    rows.bytes.pop();
    assert!(!view::<StoreRowsV1>(&encode(&rows)).unwrap().visit(|_, _| {}));
    rows.bytes.extend_from_slice(b"ee");
    assert!(!view::<StoreRowsV1>(&encode(&rows)).unwrap().visit(|_, _| {}));
    rows.key_sizes.push(0);
    assert!(!view::<StoreRowsV1>(&encode(&rows)).unwrap().visit(|_, _| {}));
}
