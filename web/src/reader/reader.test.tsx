import { createHash } from 'node:crypto';
import { renderToStaticMarkup } from 'react-dom/server';
import { beforeAll, expect, it, vi } from 'vitest';
import { safeTarget } from '../lib/target.ts';
import { sha256 } from './digest.ts';
import { type Around, Markdown } from './Markdown.tsx';
import { slug } from './slugs.ts';

beforeAll(() => {
  vi.stubGlobal('localStorage', { getItem: () => 'en' });
});

const around: Around = {
  document: 'd',
  title: 'Page',
  hrefOfPage: (to, hash) => `/documents/d/${to}${hash ? `#${hash}` : ''}`,
  hrefOfCitation: (citation) => `/cite/${citation.path}`,
  onPage: () => undefined,
  onCite: () => undefined,
};
const render = (markdown: string) => renderToStaticMarkup(<Markdown markdown={markdown} around={around} />);

it('digests are those of others', () => {
  for (const text of [
    '',
    'abc',
    'graph TD\n  a --> b',
    'ä'.repeat(100),
    'x'.repeat(55),
    'x'.repeat(56),
    'x'.repeat(64),
  ]) {
    expect(sha256(text)).toBe(createHash('sha256').update(text).digest('hex'));
  }
});

it('headings have names as elsewhere', () => {
  expect(slug('`Bus::command` (method)')).toBe('buscommand-method');
  expect(render('## One\n\n## One')).toContain('id="one-1"');
});

it('citations are chips and pages are links', () => {
  expect(render('[`a/b.rs:L1-L2`](sources/a/b.rs#L1-L2)')).toMatch(
    /href="\/cite\/a\/b\.rs" class="cite"[^>]*>.*b\.rs:1–2/,
  );
  expect(render('[bus](module-bus.md#x)')).toContain('href="/documents/d/module-bus#x"');
});

it('hostile text stays text', () => {
  const hostile = [
    '<script>window.hit = 1</script>',
    'a <img src=x onerror=alert(1)> b',
    '[link](javascript:alert(1))',
    '[data](data:text/html,<script>alert(1)</script>)',
    '![remote](https://elsewhere.example/pixel.png)',
    '<iframe src="https://elsewhere.example"></iframe>',
    '[style](https://x.example "a\\" onmouseover=\\"alert(1)")',
  ].join('\n\n');
  const html = render(hostile);
  expect(html).not.toMatch(/<script|<img|<iframe|href="javascript|href="data|<[^>]*\sonmouseover=/i);
  expect(html).not.toMatch(/<[^>]*\ssrc=/);
});

it('diagrams are pictures of the server', () => {
  const code = 'graph TD\n  a --> b';
  const hash = createHash('sha256').update(code).digest('hex').slice(0, 32);
  const html = render(`\`\`\`mermaid\n${code}\n\`\`\``);
  expect(html).toContain(`src="/api/v1/documents/d/diagrams/${hash}.svg?look=light"`);
});

it('columns keep their side without a style attribute', () => {
  const html = render('| a | b |\n| --- | ---: |\n| 1 | 2 |');
  expect(html).toContain('<td class="right">2</td>');
  expect(html).not.toContain('style=');
});

it('nobody is sent elsewhere after signing in', () => {
  expect(safeTarget('/runs?state=failed')).toBe('/runs?state=failed');
  for (const to of [
    undefined,
    '',
    'https://x.example',
    '//x.example',
    '/\\x.example',
    'javascript:alert(1)',
    '/sign-in?to=/',
  ]) {
    expect(safeTarget(to)).toBe('/');
  }
});
