import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export async function launch(): Promise<Browser> {
  const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const executablePath = candidates.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('no Chromium: run `scripts/setup tests`, or name one as CHROMIUM');
  return chromium.launch({ executablePath, args: FLAGS });
}

/** What went wrong in a browser without anybody noticing. */
export interface Watched {
  context: BrowserContext;
  /** Requests to anything but this machine. */
  foreign: string[];
  /** What the policy has stopped, dialogs, and errors of scripts. */
  wrong: string[];
  /** Every notice that was shown for some seconds, also those that nobody looked at in time. */
  notices: string[];
}

/** How long a browser may take for one step before it counts as hanging; nothing that works waits so long. */
const PATIENCE_MS = 60_000;
/** How many times slower scripts are to run than this machine runs them. */
const { E2E_SLOWER } = process.env;

export async function watched(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  // Without motion nothing is looked at, measured or judged half-way.
  const usual = { locale: 'en-GB', viewport: { width: 1280, height: 860 }, reducedMotion: 'reduce' } as const;
  const context = await browser.newContext({ ...usual, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const [foreign, wrong, notices]: [string[], string[], string[]] = [[], [], []];
  context.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (!['data:', 'blob:'].includes(protocol) && hostname !== '127.0.0.1') foreign.push(request.url());
  });
  await context.exposeBinding('reportViolation', (_source, said: string) => wrong.push(said));
  await context.exposeBinding('reportNotice', (_source, said: string) => notices.push(said));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      (window as unknown as { reportViolation: (said: string) => void }).reportViolation(
        `${event.effectiveDirective} stopped ${event.blockedURI} on ${location.pathname}`,
      );
    });
    new MutationObserver((changes) => {
      for (const added of changes.flatMap((change) => [...change.addedNodes])) {
        if (!(added instanceof Element) || !added.matches('[data-notices] > *')) continue;
        (window as unknown as { reportNotice: (said: string) => void }).reportNotice(added.textContent ?? '');
      }
    }).observe(document, { subtree: true, childList: true });
  });
  context.on('page', async (page) => {
    page.on('dialog', (dialog) => {
      wrong.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on('pageerror', (error) => wrong.push(`${error.name}: ${error.message}`));
    if (!E2E_SLOWER) return;
    const session = await context.newCDPSession(page);
    await session.send('Emulation.setCPUThrottlingRate', { rate: Number(E2E_SLOWER) });
  });
  return { context, foreign, wrong, notices };
}

/** Signs in on the page for it. */
export async function signIn(page: Page, url: string, token: string): Promise<void> {
  await page.goto(`${url}/sign-in`);
  await page.getByLabel(/API.token/i).fill(token);
  await page.getByRole('button', { name: /sign in|anmelden/i }).click();
  await page
    .getByRole('navigation', { name: /sections|bereiche/i })
    .first()
    .waitFor();
}

/** A page that shows what it is for, and loads nothing more. */
export async function settled(page: Page): Promise<void> {
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  await page
    .getByText(/^(Loading …|Wird geladen …)$/)
    .first()
    .waitFor({ state: 'detached' });
}

const AXE = readFileSync(join(import.meta.dirname, '../node_modules/axe-core/axe.min.js'), 'utf8');

interface Finding {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary: string }[];
}

/** What axe finds serious or critical on a page. It fetches no styles for that: the policy would stop them. */
export async function serious(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run: (of: Document, how: object) => Promise<{ violations: Finding[] }> };
    };
    return (await axe.run(document, { resultTypes: ['violations'], preload: false })).violations;
  });
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .map((node) => `${node.html} ${node.failureSummary}`)
          .slice(0, 3)
          .join(' | ')}`,
    );
}
