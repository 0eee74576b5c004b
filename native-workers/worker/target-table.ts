/** The table of targets that is watched while packages are made: each row says how far its target is and what was measured. */

import { type LiveCheck, type LiveTarget, MOST_LIVE } from '../protocol/live.ts';
import type { Artifact } from '../protocol/package-facts.ts';
import { liveTargetOf } from '../report/live-target.ts';
import type { JobContext } from './job.ts';

type Step = LiveTarget['step'];

/** What a target does now, for those who see the progress and not the table. */
const PHASES: Readonly<Partial<Record<Step, string>>> = {
  coverage: 'looking at the operators',
  writing: 'writing',
  checking: 'checking',
  searching: 'looking for the operator that differs',
  measuring: 'measuring the metric',
};

export class TargetTable {
  readonly #context: JobContext;
  readonly #rows: LiveTarget[] = [];

  constructor(context: JobContext) {
    this.#context = context;
  }

  /** A further row. `title`: of the target, for the progress. */
  add(target: string, title: string, model?: string): TargetRow {
    const at = this.#rows.length;
    this.#rows.push({
      target,
      ...(model === undefined ? {} : { model }),
      step: 'waiting',
      coverage: null,
      bytes: null,
      checks: [],
      metrics: [],
    });
    return new TargetRow(title, this.#context, {
      get: () => this.#rows[at] as LiveTarget,
      set: (row) => {
        this.#rows[at] = row;
      },
      shown: () => this.#shown(at),
    });
  }

  /** Those around the row at `at` when there are more than a screen of them. */
  #shown(at: number): { total: number; targets: LiveTarget[] } {
    const total = this.#rows.length;
    const first = Math.max(0, Math.min(at - Math.floor(MOST_LIVE / 2), total - MOST_LIVE));
    return { total, targets: this.#rows.slice(first, first + MOST_LIVE) };
  }
}

interface Cell {
  get(): LiveTarget;
  set(row: LiveTarget): void;
  shown(): { total: number; targets: LiveTarget[] };
}

export class TargetRow {
  readonly #title: string;
  readonly #context: JobContext;
  readonly #cell: Cell;
  /** Of the file that is checked now, the checks of the files before it. */
  #checked: readonly LiveCheck[] = [];

  constructor(title: string, context: JobContext, cell: Cell) {
    this.#title = title;
    this.#context = context;
    this.#cell = cell;
  }

  /** Goes on to a step; what is known by then goes with it. Throws `cancelled`. */
  async step(step: Step, known: Partial<LiveTarget> = {}): Promise<void> {
    this.#cell.set({ ...this.#cell.get(), ...known, step });
    await this.progress(0, null);
  }

  /** Within the step. */
  async progress(done: number, total: number | null, detail?: string): Promise<void> {
    const phase = PHASES[this.#cell.get().step];
    await this.#context.progress({
      phase: phase === undefined ? this.#title : `${this.#title}: ${phase}`,
      done,
      total,
      ...(detail === undefined ? {} : { detail }),
      live: { kind: 'targets', ...this.#cell.shown() },
    });
  }

  /** The checks of one main file so far. `file`: its name, where there are several. */
  async check(checks: readonly LiveCheck[], file?: string): Promise<void> {
    const named = file === undefined ? checks : checks.map((check) => ({ ...check, file }));
    const others = this.#checked.filter((check) => check.file !== file);
    this.#checked = [...others, ...named];
    this.#cell.set({ ...this.#cell.get(), checks: [...this.#checked] });
    const now = named.find(({ status }) => status === 'running') ?? named.at(-1);
    if (now !== undefined) await this.progress(now.samples, now.of, [file, now.runtime].filter(Boolean).join(' on '));
  }

  /** Its last state, as the facts have it; of the checks what was seen. */
  end(artifact: Artifact): void {
    const { checks } = this.#cell.get();
    this.#cell.set({ ...liveTargetOf(artifact), checks });
  }
}
