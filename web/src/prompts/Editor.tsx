import { useRef } from 'react';
import { type Key, useI18n } from '../i18n/index.ts';
import { type Lint, lint, PLACEHOLDERS } from '../lib/template.ts';
import { Field, inputClass } from '../ui/Field.tsx';

export interface Draft {
  system: string;
  body: string;
}

interface Props {
  draft: Draft;
  readOnly?: boolean;
  onChange: (draft: Draft) => void;
}

/** System prompt and body; what is wrong with them is said while they are written. */
export function Editor({ draft, readOnly, onChange }: Props) {
  const { t } = useI18n();
  const body = useRef<HTMLTextAreaElement>(null);
  const found = lint(draft.system, draft.body);
  const insert = (word: string) => {
    const field = body.current;
    if (!field) return;
    const { selectionStart: from, selectionEnd: to } = field;
    const text = `{${word}}`;
    onChange({ ...draft, body: draft.body.slice(0, from) + text + draft.body.slice(to) });
    requestAnimationFrame(() => {
      field.focus();
      field.setSelectionRange(from + text.length, from + text.length);
    });
  };
  const say = (one: Lint): string => {
    if (one.kind === 'unknown') return t('prompts.lint.unknown', { word: `{${one.word}}` });
    return t(`prompts.lint.${one.kind}`);
  };
  return (
    <div className="flex flex-col gap-5">
      <Field label={t('prompts.system')}>
        {(field) => (
          <textarea
            {...field}
            readOnly={readOnly}
            value={draft.system}
            onChange={(event) => onChange({ ...draft, system: event.target.value })}
            className={`${inputClass} min-h-32 font-mono text-xs! leading-relaxed`}
          />
        )}
      </Field>
      <div>
        <Field label={t('prompts.body')}>
          {(field) => (
            <textarea
              {...field}
              ref={body}
              readOnly={readOnly}
              value={draft.body}
              onChange={(event) => onChange({ ...draft, body: event.target.value })}
              className={`${inputClass} min-h-72 font-mono text-xs! leading-relaxed`}
            />
          )}
        </Field>
        {!readOnly && (
          <fieldset className="mt-2 flex flex-wrap items-center gap-2">
            <legend className="float-left mr-2 text-xs text-faint">{t('prompts.placeholders')}</legend>
            {PLACEHOLDERS.map((word) => (
              <button
                key={word}
                type="button"
                title={t(`prompts.placeholder.${word}` as Key)}
                onClick={() => insert(word)}
                className="rounded-sm bg-accent-ground px-2 py-0.5 font-mono text-2xs text-accent hover:bg-accent hover:text-on-accent"
              >
                {`{${word}}`}
              </button>
            ))}
          </fieldset>
        )}
      </div>
      <div role="status" className="text-xs">
        {found.length === 0 ? (
          <p className="text-accent">{t('prompts.lint.fine')}</p>
        ) : (
          <ul className="text-danger">
            {found.map((one) => (
              <li key={say(one)}>{say(one)}</li>
            ))}
          </ul>
        )}
      </div>
    </div>
  );
}
