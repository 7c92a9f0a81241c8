import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data } from '../api/client.ts';
import { repositoryChoice } from '../api/queries.ts';
import { useI18n } from '../i18n/index.ts';
import { useOnce } from '../lib/once.ts';
import { Badge } from '../ui/Badge.tsx';
import { Button, buttonClass } from '../ui/Button.tsx';
import { Field, inputClass } from '../ui/Field.tsx';
import { Failure } from '../ui/State.tsx';
import { notify } from '../ui/Toast.tsx';
import type { Draft } from './Editor.tsx';

interface Props {
  draft: Draft;
  /** The saved template, if it is saved. */
  template?: string;
  name: string;
  unsaved: boolean;
}

/** What the model would be sent, and the run that sends it. */
export function TryOut({ draft, template, name, unsaved }: Props) {
  const { t, n, language } = useI18n();
  const navigate = useNavigate();
  const repositories = useQuery(repositoryChoice);
  const [form, setForm] = useState({
    repository: '',
    query: '',
    style: '',
    output_language: language as string,
    model: '',
  });
  const known = repositories.data ?? [];
  const set = (part: Partial<typeof form>) => setForm((before) => ({ ...before, ...part }));
  const repository = form.repository || (known.find((one) => one.commit) ?? known[0])?.id || '';
  const query = form.query.trim() || name;
  const model = form.model.trim() || undefined;

  const preview = useMutation({
    mutationFn: () => {
      const { style, output_language } = form;
      const body = { ...draft, repository, query, style, output_language, model };
      return data(api.POST('/api/v1/prompts/preview', { body }));
    },
  });
  const start = useOnce({
    send: (header) => {
      const document = {
        writer: 'template' as const,
        template_id: template,
        query,
        style: form.style.trim() || undefined,
        output_language: form.output_language || undefined,
        model,
      };
      const params = { path: { repository }, header: header({ repository, document }) };
      return data(api.POST('/api/v1/repositories/{repository}/runs', { params, body: { documents: [document] } }));
    },
    onSuccess: (run) => {
      notify(t('repository.started'));
      navigate({ to: '/runs/$run', params: { run: run.id } });
    },
  });
  if (repositories.data?.length === 0) {
    return (
      <div className="flex flex-col items-start gap-3">
        <p className="text-soft">{t('prompts.no_repository')}</p>
        <Link to="/repositories/new" className={buttonClass()}>
          {t('repositories.add')}
        </Link>
      </div>
    );
  }
  return (
    <div className="flex flex-col gap-5">
      <p className="text-soft">{t('prompts.preview_lead')}</p>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t('prompts.repository')}>
          {(field) => (
            <select
              {...field}
              value={repository}
              onChange={(e) => set({ repository: e.target.value })}
              className={inputClass}
            >
              {repositories.data?.map((one) => (
                <option key={one.id} value={one.id}>
                  {one.name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t('prompts.output_language')}>
          {(field) => (
            <select
              {...field}
              value={form.output_language}
              onChange={(e) => set({ output_language: e.target.value })}
              className={inputClass}
            >
              <option value="en">English</option>
              <option value="de">Deutsch</option>
              <option value="fr">Français</option>
              <option value="es">Español</option>
              <option value="it">Italiano</option>
              <option value="pl">Polski</option>
            </select>
          )}
        </Field>
        <Field label={t('prompts.query')} hint={t('prompts.query_hint')}>
          {(field) => (
            <input
              {...field}
              placeholder={name}
              value={form.query}
              onChange={(e) => set({ query: e.target.value })}
              className={inputClass}
            />
          )}
        </Field>
        <Field label={t('prompts.style')} optional>
          {(field) => (
            <input
              {...field}
              value={form.style}
              onChange={(e) => set({ style: e.target.value })}
              className={inputClass}
            />
          )}
        </Field>
        <Field label={t('prompts.model')} hint={t('prompts.model_hint')} optional>
          {(field) => (
            <input
              {...field}
              value={form.model}
              onChange={(e) => set({ model: e.target.value })}
              className={inputClass}
            />
          )}
        </Field>
      </div>
      {unsaved && template && <p className="text-xs text-warning">{t('prompts.unsaved')}</p>}
      <div className="flex flex-wrap gap-3">
        <Button busy={preview.isPending} disabled={!repository} onClick={() => preview.mutate()}>
          {t('prompts.preview_submit')}
        </Button>
        {template && (
          <Button look="main" busy={start.isPending} disabled={!repository} onClick={() => start.mutate()}>
            {t('prompts.run_submit')}
          </Button>
        )}
      </div>
      {preview.error && <Failure error={preview.error} />}
      {start.error && <Failure error={start.error} />}
      {preview.data && (
        <section aria-label={t('prompts.preview')} className="flex flex-col gap-3">
          <p className="text-xs text-faint">
            {t('prompts.preview_tokens', { n: n(preview.data.estimated_input_tokens) })}
          </p>
          {preview.data.findings.length > 0 && (
            <ul className="border-l-4 border-warning bg-warning-ground px-4 py-2 text-xs">
              {preview.data.findings.map((finding) => (
                <li key={finding.message}>
                  <span className="font-semibold text-warning">{finding.severity}</span> {finding.message}
                </li>
              ))}
            </ul>
          )}
          <Part label={t('prompts.system')} text={preview.data.system} />
          {preview.data.blocks.map((block, at) => (
            <Part
              key={at}
              label={
                block.path
                  ? `${block.path}${block.start_line ? `:${block.start_line}–${block.end_line}` : ''}`
                  : t('prompts.block.text')
              }
              badge={block.kind === 'source' ? t('prompts.block.source') : undefined}
              text={block.text}
            />
          ))}
        </section>
      )}
    </div>
  );
}

function Part({ label, badge, text }: { label: string; badge?: string; text: string }) {
  return (
    <div className="rounded-md border border-rule bg-sheet">
      <p className="flex items-baseline gap-2 border-b border-rule px-3 py-1.5 text-2xs text-faint">
        {badge && <Badge tone="good">{badge}</Badge>}
        <span className="min-w-0 truncate font-mono">{label}</span>
      </p>
      <pre
        tabIndex={0}
        className="max-h-72 overflow-auto px-3 py-2 font-mono text-xs leading-relaxed whitespace-pre-wrap"
      >
        {text}
      </pre>
    </div>
  );
}
