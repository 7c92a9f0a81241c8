import { useQuery } from '@tanstack/react-query';
import type { Me, Role, Scope } from '../api/narrow.ts';
import { me } from '../api/queries.ts';

const RANK: Record<Role, number> = { viewer: 0, auditor: 0, author: 1, maintainer: 2, admin: 3 };

/**
 * What somebody may do: what the role says, as far as the credential allows it. The server decides; this only spares
 * people buttons that would be refused.
 */
export function rights(who: Pick<Me, 'role' | 'scopes'> | undefined) {
  const rank = who ? RANK[who.role] : 0;
  const allows = (scope: Scope) => who?.scopes === undefined || who.scopes.includes(scope);
  return {
    /** One's own tokens and sessions. */
    own: allows('write'),
    write: rank >= 1 && allows('write'),
    maintain: rank >= 2 && allows('write'),
    administer: rank >= 3 && allows('admin'),
    /** Sees the pages of the administration; an auditor only looks. */
    oversee: rank >= 3 || who?.role === 'auditor',
  };
}

export function useRights() {
  return rights(useQuery(me).data);
}
