/** From an earlier run to the next one like it. */
import type { OptimizeFacts } from '../../native-workers/protocol/facts.ts';
import type { Recipe } from '../../native-workers/protocol/recipe.ts';
import { LIBRARY } from '../text/library.ts';
import { repeatRun, useDraft } from './draft.ts';
import { navigate } from './navigation.ts';
import { notify, reportFailure } from './notices.ts';
import { recipeOfPoint } from './search-point.ts';

/** Prepares a run of the model that a search measured at `place` of its points, with the data of the run `id`. */
export async function preparePoint(id: string, recipe: Recipe, facts: OptimizeFacts, place: number): Promise<void> {
  const picked = recipeOfPoint(recipe, facts, place);
  if (picked !== null) await prepareAgain(id, picked.title ?? picked.name, picked);
}

/** Prepares another run of the same recipe, or of `other`, and goes there; `title` is its name for the message. */
export async function prepareAgain(id: string, title: string, other?: Recipe): Promise<void> {
  try {
    const problem = await repeatRun(id, other);
    if (problem !== null) {
      notify(problem);
      return;
    }
    const hasModel = useDraft.getState().model !== null;
    notify(hasModel ? LIBRARY.recipeReady(title) : LIBRARY.recipeTaken(title));
    navigate({ screen: 'new', tab: hasModel ? 'recipe' : 'model' });
  } catch (error) {
    reportFailure(error);
  }
}
