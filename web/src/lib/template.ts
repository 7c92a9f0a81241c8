export const PLACEHOLDERS = ['code', 'language', 'style', 'output_language'] as const;
export const MAX_BYTES = 64 * 1024;

export type Lint = { kind: 'no_code' } | { kind: 'unknown'; word: string } | { kind: 'too_long' };

/** The server's rules for a template's text, so that it is told while it is written. */
export function lint(system: string, body: string): Lint[] {
  const found: Lint[] = [];
  const bytes = (text: string) => new TextEncoder().encode(text).length;
  if (bytes(system) > MAX_BYTES || bytes(body) > MAX_BYTES) found.push({ kind: 'too_long' });
  const words = [...body.matchAll(/\{([a-z_]{1,40})\}/g)].map((match) => match[1] ?? '');
  if (!words.includes('code')) found.push({ kind: 'no_code' });
  const unknown = words.filter((word) => !PLACEHOLDERS.some((placeholder) => placeholder === word));
  for (const word of new Set(unknown)) found.push({ kind: 'unknown', word });
  return found;
}
