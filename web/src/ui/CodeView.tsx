import { useEffect, useMemo, useRef, useState } from 'react';
import type { Lines } from '../lib/cite.ts';
import { highlightLines, type Piece, plainLines } from '../lib/highlight.ts';

const BLOCK = 200;
const LINE_REM = 1.3;

interface Props {
  text: string;
  language: string;
  marked?: Lines;
  /** The address of a line of this file. */
  hrefOf: (lines: Lines) => string;
  onLine?: (lines: Lines) => void;
  label: string;
  /** How high it is, or may become. */
  className?: string;
}

/** A file with its line numbers; the marked lines are brought into sight. */
export function CodeView({ text, language, marked, hrefOf, onLine, label, className = 'h-full' }: Props) {
  const [lines, setLines] = useState<Piece[][]>(() => plainLines(text));
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let current = true;
    setLines(plainLines(text));
    highlightLines(text, language).then((coloured) => current && setLines(coloured));
    return () => {
      current = false;
    };
  }, [text, language]);
  const start = marked?.start;
  useEffect(() => {
    if (start === undefined || lines.length === 0) return;
    const line = box.current?.querySelector(`[data-line="${start}"]`);
    if (!box.current || !line) return;
    // Only the box moves: whoever reads beside it stays where they are.
    const view = box.current.getBoundingClientRect();
    box.current.scrollTop += line.getBoundingClientRect().top - view.top - view.height / 3;
  }, [start, lines.length]);

  const blocks = useMemo(() => Array.from({ length: Math.ceil(lines.length / BLOCK) }, (_, at) => at * BLOCK), [lines]);
  return (
    <section ref={box} aria-label={label} tabIndex={0} className={`overflow-auto bg-sheet py-2 ${className}`}>
      <div className="source">
        {blocks.map((from) => {
          const block = lines.slice(from, from + BLOCK);
          return (
            <div key={from} className="block" style={{ containIntrinsicSize: `auto ${block.length * LINE_REM}rem` }}>
              {block.map((pieces, index) => {
                const line = from + index + 1;
                const inside = marked !== undefined && line >= marked.start && line <= marked.end;
                return (
                  <div key={line} data-line={line} className={inside ? 'line marked' : 'line'}>
                    <a
                      href={hrefOf({ start: line, end: line })}
                      aria-label={String(line)}
                      tabIndex={-1}
                      onClick={(event) => {
                        if (!onLine) return;
                        event.preventDefault();
                        const from = event.shiftKey && marked ? marked.start : line;
                        onLine({ start: Math.min(from, line), end: Math.max(from, line) });
                      }}
                    >
                      {line}
                    </a>
                    <span>
                      {pieces.map((piece, at) =>
                        piece.classes ? (
                          <span key={at} className={piece.classes}>
                            {piece.text}
                          </span>
                        ) : (
                          piece.text
                        ),
                      )}
                    </span>
                  </div>
                );
              })}
            </div>
          );
        })}
      </div>
    </section>
  );
}
