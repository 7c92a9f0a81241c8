import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launch, serious, settled, signIn, type Watched, watched } from './browser.ts';
import { wrongWith } from './judge.ts';
import { documented, failure, type Places, pages } from './pages.ts';
import { type System, startSystem } from './system.ts';

let system: System;
let browser: Browser;
let seen: Watched;
let page: Page;
let places: Places;

beforeAll(async () => {
  system = await startSystem();
  browser = await launch();
  seen = await watched(browser);
  page = await seen.context.newPage();
});

afterAll(async () => {
  await browser?.close();
  await system?.stop();
});

describe('a first morning', () => {
  it('who is not signed in is asked to, and comes back to where they were going', async () => {
    await page.goto(`${system.url}/runs`);
    await page.getByRole('heading', { name: 'Come in' }).waitFor();
    await page.getByLabel('API token').fill('cc_wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('This token is not valid').waitFor();
    expect(await serious(page)).toEqual([]);
    await page.getByLabel('API token').fill(system.token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/runs');
  });

  it('a repository is added, and its four stages advance without a reload', async () => {
    await page.getByRole('link', { name: 'Repositories', exact: true }).first().click();
    await page.getByRole('link', { name: 'Add a repository' }).first().click();
    await page.getByLabel('Address').fill(system.repository);
    await page.getByRole('button', { name: 'Test connection' }).click();
    await page.getByText('The default branch is main').waitFor();
    // What every stage has been, as the page changes it. A reload would forget it.
    await page.evaluate(() => {
      const history: Record<string, string[]> = {};
      (window as unknown as { history_: typeof history }).history_ = history;
      new MutationObserver(() => {
        for (const item of document.querySelectorAll<HTMLElement>('[data-stage]')) {
          const { stage = '', status = '' } = item.dataset;
          const known = history[stage] ?? [];
          history[stage] = known;
          if (known.at(-1) !== status) known.push(status);
        }
      }).observe(document, { subtree: true, childList: true, attributes: true });
    });
    await system.whileHostIsSilent(async () => {
      await page.getByRole('button', { name: 'Add and begin' }).click();
      await page.locator('[data-stage=clone]').waitFor();
    });
    await page.locator('[data-stage=write][data-status=done]').waitFor({ timeout: 300_000 });
    await page.getByText('Documented', { exact: true }).waitFor();
    const history = await page.evaluate(() => (window as unknown as { history_: Record<string, string[]> }).history_);
    for (const stage of ['clone', 'analyse', 'index', 'write']) {
      expect(history[stage]?.at(-1), stage).toBe('done');
      expect(history[stage]?.length, `${stage} was seen on its way: ${history[stage]}`).toBeGreaterThan(1);
    }
    places = await documented(system);
  });

  it('a page is read, and its citation opens at the cited line', async () => {
    await page.getByRole('link', { name: 'Open the documentation' }).click();
    await page.getByRole('heading', { level: 1, name: 'roastery' }).waitFor();
    const chip = page.getByRole('link', { name: 'Cited: README.md:3' }).first();
    await chip.click();
    const drawer = page.getByTestId('drawer');
    await drawer.locator('.marked').first().waitFor();
    expect(await drawer.getByRole('heading').textContent()).toBe('README.md');
    const marked = drawer.locator('.marked');
    expect(await marked.evaluateAll((lines) => lines.map((line) => line.getAttribute('data-line')))).toEqual(['3']);
    expect(await marked.first().textContent()).toContain('keeps the curve of every roast');
    const isInSight = () => marked.first().evaluate((line) => line.getBoundingClientRect().top < window.innerHeight);
    await expect.poll(isInSight).toBe(true);
    // The address says it too: opened anew, it is the same.
    const address = page.url();
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'detached' });
    await expect.poll(() => page.evaluate(() => document.activeElement?.className)).toContain('cite');
    await page.goto(address);
    await drawer.locator('.marked').first().waitFor();
    await drawer.getByRole('link', { name: 'Open the whole file' }).click();
    // The drawer marks the same line until the file is there.
    await page.waitForURL((url) => url.pathname.includes('/source/') && url.hash === '#L3');
    await drawer.waitFor({ state: 'detached' });
    await page.locator('.marked[data-line="3"]').waitFor();
  });

  it('pages are walked by keyboard', async () => {
    await page.goto(`${system.url}/documents/${places.document}`);
    await page.getByRole('heading', { level: 1, name: 'roastery' }).waitFor();
    await page.keyboard.press(']');
    await page.waitForURL(/\/documents\/[^/]+\/module-root/);
    // Keys are for the page that is shown, which comes after its address.
    await page.getByRole('heading', { level: 1, name: 'roastery', exact: true }).waitFor({ state: 'detached' });
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.keyboard.press('[');
    await page.waitForURL(/\/documents\/[^/]+\/index/);
    await page.keyboard.press('Control+k');
    await page.locator('[role=combobox]:focus').waitFor();
    await page.keyboard.type('roastery');
    await page.getByRole('option', { name: /^roastery/, selected: true }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(new RegExp(`/repositories/${places.repository}`));
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    // A slow machine may take longer between two keys than a sequence waits for its second.
    const repositories = page.getByRole('heading', { level: 1, name: 'Repositories' });
    await expect
      .poll(async () => {
        await page.keyboard.type('gr');
        return repositories.isVisible();
      })
      .toBe(true);
  });

  it('code is found by what it does, with the keyboard alone', async () => {
    await page.keyboard.press('/');
    const field = page.getByLabel('What are you looking for?', { exact: false });
    await field.fill('how long to wait after a failed attempt');
    await page.keyboard.press('Enter');
    await page.locator('a[data-hit]').first().waitFor();
    const paths = await page.locator('a[data-hit]').evaluateAll((links) => links.map((link) => link.textContent));
    const wanted = paths.indexOf('src/lib.rs');
    expect(wanted, paths.join(' ')).toBeGreaterThanOrEqual(0);
    expect(wanted).toBeLessThan(5);
    for (let step = 0; step <= wanted; step += 1) await page.keyboard.press('ArrowDown');
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('src/lib.rs');
    await page.keyboard.press('Enter');
    await page.locator('.source .marked').first().waitFor();
    expect(await page.locator('.source').textContent()).toContain('fn retry_delay');
    await page.getByRole('heading', { name: 'Symbols' }).waitFor();
    await page.getByRole('link', { name: 'retry_delay' }).waitFor();
  });

  it('a template is copied, edited, tried out, saved and run', async () => {
    await page.goto(`${system.url}/prompts`);
    await page.getByRole('link', { name: 'module documentation' }).click();
    await page.getByRole('link', { name: 'Make a copy to change' }).click();
    await page.getByLabel('Name', { exact: true }).fill('house style');
    await page.getByRole('button', { name: 'Make the template' }).click();
    await page.getByRole('heading', { level: 1, name: 'house style' }).waitFor();
    const body = page.getByLabel('Body', { exact: true });
    await body.fill('Short and warm, about {code} and {nothing}');
    await page.getByText('{nothing} is no placeholder').waitFor();
    expect(await page.getByRole('button', { name: 'Save as version 2' }).isDisabled()).toBe(true);
    await body.fill('Short and warm. Language {language}.\n\n{code}\n');
    await page.getByLabel('Which code').fill('retry delay');
    await page.getByRole('button', { name: 'Show the preview' }).click();
    const preview = page.getByRole('region', { name: 'Preview' }).last();
    await preview.getByText('Short and warm').first().waitFor();
    await preview.getByText(/about [\d,]+ tokens/).waitFor();
    await page.getByRole('button', { name: 'Save as version 2' }).click();
    await expect.poll(() => seen.notices).toContain('Version 2 is saved.');
    await page.getByRole('button', { name: 'Start writing' }).click();
    await page.waitForURL(/\/runs\/[0-9a-f-]{36}/);
    await page.locator('[data-stage=write][data-status=done]').waitFor({ timeout: 300_000 });
    await page.getByText('The index is complete').waitFor();
  });

  it('German and dark stay when the page is loaded again', async () => {
    await page.goto(`${system.url}/settings`);
    await page.getByText('Deutsch', { exact: true }).click();
    await page.getByText('Nacht', { exact: true }).click();
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'Einstellungen' }).waitFor();
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('de');
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const [red = 255] = (ground.match(/\d+/g) ?? []).map(Number);
    expect(red, ground).toBeLessThan(60);
  });
});

