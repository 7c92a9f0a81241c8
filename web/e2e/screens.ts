import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launch, signIn, watched } from './browser.ts';
import { documented, type Places, pages } from './pages.ts';
import { smaller } from './png.ts';
import { type System, startSystem } from './system.ts';

const OUT = join(import.meta.dirname, '../../docs/screens');
const MAX_BYTES = 150 * 1024;

let system: System;
let browser: Browser;
let places: Places;

beforeAll(async () => {
  system = await startSystem();
  browser = await launch();
  places = await documented(system);
  mkdirSync(OUT, { recursive: true });
  for (const name of readdirSync(OUT).filter((file) => file.endsWith('.png'))) rmSync(join(OUT, name));
});

afterAll(async () => {
  await browser?.close();
  await system?.stop();
});

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
        await page.waitForLoadState('networkidle').catch(() => undefined);
        await page.evaluate(() => document.fonts.ready);
        await page.waitForTimeout(250);
        const picture = smaller(await page.screenshot({ animations: 'disabled' }));
        expect(picture.length, name).toBeLessThan(MAX_BYTES);
        writeFileSync(join(OUT, `${name}-${theme}-${width}.png`), picture);
      };
      await page.goto(`${system.url}/sign-in`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await shoot('sign-in');
      await signIn(page, system.url, system.token);
      for (const [name, path] of Object.entries(pages(places))) {
        await page.goto(system.url + path);
        await page.getByRole('heading', { level: 1 }).first().waitFor();
        await page
          .getByText(/^(Loading …|Wird geladen …)$/)
          .first()
          .waitFor({ state: 'detached' });
        await shoot(name);
      }
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
