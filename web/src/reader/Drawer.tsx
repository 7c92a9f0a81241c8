import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { citedFile } from '../api/queries.ts';
import { useI18n } from '../i18n/index.ts';
import { type Citation, linesFragment } from '../lib/cite.ts';
import { languageOf } from '../lib/language.ts';
import { Icon } from '../shell/Icon.tsx';
import { CodeView } from '../ui/CodeView.tsx';
import { Copy } from '../ui/Copy.tsx';
import { Loaded } from '../ui/State.tsx';

interface Props {
  citation: Citation;
  document: string;
  repository: string;
  commit: string;
  onClose: () => void;
  hrefOf: (citation: Citation) => string;
}

/** The cited file beside the page, at the document's commit, with the cited lines marked. The page stays readable. */
export function Drawer({ citation, document, repository, commit, onClose, hrefOf }: Props) {
  const { t } = useI18n();
  const heading = useRef<HTMLHeadingElement>(null);
  const file = useQuery(citedFile(document, citation.path));
  const { path, start, end = start } = citation;
  const lines = start !== undefined && end !== undefined ? { start, end } : undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another citation is another thing to read.
  useEffect(() => {
    const before = window.document.activeElement;
    heading.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, [path, start]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !window.document.querySelector('dialog[open]')) onClose();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [onClose]);
  const hash = lines ? linesFragment(lines) : undefined;
  return (
    <aside
      aria-labelledby="cited-file"
      data-testid="drawer"
      className="fixed inset-y-0 right-0 z-40 flex w-[min(46rem,100vw)] flex-col border-l-2 border-rule-strong bg-paper shadow-lift"
    >
      <header className="flex flex-col gap-2 border-b border-rule px-5 py-3">
        <div className="flex items-start justify-between gap-4">
          <h2
            ref={heading}
            id="cited-file"
            tabIndex={-1}
            className="min-w-0 font-mono text-sm font-semibold break-all outline-none"
          >
            {path}
          </h2>
          <button
            type="button"
            onClick={onClose}
            aria-label={t('common.close')}
            className="-m-1 rounded-md p-2 text-soft hover:bg-sunk hover:text-ink"
          >
            <Icon name="close" />
          </button>
        </div>
        <div className="flex flex-wrap items-center gap-x-4 gap-y-2 text-xs">
          <span className="text-faint">
            {lines &&
              (lines.start === lines.end
                ? t('source.line', { start: lines.start })
                : t('source.lines', { ...lines }))}{' '}
            {t('reader.commit', { commit: commit.slice(0, 10) })}
          </span>
          <Link
            to="/repositories/$repository/source/$"
            params={{ repository, _splat: path }}
            search={{ commit }}
            hash={hash}
            className="link"
          >
            {t('source.open')}
          </Link>
          <Copy
            text={new URL(hrefOf(citation), window.location.origin).href}
            label={t('source.permalink')}
            said={t('source.permalink_copied')}
          />
        </div>
      </header>
      <div className="min-h-0 flex-1">
        <Loaded of={file}>
          {(text) => (
            <CodeView
              text={text}
              language={languageOf(path)}
              marked={lines}
              hrefOf={(clicked) => hrefOf({ path, ...clicked })}
              label={path}
            />
          )}
        </Loaded>
      </div>
    </aside>
  );
}
