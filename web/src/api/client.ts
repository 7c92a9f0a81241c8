import createClient from 'openapi-fetch';
import type { Problem, paths } from './schema.ts';

/** What the server answered instead, as a problem document (RFC 9457). */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly fields: { pointer: string; detail: string }[];

  constructor(status: number, body: Partial<Problem> | undefined) {
    super(body?.detail ?? body?.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code ?? (status === 0 ? 'unreachable' : 'unexplained');
    this.detail = body?.detail ?? '';
    this.fields = body?.errors ?? [];
  }
}

async function request(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(input, init);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiProblem(0, undefined);
  }
}

export const api = createClient<paths>({ baseUrl: '/', fetch: (input) => request(input) });

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer; its problem is thrown. */
export async function data<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw new ApiProblem(response.status, asProblem(error));
  return data as T;
}

function asProblem(error: unknown): Partial<Problem> | undefined {
  return typeof error === 'object' && error !== null ? (error as Partial<Problem>) : undefined;
}

/** The text of a file that the API serves beside its operations. The address is built with `path`. */
export async function text(url: string): Promise<string> {
  const response = await request(url);
  if (!response.ok) throw new ApiProblem(response.status, asProblem(await response.json().catch(() => undefined)));
  return response.text();
}

/** A path whose values cannot become parts of it. */
export function path(parts: TemplateStringsArray, ...values: (string | number)[]): string {
  return String.raw({ raw: parts }, ...values.map((value) => encodeURIComponent(value)));
}

/** The query of an address, without what is not set. */
export function query(values: Record<string, string | number | undefined | null>): string {
  const set = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return set.length === 0 ? '' : `?${new URLSearchParams(set.map(([name, value]) => [name, String(value)]))}`;
}

/** A path in a repository as a part of an address: its slashes stay. */
export function slashed(repositoryPath: string): string {
  return repositoryPath.split('/').map(encodeURIComponent).join('/');
}
