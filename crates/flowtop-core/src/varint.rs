//! Numbers of any size in as few bytes as they need: seven bits a byte, the lowest first (LEB128).

use alloc::vec::Vec;

/// Most bytes that a number takes.
const MAX_BYTES: usize = 10;

/// Adds a number to the end.
#[inline]
pub fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Takes a number from the front; `None` where there is none, or none that fits.
#[inline]
pub fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for (at, &byte) in bytes.iter().enumerate().take(MAX_BYTES) {
        // The last byte has room for the highest bit alone.
        if at == MAX_BYTES - 1 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Some(number);
        }
    }
    None
}

/// Number of varints in a buffer.
pub fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte < 0x80).count()
}

/// A difference, in which small ones of either sign are small numbers. Differences wrap around, so none is lost.
pub fn zigzag(from: u64, to: u64) -> u64 {
    let difference = to.wrapping_sub(from);
    let sign = 0_u64.wrapping_sub(difference >> 63);
    (difference << 1) ^ sign
}

/// The number at such a difference.
pub fn unzigzag(from: u64, zigzag: u64) -> u64 {
    from.wrapping_add((zigzag >> 1) ^ 0_u64.wrapping_sub(zigzag & 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_numbers_and_differences_take_one_byte() {
        for (from, to) in [(5, 5), (5, 68), (68, 5), (0, 0)] {
            let mut bytes = Vec::new();
            put(&mut bytes, zigzag(from, to));
            assert_eq!(bytes.len(), 1);
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(take(&mut &[][..]), None);
        assert_eq!(take(&mut &[0x80, 0x80][..]), None);
        assert_eq!(take(&mut &[0xff; 11][..]), None);
        assert_eq!(take(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02][..]), None);
    }

    #[test]
    fn the_largest_number_takes_ten_bytes() {
        let mut bytes = Vec::new();
        put(&mut bytes, u64::MAX);
        assert_eq!((bytes.len(), take(&mut &bytes[..])), (MAX_BYTES, Some(u64::MAX)));
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers: Vec<u64>, from: u64) {
            let mut bytes = Vec::new();
            for number in &numbers {
                put(&mut bytes, *number);
                put(&mut bytes, zigzag(from, *number));
            }
            prop_assert_eq!(count(&bytes), 2 * numbers.len());
            let mut rest = &bytes[..];
            for number in &numbers {
                prop_assert_eq!(take(&mut rest), Some(*number));
                prop_assert_eq!(take(&mut rest).map(|z| unzigzag(from, z)), Some(*number));
            }
            prop_assert!(rest.is_empty());
        }
    }
}
