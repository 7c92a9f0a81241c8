import { useI18n } from '../i18n/index.ts';
import { Button } from './Button.tsx';

interface Props {
  /** A list that is read page by page. */
  of: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
}

/** Reads a list on; nothing at its end. */
export function More({ of }: Props) {
  const { t } = useI18n();
  if (!of.hasNextPage) return null;
  return (
    <div className="mt-6 text-center">
      <Button busy={of.isFetchingNextPage} onClick={() => of.fetchNextPage()}>
        {t('common.more')}
      </Button>
    </div>
  );
}
