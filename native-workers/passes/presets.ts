/** Recipes to start from. A preset is data like any recipe: `--preset NAME` runs it, `--set pass.option=value` changes it. */
import { HoneError } from '../protocol/errors.ts';
import type { Recipe } from '../protocol/recipe.ts';

export const PRESETS: readonly Recipe[] = [
  {
    schema: 1,
    name: 'clean',
    title: 'Clean up',
    summary: 'Same answers, less file: folds constants and batch normalization, removes what does nothing.',
    steps: [{ pass: 'clean' }],
  },
  {
    schema: 1,
    name: 'int8-dynamic',
    title: 'INT8, dynamic',
    summary: 'For transformers on CPUs: matrix products on 8-bit integers and embeddings in 8 bits. Needs no data.',
    steps: [
      { pass: 'clean' },
      { pass: 'quantize-dynamic' },
      { pass: 'quantize-weights-int8', options: { operators: ['Gather'] } },
    ],
  },
  {
    schema: 1,
    name: 'int8',
    title: 'INT8, static',
    summary:
      'For convolutional networks on CPUs: weights and activations in 8 bits, with ranges measured on your data.',
    steps: [{ pass: 'clean' }, { pass: 'equalize-channels' }, { pass: 'quantize-static' }],
  },
  {
    schema: 1,
    name: 'int8-auto',
    title: 'INT8, searched',
    summary:
      'As fast as INT8 can be within the accuracy you ask for: layers that lose too much, or gain nothing, stay float.',
    steps: [{ pass: 'clean' }, { pass: 'equalize-channels' }, { pass: 'quantize-search' }],
  },
  {
    schema: 1,
    name: 'int8-weights',
    title: 'INT8, weights only',
    summary: 'A quarter of the size at the speed of float: weights in 8 bits, computation in float. Needs no data.',
    steps: [{ pass: 'clean' }, { pass: 'quantize-weights-int8' }],
  },
  {
    schema: 1,
    name: 'float16',
    title: 'Float16, weights only',
    summary: 'Half the size at the speed of float: weights in float16, computation in float32. For CPUs.',
    steps: [{ pass: 'clean' }, { pass: 'float16' }],
  },
  {
    schema: 1,
    name: 'float16-compute',
    title: 'Float16, weights and computation',
    summary: 'Half the size, and faster on GPUs and NPUs; CPUs without float16 kernels convert back and forth.',
    steps: [{ pass: 'clean' }, { pass: 'float16', options: { mode: 'compute' } }],
  },
];

/** Throws `unknown-preset`. */
export function findPreset(name: string): Recipe {
  const preset = PRESETS.find((each) => each.name === name);
  if (preset === undefined) {
    const known = PRESETS.map((each) => each.name).join(', ');
    throw new HoneError('unknown-preset', `There is no preset ${name}; the presets: ${known}.`);
  }
  return preset;
}
