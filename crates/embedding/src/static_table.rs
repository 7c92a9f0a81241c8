//! The default embedder: a table of word vectors inside the binary.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::table_words::TableWords;
use crate::{EmbedError, Embedder, Embedding};

static ROWS: &[u8] = include_bytes!("../data/table.i8.bin");
static SCALES: &[u8] = include_bytes!("../data/scale.f32.bin");
static VOCABULARY: &str = include_str!("../data/vocab.json");

/// Changes whenever any vector changes.
const MODEL: &str = "static-code-256-v2";
const DIMENSIONS: usize = 256;
/// A text's ids beyond these are not read.
const MAX_IDS: usize = 400;
/// Lengths of a piece of an unknown word, in bytes.
const MIN_PIECE: usize = 3;
const MAX_PIECE: usize = 20;

type Words = HashMap<&'static [u8], u32, BuildHasherDefault<Fnv>>;

/// The static code-embedding table, version 2: 23,735 words by 256 dimensions, int8 with a scale
/// for each row. About 6.5 MB of the binary and 1 MB of memory; loading takes some milliseconds,
/// so load once and share it.
pub struct StaticTable {
    words: Words,
    scales: Vec<f32>,
}

impl StaticTable {
    /// Reads the word list and checks that the three files fit together.
    ///
    /// # Errors
    /// When the files that were compiled in do not fit; a build that passes its tests cannot.
    pub fn load() -> Result<Self, EmbedError> {
        let list: Vec<&'static str> = serde_json::from_str(VOCABULARY).map_err(EmbedError::Vocabulary)?;
        if ROWS.len() != list.len() * DIMENSIONS {
            return Err(EmbedError::DamagedTable("rows and words differ in number"));
        }
        if SCALES.len() != list.len() * size_of::<f32>() {
            return Err(EmbedError::DamagedTable("scales and words differ in number"));
        }
        let (scales, _) = SCALES.as_chunks::<4>();
        let scales: Vec<f32> = scales.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if !scales.iter().all(|scale| scale.is_finite() && *scale > 0.0) {
            return Err(EmbedError::DamagedTable("a scale is not a positive number"));
        }
        let count = list.len();
        let words: Words = list.into_iter().map(str::as_bytes).zip(0..).collect();
        if words.len() != count {
            return Err(EmbedError::DamagedTable("a word occurs twice"));
        }
        Ok(Self { words, scales })
    }

    /// The text's word ids in order, pieces of unknown words included, at most [`MAX_IDS`].
    fn ids(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(64);
        let mut words = TableWords::new(text);
        while ids.len() < MAX_IDS
            && let Some(word) = words.next_word()
        {
            self.push_ids(word, &mut ids);
        }
        ids.truncate(MAX_IDS);
        ids
    }

    /// The word's id, or those of the longest known pieces from left to right.
    fn push_ids(&self, word: &[u8], ids: &mut Vec<u32>) {
        if let Some(id) = self.words.get(word) {
            ids.push(*id);
            return;
        }
        let mut start = 0;
        while start < word.len() {
            let longest = word.len().min(start + MAX_PIECE);
            let piece =
                (start + MIN_PIECE..=longest).rev().find_map(|end| Some((end, *self.words.get(&word[start..end])?)));
            match piece {
                Some((end, id)) => {
                    ids.push(id);
                    start = end;
                }
                None => start += 1,
            }
        }
    }

    /// The weighted sum of the ids' rows, and its length. A word that occurs n times weighs
    /// 1 + ln n, and a row's own length carries the word's importance.
    fn pool(&self, mut ids: Vec<u32>) -> (Vec<f32>, f32) {
        let mut sum = vec![0.0_f32; DIMENSIONS];
        ids.sort_unstable();
        for run in ids.chunk_by(|a, b| a == b) {
            let row = run[0] as usize;
            let weight = (1.0 + (run.len() as f32).ln()) * self.scales[row];
            let components = &ROWS[row * DIMENSIONS..(row + 1) * DIMENSIONS];
            for (total, component) in sum.iter_mut().zip(components) {
                *total += weight * f32::from(component.cast_signed());
            }
        }
        let norm = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
        (sum, norm)
    }

    fn embed_one(&self, text: &str) -> Embedding {
        let (mut vector, norm) = self.pool(self.ids(text));
        if norm == 0.0 {
            return Embedding::Empty;
        }
        for component in &mut vector {
            *component /= norm;
        }
        Embedding::Vector(vector)
    }
}

