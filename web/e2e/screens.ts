import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launch, settled, signIn, watched } from './browser.ts';
import { call, documented, failure, type Places, pages } from './pages.ts';
import { smaller } from './png.ts';
import { type System, startSystem } from './system.ts';

const OUT = join(import.meta.dirname, '../../docs/screens');
const MAX_BYTES = 150 * 1024;
/** Part of the name of those to be taken again; all without it. */
const { SCREENS = '' } = process.env;

let system: System;
let browser: Browser;
let places: Places;

beforeAll(async () => {
  system = await startSystem();
  browser = await launch();
  places = await documented(system);
  await furnish();
  mkdirSync(OUT, { recursive: true });
  for (const name of readdirSync(OUT).filter((file) => file.endsWith('.png') && file.includes(SCREENS)))
    rmSync(join(OUT, name));
});

afterAll(async () => {
  await browser?.close();
  await system?.stop();
});

let more: Record<string, string>;

/** What an installation has after some weeks: so that lists are seen with something in them. */
async function furnish(): Promise<void> {
  const post = <T>(path: string, body?: unknown) => call<T>(system, 'POST', path, body);
  const small = await documented(system, system.small);
  const gone = await failure(system);
  await post(`/api/v1/repositories/${places.repository}/webhooks`, { provider: 'gitlab' });
  await post('/api/v1/tokens', { name: 'nightly build of the handbook', scopes: ['read'], expires_in_days: 90 });
  const credential = { name: 'git.example.com, read only', host: 'git.example.com' };
  await post('/api/v1/credentials', { ...credential, token: { user: 'reader', token: 'a-secret' } });
  for (const role of ['author', 'auditor']) system.tokenOf(role);
  // A second run: the document of the first is not the newest any more.
  const deadline = Date.now() + 30_000;
  const again = await post<{ id: string }>(`/api/v1/repositories/${small.repository}/runs`, {});
  while (!(await call<{ state: string }>(system, 'GET', `/api/v1/runs/${again.id}`)).state.startsWith('completed')) {
    if (Date.now() > deadline) throw new Error('the second run does not end');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  more = {
    ...gone,
    'reader-diagram': `/documents/${small.document}/index#how-the-modules-depend-on-each-other`,
    'reader-newer': `/documents/${small.document}/module-src-heat`,
  };
}

for (const theme of ['light', 'dark'] as const) {
  for (const [width, height] of [
    [1440, 900],
    [390, 844],
  ] as const) {
    it(`${theme}, ${width} wide`, async () => {
      // The locale says the language: German by night, so that both are seen.
      const locale = theme === 'dark' ? 'de-DE' : 'en-GB';
      const { context } = await watched(browser, {
        viewport: { width, height },
        isMobile: width < 600,
        colorScheme: theme,
        locale,
      });
      const page = await context.newPage();
      const shoot = async (name: string) => {
        if (!name.includes(SCREENS)) return;
        await page.waitForLoadState('networkidle').catch(() => undefined);
        await page.evaluate(() => document.fonts.ready);
        // Diagrams are drawn when they are first asked for, and asked for when they come into sight.
        await page.waitForFunction(() =>
          [...document.images].every(
            (image) => image.complete || image.getBoundingClientRect().top > window.innerHeight,
          ),
        );
        await page.waitForTimeout(250);
        const picture = smaller(await page.screenshot({ animations: 'disabled' }));
        expect(picture.length, name).toBeLessThan(MAX_BYTES);
        writeFileSync(join(OUT, `${name}-${theme}-${width}.png`), picture);
      };
      await page.goto(`${system.url}/sign-in`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await shoot('sign-in');
      await signIn(page, system.url, system.token);
      for (const [name, path] of Object.entries({ ...pages(places), ...more })) {
        if (!name.includes(SCREENS)) continue;
        await page.goto(system.url + path);
        await settled(page);
        await shoot(name);
      }
      await page.goto(`${system.url}${more['reader-diagram']}`);
      await page.locator('article figure button').click();
      await page.getByRole('dialog').locator('img').waitFor();
      await shoot('diagram');
      await page.goto(`${system.url}/repositories/${places.repository}`);
      await page
        .locator('main button')
        .filter({ hasText: /Delete the repository|Repository löschen/ })
        .click();
      await page.getByRole('dialog').waitFor();
      await shoot('confirm');
      await page.goto(system.url);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.keyboard.press('Control+k');
      await page.getByRole('listbox').waitFor();
      await shoot('palette');
      await page.keyboard.press('Escape');
      await page.keyboard.press('?');
      await page.getByRole('dialog').waitFor();
      await shoot('keyboard');
      await context.close();
    });
  }
}
