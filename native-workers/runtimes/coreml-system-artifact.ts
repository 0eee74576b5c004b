/**
 * Core ML itself, where it is: a package is compiled, loaded and run by the system of this Mac. Elsewhere it says that it was not
 * run. The program that does it is compiled once by Xcode's tools and kept in the temporary folder.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TargetRuntime } from '../artifacts/target.ts';
import { HoneError } from '../protocol/errors.ts';
import { openHelper } from './coreml-helper.ts';
import { COREML_HELPER } from './coreml-helper-source.ts';

const run = promisify(execFile);

/** Throws `runtime-missing` where there is no Core ML, no compiler for the program, or a package that takes pictures. */
export async function openRuntime(): Promise<TargetRuntime> {
  if (process.platform !== 'darwin')
    throw new HoneError('runtime-missing', 'Core ML is on Apple’s systems only; this check needs a Mac.');
  const program = await compiledHelper();
  const { stdout: version } = await run('sw_vers', ['-productVersion']);
  return {
    name: `Core ML of macOS ${version.trim()}`,
    async open(path, signature, log) {
      if (signature.inputs.some(({ isPicture }) => isPicture === true))
        throw new HoneError('runtime-missing', 'Packages that take pictures are not run on Core ML here.');
      return openHelper([program, path], signature, log);
    },
  };
}

async function compiledHelper(): Promise<string> {
  const digest = createHash('sha256').update(COREML_HELPER).digest('hex').slice(0, 16);
  const folder = join(tmpdir(), `hone-coreml-${digest}-${process.getuid?.() ?? 0}`);
  const program = join(folder, 'helper');
  if (await stat(program).catch(() => null)) return program;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const making = await mkdtemp(join(folder, 'making-'));
  try {
    await writeFile(join(making, 'main.swift'), COREML_HELPER);
    await run('xcrun', ['swiftc', '-O', join(making, 'main.swift'), '-o', join(making, 'helper')]);
    await rename(join(making, 'helper'), program);
    return program;
  } catch (thrown) {
    const said = thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr) : String(thrown);
    throw new HoneError(
      'runtime-missing',
      `Xcode's tools did not compile the program that runs Core ML: ${said.trim()}`,
    );
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}
