import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, data, path, slashed, text } from './client.ts';
import type { ApiToken, Me, User } from './narrow.ts';
import { all } from './pages.ts';
import type { DocumentPage, StateFilter } from './schema.ts';

/** What a terminal state is, of runs and documents. */
export function isOver(state: string | undefined): boolean {
  return ['completed', 'completed_with_errors', 'failed', 'cancelled', 'superseded'].includes(state ?? '');
}

const next = (last: { next_cursor?: string | null }) => last.next_cursor ?? undefined;
const first = undefined as string | undefined;
/** Of what never changes. */
const forever = { staleTime: Number.POSITIVE_INFINITY };

export const signInOffer = queryOptions({
  queryKey: ['sign-in'],
  queryFn: () => data(api.GET('/api/v1/sign-in')),
});

export const me = queryOptions({
  queryKey: ['me'],
  queryFn: () => data(api.GET('/api/v1/me')) as Promise<Me>,
  staleTime: 60_000,
  retry: false,
});

export const repositories = infiniteQueryOptions({
  queryKey: ['repositories'],
  queryFn: ({ pageParam }) =>
    data(api.GET('/api/v1/repositories', { params: { query: { limit: 20, cursor: pageParam } } })),
  initialPageParam: first,
  getNextPageParam: next,
});

export const repositoryChoice = queryOptions({
  queryKey: ['repositories', 'choice'],
  queryFn: () => all((cursor) => data(api.GET('/api/v1/repositories', { params: { query: { limit: 200, cursor } } }))),
});

export const repository = (id: string) =>
  queryOptions({
    queryKey: ['repository', id],
    queryFn: () => data(api.GET('/api/v1/repositories/{repository}', { params: { path: { repository: id } } })),
  });

export const overview = (id: string) =>
  queryOptions({
    queryKey: ['repository', id, 'overview'],
    queryFn: () =>
      data(api.GET('/api/v1/repositories/{repository}/overview', { params: { path: { repository: id } } })),
  });

export const tree = (id: string, commit: string | undefined) =>
  queryOptions({
    queryKey: ['repository', id, 'tree', commit ?? ''],
    queryFn: () =>
      data(
        api.GET('/api/v1/repositories/{repository}/tree', { params: { path: { repository: id }, query: { commit } } }),
      ),
    ...(commit ? forever : {}),
  });

export const blob = (id: string, file: string, commit: string | undefined) =>
  queryOptions({
    queryKey: ['repository', id, 'blob', commit ?? '', file],
    queryFn: () =>
      data(
        api.GET('/api/v1/repositories/{repository}/blob', {
          params: { path: { repository: id }, query: { path: file, commit } },
        }),
      ),
    ...(commit ? forever : {}),
  });

export const webhooks = (id: string) =>
  infiniteQueryOptions({
    queryKey: ['repository', id, 'webhooks'],
    queryFn: ({ pageParam }) =>
      data(
        api.GET('/api/v1/repositories/{repository}/webhooks', {
          params: { path: { repository: id }, query: { limit: 50, cursor: pageParam } },
        }),
      ),
    initialPageParam: first,
    getNextPageParam: next,
  });

export const repositoryRuns = (id: string) =>
  queryOptions({
    queryKey: ['repository', id, 'runs'],
    queryFn: () =>
      data(
        api.GET('/api/v1/repositories/{repository}/runs', {
          params: { path: { repository: id }, query: { limit: 8 } },
        }),
      ),
  });

export const documents = (id: string) =>
  queryOptions({
    queryKey: ['repository', id, 'documents'],
    queryFn: () =>
      data(
        api.GET('/api/v1/repositories/{repository}/documents', {
          params: { path: { repository: id }, query: { limit: 20 } },
        }),
      ),
  });

export const run = (id: string) =>
  queryOptions({
    queryKey: ['run', id],
    queryFn: () => data(api.GET('/api/v1/runs/{run}', { params: { path: { run: id } } })),
    staleTime: (found) => (isOver(found.state.data?.state) ? Number.POSITIVE_INFINITY : 0),
  });

export const runs = (state: StateFilter | undefined) =>
  infiniteQueryOptions({
    queryKey: ['runs', state ?? ''],
    queryFn: ({ pageParam }) =>
      data(api.GET('/api/v1/runs', { params: { query: { state, limit: 30, cursor: pageParam } } })),
    initialPageParam: first,
    getNextPageParam: next,
  });

export const tasks = (id: string) =>
  queryOptions({
    queryKey: ['run', id, 'tasks'],
    queryFn: () => data(api.GET('/api/v1/runs/{run}/tasks', { params: { path: { run: id } } })),
  });

export const document = (id: string) =>
  queryOptions({
    queryKey: ['document', id],
    queryFn: () => data(api.GET('/api/v1/documents/{document}', { params: { path: { document: id } } })),
    staleTime: (found) => (isOver(found.state.data?.state) ? 60_000 : 0),
  });

export const page = (id: string, slug: string) =>
  queryOptions({
    queryKey: ['document', id, 'page', slug],
    // As JSON; the other form of the same address is plain Markdown.
    queryFn: () =>
      data(
        api.GET('/api/v1/documents/{document}/pages/{slug}', { params: { path: { document: id, slug } } }),
      ) as Promise<DocumentPage>,
    staleTime: 60_000,
  });

