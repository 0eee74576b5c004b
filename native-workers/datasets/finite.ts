/** Samples for calibration: one number that is NaN or infinite would spoil the ranges of a whole batch. */
import type { HostTensor } from '../lib/engine.ts';
import type { SampleSource } from './dataset.ts';

/** The source without the samples that hold such a number, which are skipped and told as those that cannot be read. */
export function finiteSamples(source: SampleSource): SampleSource {
  return {
    ...source,
    async *rows(indexes, skip) {
      for await (const row of source.rows(indexes, skip)) {
        const broken = Object.entries(row.feeds).find(([, tensor]) => !allFinite(tensor));
        if (broken === undefined) yield row;
        else skip({ sample: row.sample, reason: `'${broken[0]}' holds a number that is NaN or infinite.` });
      }
    },
  };
}

/** Exponent of a float16 or bfloat16 that is all ones: NaN or infinite. */
const HALF_EXPONENTS: Readonly<Record<string, number>> = { float16: 0x7c00, bfloat16: 0x7f80 };

function allFinite({ dtype, data }: HostTensor): boolean {
  if (data instanceof Float32Array || data instanceof Float64Array) return data.every(Number.isFinite);
  const exponent = HALF_EXPONENTS[dtype];
  return (
    exponent === undefined || !(data instanceof Uint16Array) || data.every((bits) => (bits & exponent) !== exponent)
  );
}
