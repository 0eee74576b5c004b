import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type MilPackage, MilValue } from '../../../../native-workers/formats/coreml/program.ts';
import { writePackage } from '../../../../native-workers/formats/coreml/write-package.ts';
import { unread } from '../../../helpers/models.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';

/** One operation with a constant of `bytes` bytes; bools stand in the program, floats in the file of weights. */
function program(bytes: number, dtype: 'bool' | 'fp32'): MilPackage {
  const type = { dtype, shape: [dtype === 'fp32' ? bytes / 4 : bytes] };
  const constant = new MilValue('c', type, { type, data: unread(bytes).data, strings: null });
  const y = new MilValue('y', type);
  const main = {
    opset: 'CoreML7',
    inputs: [],
    operations: [{ type: 'identity', inputs: new Map([['x', [constant]]]), outputs: [y] }],
    outputs: [y],
  };
  return {
    specification: 8,
    main,
    inputs: [],
    outputs: [],
    metadata: { description: '', version: '', author: '', license: '' },
  };
}

it('refuses a program over 2 GB before anything of it is read or written; weights of any size have a file', async () => {
  const path = join(temporaryFolder(), 'net.mlpackage');
  await expect(writePackage(program(2 ** 31, 'bool'), path)).rejects.toMatchObject({ code: 'artifact-too-large' });
  expect(existsSync(path)).toBe(false);
  await expect(writePackage(program(2 ** 31 - 1, 'bool'), path)).rejects.toThrow(/asked for/);
  // Behind the program: only writing the file asks for the bytes.
  await expect(writePackage(program(2 ** 33, 'fp32'), path)).rejects.toThrow(/asked for/);
  expect(existsSync(join(path, 'Data/com.apple.CoreML/model.mlmodel'))).toBe(true);
});
