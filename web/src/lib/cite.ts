/** Lines of a file, from 1. */
export interface Lines {
  start: number;
  end: number;
}

export interface Citation extends Partial<Lines> {
  path: string;
}

/** Reads `L3` or `L3-L10`, as in an address after `#`. */
export function parseLines(fragment: string | undefined): Lines | undefined {
  const match = /^#?L(\d{1,7})(?:-L?(\d{1,7}))?$/.exec(fragment ?? '');
  if (!match) return undefined;
  const [one, other] = [Number(match[1]), Number(match[2] ?? match[1])];
  return { start: Math.min(one, other), end: Math.max(one, other) };
}

export function linesFragment(lines: Lines): string {
  return lines.start === lines.end ? `L${lines.start}` : `L${lines.start}-L${lines.end}`;
}

/** What a link of a page cites: `sources/<path>#L1-L2`. */
export function parseCitation(href: string | undefined): Citation | undefined {
  if (!href?.startsWith('sources/')) return undefined;
  const [address = '', fragment] = href.slice('sources/'.length).split('#', 2);
  const path = decoded(address);
  return path === undefined || path === '' ? undefined : { path, ...parseLines(fragment) };
}

/** The page that a link leads to: `<slug>.md` with or without a fragment. */
export function parsePageLink(href: string | undefined): { slug: string; hash?: string } | undefined {
  const match = /^([a-z0-9][a-z0-9._-]*)\.md(?:#(.+))?$/i.exec(href ?? '');
  return match?.[1] ? { slug: match[1], hash: match[2] } : undefined;
}

/** A citation in the address of the reader: `path:3-10`. */
export function citationParam(citation: Citation): string {
  if (citation.start === undefined) return citation.path;
  const { start, end = start } = citation;
  return start === end ? `${citation.path}:${start}` : `${citation.path}:${start}-${end}`;
}

export function readCitationParam(text: string | undefined): Citation | undefined {
  if (!text) return undefined;
  const match = /^(.+?)(?::(\d{1,7})(?:-(\d{1,7}))?)?$/.exec(text);
  if (!match?.[1]) return undefined;
  if (!match[2]) return { path: match[1] };
  const start = Number(match[2]);
  return { path: match[1], start, end: Number(match[3] ?? start) };
}

/** Names that say nothing without their folder. */
const EVERYWHERE =
  /^(Cargo\.toml|package\.json|(mod|lib|main)\.rs|(index|main)\.[jt]sx?|__(init|main)__\.py|README\.md)$/;

/** As much of a path as names a file in running text. */
export function shortName(path: string): string {
  const parts = path.split('/');
  const name = parts.at(-1) ?? path;
  return EVERYWHERE.test(name) ? parts.slice(-2).join('/') : name;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
