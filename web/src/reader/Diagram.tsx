import { lazy, Suspense, useMemo, useState } from 'react';
import { createPortal } from 'react-dom';
import { path } from '../api/client.ts';
import { useI18n } from '../i18n/index.ts';
import { useLook } from '../lib/theme.ts';
import { Icon } from '../shell/Icon.tsx';
import { sha256 } from './digest.ts';

const Enlarged = lazy(() => import('./Enlarged.tsx'));

/** A Mermaid block, drawn by the server: a picture can run nothing. If there is none, its source is shown. */
export function Diagram({ document, code, title }: { document: string; code: string; title: string }) {
  const { t } = useI18n();
  const look = useLook();
  const [failed, setFailed] = useState(false);
  // A drawing has a shape and no size of its own: in a box that is as wide as what it holds, it would be nothing.
  const [width, setWidth] = useState<number>();
  const [enlarged, setEnlarged] = useState(false);
  const hash = useMemo(() => sha256(code).slice(0, 32), [code]);
  const source = (
    <pre tabIndex={0}>
      <code>{code}</code>
    </pre>
  );
  if (failed) {
    return (
      <div className="wide">
        <p className="mb-2 font-sans text-xs text-warning">{t('reader.diagram_failed')}</p>
        {source}
      </div>
    );
  }
  const src = `${path`/api/v1/documents/${document}/diagrams/${hash}.svg`}?look=${look}`;
  const name = t('reader.diagram', { title });
  return (
    <figure className="wide">
      <button
        type="button"
        aria-label={t('reader.diagram_enlarge')}
        onClick={() => setEnlarged(true)}
        className="group relative block max-w-full cursor-zoom-in rounded-md border border-rule bg-sheet p-3 hover:border-rule-strong"
      >
        <img
          src={src}
          alt={name}
          loading="lazy"
          onLoad={({ currentTarget }) => setWidth(currentTarget.naturalWidth)}
          onError={() => setFailed(true)}
          className={`max-w-full ${width ? '' : 'h-32 w-80'}`}
          style={width ? { width: `${width}px` } : undefined}
        />
        <span className="absolute top-1.5 right-1.5 rounded-sm bg-paper p-1 text-faint opacity-0 group-hover:opacity-100 group-focus-visible:opacity-100 print:hidden">
          <Icon name="enlarge" />
        </span>
      </button>
      <details className="mt-2 font-sans text-xs text-faint print:hidden">
        <summary>{t('reader.diagram_source')}</summary>
        <div className="mt-2">{source}</div>
      </details>
      {enlarged &&
        // Beside the page, whose text has a look of its own.
        createPortal(
          <Suspense>
            <Enlarged src={src} title={name} onClose={() => setEnlarged(false)} />
          </Suspense>,
          window.document.body,
        )}
    </figure>
  );
}
