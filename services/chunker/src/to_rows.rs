//! From the analysis of a file to its rows, and to what the embedder gets of it.

use caffeine_analysis::{Chunk, FileAnalysis, Import, Ref, SkipReason, Symbol, parse_manifest};
use caffeine_contract::{id_bytes, v1};
use caffeine_store::chunker::{FileVersionRow, ImportRow, RefRow, SymbolRow};

use serde_json::Value;

use crate::unpack::InputFile;

const LEVEL: i32 = 3;

/// The rows of a file version and its part of the `chunks.batch`.
pub(crate) struct AnalysedFile {
    pub(crate) row: FileVersionRow,
    pub(crate) chunked: v1::ChunkedFile,
}

/// Turns an analysis into rows. `skip` overrides the analysis' own word.
pub(crate) fn to_rows(file: &InputFile, analysis: FileAnalysis, skip: Option<&str>) -> AnalysedFile {
    let skip = skip.or(analysis.skip.map(SkipReason::as_str)).map(str::to_owned);
    let manifest = match skip {
        Some(_) => None,
        None => parse_manifest(file.path.as_str(), &analysis.text)
            .and_then(|manifest| serde_json::to_value(manifest).ok())
            .map(clean_json),
    };
    let text_zstd = match skip {
        Some(_) => None,
        // Compressing into memory fails only if there is none.
        None => zstd::bulk::compress(analysis.text.as_bytes(), LEVEL).ok(),
    };
    let row = FileVersionRow {
        id: file.id,
        path: file.path.clone(),
        oid: file.oid,
        language: analysis.language.as_str().to_owned(),
        category: analysis.category.as_str().to_owned(),
        encoding: analysis.encoding,
        lines: analysis.loc,
        source_lines: analysis.sloc,
        parse_quality: analysis.parse.as_str().to_owned(),
        skip_reason: skip,
        manifest,
        text_zstd,
        symbols: analysis.symbols.into_iter().map(symbol_row).collect(),
        imports: analysis.imports.into_iter().map(import_row).collect(),
        refs: analysis.refs.into_iter().map(ref_row).collect(),
    };
    let chunked = v1::ChunkedFile {
        file_version_id: id_bytes(file.id.as_uuid()),
        path: file.path.as_str().to_owned(),
        language: row.language.clone(),
        text: if analysis.chunks.is_empty() { String::new() } else { analysis.text },
        chunks: analysis.chunks.into_iter().map(chunk_range).collect(),
    };
    AnalysedFile { row, chunked }
}

fn chunk_range(chunk: Chunk) -> v1::ChunkRange {
    v1::ChunkRange {
        start_byte: chunk.start_byte,
        end_byte: chunk.end_byte,
        start_line: chunk.start_line,
        end_line: chunk.end_line,
        kind: chunk.kind.as_str().to_owned(),
        scope: clean(chunk.scope),
        symbol: clean(chunk.symbol.unwrap_or_default()),
        signature: clean(chunk.signature.unwrap_or_default()),
    }
}

fn symbol_row(symbol: Symbol) -> SymbolRow {
    SymbolRow {
        ordinal: symbol.ordinal,
        parent: symbol.parent,
        kind: symbol.kind.as_str().to_owned(),
        name: clean(symbol.name),
        qualified: clean(symbol.qualified),
        signature: clean(symbol.signature),
        doc: clean(symbol.doc),
        visibility: symbol.visibility.as_str().to_owned(),
        exported: symbol.exported,
        start_line: symbol.start_line,
        end_line: symbol.end_line,
        start_byte: symbol.start_byte,
        end_byte: symbol.end_byte,
    }
}

fn import_row(import: Import) -> ImportRow {
    ImportRow {
        raw: clean(import.raw),
        module: clean(import.module),
        names: serde_json::to_value(import.names).map(clean_json).unwrap_or_default(),
        kind: import.kind.as_str().to_owned(),
        line: import.line,
    }
}

fn ref_row(mention: Ref) -> RefRow {
    RefRow {
        name: clean(mention.name),
        receiver: mention.receiver.map(clean),
        kind: mention.kind.as_str().to_owned(),
        enclosing: mention.enclosing,
        line: mention.line,
        count: mention.count,
    }
}

/// Without NUL, which PostgreSQL cannot store. A text has none, but a parser may have made one from an escape.
fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

fn clean_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(values) => values.into_iter().map(clean_json).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (clean(name), clean_json(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::clean_json;

    #[test]
    fn nothing_stored_has_a_nul() {
        let hostile = json!({"na\u{0}me": ["a\u{0}", 7, {"b": "\u{0}\u{0}"}], "ok": "\\u0000"});
        assert_eq!(clean_json(hostile), json!({"name": ["a", 7, {"b": ""}], "ok": "\\u0000"}));
    }
}
