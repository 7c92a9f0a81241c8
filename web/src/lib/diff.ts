interface Change {
  kind: 'same' | 'added' | 'removed';
  line: string;
}

/** More lines than this are compared as a whole: the table of all pairs would be too large. */
const MAX_LINES = 2_000;

/** Lines that were added and removed, by the longest common subsequence. */
export function diffLines(before: string, after: string): Change[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  if (a.length > MAX_LINES || b.length > MAX_LINES) {
    return [
      ...a.map((line) => ({ kind: 'removed', line }) as Change),
      ...b.map((line) => ({ kind: 'added', line }) as Change),
    ];
  }
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const changes: Change[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [one, other] = [a[i], b[j]];
    if (one !== undefined && one === other) {
      changes.push({ kind: 'same', line: one });
      i += 1;
      j += 1;
    } else if (one !== undefined && (other === undefined || at(i + 1, j) >= at(i, j + 1))) {
      changes.push({ kind: 'removed', line: one });
      i += 1;
    } else {
      changes.push({ kind: 'added', line: other ?? '' });
      j += 1;
    }
  }
  return changes;
}
