/** What the user gives to the studio, however it comes (drop, dialog, path, the system): a model, a saved report or a recipe. */
import type { Recipe } from '../../native-workers/protocol/recipe.ts';
import type { Grant } from '../../native-workers/protocol/studio.ts';
import type { PickKind } from '../bridge/studio-client.ts';
import { RECIPE } from '../text/new-run.ts';
import { setUpload, takeModel, takeRecipe, useDraft } from './draft.ts';
import { navigate } from './navigation.ts';
import { notify, reportFailure } from './notices.ts';
import { parseRecipe } from './recipe-form.ts';
import { openSavedReport } from './reports.ts';
import { studio, useSession } from './session.ts';

/** A recipe is small; a .json above this is not one. */
const LARGEST_RECIPE = 1_000_000;

export async function takeDrop(transfer: DataTransfer): Promise<void> {
  const files = Array.from(transfer.files);
  try {
    // The drop is handed over before anything is awaited: its files are gone when the event is over.
    const [only] = files;
    const recipe = files.length === 1 && only !== undefined ? readRecipe(only) : Promise.resolve(null);
    const grants = studio().grantDrop(transfer, showUpload(files));
    const found = await recipe;
    if (found !== null) {
      await grants;
      openRecipe(found);
    } else await takeGrants(await grants);
  } catch (error) {
    reportFailure(error);
  } finally {
    setUpload(null);
  }
}

/** Lets the user choose, and takes what was chosen. */
export async function pickAndTake(kind: 'model' | 'report'): Promise<void> {
  const grants = await pickGrants(kind);
  if (grants.length === 0) return;
  if (kind === 'report' && grants[0] !== undefined) openReport(grants[0]);
  else await takeGrants(grants);
}

/** Grants for what the user chose; empty when the dialog was left or failed, which is told. */
export async function pickGrants(kind: PickKind): Promise<Grant[]> {
  try {
    return await studio().pick(kind, (done, total) => setUpload({ done, total }));
  } catch (error) {
    reportFailure(error);
    return [];
  } finally {
    setUpload(null);
  }
}

/** Grants for what was dropped on one field. */
export async function grantsOfDrop(transfer: DataTransfer): Promise<Grant[]> {
  try {
    return await studio().grantDrop(transfer, (done, total) => setUpload({ done, total }));
  } catch (error) {
    reportFailure(error);
    return [];
  } finally {
    setUpload(null);
  }
}

/** The browser host may be asked for a path by its name. Rejects with its refusal. */
export function grantPath(path: string): Promise<Grant> {
  return studio().call('files.grantPath', { path });
}

/** Takes the model among the grants, or opens the report. */
export async function takeGrants(grants: readonly Grant[]): Promise<void> {
  const model = grants.find((grant) => MODEL_FILE.test(grant.name)) ?? grants[0];
  if (model === undefined) return;
  if (REPORT_FILE.test(model.name)) {
    openReport(model);
    return;
  }
  navigate({ screen: 'new', tab: 'model' });
  await takeModel(model);
}

const MODEL_FILE = /\.(onnx|tflite|h5|keras)$/i;
const REPORT_FILE = /\.(html|json)$/i;

function openReport(grant: Grant): void {
  navigate({ screen: 'saved-report' });
  void openSavedReport(grant);
}

export function openRecipe(recipe: Recipe): void {
  const problem = takeRecipe(recipe);
  if (problem === null) {
    notify(RECIPE.imported(recipe.title ?? recipe.name));
    navigate({ screen: 'new', tab: useDraft.getState().model === null ? 'model' : 'recipe' });
  } else notify(problem);
}

/** null when the file is something else, which is for the host to judge. */
async function readRecipe(file: File): Promise<Recipe | null> {
  if (!/\.json$/i.test(file.name) || file.size > LARGEST_RECIPE) return null;
  const text = await file.text();
  const passes = useSession.getState().hello?.passes ?? [];
  const recipe = parseRecipe(text, passes);
  return recipe.ok ? recipe.value : null;
}

/** Small files are through before a bar could be read. */
function showUpload(files: readonly File[]) {
  const large = files.reduce((sum, file) => sum + file.size, 0) > 4_000_000;
  return (done: number, total: number): void => setUpload(large ? { done, total } : null);
}
