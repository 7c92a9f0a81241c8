//! Asks a model one question and prints the answer as it comes. For trying out a server:
//! `cargo run -p caffeine-llm --example ask -- http://127.0.0.1:4010 some-model "Say hello"`, with
//! the key on standard input.

use std::io::{Read, Write};

use caffeine_llm::anthropic::{AnthropicClient, AnthropicConfig};
use caffeine_llm::{LlmClient, LlmRequest, Turn, collect_with};
use secrecy::SecretString;

type AnyError = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, model, text] = &arguments[..] else {
        return Err("arguments: ADDRESS MODEL QUESTION".into());
    };
    let mut key = String::new();
    std::io::stdin().read_to_string(&mut key)?;
    let key = key.trim();
    let key = (!key.is_empty()).then(|| SecretString::from(key));
    let client = AnthropicClient::new(AnthropicConfig::new(address.parse()?, key))?;
    let request = LlmRequest {
        model: model.clone(),
        max_tokens: 1_000,
        system: Vec::new(),
        messages: vec![Turn::user(text)],
        effort: None,
    };
    let stream = client.stream(request).await?;
    let completion = collect_with(stream, |delta| {
        print!("{delta}");
        // Only a broken pipe can go wrong here, and then nobody is reading.
        let _ = std::io::stdout().flush();
    })
    .await?;
    println!("\n{:?}", completion.usage);
    Ok(())
}
