//! The archive format: bytes pinned, round trips, hostile bytes.

use rkyv::{Archive, Deserialize, Serialize};
use thalweg_archive::{
    ArchiveError, ENVELOPE_SIZE, Envelope, Kind, Validated, deserialize, encode, encode_into, view,
    view_prefix,
};

#[derive(Archive, Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Sample {
    small: u8,
    wide: u64,
    signed: i32,
    flag: bool,
    name: String,
    list: Vec<Item>,
    absent: Option<u16>,
}

#[derive(Archive, Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Item {
    a: u16,
    b: u32,
}

impl Kind for Sample {
    const TYPE: u16 = 0x0102;
    const VERSION: u16 = 3;
}

#[derive(Archive, Debug, Deserialize, PartialEq, Serialize)]
struct Other {
    value: u8,
}

impl Kind for Other {
    const TYPE: u16 = 0x0103;
    const VERSION: u16 = 3;
}

fn sample() -> Sample {
    Sample {
        small: 0x11,
        wide: 0x0102_0304_0506_0708,
        signed: -2,
        flag: true,
        name: "longer than eight".to_owned(),
        list: vec![Item { a: 1, b: 2 }, Item { a: 3, b: 4 }],
        absent: Some(9),
    }
}

#[test]
fn the_layout_of_an_archive_is_pinned() {
    // Unaligned, little-endian, 32-bit relative pointers, no padding. If this fails, files written before
    // can no longer be read: restore the features of rkyv, or introduce a new type.
    #[rustfmt::skip]
    let golden: Vec<u8> = [
        &[0x02, 0x01, 0x03, 0x00, 62, 0, 0, 0][..], // envelope: type, version, size
        b"longer than eight",                      // name
        &[1, 0, 2, 0, 0, 0],                        // list[0]
        &[3, 0, 4, 0, 0, 0],                        // list[1]
        &[0x11],                                    // small
        &[8, 7, 6, 5, 4, 3, 2, 1],                  // wide
        &[0xfe, 0xff, 0xff, 0xff],                  // signed
        &[1],                                       // flag
        &[0x91, 0, 0, 0, 0xd5, 0xff, 0xff, 0xff],   // name: length, pointer
        &[0xde, 0xff, 0xff, 0xff, 2, 0, 0, 0],      // list: pointer, length
        &[1, 9, 0],                                 // absent
    ]
    .concat();
    assert_eq!(encode(&sample()), golden);
}

#[test]
fn a_value_survives_encoding_and_reading() {
    let value = sample();
    let bytes = encode(&value);
    let archived = view::<Sample>(&bytes).unwrap();
    assert_eq!(archived.wide, value.wide);
    assert_eq!(deserialize::<Sample>(archived), value);
    let owned = Validated::<Sample>::read(bytes.clone()).unwrap();
    assert_eq!(owned.list[1].b, 4);
    assert_eq!(deserialize::<Sample>(&owned), value);
    let boxed = Validated::<Sample, Box<[u8]>>::read(bytes.clone().into()).unwrap();
    assert_eq!(boxed.name.as_str(), "longer than eight");
    assert_eq!(boxed.into_bytes().as_ref(), bytes);
}

#[test]
fn an_archive_does_not_depend_on_where_it_starts() {
    let mut bytes = vec![7; 13];
    encode_into(&sample(), &mut bytes);
    assert_eq!(bytes[13..], encode(&sample()));
    encode_into(&Other { value: 5 }, &mut bytes);
    let (first, rest) = view_prefix::<Sample>(&bytes[13..]).unwrap();
    assert_eq!(deserialize::<Sample>(first), sample());
    assert_eq!(view::<Other>(rest).unwrap().value, 5);
}

#[test]
fn the_wrong_archive_is_named() {
    let bytes = encode(&sample());
    assert_eq!(
        view::<Other>(&bytes).err(),
        Some(ArchiveError::WrongType { found: 0x0102, expected: 0x0103 })
    );
    let mut newer = bytes.clone();
    newer[2] = 4;
    assert_eq!(
        view::<Sample>(&newer).err(),
        Some(ArchiveError::UnknownVersion { kind: 0x0102, found: 4, known: 3 })
    );
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(
        view::<Sample>(&longer).err(),
        Some(ArchiveError::Trailing { needed: bytes.len(), trailing: 1 })
    );
    for cut in 0..bytes.len() {
        assert!(matches!(view::<Sample>(&bytes[..cut]).err(), Some(ArchiveError::TooShort { .. })));
    }
}

#[test]
fn damaged_bytes_are_refused_or_read_and_never_panic() {
    let bytes = encode(&sample());
    let mut refused = 0;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            match Validated::<Sample>::read(damaged) {
                // What validates can be read, whatever it says.
                Ok(value) => drop(format!("{:?}", deserialize::<Sample>(&value))),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn an_envelope_that_lies_about_its_size_is_refused() {
    let mut bytes = encode(&sample());
    bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(view::<Sample>(&bytes).err(), Some(ArchiveError::TooShort { .. })));
    let tiny = Envelope { kind: 0x0102, version: 3, size: 4 };
    let mut bytes = tiny.bytes().to_vec();
    bytes.extend_from_slice(&[0; 4]);
    assert_eq!(bytes.len(), ENVELOPE_SIZE + 4);
    assert!(matches!(view::<Sample>(&bytes).err(), Some(ArchiveError::Invalid { .. })));
}
