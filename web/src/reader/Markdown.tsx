import type { Element } from 'hast';
import { type ComponentProps, createContext, memo, type ReactNode, use, useEffect, useMemo, useState } from 'react';
import ReactMarkdown, { type Components, type ExtraProps } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { useI18n } from '../i18n/index.ts';
import { type Citation, parseCitation, parsePageLink, shortName } from '../lib/cite.ts';
import { highlightLines, type Piece } from '../lib/highlight.ts';
import { Icon } from '../shell/Icon.tsx';
import { Diagram } from './Diagram.tsx';
import { rehypeHeadings } from './slugs.ts';

export interface Around {
  document: string;
  title: string;
  /** The citation whose source is open. */
  cited?: string;
  hrefOfPage: (slug: string, hash?: string) => string;
  hrefOfCitation: (citation: Citation) => string;
  onPage: (slug: string, hash?: string) => void;
  onCite: (citation: Citation) => void;
}

const AroundContext = createContext<Around | undefined>(undefined);

function useAround(): Around {
  const around = use(AroundContext);
  if (!around) throw new Error('a part of a page stands outside of one');
  return around;
}

/** Clicks that ask for a new tab are the browser's. */
function isPlain(event: { metaKey: boolean; ctrlKey: boolean; shiftKey: boolean; button: number }): boolean {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
}

function Anchor({ href, children, node }: ComponentProps<'a'> & ExtraProps) {
  const around = useAround();
  const { t } = useI18n();
  const citation = parseCitation(href);
  if (citation) {
    const { path, start, end } = citation;
    const lines = start === undefined ? '' : start === end ? `:${start}` : `:${start}–${end}`;
    const key = JSON.stringify(citation);
    const isWords = node?.children[0]?.type !== 'element';
    return (
      <a
        href={around.hrefOfCitation(citation)}
        className="cite"
        title={`${path}${lines}`}
        aria-label={t('source.cited', { path: `${path}${lines}` })}
        aria-haspopup="dialog"
        aria-expanded={around.cited === key}
        onClick={(event) => {
          if (!isPlain(event)) return;
          event.preventDefault();
          around.onCite(citation);
        }}
      >
        <span className="name">{isWords ? children : `${shortName(path)}${lines}`}</span>
      </a>
    );
  }
  const page = parsePageLink(href);
  if (page) {
    return (
      <a
        href={around.hrefOfPage(page.slug, page.hash)}
        className="link"
        onClick={(event) => {
          if (!isPlain(event)) return;
          event.preventDefault();
          around.onPage(page.slug, page.hash);
        }}
      >
        {children}
      </a>
    );
  }
  if (href?.startsWith('#')) {
    return (
      <a href={href} className="link">
        {children}
      </a>
    );
  }
  // Whoever clicks it goes there; nothing is fetched before, and the other side does not learn from where.
  if (href && /^https?:\/\//i.test(href)) {
    return (
      <a href={href} className="link" target="_blank" rel="noopener noreferrer nofollow">
        {children}
      </a>
    );
  }
  return <span>{children}</span>;
}

function Picture({ alt }: ComponentProps<'img'>) {
  const { t } = useI18n();
  // A picture from elsewhere would tell its host who reads what.
  return <span className="font-sans text-xs text-faint">[{t('reader.image_left_out', { alt: alt || '…' })}]</span>;
}

function textOf(node: Element | undefined): string {
  return (node?.children ?? [])
    .map((child) => (child.type === 'text' ? child.value : child.type === 'element' ? textOf(child) : ''))
    .join('');
}

function Block({ node, children }: ComponentProps<'pre'> & ExtraProps) {
  const around = useAround();
  const code = node?.children.find((child): child is Element => child.type === 'element' && child.tagName === 'code');
  const classes = code?.properties.className;
  const language = Array.isArray(classes) ? String(classes[0] ?? '').replace('language-', '') : '';
  const text = useMemo(() => textOf(code), [code]);
  if (language === 'mermaid')
    return <Diagram document={around.document} code={text.replace(/\n$/, '')} title={around.title} />;
  return (
    <div className="code">
      <pre tabIndex={0}>{code ? <Coloured text={text} language={language} /> : children}</pre>
      <CopyCode text={text} />
    </div>
  );
}

function CopyCode({ text }: { text: string }) {
  const { t } = useI18n();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      className="copy"
      aria-label={t('reader.copy_code')}
      title={t('reader.copy_code')}
      onClick={async () => {
        await navigator.clipboard.writeText(text.replace(/\n$/, ''));
        setCopied(true);
      }}
    >
      <span aria-live="polite">{copied ? t('common.copied') : <Icon name="copy" />}</span>
    </button>
  );
}

/** A heading with a link to itself, which is no part of its name. */
function heading(Tag: 'h2' | 'h3' | 'h4') {
  return function Heading({ node, id, className, children }: ComponentProps<'h2'> & ExtraProps) {
    const { t } = useI18n();
    return (
      <Tag id={id} className={className} aria-labelledby={`${id}--words`}>
        <span id={`${id}--words`}>{children}</span>
        <a href={`#${id}`} className="anchor" aria-label={t('reader.anchor', { title: textOf(node) })}>
          #
        </a>
      </Tag>
    );
  };
}

function Coloured({ text, language }: { text: string; language: string }) {
  const [lines, setLines] = useState<Piece[][]>();
  useEffect(() => {
    let current = true;
    highlightLines(text, language).then((coloured) => current && setLines(coloured));
    return () => {
      current = false;
    };
  }, [text, language]);
  if (!lines) return <code>{text}</code>;
  const pieces = lines.flatMap((line, at): (Piece | string)[] => (at === 0 ? line : ['\n', ...line]));
  return (
    <code>
      {pieces.map((piece, at) =>
        typeof piece === 'string' ? (
          piece
        ) : (
          <span key={at} className={piece.classes || undefined}>
            {piece.text}
          </span>
        ),
      )}
    </code>
  );
}

function Table({ children }: { children?: ReactNode }) {
  return (
    <div className="wide" tabIndex={0} role="group">
      <table>{children}</table>
    </div>
  );
}

/** Alignment as a class: a style attribute would need a hole in the policy. */
function cell(Tag: 'th' | 'td') {
  return function Cell({ node, children }: ComponentProps<'td'> & ExtraProps) {
    const align = node?.properties.align ?? /text-align:\s*(\w+)/.exec(String(node?.properties.style ?? ''))?.[1];
    return <Tag className={align === 'right' ? 'right' : undefined}>{children}</Tag>;
  };
}

const COMPONENTS: Components = {
  a: Anchor,
  h2: heading('h2'),
  h3: heading('h3'),
  h4: heading('h4'),
  img: Picture,
  pre: Block,
  table: Table,
  th: cell('th'),
  td: cell('td'),
};

/** The text of a page. It comes from models and foreign repositories: no HTML in it is ever made into elements. */
const Text = memo(function Text({ markdown }: { markdown: string }) {
  return (
    <ReactMarkdown
      remarkPlugins={[remarkGfm]}
      rehypePlugins={[rehypeHeadings]}
      remarkRehypeOptions={{ clobberPrefix: '' }}
      components={COMPONENTS}
    >
      {markdown}
    </ReactMarkdown>
  );
});

export function Markdown({ markdown, around }: { markdown: string; around: Around }) {
  return (
    <AroundContext value={around}>
      <Text markdown={markdown} />
    </AroundContext>
  );
}
