//! Which files matter: PageRank over the edges between files.

use std::collections::BTreeMap;

use super::index::{FileId, Index};
use crate::Category;

const DAMPING: f64 = 0.85;
const ITERATIONS: usize = 50;

/// What a mention of or from such a file is worth, beside one of the program itself.
const ASIDE: f64 = 0.1;

/// The rank of each file; they sum to 1.
pub(super) fn ranks(index: &Index<'_>, between: &BTreeMap<(FileId, FileId), u32>) -> Vec<f64> {
    let count = index.files.len();
    if count == 0 {
        return Vec::new();
    }
    let worth: Vec<f64> = index.files.iter().map(|file| if is_aside(file.category) { ASIDE } else { 1.0 }).collect();
    let mut mentioned_by = vec![0_u32; count];
    for (_, dst) in between.keys() {
        if let Some(hits) = mentioned_by.get_mut(*dst) {
            *hits += 1;
        }
    }
    // (source, destination, share of the source's rank); sources in order.
    let mut links: Vec<(FileId, FileId, f64)> = Vec::with_capacity(between.len());
    let mut given = vec![0.0_f64; count];
    for ((src, dst), mentions) in between {
        let of = |values: &[f64], id: FileId| values.get(id).copied().unwrap_or(0.0);
        // What everybody mentions says little about where to start reading.
        let hub = f64::from(mentioned_by.get(*dst).copied().unwrap_or(1).max(1)).sqrt();
        let weight = f64::from(*mentions).sqrt() * of(&worth, *dst) * of(&worth, *src) / hub.sqrt();
        links.push((*src, *dst, weight));
        if let Some(total) = given.get_mut(*src) {
            *total += weight;
        }
    }
    for (src, _, weight) in &mut links {
        let total = given.get(*src).copied().unwrap_or(0.0);
        if total > 0.0 {
            *weight /= total;
        }
    }
    // Where a reader without a link goes: to the program rather than to its tests.
    let all: f64 = worth.iter().sum();
    let start: Vec<f64> = worth.iter().map(|worth| worth / all).collect();
    iterate(&links, &given, start)
}

fn iterate(links: &[(FileId, FileId, f64)], given: &[f64], start: Vec<f64>) -> Vec<f64> {
    let mut ranks = start.clone();
    for _ in 0..ITERATIONS {
        let stranded: f64 = ranks.iter().zip(given).filter(|(_, given)| **given <= 0.0).map(|(rank, _)| rank).sum();
        let mut next: Vec<f64> = start.iter().map(|share| share * (1.0 - DAMPING + DAMPING * stranded)).collect();
        for (src, dst, share) in links {
            let flow = ranks.get(*src).copied().unwrap_or(0.0) * share * DAMPING;
            if let Some(rank) = next.get_mut(*dst) {
                *rank += flow;
            }
        }
        ranks = next;
    }
    ranks
}

fn is_aside(category: Category) -> bool {
    !matches!(category, Category::Source)
}