impl Embedder for StaticTable {
    fn model(&self) -> &str {
        MODEL
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Embedding>, EmbedError> {
        Ok(texts.iter().map(|text| self.embed_one(text)).collect())
    }
}

impl std::fmt::Debug for StaticTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaticTable").field("model", &MODEL).field("words", &self.words.len()).finish_non_exhaustive()
    }
}

/// FNV-1a. The word list is fixed, so nobody can crowd a bucket of it, and up to eighteen pieces
/// are looked up per letter of an unknown word: a keyed hash would be most of the cost.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_usize(&mut self, _length_prefix: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use sha2::{Digest, Sha256};

    use super::*;

    static GOLDEN: &str = include_str!("../data/golden.json");

    #[derive(Deserialize)]
    struct Golden {
        dim: usize,
        vocab: usize,
        max_ids: usize,
        tolerance: f32,
        sha256: HashMap<String, String>,
        golden: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        text: String,
        ids: Vec<u32>,
        raw_norm: f32,
        norm: f32,
        vec8: Vec<f32>,
    }

    fn golden() -> Golden {
        serde_json::from_str(GOLDEN).expect("golden file is valid")
    }

    #[test]
    fn files_are_the_ones_that_were_measured() {
        let golden = golden();
        assert_eq!(golden.sha256.len(), 3);
        for (name, bytes) in [("table.i8.bin", ROWS), ("scale.f32.bin", SCALES), ("vocab.json", VOCABULARY.as_bytes())]
        {
            assert_eq!(hex::encode(Sha256::digest(bytes)), golden.sha256[name], "{name}");
        }
    }

    #[test]
    fn golden_vectors_agree() {
        let golden = golden();
        let table = StaticTable::load().expect("table loads");
        assert_eq!((golden.dim, golden.max_ids), (DIMENSIONS, MAX_IDS));
        assert_eq!(golden.vocab, table.words.len());
        assert_eq!(golden.golden.len(), 84);
        for case in &golden.golden {
            let text = &case.text;
            let ids = table.ids(text);
            assert_eq!(ids, case.ids, "ids of {text:?}");
            let (_, raw_norm) = table.pool(ids);
            let allowed = golden.tolerance * case.raw_norm.max(1.0);
            assert!((raw_norm - case.raw_norm).abs() <= allowed, "raw norm of {text:?}");
            let embedded = table.embed(&[text]).expect("static table never fails");
            match &embedded[..] {
                [Embedding::Empty] => assert_eq!(case.norm, 0.0, "{text:?} is empty"),
                [Embedding::Vector(vector)] => {
                    assert_eq!(vector.len(), DIMENSIONS);
                    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
                    assert!((norm - case.norm).abs() <= golden.tolerance, "norm of {text:?}");
                    for (got, want) in vector.iter().zip(&case.vec8) {
                        assert!((got - want).abs() <= golden.tolerance, "vector of {text:?}");
                    }
                }
                other => panic!("{} results for one text", other.len()),
            }
        }
    }

    #[test]
    fn nearest_text_is_the_related_one() {
        let table = StaticTable::load().expect("table loads");
        let texts = [
            "how are expired sessions removed",
            "fn purge_stale_sessions(store: &SessionStore, now: Instant) { store.delete_expired(now) }",
            "fn draw_triangle(canvas: &mut Canvas, points: [Point; 3]) { canvas.fill_polygon(points) }",
        ];
        let embedded = table.embed(&texts).expect("static table never fails");
        let dot = |a: usize, b: usize| -> f32 {
            let (a, b) = (embedded[a].as_slice(), embedded[b].as_slice());
            let (a, b) = (a.expect("words are known"), b.expect("words are known"));
            a.iter().zip(b).map(|(x, y)| x * y).sum()
        };
        assert!(dot(0, 1) > dot(0, 2) + 0.1, "{} against {}", dot(0, 1), dot(0, 2));
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_direction_or_is_empty(text in "(\\PC|[a-zA-Z0-9_ ]|\\x00){0,300}") {
            static TABLE: std::sync::LazyLock<StaticTable> =
                std::sync::LazyLock::new(|| StaticTable::load().expect("table loads"));
            let embedded = TABLE.embed_one(&text);
            if let Some(vector) = embedded.as_slice() {
                let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
                proptest::prop_assert!((norm - 1.0).abs() < 1e-4);
            }
            let is_known = !TABLE.ids(&text).is_empty();
            proptest::prop_assert_eq!(embedded.as_slice().is_some(), is_known);
        }
    }
}