/** A cited file, as the analysis saw it. */
export const citedFile = (id: string, file: string) =>
  queryOptions({
    queryKey: ['document', id, 'source', file],
    queryFn: () => text(path`/api/v1/documents/${id}/pages/sources/` + slashed(file)),
    ...forever,
  });

export const search = (q: string, inRepository: string | undefined) =>
  queryOptions({
    queryKey: ['search', q, inRepository ?? ''],
    queryFn: ({ signal }) =>
      data(api.GET('/api/v1/search', { params: { query: { q, repository: inRepository, limit: 50 } }, signal })),
    enabled: q.trim() !== '',
    staleTime: 30_000,
  });

export const prompts = infiniteQueryOptions({
  queryKey: ['prompts'],
  queryFn: ({ pageParam }) =>
    data(api.GET('/api/v1/prompts', { params: { query: { limit: 100, cursor: pageParam } } })),
  initialPageParam: first,
  getNextPageParam: next,
});

export const promptChoice = queryOptions({
  queryKey: ['prompts', 'choice'],
  queryFn: () => all((cursor) => data(api.GET('/api/v1/prompts', { params: { query: { limit: 200, cursor } } }))),
});

export const prompt = (id: string) =>
  queryOptions({
    queryKey: ['prompt', id],
    queryFn: () => data(api.GET('/api/v1/prompts/{template}', { params: { path: { template: id } } })),
  });

export const promptVersions = (id: string) =>
  infiniteQueryOptions({
    queryKey: ['prompt', id, 'versions'],
    queryFn: ({ pageParam }) =>
      data(
        api.GET('/api/v1/prompts/{template}/versions', {
          params: { path: { template: id }, query: { limit: 20, cursor: pageParam } },
        }),
      ),
    initialPageParam: first,
    getNextPageParam: next,
  });

export const promptVersion = (id: string, number: number) =>
  queryOptions({
    queryKey: ['prompt', id, 'version', number],
    queryFn: () =>
      data(api.GET('/api/v1/prompts/{template}/versions/{number}', { params: { path: { template: id, number } } })),
    ...forever,
  });

export const credentials = infiniteQueryOptions({
  queryKey: ['credentials'],
  queryFn: ({ pageParam }) =>
    data(api.GET('/api/v1/credentials', { params: { query: { limit: 50, cursor: pageParam } } })),
  initialPageParam: first,
  getNextPageParam: next,
});

export const credentialChoice = queryOptions({
  queryKey: ['credentials', 'choice'],
  queryFn: () => all((cursor) => data(api.GET('/api/v1/credentials', { params: { query: { limit: 200, cursor } } }))),
});

export const sessions = infiniteQueryOptions({
  queryKey: ['sessions'],
  queryFn: ({ pageParam }) =>
    data(api.GET('/api/v1/sessions', { params: { query: { limit: 50, cursor: pageParam } } })),
  initialPageParam: first,
  getNextPageParam: next,
});

export const tokens = infiniteQueryOptions({
  queryKey: ['tokens'],
  queryFn: ({ pageParam }) =>
    data(api.GET('/api/v1/tokens', { params: { query: { limit: 50, cursor: pageParam } } })) as Promise<{
      items: ApiToken[];
      next_cursor?: string;
    }>,
  initialPageParam: first,
  getNextPageParam: next,
});

export const users = infiniteQueryOptions({
  queryKey: ['users'],
  queryFn: ({ pageParam }) =>
    data(api.GET('/api/v1/users', { params: { query: { limit: 50, cursor: pageParam } } })) as Promise<{
      items: User[];
      next_cursor?: string;
    }>,
  initialPageParam: first,
  getNextPageParam: next,
});

/** A user's entity tag, which a change of the user needs. */
export async function userTag(id: string): Promise<string> {
  const answer = api.GET('/api/v1/users/{user}', { params: { path: { user: id } } });
  await data(answer);
  return (await answer).response.headers.get('etag') ?? '';
}

interface AuditFilter {
  actor?: string;
  action?: string;
  object?: string;
}

export const audit = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ['audit', filter],
    queryFn: ({ pageParam }) =>
      data(api.GET('/api/v1/audit', { params: { query: { ...filter, limit: 50, cursor: pageParam } } })),
    initialPageParam: first,
    getNextPageParam: next,
  });

export const queues = queryOptions({
  queryKey: ['queues'],
  queryFn: () => data(api.GET('/api/v1/admin/queues')),
  refetchInterval: 5_000,
});

export const deadLetters = infiniteQueryOptions({
  queryKey: ['dead-letters'],
  queryFn: ({ pageParam }) =>
    data(api.GET('/api/v1/admin/dead-letters', { params: { query: { limit: 50, cursor: pageParam } } })),
  // Sending one again or dropping it is done by another service, which takes what it takes.
  refetchInterval: 5_000,
  initialPageParam: first,
  getNextPageParam: next,
});

export const deadLetter = (id: number) =>
  queryOptions({
    queryKey: ['dead-letter', id],
    queryFn: () => data(api.GET('/api/v1/admin/dead-letters/{letter}', { params: { path: { letter: id } } })),
  });
