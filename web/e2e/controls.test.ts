import { createHmac } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launch, serious, type Watched, watched } from './browser.ts';
import { call, documented, type Places } from './pages.ts';
import { type System, startSystem } from './system.ts';

// Every control that changes something, each in a browser and each seen to have worked: by another client, not by the
// words of the page alone.
let system: System;
let browser: Browser;
let seen: Watched;
let page: Page;
let places: Places;

beforeAll(async () => {
  system = await startSystem({ withProvider: true });
  [browser, places] = await Promise.all([launch(), documented(system, system.small)]);
  seen = await watched(browser, { permissions: ['clipboard-read', 'clipboard-write'] });
  page = await seen.context.newPage();
  await system.provider?.knows('grace', { name: 'Grace Hopper', roles: ['admin'] });
  await enter(page, 'grace');
  await page.getByRole('heading', { level: 1, name: 'Repositories' }).waitFor();
  // The provider's own page has a stylesheet from elsewhere; only ours are watched.
  seen.foreign.length = 0;
});

afterAll(async () => {
  await browser?.close();
  await system?.stop();
});

/** What another client gets that shows this token. */
async function as(token: string, path: string, method = 'GET'): Promise<number> {
  const answer = await fetch(system.url + path, { method, headers: { authorization: `Bearer ${token}` } });
  return answer.status;
}

const confirm = (action: string) => page.getByRole('dialog').getByRole('button', { name: action, exact: true }).click();
/** What a button has put there; the browser does so when it comes to it. */
const clipboard = (expected: string | RegExp) =>
  expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toMatch(expected);
/** How often a notice was shown, whether or not it is still there. */
const noticed = (words: string) => () => seen.notices.filter((one) => one.includes(words)).length;
const section = (name: string) => page.locator('section').filter({ has: page.getByRole('heading', { name }) });

/** In by the provider's own page, without the stylesheet that it wants from elsewhere. */
async function enter(theirs: Page, sub: string, to = '/') {
  await theirs.route('https://**', (route) => route.abort());
  await theirs.goto(system.url + to);
  await theirs.getByRole('link', { name: 'Sign in with Corp' }).click();
  await theirs.getByPlaceholder('sub').fill(sub);
  await theirs.getByRole('button', { name: 'Authorize' }).click();
}

describe('in by the company’s directory', () => {
  const person = async (sub: string, to = '/') => {
    const visitor = await watched(browser);
    const theirs = await visitor.context.newPage();
    await enter(theirs, sub, to);
    return { page: theirs, close: () => visitor.context.close() };
  };

  it('one arrives where one was going, with the role that the directory gives', async () => {
    await system.provider?.knows('ada', { name: 'Ada Lovelace', roles: ['author'] });
    const ada = await person('ada', '/runs?state=completed');
    await ada.page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
    expect(new URL(ada.page.url()).search).toBe('?state=completed');
    await ada.page.goto(`${system.url}/settings`);
    await ada.page.locator('dd').getByText('Ada Lovelace', { exact: true }).waitFor();
    await ada.page.getByText('the company’s directory').waitFor();
    await ada.page.locator('dd').getByText('Author', { exact: true }).waitFor();
    await ada.page.locator('header details > summary').click();
    await ada.page.getByRole('button', { name: 'Sign out' }).click();
    // Out there too; then whoever sits here is asked again.
    await ada.page.getByRole('heading', { name: 'End Session' }).waitFor();
    await ada.page.locator('form button').first().click();
    await ada.page.waitForURL(`${system.url}/sign-in`);
    await ada.page.goto(system.url);
    await ada.page.getByRole('heading', { name: 'Come in' }).waitFor();
    await ada.close();
  });

  it('who is refused is told why', async () => {
    await system.provider?.knows('bob', { name: 'Bob', roles: ['sales'] });
    const bob = await person('bob');
    await bob.page.getByText('has given you no role here').waitFor();
    await bob.page.getByRole('link', { name: 'Sign in with Corp' }).waitFor();
    await bob.close();
  });
});

