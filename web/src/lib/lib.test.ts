import { describe, expect, it } from 'vitest';
import type { Run } from '../api/schema.ts';
import { citationParam, linesFragment, parseCitation, parseLines, parsePageLink, readCitationParam } from './cite.ts';
import { diffLines } from './diff.ts';
import { highlightLines, plainLines } from './highlight.ts';
import { languageOf } from './language.ts';
import { matches } from './match.ts';
import { rights } from './me.ts';
import { advance, strip } from './pipeline.ts';
import { lint } from './template.ts';
import { fileTree, pageTree, trail } from './tree.ts';

describe('citations', () => {
  it.each([
    ['L3', { start: 3, end: 3 }],
    ['#L3-L10', { start: 3, end: 10 }],
    ['L10-3', { start: 3, end: 10 }],
    ['section', undefined],
    ['L', undefined],
    [undefined, undefined],
  ])('lines of %s', (fragment, expected) => expect(parseLines(fragment)).toEqual(expected));

  it.each([
    ['sources/a/b.rs#L1-L2', { path: 'a/b.rs', start: 1, end: 2 }],
    ['sources/a%20b.rs', { path: 'a b.rs' }],
    ['sources/', undefined],
    ['sources/%E0%A4%A', undefined],
    ['https://host/sources/a', undefined],
    ['javascript:alert(1)', undefined],
  ])('citation %s', (href, expected) => expect(parseCitation(href)).toEqual(expected));

  it('survive the address', () => {
    for (const citation of [
      { path: 'a/b.rs', start: 3, end: 9 },
      { path: 'x:y.md', start: 2, end: 2 },
      { path: 'Makefile' },
    ]) {
      expect(readCitationParam(citationParam(citation))).toEqual(citation);
    }
    expect(linesFragment({ start: 2, end: 2 })).toBe('L2');
  });

  it('pages are links to their slug only', () => {
    expect(parsePageLink('module-a.md#x')).toEqual({ slug: 'module-a', hash: 'x' });
    for (const href of ['../a.md', 'https://host/a.md', 'sources/a.md', '//host/a.md', undefined]) {
      expect(parsePageLink(href)).toBeUndefined();
    }
  });
});

describe('the pipeline', () => {
  const run = (part: Partial<Run>): Run => ({
    id: 'r',
    repository_id: 'p',
    ref: '',
    created_at: '2026-01-01T00:00:00Z',
    state: 'pending',
    stages: { clone: {}, analyse: {}, index: {}, write: {} },
    documents: [{ id: 'd', title: 'Reference', state: 'requested' }],
    ...part,
  });
  const statuses = (of: Run, live = {}) => strip(of, live).map((stage) => stage.status);

  it('goes from waiting to done', () => {
    expect(statuses(run({}))).toEqual(['waiting', 'waiting', 'waiting', 'waiting']);
    expect(statuses(run({ state: 'cloning' }))).toEqual(['running', 'waiting', 'waiting', 'waiting']);
    const stages = { clone: { files: 4, seconds: 1 }, analyse: {}, index: { seconds: 2, chunks: 9 }, write: {} };
    expect(statuses(run({ state: 'indexed', stages }))).toEqual(['done', 'running', 'done', 'waiting']);
    const written = [{ id: 'd', title: 'Reference', state: 'completed' }];
    const all = { ...stages, analyse: { seconds: 1 }, write: { seconds: 1, pages: 3 } };
    expect(statuses(run({ state: 'completed', stages: all, documents: written }))).toEqual([
      'done',
      'done',
      'done',
      'done',
    ]);
  });

  it('shows where a run has ended too early', () => {
    const stages = { clone: { files: 4, seconds: 1 }, analyse: {}, index: {}, write: {} };
    expect(statuses(run({ state: 'failed', stages }))).toEqual(['done', 'failed', 'failed', 'unreached']);
    expect(statuses(run({ state: 'cancelled', stages }))).toEqual(['done', 'cancelled', 'cancelled', 'unreached']);
  });

  it('never goes back, and is full only when it is done', () => {
    const event = (done: number, total?: number) => ({
      event: 'progress',
      stage: 'index',
      done,
      total,
      unit: 'batches',
    });
    let live = advance({}, event(4, 6));
    live = advance(live, event(2));
    expect(live).toEqual({ index: { done: 4, total: 6 } });
    live = advance(live, event(6));
    const [, , index] = strip(run({ state: 'cloned' }), live);
    expect(index).toMatchObject({ status: 'running', share: 0.98 });
    expect(advance(live, { ...event(1), stage: 'unknown' })).toBe(live);
  });
});

