import type { Page } from 'playwright-core';
import { de } from '../src/i18n/de.ts';
import { en } from '../src/i18n/en.ts';
import type { Language } from '../src/i18n/index.ts';

/** A text of the dictionary as it stands in a page: whole words, with something where its values are filled in. */
function pattern(text: string): RegExp {
  const parts = text.split(/(\{\w+\})/).map((part) => {
    if (!/^\{\w+\}$/.test(part)) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return /^\{(n|done|total)\}$/.test(part) ? '\\d[\\d.,]*' : '\\S.*';
  });
  return new RegExp(`(?<![\\p{L}\\p{N}_])${parts.join('')}(?![\\p{L}\\p{N}_])`, 'u');
}

/** What only one language says; what the other says too, alone or within a sentence, gives nothing away. */
function telling(language: Language): [string, RegExp][] {
  const [own, other] = language === 'en' ? [en, de] : [de, en];
  const others = Object.values(other);
  return [...new Set(Object.values(own))]
    .map((text): [string, RegExp] => [text, pattern(text)])
    .filter(([text, one]) => /\p{L}{2}/u.test(text.replace(/\{\w+\}/g, '')) && !others.some((said) => one.test(said)));
}

const TELLING = { en: telling('en'), de: telling('de') };

/** Where a page shows what others have written: documents, code, templates, and sentences marked as another language. */
const CONTENT = 'article, pre, code, kbd, textarea, .source, [translate=no]';

/** All that the interface itself says in a page, for eyes and ears. */
export function said(page: Page): Promise<string[]> {
  return page.evaluate((content) => {
    const shown = (element: Element) => (element.closest('select') ?? element).checkVisibility();
    const isContent = (element: Element) => {
      const marked = element.closest('[lang]');
      return element.closest(content) !== null || (marked !== null && marked !== document.documentElement);
    };
    const found = [document.title];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { parentElement: element, textContent: text } = walker.currentNode as Text;
      if (!element || !text?.trim() || ['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(element.tagName)) continue;
      if (shown(element) && !isContent(element)) found.push(text);
    }
    for (const element of document.body.querySelectorAll('[aria-label], [placeholder], [title], [alt]')) {
      if (!shown(element) || isContent(element)) continue;
      for (const name of ['aria-label', 'placeholder', 'title', 'alt']) found.push(element.getAttribute(name) ?? '');
    }
    return found;
  }, CONTENT);
}

/** What of this is said in words of a language, as many as it is. */
export function wordsOf(language: Language, texts: string[]): string[] {
  return texts.flatMap((text) => {
    const word = TELLING[language].find(([, one]) => one.test(text));
    return word ? [`“${word[0]}” in “${text.trim().slice(0, 90)}”`] : [];
  });
}