describe('settings', () => {
  it('a token is made, shown once, and refused once deleted', async () => {
    await page.goto(`${system.url}/settings`);
    const tokens = section('API tokens');
    await tokens.getByLabel('Name').fill('build server');
    await tokens.getByLabel('Days valid').fill('7');
    await tokens.getByRole('button', { name: 'Make a token' }).click();
    await tokens.getByText('It is shown this once').waitFor();
    const secret = (await tokens.locator('code').textContent()) ?? '';
    expect(secret).toMatch(/^cc_[\w-]+$/);
    await tokens.getByRole('button', { name: 'Copy' }).click();
    await clipboard(new RegExp(`^${secret}$`));
    expect(await as(secret, '/api/v1/me')).toBe(200);
    expect(await as(secret, `/api/v1/repositories/${places.repository}`, 'DELETE')).toBe(403);
    await page.reload();
    const row = tokens.locator('li').filter({ hasText: 'build server' });
    await row.getByText('in 7 days').waitFor();
    expect(await page.getByText(secret).count()).toBe(0);
    await row.getByRole('button', { name: 'Delete' }).click();
    await confirm('Cancel');
    expect(await as(secret, '/api/v1/me')).toBe(200);
    await row.getByRole('button', { name: 'Delete' }).click();
    await confirm('Delete');
    await row.waitFor({ state: 'detached' });
    expect(await as(secret, '/api/v1/me')).toBe(401);
  });

  it('another session is ended from here', async () => {
    const visitor = await watched(browser);
    const elsewhere = await visitor.context.newPage();
    await enter(elsewhere, 'grace');
    await elsewhere.getByRole('heading', { level: 1, name: 'Repositories' }).waitFor();
    await page.reload();
    const others = section('Sessions').getByRole('button', { name: 'End the session' });
    await others.first().waitFor();
    while ((await others.count()) > 0) {
      const before = await others.count();
      await others.first().click();
      await expect.poll(() => others.count()).toBe(before - 1);
    }
    // Not from the page, which may be on its way to the sign-in page by now.
    expect((await visitor.context.request.get(`${system.url}/api/v1/me`)).status()).toBe(401);
    await page.getByText('this one').waitFor();
    await visitor.context.close();
  });

  it('a credential is made, tried, given another secret, and deleted', async () => {
    await page.goto(`${system.url}/repositories/new`);
    await page.getByLabel('Address').fill(system.small);
    await page.getByLabel('Credential', { exact: true }).selectOption({ label: 'New credential …' });
    const host = page.getByLabel('Host', { exact: true });
    expect(await host.inputValue()).toBe(new URL(system.small).host);
    await page.getByLabel('Name of the credential').fill('kettle reader');
    await page.getByLabel('User name').fill('reader');
    await page.getByLabel('Token or password').fill('with a space');
    await page.getByRole('button', { name: 'Save the credential' }).click();
    await page.getByText('has a space or control character').waitFor();
    await page.getByLabel('Token or password').fill('a-long-secret');
    await page.getByRole('button', { name: 'Save the credential' }).click();
    await expect
      .poll(() => page.getByLabel('Credential', { exact: true }).locator('option:checked').textContent())
      .toContain('kettle reader');
    const tried = async (address: string) => {
      await page.getByLabel('Address').fill(address);
      await page.getByRole('button', { name: 'Test connection' }).click();
    };
    await tried(system.small);
    await page.getByText('A credential is never sent without TLS').waitFor();
    await tried('https://elsewhere.example/a/b.git');
    await page.getByText('The credential is for 127.0.0.1').waitFor();
    await page.getByLabel('Credential', { exact: true }).selectOption({ label: 'None: it is public' });
    await tried(`${system.host}/gone.git`);
    await page.getByText('There is no repository at').waitFor();
    await tried(system.small);
    await page.getByText('The default branch is main').waitFor();

    await page.goto(`${system.url}/settings`);
    const credentials = section('Credentials');
    const row = credentials.locator('li').filter({ hasText: 'kettle reader' });
    await row.getByText('used by 0 repositories').waitFor();
    await row.getByRole('button', { name: 'Replace the secret' }).click();
    await row.getByLabel('User name').fill('reader');
    await row.getByLabel('Token or password').fill('another-secret');
    await row.getByRole('button', { name: 'Save', exact: true }).click();
    await row.getByText('replaced').waitFor();
    expect(noticed('The new secret is saved')()).toBe(1);
    await credentials.getByRole('button', { name: 'New credential …' }).click();
    expect(await serious(page)).toEqual([]);
    await credentials.getByLabel('Name of the credential').fill('spare');
    await credentials.getByLabel('Host', { exact: true }).fill('git.example.com');
    await credentials.getByLabel('User name').fill('x');
    await credentials.getByLabel('Token or password').fill('y');
    await credentials.getByRole('button', { name: 'Save the credential' }).click();
    // No name may be a word of another row's text, such as “replaced a second ago”.
    for (const name of ['spare', 'kettle reader']) {
      const doomed = credentials.locator('li').filter({ hasText: name });
      await doomed.getByRole('button', { name: 'Delete' }).click();
      await confirm('Delete');
      await doomed.waitFor({ state: 'detached' });
    }
    expect((await call<{ items: unknown[] }>(system, 'GET', '/api/v1/credentials')).items).toEqual([]);
  });
});

