/** Random inputs whose sizes are guesses: that a model refuses them says nothing of the model, so the user is asked for data. */
import type { Dataset } from '../datasets/dataset.ts';
import { usualShape } from '../datasets/seeded-inputs.ts';
import { inputTensor, type ModelSignature } from '../datasets/signature.ts';
import type { Engine } from '../lib/engine.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';

/** Inputs with a size, besides that of the batch, which the model leaves open: `'x' [1, 224, 224, 3]`. */
export function guessedInputs(signature: ModelSignature): string[] {
  return signature.inputs
    .map(inputTensor)
    .filter(({ shape }) => shape.slice(1).some((dim) => typeof dim !== 'number'))
    .map((input) => `'${input.name}' [${usualShape(input).join(', ')}]`);
}

/** What a failed run on random inputs means: `data-missing` where sizes were guessed, else what was thrown. */
export function refusedGuess(thrown: unknown, signature: ModelSignature): HoneError {
  const error = toHoneError(thrown);
  const guessed = guessedInputs(signature);
  if (guessed.length === 0 || error.code === 'cancelled') return error;
  return new HoneError(
    'data-missing',
    `The model leaves sizes of its inputs open, and does not run on those that were guessed: ${guessed.join(', ')}. The runtime says: ${error.message}`,
    { cause: thrown },
  );
}

/** Throws `data-missing` where sizes were guessed and the model does not run on them; else nothing is tried. */
export async function tryGuess(
  engine: Engine,
  model: string,
  dataset: Dataset,
  signature: ModelSignature,
): Promise<void> {
  if (guessedInputs(signature).length === 0) return;
  const session = await engine.open(model);
  try {
    for await (const { feeds } of dataset.batches(1, { limit: 1 })) await session.run(feeds);
  } catch (thrown) {
    throw refusedGuess(thrown, signature);
  } finally {
    await session.release();
  }
}
