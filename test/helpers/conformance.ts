/** ONNX's own operator tests (shared/conformance): unpacked once, run in child processes that may die. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ExternalFiles } from '../../native-workers/formats/onnx/external-data.ts';
import { readTensor } from '../../native-workers/formats/onnx/read-tensor.ts';
import type { Tensor } from '../../native-workers/graph/tensor.ts';
import { MemorySource } from '../../native-workers/lib/bytes.ts';
import { ProtobufReader } from '../../native-workers/lib/protobuf-reader.ts';
import { SHARED } from './shared.ts';
import { ROOT } from './sources.ts';

const ARCHIVE = 'onnx-node-1.20';

/** The folder with a folder for each test; unpacked into the system's temporary folder when it is not there yet. */
export function conformanceFolder(): string {
  const target = join(tmpdir(), `hone-${ARCHIVE}`);
  if (!existsSync(target)) {
    mkdirSync(tmpdir(), { recursive: true });
    const unpacking = mkdtempSync(join(tmpdir(), 'hone-unpacking-'));
    execFileSync('tar', ['-xJf', join(SHARED, 'conformance', `${ARCHIVE}.tar.xz`), '-C', unpacking]);
    try {
      renameSync(unpacking, target);
    } catch (thrown) {
      // Another test process was faster; its copy is as good.
      rmSync(unpacking, { recursive: true, force: true });
      if (!existsSync(target)) throw thrown;
    }
  }
  return join(target, ARCHIVE, 'node');
}

export const conformanceTests = (): string[] => readdirSync(conformanceFolder()).sort();

/** A tensor of the test in the folder `test`; null for an optional one that it leaves out. */
export function testTensor(test: string, kind: 'input' | 'output', index: number): Tensor | null {
  const path = join(test, 'test_data_set_0', `${kind}_${index}.pb`);
  if (!existsSync(path)) return null;
  return readTensor(new ProtobufReader(new MemorySource(readFileSync(path))), new ExternalFiles(null)).tensor;
}

/** Whether floats are the same by the rules of the baseline's `recheck`. `isHalf`: what was expected had 16 bits. */
export function areClose(actual: number, expected: number, isHalf: boolean): boolean {
  if (actual === expected || (Number.isNaN(actual) && Number.isNaN(expected))) return true;
  const [absolute, relative] = isHalf ? [1e-3, 1e-2] : [1e-5, 1e-3];
  return Math.abs(actual - expected) <= absolute + relative * Math.abs(expected);
}

const verdict = z.enum(['pass', 'differ', 'error', 'skip', 'crash']);
const baselineSchema = z.object({
  tests: z.record(z.string(), z.object({ result: verdict, recheck: verdict, detail: z.string().optional() })),
});
export type Verdict = z.infer<typeof verdict>;

/** What ONNX Runtime does with each test as it is; see the README beside it. */
export function conformanceBaseline(): z.infer<typeof baselineSchema>['tests'] {
  const text = readFileSync(join(SHARED, 'conformance', 'onnx-node-baseline.json'), 'utf8');
  return baselineSchema.parse(JSON.parse(text)).tests;
}

export interface Outcome {
  readonly verdict: Verdict;
  readonly detail: string;
}

const answerSchema = z.object({ name: z.string(), verdict, detail: z.string() });

/**
 * Runs tests on the engine, after Hone read their models, applied the passes and wrote them. A process that dies is that
 * test's verdict.
 */
export async function runConformance(
  names: readonly string[],
  passes: readonly string[] = [],
  processes = 2,
): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  const queue = [...names];
  const work = async (): Promise<void> => {
    while (queue.length > 0) await oneProcess(queue, passes, outcomes);
  };
  await Promise.all(Array.from({ length: processes }, work));
  return outcomes;
}

/** Feeds one process until the queue is empty or it dies. */
function oneProcess(queue: string[], passes: readonly string[], outcomes: Map<string, Outcome>): Promise<void> {
  return new Promise((resolve, reject) => {
    const runner = join(ROOT, 'test', 'helpers', 'conformance-runner.ts');
    const child: ChildProcess = fork(runner, [conformanceFolder(), passes.join()], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    let current: string | undefined;
    const next = (): void => {
      current = queue.pop();
      if (current === undefined) child.disconnect();
      else child.send(current);
    };
    child.on('message', (message) => {
      const answer = answerSchema.parse(message);
      outcomes.set(answer.name, answer);
      next();
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (current !== undefined) outcomes.set(current, { verdict: 'crash', detail: `exit ${code ?? signal}` });
      resolve();
    });
    next();
  });
}
