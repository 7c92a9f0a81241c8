//! How many tokens a text may have.

/// Bytes of source code in a token, as an integer ratio with the safety margin in it:
/// 3.0 bytes a token, 15 percent on top, so 115 tokens in 300 bytes.
const TOKENS: u64 = 115;
const BYTES: u64 = 300;

/// A cautious estimate of the text's tokens, rounded up. There is no local tokenizer of these
/// models; budgets are drawn with this, bills with what the provider reports.
#[must_use]
pub fn estimate_tokens(text: &str) -> u32 {
    let tokens = (text.len() as u64).saturating_mul(TOKENS).div_ceil(BYTES);
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_round_up() {
        for (bytes, tokens) in [(0, 0), (1, 1), (2, 1), (3, 2), (300, 115), (30_000, 11_500)] {
            assert_eq!(estimate_tokens(&"x".repeat(bytes)), tokens, "{bytes} bytes");
        }
    }
}
