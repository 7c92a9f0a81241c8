import type { Page } from 'playwright-core';
import { de } from '../src/i18n/de.ts';
import { en } from '../src/i18n/en.ts';
import type { Language } from '../src/i18n/index.ts';
import { serious } from './browser.ts';
import { said, wordsOf } from './language.ts';

/** Alerts that tell of what happened elsewhere; any other is of the page itself, which could not do its work. */
const REPORTS = [en, de].flatMap((one) => [one['run.failure'], one['sign_in.error.no_role']]);

/** What is wrong with a page as it is shown: for those who cannot see it, for narrow windows, in its language. */
export async function wrongWith(page: Page, language: Language): Promise<string[]> {
  const problems = await serious(page);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) problems.push(`wider than the window by ${wide}`);
  for (const alert of await page.getByRole('alert').allTextContents()) {
    if (!REPORTS.some((report) => alert.startsWith(report))) problems.push(`says that ${alert}`);
  }
  const texts = await said(page);
  if (wordsOf(language, texts).length === 0) problems.push(`says nothing in its own language: ${texts.join(' ')}`);
  return [...problems, ...wordsOf(language === 'de' ? 'en' : 'de', texts).map((one) => `says ${one}`)];
}
