import { useI18n } from '../i18n/index.ts';
import type { LiveProgress, StageView } from '../lib/pipeline.ts';

interface Props {
  stages: StageView[];
  live?: LiveProgress;
  label: string;
  /** Says aloud what becomes of the stages: where there is one strip on the page. */
  announce?: boolean;
  /** There is room for how long each took. */
  wide?: boolean;
}

/** The four stages of a run, each with what it has made. */
export function Strip({ stages, live = {}, label, wide = false, announce = false }: Props) {
  const { t, n, count, duration } = useI18n();
  const begun = stages.filter(({ status }) => !['waiting', 'unreached'].includes(status));
  const spoken = begun.map(({ name, status }) =>
    t('stage.said', { stage: t(`stage.${name}`), status: t(`status.${status}`) }),
  );
  return (
    <>
      {announce && (
        <p role="status" className="sr-only">
          {spoken.join(', ')}
        </p>
      )}
      <ol aria-label={label} className="grid grid-cols-4 gap-x-1.5 sm:gap-x-2">
        {stages.map((stage) => {
          const heard = live[stage.name];
          const said =
            stage.count !== undefined && (stage.status === 'done' || (stage.count > 0 && !heard?.total))
              ? count(`unit.${stage.unit}`, stage.count)
              : heard?.total && stage.status === 'running'
                ? t('unit.of', { done: n(heard.done), total: n(heard.total) })
                : t(`status.${stage.status}`);
          return (
            <li
              key={stage.name}
              data-stage={stage.name}
              data-status={stage.status}
              className={`stage-${stage.name} stage-${stage.status} min-w-0`}
            >
              <div className="stage-track">
                <div
                  className="stage-fill"
                  style={{ transform: `scaleX(${['failed', 'cancelled'].includes(stage.status) ? 1 : stage.share})` }}
                />
              </div>
              <div className="mt-1 flex flex-col text-2xs leading-snug sm:flex-row sm:flex-wrap sm:gap-x-1.5">
                <span
                  className={`font-semibold ${['waiting', 'unreached'].includes(stage.status) ? 'text-faint' : 'text-ink'}`}
                >
                  {t(`stage.${stage.name}`)}
                </span>
                <span className={`${stage.status === 'failed' ? 'text-danger' : 'text-faint'}`}>{said}</span>
                {stage.failed > 0 && <span className="text-danger">{count('unit.failed', stage.failed)}</span>}
                {wide && stage.status === 'done' && stage.seconds !== undefined && (
                  <span className="hidden text-faint lg:inline">{duration(stage.seconds)}</span>
                )}
                {stage.status !== 'done' && <span className="sr-only">{t(`status.${stage.status}`)}</span>}
              </div>
            </li>
          );
        })}
      </ol>
    </>
  );
}
