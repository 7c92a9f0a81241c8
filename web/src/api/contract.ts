import type * as schema from './schema.ts';
import type { Document, Run } from './schema.ts';

// Operations that are agreed and not described in schemas/openapi.json yet. What appears there goes from here.

export type Role = 'viewer' | 'author' | 'maintainer' | 'admin' | 'auditor';
export type Scope = 'read' | 'write' | 'admin';

/** Whoever is signed in; the description has texts where these words stand. */
export type Me = Omit<schema.Me, 'role' | 'scopes' | 'signed_in_by'> & {
  role: Role;
  scopes?: Scope[];
  signed_in_by: 'provider' | 'token';
};
export type User = Omit<schema.User, 'role' | 'role_source'> & { role: Role; role_source: 'provider' | 'local' };
export type ApiToken = Omit<schema.ApiToken, 'scopes'> & { scopes: Scope[] };

export interface TreeFile {
  path: string;
  language?: string | null;
  category?: string | null;
  lines?: number | null;
  size?: number | null;
  oid: string;
  skipped_reason?: string | null;
}

export interface Tree {
  commit: string;
  truncated?: boolean;
  files: TreeFile[];
}

export interface Blob {
  path: string;
  commit: string;
  oid: string;
  language: string;
  lines: number;
  text: string;
  symbols: { name: string; kind: string; start_line: number; end_line: number }[];
  pages: { document: string; slug: string; title: string }[];
}

export interface RepositoryOverview {
  files: number;
  languages: { language: string; files: number; lines: number }[];
  modules: number;
  symbols: number;
  edges: number;
  chunks: number;
  skipped: number;
  document?: Document | null;
  run?: Run | null;
}

export interface RunTask {
  kind: 'batch' | 'link' | 'page' | 'document';
  name: string;
  state: string;
  detail?: string | null;
  attempts?: number | null;
  updated_at?: string | null;
}

export interface PromptVersion {
  id: string;
  number: number;
  system: string;
  body: string;
  created_at: string;
  author?: string | null;
}

export interface PreviewRequest {
  system: string;
  body: string;
  repository: string;
  query: string;
  style: string;
  output_language: string;
  model?: string;
}

export interface Preview {
  system: string;
  blocks: { kind: 'text' | 'source'; text: string; path?: string; start_line?: number; end_line?: number }[];
  estimated_input_tokens: number;
  findings: { severity: string; message: string }[];
}

export interface Webhook {
  webhook: string;
  provider: 'github' | 'gitlab' | 'gitea';
  url_path: string;
  created_at: string;
  secret?: string;
  last_delivery_at?: string | null;
  last_status?: string | number | null;
}

export interface Queue {
  stage: string;
  stream: string;
  durable: string;
  waiting: number;
  in_flight: number;
  redelivered: number;
  oldest_age_seconds?: number | null;
  stored_messages: number;
  stored_bytes: number;
  limit_bytes?: number | null;
}

export interface DeadLetter {
  dead_letter: number;
  stage: string;
  message?: string | null;
  reason: string;
  code: string;
  attempts: number;
  run?: string | null;
  repository?: string | null;
  died_at: string;
  bytes: number;
}

export interface DeadLetterDetail extends DeadLetter {
  headers?: Record<string, string>;
  body?: unknown;
}

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}
