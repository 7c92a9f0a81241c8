import type { PageEntry } from '../api/schema.ts';

export interface TreeNode {
  entry: PageEntry;
  /** The title without what the page above says already. */
  label: string;
  children: TreeNode[];
}

/** The pages of a document as a tree, in reading order. A page whose parent is missing stands at the top. */
export function pageTree(pages: PageEntry[]): TreeNode[] {
  const nodes = new Map(pages.map((entry) => [entry.slug, { entry, label: entry.title, children: [] } as TreeNode]));
  const top: TreeNode[] = [];
  for (const node of nodes.values()) {
    const parent = node.entry.parent === undefined ? undefined : nodes.get(node.entry.parent);
    if (!parent || parent === node) {
      top.push(node);
      continue;
    }
    const prefix = `${parent.entry.title}/`;
    if (node.entry.title.startsWith(prefix)) node.label = node.entry.title.slice(prefix.length);
    parent.children.push(node);
  }
  return top;
}

/** The slugs from the top down to a page. */
export function trail(pages: PageEntry[], slug: string): string[] {
  const bySlug = new Map(pages.map((entry) => [entry.slug, entry]));
  const found: string[] = [];
  for (let at = bySlug.get(slug); at && !found.includes(at.slug); at = at.parent ? bySlug.get(at.parent) : undefined) {
    found.unshift(at.slug);
  }
  return found;
}

export interface Folder<T> {
  name: string;
  path: string;
  folders: Folder<T>[];
  files: { name: string; file: T }[];
}

/** Files by folder; folders that hold nothing but one folder are one entry. */
export function fileTree<T extends { path: string }>(files: T[]): Folder<T> {
  const root: Folder<T> = { name: '', path: '', folders: [], files: [] };
  const known = new Map<string, Folder<T>>([['', root]]);
  const folderOf = (path: string): Folder<T> => {
    const found = known.get(path);
    if (found) return found;
    const cut = path.lastIndexOf('/');
    const folder: Folder<T> = { name: path.slice(cut + 1), path, folders: [], files: [] };
    known.set(path, folder);
    folderOf(cut < 0 ? '' : path.slice(0, cut)).folders.push(folder);
    return folder;
  };
  for (const file of files) {
    const cut = file.path.lastIndexOf('/');
    folderOf(cut < 0 ? '' : file.path.slice(0, cut)).files.push({ name: file.path.slice(cut + 1), file });
  }
  return tidy(root);
}

function tidy<T>(folder: Folder<T>): Folder<T> {
  const order = (one: { name: string }, other: { name: string }) => (one.name < other.name ? -1 : 1);
  const folders = folder.folders.map((child) => {
    let [at, name] = [child, child.name];
    for (let only = at.folders[0]; only && at.files.length === 0 && at.folders.length === 1; only = at.folders[0]) {
      at = only;
      name = `${name}/${only.name}`;
    }
    return tidy({ ...at, name });
  });
  return { ...folder, folders: folders.sort(order), files: folder.files.sort(order) };
}
