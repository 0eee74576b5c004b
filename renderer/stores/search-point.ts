/** A model that a search measured and did not choose, made after all: the search gives way to the quantization that made it. */
import { z } from 'zod';
import type { OptimizeFacts } from '../../native-workers/protocol/facts.ts';
import type { Recipe } from '../../native-workers/protocol/recipe.ts';
import { REPORT } from '../text/run.ts';

const pointsSchema = z.array(z.object({ float: z.array(z.string()) }));

/** Options of the search that mean the same to `quantize-static`. */
const SHARED = ['target', 'method', 'percentile', 'pairSafe'];

/** `place`: among the points of all searches of the recipe, in their order. Null where there is no such point. */
export function recipeOfPoint(recipe: Recipe, { passes }: OptimizeFacts, place: number): Recipe | null {
  let left = place;
  for (const [index, { details }] of passes.entries()) {
    const points = pointsSchema.safeParse(details?.['search']).data ?? [];
    const point = points[left];
    left -= points.length;
    const step = recipe.steps[index];
    if (point === undefined) continue;
    if (step === undefined) return null;
    const { exclude = [], ...options } = step.options ?? {};
    const kept = Object.entries(options).filter(([name]) => SHARED.includes(name));
    const named = Array.isArray(exclude) ? exclude : [];
    return {
      schema: 1,
      name: 'int8-picked',
      title: REPORT.pickedTitle(point.float.length),
      summary: REPORT.pickedSummary,
      steps: recipe.steps.with(index, {
        pass: 'quantize-static',
        options: { ...Object.fromEntries(kept), exclude: [...named, ...point.float] },
      }),
    };
  }
  return null;
}
