import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useLocation, useNavigate, useRouter } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { api, data } from '../api/client.ts';
import { me } from '../api/queries.ts';
import { type Key, useI18n } from '../i18n/index.ts';
import { rights } from '../lib/me.ts';
import { Cup } from '../ui/State.tsx';
import { notifyProblem, Toasts } from '../ui/Toast.tsx';
import { Icon, type IconName } from './Icon.tsx';
import { keyReader, modifier } from './keys.ts';

const Palette = lazy(() => import('./Palette.tsx'));
const Help = lazy(() => import('./Help.tsx'));

const SECTIONS = [
  { to: '/', key: 'nav.repositories', icon: 'shelf', exact: true, also: /^\/(repositories|documents)\// },
  { to: '/search', key: 'nav.search', icon: 'search' },
  { to: '/runs', key: 'nav.runs', icon: 'runs' },
  { to: '/prompts', key: 'nav.prompts', icon: 'quill' },
  { to: '/settings', key: 'nav.settings', icon: 'settings' },
] as const satisfies { to: string; key: Key; icon: IconName; exact?: boolean; also?: RegExp }[];

/** Everything around the pages: masthead, sections, keyboard, palette. */
export function Layout() {
  const { t } = useI18n();
  const [open, setOpen] = useState<'palette' | 'help' | undefined>();
  useKeyboard(setOpen);
  return (
    <div className="flex min-h-dvh flex-col lg:pl-3.5">
      <a
        href="#content"
        className="sr-only z-50 bg-accent px-4 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-6"
      >
        {t('app.skip')}
      </a>
      <div aria-hidden="true" className="stick fixed inset-y-0 left-0 z-30 hidden w-3.5 lg:block" />
      <Masthead onPalette={() => setOpen('palette')} onHelp={() => setOpen('help')} />
      <main id="content" tabIndex={-1} className="flex-1 pb-14 outline-none sm:pb-0">
        <Outlet />
      </main>
      <BottomBar />
      <Toasts />
      <Suspense>
        {open === 'palette' && <Palette onClose={() => setOpen(undefined)} />}
        {open === 'help' && <Help onClose={() => setOpen(undefined)} />}
      </Suspense>
    </div>
  );
}

function Masthead({ onPalette, onHelp }: { onPalette: () => void; onHelp: () => void }) {
  const { t, day } = useI18n();
  const { data: who } = useQuery(me);
  return (
    <header className="px-4 pt-3 sm:px-8 print:hidden">
      <div className="flex items-center justify-between gap-4">
        <Link to="/" className="flex items-center gap-2 no-underline">
          <Cup className="size-7" />
          <span className="font-display text-2xl tracking-tight">
            Caffeine<span className="text-accent">Code</span>
          </span>
        </Link>
        <p className="hidden text-xs text-faint md:block">
          {day(new Date())}
          {who && who.workspace_name !== 'default' && ` · ${who.workspace_name}`}
        </p>
        <div className="flex items-center gap-1">
          <button
            type="button"
            onClick={onPalette}
            className="flex items-center gap-2 rounded-md border border-rule bg-sheet px-2.5 py-1.5 text-xs text-faint hover:border-rule-strong hover:text-ink"
          >
            <Icon name="search" />
            <span className="hidden sm:inline">{t('nav.palette')}</span>
            <span className="sr-only sm:hidden">{t('nav.palette')}</span>
            <kbd className="hidden font-mono text-2xs sm:inline">{modifier(t)} K</kbd>
          </button>
          <button
            type="button"
            onClick={onHelp}
            aria-label={t('nav.help')}
            title={t('nav.help')}
            className="hidden size-8 rounded-md font-display text-lg text-faint hover:bg-sunk hover:text-ink sm:block"
          >
            ?
          </button>
          <Account />
        </div>
      </div>
      <nav aria-label={t('app.menu')} className="mt-2.5 hidden sm:block">
        <div className="double-rule" />
        <ul className="flex flex-wrap gap-x-7 border-b border-rule-strong">
          {SECTIONS.map(({ to, key, ...section }) => (
            <SectionLink
              key={to}
              to={to}
              label={t(key)}
              exact={'exact' in section}
              also={'also' in section ? section.also : undefined}
            />
          ))}
          {rights(who).oversee && <SectionLink to="/admin" label={t('nav.admin')} />}
        </ul>
      </nav>
    </header>
  );
}

interface SectionProps {
  to: string;
  label: string;
  exact?: boolean;
  /** Other addresses that belong to the section. */
  also?: RegExp;
}

/** What a section's link says of itself while one of its pages is open. */
function useWithin(also: RegExp | undefined): { 'data-within'?: true; 'aria-current'?: 'true' } {
  const { pathname } = useLocation();
  return also?.test(pathname) ? { 'data-within': true, 'aria-current': 'true' } : {};
}

function SectionLink({ to, label, exact = false, also }: SectionProps) {
  const within = useWithin(also);
  return (
    <li>
      <Link
        to={to}
        activeOptions={{ exact, includeSearch: false }}
        {...within}
        className="inline-block border-b-2 py-2 text-sm no-underline data-within:border-accent data-within:font-semibold data-within:text-ink"
        activeProps={{ className: 'border-accent font-semibold text-ink', 'aria-current': 'page' }}
        inactiveProps={{ className: 'border-transparent text-soft hover:text-ink hover:border-rule' }}
      >
        {label}
      </Link>
    </li>
  );
}

/** The sections on a narrow screen, where the thumb is. */
function BottomBar() {
  const { t } = useI18n();
  const { pathname } = useLocation();
  return (
    <nav
      aria-label={t('app.menu')}
      className="fixed inset-x-0 bottom-0 z-30 border-t border-rule-strong bg-paper pb-[env(safe-area-inset-bottom)] sm:hidden"
    >
      <ul className="flex">
        {SECTIONS.map(({ to, key, icon, ...section }) => (
          <li key={to} className="min-w-0 flex-1">
            <Link
              to={to}
              {...('also' in section && section.also.test(pathname) ? { 'data-within': true } : {})}
              activeOptions={{ exact: 'exact' in section, includeSearch: false }}
              className="data-within:border-accent data-within:font-semibold data-within:text-accent flex flex-col items-center gap-0.5 border-t-2 px-0.5 py-1.5 text-[0.6875rem] no-underline"
              activeProps={{ className: 'border-accent font-semibold text-accent', 'aria-current': 'page' }}
              inactiveProps={{ className: 'border-transparent text-soft' }}
            >
              <Icon name={icon} className="size-5" />
              <span className="max-w-full truncate">{t(key)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Account() {
  const { t } = useI18n();
  const { data: who } = useQuery(me);
  const client = useQueryClient();
  const navigate = useNavigate();
  const menu = useRef<HTMLDetailsElement>(null);
  const out = useMutation({
    mutationFn: () => data(api.DELETE('/api/v1/session')),
    onSuccess: ({ provider_logout_url: url }) => {
      client.clear();
      if (url) window.location.assign(url);
      else navigate({ to: '/sign-in', search: { out: true } });
    },
    onError: notifyProblem,
  });
  if (!who) return null;
  const initials = who.display_name
    .split(/\s+/)
    .map((word) => word[0])
    .join('')
    .slice(0, 2);
  return (
    <details
      ref={menu}
      className="relative"
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false;
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && menu.current) menu.current.open = false;
      }}
    >
      <summary
        translate="no"
        aria-label={`${initials} · ${who.display_name}`}
        className="flex size-8 list-none items-center justify-center rounded-full bg-walnut font-display text-sm text-[#f5ead9] [&::-webkit-details-marker]:hidden"
      >
        {initials}
      </summary>
      <div className="absolute right-0 z-40 mt-2 w-60 rounded-md border border-rule bg-sheet p-4 shadow-lift">
        <p translate="no" className="font-semibold">
          {who.display_name}
        </p>
        <p className="text-xs text-faint">
          {t(`role.${who.role}`)} · {who.workspace_name}
        </p>
        <div className="mt-3 flex flex-col items-start gap-2 border-t border-rule pt-3">
          <Link to="/settings" className="link" onClick={() => menu.current?.removeAttribute('open')}>
            {t('nav.settings')}
          </Link>
          {rights(who).oversee && (
            <Link to="/admin" className="link" onClick={() => menu.current?.removeAttribute('open')}>
              {t('nav.admin')}
            </Link>
          )}
          <button type="button" className="link" onClick={() => out.mutate()}>
            {t('sign_in.out')}
          </button>
        </div>
      </div>
    </details>
  );
}

/** Pages answer `previous` and `next` themselves. */
export const PAGE_COMMAND = 'cc:page';

function useKeyboard(setOpen: (what: 'palette' | 'help') => void): void {
  const navigate = useNavigate();
  const router = useRouter();
  useEffect(() => {
    const read = keyReader();
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const writing = target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
      const { key, ctrlKey, metaKey, altKey } = event;
      const inDialog = document.querySelector('dialog[open]') !== null;
      const command = read({ key, ctrlKey, metaKey, altKey, writing: writing || inDialog, at: event.timeStamp });
      if (!command || (inDialog && command === 'palette')) return;
      event.preventDefault();
      if (command === 'palette' || command === 'help') return setOpen(command);
      if (command === 'previous' || command === 'next') {
        window.dispatchEvent(new CustomEvent(PAGE_COMMAND, { detail: command }));
        return;
      }
      if (command === 'search') {
        const field = document.querySelector<HTMLInputElement>('input[type=search][data-main]');
        if (field) return field.focus();
      }
      const to = { search: '/search', repositories: '/', runs: '/runs', prompts: '/prompts', settings: '/settings' }[
        command
      ];
      navigate({ to });
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [navigate, setOpen]);
  useEffect(
    // Another page: who reads by ear or keyboard begins at its top.
    () =>
      router.subscribe('onResolved', ({ pathChanged, fromLocation }) => {
        const field = document.activeElement;
        if (!pathChanged || !fromLocation || field?.closest('main, dialog')) return;
        document.getElementById('content')?.focus({ preventScroll: true });
      }),
    [router],
  );
}
