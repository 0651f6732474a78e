//! Randomness that cannot be guessed, from the operating system: identifiers are made of it.

/// Eight random bytes as a number.
pub fn seed() -> u64 {
    u128::from_be_bytes(bytes()) as u64
}

/// Sixteen random bytes.
pub fn bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has randomness once it runs programs");
    bytes
}
