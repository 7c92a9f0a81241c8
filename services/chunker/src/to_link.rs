//! From stored analyses to what linking takes, and from its answer to rows.

use std::collections::HashMap;
use std::sync::Arc;

use caffeine_analysis::{FileRefs, Language, LinkFile, LinkImport, LinkOutput, LinkSymbol, Ref};
use caffeine_store::chunker::{
    EdgeRow, ExternalDependencyRow, LinkRows, ModuleFileRow, ModuleRow, RefRow, SnapshotFile, SnapshotImport,
    SnapshotRefs, SnapshotSymbol,
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
pub(crate) fn link_file(file: SnapshotFile) -> Result<LinkFile, UnknownWord> {
    let language = Language::ALL.iter().copied().find(|language| language.as_str() == file.language);
    let mut symbols: Vec<_> = file.symbols.into_iter().map(symbol).collect::<Result<_, _>>()?;
    // Collecting may keep the rows' own allocation, which is twice as large, for as long as linking takes.
    symbols.shrink_to_fit();
    Ok(LinkFile {
        path: file.path,
        language: language.ok_or(UnknownWord(file.language))?,
        category: word(file.category)?,
        manifest: file.manifest.map(json).transpose()?,
        symbols,
        imports: file.imports.into_iter().map(import).collect::<Result<_, _>>()?,
        bases: file.bases.into_iter().map(mention).collect::<Result<_, _>>()?,
    })
}

/// Reads the words of the rows.
pub(crate) fn file_refs(of: SnapshotRefs) -> Result<FileRefs, UnknownWord> {
    Ok(FileRefs { path: of.path, refs: of.refs.into_iter().map(mention).collect::<Result<_, _>>()? })
}

fn symbol(row: SnapshotSymbol) -> Result<LinkSymbol, UnknownWord> {
    Ok(LinkSymbol {
        parent: row.parent,
        kind: word(row.kind)?,
        name: row.name.into(),
        qualified: row.qualified.into(),
        is_file: row.is_file,
    })
}

fn import(row: SnapshotImport) -> Result<LinkImport, UnknownWord> {
    Ok(LinkImport { module: row.module, names: json(row.names)?, kind: word(row.kind)?, line: row.line })
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
    let ranks: HashMap<&str, f64> = output.file_ranks.iter().map(|(path, rank)| (path.as_str(), *rank)).collect();
    let (mut modules, mut files) = (Vec::new(), Vec::new());
    for module in output.modules {
        files.extend(module.files.into_iter().map(|path| {
            let rank = ranks.get(path.as_str()).copied().unwrap_or_default();
            ModuleFileRow { path, module: module.slug.clone(), rank }
        }));
        modules.push(ModuleRow { slug: module.slug, name: module.name, parent: module.parent, path: module.path });
    }
    let externals = output
        .externals
        .into_iter()
        .filter(|external| external.package.len() <= MAX_PACKAGE_BYTES)
        .map(|external| ExternalDependencyRow { path: external.path, package: external.package, count: external.count })
        .collect();
    let paths: Vec<Arc<str>> = output.file_ranks.iter().map(|(path, _)| Arc::from(path.as_str())).collect();
    let path = move |file: u32| paths.get(file as usize).cloned().unwrap_or_default();
    let edges = output.edges.into_iter().map(move |edge| EdgeRow {
        src_path: path(edge.src),
        src_symbol: edge.src_symbol,
        dst_path: path(edge.dst),
        dst_symbol: edge.dst_symbol,
        kind: edge.kind.as_str(),
        tier: edge.tier,
        line: edge.line,
        count: edge.count,
    });
    LinkRows { edges: Box::new(edges), modules, files, externals }
}
