//! The committed inputs of the fuzz targets as ordinary tests, as they are and changed at random. Each crate with
//! targets includes this file.
//!
//! Blind changes find less than `make fuzz`, which sees what code an input reaches, but they cost nothing and need
//! nothing. The same ones each time; `FUZZ_CHANGES=100000` asks for more than the usual number per target.

use std::path::Path;

/// A target's name, which is its folder below `fuzz/seeds/`, and what holds for any bytes.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// Changed inputs per target.
const CHANGES: u64 = 200;
/// No input grows larger.
const MAX_BYTES: usize = 8 * 1024;

/// What parsers stumble over.
const SIGNS: &[u8] = b"\0\n\r\t \"'`<>{}[]()|\\/:;,.#*_-&=@$%+~!?\x80\xff\xc3\xe2";

/// Runs every target over its inputs.
pub(crate) fn replay(targets: &[Target]) {
    let changes = std::env::var("FUZZ_CHANGES").map_or(CHANGES, |text| text.parse().expect("FUZZ_CHANGES is a number"));
    for (target, property) in targets {
        let seeds = seeds(target);
        for seed in &seeds {
            run(target, *property, seed);
        }
        let mut dice = Dice(target.bytes().fold(1_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))));
        for _ in 0..changes {
            run(target, *property, &changed(&seeds, &mut dice));
        }
        println!("{target}: {} inputs and {changes} changed ones", seeds.len());
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no input", folder.display());
    files.iter().map(|file| std::fs::read(file).expect("the input can be read")).collect()
}

fn run(target: &str, property: fn(&[u8]), input: &[u8]) {
    let _shown = Shown { target, input };
    property(input);
}

/// Prints the input if its property fails.
struct Shown<'input> {
    target: &'input str,
    input: &'input [u8],
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{} failed with b\"{}\"", self.target, self.input.escape_ascii());
        }
    }
}

/// Numbers that look random and are the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((bits ^ (bits >> 31)) >> 33).expect("31 bits") % sides.max(1)
    }
}

fn changed(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seeds[dice.roll(seeds.len())].clone();
    bytes.truncate(MAX_BYTES);
    for _ in 0..=dice.roll(6) {
        let at = dice.roll(bytes.len() + 1);
        let end = (at + dice.roll(40)).min(bytes.len());
        match dice.roll(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
            1 if at < bytes.len() => bytes[at] = u8::try_from(dice.roll(256)).expect("one of 256"),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                let to = dice.roll(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            4 => {
                let other = &seeds[dice.roll(seeds.len())];
                let from = dice.roll(other.len() + 1);
                let to = (from + dice.roll(60)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            5 => {
                let repeated = bytes[at..end].repeat(dice.roll(30));
                bytes.splice(at..at, repeated);
            }
            _ => bytes.insert(at, SIGNS[dice.roll(SIGNS.len())]),
        }
        bytes.truncate(MAX_BYTES);
    }
    bytes
}
