import type { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router';
import { ApiProblem } from './api/client.ts';
import { me } from './api/queries.ts';
import { Crash, NotFound } from './shell/Crash.tsx';
import { Layout } from './shell/Layout.tsx';
import { Loading } from './ui/State.tsx';

interface Context {
  client: QueryClient;
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined;

const root = createRootRouteWithContext<Context>()({ notFoundComponent: NotFound });

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (search): { to?: string; error?: string; out?: boolean } => ({
    to: text(search.to),
    error: text(search.error),
    out: search.out === true || undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/SignIn.tsx')),
});

/** Everything that needs somebody who is signed in. */
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: Layout,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.client.ensureQueryData(me);
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 401) {
        throw redirect({ to: '/sign-in', search: { to: location.href } });
      }
      throw error;
    }
  },
});

const repositories = createRoute({
  getParentRoute: () => inside,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/Repositories.tsx')),
});
const addRepository = createRoute({
  getParentRoute: () => inside,
  path: '/repositories/new',
  component: lazyRouteComponent(() => import('./pages/AddRepository.tsx')),
});
const repository = createRoute({
  getParentRoute: () => inside,
  path: '/repositories/$repository',
  component: lazyRouteComponent(() => import('./pages/Repository.tsx')),
});
const source = createRoute({
  getParentRoute: () => inside,
  path: '/repositories/$repository/source/$',
  validateSearch: (search): { commit?: string } => ({ commit: text(search.commit) }),
  component: lazyRouteComponent(() => import('./pages/Source.tsx')),
});
const document = createRoute({
  getParentRoute: () => inside,
  path: '/documents/$document/{-$slug}',
  validateSearch: (search): { cite?: string } => ({ cite: text(search.cite) }),
  component: lazyRouteComponent(() => import('./pages/Reader.tsx')),
});
const search = createRoute({
  getParentRoute: () => inside,
  path: '/search',
  validateSearch: (search): { q?: string; repository?: string; kind?: string; language?: string } => ({
    q: text(search.q),
    repository: text(search.repository),
    kind: text(search.kind),
    language: text(search.language),
  }),
  component: lazyRouteComponent(() => import('./pages/Search.tsx')),
});
const prompts = createRoute({
  getParentRoute: () => inside,
  path: '/prompts',
  component: lazyRouteComponent(() => import('./pages/Prompts.tsx')),
});
const addPrompt = createRoute({
  getParentRoute: () => inside,
  path: '/prompts/new',
  validateSearch: (search): { from?: string } => ({ from: text(search.from) }),
  component: lazyRouteComponent(() => import('./pages/NewPrompt.tsx')),
});
const prompt = createRoute({
  getParentRoute: () => inside,
  path: '/prompts/$template',
  component: lazyRouteComponent(() => import('./pages/Prompt.tsx')),
});
const runs = createRoute({
  getParentRoute: () => inside,
  path: '/runs',
  validateSearch: (search): { state?: string } => ({ state: text(search.state) }),
  component: lazyRouteComponent(() => import('./pages/Runs.tsx')),
});
const run = createRoute({
  getParentRoute: () => inside,
  path: '/runs/$run',
  component: lazyRouteComponent(() => import('./pages/Run.tsx')),
});
const settings = createRoute({
  getParentRoute: () => inside,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/Settings.tsx')),
});
const admin = createRoute({
  getParentRoute: () => inside,
  path: '/admin',
  component: lazyRouteComponent(() => import('./pages/Admin.tsx')),
});
const adminHome = createRoute({
  getParentRoute: () => admin,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/admin/users', replace: true });
  },
});
const users = createRoute({
  getParentRoute: () => admin,
  path: '/users',
  component: lazyRouteComponent(() => import('./pages/Users.tsx')),
});
const queues = createRoute({
  getParentRoute: () => admin,
  path: '/queues',
  component: lazyRouteComponent(() => import('./pages/Queues.tsx')),
});
const deadLetters = createRoute({
  getParentRoute: () => admin,
  path: '/dead-letters',
  component: lazyRouteComponent(() => import('./pages/DeadLetters.tsx')),
});
const audit = createRoute({
  getParentRoute: () => admin,
  path: '/audit',
  validateSearch: (search): { actor?: string; action?: string; object?: string } => ({
    actor: text(search.actor),
    action: text(search.action),
    object: text(search.object),
  }),
  component: lazyRouteComponent(() => import('./pages/Audit.tsx')),
});

const routes = root.addChildren([
  signIn,
  inside.addChildren([
    repositories,
    addRepository,
    repository,
    source,
    document,
    search,
    prompts,
    addPrompt,
    prompt,
    runs,
    run,
    settings,
    admin.addChildren([adminHome, users, queues, deadLetters, audit]),
  ]),
]);

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: routes,
    context: { client },
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    defaultPendingComponent: () => <Loading className="py-32" />,
    defaultErrorComponent: Crash,
    defaultNotFoundComponent: NotFound,
    scrollRestoration: true,
    // Values stay as they are written; only what would change meaning is quoted.
    pathParamsAllowedCharacters: ['@', ':', '+', ','],
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
