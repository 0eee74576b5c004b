/**
 * Judges the candidates of a search in the process of the optimize stage: quicker than the stages that judge the result, and
 * by the same code. The data is decoded once and kept while it is small; sessions of one timing run in turns.
 */
import { readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { seededFeeds } from '../bench/inputs.ts';
import { parseProfile } from '../bench/profile.ts';
import type { Dataset } from '../datasets/dataset.ts';
import { openDataset } from '../datasets/open-dataset.ts';
import { seededInputs } from '../datasets/seeded-inputs.ts';
import { onnxSize } from '../formats/onnx/write.ts';
import { openModel } from '../formats/registry.ts';
import { hashModel } from '../graph/hash.ts';
import type { Model } from '../graph/model.ts';
import type { Engine, Session } from '../lib/engine.ts';
import { judge } from '../metrics/evaluate.ts';
import type { Memory, Trial, TrialResult } from '../passes/pass.ts';
import type { Budgets, RunRequest } from '../protocol/request.ts';
import { modelOpener } from './engine-models.ts';
import { compareOnData, signatureOfFile } from './evaluation.ts';
import type { JobContext } from './job.ts';

/** Seconds for timing one model, all its turns together, and the turns. */
const SECONDS = 0.6;
const TURNS = 12;
const WARMUP_RUNS = 5;
const PROFILE_RUNS = 30;
/** Samples compared where there is no data. */
const SEEDED_SAMPLES = 64;

const resultSchema = z.strictObject({ metric: z.string(), drop: z.number(), samples: z.number() });
const timesSchema = z.array(z.tuple([z.string(), z.number()]));

interface Reference {
  readonly session: Session;
  readonly data: Dataset;
}

export class ModelTrial implements Trial {
  readonly budgets: Budgets;
  readonly #engine: Engine;
  readonly #scratch: string;
  readonly #request: RunRequest;
  readonly #context: JobContext;
  readonly #open: (model: Model, options?: object) => Promise<Session>;
  readonly #memory: Memory;
  #reference: Promise<Reference> | null = null;
  #source: Promise<string> | null = null;

  /** `memory`: keeps results for a run that is resumed. */
  constructor(engine: Engine, scratch: string, request: RunRequest, context: JobContext, memory: Memory) {
    this.#engine = engine;
    this.#memory = memory;
    this.#scratch = scratch;
    this.#request = request;
    this.#context = context;
    this.budgets = request.budgets;
    this.#open = modelOpener(engine, scratch);
  }

  /** Runs the source and `model` over the evaluation data, else the calibration data, else random inputs. */
  async evaluate(model: Model): Promise<TrialResult> {
    const { data } = await this.#comparison();
    const { samples, seed, preprocess } = this.#request;
    const { name, version } = this.#engine;
    const content = data.kind === 'seeded' ? 'seeded' : await data.sha256();
    const key = [
      'evaluate',
      name,
      version,
      await this.#sourceHash(),
      hashModel(model),
      content,
      samples ?? null,
      seed,
      preprocess ?? null,
    ];
    return this.#memory.recall(key, resultSchema, () => this.#evaluate(model));
  }

  async #evaluate(model: Model): Promise<TrialResult> {
    const { session: before, data } = await this.#comparison();
    const after = await this.#open(model);
    try {
      const request = {
        engine: this.#engine,
        before: this.#request.model,
        after: null,
        data: data.kind === 'seeded' ? null : data.name,
        samples: this.#request.samples,
        seed: this.#request.seed,
      };
      const signature = await signatureOfFile(this.#request.model, before);
      // The pass reports progress for the whole search; that of one candidate would hide it.
      const quiet: JobContext = {
        progress: async () => {},
        log: (level, message) => this.#context.log(level, message),
      };
      const found = await compareOnData({ request, signature, before, after, data }, quiet);
      const { task, fidelity, labelled } = found;
      const { metrics } =
        task !== null && (labelled || task.name === 'perplexity')
          ? judge(
              { task: task.name, classes: task.classes, before: found.before, after: found.after, groups: null },
              request.seed,
            )
          : { metrics: [] };
      const [metric] = metrics;
      const samples = found.samples.length || (fidelity?.samples ?? 0);
      if (metric !== undefined) {
        // A metric that is no share (perplexity, errors) counts by its relative loss.
        const scale = metric.unit === 'share' ? 1 : 1 / Math.max(Math.abs(metric.before), 1e-12);
        return {
          metric: metric.name,
          drop: (metric.better === 'higher' ? -metric.delta : metric.delta) * scale * 100,
          samples,
        };
      }
      return { metric: 'agreement', drop: disagreement(fidelity) * 100, samples };
    } finally {
      await after.release();
    }
  }

  async measure(models: readonly Model[]): Promise<readonly number[]> {
    const { seed, benchmark } = this.#request;
    const setting = [seed, benchmark.threads?.[0] ?? 1, benchmark.batch?.[0] ?? null];
    // Times of one timing belong together, so they are remembered together.
    const key = ['measure', ...this.#clock(), ...setting, ...models.map(hashModel)];
    return this.#memory.recall(key, z.array(z.number()), () => this.#measure(models));
  }

  async #measure(models: readonly Model[]): Promise<number[]> {
    const threads = this.#request.benchmark.threads?.[0] ?? 1;
    const times: number[][] = models.map(() => []);
    const sessions: Session[] = [];
    try {
      for (const model of models) sessions.push(await this.#open(model, { threads }));
      const feeds = seededFeeds(
        sessions[0]?.inputs ?? [],
        this.#request.benchmark.batch?.[0] ?? null,
        this.#request.seed,
      );
      for (const session of sessions) for (let run = 0; run < WARMUP_RUNS; run++) await session.run(feeds);
      for (let turn = 0; turn < TURNS; turn++) {
        for (const [index, session] of sessions.entries()) {
          const own = times[index] ?? [];
          const end = performance.now() + (SECONDS * 1000) / TURNS;
          do {
            const start = performance.now();
            await session.run(feeds);
            own.push(performance.now() - start);
          } while (performance.now() < end);
        }
      }
    } finally {
      for (const session of sessions) await session.release();
    }
    return times.map((own) => own.sort((a, b) => a - b)[Math.floor(own.length / 2)] ?? Number.POSITIVE_INFINITY);
  }

  async profile(model: Model): Promise<ReadonlyMap<string, number>> {
    const key = ['profile', ...this.#clock(), hashModel(model), this.#request.seed];
    return new Map(await this.#memory.recall(key, timesSchema, async () => [...(await this.#profile(model))]));
  }

  async #profile(model: Model): Promise<ReadonlyMap<string, number>> {
    const profilePrefix = join(this.#scratch, `search-profile-${Math.floor(performance.now())}`);
    const session = await this.#open(model, { threads: 1, profilePrefix });
    let path: string | undefined;
    try {
      const feeds = seededFeeds(session.inputs, null, this.#request.seed);
      for (let run = 0; run < PROFILE_RUNS; run++) await session.run(feeds);
      path = session.endProfiling?.();
    } finally {
      await session.release();
    }
    if (path === undefined) return new Map();
    const { nodes } = parseProfile(readFileSync(path, 'utf8'), PROFILE_RUNS);
    rmSync(path, { force: true });
    return nodes;
  }

  bytes(model: Model): number {
    return onnxSize(model);
  }

  async close(): Promise<void> {
    const reference = await this.#reference?.catch(() => null);
    await reference?.data.close();
    await reference?.session.release();
  }

  /** What times depend on besides the model. */
  #clock(): string[] {
    return [this.#engine.name, this.#engine.version, cpus()[0]?.model ?? '', String(availableParallelism())];
  }

  #sourceHash(): Promise<string> {
    this.#source ??= openModel(this.#request.model).then(hashModel);
    return this.#source;
  }

  #comparison(): Promise<Reference> {
    this.#reference ??= this.#openComparison();
    return this.#reference;
  }

  async #openComparison(): Promise<Reference> {
    const { model, evaluation, calibration, preprocess, seed } = this.#request;
    const session = await this.#engine.open(model);
    const signature = await signatureOfFile(model, session);
    const path = evaluation ?? calibration;
    const data =
      path === undefined
        ? seededInputs(signature, SEEDED_SAMPLES, seed)
        : await openDataset(path, signature, {
            model,
            keepIn: this.#scratch,
            ...(preprocess === undefined ? {} : { preprocess }),
          });
    return { session, data };
  }
}

/** Share of rows whose largest element differs, of the worst output; where no output is a score, its relative error. */
function disagreement(fidelity: Awaited<ReturnType<typeof compareOnData>>['fidelity']): number {
  const outputs = fidelity?.outputs ?? [];
  return outputs.reduce((worst, { top1Agreement, cosine }) => Math.max(worst, 1 - (top1Agreement ?? cosine ?? 1)), 0);
}
