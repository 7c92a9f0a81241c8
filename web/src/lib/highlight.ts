import type { Element, ElementContent, Root } from 'hast';

/** A run of text with the classes that colour it. */
export interface Piece {
  text: string;
  classes: string;
}

/** Above this, colouring would hold up the page: the text is shown plain. */
const MAX_CHARACTERS = 400_000;

/** Names of our analysis that highlight.js knows by another one. */
const ALIASES: Record<string, string> = { shell: 'bash', toml: 'ini', vue: 'xml', html: 'xml', text: 'plaintext' };

/** The lines of a text, each in coloured pieces. The colouring is loaded when it is first used. */
export async function highlightLines(text: string, language: string): Promise<Piece[][]> {
  if (text.length > MAX_CHARACTERS) return plainLines(text);
  const { lowlight } = await import('./lowlight.ts');
  const name = ALIASES[language] ?? language;
  return lowlight.registered(name) ? splitLines(lowlight.highlight(name, text)) : plainLines(text);
}

/** Lines as they are read: the end of the last one begins no other. */
export function plainLines(text: string): Piece[][] {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.length > 1 && lines.at(-1) === '') lines.pop();
  return lines.map((line) => [{ text: line, classes: '' }]);
}

/** Cuts a coloured tree at its line ends; a comment over three lines becomes three pieces. */
function splitLines(tree: Root): Piece[][] {
  const lines: Piece[][] = [[]];
  const walk = (node: ElementContent | Root['children'][number], classes: string) => {
    if (node.type === 'element') {
      const own = classesOf(node);
      for (const child of node.children) walk(child, own || classes);
    } else if (node.type === 'text') {
      const [first = '', ...rest] = node.value.split(/\r\n|\r|\n/);
      if (first) lines.at(-1)?.push({ text: first, classes });
      for (const line of rest) lines.push(line ? [{ text: line, classes }] : []);
    }
  };
  for (const child of tree.children) walk(child, '');
  if (lines.length > 1 && lines.at(-1)?.length === 0) lines.pop();
  return lines;
}

function classesOf(node: Element): string {
  const { className } = node.properties;
  return Array.isArray(className) ? className.join(' ') : '';
}
