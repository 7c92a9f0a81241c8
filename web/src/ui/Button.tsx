import type { ButtonHTMLAttributes, ReactNode } from 'react';

type Look = 'main' | 'plain' | 'quiet' | 'danger';

const LOOKS: Record<Look, string> = {
  main: 'bg-accent text-on-accent hover:bg-accent-strong border-transparent',
  plain: 'bg-sheet border-rule hover:border-rule-strong text-ink',
  quiet: 'border-transparent text-soft hover:text-ink hover:bg-sunk',
  danger: 'bg-sheet border-rule text-danger hover:bg-danger-ground hover:border-danger',
};

/** The look of a button, for links that are one. */
export function buttonClass(look: Look = 'plain', small = false): string {
  const size = small ? 'px-2.5 py-1 text-xs' : 'px-4 py-2 text-sm';
  return `inline-flex items-center justify-center gap-2 rounded-md border font-semibold no-underline whitespace-nowrap transition-colors disabled:opacity-60 ${size} ${LOOKS[look]}`;
}

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  small?: boolean;
  busy?: boolean;
  children: ReactNode;
}

export function Button({ look, small, busy, className = '', children, disabled, ...rest }: Props) {
  return (
    <button
      type="button"
      aria-busy={busy || undefined}
      disabled={disabled || busy}
      className={`${buttonClass(look, small)} ${className}`}
      {...rest}
    >
      {children}
    </button>
  );
}
