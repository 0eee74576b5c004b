/** From an earlier run to the next one like it. */
import { LIBRARY } from '../text/library.ts';
import { repeatRun, useDraft } from './draft.ts';
import { navigate } from './navigation.ts';
import { notify, reportFailure } from './notices.ts';

/** Prepares another run of the same recipe and goes there; `recipe` is its name for the message. */
export async function prepareAgain(id: string, recipe: string): Promise<void> {
  try {
    const problem = await repeatRun(id);
    if (problem !== null) {
      notify(problem);
      return;
    }
    const hasModel = useDraft.getState().model !== null;
    notify(hasModel ? LIBRARY.recipeReady(recipe) : LIBRARY.recipeTaken(recipe));
    navigate({ screen: 'new', tab: hasModel ? 'recipe' : 'model' });
  } catch (error) {
    reportFailure(error);
  }
}
