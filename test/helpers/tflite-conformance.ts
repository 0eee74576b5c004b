/** ONNX's operator tests through the TFLite writer and LiteRT, in child processes: an abort is the verdict of one test. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import { conformanceFolder } from './conformance.ts';
import { ROOT } from './sources.ts';

const verdict = z.enum(['pass', 'differ', 'error', 'skip', 'refused', 'crash']);
const answerSchema = z.object({ name: z.string(), verdict, detail: z.string() });
export type TfliteVerdict = z.infer<typeof verdict>;

export interface TfliteOutcome {
  readonly verdict: TfliteVerdict;
  readonly detail: string;
}

/** `way`: on LiteRT, or through Hone's own reader on ONNX Runtime. */
export async function runTfliteConformance(
  names: readonly string[],
  processes = 2,
  way: 'litert' | 'read-back' = 'litert',
): Promise<Map<string, TfliteOutcome>> {
  const outcomes = new Map<string, TfliteOutcome>();
  const queue = [...names];
  const work = async (): Promise<void> => {
    while (queue.length > 0) await oneProcess(queue, outcomes, way);
  };
  await Promise.all(Array.from({ length: processes }, work));
  return outcomes;
}

/** One process for so many tests: wasm memory is not given back. */
const TESTS_PER_PROCESS = 150;

function oneProcess(queue: string[], outcomes: Map<string, TfliteOutcome>, way: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const runner = join(ROOT, 'test', 'helpers', 'tflite-conformance-runner.ts');
    const child: ChildProcess = fork(runner, [conformanceFolder(), way], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    let current: string | undefined;
    let done = 0;
    const next = (): void => {
      current = done++ < TESTS_PER_PROCESS ? queue.pop() : undefined;
      if (current === undefined) child.kill();
      else child.send(current);
    };
    child.on('message', (message) => {
      const answer = answerSchema.parse(message);
      outcomes.set(answer.name, answer);
      // After an error the wasm module may be in any state.
      if (answer.verdict === 'error') {
        current = undefined;
        child.kill();
      } else next();
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (current !== undefined) outcomes.set(current, { verdict: 'crash', detail: `exit ${code ?? signal}` });
      resolve();
    });
    next();
  });
}
