import { type ReactNode, useId } from 'react';
import { useI18n } from '../i18n/index.ts';

export const inputClass =
  'w-full rounded-md border border-rule bg-sheet px-3 py-2 text-base sm:text-sm text-ink placeholder:text-faint hover:border-rule-strong aria-invalid:border-danger';

interface Props {
  label: string;
  hint?: string;
  error?: string;
  optional?: boolean;
  children: (field: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: true }) => ReactNode;
}

/** A labelled control; hint and error are read with it. */
export function Field({ label, hint, error, optional, children }: Props) {
  const { t } = useI18n();
  const id = useId();
  const said = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ');
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-xs font-semibold text-soft">
        {label}
        {optional && <span className="font-normal text-faint"> · {t('common.optional')}</span>}
      </label>
      {children({ id, 'aria-describedby': said || undefined, 'aria-invalid': error ? true : undefined })}
      {hint && (
        <p id={`${id}-hint`} className="text-xs text-faint">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} className="text-xs font-medium text-danger">
          {error}
        </p>
      )}
    </div>
  );
}