describe('a repository', () => {
  it('a webhook is made, takes signed pushes alone, and gets another secret', async () => {
    await page.goto(`${system.url}/repositories/${places.repository}`);
    const hooks = section('Webhooks');
    await hooks.getByRole('button', { name: 'Make a webhook' }).click();
    await hooks.getByText('The secret is shown this once').waitFor();
    const [address, secret] = [hooks.locator('li code'), hooks.locator('div code')];
    const former = (await secret.textContent()) ?? '';
    const push = async (key: string) => {
      const body = JSON.stringify({
        ref: 'refs/heads/other',
        // Each is another one: what has come before is only known.
        after: crypto.randomUUID(),
        repository: { clone_url: system.small, default_branch: 'main' },
      });
      const signature = `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
      const headers = {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-hub-signature-256': signature,
      };
      const id = { 'x-github-delivery': crypto.randomUUID() };
      const sent = await fetch((await address.textContent()) ?? '', {
        method: 'POST',
        body,
        headers: { ...headers, ...id },
      });
      const { status, code } = (await sent.json()) as { status: string; code?: string };
      return code ?? status;
    };
    // Of a branch that nobody documents: no run may be under way for what comes after this.
    expect(await push(former)).toBe('nothing_to_do');
    await hooks.getByRole('button', { name: 'New secret' }).click();
    await hooks.getByText('the former one is good for a day more').waitFor();
    await expect.poll(() => secret.textContent()).not.toBe(former);
    expect(await push(former)).toBe('nothing_to_do');
    expect(await push((await secret.textContent()) ?? '')).toBe('nothing_to_do');
    expect(await push('another secret')).toBe('bad_signature');
    await page.reload();
    await hooks.locator('li time').waitFor();
    expect(await secret.count()).toBe(0);
    // The longest words on the narrowest screen: what belongs together stands together.
    await page.setViewportSize({ width: 390, height: 844 });
    await page.evaluate(() => localStorage.setItem('cc.language', 'de'));
    await page.reload();
    const buttons = page
      .locator('section li')
      .filter({ has: page.locator('code') })
      .getByRole('button');
    await buttons.filter({ hasText: 'Löschen' }).waitFor();
    expect(new Set(await buttons.evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top))).size).toBe(1);
    await page.evaluate(() => localStorage.setItem('cc.language', 'en'));
    await page.setViewportSize({ width: 1280, height: 860 });
    await page.reload();
    await hooks.getByRole('button', { name: 'Delete' }).click();
    await confirm('Delete');
    await hooks.locator('li').waitFor({ state: 'detached' });
  });

  it('its diagram is drawn by the server, and grows', async () => {
    await page.goto(`${system.url}/documents/${places.document}`);
    const picture = page.locator('article figure img');
    await picture.scrollIntoViewIfNeeded();
    await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(100);
    await expect.poll(async () => (await picture.boundingBox())?.width).toBeGreaterThan(100);
    await page.getByRole('button', { name: 'Enlarge the diagram' }).click();
    const large = page.getByRole('dialog').locator('img');
    const width = async () => (await large.boundingBox())?.width ?? 0;
    // It has a width of its own from the moment at which it is fitted into the window; before it has the file's.
    await expect.poll(() => large.getAttribute('style')).toContain('width');
    const before = await width();
    expect(before).toBeGreaterThan(100);
    await page.getByRole('button', { name: 'Larger' }).click();
    await expect.poll(width).toBeGreaterThan(before * 1.2);
    await page.keyboard.press('-');
    await expect.poll(width).toBeLessThan(before * 1.1);
    expect(await serious(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await large.waitFor({ state: 'detached' });
  });

  it('headings have links, contents follow, code is copied, a newer version is offered, paper has only text', async () => {
    const module = `/documents/${places.document}/module-src-heat`;
    await page.goto(system.url + module);
    const heading = page.getByRole('heading', { level: 2, name: 'Public API', exact: true });
    await heading.hover();
    await heading.getByRole('link', { name: 'Link to “Public API”' }).click();
    await page.waitForURL((url) => url.hash === '#public-api');
    await page.getByRole('button', { name: 'Copy the code' }).first().click();
    await clipboard(/^pub fn boil\(water: &mut Water\)$/);
    await page.emulateMedia({ media: 'print' });
    await expect.poll(() => page.getByRole('navigation').count()).toBe(0);
    await expect.poll(() => page.locator('.copy:visible, .anchor:visible, kbd:visible').count()).toBe(0);
    await page.emulateMedia({ media: 'screen' });
    await page.goto(`${system.url}/documents/${places.document}`);
    // Loaded while it is scrolled past, the picture would move what stands below it.
    const picture = page.locator('article figure img');
    await picture.scrollIntoViewIfNeeded();
    await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(100);
    const contents = page.getByRole('navigation', { name: 'On this page' });
    for (const name of ['Languages', 'Modules', 'Packages']) {
      await contents.getByRole('link', { name, exact: true }).click();
      await expect.poll(() => contents.locator('[aria-current]').textContent()).toBe(name);
    }
    expect(await serious(page)).toEqual([]);

    const again = await call<{ id: string }>(system, 'POST', `/api/v1/repositories/${places.repository}/runs`, {});
    const state = async () => (await call<{ state: string }>(system, 'GET', `/api/v1/runs/${again.id}`)).state;
    await expect.poll(state, { timeout: 300_000 }).toBe('completed');
    await page.goto(system.url + module);
    await page.getByRole('link', { name: 'Read the newer one' }).click();
    await page.waitForURL((url) => url.pathname.startsWith('/documents/') && !url.pathname.includes(places.document));
    await page.getByRole('heading', { level: 1, name: 'Module src/heat' }).waitFor();
    await page.getByText('There is a newer version').waitFor({ state: 'detached' });
  });

  it('the keyboard gets past the masthead, and each stop is seen', async () => {
    await page.goto(system.url);
    // Its links are the stops.
    await page.getByRole('link', { name: 'kettle' }).waitFor();
    await page.keyboard.press('Tab');
    const focused = () =>
      page.evaluate(() => {
        const at = document.activeElement as HTMLElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(at);
        return { text: at.textContent, id: at.id, seen: outlineStyle !== 'none' && outlineWidth !== '0px' };
      });
    expect(await focused()).toMatchObject({ text: 'Skip to the content', seen: true });
    await page.keyboard.press('Enter');
    await expect.poll(async () => (await focused()).id).toBe('content');
    for (let step = 0; step < 3; step += 1) {
      await page.keyboard.press('Tab');
      expect((await focused()).seen, JSON.stringify(await focused())).toBe(true);
    }
    const slowest = () =>
      page.evaluate(() =>
        Math.max(
          ...[...document.querySelectorAll('*')].map((one) => parseFloat(getComputedStyle(one).transitionDuration)),
        ),
      );
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    await expect.poll(slowest).toBeGreaterThan(0.05);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await expect.poll(slowest).toBeLessThan(0.001);
  });

  it('a run is cancelled when that was meant, and run again', async () => {
    await system.whileHostIsSilent(async () => {
      await call(system, 'POST', '/api/v1/repositories', { url: system.repository });
      await page.goto(`${system.url}/runs`);
      await page.getByRole('link', { name: 'roastery' }).first().click();
      await page.getByRole('button', { name: 'Cancel the run' }).click();
      await confirm('Cancel the run');
      await page.getByText('The run was cancelled', { exact: true }).waitFor();
      await page.getByText('Cancelled', { exact: true }).first().waitFor();
    });
    const cancelled = page.url();
    // The server does it and the answer is lost: the same is asked again, and is not done twice.
    const keys: (string | undefined)[] = [];
    await page.route('**/api/v1/runs/*/retry', async (route) => {
      keys.push(route.request().headers()['idempotency-key']);
      if (keys.length > 1) return route.continue();
      await route.fetch();
      await route.abort('connectionreset');
    });
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.waitForURL((url) => url.href !== cancelled);
    await page.unroute('**/api/v1/runs/*/retry');
    expect(keys).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), keys[0]]);
    await page.getByRole('table').getByText('Batch').first().waitFor();
    await page.locator('[data-stage=write][data-status=done]').waitFor({ timeout: 300_000 });
    await expect.poll(() => page.getByRole('row').count()).toBeGreaterThan(5);
    await page.goto(`${system.url}/runs`);
    await page.getByLabel('State').selectOption({ label: 'Cancelled' });
    await expect.poll(() => page.getByRole('link', { name: 'roastery' }).count()).toBe(1);
    const runs = await call<{ items: { repository_name: string }[] }>(system, 'GET', '/api/v1/runs');
    expect(runs.items.filter((one) => one.repository_name === 'roastery').length).toBe(2);
  });

  it('it is deleted only after a question', async () => {
    await page.goto(system.url);
    await page.getByRole('link', { name: 'roastery' }).click();
    await page.getByRole('button', { name: 'Delete the repository' }).click();
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { level: 1, name: 'roastery' }).waitFor();
    const id = new URL(page.url()).pathname.split('/').at(-1);
    expect(await as(system.token, `/api/v1/repositories/${id}`)).toBe(200);
    await page.getByRole('button', { name: 'Delete the repository' }).click();
    await confirm('Delete');
    await expect.poll(noticed('“roastery” is being deleted')).toBe(1);
    await expect.poll(() => as(system.token, `/api/v1/repositories/${id}`)).toBe(404);
    await page.getByRole('link', { name: 'roastery' }).waitFor({ state: 'detached' });
  });
});

describe('administration', () => {
  it('a user gets another role, is locked, and let in again', async () => {
    const token = system.tokenOf('viewer');
    await page.goto(`${system.url}/admin/users`);
    const row = page.getByRole('row').filter({ hasText: 'Test viewer' });
    await row.getByLabel('Role of Test viewer').selectOption({ label: 'Author' });
    await expect.poll(noticed('The user is changed.')).toBe(1);
    expect(
      (await call<{ items: { display_name: string; role: string }[] }>(system, 'GET', '/api/v1/users')).items,
    ).toContainEqual(expect.objectContaining({ display_name: 'Test viewer', role: 'author' }));
    await row.getByRole('button', { name: 'Lock', exact: true }).click();
    await confirm('Lock');
    await row.getByText('Locked').waitFor();
    await expect.poll(() => as(token, '/api/v1/me')).toBe(401);
    await row.getByRole('button', { name: 'Unlock' }).click();
    await row.getByText('Active').waitFor();
    await expect.poll(() => as(token, '/api/v1/me')).toBe(200);
    // What the directory says is not changed here, and nobody locks themselves out.
    const ada = page.getByRole('row').filter({ hasText: 'Ada Lovelace' });
    await ada.getByText('from the directory').waitFor();
    expect(await ada.getByRole('combobox').count()).toBe(0);
    const buttons = await page.getByRole('row').filter({ hasText: 'Grace Hopper' }).getByRole('button').count();
    expect(buttons).toBe(0);
  });

  it('a dead letter is read, sent again, and dropped', async () => {
    await call(system, 'POST', '/api/v1/repositories', { url: `${system.host}/gone.git`, name: 'gone' });
    type Letters = { items: { dead_letter: number }[] };
    const letters = () => call<Letters>(system, 'GET', '/api/v1/admin/dead-letters');
    await expect.poll(async () => (await letters()).items.length).toBe(1);
    const former = (await letters()).items[0]?.dead_letter;
    await page.goto(`${system.url}/admin/dead-letters`);
    await page.getByText('There is no repository at').waitFor();
    await page.getByRole('button', { name: 'Show the message' }).click();
    await page.getByText('Content', { exact: true }).waitFor();
    await page.locator('pre').filter({ hasText: '"url"' }).waitFor();
    expect(await serious(page)).toEqual([]);
    await page.getByRole('button', { name: 'Send again' }).click();
    await expect.poll(noticed('The message is sent again.')).toBe(1);
    // Its cause is still there, so it comes back as another one.
    await expect.poll(async () => (await letters()).items.map((one) => one.dead_letter)).toEqual([(former ?? 0) + 1]);
    await page.reload();
    await page.getByRole('link', { name: 'Run', exact: true }).click();
    await page.getByText('Why it failed').waitFor();
    await page.getByText('A document has failed').first().waitFor();
    expect(await page.getByText('A document is complete').count()).toBe(0);
    await page.goBack();
    await page.getByRole('button', { name: 'Drop' }).click();
    await confirm('Drop');
    await page.getByText('No dead letters').waitFor();
    expect((await letters()).items).toEqual([]);
  });

  it('queues have figures, and the log has all that was done here', async () => {
    await page.goto(`${system.url}/admin/queues`);
    await page.getByRole('row').filter({ hasText: 'clone' }).first().waitFor();
    await expect.poll(() => page.getByRole('row').count()).toBeGreaterThan(8);
    await page.goto(`${system.url}/admin/audit`);
    const actions = async () =>
      (await page.locator('tbody tr td:nth-child(3)').allTextContents()).map((one) => one.trim());
    await page.getByRole('row').nth(1).waitFor();
    await expect
      .poll(actions)
      .toEqual(
        expect.arrayContaining([
          'dead_letter.deleted',
          'dead_letter.redelivered',
          'repository.deleted',
          'run.cancelled',
        ]),
      );
    await page.getByLabel('What', { exact: true }).fill('token.revoked');
    await page.getByRole('button', { name: 'Filter' }).click();
    await expect.poll(actions).toEqual(['token.revoked']);
    expect(new URL(page.url()).search).toBe('?action=token.revoked');
    await page.getByRole('button', { name: 'Show all' }).click();
    await expect.poll(async () => (await actions()).length).toBeGreaterThan(5);
  });
});

it('the policy had nothing to stop, and no request left this machine', () => {
  expect(seen.foreign).toEqual([]);
  expect(seen.wrong).toEqual([]);
});
