import { useMemo, useState } from 'react';
import { path } from '../api/client.ts';
import { useI18n } from '../i18n/index.ts';
import { useLook } from '../lib/theme.ts';
import { sha256 } from './digest.ts';

/** A Mermaid block, drawn by the server: a picture can run nothing. If there is none, its source is shown. */
export function Diagram({ document, code, title }: { document: string; code: string; title: string }) {
  const { t } = useI18n();
  const look = useLook();
  const [failed, setFailed] = useState(false);
  const hash = useMemo(() => sha256(code).slice(0, 32), [code]);
  const source = (
    <pre>
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
  return (
    <figure className="wide">
      <img
        src={`${path`/api/v1/documents/${document}/diagrams/${hash}.svg`}?look=${look}`}
        alt={t('reader.diagram', { title })}
        loading="lazy"
        onError={() => setFailed(true)}
        className="max-w-full rounded-md border border-rule bg-sheet p-3"
      />
      <details className="mt-2 font-sans text-xs text-faint">
        <summary>{t('reader.diagram_source')}</summary>
        <div className="mt-2">{source}</div>
      </details>
    </figure>
  );
}
