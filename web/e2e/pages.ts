import type { System } from './system.ts';

/** Every page with an address for it. */
export interface Places {
  repository: string;
  run: string;
  document: string;
  template: string;
}

export function pages({ repository, run, document, template }: Places): Record<string, string> {
  return {
    repositories: '/',
    'add-repository': '/repositories/new',
    repository: `/repositories/${repository}`,
    source: `/repositories/${repository}/source/src/curve.rs#L13-L15`,
    reader: `/documents/${document}`,
    'reader-module': `/documents/${document}/module-src`,
    citation: `/documents/${document}/module-src?cite=src%2Fcurve.rs%3A7-9`,
    search: '/search?q=how+long+to+wait+after+a+failed+attempt',
    'search-empty': '/search',
    prompts: '/prompts',
    prompt: `/prompts/${template}`,
    'new-prompt': '/prompts/new',
    runs: '/runs',
    run: `/runs/${run}`,
    settings: '/settings',
    users: '/admin/users',
    queues: '/admin/queues',
    'dead-letters': '/admin/dead-letters',
    audit: '/admin/audit',
    'not-found': '/nowhere',
  };
}

/** Calls the API as a program does. */
export async function call<T>(system: System, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${system.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${system.token}`, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** Documents the repository and says where its things are. */
export async function documented(system: System, url = system.repository): Promise<Places> {
  type Known = { id: string; url: string; latest_run_id: string };
  const list = await call<{ items: Known[] }>(system, 'GET', '/api/v1/repositories');
  let found: Omit<Known, 'url'> | undefined = list.items.find((one) => one.url === url);
  if (!found) {
    const added = await call<{ repository: { id: string }; run: { id: string } }>(
      system,
      'POST',
      '/api/v1/repositories',
      {
        url,
      },
    );
    found = { id: added.repository.id, latest_run_id: added.run.id };
  }
  type Run = { state: string; documents: { id: string }[]; failure?: { reason: string } };
  const deadline = Date.now() + 300_000;
  for (;;) {
    const run = await call<Run>(system, 'GET', `/api/v1/runs/${found.latest_run_id}`);
    if (run.state.startsWith('completed')) {
      const prompts = await call<{ items: { id: string }[] }>(system, 'GET', '/api/v1/prompts');
      return {
        repository: found.id,
        run: found.latest_run_id,
        document: run.documents[0]?.id ?? '',
        template: prompts.items[0]?.id ?? '',
      };
    }
    if (run.state === 'failed' || Date.now() > deadline) {
      throw new Error(`the run is ${run.state}: ${run.failure?.reason}\n${system.log().slice(-4_000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Has a run fail, of a repository that is not there, and says where that is seen. */
export async function failure(system: System): Promise<Record<string, string>> {
  type Added = { repository: { id: string }; run: { id: string } };
  const { repository, run } = await call<Added>(system, 'POST', '/api/v1/repositories', {
    url: `${system.host}/payments/settlement-and-reconciliation-service-for-merchants.git`,
    name: 'settlement-and-reconciliation-service-for-merchants',
  });
  const deadline = Date.now() + 60_000;
  while ((await call<{ state: string }>(system, 'GET', `/api/v1/runs/${run.id}`)).state !== 'failed') {
    if (Date.now() > deadline) throw new Error('the run of a repository that is not there does not fail');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return { 'run-failed': `/runs/${run.id}`, 'repository-failed': `/repositories/${repository.id}` };
}
