import { useEffect, useState } from 'react';
import { useI18n } from '../i18n/index.ts';

/** The present, renewed every half minute. */
function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function Ago({ at }: { at: string }) {
  const { ago, moment } = useI18n();
  const now = useNow();
  return (
    <time dateTime={at} title={moment(at)} className="whitespace-nowrap">
      {ago(at, now)}
    </time>
  );
}
