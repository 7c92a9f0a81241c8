import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data } from '../api/client.ts';
import { prompt } from '../api/queries.ts';
import type { Template } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { useRights } from '../lib/me.ts';
import { useOnce } from '../lib/once.ts';
import { lint } from '../lib/template.ts';
import { type Draft, Editor } from '../prompts/Editor.tsx';
import { TryOut } from '../prompts/TryOut.tsx';
import { Versions } from '../prompts/Versions.tsx';
import { Badge } from '../ui/Badge.tsx';
import { Button, buttonClass } from '../ui/Button.tsx';
import { Page, Section } from '../ui/Page.tsx';
import { Failure, Loading } from '../ui/State.tsx';
import { notify } from '../ui/Toast.tsx';

export default function Prompt() {
  const { template: id } = useParams({ from: '/inside/prompts/$template' });
  const found = useQuery(prompt(id));
  if (!found.data) {
    return (
      <Page title="…">{found.error ? <Failure error={found.error} retry={() => found.refetch()} /> : <Loading />}</Page>
    );
  }
  return <Open key={id} template={found.data} />;
}

function Open({ template }: { template: Template }) {
  const { t } = useI18n();
  const { write } = useRights();
  const client = useQueryClient();
  const latest = template.versions?.[0];
  const saved: Draft = { system: latest?.system ?? '', body: latest?.body ?? '' };
  const [edited, setEdited] = useState<Draft>();
  const draft = edited ?? saved;
  const unsaved = draft.system !== saved.system || draft.body !== saved.body;
  const next = template.latest_version + 1;
  const save = useOnce({
    send: (header) => {
      const params = { path: { template: template.id }, header: header({ template: template.id, draft }) };
      return data(api.POST('/api/v1/prompts/{template}/versions', { params, body: draft }));
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['prompt', template.id] });
      client.invalidateQueries({ queryKey: ['prompts'] });
      setEdited(undefined);
      notify(t('prompts.saved', { n: next }));
    },
  });
  const editable = write && !template.built_in;
  return (
    <Page
      title={template.name}
      lead={template.description}
      above={
        <span className="flex items-center gap-2">
          <Link to="/prompts" className="link">
            {t('prompts.title')}
          </Link>
          <span>{t('prompts.version', { n: template.latest_version })}</span>
          {template.built_in && <Badge>{t('prompts.built_in')}</Badge>}
        </span>
      }
      actions={
        write && (
          <Link
            to="/prompts/new"
            search={{ from: template.id }}
            className={buttonClass(template.built_in ? 'main' : 'plain')}
          >
            {t('prompts.copy')}
          </Link>
        )
      }
    >
      <div className="grid grid-cols-1 gap-x-12 gap-y-10 lg:grid-cols-2">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            save.mutate();
          }}
        >
          {template.built_in && <p className="mb-4 text-xs text-soft">{t('prompts.built_in_hint')}</p>}
          <Editor draft={draft} readOnly={!editable} onChange={setEdited} />
          {save.error && <Failure error={save.error} />}
          {editable && (
            <Button
              type="submit"
              look="main"
              className="mt-5"
              busy={save.isPending}
              disabled={!unsaved || lint(draft.system, draft.body).length > 0}
            >
              {t('prompts.save_version', { n: next })}
            </Button>
          )}
        </form>
        <div>
          {write && (
            <Section title={t('prompts.preview')}>
              <TryOut draft={draft} template={template.id} name={template.name} unsaved={unsaved} />
            </Section>
          )}
          <Section title={t('prompts.versions')}>
            <Versions template={template.id} onRestore={editable ? setEdited : undefined} />
          </Section>
        </div>
      </div>
    </Page>
  );
}
