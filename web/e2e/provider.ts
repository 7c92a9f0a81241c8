import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** Somebody else's identity provider: `oidc-provider-mock` of `tests/fakes/requirements.txt`. */
export interface Provider {
  issuer: string;
  /** What the identity token says of somebody. */
  knows: (sub: string, claims: Record<string, unknown>) => Promise<void>;
  stop: () => void;
}

/**
 * A port that nobody listens on now. Only for programs that cannot choose one and say which. It lies below those that
 * the system gives to connections and to whoever asks for any, so that nobody gets it before the program does.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(15_000, 32_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error('no free port');
}

export async function startProvider(tools: string): Promise<Provider> {
  const issuer = `http://127.0.0.1:${await freePort()}`;
  const python = join(tools, 'fakes/bin/python');
  const args = ['-m', 'oidc_provider_mock', '--require-nonce', 'true', '--port', new URL(issuer).port];
  const child = spawn(python, args, { stdio: 'ignore' });
  const failed = new Promise<never>((_, reject) => {
    child.once('error', () => reject(new Error(`no ${python}: \`make test\` makes it`)));
    child.once('exit', (code) => reject(new Error(`the provider ended with ${code}`)));
  });
  failed.catch(() => undefined);
  const there = async () => {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const answer = await fetch(`${issuer}/.well-known/openid-configuration`).catch(() => undefined);
      if (answer?.ok) return;
      if (Date.now() > deadline) throw new Error('the provider does not answer');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  await Promise.race([there(), failed]);
  return {
    issuer,
    knows: async (sub, claims) => {
      const answer = await fetch(`${issuer}/users/${sub}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(claims),
      });
      if (!answer.ok) throw new Error(`the provider does not take ${sub}: ${answer.status}`);
    },
    stop: () => child.kill(),
  };
}
