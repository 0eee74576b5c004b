/**
 * What a pass is. Every file in this folder looks alike: what and why with sources, options with a doc line each, defaults,
 * schema, the pass, its exported per-node worker, private parts. README.md tells how to add one.
 */
import type { z } from 'zod';
import type { Model } from '../graph/model.ts';
import type { ValueType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import type { Engine, Feeds, Session, SessionOptions } from '../lib/engine.ts';
import type { Random } from '../lib/random.ts';
import type { CalibrationFacts } from '../protocol/calibration-facts.ts';
import type { Live } from '../protocol/live.ts';
import type { Budgets } from '../protocol/request.ts';

export type PassFamily = 'clean' | 'fuse' | 'prune' | 'quantize' | 'lower';

/** What a pass needs besides the graph; a run that cannot give it skips the pass with that reason. */
export type PassNeed = 'engine' | 'calibration' | 'trial';

/** A remark on one node or on the whole pass, for the report. */
export interface PassNote {
  readonly message: string;
  readonly node?: string;
  /** True for what belongs among the warnings of the report: something asked for, or of the data, was not used. */
  readonly caution?: boolean;
}

/**
 * A promise that the engine will run something as one kernel of its own; `fusion.ts` checks it on the graph that the engine
 * made of the saved model.
 */
export interface ExpectedKernel {
  /** `domain:type` with '' for ONNX's domain, such as `com.microsoft:DynamicQuantizeMatMul`. */
  readonly kernel: string;
  /** Where it is expected: the node's label in the model before the pass, and the value that the kernel makes. */
  readonly nodes: readonly { readonly label: string; readonly output: string }[];
}

export type PassOutcome =
  /** Counts by what was done, such as `{ 'weights to float16': 42 }`. */
  | {
      readonly status: 'changed';
      readonly counts: Readonly<Record<string, number>>;
      readonly notes: readonly PassNote[];
      readonly expects?: readonly ExpectedKernel[];
      /** What the pass measured for the report, by kind; see `passRowSchema`. */
      readonly details?: Readonly<Record<string, unknown>>;
    }
  | {
      readonly status: 'unchanged';
      readonly reason: string;
      readonly notes?: readonly PassNote[];
      /** What was measured before it was decided to change nothing. */
      readonly details?: Readonly<Record<string, unknown>>;
    }
  | { readonly status: 'skipped'; readonly reason: string; readonly notes?: readonly PassNote[] };

/** Calibration inputs: an iterable that can be walked more than once and holds one batch at a time. */
export interface CalibrationData {
  readonly samples: number;
  /** True when the inputs are random and not the user's: the report says so in red. */
  readonly random: boolean;
  /** True when each batch is one sample without a batch axis. */
  readonly batchless?: boolean;
  /** Samples that were met so far and could not be read. */
  readonly skipped?: readonly { readonly sample: string; readonly reason: string }[];
  /** What was assumed of the data when it was opened. */
  readonly notes?: readonly { readonly code: string; readonly message: string }[];
  /** What decides which samples these are: the hash of the data, with what chooses and prepares them. */
  readonly identity?: () => Promise<unknown>;
  /** What was noticed of the samples so far; undefined when none was read. */
  facts?(): CalibrationFacts | undefined;
  /** Takes over what an earlier try of the run noticed. */
  restore?(facts: CalibrationFacts): void;
  /**
   * `batchSize`: the most samples in a batch, where the model lets that be chosen. `most`: how many samples are enough, drawn in
   * the shares of their classes; a batch of a fixed size may hold more.
   */
  batches(batchSize?: number, most?: number): AsyncIterable<Feeds>;
}

/** What the run has measured before it was killed. */
export interface Memory {
  /** The answer for `key`, which holds all that decides it; measured where it is not known or does not follow `schema`. */
  recall<Answer>(key: readonly unknown[], schema: z.ZodType<Answer>, measure: () => Promise<Answer>): Promise<Answer>;
}

/** Where nothing is kept. */
export const NO_MEMORY: Memory = { recall: (_key, _schema, measure) => measure() };

/** What a candidate is worth on the user's data, against the model that the run started from. */
export interface TrialResult {
  /** The first metric of the task, or `agreement` where the data has no labels. */
  readonly metric: string;
  /** Loss in percentage points; negative for a gain. */
  readonly drop: number;
  readonly samples: number;
}

/** Judges candidates of a search as the run itself is judged: on the user's data, and by the clock. */
export interface Trial {
  /** What the user asked for. */
  readonly budgets: Budgets;
  evaluate(model: Model): Promise<TrialResult>;
  /** Median milliseconds of one run of each model, measured in turns. */
  measure(models: readonly Model[]): Promise<readonly number[]>;
  /** Milliseconds of one run by node name, as the engine names its nodes. */
  profile(model: Model): Promise<ReadonlyMap<string, number>>;
  /** Bytes of the model on disk. */
  bytes(model: Model): number;
}

export interface PassContext {
  /** Runs graphs. Present when the pass says it needs 'engine' or 'calibration'. */
  readonly engine: Engine;
  /** Opens the model as it is now, through a copy in `scratch` that lives until the session is released. */
  open(model: Model, options?: SessionOptions): Promise<Session>;
  /**
   * The types of the values of the model and its subgraphs, as far as they are declared or the engine can infer them. The
   * values themselves keep what the file declares.
   */
  types(model: Model): Promise<ReadonlyMap<Value, ValueType>>;
  /** Present when the pass says it needs 'calibration'; other passes use it when it is there. */
  readonly calibration: CalibrationData | null;
  /** Judges candidate models; present when the pass says it needs 'trial'. */
  readonly trial: Trial | null;
  /** For what takes long to measure; see `quantization/remembered.ts`. */
  readonly memory: Memory;
  readonly random: Random;
  /** Ids of the passes of this recipe that changed the model before. */
  readonly earlier: readonly string[];
  /** An empty folder that lives as long as the job: for models given to the engine by path, and for spilled tensors. */
  readonly scratch: string;
  /**
   * Latest-wins progress within the pass. Awaiting it lets a cancel through: it throws `cancelled` when one was asked for.
   * Call it at least once per node or batch. `live`: what was found so far, for who watches.
   */
  progress(done: number, total: number, what: string, live?: Live): Promise<void>;
  log(message: string): void;
}

export interface PassFacts {
  /** The name in recipes and on the command line: `clean`, `float16`, `quantize-dynamic`. */
  readonly id: string;
  readonly title: string;
  /** One sentence for lists. */
  readonly summary: string;
  readonly family: PassFamily;
  /** True when the outputs of the model can change beyond rounding. */
  readonly lossy: boolean;
  readonly needs: readonly PassNeed[];
}

export interface Pass<Options extends object = object> extends PassFacts {
  readonly defaults: Options;
  /** Strict: an unknown option is an error that names it. Each field has `.describe()` with its unit and range in words. */
  readonly schema: z.ZodType<Options>;
  run(model: Model, options: Options, context: PassContext): Promise<PassOutcome>;
}

export function definePass<Options extends object>(
  facts: PassFacts,
  defaults: Options,
  schema: z.ZodType<Options>,
  run: (model: Model, options: Options, context: PassContext) => Promise<PassOutcome>,
): Pass<Options> {
  return { ...facts, defaults, schema, run };
}
