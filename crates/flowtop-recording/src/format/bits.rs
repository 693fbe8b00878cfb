//! Numbers whose size is more alike than their value: how many bits each has, which compresses well, and apart from
//! that the bits themselves, which do not compress and take no room beside their own.

/// Numbers in packed form.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// How many bits each number has, without leading zeros: 0 to 64.
    pub(super) sizes: Vec<u8>,
    /// All bits of each number below its highest one, which is known, lowest first.
    pub(super) bits: Vec<u8>,
    pending: u128,
    pending_bits: u32,
}

impl Packed {
    pub(super) fn put(&mut self, number: u64) {
        let size = u64::BITS - number.leading_zeros();
        self.sizes.push(size.to_le_bytes()[0]);
        let Some(below) = size.checked_sub(1) else { return };
        self.pending |= u128::from(number ^ (1 << below)) << self.pending_bits;
        self.pending_bits += below;
        while self.pending_bits >= u8::BITS {
            self.flush();
        }
    }

    /// Writes what is pending: at the end, after which nothing is added.
    pub(super) fn end(&mut self) {
        if self.pending_bits > 0 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.bits.push(self.pending.to_le_bytes()[0]);
        self.pending >>= u8::BITS;
        self.pending_bits = self.pending_bits.saturating_sub(u8::BITS);
    }
}

#[derive(Debug)]
pub(super) struct Unpacker<'a> {
    sizes: &'a [u8],
    bits: &'a [u8],
    pending: u128,
    pending_bits: u32,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(sizes: &'a [u8], bits: &'a [u8]) -> Self {
        Self { sizes, bits, pending: 0, pending_bits: 0 }
    }

    /// The next number; `None` where there is none.
    pub(super) fn take(&mut self) -> Option<u64> {
        let (size, rest) = self.sizes.split_first()?;
        self.sizes = rest;
        let Some(below) = u32::from(*size).checked_sub(1) else { return Some(0) };
        if below >= u64::BITS {
            return None;
        }
        while self.pending_bits < below {
            let (byte, rest) = self.bits.split_first()?;
            self.bits = rest;
            self.pending |= u128::from(*byte) << self.pending_bits;
            self.pending_bits += u8::BITS;
        }
        let highest = 1_u64 << below;
        let mask = u128::from(highest - 1);
        let number = u64::try_from(self.pending & mask).ok()? | highest;
        self.pending >>= below;
        self.pending_bits -= below;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_number_is_refused() {
        for (sizes, bits) in [(&[][..], &[0][..]), (&[65], &[0; 9]), (&[10], &[1])] {
            assert_eq!(Unpacker::new(sizes, bits).take(), None);
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec((any::<u64>(), 0..64_u32), 0..50)) {
            let numbers: Vec<_> = numbers.into_iter().map(|(number, shift)| number >> shift).collect();
            let mut written = Packed::default();
            for number in &numbers {
                written.put(*number);
            }
            written.end();
            let mut read = Unpacker::new(&written.sizes, &written.bits);
            for number in &numbers {
                prop_assert_eq!(read.take(), Some(*number));
            }
            let bits: u64 = numbers.iter().map(|n| u64::from(63_u32.saturating_sub(n.leading_zeros()))).sum();
            prop_assert_eq!(written.bits.len() as u64, bits.div_ceil(8));
        }
    }
}
