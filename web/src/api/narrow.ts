import type * as schema from './schema.ts';

// The description has texts where these words stand.

export type Role = 'viewer' | 'author' | 'maintainer' | 'admin' | 'auditor';
export type Scope = 'read' | 'write' | 'admin';

/** Whoever is signed in. */
export type Me = Omit<schema.Me, 'role' | 'scopes' | 'signed_in_by'> & {
  role: Role;
  scopes?: Scope[];
  signed_in_by: 'provider' | 'token';
};
export type User = Omit<schema.User, 'role' | 'role_source'> & { role: Role; role_source: 'provider' | 'local' };
export type ApiToken = Omit<schema.ApiToken, 'scopes'> & { scopes: Scope[] };
