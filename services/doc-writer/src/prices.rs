//! What a model's tokens cost, as the operator says: nobody else knows the contract.

use std::collections::BTreeMap;

/// Tokens that a price is for.
const MILLION: f64 = 1_000_000.0;

/// US dollars for a million tokens of the question and of the answer, by model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prices(BTreeMap<String, (f64, f64)>);

/// An entry that is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no price: write `model=input/output`, in US dollars for a million tokens, as in `some-model=1.5/6`")]
pub struct PriceError(String);

impl Prices {
    /// Reads entries like `some-model=1.5/6`.
    ///
    /// # Errors
    /// If one of them is none, or a model has two.
    pub fn parse(entries: &[String]) -> Result<Self, PriceError> {
        let mut prices = BTreeMap::new();
        for entry in entries {
            let error = || PriceError(entry.clone());
            let (model, price) = entry.split_once('=').ok_or_else(error)?;
            let (input, output) = price.split_once('/').ok_or_else(error)?;
            let (model, input, output) = (model.trim(), dollars(input), dollars(output));
            let pair = input.zip(output).filter(|_| !model.is_empty()).ok_or_else(error)?;
            if prices.insert(model.to_owned(), pair).is_some() {
                return Err(error());
            }
        }
        Ok(Self(prices))
    }

    /// What a call has cost in US dollars; `None` for a model without a price.
    #[expect(clippy::cast_precision_loss, reason = "a call has fewer tokens than a float has whole numbers")]
    pub(crate) fn cost(&self, model: &str, input: u64, output: u64) -> Option<f64> {
        let (for_input, for_output) = self.0.get(model)?;
        Some((input as f64 * for_input + output as f64 * for_output) / MILLION)
    }
}

fn dollars(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|price: &f64| price.is_finite() && *price >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::Prices;

    fn prices(entries: &[&str]) -> Option<Prices> {
        Prices::parse(&entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>()).ok()
    }

    #[test]
    fn a_call_costs_what_its_model_costs() {
        let prices = prices(&["one=2/10", " two = 0.5 / 0 "]).unwrap();
        assert_eq!(prices.cost("one", 1_000_000, 500_000), Some(7.0));
        assert_eq!(prices.cost("two", 2_000_000, 9), Some(1.0));
        assert_eq!(prices.cost("one", 0, 0), Some(0.0));
        assert_eq!(prices.cost("three", 1, 1), None, "nobody has said what it costs");
        assert_eq!(Prices::default().cost("one", 1, 1), None);
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for odd in ["one", "one=2", "=1/2", "one=a/2", "one=1/-2", "one=NaN/1", "one=inf/1", "one=1/2/3"] {
            assert_eq!(prices(&[odd]), None, "{odd}");
        }
        assert_eq!(prices(&["one=1/2", "one=2/3"]), None, "two prices");
        assert_eq!(prices(&[]), Some(Prices::default()));
    }
}
