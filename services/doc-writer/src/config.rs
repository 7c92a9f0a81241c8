//! Settings of the doc-writer: section `doc-writer` of the configuration.

use caffeine_sendgate::EgressPolicy;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

/// The settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DocWriterConfig {
    /// Key of the Messages API. Without one, and without `egress`, documents are written from the analysis alone.
    pub anthropic_api_key: Option<SecretString>,
    /// Address of the Messages API, without `/v1/messages`; a gateway or local server that speaks it works as well.
    pub anthropic_base_url: Url,
    /// The model that templates use which name none.
    pub model: String,
    /// Most tokens of an answer, the model's thinking included.
    pub max_output_tokens: u32,
    /// Most tokens of a question: rules, template and passages together.
    pub context_tokens: u32,
    /// What models cost, each as `model=input/output`: US dollars for a million tokens of the question and of the answer.
    /// The cost of a model without a price is not counted.
    pub prices: Vec<String>,
    /// Whether repository text may go to the model: `none` or `approved`. Unset: `approved` if there is a key.
    pub egress: Option<EgressPolicy>,
}

impl Default for DocWriterConfig {
    fn default() -> Self {
        Self {
            anthropic_api_key: None,
            anthropic_base_url: Url::parse("https://api.anthropic.com").expect("a constant address is an address"),
            model: "claude-sonnet-5-5".to_owned(),
            max_output_tokens: 16_000,
            context_tokens: 30_000,
            prices: Vec::new(),
            egress: None,
        }
    }
}

impl DocWriterConfig {
    /// Whether repository text may go to the model.
    #[must_use]
    pub fn policy(&self) -> EgressPolicy {
        let usual = if self.anthropic_api_key.is_some() { EgressPolicy::Approved } else { EgressPolicy::None };
        self.egress.unwrap_or(usual)
    }
}

#[cfg(test)]
mod tests {
    use caffeine_sendgate::EgressPolicy;

    use super::DocWriterConfig;

    fn check(json: &str, expected: EgressPolicy) {
        let config: DocWriterConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.policy(), expected, "{json}");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn nothing_leaves_unless_somebody_said_so() {
        check("{}", EgressPolicy::None);
        check(r#"{"anthropic_api_key": "hunter2"}"#, EgressPolicy::Approved);
        check(r#"{"anthropic_api_key": "hunter2", "egress": "none"}"#, EgressPolicy::None);
        check(r#"{"egress": "approved", "anthropic_base_url": "http://127.0.0.1:1"}"#, EgressPolicy::Approved);
        assert!(serde_json::from_str::<DocWriterConfig>(r#"{"modle": "x"}"#).is_err());
    }
}
