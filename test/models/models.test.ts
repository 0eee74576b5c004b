/** Every file of models.json comes to what it says, and nothing else: the exact error, and where it is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openModel } from '../../native-workers/formats/registry.ts';
import { inspectFacts, macsFromRecordedTypes } from '../../native-workers/graph/inspect.ts';
import { validate } from '../../native-workers/graph/validate.ts';
import { ERROR_KINDS, ERRORS, type ErrorCode, HoneError } from '../../native-workers/protocol/errors.ts';
import { inspectFactsSchema } from '../../native-workers/protocol/facts.ts';
import { BUILDERS, readManifest } from './builders.ts';

const entry = z.strictObject({
  name: z.string(),
  file: z.string(),
  nodes: z.number().optional(),
  weights: z.number().optional(),
  error: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]).optional(),
  where: z.array(z.enum(['file', 'offset', 'graph', 'node', 'tensor'])).optional(),
  says: z.string().optional(),
});
const { models } = z.strictObject({ about: z.string(), models: z.array(entry) }).parse(readManifest());

const folder = mkdtempSync(join(tmpdir(), 'hone-models-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function opened(file: string, name: string): Promise<HoneError | Awaited<ReturnType<typeof openModel>>> {
  const path = join(folder, file);
  await BUILDERS[name]?.(path);
  try {
    return await openModel(path);
  } catch (thrown) {
    if (thrown instanceof HoneError) return thrown;
    throw thrown;
  }
}

describe('the manifest', () => {
  it('and the builders name the same models', () => {
    expect(models.map(({ name }) => name).sort()).toEqual(Object.keys(BUILDERS).sort());
  });
});

describe('a good model', () => {
  it.each(models.filter(({ error }) => error === undefined))('opens: $name', async ({ name, file, nodes, weights }) => {
    const model = await opened(file, name);
    if (model instanceof HoneError) throw model;
    validate(model);
    expect([model.graph.nodes.size, model.graph.initializers.size]).toEqual([nodes, weights]);
    expect(() => inspectFactsSchema.parse(inspectFacts(model, macsFromRecordedTypes(model)))).not.toThrow();
  });
});

describe('a bad file', () => {
  it.each(models.filter(({ error }) => error !== undefined))(
    'is $error: $name',
    async ({ name, file, error, where, says }) => {
      const found = await opened(file, name);
      if (!(found instanceof HoneError)) throw new Error('The file was opened.');
      expect(found.code, found.message).toBe(error);
      expect(ERROR_KINDS).toContain(found.kind);
      expect(['input', 'unsupported']).toContain(found.kind);
      expect(Object.keys(found.where ?? {})).toEqual(expect.arrayContaining(where ?? []));
      if (says !== undefined) expect(found.message).toContain(says);
    },
  );
});