describe('trees', () => {
  const page = (slug: string, parent: string | undefined, title: string) => ({
    slug,
    parent,
    title,
    kind: 'module',
    state: 'published',
  });

  it('pages hang below their parents, whose name is not repeated', () => {
    const pages = [
      page('i', undefined, 'Overview'),
      page('a', 'i', 'src'),
      page('b', 'a', 'src/api'),
      page('c', 'gone', 'x'),
    ];
    const tree = pageTree(pages);
    expect(tree.map((node) => node.label)).toEqual(['Overview', 'x']);
    expect(tree[0]?.children[0]?.children[0]?.label).toBe('api');
    expect(trail(pages, 'b')).toEqual(['i', 'a', 'b']);
  });

  it('a circle of parents ends', () =>
    expect(trail([page('a', 'b', ''), page('b', 'a', '')], 'a')).toEqual(['b', 'a']));

  it('files hang in folders, single ones joined', () => {
    const root = fileTree([{ path: 'a/b/c.rs' }, { path: 'a/b/d/e.rs' }, { path: 'z.md' }]);
    expect(root.folders.map((folder) => folder.name)).toEqual(['a/b']);
    expect(root.folders[0]?.folders[0]).toMatchObject({ name: 'd', path: 'a/b/d' });
    expect(root.files.map((file) => file.name)).toEqual(['z.md']);
  });
});

describe('templates', () => {
  it.each([
    ['{code}', []],
    ['fn f() { {code} } {"a": {}}', []],
    ['{style} only', [{ kind: 'no_code' }]],
    ['{code} {secret} {secret}', [{ kind: 'unknown', word: 'secret' }]],
    ['x'.repeat(70_000), [{ kind: 'too_long' }, { kind: 'no_code' }]],
  ])('%.20s', (body, expected) => expect(lint('', body)).toEqual(expected));

  it('differences are lines', () => {
    const kinds = diffLines('a\nb\nc', 'a\nx\nc').map((change) => `${change.kind} ${change.line}`);
    expect(kinds).toEqual(['same a', 'removed b', 'added x', 'same c']);
  });
});

describe('source', () => {
  it('every line stays one', async () => {
    const text = '/* one\n two */\nfn main() {}\n\nlet s = "a\nb";\n';
    const lines = await highlightLines(text, 'rust');
    expect(lines.map((line) => line.map((piece) => piece.text).join(''))).toEqual(text.split('\n').slice(0, -1));
    expect(lines[1]?.[0]?.classes).toContain('comment');
  });

  it('what is not known is plain', async () => {
    expect(await highlightLines('a\nb', 'klingon')).toEqual(plainLines('a\nb'));
    expect(plainLines('')).toHaveLength(1);
  });

  it.each([
    ['src/main.rs', 'rust'],
    ['Makefile', 'makefile'],
    ['a/Dockerfile.dev', 'dockerfile'],
    ['LICENSE', 'text'],
  ])('%s', (path, expected) => expect(languageOf(path)).toBe(expected));
});

it('filters know no accents', () => {
  expect(matches('Café Müller', 'muller cafe')).toBe(true);
  expect(matches('Café', 'tea')).toBe(false);
});

it('roles', () => {
  expect(rights({ role: 'viewer' })).toMatchObject({
    write: false,
    maintain: false,
    administer: false,
    oversee: false,
  });
  expect(rights({ role: 'auditor' })).toMatchObject({ write: false, administer: false, oversee: true });
  expect(rights({ role: 'author' })).toMatchObject({ write: true, maintain: false });
  expect(rights({ role: 'admin', scopes: ['read'] })).toMatchObject({
    own: false,
    write: false,
    administer: false,
    oversee: true,
  });
  expect(rights({ role: 'admin' })).toMatchObject({ write: true, maintain: true, administer: true, oversee: true });
});
