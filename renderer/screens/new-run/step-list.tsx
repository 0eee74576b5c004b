/** The passes in the order they run; moved by dragging or with Alt and the arrow keys. */
import { type DragEvent, type KeyboardEvent, useRef, useState } from 'react';
import type { PassInfo } from '../../../native-workers/protocol/studio.ts';
import { reorderStep, useDraft } from '../../stores/draft.ts';
import { notify } from '../../stores/notices.ts';
import type { Problems } from '../../stores/recipe-form.ts';
import { RECIPE } from '../../text/new-run.ts';
import { StepCard } from './step-card.tsx';

export interface StepListProps {
  readonly passes: readonly PassInfo[];
  readonly problems: Problems;
}

export function StepList({ passes, problems }: StepListProps) {
  const steps = useDraft((draft) => draft.steps);
  const hasCalibration = useDraft((draft) => draft.form.calibration !== null);
  const [open, setOpen] = useState<string | null>(null);
  const dragged = useRef<number | null>(null);
  const [target, setTarget] = useState<number | null>(null);

  function move(from: number, to: number, title: string): void {
    if (to < 0 || to >= steps.length) return;
    reorderStep(from, to);
    notify(RECIPE.moved(title, to + 1, steps.length));
  }

  function onKey(event: KeyboardEvent, index: number, title: string): void {
    if (!event.altKey || (event.key !== 'ArrowUp' && event.key !== 'ArrowDown')) return;
    event.preventDefault();
    move(index, index + (event.key === 'ArrowUp' ? -1 : 1), title);
  }

  function onDrop(event: DragEvent, index: number, title: string): void {
    const from = dragged.current;
    if (from === null) return;
    event.preventDefault();
    dragged.current = null;
    setTarget(null);
    move(from, index, title);
  }

  return (
    <ol className="steps">
      {steps.map((step, index) => {
        const pass = passes.find((candidate) => candidate.id === step.pass);
        if (pass === undefined) return null;
        return (
          <li
            key={step.key}
            className="step"
            data-target={target === index || undefined}
            onKeyDown={(event) => onKey(event, index, pass.title)}
            onDragOver={(event) => {
              if (dragged.current === null) return;
              event.preventDefault();
              setTarget(index);
            }}
            onDrop={(event) =>
              onDrop(event, index, passes.find((p) => p.id === steps[dragged.current ?? 0]?.pass)?.title ?? '')
            }
          >
            <StepCard
              step={step}
              pass={pass}
              place={index}
              count={steps.length}
              problems={problems}
              expanded={open === step.key}
              needsData={pass.needs.includes('calibration') && !hasCalibration}
              onToggle={() => setOpen(open === step.key ? null : step.key)}
              onMove={(to) => move(index, to, pass.title)}
              onDragStart={() => {
                dragged.current = index;
              }}
              onDragEnd={() => {
                dragged.current = null;
                setTarget(null);
              }}
            />
          </li>
        );
      })}
    </ol>
  );
}
