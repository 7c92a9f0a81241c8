import type { Element, Root, RootContent } from 'hast';

export function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}

function textOf(node: RootContent): string {
  if (node.type === 'text') return node.value;
  return 'children' in node ? node.children.map(textOf).join('') : '';
}

/** Gives every heading a name that is unique on its page, in the way of GitHub. */
export function rehypeHeadings() {
  return (tree: Root) => {
    const seen = new Map<string, number>();
    const walk = (node: Root | Element) => {
      for (const child of node.children) {
        if (child.type !== 'element') continue;
        if (/^h[1-6]$/.test(child.tagName)) {
          const name = slug(textOf(child)) || 'section';
          const times = seen.get(name) ?? 0;
          seen.set(name, times + 1);
          child.properties.id = times === 0 ? name : `${name}-${times}`;
        }
        walk(child);
      }
    };
    walk(tree);
  };
}
