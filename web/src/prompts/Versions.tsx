import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { promptVersions } from '../api/queries.ts';
import type { TemplateVersion } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { diffLines } from '../lib/diff.ts';
import { Button } from '../ui/Button.tsx';
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
  const versions = useQuery(promptVersions(template));
  const [open, setOpen] = useState<number>();
  return (
    <Loaded of={versions}>
      {({ items }) => (
        <ol>
          {items.map((version, at) => (
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
              {open === version.number && <Changes of={version} before={items[at + 1]} />}
            </li>
          ))}
        </ol>
      )}
    </Loaded>
  );
}

function Changes({ of, before }: { of: TemplateVersion; before: TemplateVersion | undefined }) {
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
