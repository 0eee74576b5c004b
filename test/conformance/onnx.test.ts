/** Every operator test of ONNX goes through Hone and comes out the same: for Hone, field by field, and on ONNX Runtime. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readOnnxBytes } from '../../native-workers/formats/onnx/read.ts';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../native-workers/formats/registry.ts';
import { hashModel } from '../../native-workers/graph/hash.ts';
import { validate } from '../../native-workers/graph/validate.ts';
import {
  conformanceBaseline,
  conformanceFolder,
  conformanceTests,
  type Outcome,
  runConformance,
} from '../helpers/conformance.ts';
import { hasShared } from '../helpers/shared.ts';
import { leaves } from '../helpers/wire.ts';

const SUITE_SIZE = 1653;

/** Fields that may change form: an empty text and a model version of 0 are the same as none; typed data becomes raw data. */
const EMPTY = /=$|^\.5=0$/;
/** In a tensor, which is an initializer of a graph (5 in 7 or 6) or the value of an attribute (5 or 10 in 5). */
const TENSOR_DATA = /(^\.7\.5|\.6\.5|\.5\.5|\.5\.10)\.(4|5|7|9|10|11)=/;

function lostOrGained(before: Buffer, after: Buffer): string[] {
  const kept = (leaf: string): boolean => !EMPTY.test(leaf) && !TENSOR_DATA.test(leaf);
  const counts = new Map<string, number>();
  for (const leaf of leaves(before).filter(kept)) counts.set(leaf, (counts.get(leaf) ?? 0) + 1);
  for (const leaf of leaves(after).filter(kept)) counts.set(leaf, (counts.get(leaf) ?? 0) - 1);
  return [...counts].filter(([, count]) => count !== 0).map(([leaf, count]) => `${count} ${leaf}`);
}

describe.skipIf(!hasShared)('operator tests', () => {
  it('are read, written and read back equal, and lose no field', async () => {
    const names = conformanceTests();
    expect(names).toHaveLength(SUITE_SIZE);
    const failures: string[] = [];
    const light = readdirSync(join(conformanceFolder(), '..', 'light')).filter((file) => file.endsWith('.onnx'));
    expect(light).toHaveLength(9);
    const files = [...names.map((name) => join(name, 'model.onnx')), ...light.map((file) => join('..', 'light', file))];
    for (const name of files) {
      const path = join(conformanceFolder(), name);
      try {
        const model = await openModel(path);
        validate(model);
        const bytes = onnxBytes(model);
        const again = readOnnxBytes(bytes);
        if (hashModel(again) !== hashModel(model)) failures.push(`${name}: not equal`);
        if (!Buffer.from(onnxBytes(again)).equals(bytes)) failures.push(`${name}: other bytes the second time`);
        for (const field of lostOrGained(readFileSync(path), Buffer.from(bytes))) failures.push(`${name}: ${field}`);
      } catch (thrown) {
        failures.push(`${name}: ${thrown}`);
      }
    }
    expect(failures).toEqual([]);
  });

  describe('on ONNX Runtime', () => {
    let outcomes: Map<string, Outcome>;
    beforeAll(async () => {
      outcomes = await runConformance(conformanceTests());
    });

    it('were all run', () => {
      expect(outcomes.size).toBe(SUITE_SIZE);
    });

    it('give what they gave before Hone rewrote them', () => {
      const unlike = Object.entries(conformanceBaseline()).flatMap(([name, { result, recheck }]) => {
        const { verdict, detail } = outcomes.get(name) ?? { verdict: 'missing', detail: '' };
        const mustPass = result === 'pass' && recheck === 'pass' && verdict !== 'pass';
        const mustFail = recheck === 'error' && verdict !== 'error';
        return mustPass || mustFail ? [`${name} was ${recheck}, is ${verdict}: ${detail}`] : [];
      });
      expect(unlike).toEqual([]);
    });

    it('never end the process', () => {
      expect([...outcomes].filter(([, { verdict }]) => verdict === 'crash')).toEqual([]);
    });
  });
});
