import type { ReplaceCredential } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { Field, inputClass } from './Field.tsx';

export type CredentialKind = 'token' | 'ssh_key' | 'authority';

/** What of all kinds may be secret; a credential has one of them. */
export const NO_SECRET = { user: '', token: '', key: '', hosts: '', authority: '' };
type SecretDraft = typeof NO_SECRET;

/** The secret of a kind, as the API takes it. */
export function secretOf(kind: CredentialKind, draft: SecretDraft): ReplaceCredential {
  if (kind === 'token') return { token: { user: draft.user, token: draft.token } };
  if (kind === 'ssh_key') return { ssh_key: { private_key: draft.key, known_hosts: draft.hosts } };
  return { authority: draft.authority };
}

interface Props {
  kind: CredentialKind;
  secret: SecretDraft;
  onChange: (part: Partial<SecretDraft>) => void;
  /** What is wrong with the field whose pointer ends so. */
  wrong: (end: string) => string | undefined;
}

/** The fields for a secret of a kind. */
export function SecretFields({ kind, secret, onChange, wrong }: Props) {
  const { t } = useI18n();
  const long = `${inputClass} font-mono min-h-28`;
  return (
    <>
      {kind === 'token' && (
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t('credential.user')} error={wrong('/user')}>
            {(field) => (
              <input
                {...field}
                autoComplete="off"
                value={secret.user}
                onChange={(e) => onChange({ user: e.target.value })}
                className={inputClass}
              />
            )}
          </Field>
          <Field label={t('credential.secret')} error={wrong('/token/token')}>
            {(field) => (
              <input
                {...field}
                type="password"
                autoComplete="new-password"
                value={secret.token}
                onChange={(e) => onChange({ token: e.target.value })}
                className={inputClass}
              />
            )}
          </Field>
        </div>
      )}
      {kind === 'ssh_key' && (
        <>
          <Field
            label={t('credential.private_key')}
            hint={t('credential.private_key_hint')}
            error={wrong('/private_key')}
          >
            {(field) => (
              <textarea
                {...field}
                spellCheck={false}
                value={secret.key}
                onChange={(e) => onChange({ key: e.target.value })}
                className={long}
              />
            )}
          </Field>
          <Field
            label={t('credential.known_hosts')}
            hint={t('credential.known_hosts_hint')}
            error={wrong('/known_hosts')}
          >
            {(field) => (
              <textarea
                {...field}
                spellCheck={false}
                value={secret.hosts}
                onChange={(e) => onChange({ hosts: e.target.value })}
                className={long}
              />
            )}
          </Field>
        </>
      )}
      {kind === 'authority' && (
        <Field label={t('credential.certificates')} error={wrong('/authority')}>
          {(field) => (
            <textarea
              {...field}
              spellCheck={false}
              value={secret.authority}
              onChange={(e) => onChange({ authority: e.target.value })}
              className={long}
            />
          )}
        </Field>
      )}
    </>
  );
}
