import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data } from '../api/client.ts';
import { prompt } from '../api/queries.ts';
import type { Template } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { useRights } from '../lib/me.ts';
import { useOnce } from '../lib/once.ts';
import { useFieldFaults } from '../lib/problem.ts';
import { lint } from '../lib/template.ts';
import { type Draft, Editor } from '../prompts/Editor.tsx';
import { TryOut } from '../prompts/TryOut.tsx';
import { Forbidden } from '../shell/Crash.tsx';
import { Button } from '../ui/Button.tsx';
import { Field, inputClass } from '../ui/Field.tsx';
import { Page, Section } from '../ui/Page.tsx';
import { Failure, Loading } from '../ui/State.tsx';

/** A new template; `from` names one that it begins as a copy of. */
export default function NewPrompt() {
  const { write } = useRights();
  const { from } = useSearch({ from: '/inside/prompts/new' });
  const origin = useQuery({ ...prompt(from ?? ''), enabled: from !== undefined });
  if (!write) return <Forbidden />;
  if (from !== undefined && !origin.data && !origin.error) return <Loading className="py-32" />;
  return <Open key={from} origin={origin.data} />;
}

function Open({ origin }: { origin: Template | undefined }) {
  const { t } = useI18n();
  const client = useQueryClient();
  const navigate = useNavigate();
  const version = origin?.versions?.[0];
  const [name, setName] = useState(origin ? t('prompts.copy_name', { name: origin.name }) : '');
  const [description, setDescription] = useState(origin?.description ?? '');
  const [draft, setDraft] = useState<Draft>({ system: version?.system ?? '', body: version?.body ?? '{code}\n' });
  const add = useOnce({
    send: (header) => {
      const body = { name: name.trim(), description: description.trim() || undefined, ...draft };
      return data(api.POST('/api/v1/prompts', { params: { header: header(body) }, body }));
    },
    onSuccess: (made) => {
      client.invalidateQueries({ queryKey: ['prompts'] });
      navigate({ to: '/prompts/$template', params: { template: made.id } });
    },
  });
  const { wrong, any } = useFieldFaults(add.error);
  return (
    <Page
      title={t('prompts.add')}
      above={
        <Link to="/prompts" className="link">
          {t('prompts.title')}
        </Link>
      }
    >
      <div className="grid grid-cols-1 gap-x-12 gap-y-10 lg:grid-cols-2">
        <form
          className="flex flex-col gap-5"
          onSubmit={(event) => {
            event.preventDefault();
            add.mutate();
          }}
        >
          <Field label={t('prompts.name')} error={wrong('/name')}>
            {(field) => (
              <input
                {...field}
                required
                value={name}
                onChange={(e) => setName(e.target.value)}
                className={inputClass}
              />
            )}
          </Field>
          <Field label={t('prompts.description')} optional>
            {(field) => (
              <input
                {...field}
                value={description}
                onChange={(e) => setDescription(e.target.value)}
                className={inputClass}
              />
            )}
          </Field>
          <Editor draft={draft} onChange={setDraft} />
          {add.error && !any && <Failure error={add.error} />}
          <div>
            <Button
              type="submit"
              look="main"
              busy={add.isPending}
              disabled={!name.trim() || lint(draft.system, draft.body).length > 0}
            >
              {t('prompts.create')}
            </Button>
          </div>
        </form>
        <div>
          <Section title={t('prompts.preview')}>
            <TryOut draft={draft} name={name || t('prompts.add')} unsaved />
          </Section>
        </div>
      </div>
    </Page>
  );
}
