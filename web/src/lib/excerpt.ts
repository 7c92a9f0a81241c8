/** Words that are everywhere say nothing about a place. */
const COMMON = new Set(
  'a an and are as at be by do does for from how if in is it of on or that the to what when where which with'.split(
    ' ',
  ),
);

/** The words of a question, and their beginnings: `attempts` is found by `attempt`. */
function stems(question: string): string[] {
  const words = question.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? [];
  return [...new Set(words.filter((word) => !COMMON.has(word)).map((word) => word.replace(/(ing|ed|es|s)$/, '')))];
}

/**
 * Where in a passage to begin to show `size` lines of it, so that those are seen which answer the question. The first
 * lines if none does better.
 */
export function bestStart(lines: string[], question: string, symbol: string | undefined, size: number): number {
  const words = stems(question);
  const name = symbol
    ?.split(/::|\.|#/)
    .at(-1)
    ?.toLowerCase();
  const points = lines.map((line) => {
    const text = line.toLowerCase();
    const hits = words.filter((word) => text.includes(word)).length;
    return hits + (name && text.includes(name) ? 2 : 0);
  });
  let [best, most] = [0, 0];
  for (let from = 0; from === 0 || from + size <= lines.length; from += 1) {
    const sum = points.slice(from, from + size).reduce((all, one) => all + one, 0);
    if (sum > most) [best, most] = [from, sum];
  }
  // Not in the middle of nothing.
  while (best > 0 && best < lines.length - 1 && lines[best]?.trim() === '') best += 1;
  return best;
}
