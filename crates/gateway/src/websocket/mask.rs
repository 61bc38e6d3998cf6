//! Masking of client frames (RFC 6455, section 5.3).

/// Applies the mask; doing it twice changes nothing. `mask` belongs to the first byte.
pub(super) fn unmask(data: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    // Whole words in one simple loop, which the compiler turns into vector instructions.
    let (words, rest) = data.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_formula_of_the_rfc_at_every_length() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        for len in 0..70u8 {
            let plain: Vec<u8> = (0..len).map(|n| n.wrapping_mul(37)).collect();
            let formula: Vec<u8> = plain
                .iter()
                .enumerate()
                .map(|(i, byte)| byte ^ mask[i % 4])
                .collect();
            let mut data = plain.clone();
            unmask(&mut data, mask);
            assert_eq!(data, formula);
            unmask(&mut data, mask);
            assert_eq!(data, plain);
        }
    }

    #[test]
    fn the_example_of_the_rfc() {
        let mut data = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        unmask(&mut data, [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(&data, b"Hello");
    }
}