describe('every page', () => {
  let failed: Record<string, string>;
  beforeAll(async () => {
    failed = await failure(system);
  });

  for (const [theme, language] of [
    ['light', 'en'],
    ['dark', 'de'],
  ] as const) {
    it(`in ${theme} and ${language}: nothing serious, nothing foreign, nothing in the other language`, async () => {
      const found: Record<string, string[]> = {};
      const look = async (name: string, at: Page) => {
        const problems = await wrongWith(at, language);
        if (problems.length > 0) found[name] = problems;
      };
      await page.evaluate(
        ([chosen, said]) => {
          localStorage.setItem('cc.theme', chosen);
          localStorage.setItem('cc.language', said);
        },
        [theme, language] as const,
      );
      for (const [name, path] of Object.entries({ ...pages(places), ...failed })) {
        await page.goto(system.url + path);
        await settled(page);
        await look(name, page);
      }
      // What opens above a page.
      await page.goto(`${system.url}/repositories/${places.repository}`);
      await settled(page);
      await page
        .getByRole('button', { name: language === 'de' ? 'Repository löschen' : 'Delete the repository' })
        .click();
      for (const [name, key] of [
        ['confirmation', ''],
        ['palette', 'Control+k'],
        ['help', '?'],
      ] as const) {
        if (key) await page.keyboard.press(key);
        await page.getByRole('dialog').waitFor();
        if (name === 'palette') await page.getByRole('listbox').getByRole('option').first().waitFor();
        await look(name, page);
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
      }
      // Who is not signed in has chosen nothing: the browser says which language and which light.
      const locale = language === 'de' ? 'de-DE' : 'en-GB';
      const visitor = await watched(browser, { colorScheme: theme, locale });
      const guest = await visitor.context.newPage();
      for (const query of ['', '?out=true', '?error=no_role']) {
        await guest.goto(`${system.url}/sign-in${query}`);
        await guest.getByLabel(/API.token/i).waitFor();
        await look(`sign-in${query}`, guest);
      }
      await visitor.context.close();
      expect(found).toEqual({});
      expect([...visitor.foreign, ...visitor.wrong]).toEqual([]);
    });
  }

  it('fits a telephone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    const found: string[] = [];
    for (const [name, path] of Object.entries({ ...pages(places), ...failed })) {
      await page.goto(system.url + path);
      await settled(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (wide > 0) found.push(`${name} by ${wide}`);
    }
    await page.setViewportSize({ width: 1280, height: 860 });
    expect(found).toEqual([]);
  });
});

