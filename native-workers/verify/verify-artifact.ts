/** Runs an artifact on its own runtime and the source model on the engine, on the same inputs, and compares the outputs. */
import type { ArtifactSignature, ArtifactTarget } from '../artifacts/target.ts';
import type { Feeds, Session } from '../lib/engine.ts';
import { type HoneError, toHoneError } from '../protocol/errors.ts';
import type { LiveCheck } from '../protocol/live.ts';
import type { Verification } from '../protocol/package-facts.ts';
import { ArtifactClient } from './artifact-client.ts';
import { Comparison, type Difference } from './compare.ts';

/** Any line of a runtime's log that says so fails the check: LiteRT returns garbage for operators it does not know. */
const ERROR_LINE = /\bERROR\b|Error:/;

/**
 * The int8 kernels of another build round by themselves: 99 % within one step is asked of it too, but over fifty layers the
 * worst element may be further off (7 steps on a MobileNet in WebAssembly).
 */
const OTHER_STEPS = 4;

export interface VerifyRequest {
  readonly target: Pick<ArtifactTarget, 'runtimeModule' | 'otherRuntimes' | 'tolerance' | 'title'>;
  /** Of the main file or folder. */
  readonly path: string;
  readonly signature: ArtifactSignature;
  /** The source model on the engine. */
  readonly reference: Session;
  /** One sample each. */
  readonly inputs: readonly Feeds[];
  /** Called at the start, after each sample and at each end, with all runtimes in the order they are run on. */
  readonly watch: (checks: readonly LiveCheck[]) => Promise<void>;
}

/**
 * Runs on the target's own runtime and on its further ones, one process after another. One that fails or refuses makes that
 * the result of the whole; the numbers stay those of the own runtime. Throws `cancelled` only.
 */
export async function verifyArtifact(request: VerifyRequest): Promise<Verification> {
  const { title, runtimeModule, otherRuntimes = [], tolerance } = request.target;
  const own: Runtime = { title, module: runtimeModule, isOwn: true, tolerance };
  const further = otherRuntimes.map(
    (other): Runtime => ({ ...other, isOwn: false, tolerance: { ...tolerance, steps: tolerance.steps * OTHER_STEPS } }),
  );
  const checks = [own, ...further].map(({ title: name }) => waiting(name, request.inputs.length));
  const run = (runtime: Runtime, place: number): Promise<Verification> =>
    runOn(runtime, request, async (found) => {
      checks[place] = { ...(checks[place] as LiveCheck), ...found };
      await request.watch([...checks]);
    });
  const verification = await run(own, 0);
  const others: NonNullable<Verification['others']> = [];
  for (const [index, other] of further.entries()) {
    const { runtime, status, reason, samples, maxAbs, cosine } = await run(other, index + 1);
    others.push({ runtime, status, ...(reason === undefined ? {} : { reason }), samples, maxAbs, cosine });
  }
  if (others.length === 0) return verification;
  const broken = others.find(({ status }) => status === 'failed' || status === 'refused');
  if (verification.status !== 'passed' || broken === undefined) return { ...verification, others };
  return {
    ...verification,
    status: broken.status,
    reason: `${broken.runtime}: ${broken.reason ?? broken.status}`,
    others,
  };
}

interface Runtime {
  /** Names it until it says its own name. */
  readonly title: string;
  readonly module: string;
  /** One that is not the target's own may be missing on this machine; that is no refusal. */
  readonly isOwn: boolean;
  readonly tolerance: ArtifactTarget['tolerance'];
}

type Found = (check: Partial<LiveCheck>) => Promise<void>;

function waiting(runtime: string, of: number): LiveCheck {
  return { runtime, status: 'waiting', samples: 0, of, maxAbs: null, cosine: null, top1Agreement: null };
}

async function runOn(runtime: Runtime, request: VerifyRequest, found: Found): Promise<Verification> {
  await found({ status: 'running' });
  const verification = await compareOn(runtime, request, found);
  const { status, reason } = verification;
  await found({ ...soFar(verification), status, ...(reason === undefined ? {} : { reason }) });
  return verification;
}

