import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { optionForms, parseOption, passInfo } from '../../../native-workers/passes/option-form.ts';
import { completeOptions } from '../../../native-workers/passes/options.ts';
import { definePass } from '../../../native-workers/passes/pass.ts';

const schema = z.strictObject({
  bits: z.union([z.literal(4), z.literal(8)]).describe('Bits of a weight.'),
  block: z.int().min(16).max(256).describe('Weights of one scale.'),
  ratio: z.number().min(0).max(1).describe('Share.'),
  exclude: z.array(z.string()).describe('Nodes left alone.'),
  method: z.enum(['minmax', 'entropy']).nullable().describe('How.'),
  keep: z.boolean().describe('Keeps.'),
  count: z.int().describe('Any integer.'),
});
const pass = definePass(
  { id: 'try', title: 'Try', summary: 'Tries.', family: 'quantize', lossy: true, needs: ['calibration'] },
  { bits: 8, block: 32, ratio: 0.5, exclude: [], method: null, keep: true, count: 3 } as z.infer<typeof schema>,
  schema,
  async () => ({ status: 'unchanged', reason: 'nothing to do' }),
);

describe('option form', () => {
  it('shows each option as the schema has it', () => {
    expect(optionForms(pass)).toEqual([
      { name: 'bits', description: 'Bits of a weight.', kind: 'choice', default: 8, choices: ['4', '8'] },
      { name: 'block', description: 'Weights of one scale.', kind: 'integer', default: 32, minimum: 16, maximum: 256 },
      { name: 'ratio', description: 'Share.', kind: 'number', default: 0.5, minimum: 0, maximum: 1 },
      { name: 'exclude', description: 'Nodes left alone.', kind: 'list', default: [] },
      { name: 'method', description: 'How.', kind: 'choice', default: null, choices: ['minmax', 'entropy'] },
      { name: 'keep', description: 'Keeps.', kind: 'boolean', default: true },
      { name: 'count', description: 'Any integer.', kind: 'integer', default: 3 },
    ]);
    expect(passInfo(pass)).toMatchObject({ id: 'try', lossy: true, needs: ['calibration'] });
  });
});

describe('parseOption', () => {
  it.each([
    ['bits', '4', 4],
    ['block', '128', 128],
    ['ratio', '1e-3', 0.001],
    ['exclude', '/a/Conv,/b/Conv', ['/a/Conv', '/b/Conv']],
    ['exclude', '["a,b"]', ['a,b']],
    ['exclude', '[a', ['[a']],
    ['exclude', '', []],
    ['method', 'entropy', 'entropy'],
    ['method', 'null', null],
    ['keep', 'false', false],
  ])('%s=%s', (name, text, value) => {
    expect(parseOption(pass, name, text)).toEqual(value);
    expect(completeOptions(pass, { [name]: parseOption(pass, name, text) })).toMatchObject({ [name]: value });
  });

  it('names the option that is unknown', () => {
    expect(() => parseOption(pass, 'bit', '8')).toThrow(/try has no option bit; its options: bits, block/);
  });
});
