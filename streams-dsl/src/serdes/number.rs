//! Numbers, big-endian, as Kafka Streams writes them.

use super::{DecodeError, Serde};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $label:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl Serde for $name {
            type Ref = $inner;
            type Owned = $inner;
            const NAME: &'static str = $label;

            #[inline(always)]
            fn decode<R>(bytes: &[u8], then: impl FnOnce(&$inner) -> R) -> Result<R, DecodeError> {
                match bytes.try_into() {
                    Ok(array) => Ok(then(&<$inner>::from_be_bytes(array))),
                    Err(_) => Err(DecodeError::Size {
                        format: $label,
                        expected: size_of::<$inner>(),
                        found: bytes.len(),
                    }),
                }
            }

            #[inline(always)]
            fn encode<R>(value: &$inner, then: impl FnOnce(&[u8]) -> R) -> R {
                then(&value.to_be_bytes())
            }

            fn display(value: &$inner) -> String {
                value.to_string()
            }
        }
    };
}

number!(
    /// A signed 64-bit integer, big-endian: 8 bytes. Counts are of this format.
    I64(i64),
    "i64"
);
number!(
    /// A signed 32-bit integer, big-endian: 4 bytes.
    I32(i32),
    "i32"
);
number!(
    /// An unsigned 64-bit integer, big-endian: 8 bytes.
    U64(u64),
    "u64"
);
number!(
    /// A 64-bit floating-point number (IEEE 754), big-endian: 8 bytes.
    F64(f64),
    "f64"
);
