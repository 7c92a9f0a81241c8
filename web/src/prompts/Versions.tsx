import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { promptVersion, promptVersions } from '../api/queries.ts';
import type { TemplateVersion } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { diffLines } from '../lib/diff.ts';
import { Button } from '../ui/Button.tsx';
import { More } from '../ui/More.tsx';
import { Loaded } from '../ui/State.tsx';
import { Ago } from '../ui/Time.tsx';
import type { Draft } from './Editor.tsx';

interface Props {
  template: string;
  onRestore?: (draft: Draft) => void;
}

/** Versions never change; an old one comes back as a new one. */
export function Versions({ template, onRestore }: Props) {
  const { t } = useI18n();
  const versions = useInfiniteQuery(promptVersions(template));
  const [open, setOpen] = useState<number>();
  return (
    <Loaded of={versions}>
      {({ pages }) => (
        <>
          <ol>
            {pages
              .flatMap((page) => page.items)
              .map((version, at, all) => (
                <li key={version.number} className="border-b border-rule py-3 first:pt-0">
                  <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
                    <span className="font-semibold">{t('prompts.version', { n: version.number })}</span>
                    <span className="text-xs text-faint">
                      <Ago at={version.created_at} />
                      {version.author && ` ${t('prompts.by', { name: version.author })}`}
                    </span>
                    <span className="ml-auto flex gap-2">
                      <Button
                        small
                        aria-expanded={open === version.number}
                        onClick={() => setOpen(open === version.number ? undefined : version.number)}
                      >
                        {t('common.details')}
                      </Button>
                      {onRestore && (
                        <Button small onClick={() => onRestore({ system: version.system, body: version.body })}>
                          {t('prompts.restore')}
                        </Button>
                      )}
                    </span>
                  </div>
                  {open === version.number && <Changes template={template} of={version} known={all[at + 1]} />}
                </li>
              ))}
          </ol>
          <More of={versions} />
        </>
      )}
    </Loaded>
  );
}

interface Changed {
  template: string;
  of: TemplateVersion;
  /** The version before, unless it is on a page that was not read. */
  known: TemplateVersion | undefined;
}

function Changes({ template, of, known }: Changed) {
  const before = useQuery({
    ...promptVersion(template, of.number - 1),
    enabled: of.number > 1,
    initialData: known,
  });
  if (of.number === 1) return <Lines of={of} />;
  return <Loaded of={before}>{(before) => <Lines of={of} before={before} />}</Loaded>;
}

function Lines({ of, before }: { of: TemplateVersion; before?: TemplateVersion }) {
  const { t } = useI18n();
  const whole = (version: TemplateVersion | undefined) => (version ? `${version.system}\n\n${version.body}` : '');
  const looks = {
    same: 'text-faint',
    added: 'bg-accent-ground text-ink',
    removed: 'bg-danger-ground text-ink line-through',
  };
  const signs = { same: ' ', added: '+', removed: '−' };
  const changes = before
    ? diffLines(whole(before), whole(of))
    : whole(of)
        .split('\n')
        .map((line) => ({ kind: 'same' as const, line }));
  return (
    <div className="mt-3">
      {before && <p className="mb-1 text-xs text-faint">{t('prompts.changes')}</p>}
      <pre
        tabIndex={0}
        className="max-h-96 overflow-auto rounded-md border border-rule bg-sheet py-2 font-mono text-xs leading-relaxed whitespace-pre-wrap"
      >
        {changes.map((change, at) => (
          <div key={at} className={`px-3 ${looks[change.kind]}`}>
            {signs[change.kind]} {change.line}
          </div>
        ))}
      </pre>
    </div>
  );
}
