//! Words of `[a-z0-9_]`, found 64 bytes at a time.

/// Bytes looked at in one step: one bit each in a `u64`.
const CHUNK: usize = 64;

/// Bytes after which the lower-case copy starts again, at the next end of a word: it stays in the first
/// level of the cache however long a value is.
const WINDOW: usize = 8 << 10;

/// Calls `emit` with every longest run of `[A-Za-z0-9_]` in `text`, in lower case. `scratch` holds the
/// lower-case copy; what was in it is lost.
pub(crate) fn each_word(text: &[u8], scratch: &mut Vec<u8>, emit: &mut dyn FnMut(&[u8])) {
    scratch.clear();
    // Where the word begins that the previous chunk ended in, in `scratch`.
    let mut begun: Option<usize> = None;
    let (chunks, tail) = text.as_chunks::<CHUNK>();
    for chunk in chunks {
        begun = one_chunk(chunk, scratch, begun, emit);
        if scratch.len() >= WINDOW {
            begun = restart(scratch, begun);
        }
    }
    // Padding separates, and so does the end of the text.
    let mut padded = [b' '; CHUNK];
    padded[..tail.len()].copy_from_slice(tail);
    if let Some(start) = one_chunk(&padded, scratch, begun, emit) {
        emit(&scratch[start..]);
    }
}

/// Keeps of `scratch` only the word that is not complete; a word that itself fills the window stays.
fn restart(scratch: &mut Vec<u8>, begun: Option<usize>) -> Option<usize> {
    match begun {
        None => {
            scratch.clear();
            None
        }
        Some(0) => Some(0),
        Some(start) => {
            scratch.drain(..start);
            Some(0)
        }
    }
}

/// Emits every word that ends in `chunk`. Returns where the word begins that its last byte belongs to.
#[inline(always)]
fn one_chunk(
    chunk: &[u8; CHUNK],
    scratch: &mut Vec<u8>,
    mut begun: Option<usize>,
    emit: &mut dyn FnMut(&[u8]),
) -> Option<usize> {
    let base = scratch.len();
    let mut mask = lower_and_classify(chunk, scratch);
    if let Some(start) = begun {
        let ones = mask.trailing_ones();
        if ones == u64::BITS {
            return begun;
        }
        emit(&scratch[start..base + ones as usize]);
        begun = None;
        mask &= !((1u64 << ones) - 1);
    }
    while mask != 0 {
        let start = mask.trailing_zeros();
        let ones = (mask >> start).trailing_ones();
        let end = start + ones;
        if end == u64::BITS {
            begun = Some(base + start as usize);
            break;
        }
        emit(&scratch[base + start as usize..base + end as usize]);
        mask &= !((1u64 << end) - 1);
    }
    begun
}

/// Appends the lower-case form of `chunk` to `scratch`. Bit `n` of the result: byte `n` belongs to a word.
///
/// Written so that the compiler makes vector instructions of both loops.
#[inline(always)]
fn lower_and_classify(chunk: &[u8; CHUNK], scratch: &mut Vec<u8>) -> u64 {
    let mut lower = [0u8; CHUNK];
    let mut class = [0u8; CHUNK];
    for at in 0..CHUNK {
        let byte = chunk[at];
        let is_upper = byte.wrapping_sub(b'A') < 26;
        let lowered = byte | (u8::from(is_upper) << 5);
        let is_letter = lowered.wrapping_sub(b'a') < 26;
        let is_digit = byte.wrapping_sub(b'0') < 10;
        lower[at] = lowered;
        class[at] = u8::from(is_letter | is_digit | (byte == b'_'));
    }
    scratch.extend_from_slice(&lower);
    let mut mask = 0u64;
    for (at, eight) in class.as_chunks::<8>().0.iter().enumerate() {
        // Moves the lowest bit of each byte into the topmost byte.
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (8 * at);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(text: &[u8]) -> Vec<Vec<u8>> {
        text.split(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_ascii_lowercase)
            .collect()
    }

    fn fast(text: &[u8]) -> Vec<Vec<u8>> {
        let mut words = Vec::new();
        each_word(text, &mut vec![1, 2, 3], &mut |word| words.push(word.to_vec()));
        words
    }

    #[test]
    fn every_byte_is_classified_and_lowered_as_the_definition_says() {
        for byte in 0..=u8::MAX {
            let text = [b'x', byte, b'Y'];
            assert_eq!(fast(&text), naive(&text), "byte {byte}");
        }
    }

    #[test]
    fn words_at_and_across_the_ends_of_chunks_are_whole() {
        for length in 0..200 {
            for gap in [1, 3, 7, 63, 64, 65, 128, 1000] {
                let text: Vec<u8> = (0..length)
                    .map(|at| if at % (gap + 1) == gap { b'-' } else { b'A' + (at % 26) as u8 })
                    .collect();
                assert_eq!(fast(&text), naive(&text), "length {length} gap {gap}");
            }
        }
    }

    #[test]
    fn words_longer_than_the_window_are_whole() {
        let mut text = vec![b'a'; 3 * WINDOW + 17];
        text[5] = b' ';
        text.extend_from_slice(b" b ");
        text.extend_from_slice(&vec![b'C'; WINDOW]);
        assert_eq!(fast(&text), naive(&text));
    }

    #[test]
    fn random_bytes_are_cut_as_the_definition_says() {
        let mut state = 1u64;
        let text: Vec<u8> = (0..100_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        for start in 0..70 {
            assert_eq!(fast(&text[start..]), naive(&text[start..]));
        }
    }
}
