import { useCallback, useLayoutEffect, useRef, useState } from 'react';
import { useI18n } from '../i18n/index.ts';
import { Button } from '../ui/Button.tsx';
import { Dialog } from '../ui/Dialog.tsx';

const STEP = 1.3;
const [SMALLEST, LARGEST] = [0.1, 8];
/** A picture of three boxes is not blown up over the whole screen. */
const LARGEST_FIT = 2;

interface Props {
  src: string;
  title: string;
  onClose: () => void;
}

/** A diagram over the whole window: larger and smaller by buttons, `+`, `-` and `0`, moved by scrolling or dragging. */
export default function Enlarged({ src, title, onClose }: Props) {
  const { t, n } = useI18n();
  const box = useRef<HTMLDivElement>(null);
  const [natural, setNatural] = useState<{ width: number; height: number }>();
  const [zoom, setZoom] = useState(1);
  const fitIn = useCallback(() => {
    const around = box.current;
    if (!natural || !around) return;
    const [wide, high] = [around.clientWidth / natural.width, around.clientHeight / natural.height];
    setZoom(Math.max(SMALLEST, Math.min(wide, high, LARGEST_FIT)));
  }, [natural]);
  // Not when the picture is loaded: one that was there already is so before the dialog is open and has a size.
  useLayoutEffect(fitIn, [fitIn]);
  const by = (factor: number) => setZoom((before) => Math.min(LARGEST, Math.max(SMALLEST, before * factor)));
  return (
    <Dialog title={title} onClose={onClose} className="h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)]! max-w-none">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the buttons do the same. */}
      <div
        className="flex h-[calc(100dvh-8.5rem)] flex-col gap-3"
        onKeyDown={(event) => {
          if (event.key === '+' || event.key === '=') by(STEP);
          else if (event.key === '-') by(1 / STEP);
          else if (event.key === '0') fitIn();
        }}
      >
        <div className="flex items-center gap-2">
          <Button small data-focus aria-label={t('reader.larger')} title={t('reader.larger')} onClick={() => by(STEP)}>
            +
          </Button>
          <Button small aria-label={t('reader.smaller')} title={t('reader.smaller')} onClick={() => by(1 / STEP)}>
            −
          </Button>
          <Button small onClick={fitIn}>
            {t('reader.fit')}
          </Button>
          <span className="text-xs text-faint tabular-nums" aria-live="polite">
            {n(Math.round(zoom * 100))} %
          </span>
        </div>
        <div
          ref={box}
          role="group"
          aria-label={title}
          tabIndex={0}
          onPointerMove={(event) => {
            if (event.buttons !== 1 || event.pointerType === 'touch') return;
            event.currentTarget.scrollBy(-event.movementX, -event.movementY);
          }}
          className="flex min-h-0 flex-1 cursor-grab overflow-auto rounded-md border border-rule bg-sheet active:cursor-grabbing"
        >
          <img
            src={src}
            alt={title}
            draggable={false}
            onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) =>
              setNatural({ width, height })
            }
            className="m-auto max-w-none flex-none select-none"
            style={natural && { width: `${natural.width * zoom}px` }}
          />
        </div>
      </div>
    </Dialog>
  );
}
