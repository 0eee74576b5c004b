/** Runs an artifact on its own runtime and the source model on the engine, on the same inputs, and compares the outputs. */
import type { ArtifactSignature, ArtifactTarget } from '../artifacts/target.ts';
import type { Feeds, Session } from '../lib/engine.ts';
import { toHoneError } from '../protocol/errors.ts';
import type { Verification } from '../protocol/facts.ts';
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
  readonly progress: (done: number, total: number, what: string) => Promise<void>;
}

/**
 * Runs on the target's own runtime and on its further ones, one process after another. One that fails or refuses makes that
 * the result of the whole; the numbers stay those of the own runtime. Throws `cancelled` only.
 */
export async function verifyArtifact(request: VerifyRequest): Promise<Verification> {
  const { title, runtimeModule, otherRuntimes = [] } = request.target;
  const verification = await runOn(runtimeModule, title, request);
  const others: NonNullable<Verification['others']> = [];
  for (const { title: other, module } of otherRuntimes) {
    const { tolerance } = request.target;
    const target = { ...request.target, tolerance: { ...tolerance, steps: tolerance.steps * OTHER_STEPS } };
    const { runtime, status, reason, samples, maxAbs, cosine } = await runOn(module, other, {
      ...request,
      target,
    });
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

/** `title` names the runtime until it says its own name. A further runtime that is not on this machine is no refusal. */
async function runOn(module: string, title: string, request: VerifyRequest): Promise<Verification> {
  const comparison = new Comparison();
  let runtime = title;
  let client: ArtifactClient | null = null;
  try {
    const opened = await ArtifactClient.open(module, request.path, request.signature);
    client = opened.client;
    runtime = opened.runtime;
    const steps = new Map(
      request.signature.outputs.flatMap(({ source, step }) => (step === undefined ? [] : [[source, step] as const])),
    );
    for (const [index, feeds] of request.inputs.entries()) {
      const expected = await request.reference.run(feeds);
      comparison.add(expected, await client.run(feeds), steps);
      await request.progress(index + 1, request.inputs.length, `checking on ${runtime}`);
    }
    return judge(runtime, comparison.result(), errorsOf(client), request.target.tolerance);
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code === 'cancelled') throw error;
    const difference = comparison.result();
    return {
      ...measured(runtime, difference),
      status: error.code === 'runtime-missing' && module !== request.target.runtimeModule ? 'not-run' : 'refused',
      reason: error.message,
      errors: client === null ? [] : errorsOf(client),
    };
  } finally {
    await client?.end();
  }
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
