import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ApiProblem } from '../api/client.ts';
import { explain, fieldFaults } from '../lib/problem.ts';
import { en } from './en.ts';
import { localised } from './index.ts';
import { problems } from './problems.de.ts';

// The description of the API does not list the codes, so they are read where they are made.
const gateway = join(import.meta.dirname, '../../../services/gateway/src');
const files = readdirSync(gateway, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.rs') && !name.endsWith('_tests.rs'))
  .map((name) => ({ name, text: readFileSync(join(gateway, name), 'utf8').split('#[cfg(test)]')[0] ?? '' }));

/** The first argument of what makes a problem; of `new`, the one behind the status. */
const MADE =
  /(?:Problem::new\(\s*[\w:]+,|ApiError::(?:bad_request|conflict|unauthorised|too_many|refused)\(|Self::conflict\()\s*([^,]+),/g;
/** Errors that name their own code. */
const NAMED = /=> "([a-z_]+)"/g;
/** Helpers that take or have one. */
const HELPED = /(?:\bforbidden\(|\(StatusCode::\w+, )"([a-z_]+)"/g;

const made = files.flatMap(({ name, text }) =>
  [...text.matchAll(MADE)].map((match) => ({ name, code: match[1] ?? '' })),
);
const literal = made.flatMap(({ code }) => /^"([a-z_]+)"$/.exec(code)?.[1] ?? []);
const all = (pattern: RegExp, inside: RegExp) =>
  files
    .filter(({ name }) => inside.test(name))
    .flatMap(({ text }) => [...text.matchAll(pattern)].map((match) => match[1] ?? ''));
const codes = [...new Set([...literal, ...all(NAMED, /^domain\/(url|target)\.rs$/), ...all(HELPED, /^api\//)])];

/** Only asked by programs: other hosts' deliveries, and parameters that the interface never sends. */
const FOR_PROGRAMS = ['bad_event_id', 'bad_idempotency_key', 'bad_look', 'bad_signature', 'delivery_malformed'];

it('every code that a person can meet has a German sentence', () => {
  expect(codes.length).toBeGreaterThan(50);
  const said = (code: string) => code in problems || `problem.${code}` in en || FOR_PROGRAMS.includes(code);
  expect(codes.filter((code) => !said(code))).toEqual([]);
});

it('no sentence is left over from a code that is gone, or is said twice', () => {
  expect(Object.keys(problems).filter((code) => !codes.includes(code) || `problem.${code}` in en)).toEqual([]);
});

it('no code is made in a way that is not read here', () => {
  const others = made.filter(({ code }) => !code.startsWith('"'));
  // Parameters of the helpers above, and the errors that name their own.
  const known = ['code', 'error.code()', 'StatusCode::PRECONDITION_REQUIRED'];
  expect(others.filter(({ code }) => !known.includes(code.trim()))).toEqual([]);
});

const [english, german] = [localised('en'), localised('de')];
const problem = (status: number, code: string, detail: string, pointer?: string) =>
  new ApiProblem(status, { code, detail, errors: pointer ? [{ pointer, detail }] : undefined });

it('the server is quoted only where it knows more', () => {
  const other = problem(422, 'credential_other_host', 'The credential is for a:1, the address is at b:2.');
  expect(explain(other, english)).toEqual({ title: other.detail, detail: '' });
  expect(explain(other, german)).toEqual({ title: problems.credential_other_host, detail: other.detail });
  const taken = problem(409, 'name_taken', 'There is a template of this name.');
  expect(explain(taken, german)).toEqual({ title: problems.name_taken, detail: '' });
  const forbidden = problem(403, 'forbidden', 'Ask an administrator for the role `author`.');
  expect(explain(forbidden, german)).toEqual({ title: german.t('problem.forbidden'), detail: forbidden.detail });
  expect(explain(problem(418, 'teapot', ''), german).title).toBe(german.t('problem.unexplained', { status: 418 }));
  // A code of a newer server.
  expect(explain(problem(409, 'teapot', 'Too hot.'), german)).toEqual({ title: 'Too hot.', detail: '' });
});

it('a field says what is wrong with it', () => {
  const refused = problem(422, 'name_missing', 'Say what the token is for.', '/name');
  expect(fieldFaults(refused, english).wrong('/name')).toBe('Say what the token is for.');
  expect(fieldFaults(refused, german).wrong('/name')).toBe(problems.name_missing);
  const user = problem(422, 'credential_refused', 'The user is empty.', '/token/user');
  expect(fieldFaults(user, german).wrong('/user')).toBe(`${problems.credential_refused} The user is empty.`);
  expect(fieldFaults(user, german)).toMatchObject({ any: true });
  expect(fieldFaults(user, german).wrong('/host')).toBeUndefined();
  expect(fieldFaults(undefined, german)).toMatchObject({ any: false });
});
