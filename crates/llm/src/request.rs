//! What is asked of a model, in nobody's wire format.

/// One question to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LlmRequest {
    /// The provider's name of the model; never guessed, always configured.
    pub model: String,
    /// The most tokens the answer may have, the model's hidden thinking included.
    pub max_tokens: u32,
    /// The operator's rules, in order. Text from a repository never belongs here.
    pub system: Vec<String>,
    /// The conversation, oldest turn first. It begins and ends with the user.
    pub messages: Vec<Turn>,
    /// How much the model should think; its own default if `None`.
    pub effort: Option<Effort>,
}

/// One side's contribution to the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order. Empty blocks are left out when sent.
    pub blocks: Vec<Block>,
}

impl Turn {
    /// A turn of the user with one block of text.
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, blocks: vec![Block::Text(text.into())] }
    }

    /// A turn of the model with one block of text.
    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self { role: Role::Assistant, blocks: vec![Block::Text(text.into())] }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We do.
    User,
    /// The model does.
    Assistant,
}

/// A piece of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Our own words.
    Text(String),
    /// Foreign words: repository text, fenced off as data by the provider's means. Only in turns of
    /// the user.
    Document {
        /// A short name the model may refer to, such as `S12 src/queue.rs 40-82`.
        title: String,
        /// The content.
        text: String,
    },
}

/// How much a model should think before and while it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Least.
    Low,
    /// Between.
    Medium,
    /// Most that is still ordinary.
    High,
}

impl Effort {
    /// The word for it in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}
