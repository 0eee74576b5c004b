/** The recipe as JSON: to read, to edit, to bring in from a file and to take away. */
import { Check, Copy, Download } from 'lucide-react';
import { useState } from 'react';
import { takeRecipe, useDraft } from '../../stores/draft.ts';
import { notify } from '../../stores/notices.ts';
import { parseRecipe, readSteps } from '../../stores/recipe-form.ts';
import { recipeOf } from '../../stores/run-form.ts';
import { useSession } from '../../stores/session.ts';
import { RECIPE } from '../../text/new-run.ts';
import { Button } from '../../widgets/button.tsx';
import { copyText, downloadText } from '../../widgets/copy.ts';
import { JsonFile } from '../../widgets/json-file.tsx';

export function RecipeJson() {
  const passes = useSession((session) => session.hello?.passes) ?? [];
  const recipe = useDraft((draft) => draft.recipe);
  const steps = useDraft((draft) => draft.steps);
  const present = JSON.stringify(recipeOf(recipe, readSteps(steps, passes).steps), null, 2);
  /** null while it is what the form says. */
  const [edited, setEdited] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const text = edited ?? present;

  function take(source: string, words: (name: string) => string): void {
    const parsed = parseRecipe(source, passes);
    if (!parsed.ok) {
      setEdited(source);
      setProblem(parsed.problem);
      return;
    }
    takeRecipe(parsed.value);
    setEdited(null);
    setProblem(null);
    notify(words(parsed.value.title ?? parsed.value.name));
  }

  return (
    <div className="json">
      <textarea
        className="json-text"
        aria-label={RECIPE.jsonLabel}
        aria-invalid={problem !== null}
        aria-describedby="json-problem"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setEdited(event.target.value);
          setProblem(null);
        }}
      />
      <p className="json-problem" id="json-problem" role="alert">
        {problem}
      </p>
      <div className="json-actions">
        <Button
          weight="primary"
          icon={Check}
          disabled={edited === null}
          onClick={() => take(text, () => RECIPE.applied)}
        >
          {RECIPE.apply}
        </Button>
        <span className="grow" />
        <JsonFile label={RECIPE.import} onText={(content) => take(content, RECIPE.imported)} />
        <Button icon={Copy} onClick={() => copyText(text)}>
          {RECIPE.copy}
        </Button>
        <Button icon={Download} onClick={() => downloadText(`${recipe.name}.json`, `${text}\n`, 'application/json')}>
          {RECIPE.export}
        </Button>
      </div>
    </div>
  );
}