async function compareOn(
  { title, module, isOwn, tolerance }: Runtime,
  request: VerifyRequest,
  found: Found,
): Promise<Verification> {
  const comparison = new Comparison();
  let runtime = title;
  if (request.inputs.length === 0) {
    const reason = 'no inputs could be made for its fixed sizes; give data';
    return { ...measured(runtime, comparison.result()), status: 'not-run', reason, errors: [] };
  }
  let client: ArtifactClient | null = null;
  try {
    const opened = await ArtifactClient.open(module, request.path, request.signature);
    client = opened.client;
    runtime = opened.runtime;
    const steps = new Map(
      request.signature.outputs.flatMap(({ source, step }) => (step === undefined ? [] : [[source, step] as const])),
    );
    for (const feeds of request.inputs) {
      const expected = await request.reference.run(feeds);
      comparison.add(expected, await client.run(feeds), steps);
      await found(soFar(measured(runtime, comparison.result())));
    }
    return judge(runtime, comparison.result(), errorsOf(client), tolerance);
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code === 'cancelled') throw error;
    const difference = comparison.result();
    return {
      ...measured(runtime, difference),
      status: isNoAnswer(error, isOwn) ? 'not-run' : 'refused',
      reason: error.message,
      errors: client === null ? [] : errorsOf(client),
    };
  } finally {
    await client?.end();
  }
}

/** A further runtime that is not there, and one without room for the file, say nothing about the artifact. */
function isNoAnswer({ code }: HoneError, isOwn: boolean): boolean {
  return code === 'worker-out-of-memory' || (code === 'runtime-missing' && !isOwn);
}

function soFar({
  runtime,
  samples,
  maxAbs,
  cosine,
  top1Agreement,
}: Omit<Verification, 'status' | 'errors'>): Partial<LiveCheck> {
  return { runtime, samples, maxAbs, cosine, top1Agreement };
}

function errorsOf(client: ArtifactClient): string[] {
  return client.lines.filter((line) => ERROR_LINE.test(line));
}

function judge(
  runtime: string,
  difference: Difference,
  errors: string[],
  tolerance: ArtifactTarget['tolerance'],
): Verification {
  const reasons = differences(difference, tolerance);
  if (errors.length > 0) reasons.unshift(`the runtime logged an error: ${errors[0]}`);
  return {
    ...measured(runtime, difference),
    status: reasons.length === 0 ? 'passed' : 'failed',
    ...(reasons.length === 0 ? {} : { reason: reasons.join('; ') }),
    errors,
  };
}

/**
 * What is too far off, in words; empty when nothing is. Floats must be within `float` of the largest reference value; of
 * integers, 99 % within one step and none beyond `steps`.
 */
export function differences(difference: Difference, tolerance: ArtifactTarget['tolerance']): string[] {
  const reasons: string[] = [];
  if (difference.missing.length > 0)
    reasons.push(`outputs missing or of another size: ${difference.missing.join(', ')}`);
  const { steps } = difference;
  if (steps !== null && (steps.max > tolerance.steps || steps.withinOne < 0.99)) {
    reasons.push(
      `integer outputs differ by up to ${steps.max} steps, ${(steps.withinOne * 100).toFixed(1)} % within one`,
    );
  }
  const allowed = tolerance.float * Math.max(difference.reference, 1e-6);
  if (difference.maxAbsFloat > allowed) {
    reasons.push(
      `the largest difference is ${difference.maxAbsFloat.toPrecision(3)}; ${allowed.toPrecision(3)} is allowed`,
    );
  }
  return reasons;
}

function measured(runtime: string, difference: Difference): Omit<Verification, 'status' | 'errors'> {
  const { samples, maxAbs, reference, cosine, top1Agreement, steps } = difference;
  const ran = samples > 0;
  return {
    runtime,
    samples,
    maxAbs: ran && Number.isFinite(maxAbs) ? maxAbs : null,
    reference: ran ? reference : null,
    cosine: ran ? cosine : null,
    top1Agreement,
    steps,
  };
}
