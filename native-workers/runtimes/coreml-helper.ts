/** The process of the program in `coreml-helper-source.ts`: its protocol, and tensors as files. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { ArtifactSession, ArtifactSignature } from '../artifacts/target.ts';
import type { DType } from '../graph/dtype.ts';
import { tensorFromBytes, tensorFromHost, tensorFromNumbers, toHostTensor, toNumbers } from '../graph/tensor-values.ts';
import type { Feeds } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';

const replySchema = z.object({
  outputs: z.array(
    z.object({
      name: z.string(),
      dtype: z.enum(['float32', 'int32']),
      shape: z.array(z.number().int().nonnegative()),
      file: z.string(),
    }),
  ),
  error: z.string().optional(),
});
type Reply = z.infer<typeof replySchema>;

/**
 * Starts `command` on a package. Throws `runtime-rejected-model` with what Core ML says, and `worker-crashed`. `log` gets what the
 * program writes to standard error.
 */
export async function openHelper(
  command: readonly string[],
  signature: ArtifactSignature,
  log: (line: string) => void,
): Promise<ArtifactSession> {
  const helper = new Helper(command, log);
  const folder = await mkdtemp(join(tmpdir(), 'coreml-tensors-'));
  const release = async (): Promise<void> => {
    helper.end();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { error } = await helper.next();
    if (error !== undefined) throw new HoneError('runtime-rejected-model', `Core ML does not load it: ${error}`);
  } catch (thrown) {
    await release();
    throw thrown;
  }
  return {
    async run(feeds): Promise<Feeds> {
      const inputs = await Promise.all(
        signature.inputs.map(async ({ source, name, dtype, shape: declared }, index) => {
          const tensor = feeds[source];
          if (tensor === undefined) throw new HoneError('data-mismatch', `The input '${source}' has no data.`);
          const shape = tensor.shape.length === 0 && declared.length === 1 ? [1] : [...tensor.shape];
          const type: DType = dtype === 'int32' ? 'int32' : 'float32';
          const file = join(folder, `input-${index}`);
          await writeFile(file, tensorFromNumbers(type, toNumbers(tensorFromHost(tensor)), shape).data.read());
          return { name, dtype: type, shape, file };
        }),
      );
      const { outputs, error } = await helper.ask({ inputs, folder });
      if (error !== undefined) throw new HoneError('runtime-failed', `Core ML does not run it: ${error}`);
      const results: Feeds = {};
      for (const { source, name } of signature.outputs) {
        const found = outputs.find((output) => output.name === name);
        if (found === undefined) continue;
        results[source] = toHostTensor(
          tensorFromBytes(found.dtype, found.shape, new Uint8Array(await readFile(found.file))),
        );
      }
      return results;
    },
    release,
  };
}

class Helper {
  readonly #child: ChildProcess;
  readonly #replies: AsyncIterator<string>;

  constructor([program = '', ...args]: readonly string[], log: (line: string) => void) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.on('error', (error) => log(`ERROR: ${error.message}`));
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new HoneError('worker-start-failed', 'The program has no output.');
    createInterface({ input: stderr }).on('line', log);
    this.#replies = createInterface({ input: stdout })[Symbol.asyncIterator]();
    // What it does not read any more is told by the answer that does not come.
    this.#child.stdin?.on('error', () => undefined);
  }

  ask(request: object): Promise<Reply> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    return this.next();
  }

  async next(): Promise<Reply> {
    const line = await this.#replies.next();
    if (line.done === true) throw new HoneError('worker-crashed', 'The program that runs Core ML ended.');
    const parsed = replySchema.safeParse(JSON.parse(String(line.value)));
    if (!parsed.success) throw new HoneError('worker-crashed', 'The program that runs Core ML gave no answer.');
    return parsed.data;
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}
