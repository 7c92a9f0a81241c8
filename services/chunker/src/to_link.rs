//! From stored analyses to what linking takes, and from its answer to rows.

use std::collections::HashMap;

use caffeine_analysis::{Import, Language, LinkFile, LinkInput, LinkOutput, Ref, Symbol};
use caffeine_store::chunker::{
    EdgeRow, ExternalDependencyRow, ImportRow, LinkRows, ModuleFileRow, ModuleRow, RefRow, SnapshotFile, SymbolRow,
};
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StringDeserializer};

/// The longest name of a package, in bytes. Longer ones are no names, and would not fit an index.
const MAX_PACKAGE_BYTES: usize = 500;

/// A stored value that the analysis does not know. Rows of one analyser version are read by the same version only.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a word of this analyser")]
pub(crate) struct UnknownWord(String);

/// Reads the words of the rows.
pub(crate) fn link_input(files: Vec<SnapshotFile>) -> Result<LinkInput, UnknownWord> {
    Ok(LinkInput { files: files.into_iter().map(link_file).collect::<Result<_, _>>()? })
}

fn link_file(file: SnapshotFile) -> Result<LinkFile, UnknownWord> {
    let language = Language::ALL.iter().copied().find(|language| language.as_str() == file.language);
    Ok(LinkFile {
        path: file.path,
        language: language.ok_or(UnknownWord(file.language))?,
        category: word(file.category)?,
        manifest: file.manifest.map(json).transpose()?,
        symbols: file.symbols.into_iter().map(symbol).collect::<Result<_, _>>()?,
        imports: file.imports.into_iter().map(import).collect::<Result<_, _>>()?,
        refs: file.refs.into_iter().map(mention).collect::<Result<_, _>>()?,
    })
}

fn symbol(row: SymbolRow) -> Result<Symbol, UnknownWord> {
    Ok(Symbol {
        ordinal: row.ordinal,
        parent: row.parent,
        kind: word(row.kind)?,
        name: row.name,
        qualified: row.qualified,
        signature: row.signature,
        doc: row.doc,
        visibility: word(row.visibility)?,
        exported: row.exported,
        start_line: row.start_line,
        end_line: row.end_line,
        start_byte: row.start_byte,
        end_byte: row.end_byte,
    })
}

fn import(row: ImportRow) -> Result<Import, UnknownWord> {
    Ok(Import { raw: row.raw, module: row.module, names: json(row.names)?, kind: word(row.kind)?, line: row.line })
}

fn mention(row: RefRow) -> Result<Ref, UnknownWord> {
    Ok(Ref {
        name: row.name,
        receiver: row.receiver,
        kind: word(row.kind)?,
        enclosing: row.enclosing,
        line: row.line,
        count: row.count,
    })
}

fn word<T: DeserializeOwned>(text: String) -> Result<T, UnknownWord> {
    T::deserialize(StringDeserializer::<Error>::new(text.clone())).map_err(|_| UnknownWord(text))
}

fn json<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, UnknownWord> {
    T::deserialize(&value).map_err(|_| UnknownWord(value.to_string()))
}

/// The graph as rows.
pub(crate) fn link_rows(output: LinkOutput) -> LinkRows {
    let ranks: HashMap<String, f64> = output.file_ranks.into_iter().collect();
    let mut rows = LinkRows::default();
    for module in output.modules {
        let files = module.files.into_iter().map(|path| {
            let rank = ranks.get(&path).copied().unwrap_or_default();
            ModuleFileRow { path, module: module.slug.clone(), rank }
        });
        rows.files.extend(files);
        rows.modules.push(ModuleRow { slug: module.slug, name: module.name, parent: module.parent, path: module.path });
    }
    rows.edges = output
        .edges
        .into_iter()
        .map(|edge| EdgeRow {
            src_path: edge.src_path,
            src_symbol: edge.src_symbol,
            dst_path: edge.dst_path,
            dst_symbol: edge.dst_symbol,
            kind: edge.kind.as_str().to_owned(),
            tier: edge.tier,
            line: edge.line,
            count: edge.count,
        })
        .collect();
    rows.externals = output
        .externals
        .into_iter()
        .filter(|external| external.package.len() <= MAX_PACKAGE_BYTES)
        .map(|external| ExternalDependencyRow { path: external.path, package: external.package, count: external.count })
        .collect();
    rows
}
