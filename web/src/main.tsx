import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiProblem } from './api/client.ts';
import { makeRouter } from './router.tsx';
import './styles/index.css';

/** A session that has ended: to the sign-in page, and back afterwards. */
function onProblem(error: unknown): void {
  if (!(error instanceof ApiProblem) || error.status !== 401) return;
  const { pathname, href } = router.state.location;
  if (pathname !== '/sign-in') router.navigate({ to: '/sign-in', search: { to: href } });
}

const client = new QueryClient({
  queryCache: new QueryCache({ onError: onProblem }),
  mutationCache: new MutationCache({ onError: onProblem }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the server has refused it refuses again.
      retry: (failures, error) =>
        (!(error instanceof ApiProblem) || error.status === 0 || error.status >= 500) && failures < 2,
    },
  },
});
const router = makeRouter(client);

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
