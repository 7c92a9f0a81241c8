import { ApiProblem } from '../api/client.ts';
import { type Localised, useI18n } from '../i18n/index.ts';
import { problems } from '../i18n/problems.de.ts';

/** A problem for a person; `detail` is what only the server knows of this case, in English. */
interface Explained {
  title: string;
  detail: string;
}

/** A problem in the words of the interface, or in those of the server where there are none in this language. */
export function explain(error: unknown, { t, maybe, language }: Localised): Explained {
  if (!(error instanceof ApiProblem)) return { title: t('problem.crash'), detail: '' };
  const { code, status, detail } = error;
  const own = maybe(`problem.${code}`);
  // Which role would do is in the detail alone.
  if (own) return { title: own, detail: code === 'forbidden' ? detail : '' };
  const translated = language === 'de' ? problems[code] : undefined;
  if (translated) {
    const more = translated.endsWith(':') ? detail : '';
    return { title: more ? translated : translated.replace(/:$/, '.'), detail: more };
  }
  const byStatus: Record<number, string> = {
    0: t('problem.unreachable'),
    401: t('problem.unauthorised'),
    403: t('problem.forbidden'),
    404: t('problem.not_found'),
    412: t('problem.precondition'),
    429: t('problem.rate_limited'),
    502: t('problem.unavailable'),
    503: t('problem.unavailable'),
    504: t('problem.unavailable'),
  };
  const known = byStatus[status];
  if (known) return { title: known, detail };
  return { title: detail || t('problem.unexplained', { status }), detail: '' };
}

/** What is wrong with single fields. */
interface FieldFaults {
  /** What is wrong with the field whose pointer ends so. */
  wrong: (end: string) => string | undefined;
  /** Whether any field is: then it is said there. */
  any: boolean;
}

export function fieldFaults(error: unknown, i18n: Localised): FieldFaults {
  const problem = error instanceof ApiProblem ? error : undefined;
  const wrong = (end: string) => {
    const field = problem?.fields.find(({ pointer }) => pointer.endsWith(end));
    if (!problem || !field) return undefined;
    const { status, code } = problem;
    const { title, detail } = explain(new ApiProblem(status, { code, detail: field.detail }), i18n);
    return [title, detail].filter(Boolean).join(' ');
  };
  return { wrong, any: (problem?.fields.length ?? 0) > 0 };
}

export function useFieldFaults(error: unknown): FieldFaults {
  return fieldFaults(error, useI18n());
}
