/** Random inputs whose sizes are guesses: that a model refuses them says nothing of the model, so the user is asked for data. */
import { usualShape } from '../datasets/seeded-inputs.ts';
import { inputTensor, type ModelSignature } from '../datasets/signature.ts';
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
