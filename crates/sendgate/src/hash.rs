//! The name of a request: equal requests have equal hashes, on every machine and in every version.

use caffeine_llm::{Block, Effort, LlmRequest, Role};

/// Raise the number when the encoding below changes; stored answers are then no longer found.
const CONTEXT: &str = "caffeinecode 2026-11-22 model request v1";

/// The hash of everything that shapes the answer: model, limits, effort, all texts and their order.
/// When, by whom and for which commit it is asked do not count.
#[must_use]
pub fn request_hash(request: &LlmRequest) -> [u8; 32] {
    let LlmRequest { model, max_tokens, system, messages, effort } = request;
    let mut canonical = Canonical(blake3::Hasher::new_derive_key(CONTEXT));
    canonical.text(model);
    canonical.number(u64::from(*max_tokens));
    canonical.text(effort.map_or("", Effort::as_str));
    canonical.number(system.len() as u64);
    for rules in system {
        canonical.text(rules);
    }
    canonical.number(messages.len() as u64);
    for turn in messages {
        canonical.text(match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        });
        canonical.number(turn.blocks.len() as u64);
        for block in &turn.blocks {
            match block {
                Block::Text(text) => {
                    canonical.text("text");
                    canonical.text(text);
                }
                Block::Document { title, text } => {
                    canonical.text("document");
                    canonical.text(title);
                    canonical.text(text);
                }
            }
        }
    }
    *canonical.0.finalize().as_bytes()
}

/// Writes values so that no two sequences of values give the same bytes.
struct Canonical(blake3::Hasher);

impl Canonical {
    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use caffeine_llm::Turn;

    use super::*;

    /// Of `request()`. If it differs, stored answers are lost: raise the number in `CONTEXT`.
    const FROZEN: &str = "9df05cb13bb81e0161e3174fbf59ecd910873ed78b9fc2795c1162f409971660";

    fn request() -> LlmRequest {
        LlmRequest {
            model: "m".into(),
            max_tokens: 100,
            system: vec!["rules".into()],
            messages: vec![Turn::user("ab"), Turn::assistant("c"), Turn::user("d")],
            effort: None,
        }
    }

    #[test]
    fn hash_is_frozen() {
        let hash = blake3::Hash::from_bytes(request_hash(&request()));
        assert_eq!(hash.to_hex().as_str(), FROZEN);
    }

    #[test]
    fn every_part_counts() {
        let document = |title: &str, text: &str| Turn {
            role: Role::User,
            blocks: vec![Block::Document { title: title.into(), text: text.into() }],
        };
        let with = |messages| LlmRequest { messages, ..request() };
        let requests = [
            request(),
            LlmRequest { model: "n".into(), ..request() },
            LlmRequest { max_tokens: 101, ..request() },
            LlmRequest { effort: Some(Effort::Low), ..request() },
            LlmRequest { system: vec![], ..request() },
            LlmRequest { system: vec!["rul".into(), "es".into()], ..request() },
            with(vec![Turn::user("abc")]),
            with(vec![Turn::user("ab"), Turn::user("c")]),
            with(vec![Turn::assistant("abc")]),
            with(vec![document("a", "bc")]),
            with(vec![document("ab", "c")]),
            with(vec![]),
        ];
        let hashes: HashSet<_> = requests.iter().map(request_hash).collect();
        assert_eq!(hashes.len(), requests.len());
        assert_eq!(request_hash(&request()), request_hash(&request()));
    }
}
