import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** What a browser may have to load before the first page stands, in bytes of gzip: scripts, styles and fonts. */
export const FIRST_LOAD_LIMIT = 250 * 1024;

interface Piece {
  size: number;
  imports: string[];
  styles: string[];
}

/** The sum over a piece and everything that it imports, without what `known` has already. */
export function sum(
  pieces: Map<string, Piece>,
  styles: Map<string, number>,
  entry: string,
  known = new Set<string>(),
): number {
  if (known.has(entry)) return 0;
  known.add(entry);
  const piece = pieces.get(entry);
  if (!piece) return 0;
  let total = piece.size;
  for (const style of piece.styles.filter((name) => !known.has(name))) {
    known.add(style);
    total += styles.get(style) ?? 0;
  }
  return piece.imports.reduce((all, next) => all + sum(pieces, styles, next, known), total);
}

/** Prints what each route loads, and fails the build if the first load is too large. */
export function sizes(): Plugin {
  return {
    name: 'sizes',
    apply: 'build',
    generateBundle(_options, bundle) {
      const pieces = new Map<string, Piece>();
      const styles = new Map<string, number>();
      const routes: [string, string][] = [];
      let entry = '';
      let fonts = 0;
      for (const [name, file] of Object.entries(bundle)) {
        if (file.type === 'asset') {
          const size = typeof file.source === 'string' ? Buffer.byteLength(file.source) : file.source.length;
          if (name.endsWith('.css')) styles.set(name, gzipSync(file.source).length);
          // The two faces of the first page, upright; italics, other scripts and the code's face come when they are used.
          if (/(newsreader-latin-(wght|standard)-normal|hanken-grotesk-latin-wght-normal)/.test(name)) fonts += size;
          continue;
        }
        const meta = (file as { viteMetadata?: { importedCss?: Set<string> } }).viteMetadata;
        pieces.set(name, {
          size: gzipSync(file.code).length,
          imports: file.imports,
          styles: [...(meta?.importedCss ?? [])],
        });
        if (file.isEntry) entry = name;
        const page = file.facadeModuleId?.match(/\/src\/pages\/(.+)\.tsx$/)?.[1];
        if (page && file.isDynamicEntry) routes.push([page, name]);
      }
      const kilo = (bytes: number) => `${(bytes / 1024).toFixed(1).padStart(7)} KiB`;
      const shared = new Set<string>();
      const shell = sum(pieces, styles, entry, shared);
      const lines = [`shell ${' '.repeat(22)}${kilo(shell)}`, `fonts ${' '.repeat(22)}${kilo(fonts)}`];
      let first = 0;
      for (const [page, name] of routes.sort()) {
        const own = sum(pieces, styles, name, new Set(shared));
        if (page === 'Repositories' || page === 'SignIn') first = Math.max(first, own);
        lines.push(`+ ${page.padEnd(26)}${kilo(own)}`);
      }
      first += shell + fonts;
      lines.push(`first load ${' '.repeat(17)}${kilo(first)}  (limit ${FIRST_LOAD_LIMIT / 1024} KiB)`);
      this.info(`gzip by route\n${lines.join('\n')}`);
      if (first > FIRST_LOAD_LIMIT) this.error(`the first load is ${kilo(first)} with gzip`);
    },
  };
}
