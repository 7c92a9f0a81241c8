function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

/** Whether every word of a filter is somewhere in a text; accents and case do not count. */
export function matches(text: string, filter: string): boolean {
  const hay = plain(text);
  return plain(filter)
    .split(/\s+/)
    .every((word) => hay.includes(word));
}
