import type { Model } from '../../graph/model.ts';
import type { Counter } from '../edit.ts';
import type { Float16Options } from '../float16.ts';
import type { PassContext, PassNote } from '../pass.ts';
export async function computeInHalf(
  _m: Model,
  _o: Float16Options,
  _c: PassContext,
  _k: Counter,
  _n: PassNote[],
): Promise<void> {}
