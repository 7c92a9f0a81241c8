/** What the keyboard asks for. */
type Command = 'palette' | 'search' | 'help' | 'repositories' | 'runs' | 'prompts' | 'settings' | 'previous' | 'next';

const AFTER_G: Record<string, Command> = { r: 'repositories', a: 'runs', t: 'prompts', s: 'settings' };
/** How long a `g` waits for what follows. */
export const SEQUENCE_MS = 1_200;

interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  /** Somebody is writing: only the palette answers. */
  writing: boolean;
  at: number;
}

/** Reads single keys and the sequences that begin with `g`. */
export function keyReader(): (pressed: Pressed) => Command | undefined {
  let gAt = Number.NEGATIVE_INFINITY;
  return ({ key, ctrlKey, metaKey, altKey, writing, at }) => {
    if ((ctrlKey || metaKey) && !altKey && key.toLowerCase() === 'k') return 'palette';
    if (writing || ctrlKey || metaKey || altKey) return undefined;
    const afterG = at - gAt < SEQUENCE_MS;
    gAt = Number.NEGATIVE_INFINITY;
    if (afterG && AFTER_G[key]) return AFTER_G[key];
    if (key === 'g') gAt = at;
    return ({ '/': 'search', '?': 'help', '[': 'previous', ']': 'next' } as Record<string, Command>)[key];
  };
}

/** The key that opens the palette together with K, as it is written on the keyboard. */
export function modifier(t: (key: 'nav.ctrl') => string): string {
  return /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : t('nav.ctrl');
}