describe('strangers', () => {
  const HOSTILE = [
    '# Hostile',
    '<script>window.taken = 1; alert(1)</script>',
    '<img src=x onerror="window.taken = 1; alert(2)">',
    '[click](javascript:window.taken=1)',
    '[data](data:text/html,<script>parent.taken=1</script>)',
    '![remote](https://elsewhere.example/pixel.png)',
    '<iframe src="https://elsewhere.example/"></iframe>',
    '```mermaid\ngraph TD\n  a --> b\n  click a "javascript:window.taken=1"\n  click b href "https://elsewhere.example"\n```',
  ].join('\n\n');

  it('a hostile page does nothing', async () => {
    const visitor = await watched(browser);
    const reader = await visitor.context.newPage();
    await signIn(reader, system.url, system.token);
    await reader.route('**/api/v1/documents/*/pages/index', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), markdown: HOSTILE } });
    });
    await reader.goto(`${system.url}/documents/${places.document}/index`);
    await reader.getByRole('heading', { name: 'Hostile' }).waitFor();
    for (const words of ['click', 'data']) await reader.getByText(words, { exact: true }).click();
    await reader.getByText(/could not be drawn|Source of the diagram/).waitFor();
    const article = reader.locator('article');
    expect(await article.locator('script, iframe, [onerror], a[href^="javascript"], a[href^="data"]').count()).toBe(0);
    expect(await reader.evaluate(() => 'taken' in window)).toBe(false);
    expect(new URL(reader.url()).pathname).toBe(`/documents/${places.document}/index`);
    expect(visitor.wrong).toEqual([]);
    expect(visitor.foreign).toEqual([]);
    await visitor.context.close();
  });

  it('a viewer sees no administration and no buttons that would be refused', async () => {
    const visitor = await watched(browser);
    const viewer = await visitor.context.newPage();
    await signIn(viewer, system.url, system.tokenOf('viewer'));
    await viewer.getByRole('link', { name: 'roastery' }).waitFor();
    expect(await viewer.getByRole('link', { name: 'Administration' }).count()).toBe(0);
    expect(await viewer.getByRole('link', { name: 'Add a repository' }).count()).toBe(0);
    await viewer.goto(`${system.url}/admin/users`);
    await viewer.getByRole('heading', { name: 'Not for your role' }).waitFor();
    await viewer.goto(`${system.url}/repositories/new`);
    await viewer.getByRole('heading', { name: 'Not for your role' }).waitFor();
    expect((await visitor.context.request.get(`${system.url}/api/v1/users`)).status()).toBe(403);
    await viewer.goto(`${system.url}/documents/${places.document}`);
    await viewer.getByRole('heading', { level: 1, name: 'roastery' }).waitFor();
    expect(visitor.wrong).toEqual([]);
    await visitor.context.close();
  });

  it('who signs out is out', async () => {
    const visitor = await watched(browser);
    const guest = await visitor.context.newPage();
    await signIn(guest, system.url, system.token);
    await guest.locator('header details > summary').click();
    await guest.getByRole('button', { name: 'Sign out' }).click();
    await guest.getByText('You are signed out.').waitFor();
    expect((await visitor.context.request.get(`${system.url}/api/v1/me`)).status()).toBe(401);
    await visitor.context.close();
  });
});

it('no request left this machine, and the policy had nothing to stop', () => {
  expect(seen.foreign).toEqual([]);
  expect(seen.wrong).toEqual([]);
});
