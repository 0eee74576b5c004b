/** The folder of a package: filled beside its place and put there when it is whole, so that a failure leaves the old one. */
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { PACKAGE_MARK } from './package-files.ts';

/** Makes the folder of all packages. Throws `no-permission`, and `invalid-options` where a file is in the way. */
export async function makeOutFolder(out: string): Promise<void> {
  try {
    await mkdir(out, { recursive: true });
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : null;
    if (code === 'EEXIST' || code === 'ENOTDIR')
      throw new HoneError('invalid-options', `The folder ${out} cannot be made: a file is in the way.`, {
        where: { file: out },
      });
    throw toHoneError(thrown);
  }
}

/** Throws `invalid-options` when `folder` holds files that are no package: it would be replaced. */
export async function refuseForeign(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((thrown: unknown) => {
    const { code } = thrown as { code?: string };
    if (code === 'ENOENT') return [];
    throw new HoneError('invalid-options', `${folder} is no folder.`, { where: { file: folder } });
  });
  if (entries.length === 0) return;
  const isPackage = await access(join(folder, PACKAGE_MARK)).then(
    () => true,
    () => false,
  );
  if (isPackage) return;
  throw new HoneError('invalid-options', `${folder} holds files that are no package of Hone; choose another folder.`, {
    where: { file: folder },
  });
}

/** Calls `fill` with an empty folder; what it left there becomes `folder`, or nothing when it throws. */
export async function replaceFolder<Result>(
  folder: string,
  fill: (staging: string) => Promise<Result>,
): Promise<Result> {
  await mkdir(dirname(folder), { recursive: true });
  const staging = await mkdtemp(join(dirname(folder), '.package-'));
  try {
    const result = await fill(staging);
    await rm(folder, { recursive: true, force: true });
    await rename(staging, folder);
    return result;
  } catch (thrown) {
    await rm(staging, { recursive: true, force: true });
    throw thrown;
  }
}
